//! Where trust may be read from: not inside a model, not on a carrier, and not where others than
//! the officers can write.
//!
//! ```text
//!  path ──walk──▶ folders and links that lead there ─▶ each: not forbidden, nobody else writes
//!                 target ────────────────────────────▶ the same, more strictly ──▶ opened, read
//! ```

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use oms_verify::reason::{Code, Reason};

use super::carrier::{Carrier, Place, carrier_of};
use super::walk::walk;
use crate::bounded;

/// Folders and mounts that trust must not come from.
#[derive(Debug, Default, Clone)]
pub struct Guard {
    folders: Vec<PathBuf>,
    carriers: Vec<Carrier>,
}

impl Guard {
    /// Forbids `path`, a model or a carrier, and all that is in it. Where `path` is the root of a
    /// mount, or lies on something that can be unplugged, all of that is forbidden; the mounts of
    /// `/` and `/etc` never are.
    #[must_use]
    pub fn against(mut self, path: &Path) -> Self {
        let Ok(canonical) = path.canonicalize() else { return self };
        self.carriers.extend(carrier_of(&canonical));
        self.folders.push(canonical);
        self
    }

    /// Checks where the file or folder at `path` lies, every folder and link that leads there, and
    /// who may change any of them. In a folder that is checked nobody else may create anything.
    ///
    /// # Errors
    /// [`Code::TrustLocation`].
    pub fn check(&self, path: &Path) -> Result<(), Reason> {
        self.find(path).map(|_| ()).map_err(|fault| fault.into_reason(path, Code::TrustLocation))
    }

    /// Checks only that `folder` is neither a model or carrier nor on one, and that not everybody
    /// may write to it: for a folder that is shared with others by its group.
    ///
    /// # Errors
    /// [`Code::TrustLocation`].
    pub fn check_shared(&self, folder: &Path) -> Result<(), Reason> {
        const WRITE_BY_OTHERS: u32 = 0o002;
        let check = || -> Result<(), Fault> {
            let canonical = folder.canonicalize()?;
            self.check_place(&canonical)?;
            let metadata = canonical.metadata()?;
            match metadata.mode() & WRITE_BY_OTHERS {
                0 => Ok(()),
                _ => check_owner(&canonical, &metadata, Role::Target),
            }
        };
        check().map_err(|fault| fault.into_reason(folder, Code::TrustLocation))
    }

    /// As [`Guard::check`], for a folder whose files are trusted. `code` names what the folder
    /// holds when it cannot be looked at.
    pub(super) fn check_folder(&self, folder: &Path, code: Code) -> Result<(), Reason> {
        match self.find(folder) {
            Ok(_) => Ok(()),
            Err(Fault::Io(error)) if error.kind() == io::ErrorKind::NotFound => {
                let reason = Reason::new(code, "the folder does not exist");
                Err(reason.about(folder.display().to_string()))
            }
            Err(fault) => Err(fault.into_reason(folder, code)),
        }
    }

    /// Where `path` leads, if everything on the way there is allowed. Then nobody else can change
    /// what the given path means.
    fn find(&self, path: &Path) -> Result<PathBuf, Fault> {
        let walk = walk(path)?;
        for folder in &walk.folders {
            self.check_place(folder)?;
            check_owner(folder, &folder.symlink_metadata()?, Role::OnTheWay)?;
        }
        for link in &walk.links {
            check_owner(link, &link.symlink_metadata()?, Role::Link)?;
        }
        self.check_place(&walk.target)?;
        check_owner(&walk.target, &walk.target.symlink_metadata()?, Role::Target)?;
        Ok(walk.target)
    }

    fn check_place(&self, path: &Path) -> Result<(), Fault> {
        if let Some(folder) = self.folders.iter().find(|folder| path.starts_with(folder)) {
            return Err(Fault::Inside { path: path.to_owned(), folder: folder.clone() });
        }
        if !self.carriers.is_empty() {
            let place = Place::of(path)?;
            if self.carriers.iter().any(|carrier| place.is_on(*carrier)) {
                return Err(Fault::OnCarrier(path.to_owned()));
            }
        }
        Ok(())
    }
}

/// Reads a file of at most `limit` bytes from a place that `guard` allows. `code` names what the
/// file is when it cannot be read.
///
/// # Errors
/// [`Code::TrustLocation`], or `code`.
pub fn guarded_read(path: &Path, limit: u64, guard: &Guard, code: Code) -> Result<Vec<u8>, Reason> {
    let read = || {
        let target = guard.find(path)?;
        let file = bounded::open(&target)?;
        // What is read is what counts, so it is asked again.
        check_owner(&target, &file.metadata()?, Role::Target)?;
        Ok(bounded::read_open(&file, limit)?)
    };
    read().map_err(|fault: Fault| fault.into_reason(path, code))
}

/// Why trust is not read from somewhere.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{} lies in the model or carrier {}", .path.display(), .folder.display())]
    Inside { path: PathBuf, folder: PathBuf },
    #[error("{} lies on the carrier, or on a medium that can be taken out like it", .0.display())]
    OnCarrier(PathBuf),
    #[error("{} belongs to user {owner}, neither to this user nor to root: chown it", .path.display())]
    Owner { path: PathBuf, owner: u32 },
    #[error("{} has mode {mode:04o}, so that others may write to it: chmod go-w", .path.display())]
    Mode { path: PathBuf, mode: u32 },
}

impl Fault {
    fn into_reason(self, path: &Path, unreadable: Code) -> Reason {
        let code = match &self {
            Fault::Io(_) => unreadable,
            _ => Code::TrustLocation,
        };
        Reason::new(code, self.to_string()).about(path.display().to_string())
    }
}

/// What something is for a path that is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// A folder on the way. With the sticky bit, such as `/tmp` has it, others cannot replace what
    /// is not theirs.
    OnTheWay,
    /// A symbolic link. Its mode means nothing.
    Link,
    /// What the path is about. The sticky bit of a folder does not help: others could create there.
    Target,
}

/// Whether only root and this user can change `path`, as its `metadata` has it.
fn check_owner(path: &Path, metadata: &Metadata, role: Role) -> Result<(), Fault> {
    const WRITE_BY_GROUP_OR_OTHERS: u32 = 0o022;
    const STICKY: u32 = 0o1000;
    let owner = metadata.uid();
    if owner != 0 && owner != rustix::process::geteuid().as_raw() {
        return Err(Fault::Owner { path: path.to_owned(), owner });
    }
    let mode = metadata.mode() & 0o7777;
    let excused = match role {
        Role::OnTheWay => mode & STICKY != 0,
        Role::Link => true,
        Role::Target => false,
    };
    if mode & WRITE_BY_GROUP_OR_OTHERS != 0 && !excused {
        return Err(Fault::Mode { path: path.to_owned(), mode });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
