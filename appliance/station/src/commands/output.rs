//! The file that a command writes: a bundle, which replaces nothing but a bundle.

use std::io;
use std::path::{Path, PathBuf};

use oms_verify::budget::Budget;
use oms_verify::bundle::Bundle;
use oms_verify::reason::{Code, Reason};

use crate::bounded;

/// Checks that a bundle can be written to `out`, the value of `option`: its folder is there, and
/// what is there already is a bundle within `budget`, or empty. A key, a policy or a model file is not to be lost by a slip.
///
/// # Errors
/// [`Code::ConfigPath`] without a folder, [`Code::ConfigUsage`] when something else is there.
pub(super) fn check(option: &str, out: &Path, budget: &Budget) -> Result<(), Reason> {
    let shown = out.display().to_string();
    if folder(out).is_none() {
        let detail = format!("the folder of {option} does not exist");
        return Err(Reason::new(Code::ConfigPath, detail).about(shown));
    }
    match out.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        _ => {}
    }
    // An empty file is nobody's loss: `mktemp` makes them.
    let is_bundle = bounded::read(out, budget.bundle_bytes)
        .is_ok_and(|bytes| bytes.is_empty() || Bundle::parse(&bytes, budget).is_ok());
    if is_bundle {
        return Ok(());
    }
    let detail = format!("{option} would overwrite what is there, which is not a bundle");
    Err(Reason::new(Code::ConfigUsage, detail).about(shown))
}

/// Checks besides that `out` is neither in the folder of `model` nor one of the bundles that are
/// read: a verdict there would take their place.
///
/// # Errors
/// [`Code::ConfigUsage`] when it is.
pub(super) fn check_is_beside(
    option: &str,
    out: &Path,
    model: &Path,
    bundles: &[PathBuf],
) -> Result<(), Reason> {
    let wrong = |detail: String| {
        Err(Reason::new(Code::ConfigUsage, detail).about(out.display().to_string()))
    };
    let inside = model.is_dir()
        && folder(out).zip(model.canonicalize().ok()).is_some_and(|(out, m)| out.starts_with(m));
    if inside {
        return wrong(format!("{option} is inside the model"));
    }
    let canonical = out.canonicalize().ok();
    if canonical.is_some() && bundles.iter().any(|path| path.canonicalize().ok() == canonical) {
        return wrong(format!("{option} is a bundle that is verified"));
    }
    Ok(())
}

/// The folder that `out` is to be in, if it exists.
fn folder(out: &Path) -> Option<PathBuf> {
    let folder = out.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    folder.canonicalize().ok().filter(|folder| folder.is_dir())
}
