//! A model where it lies: a folder, or a single file.

use std::io;
use std::path::Path;
use std::sync::Arc;

use oms_sys::beneath::{BeneathError, Folders, Kind, RegularFile, Root};
use oms_verify::name::ResourcePath;
use oms_verify::reason::{Class, Code, Reason};
use oms_verify::statement::Manifest;

use super::refusal_or_failure;

/// A model on a carrier or on a disk.
#[derive(Clone, Debug)]
pub enum Source {
    /// A folder with files.
    Folder(Arc<Root>),
    /// One file, in a folder.
    File {
        /// The folder that holds it.
        folder: Arc<Root>,
        /// Its name there.
        name: String,
    },
}

impl Source {
    /// The model at `path`, which an operator chose.
    ///
    /// # Errors
    /// When there is nothing at `path`, or neither a folder nor a regular file.
    pub fn at(path: &Path) -> Result<Source, Reason> {
        let shown = path.display().to_string();
        let wrong = |error: io::Error| absent_or_unreadable(&error, path);
        let canonical = path.canonicalize().map_err(wrong)?;
        if canonical.metadata().map_err(wrong)?.is_dir() {
            return Root::open(&canonical).map(Arc::new).map(Source::Folder).map_err(wrong);
        }
        let parts = canonical.parent().zip(canonical.file_name().and_then(|name| name.to_str()));
        let Some((folder, name)) = parts else {
            return Err(Reason::new(Code::MediaName, "the name is not UTF-8").about(&shown));
        };
        let folder = Arc::new(Root::open(folder).map_err(wrong)?);
        let source = Source::File { folder, name: name.to_owned() };
        match source.single().map(|(folder, name)| folder.kind(name)) {
            Some(Ok(Kind::File)) => Ok(source),
            Some(Err(error)) => Err(refusal_or_failure(error, &shown)),
            _ => {
                Err(Reason::new(Code::MediaNotRegular, "neither a folder nor a file").about(shown))
            }
        }
    }

    fn single(&self) -> Option<(&Root, &str)> {
        match self {
            Source::Folder(_) => None,
            Source::File { folder, name } => Some((folder, name)),
        }
    }

    /// Opens the file that `manifest` lists as `path`; `None` when the model is a single file of
    /// another name. The name `.` stands for a single file whatever it is called.
    pub fn open(
        &self,
        manifest: &Manifest,
        path: &ResourcePath,
    ) -> Result<Option<RegularFile>, BeneathError> {
        match self {
            Source::Folder(root) => root.file(path.as_str()).map(Some),
            Source::File { folder, name } if manifest.is_dot() || name == path.as_str() => {
                folder.file(name).map(Some)
            }
            Source::File { .. } => Ok(None),
        }
    }

    /// The folder that holds the files.
    pub(super) fn root(&self) -> Arc<Root> {
        match self {
            Source::Folder(root) => Arc::clone(root),
            Source::File { folder, .. } => Arc::clone(folder),
        }
    }

    /// The folders of the files, to be gone through one after another.
    pub(super) fn folders(&self) -> Folders {
        Folders::new(self.root())
    }

    /// Where the file that is shown as `path` is, from [`Source::folders`]: a single file is there
    /// under its own name.
    pub(super) fn place<'a>(&'a self, path: &'a str) -> &'a str {
        match self {
            Source::Folder(_) => path,
            Source::File { name, .. } => name,
        }
    }

    /// Whether `path` of `manifest` can be here at all. The name `.` stands for a single file
    /// whatever it is called.
    pub(super) fn may_hold(&self, manifest: &Manifest, path: &ResourcePath) -> bool {
        match self {
            Source::Folder(_) => true,
            Source::File { name, .. } => manifest.is_dot() || name == path.as_str(),
        }
    }

    /// Whether the file that `manifest` lists as `path` is here: a regular file, not yet opened.
    ///
    /// # Errors
    /// When the carrier cannot be read, so that this cannot be told.
    pub fn holds(&self, manifest: &Manifest, path: &ResourcePath) -> Result<bool, Reason> {
        let kind = match self {
            Source::Folder(root) => root.kind(path.as_str()),
            Source::File { folder, name } if manifest.is_dot() || name == path.as_str() => {
                folder.kind(name)
            }
            Source::File { .. } => return Ok(false),
        };
        match kind {
            Ok(kind) => Ok(kind == Kind::File),
            Err(error) => {
                let reason = refusal_or_failure(error, path.as_str());
                if reason.code.class() == Class::Refusal { Ok(false) } else { Err(reason) }
            }
        }
    }

    /// Whether `manifest` lists the file that is at `path` here.
    pub fn lists(&self, manifest: &Manifest, path: &str) -> bool {
        match self {
            Source::Folder(_) => manifest.file(path).is_some(),
            Source::File { .. } => manifest.is_dot() || manifest.file(path).is_some(),
        }
    }
}

/// Why nothing can be said about a path that somebody chose: there is nothing, or what holds it
/// cannot be read.
pub fn absent_or_unreadable(error: &io::Error, path: &Path) -> Reason {
    let code = match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Code::MediaNotFound,
        _ => Code::MediaUnreadable,
    };
    Reason::new(code, error.to_string()).about(path.display().to_string())
}
