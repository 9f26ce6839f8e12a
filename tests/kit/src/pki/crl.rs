//! Certificate revocation lists (RFC 5280, section 5).

use std::time::Duration;

/// Why a certificate was revoked (RFC 5280, section 5.3.1).
pub use rcgen::RevocationReason;
use rcgen::{
    CertificateRevocationListParams, Issuer, KeyIdMethod, KeyPair, RevokedCertParams, SerialNumber,
};

use super::{Certificate, profile};

/// A signed CRL in both encodings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crl {
    /// The DER encoding.
    pub der: Vec<u8>,
    /// The PEM encoding.
    pub pem: String,
}

/// What a CRL says.
#[derive(Clone, Debug)]
pub struct CrlProfile {
    number: u64,
    this_update: u64,
    next_update: u64,
    revoked: Vec<(Vec<u8>, u64, RevocationReason)>,
}

impl CrlProfile {
    /// A CRL with this CRLNumber that revokes nothing, from an hour ago until in 30 days, as a
    /// station's own clock will judge it.
    pub fn new(number: u64) -> CrlProfile {
        let now = profile::now();
        CrlProfile {
            number,
            this_update: now - 3_600,
            next_update: now + 30 * 86_400,
            revoked: Vec::new(),
        }
    }

    /// The same with other dates (thisUpdate, nextUpdate), in seconds since 1970.
    #[must_use]
    pub fn validity(mut self, this_update: u64, next_update: u64) -> CrlProfile {
        (self.this_update, self.next_update) = (this_update, next_update);
        self
    }

    /// The same with a certificate revoked for a compromised key, on 2021-01-01.
    #[must_use]
    pub fn revoke(self, certificate: &Certificate) -> CrlProfile {
        self.revoke_at(certificate, profile::date(2021, 1, 1))
    }

    /// The same with a certificate revoked at a time, in seconds since 1970.
    #[must_use]
    pub fn revoke_at(self, certificate: &Certificate, time: u64) -> CrlProfile {
        self.revoke_for(certificate, time, RevocationReason::KeyCompromise)
    }

    /// The same with a certificate revoked at a time for another reason.
    #[must_use]
    pub fn revoke_for(
        self,
        certificate: &Certificate,
        time: u64,
        reason: RevocationReason,
    ) -> CrlProfile {
        self.revoke_serial(certificate.serial.clone(), time, reason)
    }

    /// The same with this serial number revoked, which no certificate needs to have.
    #[must_use]
    pub fn revoke_serial(
        mut self,
        serial: Vec<u8>,
        time: u64,
        reason: RevocationReason,
    ) -> CrlProfile {
        self.revoked.push((serial, time, reason));
        self
    }

    pub(super) fn sign(self, issuer: &Issuer<'_, KeyPair>) -> Crl {
        let epoch = rcgen::date_time_ymd(1970, 1, 1);
        let revoked_certs = self.revoked.iter().map(|(serial, time, reason)| RevokedCertParams {
            serial_number: SerialNumber::from_slice(serial),
            revocation_time: epoch + Duration::from_secs(*time),
            reason_code: Some(*reason),
            invalidity_date: None,
        });
        let crl = CertificateRevocationListParams {
            this_update: epoch + Duration::from_secs(self.this_update),
            next_update: epoch + Duration::from_secs(self.next_update),
            crl_number: SerialNumber::from(self.number),
            issuing_distribution_point: None,
            revoked_certs: revoked_certs.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        }
        .signed_by(issuer)
        .expect("a CRL");
        Crl { der: crl.der().to_vec(), pem: crl.pem().expect("a CRL in PEM") }
    }
}
