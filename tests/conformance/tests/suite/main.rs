//! Tests of the adapter as a program: what the public cases do not ask. The public cases themselves
//! run by `cargo xtask conformance`.

#![expect(
    clippy::unwrap_used,
    reason = "a fixture fails its test by panicking, as an assertion does"
)]

mod ignoring;
mod offline;
mod protocol;
mod samples;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use oms_testkit::pki::{Key, KeyType};
use oms_testkit::run::{Outcome, outcome};
use tempfile::TempDir;

/// Runs the adapter.
fn adapter<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Outcome {
    outcome(Command::new(env!("CARGO_BIN_EXE_oms-conformance")).args(arguments))
}

/// A model with a key, to sign and to verify.
struct Scene {
    dir: TempDir,
}

impl Scene {
    /// A model of the files `weights` and `sub/config.json`.
    fn new(key_type: KeyType) -> Scene {
        let scene = Scene { dir: tempfile::tempdir().unwrap() };
        let key = Key::generate(key_type);
        key.write_private(scene.path("key.pem"));
        key.write_public(scene.path("public.pem"));
        scene.write("weights", "weights");
        scene.write("sub/config.json", "{}");
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn model(&self) -> PathBuf {
        self.path("model")
    }

    /// Writes a file of the model.
    fn write(&self, name: &str, content: &str) {
        let path = self.model().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn bundle(&self) -> PathBuf {
        self.path("bundle.sig")
    }

    fn sign(&self, model: &Path, bundle: &Path) -> Outcome {
        let (key, method) = (self.path("key.pem"), "key");
        adapter([
            OsStr::new("sign-model"),
            "--method".as_ref(),
            method.as_ref(),
            "--model-path".as_ref(),
            model.as_ref(),
            "--output-bundle".as_ref(),
            bundle.as_ref(),
            "--private-key".as_ref(),
            key.as_ref(),
        ])
    }

    /// Verifies, leaving out these paths of the model, with more flags.
    fn verify(&self, model: &Path, bundle: &Path, ignored: &[&str], flags: &[&str]) -> Outcome {
        let key = self.path("public.pem");
        let mut arguments: Vec<PathBuf> =
            ["verify-model", "--method", "key"].map(From::from).into();
        arguments.extend(["--model-path".into(), model.to_owned()]);
        arguments.extend(["--bundle".into(), bundle.to_owned(), "--public-key".into(), key]);
        for path in ignored {
            arguments.extend(["--ignore-paths".into(), model.join(path)]);
        }
        arguments.extend(flags.iter().map(PathBuf::from));
        adapter(arguments)
    }

    /// Signs and verifies.
    fn signed(key_type: KeyType) -> Scene {
        let scene = Scene::new(key_type);
        let _ = scene.sign(&scene.model(), &scene.bundle()).expect_status(0);
        let _ = scene.verify(&scene.model(), &scene.bundle(), &[], &[]).expect_status(0);
        scene
    }
}

/// Says that a program has refused for one reason alone.
#[track_caller]
fn assert_refused(outcome: Outcome, code: &str) {
    let outcome = outcome.expect_status(1);
    let mut reasons =
        outcome.stderr.lines().filter(|line| line.starts_with("    ") && !line.contains("->"));
    let first = reasons.next().unwrap_or_default().trim();
    assert!(first.starts_with(&format!("{code}: ")), "{}", outcome.stderr);
    assert_eq!(reasons.next(), None, "{}", outcome.stderr);
}
