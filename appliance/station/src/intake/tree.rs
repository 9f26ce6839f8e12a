//! Surveying a model's folder: every file in it, and what must not be there.

use oms_sys::beneath::{BeneathError, Entry, Kind, Root};
use oms_verify::budget::Budget;
use oms_verify::name::ResourcePath;
use oms_verify::reason::{Code, Reason, Reasons};

use super::{Source, refusal_or_failure};

/// Entries that a folder may hold beyond the files that a manifest may list.
const ENTRIES_BESIDE: usize = 10_000;

/// The entries that any folder may hold, and a model in all its folders.
pub fn entries_of_a_folder(budget: &Budget) -> usize {
    budget.resources.saturating_add(ENTRIES_BESIDE)
}

/// What a survey found.
#[derive(Debug, Default)]
pub struct Tree {
    /// Regular files that are not left out.
    pub files: Vec<String>,
    /// Paths that the caller leaves out. What is below such a folder is not looked at.
    pub ignored: Vec<String>,
    /// Links, special files, unusable names, mounts.
    pub problems: Reasons,
}

/// Walks through all of `source` but what `ignores` says to leave out, as long as `go_on` has
/// nothing against it. A folder whose path is past
/// the budget is a problem and is not walked.
///
/// # Errors
/// When the carrier cannot be read, or `progress` is cancelled.
pub fn survey(
    source: &Source,
    budget: &Budget,
    go_on: impl Fn() -> Result<(), Reason>,
    ignores: impl Fn(&str) -> bool,
) -> Result<Tree, Reason> {
    let mut tree = Tree::default();
    let root = match source {
        Source::Folder(root) => root,
        Source::File { name, .. } => {
            tree.files.push(name.clone());
            return Ok(tree);
        }
    };
    let mut left = entries_of_a_folder(budget);
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        go_on()?;
        let entries = match list(root, &folder, left) {
            Ok(entries) => entries,
            Err(error) => {
                tree.problems.push(undecided_or_problem(error, &folder)?);
                continue;
            }
        };
        left = left.saturating_sub(entries.len());
        for entry in entries {
            let Some(path) = path_of(&folder, &entry, budget, &mut tree.problems) else {
                continue;
            };
            if ignores(&path) {
                tree.ignored.push(path);
                continue;
            }
            match entry.kind {
                Kind::File => tree.files.push(path),
                Kind::Directory => folders.push(path),
                Kind::Symlink => {
                    tree.problems.push(refusal_or_failure(BeneathError::Symlink, &path))
                }
                Kind::Special => {
                    tree.problems.push(refusal_or_failure(BeneathError::NotRegular, &path))
                }
            }
        }
    }
    Ok(tree)
}

fn list(root: &Root, folder: &str, limit: usize) -> Result<Vec<Entry>, BeneathError> {
    root.directory(folder)?.entries(limit)
}

/// A folder that is a mount or has too much in it says something about the model; one that cannot
/// be read does not.
fn undecided_or_problem(error: BeneathError, folder: &str) -> Result<Reason, Reason> {
    let shown = if folder.is_empty() { "." } else { folder };
    let reason = match error {
        // It was there a moment ago.
        BeneathError::NotFound => {
            Reason::new(Code::MediaChanged, "the folder went away").about(shown)
        }
        other => refusal_or_failure(other, shown),
    };
    if reason.code == Code::MediaUnreadable { Err(reason) } else { Ok(reason) }
}

/// The path of an entry, if it is one that a manifest could hold.
fn path_of(folder: &str, entry: &Entry, budget: &Budget, problems: &mut Reasons) -> Option<String> {
    let shown = String::from_utf8_lossy(&entry.name);
    let path = if folder.is_empty() { shown.to_string() } else { format!("{folder}/{shown}") };
    let detail = match std::str::from_utf8(&entry.name) {
        Err(_) => "the name is not UTF-8".to_owned(),
        Ok(_) => match ResourcePath::parse(&path, budget) {
            Ok(_) => return Some(path),
            Err(error) => error.to_string(),
        },
    };
    problems.push(Reason::new(Code::MediaName, detail).about(path));
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_nested_too_deep_is_a_problem_and_is_not_walked() {
        let dir = tempfile::tempdir().unwrap();
        let budget = Budget { path_components: 4, ..Budget::default() };
        std::fs::create_dir_all(dir.path().join("a/b/c/d/e/f/g")).unwrap();
        std::fs::write(dir.path().join("a/b/c/file"), "").unwrap();
        std::fs::write(dir.path().join("a/b/c/d/e/f/g/file"), "").unwrap();
        let source = Source::at(dir.path()).unwrap();
        let tree = survey(&source, &budget, || Ok(()), |_| false).unwrap();
        assert_eq!(tree.files, ["a/b/c/file"]);
        let problems: Vec<_> = tree.problems.iter().map(|r| (r.code, r.file.as_deref())).collect();
        assert_eq!(problems, [(Code::MediaName, Some("a/b/c/d/e"))]);
    }

    #[test]
    fn entries_are_counted_over_all_folders_of_the_model() {
        let dir = tempfile::tempdir().unwrap();
        let budget = Budget { resources: 0, ..Budget::default() };
        for number in 0..ENTRIES_BESIDE - 1 {
            std::fs::write(dir.path().join(format!("{number}")), "").unwrap();
        }
        std::fs::create_dir(dir.path().join("sub")).unwrap();
        let survey =
            || survey(&Source::at(dir.path()).unwrap(), &budget, || Ok(()), |_| false).unwrap();
        assert!(survey().problems.is_empty());
        std::fs::write(dir.path().join("sub/one more"), "").unwrap();
        let code = survey().problems.iter().next().unwrap().code;
        assert_eq!(code, Code::MediaTooManyEntries);
    }
}
