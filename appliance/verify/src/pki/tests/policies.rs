//! Certificate policies: the inputs of RFC 5280, section 6.1.1, and what certificates say.

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280::ANY_POLICY;
use der::Encode;
use rcgen::{CertificateParams, CustomExtension};
use x509_cert::ext::pkix::certpolicy::PolicyInformation;
use x509_cert::ext::pkix::{
    CertificatePolicies, InhibitAnyPolicy, PolicyConstraints, PolicyMapping, PolicyMappings,
};

use super::maker::{Question, ThreeTiers, ca, leaf};
use crate::pki::InitialPolicies;
use crate::reason::Code;

const ONE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.99999.1");
const TWO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.99999.2");

fn with(mut params: CertificateParams, last_arc: u64, value: &impl Encode) -> CertificateParams {
    let content = value.to_der().unwrap();
    let oid = [2, 5, 29, last_arc];
    params.custom_extensions.push(CustomExtension::from_oid_content(&oid, content));
    params
}

fn asserting(params: CertificateParams, policies: &[ObjectIdentifier]) -> CertificateParams {
    let information = policies
        .iter()
        .map(|oid| PolicyInformation { policy_identifier: *oid, policy_qualifiers: None });
    with(params, 32, &CertificatePolicies(information.collect()))
}

fn mapping(
    params: CertificateParams,
    from: ObjectIdentifier,
    to: ObjectIdentifier,
) -> CertificateParams {
    let one = PolicyMapping { issuer_domain_policy: from, subject_domain_policy: to };
    with(params, 33, &PolicyMappings(vec![one]))
}

fn constrained(
    params: CertificateParams,
    explicit: Option<u32>,
    mapping: Option<u32>,
) -> CertificateParams {
    let value =
        PolicyConstraints { require_explicit_policy: explicit, inhibit_policy_mapping: mapping };
    with(params, 36, &value)
}

fn question(
    root: CertificateParams,
    middle: CertificateParams,
    leaf: CertificateParams,
    policies: InitialPolicies,
) -> Question {
    let mut question = ThreeTiers::with(root, middle, leaf).question();
    question.policies = Some(policies);
    question
}

fn explicit(acceptable: &[ObjectIdentifier]) -> InitialPolicies {
    let acceptable = acceptable.to_vec();
    InitialPolicies { acceptable, require_explicit: true, ..InitialPolicies::default() }
}

#[track_caller]
fn refused(question: &Question) {
    assert_eq!(question.code(), Code::SignatureCertificatePolicies, "{}", question.refusal());
}

fn root() -> CertificateParams {
    ca("Root")
}

fn middle(policies: &[ObjectIdentifier]) -> CertificateParams {
    asserting(ca("Middle"), policies)
}

fn signer(policies: &[ObjectIdentifier]) -> CertificateParams {
    asserting(leaf("Signer"), policies)
}

#[test]
fn a_policy_that_is_asked_for_is_valid_for_the_whole_path() {
    assert!(question(root(), middle(&[ONE]), signer(&[ONE]), explicit(&[ONE])).ask().is_ok());
    assert!(question(root(), middle(&[ONE]), signer(&[ONE, TWO]), explicit(&[ONE])).ask().is_ok());
    assert!(question(root(), middle(&[ONE]), signer(&[ONE]), explicit(&[TWO, ONE])).ask().is_ok());
    refused(&question(root(), middle(&[ONE]), signer(&[ONE]), explicit(&[TWO])));
    refused(&question(root(), middle(&[ONE]), signer(&[TWO]), explicit(&[ONE])));
    refused(&question(root(), middle(&[TWO]), signer(&[ONE]), explicit(&[ONE])));
    refused(&question(root(), ca("Middle"), signer(&[ONE]), explicit(&[ONE])));
    refused(&question(root(), middle(&[ONE]), leaf("Signer"), explicit(&[])));
    // What is not required is not missed.
    let mut asked = explicit(&[ONE]);
    asked.require_explicit = false;
    assert!(question(root(), ca("Middle"), leaf("Signer"), asked).ask().is_ok());
}

#[test]
fn any_policy_holds_unless_it_is_inhibited() {
    let middle = || middle(&[ANY_POLICY]);
    assert!(question(root(), middle(), signer(&[ONE]), explicit(&[ONE])).ask().is_ok());
    let inhibited = || InitialPolicies { inhibit_any: true, ..explicit(&[ONE]) };
    refused(&question(root(), middle(), signer(&[ONE]), inhibited()));
    let inhibiting = with(self::middle(&[ONE]), 54, &InhibitAnyPolicy(0));
    refused(&question(root(), inhibiting, signer(&[ANY_POLICY]), explicit(&[ONE])));
}

#[test]
fn mappings_hold_unless_they_are_inhibited() {
    let mapped = || mapping(middle(&[ONE]), ONE, TWO);
    assert!(question(root(), mapped(), signer(&[TWO]), explicit(&[ONE])).ask().is_ok());
    let inhibited = InitialPolicies { inhibit_mapping: true, ..explicit(&[ONE]) };
    refused(&question(root(), mapped(), signer(&[TWO]), inhibited));
    let root = constrained(root(), None, Some(0));
    refused(&question(root, mapped(), signer(&[TWO]), explicit(&[ONE])));
    // anyPolicy cannot be mapped.
    let bad = mapping(middle(&[ONE]), ANY_POLICY, ONE);
    refused(&question(self::root(), bad, signer(&[ONE]), InitialPolicies::default()));
}

#[test]
fn certificates_can_require_a_policy() {
    let none = InitialPolicies::default;
    let requiring = || constrained(ca("Middle"), Some(0), None);
    refused(&question(root(), requiring(), leaf("Signer"), none()));
    let good = asserting(requiring(), &[ONE]);
    assert!(question(root(), good, signer(&[ONE]), none()).ask().is_ok());
    // The anchor's requirement holds too, and only as far as it reaches.
    for (skip, good) in [(0, false), (2, false), (3, true)] {
        let root = constrained(root(), Some(skip), None);
        let question = question(root, ca("Middle"), leaf("Signer"), none());
        assert_eq!(question.ask().is_ok(), good, "{skip}");
    }
}

#[test]
fn the_anchors_own_policies_limit_the_path() {
    let root = || asserting(root(), &[TWO]);
    refused(&question(root(), middle(&[ONE]), signer(&[ONE]), explicit(&[ONE])));
    assert!(question(root(), middle(&[TWO]), signer(&[TWO]), explicit(&[TWO])).ask().is_ok());
    let any = asserting(ca("Root"), &[ANY_POLICY]);
    assert!(question(any, middle(&[ONE]), signer(&[ONE]), explicit(&[ONE])).ask().is_ok());
}
