//! Following a path step by step, so that everything that chooses where it leads can be checked.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

/// The most symbolic links of one path, as the kernel has it.
const MAX_LINKS: usize = 40;

/// Where a path leads, and what decides that.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Walk {
    /// The absolute path of the target: no links, no `..`.
    pub(super) target: PathBuf,
    /// Every folder in which a name was looked up, before and after links were followed. The
    /// folders above the target are among them.
    pub(super) folders: BTreeSet<PathBuf>,
    /// Every symbolic link that was followed.
    pub(super) links: BTreeSet<PathBuf>,
}

/// Walks `path`, from the current folder if it is relative.
///
/// The walk is not one moment: whoever may write to one of its folders may have changed it since.
/// So its result holds only if nobody else may write to any of them.
///
/// # Errors
/// When something on the way does not exist or cannot be looked at.
pub(super) fn walk(path: &Path) -> io::Result<Walk> {
    let mut walk =
        Walk { target: PathBuf::from("/"), folders: BTreeSet::new(), links: BTreeSet::new() };
    let mut links = 0usize;
    let mut pending = steps(&std::path::absolute(path)?);
    while let Some(step) = pending.pop() {
        match step.as_encoded_bytes() {
            b"/" => walk.target = PathBuf::from("/"),
            b"." => {}
            b".." => {
                walk.target.pop();
            }
            _ => {
                let next = walk.target.join(&step);
                let metadata = next.symlink_metadata()?;
                walk.folders.insert(walk.target.clone());
                if metadata.is_symlink() {
                    links = links.saturating_add(1);
                    if links > MAX_LINKS {
                        return Err(rustix::io::Errno::LOOP.into());
                    }
                    pending.extend(steps(&next.read_link()?));
                    walk.links.insert(next);
                } else {
                    walk.target = next;
                }
            }
        }
    }
    Ok(walk)
}

/// The components of a path, the first one last.
fn steps(path: &Path) -> Vec<OsString> {
    path.components().rev().map(|component| component.as_os_str().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_walk_ends_where_the_kernel_would_and_names_what_led_there() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let at = |name: &str| root.join(name);
        std::fs::create_dir_all(at("a/b")).unwrap();
        std::fs::create_dir(at("c")).unwrap();
        std::fs::write(at("a/b/file"), "").unwrap();
        symlink("../a/b", at("c/relative")).unwrap();
        symlink(at("c/relative"), at("absolute")).unwrap();
        for path in [
            "a/b/file",
            "a/./b/../b/file",
            "c/relative/file",
            "absolute/file",
            "absolute/../b/file",
        ] {
            let walk = walk(&at(path)).unwrap();
            assert_eq!(walk.target, at(path).canonicalize().unwrap(), "{path}");
            let above = walk.target.ancestors().skip(1);
            assert!(above.into_iter().all(|folder| walk.folders.contains(folder)), "{path}");
        }
        let walk = walk(&at("absolute/file")).unwrap();
        assert!(walk.folders.contains(&at("c")), "the folder of a link that was passed");
        assert_eq!(walk.links, [at("absolute"), at("c/relative")].into());
    }

    #[test]
    fn a_walk_ends_at_a_loop_and_at_what_is_absent() {
        let dir = tempfile::tempdir().unwrap();
        symlink("loop", dir.path().join("loop")).unwrap();
        let error = walk(&dir.path().join("loop")).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(rustix::io::Errno::LOOP.raw_os_error()));
        let error = walk(&dir.path().join("absent/file")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
