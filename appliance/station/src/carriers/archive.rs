//! Tar files in a hot folder, from a station that copies for others: unpacked into a folder of the
//! spool by a confined process, and then a carrier like any folder.
//!
//! ```text
//!  supervisor ── Order + the file ──▶ copier's sandbox: members ──▶ spool/ingest-archive-…/
//!      ▲                                   │ files and folders only, below their folder, in bounds
//!      └──────────── Unpacked ◀────────────┘
//! ```

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use oms_sys::beneath::Root;
use oms_sys::channel::ChannelError;
use oms_verify::reason::{Code, Reason};
use rustix::fs::{FileType, Mode, OFlags, fstat, openat, statvfs};
use serde::{Deserialize, Serialize};

use super::Entry;
use super::carrier::{Carrier, Means};
use super::tar::{Member, Tar, TarError};
use crate::cancel::Cancel;
use crate::process::wire::{Wire, WireError, WireReason, one};
use crate::process::{Role, spawn};

/// How long the process that unpacks may take to begin.
const BEGINNING: Duration = Duration::from_secs(60);
/// How often it is looked whether to end while it unpacks.
const LOOK: Duration = Duration::from_millis(200);

/// What the folders of archives are called, so that the next start clears away what a crash left.
const FOLDER: &str = "ingest-archive";

/// What is asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    most_files: usize,
    most_bytes: u64,
}

/// What is answered.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
enum Word {
    Unpacked {},
    Failed(WireReason),
}

/// A folder of the spool, until it is dropped.
#[derive(Debug)]
pub(super) struct Unpacked(PathBuf);

impl Drop for Unpacked {
    fn drop(&mut self) {
        // What stays is cleared away by the next start.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Unpacks the archive, if it is still the one that came, and opens what was in it.
pub(super) fn open(entry: &Entry, means: &Means, cancel: &Cancel) -> Result<Carrier, Reason> {
    let unreadable = |e: io::Error| Reason::new(Code::MediaUnreadable, e.to_string());
    let unwritable = |e: io::Error| Reason::new(Code::OutboundWrite, e.to_string());
    let folder = Root::open(&entry.hot_folder).map_err(unreadable)?;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file =
        openat(&folder, &entry.name, flags, Mode::empty()).map_err(|e| unreadable(e.into()))?;
    let stat = fstat(&file).map_err(|e| unreadable(e.into()))?;
    let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
    if !is_file || (stat.st_dev, stat.st_ino) != entry.inode {
        return Err(Reason::new(Code::CarrierEntry, "another file has its name by now"));
    }
    let bytes = u64::try_from(stat.st_size).unwrap_or(u64::MAX);
    let room = statvfs(&means.spool).map_err(|e| unwritable(e.into()))?;
    let room = room.f_bavail.saturating_mul(room.f_frsize);
    if bytes > room || bytes > means.most_bytes {
        let most = room.min(means.most_bytes);
        let detail = format!("it has {bytes} bytes, and there is room for {most}");
        return Err(Reason::new(Code::OutboundWrite, detail));
    }
    let into = means.spool.canonicalize().map_err(unwritable)?;
    let into = into.join(format!("{FOLDER}-{:x}-{}", entry.inode.0, entry.inode.1));
    let _ = std::fs::remove_dir_all(&into);
    DirBuilder::new().mode(0o700).create(&into).map_err(unwritable)?;
    let unpacked = Unpacked(into);
    let failed = |error: &dyn std::fmt::Display| {
        Reason::new(Code::StationProcess, format!("unpacking an archive: {error}"))
    };
    let mut args = vec!["--unpack".into(), unpacked.0.clone().into_os_string()];
    args.extend(means.insecure_no_sandbox.then(|| "--insecure-no-sandbox".into()));
    let now = Instant::now();
    let begun = now.checked_add(BEGINNING).unwrap_or(now);
    let mut started = spawn(Role::Copier, &args, None, begun).map_err(|e| failed(&e))?;
    let order = Order { most_files: means.most_files, most_bytes: means.most_bytes };
    started.wire.send(&order, &[file.as_fd()], None).map_err(|e| failed(&e))?;
    // As long as it takes: it reads a disk of the station, and in bounds.
    let word = loop {
        cancel.check()?;
        match started.wire.receive(Instant::now().checked_add(LOOK)) {
            Err(WireError::Channel(ChannelError::Late)) => {}
            word => break word.map_err(|e| failed(&e))?,
        }
    };
    let _ = started.child.kill();
    match word {
        Word::Unpacked {} => {
            let root = Root::open(&unpacked.0).map_err(unreadable)?;
            Ok(Carrier::unpacked(root, unpacked))
        }
        Word::Failed(reason) => Err(reason.0),
    }
}

/// Unpacks what comes over the wire into the folder `into`.
///
/// # Errors
/// When the other side does not ask as it should. What is wrong with an archive is its answer.
pub(crate) fn serve(wire: &Wire, into: &Path) -> Result<(), WireError> {
    let (order, with): (Order, _) = wire.receive_with(None)?;
    let file = File::from(one(with)?);
    let word = match unpack(file, into, &order) {
        Ok(()) => Word::Unpacked {},
        Err(reason) => Word::Failed(WireReason(reason)),
    };
    wire.send(&word, &[], None)
}

fn unpack(file: File, into: &Path, order: &Order) -> Result<(), Reason> {
    let wrong = |error: TarError| match error {
        TarError::Io(error) => Reason::new(Code::MediaUnreadable, error.to_string()),
        other => Reason::new(Code::CarrierArchive, other.to_string()),
    };
    let mut tar = Tar::new(io::BufReader::with_capacity(1 << 20, file));
    let (mut members, mut bytes) = (0_usize, 0_u64);
    while let Some(member) = tar.next_member().map_err(wrong)? {
        members = members.saturating_add(1);
        bytes = bytes.saturating_add(member.size);
        // Folders count as files do.
        if members > order.most_files || bytes > order.most_bytes {
            let detail = format!(
                "it has more than {} files or {} bytes",
                order.most_files, order.most_bytes
            );
            return Err(Reason::new(Code::CarrierArchive, detail));
        }
        let path = into.join(&member.path);
        let told = |error: io::Error| {
            let code = match error.kind() {
                io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => Code::CarrierArchive,
                _ => Code::OutboundWrite,
            };
            Reason::new(code, error.to_string()).about(member.path.clone())
        };
        let folder = if member.is_folder { Some(path.as_path()) } else { path.parent() };
        if let Some(folder) = folder {
            DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(told)?;
        }
        if !member.is_folder {
            write(&mut tar, &member, &path).map_err(|error| match error {
                TarError::Io(error) => told(error),
                other => wrong(other),
            })?;
        }
    }
    Ok(())
}

fn write(tar: &mut Tar<impl io::Read>, member: &Member, path: &Path) -> Result<(), TarError> {
    let mut out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let copied = io::copy(&mut tar.content().take(member.size), &mut out)?;
    if copied != member.size {
        return Err(TarError::Cut);
    }
    out.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests;
