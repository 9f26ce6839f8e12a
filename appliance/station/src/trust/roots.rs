//! The trust anchors that are installed: those that are built in, and those of the site's folder.
//!
//! ```text
//!  firmware (in the binary) ─┐
//!                            ├─ manifest::parse ─▶ entries ─▶ each file: digest, content ─▶ Installed
//!  the site's folder ────────┘                                                                │
//!                                     all of them good, no name twice ─▶ Anchors ◀────────────┘
//! ```
//!
//! A file that no manifest names is not an anchor, and one whose digest differs is an error.

mod firmware;
mod unpinned;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use oms_verify::pki::manifest::{self, Entry, FILE_NAME};
use oms_verify::pki::{Anchor, AnchorError, Purpose, check_digest};
use oms_verify::reason::{Code, Reason};
use oms_verify::sigstore::{TrustedRoot, TrustedRootError};

pub use self::unpinned::unpinned;

use self::firmware::{FIRMWARE, Firmware};
use super::location::{Guard, guarded_read};
use super::{ROOTS, is_installed};

const MANIFEST_LIMIT: u64 = 1 << 20;
const FILE_LIMIT: u64 = 1 << 20;

/// Every anchor that is installed, each name once.
#[derive(Debug, Default)]
pub struct Anchors {
    /// The certificates.
    pub certificates: Vec<Anchor>,
    /// The trusted roots of Sigstore instances.
    pub trusted_roots: Vec<TrustedRoot>,
    /// Whether no folder was named and the default one has no anchor.
    without_site: bool,
}

/// An entry of a manifest, and what its file is.
#[derive(Debug)]
pub struct Installed {
    /// What the manifest says.
    pub entry: Entry,
    /// Where it is.
    pub origin: Origin,
    /// What the file holds, or why it cannot be used.
    pub content: Result<Content, FileFault>,
}

/// Where an anchor is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// In the binary.
    BuiltIn,
    /// In this folder.
    Site(PathBuf),
}

