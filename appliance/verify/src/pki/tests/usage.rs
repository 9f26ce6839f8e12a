//! Leaves for time stamping, and for anything.

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280::{ID_KP_CODE_SIGNING, ID_KP_TIME_STAMPING};
use der::Encode;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, ExtendedKeyUsagePurpose as Eku, IsCa,
    KeyUsagePurpose,
};
use x509_cert::ext::pkix::ExtendedKeyUsage;

use super::maker::{Entity, Question, ThreeTiers, anchor, ca, leaf};
use crate::pki::{Certificate, PathError, Profile};
use crate::reason::Code;

fn authority(usages: &[ObjectIdentifier], critical: bool) -> CertificateParams {
    let mut params = leaf("Authority");
    params.extended_key_usages.clear();
    let content = ExtendedKeyUsage(usages.to_vec()).to_der().unwrap();
    let mut extension = CustomExtension::from_oid_content(&[2, 5, 29, 37], content);
    extension.set_criticality(critical);
    params.custom_extensions = vec![extension];
    params
}

fn question(middle: CertificateParams, leaf: CertificateParams) -> Question {
    let mut question = ThreeTiers::with(ca("Root"), middle, leaf).question();
    question.profile = Profile::TIMESTAMPING;
    question
}

#[test]
fn an_authority_is_for_time_stamping_alone_and_says_so_critically() {
    let good = question(ca("Middle"), authority(&[ID_KP_TIME_STAMPING], true));
    assert!(good.ask().is_ok());
    for bad in [
        authority(&[ID_KP_TIME_STAMPING], false),
        authority(&[ID_KP_TIME_STAMPING, ID_KP_CODE_SIGNING], true),
        authority(&[ID_KP_CODE_SIGNING], true),
        leaf("Authority"),
    ] {
        let question = question(ca("Middle"), bad);
        assert!(matches!(question.refusal(), PathError::NotForTimestamping { .. }));
        assert_eq!(question.code(), Code::SignatureCertificatePurpose);
    }
}

#[test]
fn an_authority_may_sign() {
    for (usages, good) in [
        (vec![KeyUsagePurpose::ContentCommitment], true),
        (vec![], true),
        (vec![KeyUsagePurpose::KeyEncipherment], false),
    ] {
        let mut params = authority(&[ID_KP_TIME_STAMPING], true);
        params.key_usages = usages;
        let question = question(ca("Middle"), params);
        assert_eq!(question.ask().is_ok(), good);
        if !good {
            assert_eq!(question.code(), Code::SignatureCertificateKeyUsage);
        }
    }
}

#[test]
fn the_issuers_of_an_authority_are_not_for_other_purposes() {
    let mut middle = ca("Middle");
    middle.extended_key_usages = vec![Eku::CodeSigning];
    let refused = question(middle, authority(&[ID_KP_TIME_STAMPING], true));
    assert!(matches!(refused.refusal(), PathError::IssuerExcludesTimestamping { .. }));
    assert_eq!(refused.code(), Code::SignatureCertificatePurpose);
}

#[test]
fn any_use_asks_for_no_purpose_and_no_key_usage() {
    let mut middle = ca("Middle");
    middle.extended_key_usages = vec![Eku::ServerAuth];
    let mut plain = leaf("Anything");
    plain.extended_key_usages.clear();
    plain.key_usages.clear();
    let mut question = ThreeTiers::with(ca("Root"), middle, plain).question();
    assert_eq!(question.code(), Code::SignatureCertificatePurpose);
    question.profile = Profile::ANY;
    assert!(question.ask().is_ok());
}

#[test]
fn any_use_admits_a_ca_and_a_root_as_leaf() {
    let root = Entity::self_signed(ca("Root"));
    let middle = root.issue(ca("Middle"));
    let mut question = Question::new(&[&middle], &[&root]);
    question.profile = Profile::ANY;
    assert!(question.ask().is_ok());
    let mut question = Question::new(&[&root], &[&root]);
    question.profile = Profile::ANY;
    assert_eq!(question.ask().unwrap().certificates().len(), 1);
}

#[test]
fn any_use_asks_for_no_length_of_keys_and_never_takes_weak_hashes() {
    let fixture = |bytes: &[u8]| Certificate::many_from_pem(bytes).unwrap().remove(0);
    let ask = |leaf: &[u8], root: &[u8]| {
        let mut question = Question::about(vec![fixture(leaf)], vec![anchor(&fixture(root))]);
        question.profile = Profile { strict_form: false, ..Profile::ANY };
        question
    };
    let weak_key = ask(
        include_bytes!("fixtures/under-rsa-1024.pem"),
        include_bytes!("fixtures/rsa-1024-root.pem"),
    );
    assert!(weak_key.ask().is_ok(), "{}", weak_key.refusal());
    let weak_hash = ask(
        include_bytes!("fixtures/pkcs1-sha1.pem"),
        include_bytes!("fixtures/rsa-2048-root.pem"),
    );
    assert_eq!(weak_hash.code(), Code::SignatureWeakHash);
}

#[test]
fn the_form_of_a_certificate_counts_for_any_use_only() {
    let mut middle = ca("Middle");
    middle.use_authority_key_identifier_extension = false;
    let mut question = ThreeTiers::with(ca("Root"), middle, leaf("Signer")).question();
    assert!(question.ask().is_ok());
    question.profile = Profile::ANY;
    assert!(matches!(question.refusal(), PathError::Form { .. }));
    assert_eq!(question.code(), Code::SignatureCertificateInvalid);
}

#[test]
fn an_issuer_without_key_usage_may_issue() {
    let mut middle = ca("Middle");
    middle.key_usages.clear();
    middle.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    assert!(ThreeTiers::with(ca("Root"), middle, leaf("Signer")).question().ask().is_ok());
}
