//! Where the files of a manifest are, when the bundle's place alone does not tell.

use std::sync::Arc;

use oms_sys::beneath::Root;
use oms_verify::reason::Reason;
use oms_verify::statement::Manifest;

use super::NAMESAKE;
use crate::intake::{Pulse, Reading, Source, alone, refusal_or_failure};

/// Where the files of a manifest may be.
#[derive(Clone, Debug)]
pub struct Location {
    /// The model that the bundle lies in, or is named after.
    pub home: Source,
    /// What lies beside the bundle and may be the model instead.
    pub others: Vec<Source>,
}

impl Location {
    /// Where the files of `manifest` are, at home or in the other place of this number: where most of them exist. Of two places that hold as
    /// many, home is taken, unless the other is the one file that the bundle is named after.
    /// Whether the files are right is for the decision to find out.
    ///
    /// # Errors
    /// When the carrier cannot be read, or gives no answer for as long as `reading` waits, so that
    /// nothing can be said about what is there.
    pub fn of(
        &self,
        manifest: &Arc<Manifest>,
        reading: &Reading<'_>,
    ) -> Result<Option<usize>, Reason> {
        if self.others.is_empty() {
            return Ok(None);
        }
        let (location, manifest) = (self.clone(), Arc::clone(manifest));
        alone(reading, move |pulse| location.choose(&manifest, pulse))
    }

    /// The place of this number, as [`Location::of`] gives it.
    pub fn source(&self, other: Option<usize>) -> &Source {
        other.and_then(|other| self.others.get(other)).unwrap_or(&self.home)
    }

    fn choose(&self, manifest: &Manifest, pulse: &Pulse) -> Result<Option<usize>, Reason> {
        let mut best = (present(&self.home, manifest, pulse)?, None);
        for (number, other) in self.others.iter().enumerate() {
            let found = present(other, manifest, pulse)?;
            let is_namesake = matches!(other, Source::File { name, .. } if name == NAMESAKE);
            if found > best.0 || is_namesake && found > 0 && found == best.0 {
                best = (found, Some(number));
            }
        }
        Ok(best.1)
    }
}

impl From<Source> for Location {
    fn from(home: Source) -> Self {
        Location { home, others: Vec::new() }
    }
}

/// How many of the listed files are in `source`.
fn present(source: &Source, manifest: &Manifest, pulse: &Pulse) -> Result<usize, Reason> {
    let mut found = 0usize;
    for file in manifest.files() {
        pulse.go_on()?;
        found = found.saturating_add(usize::from(source.holds(manifest, &file.path)?));
    }
    Ok(found)
}

/// What is at `path` on the carrier, opened as the model that it was seen to be.
pub(super) fn source(carrier: &Root, path: &str, is_folder: bool) -> Result<Source, Reason> {
    let directory =
        |path: &str| carrier.directory(path).map_err(|error| refusal_or_failure(error, path));
    if is_folder {
        return directory(path).map(Arc::new).map(Source::Folder);
    }
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    Ok(Source::File { folder: Arc::new(directory(folder)?), name: name.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::super::find::tests::{candidates, tree};
    use super::*;
    use crate::intake::tests::{as_nobody, manifest};
    use crate::progress::Progress;
    use oms_verify::reason::Code;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    /// The place that is chosen for a manifest of `listed` by the only candidate of `dir`: the
    /// number of the other place, or `None` for home.
    fn chosen(dir: &Path, listed: &[&str]) -> Result<Option<usize>, Reason> {
        let candidates = candidates(dir);
        let root = Root::open(dir).unwrap();
        let location = candidates[0].open(&root)?;
        location.of(&manifest(listed), &Reading::plain(&Progress::hidden()))
    }

    #[test]
    fn the_signed_manifest_chooses_between_a_folder_and_its_namesake() {
        let dir = tree(&["model.sig", "model/weights", "model/config", "readme"]);
        assert_eq!(chosen(dir.path(), &["weights", "config"]), Ok(Some(0)));
        assert_eq!(chosen(dir.path(), &["model/weights", "model/config", "readme"]), Ok(None));
        assert_eq!(chosen(dir.path(), &["nowhere"]), Ok(None), "home when nothing is anywhere");
    }

    #[test]
    fn all_listed_files_count_and_not_only_the_first() {
        // `a` is in both places, and the rest in one.
        let dir = tree(&["model.sig", "a", "model/a", "model/b", "model/c"]);
        assert_eq!(chosen(dir.path(), &["a", "b", "c"]), Ok(Some(0)));
        assert_eq!(chosen(dir.path(), &["a"]), Ok(None), "a tie is for the folder itself");
        let dir = tree(&["model.sig", "a", "b", "model/b"]);
        assert_eq!(chosen(dir.path(), &["a", "b"]), Ok(None));
    }

    #[test]
    fn a_single_file_that_the_bundle_is_named_after_comes_first() {
        let dir = tree(&["model.sig", "model", "readme"]);
        assert_eq!(chosen(dir.path(), &["model"]), Ok(Some(0)));
        assert_eq!(chosen(dir.path(), &["model", "readme"]), Ok(None));
        assert_eq!(chosen(dir.path(), &["weights"]), Ok(None));
        let dir = tree(&["model.sig", "weights"]);
        assert_eq!(chosen(dir.path(), &["weights"]), Ok(None), "another file beside it is inside");
    }

    #[test]
    fn a_carrier_that_cannot_be_read_is_not_a_carrier_without_the_file() {
        let dir = tree(&["model.sig", "model/sub/weights"]);
        let closed = dir.path().join("model/sub");
        std::fs::set_permissions(closed, std::fs::Permissions::from_mode(0o000)).unwrap();
        let path = dir.path().to_owned();
        let outcome = as_nobody(move || chosen(&path, &["sub/weights"]));
        assert_eq!(outcome.unwrap_err().code, Code::MediaUnreadable);
    }
}
