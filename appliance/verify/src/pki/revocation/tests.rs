//! Revocation beyond one fresh CRL of one key: other keys of the issuer, partial CRLs, and
//! certificates that expired or were revoked after a proven time.

mod keys;
mod partial;
mod proof;

use rcgen::{CertificateRevocationListParams, RevokedCertParams, SerialNumber, date_time_ymd};

use super::{Revocation, RevocationMode, RevocationStatus, status};
use crate::budget::Budget;
use crate::pki::comparisons::Comparisons;
use crate::pki::issued::Issued;
use crate::pki::signature::SignatureChecks;
use crate::pki::tests::maker::{Entity, NOW};
use crate::pki::{Anchor, Certificate, Crl, CrlSet, PathError, PathInput, Profile, Proof};
use crate::time::UnixTime;

/// A question about the status of one certificate.
struct Scene<'a> {
    /// The certificate, its issuer, and the anchor of its path.
    link: [&'a Entity; 3],
    chain: Vec<&'a Entity>,
    anchors: Vec<&'a Entity>,
    mode: RevocationMode,
    time: UnixTime,
    proof: Option<Proof>,
}

impl<'a> Scene<'a> {
    fn new(link: [&'a Entity; 3]) -> Self {
        let mode = RevocationMode::Require;
        let (chain, anchors) = (vec![link[0], link[1]], vec![link[2]]);
        Scene { link, chain, anchors, mode, time: NOW, proof: None }
    }

    fn status(&self, crls: &[&Crl]) -> Result<RevocationStatus, PathError> {
        self.status_in(&CrlSet::new(crls.iter().map(|crl| (*crl).clone()).collect()))
    }

    fn status_in(&self, crls: &CrlSet) -> Result<RevocationStatus, PathError> {
        let chain: Vec<Certificate> = self.chain.iter().map(|e| e.certificate.clone()).collect();
        let anchors: Vec<Anchor> = self.anchors.iter().map(|e| e.anchor()).collect();
        let input = PathInput {
            chain: &chain,
            intermediates: &[],
            anchors: &anchors,
            crls,
            revocation: &Revocation { mode: self.mode, max_crl_age: None },
            time: self.time,
            proof: self.proof,
            budget: &Budget::default(),
            profile: Profile::CODE_SIGNING,
            policies: None,
        };
        let issued = Issued::new(SignatureChecks::new(64));
        let mut path = self.link.map(|entity| &entity.certificate).to_vec();
        // An anchor that issued the certificate itself stands twice.
        path.dedup();
        status(&input, &path, 0, &issued, &mut Comparisons::new())
    }

    #[track_caller]
    fn is_good(&self, crls: &[&Crl]) -> bool {
        match self.status(crls) {
            Ok(RevocationStatus::Good { .. }) => true,
            Ok(other) => panic!("{other}"),
            Err(_) => false,
        }
    }

    #[track_caller]
    fn code(&self, crls: &[&Crl]) -> &'static str {
        self.status(crls).unwrap_err().code().id()
    }
}

/// A CRL by `issuer` of this day of December 2029.
fn of_day(issuer: &Entity, day: u8, revoked: &[&Entity]) -> Crl {
    issuer.crl(revoked, |crl| dated(crl, day))
}

fn dated(crl: &mut CertificateRevocationListParams, day: u8) {
    crl.this_update = date_time_ymd(2029, 12, day);
    crl.crl_number = SerialNumber::from(u64::from(day));
}

fn entry(of: &Entity, reason: rcgen::RevocationReason) -> RevokedCertParams {
    RevokedCertParams {
        serial_number: SerialNumber::from(of.certificate.serial().to_vec()),
        revocation_time: date_time_ymd(2029, 6, 1),
        reason_code: Some(reason),
        invalidity_date: None,
    }
}
