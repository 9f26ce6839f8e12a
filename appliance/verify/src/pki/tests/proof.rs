//! A trusted time of the signature: what it excuses, and what it never does.

use rcgen::{CertificateParams, date_time_ymd};

use super::maker::{DAY, NOW, Question, ThreeTiers, ca, leaf};
use crate::pki::{PathError, Proof};
use crate::reason::Code;
use crate::time::UnixTime;

/// 2029-06-01, when everything that the maker makes is valid.
const SIGNED: UnixTime = UnixTime(1_875_052_800);

fn proof(time: UnixTime) -> Proof {
    Proof { time, excuses_expiry: true, excuses_revocation: false }
}

fn expired(mut params: CertificateParams) -> CertificateParams {
    params.not_after = date_time_ymd(2029, 12, 31);
    params
}

fn expired_leaf() -> Question {
    ThreeTiers::with(ca("Root"), ca("Middle"), expired(leaf("Signer"))).question()
}

#[test]
fn a_certificate_that_has_expired_since_is_excused() {
    for pki in [
        ThreeTiers::with(ca("Root"), ca("Middle"), expired(leaf("Signer"))),
        ThreeTiers::with(ca("Root"), expired(ca("Middle")), expired(leaf("Signer"))),
        ThreeTiers::with(expired(ca("Root")), ca("Middle"), leaf("Signer")),
    ] {
        let mut question = pki.question();
        assert_eq!(question.code(), Code::SignatureCertificateExpired);
        question.proof = Some(proof(SIGNED));
        assert!(question.ask().is_ok());
    }
}

#[test]
fn only_a_proof_that_excuses_expiry_does() {
    let mut question = expired_leaf();
    question.proof = Some(Proof { excuses_expiry: false, ..proof(SIGNED) });
    assert_eq!(question.code(), Code::SignatureCertificateExpired);
}

#[test]
fn the_proof_is_of_a_time_when_every_certificate_was_valid() {
    let mut question = expired_leaf();
    // Before the certificates, after the leaf's end, and after now.
    for time in [UnixTime(0), UnixTime(NOW.0 - 1), UnixTime(NOW.0 + DAY)] {
        question.proof = Some(proof(time));
        assert!(matches!(question.refusal(), PathError::Expired { .. }), "{time}");
    }
    // The leaf was issued after the signature that it is said to have made.
    let mut late = expired(leaf("Signer"));
    late.not_before = date_time_ymd(2029, 7, 1);
    let mut question = ThreeTiers::with(ca("Root"), ca("Middle"), late).question();
    question.proof = Some(proof(SIGNED));
    assert_eq!(question.code(), Code::SignatureCertificateExpired);
}

#[test]
fn what_is_not_valid_yet_is_never_excused() {
    let mut future = leaf("Signer");
    future.not_before = date_time_ymd(2030, 1, 2);
    for middle in [ca("Middle"), expired(ca("Middle"))] {
        let mut question = ThreeTiers::with(ca("Root"), middle, future.clone()).question();
        question.proof = Some(proof(SIGNED));
        assert!(question.ask().is_err());
    }
    let mut question = ThreeTiers::with(ca("Root"), ca("Middle"), future).question();
    question.proof = Some(proof(SIGNED));
    assert_eq!(question.code(), Code::SignatureCertificateNotYetValid);
}
