//! Surveying a model's folder: every file in it, and what must not be there.

use oms_sys::beneath::{BeneathError, Entry, Kind, Root};
use oms_verify::budget::Budget;
use oms_verify::name::ResourcePath;
use oms_verify::reason::{Code, Reason};

use super::{Source, refusal_or_failure};

/// Entries that a folder may hold beyond the files that a manifest may list.
const ENTRIES_BESIDE: usize = 10_000;

/// What a survey found.
#[derive(Debug, Default)]
pub struct Tree {
    /// Regular files that nobody ignores.
    pub files: Vec<String>,
    /// Paths that the caller ignores. What is below an ignored folder is not looked at.
    pub ignored: Vec<String>,
    /// Links, special files, unusable names, mounts.
    pub problems: Vec<Reason>,
}

/// Walks through all of `source` but what `ignores` says to leave out.
///
/// # Errors
/// When the carrier cannot be read.
pub fn survey(
    source: &Source,
    budget: &Budget,
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
    let mut left = budget.resources.saturating_add(ENTRIES_BESIDE);
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
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
fn path_of(
    folder: &str,
    entry: &Entry,
    budget: &Budget,
    problems: &mut Vec<Reason>,
) -> Option<String> {
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
