//! The bundle of a model that is verified where it lies.

use std::io;
use std::path::{Path, PathBuf};

use oms_verify::reason::{Code, Reason};

use super::{SUFFIX, USUAL};
use crate::intake::absent_or_unreadable;

/// The bundle of a model in place, by OMS's conventions: `MODEL/model.sig`, a single `*.sig` in
/// `MODEL`, `MODEL.sig`, or `model.sig` beside it.
///
/// # Errors
/// [`Code::BundleMissing`] when there is none, [`Code::BundleAmbiguous`] when `MODEL` holds
/// several and none of them is `model.sig`, [`Code::MediaUnreadable`] when that cannot be told.
pub fn bundle_of(model: &Path) -> Result<PathBuf, Reason> {
    let shown = model.display().to_string();
    let wrong = |error: io::Error| absent_or_unreadable(&error, model);
    let canonical = model.canonicalize().map_err(wrong)?;
    if canonical.metadata().map_err(wrong)?.is_dir() {
        let usual = model.join(USUAL);
        if is_file(&usual)? {
            return Ok(usual);
        }
        let mut only = None;
        for entry in std::fs::read_dir(model).map_err(|error| unreadable(&error, model))? {
            let path = entry.map_err(|error| unreadable(&error, model))?.path();
            if path.extension().is_none_or(|extension| extension != "sig") || !is_file(&path)? {
                continue;
            }
            if only.replace(path).is_some() {
                let detail = "the folder holds several *.sig and none is model.sig";
                return Err(Reason::new(Code::BundleAmbiguous, detail).about(shown));
            }
        }
        if let Some(only) = only {
            return Ok(only);
        }
    }
    let mut named = canonical.clone().into_os_string();
    named.push(SUFFIX);
    for path in [PathBuf::from(named), canonical.with_file_name(USUAL)] {
        if is_file(&path)? {
            return Ok(path);
        }
    }
    let detail = "no model.sig in it, no bundle of its name and no model.sig beside it";
    Err(Reason::new(Code::BundleMissing, detail).about(shown))
}

/// Whether there is a regular file at `path`. That the disk cannot be read is no answer.
fn is_file(path: &Path) -> Result<bool, Reason> {
    match path.symlink_metadata() {
        Ok(metadata) => Ok(metadata.is_file()),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound
                    | io::ErrorKind::NotADirectory
                    | io::ErrorKind::InvalidFilename
            ) =>
        {
            Ok(false)
        }
        Err(error) => Err(unreadable(&error, path)),
    }
}

fn unreadable(error: &io::Error, path: &Path) -> Reason {
    Reason::new(Code::MediaUnreadable, error.to_string()).about(path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_place_the_bundle_is_found_in_the_order_of_the_conventions() {
        let dir = tempfile::tempdir().unwrap();
        let model = dir.path().join("m");
        std::fs::create_dir(&model).unwrap();
        let at = |name: &str| dir.path().join(name);
        assert_eq!(bundle_of(&model).unwrap_err().code, Code::BundleMissing);
        for name in ["model.sig", "m.sig", "m/other.sig", "m/model.sig"] {
            std::fs::write(at(name), "x").unwrap();
            assert_eq!(bundle_of(&model).unwrap(), at(name).canonicalize().unwrap(), "{name}");
        }
        std::fs::remove_file(at("m/model.sig")).unwrap();
        std::fs::write(at("m/third.sig"), "x").unwrap();
        assert_eq!(bundle_of(&model).unwrap_err().code, Code::BundleAmbiguous);
    }

    #[test]
    fn in_place_a_disk_that_cannot_be_read_is_not_a_model_without_a_bundle() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = super::super::find::tests::tree(&["m/weights", "m/model.sig"]);
        let model = dir.path().join("m");
        std::fs::set_permissions(&model, std::fs::Permissions::from_mode(0o444)).unwrap();
        let outcome = crate::intake::tests::as_nobody(move || bundle_of(&model));
        assert_eq!(outcome.unwrap_err().code, Code::MediaUnreadable);
    }
}
