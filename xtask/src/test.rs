//! `cargo xtask test`: sets up, builds every program, and runs all tests of the workspace.

use std::env;
use std::path::Path;

use oms_testkit::vectors;

use crate::failure::Failure;
use crate::process::{cargo, run as run_command, succeeds};
use crate::{peer, setup};

/// The variable that forbids leaving out the tests that mount file systems.
const REQUIRE_MEDIA: &str = "OMS_REQUIRE_MEDIA";

/// Runs the tests. They find the Python peer by `OMS_PEER`, and may not skip what needs the test
/// vectors where these are there or where `CI` is `true`, nor what mounts file systems where root
/// can do that.
pub(crate) fn run() -> Result<(), Failure> {
    setup::for_tests()?;
    let peer = peer::run()?;
    run_command(&mut cargo(&["build", "--locked", "--workspace", "--bins"]))?;

    let mut tests = cargo(&["test", "--locked", "--workspace"]);
    tests.env("OMS_PEER", peer);
    if vectors::location().is_dir() || env::var_os("CI").is_some_and(|value| value == "true") {
        tests.env("OMS_REQUIRE_VECTORS", "1");
    }
    let media = Media::here();
    if media == Media::Required {
        tests.env(REQUIRE_MEDIA, "1");
    }
    run_command(&mut tests)?;
    if media == Media::BySudo { media_by_sudo() } else { Ok(()) }
}

/// How the tests that mount file systems can run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Media {
    /// With all others, by root, and none may be left out.
    Required,
    /// Alone, through `sudo`.
    BySudo,
    /// Not here: each says that it is left out.
    LeftOut,
}

impl Media {
    fn here() -> Media {
        let can_mount = Path::new("/dev/fuse").exists() && Path::new("/dev/loop-control").exists();
        if !can_mount {
            Media::LeftOut
        } else if succeeds("sh", &["-c", "test \"$(id -u)\" -eq 0"]) {
            Media::Required
        } else if succeeds("sudo", &["--non-interactive", "true"]) {
            Media::BySudo
        } else {
            Media::LeftOut
        }
    }
}

/// Runs the tests that mount file systems as root, with the programs that are built already.
fn media_by_sudo() -> Result<(), Failure> {
    let path = env::var("PATH").unwrap_or_default();
    let runner = format!(
        "target.'cfg(target_os = \"linux\")'.runner = \
         ['sudo', '--non-interactive', 'env', 'PATH={path}', '{REQUIRE_MEDIA}=1']"
    );
    let test = ["test", "--locked", "--package", "oms-tests", "--test", "media"];
    run_command(cargo(&["--config", &runner]).args(test))
}
