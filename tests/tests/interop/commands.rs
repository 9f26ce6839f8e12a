//! The commands of both sides, as people type them.

use std::path::Path;
use std::process::Command;

use oms_testkit::peer::Peer;
use oms_testkit::pki::KeyType;
use oms_testkit::run::{Outcome, appliance, command, outcome};
use oms_testkit::{files, model};
use tempfile::TempDir;

use super::cases::Credential;
use super::credentials::{Credentials, Trust};

/// A bundle that the peer wrote into the model is found, and the model's `.gitattributes` is what
/// the peer ignored, as in most published models.
#[test]
fn a_model_that_the_peers_command_signed_verifies_with_ours() {
    let peer = Peer::installed();
    let dir = TempDir::new().expect("a temporary folder");
    let signer = Credentials::new(&dir.path().join("signer"), Credential::WithRoot(KeyType::P384));
    let model = published_model(dir.path());

    let mut signing = peer.command();
    signing.args(["sign", "certificate"]).arg(&model);
    signing.arg("--signature").arg(model.join("model.sig"));
    signing.arg("--private_key").arg(&signer.key);
    signing.arg("--signing_certificate").arg(signer.certificate.as_ref().expect("a leaf"));
    for certificate in &signer.chain {
        signing.arg("--certificate_chain").arg(certificate);
    }
    let _ = outcome(&mut signing).expect_status(0);

    let _ = verify_in(&model, &signer.trust).expect_status(0);
    let _ = verify_in(&model, &signer.stranger).expect_status(1);
    model::flip_weight_bit(&model);
    let _ = verify_in(&model, &signer.trust).expect_status(1);
}

/// `--no-ignore-git-paths`: the manifest lists what is left out otherwise.
#[test]
fn git_files_that_the_peer_signed_are_checked() {
    let peer = Peer::installed();
    let dir = TempDir::new().expect("a temporary folder");
    let signer = Credentials::new(&dir.path().join("signer"), Credential::Key(KeyType::P256));
    let model = published_model(dir.path());

    let mut signing = peer.command();
    signing.args(["sign", "key", "--no-ignore-git-paths"]).arg(&model);
    signing.arg("--signature").arg(model.join("model.sig"));
    signing.arg("--private_key").arg(&signer.key);
    let _ = outcome(&mut signing).expect_status(0);

    let _ = verify_in(&model, &signer.trust).expect_status(0);
    files::public(model.join(".gitattributes"), "* text\n");
    let _ = verify_in(&model, &signer.trust).expect_status(1);
}

#[test]
fn a_model_that_our_command_signed_verifies_with_the_peers() {
    let peer = Peer::installed();
    let dir = TempDir::new().expect("a temporary folder");
    let signer = Credentials::new(&dir.path().join("signer"), Credential::Key(KeyType::P521));
    let model = published_model(dir.path());
    let bundle = model.join("model.sig");

    let mut signing = vec!["sign".as_ref(), model.as_os_str()];
    signing.extend(["--bundle".as_ref(), bundle.as_os_str()]);
    signing.extend(["--key".as_ref(), signer.key.as_os_str()]);
    let _ = appliance(signing).expect_status(0);

    let verify = || {
        let mut verifying = peer.command();
        verifying.args(["verify", "key"]).arg(&model).arg("--signature").arg(&bundle);
        let public_key = signer.trust.public_key.as_ref().expect("a public key");
        outcome(verifying.arg("--public_key").arg(public_key))
    };
    let _ = verify().expect_status(0);
    model::flip_weight_bit(&model);
    assert_ne!(verify().status, 0, "the peer must see the flipped bit");
}

fn published_model(dir: &Path) -> std::path::PathBuf {
    let model = model::write(dir.join("published"), 20_000);
    model::add_gitattributes(&model);
    model
}

/// `oms-appliance verify` in the model's own folder, without naming model or bundle.
fn verify_in(model: &Path, trust: &Trust) -> Outcome {
    let mut verifying: Command = command();
    verifying.current_dir(model).arg("verify").arg("--policy").arg(&trust.policy);
    outcome(verifying.arg("--roots").arg(&trust.roots).arg("--crls").arg(&trust.crls))
}
