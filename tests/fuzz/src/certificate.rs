//! Certificates: each by itself, and all of them as a chain.

use oms_verify::budget::Budget;
use oms_verify::pki::{
    Anchor, Certificate, Crl, CrlSet, PathInput, Profile, Purpose, Revocation, RevocationMode,
    validate,
};
use oms_verify::time::UnixTime;

use crate::pieces::split;

/// Certificates and CRLs in pieces, leaf first and the anchor last; or one PEM text.
pub fn certificate(data: &[u8]) {
    let mut certificates = Certificate::many_from_pem(data).unwrap_or_default();
    let mut crls = Vec::new();
    for piece in split(data).into_iter().chain([data]) {
        match Certificate::from_der(piece) {
            Ok(certificate) => certificates.push(certificate),
            Err(_) => crls.extend(Crl::parse(piece).unwrap_or_default()),
        }
    }
    for certificate in &certificates {
        look_at(certificate);
    }
    judge(&certificates, CrlSet::new(crls));
}

/// Asks all that a certificate can be asked.
pub(crate) fn look_at(certificate: &Certificate) {
    let again = Certificate::from_der(certificate.der());
    assert_eq!(again.as_ref().ok().map(Certificate::fingerprint), Some(certificate.fingerprint()));
    let _ = (certificate.subject(), certificate.issuer(), certificate.serial_hex());
    let _ = (certificate.not_before(), certificate.not_after(), certificate.is_self_issued());
    let _ = (certificate.san_emails(), certificate.san_dns(), certificate.san_uris());
    let _ = (certificate.is_ca(), certificate.extended_key_usages(), certificate.public_key());
}

/// Looks for a path from the first certificate to the last one, and to itself.
pub(crate) fn judge(certificates: &[Certificate], crls: CrlSet) {
    let (Some(leaf), Some(last)) = (certificates.first(), certificates.last()) else { return };
    let budget = Budget::default();
    for (anchor, profile) in [
        (last, Profile::ANY),
        (last, Profile::CODE_SIGNING),
        (leaf, Profile::ANY),
        (last, Profile::TIMESTAMPING),
    ] {
        let anchors = [Anchor {
            name: "anchor".to_owned(),
            certificate: anchor.clone(),
            purposes: [Purpose::CodeSigning].into(),
            provenance: String::new(),
            file_sha256: anchor.fingerprint(),
        }];
        for mode in [RevocationMode::Off, RevocationMode::Require] {
            let found = validate(&PathInput {
                chain: certificates,
                intermediates: &[],
                anchors: &anchors,
                crls: &crls,
                revocation: &Revocation { mode, max_crl_age: None },
                time: middle(leaf),
                proof: None,
                budget: &budget,
                profile,
                policies: None,
            });
            match found {
                Ok(path) => assert_eq!(path.certificates().len(), path.revocation().len()),
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        }
    }
}

/// A time at which the certificate is valid, if there is one.
fn middle(leaf: &Certificate) -> UnixTime {
    let (from, to) = (leaf.not_before().0, leaf.not_after().0);
    UnixTime(from.saturating_add(to.saturating_sub(from) / 2))
}
