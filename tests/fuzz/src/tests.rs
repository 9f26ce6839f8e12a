//! The targets themselves: good inputs reach what is behind the parsers, and cut ones end well.

use std::fs;

use oms_testkit::pki::{Authority, CrlProfile, KeyType, Profile};
use oms_testkit::vectors::workspace;
use oms_verify::pki::{Certificate, Crl};

use super::*;

/// A root, an authority below it, a leaf, and a CRL of the root.
fn pki() -> Vec<Vec<u8>> {
    let root = Authority::root(Profile::ca("Root"), KeyType::P256);
    let signing = root.intermediate(Profile::ca("Signing"), KeyType::P256);
    let leaf = signing.issue(Profile::code_signing("Leaf").email("a@b.example"), KeyType::P256);
    let crl = root.crl(CrlProfile::new(1).revoke(&signing.certificate));
    vec![leaf.certificate.der, signing.certificate.der, root.certificate.der, crl.der]
}

#[test]
fn every_target_comes_back_from_good_and_cut_inputs() {
    let chain = join(pki());
    let policy = fs::read(workspace().join("policies/prod.toml")).unwrap();
    let crl = pki().pop().unwrap();
    assert!(Crl::parse(&crl).is_ok());
    for (_, target) in TARGETS {
        for input in [&chain, &policy, &crl] {
            for end in (0..input.len()).step_by(97).chain([input.len()]) {
                target(&input[..end]);
            }
        }
    }
}

#[test]
fn targets_begin_with_formats_that_there_are() {
    for (target, formats) in FORMATS {
        assert!(TARGETS.iter().any(|(name, _)| *name == target), "{target}");
        for format in formats {
            assert!(oms_inspect::Format::from_name(format).is_some(), "{format}");
        }
    }
}

#[test]
fn models_of_the_corpus_are_gone_through_whole_and_cut() {
    for case in oms_corpus::cases() {
        for (_, bytes) in case.files.into_iter().chain(case.twin) {
            for end in (0..bytes.len()).step_by(bytes.len() / 16 + 1).chain([bytes.len()]) {
                inspect(&bytes[..end]);
            }
        }
    }
    template("{% for m in messages %}{{ m['content'] }}{% endfor %}".as_bytes());
}

#[test]
fn every_policy_of_the_repository_resolves() {
    for name in ["lab", "prod", "sigstore"] {
        let path = workspace().join(format!("policies/{name}.toml"));
        let text = fs::read_to_string(path).unwrap();
        assert_eq!(policy::resolve(&text, policy::KEY).err(), None, "{name}");
    }
}

#[test]
fn an_attestation_is_accepted_when_it_says_what_the_policy_asks_for() {
    let payload = format!(
        r#"{{"_type": "https://in-toto.io/Statement/v1", "predicate": {{"level": 3}},
            "predicateType": "https://slsa.dev/provenance/v1",
            "subject": [{{"digest": {{"sha256": "{ABOUT}"}}}}]}}"#
    );
    let accepted = |conditions: &str, payload: &str| {
        let outcome = attestation::judge(conditions, payload.as_bytes());
        outcome.unwrap().accepted().is_some()
    };
    let at_least = |level: u8| format!("{{ field = \"predicate.level\", at-least = {level} }}");
    assert!(accepted(&at_least(3), &payload));
    assert!(!accepted(&at_least(4), &payload));
    assert!(!accepted("", &payload.replace(ABOUT, "00")));
    assert!(attestation::judge("]", payload.as_bytes()).is_none());
}

#[test]
fn resources_may_be_listed_in_any_order() {
    statement(
        br#"{"_type": "https://in-toto.io/Statement/v1", "subject": [{"name": "model", "digest":
            {"sha256": "61d4849d9d90076d6215f4d525f13d6574af8e3f67aef3e6f36fc40a14fdd226"}}],
            "predicateType": "https://model_signing/signature/v1.0", "predicate": {
            "serialization":
            {"method": "files", "hash_type": "sha256", "allow_symlinks": false}, "resources": [
            {"algorithm": "sha256", "name": "b",
            "digest": "f6310066c7320497ea554260c32c43660bff648cb2a61194832cc086077085e1"},
            {"algorithm": "sha256", "name": "a",
            "digest": "32dcb1f8e1ae52d5963e56a6ba06ab58b424c15ed2a6b70d2feca1d089370028"}]}}"#,
    );
}

#[test]
fn a_chain_is_signed_anew_as_it_was() {
    let chain = pki();
    let pieces: Vec<_> = chain.iter().take(3).map(|der| path::Fields::of(der).unwrap()).collect();
    let leaf = pieces[0].signed(0, (1, &pieces[1])).unwrap();
    let leaf = Certificate::from_der(&leaf).unwrap();
    let before = Certificate::from_der(&chain[0]).unwrap();
    assert_eq!((leaf.subject(), leaf.issuer()), (before.subject(), before.issuer()));
    assert_eq!(leaf.san_emails(), before.san_emails());
    assert_ne!(leaf.public_key().unwrap(), before.public_key().unwrap());
}

#[test]
fn an_archive_is_gone_through_to_its_end() {
    let long = "n".repeat(200);
    let mut archive = oms_verify::tar::header(&long, 3);
    archive.extend([&b"abc"[..], &[0; 509]].concat());
    archive.extend([0; oms_verify::tar::END]);
    for end in 0..=archive.len() {
        tar(&archive[..end]);
    }
    archive.push(1);
    tar(&archive);
}
