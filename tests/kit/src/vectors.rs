//! The public test vectors, which are not part of the repository.

use std::env;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Where the vectors lie: `OMS_VECTORS`, or the folder `shared/vectors` beside the repository.
///
/// Without them a test that needs them returns early: what it skips is said on standard error.
///
/// # Panics
/// When there are none and `OMS_REQUIRE_VECTORS` is 1, so that no run passes by skipping.
pub fn dir() -> Option<PathBuf> {
    let dir = location();
    if dir.is_dir() {
        return Some(dir);
    }
    skip(&dir);
    None
}

/// One file of the vectors, by its path below [`dir`]. Without it a test returns early, as there.
///
/// # Panics
/// As [`dir`].
pub fn read(path: &str) -> Option<Vec<u8>> {
    let path = location().join(path);
    let bytes = fs::read(&path).ok();
    if bytes.is_none() {
        skip(&path);
    }
    bytes
}

fn skip(missing: &Path) {
    let missing = missing.display();
    assert!(
        env::var_os("OMS_REQUIRE_VECTORS").is_none_or(|value| value != "1"),
        "OMS_REQUIRE_VECTORS=1, and there are no test vectors in {missing} (set OMS_VECTORS)",
    );
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test").to_owned();
    // Written past the capture of the test harness, so that it is seen.
    let _ =
        writeln!(io::stderr(), "SKIPPED {test}: no test vectors in {missing} (set OMS_VECTORS)");
}

/// Where the vectors are looked for, whether they are there or not.
pub fn location() -> PathBuf {
    env::var_os("OMS_VECTORS").map_or_else(|| workspace().join("../shared/vectors"), PathBuf::from)
}

/// The top folder of the workspace.
pub fn workspace() -> PathBuf {
    let kit = Path::new(env!("CARGO_MANIFEST_DIR"));
    kit.ancestors().nth(2).unwrap_or(kit).to_path_buf()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_is_the_folder_with_the_lock() {
        assert!(workspace().join("Cargo.lock").is_file());
    }
}
