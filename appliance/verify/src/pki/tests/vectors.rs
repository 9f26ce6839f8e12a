//! The public conformance suite's certificates: the leaf is a CA and is named like its issuer.

use std::io::Write as _;
use std::path::PathBuf;

use super::maker::{Question, anchor};
use crate::pki::{Certificate, Profile};
use crate::reason::Code;
use crate::time::UnixTime;

fn read(name: &str) -> Option<Certificate> {
    let root = std::env::var_os("OMS_VECTORS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors"),
        PathBuf::from,
    );
    let path = root.join("oms-conformance/assets/keys/certificate").join(name);
    match std::fs::read(&path) {
        Ok(text) => Some(Certificate::many_from_pem(&text).unwrap().remove(0)),
        Err(error) => {
            let required = std::env::var_os("OMS_REQUIRE_VECTORS").is_some_and(|v| v == "1");
            assert!(!required, "{}: {error}", path.display());
            // Written past the capture of the test harness, so that it is seen.
            let _ = writeln!(std::io::stderr(), "SKIPPED: no vectors: {}: {error}", path.display());
            None
        }
    }
}

#[test]
fn the_public_path_validates_in_the_suites_profile_only() {
    let names = ["signing-key-cert.pem", "int-ca-cert.pem", "ca-cert.pem"];
    let [Some(leaf), Some(middle), Some(root)] = names.map(read) else { return };
    assert_eq!(leaf.subject(), leaf.issuer());
    let time = UnixTime(leaf.not_before().0 + 1);
    let mut question = Question::about(vec![leaf, middle.clone()], vec![anchor(&root)]);
    question.time = time;
    assert_eq!(question.code(), Code::SignatureLeafIsCa);
    question.profile = Profile::CONFORMANCE_SUITE;
    assert_eq!(question.ask().unwrap().certificates().len(), 3);
    question.anchors = vec![anchor(&middle)];
    assert_eq!(question.ask().unwrap().certificates().len(), 2);
}
