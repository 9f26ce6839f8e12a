//! The copy of a model that a case works on.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::case::{Base, Case, Kind, Modifications};
use crate::failure::Failure;

/// Copies the model of `case` into `folder` and modifies the copy: gives its path.
pub(super) fn prepare(case: &Case, assets: &Path, folder: &Path) -> Result<PathBuf, Failure> {
    let base = match (case.config.model_relative_to, case.kind) {
        (Base::TestDir, Kind::Verify) => &case.folder,
        _ => assets,
    };
    let source = base.join(&case.config.model);
    let copy = match source.file_name() {
        Some(name) if source.is_file() => folder.join(name),
        _ => folder.join("model"),
    };
    copy_all(&source, &copy).map_err(|error| Failure::Read { path: source, source: error })?;
    let top = if copy.is_dir() { &copy } else { folder };
    modify(top, &case.config.model_modifications)
        .map_err(|source| Failure::Write { path: copy.clone(), source })?;
    Ok(copy)
}

/// Copies a file, or a folder with all that is in it. Names that begin with a dot and empty
/// folders count; rights do not, since the original may be read-only.
fn copy_all(from: &Path, to: &Path) -> io::Result<()> {
    let kind = fs::symlink_metadata(from)?.file_type();
    if kind.is_dir() {
        fs::create_dir(to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            copy_all(&entry.path(), &to.join(entry.file_name()))?;
        }
        Ok(())
    } else if kind.is_symlink() {
        symlink(fs::read_link(from)?, to)
    } else {
        fs::write(to, fs::read(from)?)
    }
}

fn modify(top: &Path, modifications: &Modifications) -> io::Result<()> {
    let Modifications { tamper, delete, inject, symlinks } = modifications;
    for (name, content) in tamper {
        fs::write(top.join(name), content)?;
    }
    for name in delete {
        let gone = fs::remove_file(top.join(name));
        gone.or_else(
            |error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) },
        )?;
    }
    for (name, content) in inject {
        fs::write(top.join(name), content)?;
    }
    for (name, target) in symlinks {
        let link = top.join(name);
        fs::create_dir_all(link.parent().unwrap_or(top))?;
        symlink(target, link)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_has_dot_files_empty_folders_and_links_and_may_be_written_to() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        fs::create_dir_all(from.join("empty")).unwrap();
        fs::write(from.join(".gitattributes"), "x").unwrap();
        fs::set_permissions(from.join(".gitattributes"), fs::Permissions::from_mode(0o444))
            .unwrap();
        symlink("/nonexistent", from.join("link")).unwrap();
        copy_all(&from, &to).unwrap();
        assert!(to.join("empty").is_dir());
        assert_eq!(fs::read_link(to.join("link")).unwrap(), Path::new("/nonexistent"));
        let mode = fs::metadata(to.join(".gitattributes")).unwrap().permissions().mode();
        assert_eq!(mode & 0o200, 0o200);
    }

    #[test]
    fn each_modification_is_made() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path();
        fs::write(top.join("a"), "a").unwrap();
        fs::write(top.join("b"), "b").unwrap();
        let pair = |a: &str, b: &str| [(a.to_owned(), b.to_owned())].into();
        let modifications = Modifications {
            tamper: pair("a", "other"),
            delete: vec!["b".to_owned(), "absent".to_owned()],
            inject: pair("c", "new"),
            symlinks: pair("d/e", "."),
        };
        modify(top, &modifications).unwrap();
        assert_eq!(fs::read_to_string(top.join("a")).unwrap(), "other");
        assert!(!top.join("b").exists());
        assert_eq!(fs::read_to_string(top.join("c")).unwrap(), "new");
        assert!(top.join("d/e").is_symlink());
    }
}
