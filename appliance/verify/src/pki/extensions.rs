//! Critical extensions (RFC 5280, section 6.1.4, step o, and 6.1.5, step f), and extensions that
//! path validation reads.

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280::{
    ID_CE_BASIC_CONSTRAINTS, ID_CE_CERTIFICATE_POLICIES, ID_CE_CRL_DISTRIBUTION_POINTS,
    ID_CE_EXT_KEY_USAGE, ID_CE_INHIBIT_ANY_POLICY, ID_CE_KEY_USAGE, ID_CE_NAME_CONSTRAINTS,
    ID_CE_POLICY_CONSTRAINTS, ID_CE_POLICY_MAPPINGS, ID_CE_SUBJECT_ALT_NAME,
};
use x509_cert::ext::pkix::{
    CertificatePolicies, CrlDistributionPoints, InhibitAnyPolicy, NameConstraints,
    PolicyConstraints, PolicyMappings,
};

use super::Certificate;
use super::error::{PathError, Violation};

/// The extensions that path validation processes.
const PROCESSED: [ObjectIdentifier; 9] = [
    ID_CE_BASIC_CONSTRAINTS,
    ID_CE_CERTIFICATE_POLICIES,
    ID_CE_EXT_KEY_USAGE,
    ID_CE_INHIBIT_ANY_POLICY,
    ID_CE_KEY_USAGE,
    ID_CE_NAME_CONSTRAINTS,
    ID_CE_POLICY_CONSTRAINTS,
    ID_CE_POLICY_MAPPINGS,
    ID_CE_SUBJECT_ALT_NAME,
];

/// Checks that every critical extension is processed, and that those which path validation reads
/// can be read, critical or not.
///
/// cRLDistributionPoints is processed where CRLs are looked at (`reads_crls`), and may be critical
/// there (section 4.2.1.13).
pub(super) fn check(certificate: &Certificate, reads_crls: bool) -> Result<String, PathError> {
    let broken = |violation| PathError::Rfc5280 { subject: certificate.subject(), violation };
    let mut critical =
        certificate.tbs().extensions().into_iter().flatten().filter(|found| found.critical);
    let is_processed = |id| {
        PROCESSED.contains(id)
            || (reads_crls
                && *id == ID_CE_CRL_DISTRIBUTION_POINTS
                && certificate.extension::<CrlDistributionPoints>().is_ok())
    };
    if !critical.all(|extension| is_processed(&extension.extn_id)) {
        return Err(broken(Violation::CriticalExtension));
    }
    // The others are read when the certificate is.
    let readable = certificate.extension::<NameConstraints>().is_ok()
        && certificate.extension::<CertificatePolicies>().is_ok()
        && certificate.extension::<PolicyMappings>().is_ok()
        && certificate.extension::<PolicyConstraints>().is_ok()
        && certificate.extension::<InhibitAnyPolicy>().is_ok();
    match readable {
        true => Ok("every critical extension is understood".to_owned()),
        false => Err(broken(Violation::Encoding)),
    }
}
