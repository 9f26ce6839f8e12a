//! The profile of leaves and issuers, and leaves that are pinned themselves.

use rcgen::{BasicConstraints, ExtendedKeyUsagePurpose as Eku, IsCa, KeyPair, KeyUsagePurpose};

use super::maker::{Entity, Question, ThreeTiers, anchor, ca, leaf, same_key};
use crate::pki::{Certificate, PathError, Profile, RevocationMode, RevocationStatus};
use crate::reason::Code;

fn with_leaf(change: impl FnOnce(&mut rcgen::CertificateParams)) -> Question {
    let mut params = leaf("Signer");
    change(&mut params);
    ThreeTiers::with(ca("Root"), ca("Middle"), params).question()
}

#[test]
fn the_leaf_is_for_code_signing_in_so_many_words() {
    for usages in [vec![], vec![Eku::Any], vec![Eku::ServerAuth], vec![Eku::TimeStamping, Eku::Any]]
    {
        let question = with_leaf(|params| params.extended_key_usages = usages.clone());
        assert!(matches!(question.refusal(), PathError::NoCodeSigning { .. }), "{usages:?}");
        assert_eq!(question.code(), Code::SignatureCertificatePurpose);
    }
    let more = with_leaf(|params| {
        params.extended_key_usages = vec![Eku::EmailProtection, Eku::CodeSigning]
    });
    assert!(more.ask().is_ok());
}

#[test]
fn the_leaf_has_digital_signature() {
    for usages in [vec![], vec![KeyUsagePurpose::ContentCommitment]] {
        let question = with_leaf(|params| params.key_usages = usages);
        assert!(matches!(question.refusal(), PathError::NoDigitalSignature { .. }));
        assert_eq!(question.code(), Code::SignatureCertificateKeyUsage);
    }
}

#[test]
fn the_leaf_is_no_ca_but_in_the_conformance_suite() {
    let mut question = with_leaf(|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    assert!(matches!(question.refusal(), PathError::LeafIsCa { .. }));
    assert_eq!(question.code(), Code::SignatureLeafIsCa);
    question.profile = Profile::CONFORMANCE_SUITE;
    assert!(question.ask().is_ok());
    // Absent basicConstraints mean no CA.
    assert!(with_leaf(|params| params.is_ca = IsCa::NoCa).ask().is_ok());
}

#[test]
fn issuers_for_other_purposes_are_refused() {
    let under = |usages: Vec<Eku>| {
        let mut middle = ca("Middle");
        middle.extended_key_usages = usages;
        ThreeTiers::with(ca("Root"), middle, leaf("Signer")).question()
    };
    let refused = under(vec![Eku::ServerAuth]);
    assert!(matches!(refused.refusal(), PathError::IssuerExcludesCodeSigning { .. }));
    assert_eq!(refused.code(), Code::SignatureCertificatePurpose);
    for usages in [vec![], vec![Eku::Any], vec![Eku::ServerAuth, Eku::CodeSigning]] {
        assert!(under(usages).ask().is_ok());
    }
    let mut root = ca("Root");
    root.extended_key_usages = vec![Eku::ServerAuth];
    let question = ThreeTiers::with(root, ca("Middle"), leaf("Signer")).question();
    assert!(matches!(question.refusal(), PathError::IssuerExcludesCodeSigning { .. }));
}

#[test]
fn a_short_rsa_key_is_not_enough_for_a_leaf() {
    let root = Entity::self_signed(ca("Root"));
    for (size, good) in [(rcgen::RsaKeySize::_2048, false), (rcgen::RsaKeySize::_3072, true)] {
        let key = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, size).unwrap();
        let signer = root.issue_with(leaf("Signer"), key);
        let question = Question::new(&[&signer], &[&root]);
        match question.ask() {
            Ok(_) => assert!(good),
            Err(error) => {
                assert!(!good, "{error}");
                assert!(matches!(
                    error,
                    PathError::WeakKey { bits: 2048, least: 3072, leaf: true, .. }
                ));
                assert_eq!(error.code(), Code::SignatureWeakKey);
            }
        }
    }
}

#[test]
fn a_pinned_self_signed_leaf_is_a_path_of_one() {
    let signer = Entity::self_signed(leaf("Signer"));
    let mut question = Question::new(&[&signer], &[&signer]);
    question.revocation.mode = RevocationMode::Require;
    let path = question.ask().unwrap();
    assert_eq!(path.certificates(), std::slice::from_ref(&signer.certificate));
    assert_eq!(path.revocation(), [RevocationStatus::Anchor]);
    assert_eq!(path.anchor().certificate, *path.leaf());
}

#[test]
fn a_self_signed_leaf_that_is_not_pinned_is_not_trusted() {
    let signer = Entity::self_signed(leaf("Signer"));
    let other = Entity::self_signed(leaf("Signer"));
    let root = Entity::self_signed(ca("Root"));
    for anchors in [vec![], vec![&root], vec![&other]] {
        assert_eq!(Question::new(&[&signer], &anchors).code(), Code::SignatureUntrustedAnchor);
    }
    // The pinned key alone is not enough: the pin is the certificate.
    let mut renewed = leaf("Signer");
    renewed.not_after = rcgen::date_time_ymd(2032, 1, 1);
    let renewed = Entity::self_signed_with(renewed, same_key(&signer.key));
    assert_eq!(Question::new(&[&renewed], &[&signer]).code(), Code::SignatureUntrustedAnchor);
}

#[test]
fn a_pinned_leaf_gets_every_check() {
    let pinned = |change: fn(&mut rcgen::CertificateParams)| {
        let mut params = leaf("Signer");
        change(&mut params);
        let signer = Entity::self_signed(params);
        Question::new(&[&signer], &[&signer])
    };
    assert_eq!(pinned(|p| p.extended_key_usages.clear()).code(), Code::SignatureCertificatePurpose);
    assert_eq!(pinned(|p| p.key_usages.clear()).code(), Code::SignatureCertificateKeyUsage);
    assert_eq!(
        pinned(|p| p.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)).code(),
        Code::SignatureLeafIsCa
    );
    assert_eq!(
        pinned(|p| p.not_after = rcgen::date_time_ymd(2029, 6, 1)).code(),
        Code::SignatureCertificateExpired
    );
}

#[test]
fn a_leaf_that_a_ca_issued_is_not_trusted_by_pinning_it() {
    let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let root = Entity::self_signed_with(ca("Root"), key);
    let signer = root.issue(leaf("Signer"));
    assert_eq!(Question::new(&[&signer], &[&signer]).code(), Code::SignatureNoPath);
}

#[test]
fn a_pinned_leaf_has_a_good_signature() {
    let signer = Entity::self_signed(leaf("Signer"));
    let mut der = signer.certificate.der().to_vec();
    let last = der.len() - 1;
    der[last] ^= 1;
    let tampered = Certificate::from_der(&der).unwrap();
    let question = Question::about(vec![tampered.clone()], vec![anchor(&tampered)]);
    assert!(question.ask().is_err());
}
