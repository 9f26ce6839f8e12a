//! The public conformance suite's certificates: the leaf is a CA and is named like its issuer.

use oms_testkit::vectors;

use super::maker::{Question, anchor};
use crate::pki::{Certificate, Profile};
use crate::reason::Code;
use crate::time::UnixTime;

fn read(name: &str) -> Option<Certificate> {
    let pem = vectors::read(&format!("oms-conformance/assets/keys/certificate/{name}"))?;
    Some(Certificate::many_from_pem(&pem).unwrap().remove(0))
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