/// Why the file of an entry cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FileFault {
    /// It cannot be read, or not from there.
    #[error("{}", .0.detail)]
    Unreadable(Reason),
    /// It is not the file that is pinned, or no certificate.
    #[error("{0}")]
    Anchor(#[from] AnchorError),
    /// It is the file that is pinned, and no trusted root.
    #[error("{0}")]
    TrustedRoot(#[from] TrustedRootError),
}

/// What an anchor's file holds.
#[derive(Debug)]
pub enum Content {
    /// A certificate.
    Certificate(Anchor),
    /// The trusted root of a Sigstore instance.
    TrustedRoot(TrustedRoot),
}

impl Anchors {
    /// Every anchor that is built in or in the site's folder `roots`. The default folder may be
    /// absent.
    ///
    /// # Errors
    /// [`Code::TrustAnchor`] or [`Code::TrustLocation`] when a manifest or the file of any entry
    /// cannot be used, [`Code::PolicyDuplicateAnchor`] when two have one name.
    pub fn load(roots: Option<&Path>, guard: &Guard) -> Result<Anchors, Reason> {
        let installed = survey(roots, guard)?;
        let is_site = |found: &Installed| found.origin != Origin::BuiltIn;
        let without_site = roots.is_none() && !installed.iter().any(is_site);
        Ok(Anchors { without_site, ..Self::usable(installed)? })
    }

    /// Every anchor that is built in, and none of the site's.
    ///
    /// # Errors
    /// [`Code::TrustAnchor`] when one of them cannot be used.
    pub fn built_in() -> Result<Anchors, Reason> {
        Self::usable(built_in(&FIRMWARE)?)
    }

    fn usable(installed: Vec<Installed>) -> Result<Anchors, Reason> {
        let mut anchors = Anchors::default();
        for found in installed {
            let path = found.origin.path_of(&found.entry.file);
            match found.content.map_err(|fault| fault.into_reason(path))? {
                Content::Certificate(anchor) => anchors.certificates.push(anchor),
                Content::TrustedRoot(root) => anchors.trusted_roots.push(root),
            }
        }
        Ok(anchors)
    }

    /// What to say to somebody whose policy names an anchor that is not installed, if that is
    /// because the site's folder was not found.
    pub(super) fn hint(&self) -> Option<String> {
        self.without_site.then(|| {
            format!(
                "; no roots folder was given, and {ROOTS} holds no anchor: name the folder of the \
                 roots"
            )
        })
    }
}

impl FileFault {
    /// The reason with the file that it is about.
    pub fn into_reason(self, path: String) -> Reason {
        match self {
            FileFault::Unreadable(reason) => reason,
            fault => Reason::new(Code::TrustAnchor, fault.to_string()).about(path),
        }
    }
}

impl Origin {
    /// The path of a file, as people know it.
    pub fn path_of(&self, file: &str) -> String {
        match self {
            Origin::BuiltIn => firmware::shown(file),
            Origin::Site(folder) => folder.join(file).display().to_string(),
        }
    }
}

/// Every entry of the built-in manifest and of the one in `roots`, or in the default folder if
/// there is one. The file of an entry may be unusable.
///
/// # Errors
/// As [`Anchors::load`], but for the files of entries.
pub fn survey(roots: Option<&Path>, guard: &Guard) -> Result<Vec<Installed>, Reason> {
    let mut installed = built_in(&FIRMWARE)?;
    if let Some(folder) = site_folder(roots)? {
        installed.extend(read_folder(folder, guard)?);
    }
    let mut names = BTreeSet::new();
    if let Some(twice) = installed.iter().find(|found| !names.insert(&found.entry.name)) {
        let detail = format!(
            "the anchor {:?} is there already: it is built in, so the site's needs another name",
            twice.entry.name
        );
        let file = twice.origin.path_of(FILE_NAME);
        return Err(Reason::new(Code::PolicyDuplicateAnchor, detail).about(file));
    }
    Ok(installed)
}

/// The site's folder, unless it is the default one and there is none.
///
/// # Errors
/// When the default folder cannot be looked at.
pub fn site_folder(roots: Option<&Path>) -> Result<Option<&Path>, Reason> {
    let default = Path::new(ROOTS);
    match roots {
        Some(folder) => Ok(Some(folder)),
        None => Ok(is_installed(&default.join(FILE_NAME), Code::TrustAnchor)?.then_some(default)),
    }
}

fn built_in(firmware: &Firmware) -> Result<Vec<Installed>, Reason> {
    read_entries(firmware.manifest.as_bytes(), &Origin::BuiltIn, |file| firmware.read(file))
}

fn read_folder(folder: &Path, guard: &Guard) -> Result<Vec<Installed>, Reason> {
    guard.check_folder(folder, Code::TrustAnchor)?;
    let read = |file: &str, limit| {
        guarded_read(&folder.join(file), limit, guard, Code::TrustAnchor).map(Cow::Owned)
    };
    let text = read(FILE_NAME, MANIFEST_LIMIT)?;
    read_entries(&text, &Origin::Site(folder.to_owned()), |file| read(file, FILE_LIMIT))
}

fn read_entries(
    manifest: &[u8],
    origin: &Origin,
    read: impl Fn(&str) -> Result<Cow<'static, [u8]>, Reason>,
) -> Result<Vec<Installed>, Reason> {
    let wrong =
        |detail: String| Reason::new(Code::TrustAnchor, detail).about(origin.path_of(FILE_NAME));
    let text = std::str::from_utf8(manifest).map_err(|_| wrong("it is not UTF-8".to_owned()))?;
    let entries = manifest::parse(text).map_err(|error| wrong(error.to_string()))?;
    let installed = entries.into_iter().map(|entry| {
        let bytes = read(&entry.file).map_err(FileFault::Unreadable);
        let content = bytes.and_then(|bytes| content(&entry, &bytes));
        Installed { entry, origin: origin.clone(), content }
    });
    Ok(installed.collect())
}

/// What the file of an entry holds.
fn content(entry: &Entry, bytes: &[u8]) -> Result<Content, FileFault> {
    if entry.purposes.contains(&Purpose::Sigstore) {
        check_digest(entry, bytes)?;
        return Ok(Content::TrustedRoot(TrustedRoot::parse(&entry.name, bytes)?));
    }
    Ok(Content::Certificate(Anchor::read(entry, bytes)?))
}

#[cfg(test)]
mod tests;
