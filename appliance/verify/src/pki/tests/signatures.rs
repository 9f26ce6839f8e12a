//! Which signature algorithms are accepted on certificates (`fixtures/make.sh` made the odd ones).

use super::maker::{Question, ThreeTiers, anchor};
use crate::pki::{Certificate, PathError};
use crate::reason::Code;
use crate::signature::{Algorithm, Hash};

fn fixture(text: &str) -> Certificate {
    Certificate::many_from_pem(text.as_bytes()).unwrap().remove(0)
}

macro_rules! fixture {
    ($name:literal) => {
        fixture(include_str!(concat!("fixtures/", $name, ".pem")))
    };
}

#[test]
fn rsa_signs_with_sha2_in_both_paddings() {
    let root = anchor(&fixture!("rsa-2048-root"));
    for leaf in [fixture!("pkcs1-sha256"), fixture!("pkcs1-sha512"), fixture!("pss-sha384")] {
        let name = leaf.subject();
        let outcome = Question::about(vec![leaf], vec![root.clone()]).ask();
        assert!(outcome.is_ok(), "{name}: {outcome:?}");
    }
}

#[test]
fn sha1_is_never_accepted() {
    let root = anchor(&fixture!("rsa-2048-root"));
    for leaf in [fixture!("pkcs1-sha1"), fixture!("pss-sha1"), fixture!("pss-odd-mask")] {
        let question = Question::about(vec![leaf], vec![root.clone()]);
        assert!(matches!(question.refusal(), PathError::SignatureAlgorithm { .. }));
        assert_eq!(question.code(), Code::SignatureWeakHash);
    }
    let question = Question::about(vec![fixture!("pkcs1-sha1")], vec![root]);
    let told = question.refusal().to_string();
    assert!(told.contains("signed with sha1WithRSAEncryption,"), "{told}");
}

#[test]
fn pss_uses_one_hash_and_a_salt_of_its_length() {
    let root = anchor(&fixture!("rsa-2048-root"));
    for leaf in [fixture!("pss-mixed-hashes"), fixture!("pss-short-salt")] {
        let question = Question::about(vec![leaf], vec![root.clone()]);
        assert!(matches!(question.refusal(), PathError::SignatureAlgorithm { .. }));
    }
}

#[test]
fn a_ca_may_have_a_key_for_pss_alone() {
    for (root, leaf) in [
        (fixture!("pss-key-root"), fixture!("under-pss-key")),
        (fixture!("pss-sha256-key-root"), fixture!("under-pss-sha256-key")),
    ] {
        let outcome = Question::about(vec![leaf], vec![anchor(&root)]).ask();
        assert!(outcome.is_ok(), "{outcome:?}");
    }
    let any = fixture!("pss-key-root");
    let sha256 = fixture!("pss-sha256-key-root");
    for (key, sha384) in [(any.public_key().unwrap(), true), (sha256.public_key().unwrap(), false)]
    {
        assert!(key.admits(Algorithm::Pss(Hash::Sha256)));
        assert_eq!(key.admits(Algorithm::Pss(Hash::Sha384)), sha384);
        assert!(!key.admits(Algorithm::Pkcs1(Hash::Sha256)));
    }
}

#[test]
fn a_ca_with_rsa_1024_is_refused() {
    let chain = vec![fixture!("under-rsa-1024")];
    let question = Question::about(chain, vec![anchor(&fixture!("rsa-1024-root"))]);
    let error = question.refusal();
    assert!(matches!(error, PathError::WeakKey { bits: 1024, leaf: false, .. }), "{error}");
    assert_eq!(question.code(), Code::SignatureWeakKey);
}

#[test]
fn the_inner_and_outer_algorithm_agree() {
    let pki = ThreeTiers::new();
    let mut der = pki.leaf.certificate.der().to_vec();
    let ecdsa_with_sha256 = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
    let outer = der.windows(10).rposition(|window| window == ecdsa_with_sha256).unwrap();
    der[outer + 9] = 0x03;
    let mut question = pki.question();
    question.chain[0] = Certificate::from_der(&der).unwrap();
    assert!(matches!(question.refusal(), PathError::AlgorithmMismatch { .. }));
    assert_eq!(question.code(), Code::SignatureCertificateInvalid);
}
