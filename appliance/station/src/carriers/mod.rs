//! Where carriers come from, behind one small interface.
//!
//! ```text
//!  hot folders ── inotify ─┐                                     ┌─ Folder: opened beneath its hot folder
//!                          ├─▶ Watch ─▶ Arrival ── open ─▶ Carrier ┼─ Device: mounter ─▶ mount without a path
//!  devices ──── uevents ───┘    (queue, each once)                └─ Archive: unpacker ─▶ folder in the spool
//!                                                                          │
//!                                                 root() ─▶ survey, copy   └─ release(): it may be pulled
//! ```
//!
//! What is told by inotify and uevents only says when to look. What is taken is what a look at the
//! folder or at `/sys/class/block` finds, and each thing is taken once: an [`Arrival`] has an
//! identity, which the journal keeps.

pub(crate) mod archive;
mod carrier;
pub mod devices;
mod hot;
pub(crate) mod mounter;
pub(crate) mod program;
mod settings;
mod tar;
mod watch;

use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use oms_verify::reason::Printable;

pub use self::carrier::{Carrier, Means};
pub use self::devices::Device;
pub(crate) use self::settings::RawCarriers;
pub use self::settings::{BlockDevices, Settings};
pub use self::watch::{News, Watch};
use crate::journal::CarrierKind;

/// A carrier that has come and waits to be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// What it is.
    pub source: Source,
    /// What tells it from every other, also over restarts of the station: for the journal.
    pub identity: String,
}

/// What a carrier is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A folder in a hot folder.
    Folder(Entry),
    /// A tar file in a hot folder.
    Archive(Entry),
    /// A block device: a whole disk, or a partition.
    Device(Device),
}

/// An entry of a hot folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The hot folder.
    pub hot_folder: PathBuf,
    /// Its name there, in any encoding.
    pub name: OsString,
    /// Device and inode, which it still has to have when it is opened.
    pub inode: (u64, u64),
}

impl Source {
    /// What it is to the journal.
    #[must_use]
    pub fn kind(&self) -> CarrierKind {
        match self {
            Source::Folder(_) => CarrierKind::Folder,
            Source::Device(_) => CarrierKind::Device,
            Source::Archive(_) => CarrierKind::Stream,
        }
    }
}

impl fmt::Display for Source {
    /// As people know it, without anything that a terminal would obey.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Folder(entry) | Source::Archive(entry) => entry.fmt(f),
            Source::Device(device) => device.fmt(f),
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let folder = self.hot_folder.to_string_lossy();
        write!(f, "{}/{}", Printable(&folder), Escaped(self.name.as_bytes()))
    }
}

/// A name in any encoding: what is not text stands as `\xNN`, so that two names never look like one.
pub struct Escaped<'a>(pub &'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            write!(f, "{}", Printable(chunk.valid()))?;
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt as _;

    #[test]
    fn names_are_shown_harmlessly_and_stay_apart() {
        let entry = |name: &[u8]| {
            let name = OsString::from_vec(name.to_vec());
            Entry { hot_folder: "/in".into(), name, inode: (1, 2) }.to_string()
        };
        assert_eq!(entry(b"a\x1b[2Jb\xff"), "/in/a\\u{1b}[2Jb\\xff");
        assert_ne!(entry(b"\xfe"), entry(b"\xff"));
        assert_eq!(entry("modèle".as_bytes()), "/in/modèle");
    }
}
