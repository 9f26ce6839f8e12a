//! The public cases of the method `sigstore` that need no live identity, in a network namespace
//! without an interface that is up.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use oms_testkit::run::{Outcome, outcome};
use oms_testkit::vectors;

const IDENTITY: &str = "stefanb@us.ibm.com";
const ISSUER: &str = "https://sigstore.verify.ibm.com/oauth2";

/// The arguments of `unshare` that make the namespace here, if any do.
fn isolation() -> Option<&'static str> {
    let works = |how: &&str| {
        let mut command = Command::new("unshare");
        let command = command.args([how, "true"]).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let found = ["-n", "-rn"].into_iter().find(works);
    if found.is_none() {
        // Written past the capture of the test harness, so that it is seen.
        let said = "SKIPPED: no network namespace can be made here: nothing is shown offline\n";
        let _ = std::io::stderr().write_all(said.as_bytes());
    }
    found
}

fn verify(isolation: &str, case: &Path, model: &Path, identity: &str, issuer: &str) -> Outcome {
    let mut command = Command::new("unshare");
    command.args([isolation, env!("CARGO_BIN_EXE_oms-conformance"), "verify-model"]);
    command.args(["--method", "sigstore", "--identity", identity, "--identity-provider", issuer]);
    command.arg("--model-path").arg(model).arg("--bundle").arg(case.join("bundle.sig"));
    command.arg("--ignore-paths").arg(model.join("ignore-me"));
    outcome(&mut command)
}

#[test]
fn the_public_cases_end_as_expected_without_a_network() {
    let (Some(vectors), Some(isolation)) = (vectors::dir(), isolation()) else { return };
    // The loopback device is in every namespace, and is down in a new one.
    let state = Command::new("unshare").args([isolation, "cat", "/proc/net/route"]).output();
    assert!(String::from_utf8(state.unwrap().stdout).unwrap().lines().count() <= 1);

    let cases = vectors.join("oms-conformance/test-cases/verify");
    for version in ["v0.3.1", "v1.0.0", "v1.0.1", "v1.1.0"] {
        let case = cases.join(format!("historical/historical-{version}-sigstore"));
        let _ = verify(isolation, &case, &case.join("model"), IDENTITY, ISSUER).expect_status(0);
    }

    let refused = |name: &str, model: &Path, identity: &str, issuer: &str, code: &str| {
        let case = cases.join("negative").join(name);
        let outcome = verify(isolation, &case, model, identity, issuer).expect_status(1);
        assert!(outcome.stderr.contains(code), "{}", outcome.stderr);
    };
    let model = |name: &str| cases.join("negative").join(name).join("model");
    let (name, other) = ("sigstore-wrong-identity_fail", "https://github.com/wrong-org/wrong-repo");
    refused(name, &model(name), other, ISSUER, "sigstore.identity");
    let (name, other) = ("sigstore-wrong-issuer_fail", "https://wrong-issuer.example.com");
    refused(name, &model(name), IDENTITY, other, "sigstore.issuer");
    let name = "sigstore-tampered-content_fail";
    let tampered = tempfile::tempdir().unwrap();
    for file in ["signme-2", "ignore-me"] {
        fs::copy(model(name).join(file), tampered.path().join(file)).unwrap();
    }
    fs::write(tampered.path().join("signme-1"), "tampered content").unwrap();
    refused(name, tampered.path(), IDENTITY, ISSUER, "manifest.digest-mismatch");
}
