//! The form of certificates (RFC 5280, section 4), where that binds the CA and path validation
//! does not rest on it.

use const_oid::db::rfc5280::{
    ID_CE_BASIC_CONSTRAINTS, ID_CE_NAME_CONSTRAINTS, ID_CE_SUBJECT_ALT_NAME,
};
use x509_cert::ext::pkix::name::GeneralName;

use super::error::{FormRule, PathError};
use super::issued::Issued;
use super::{Certificate, host_name};

/// Bytes of the longest serial number.
const MOST_SERIAL_BYTES: usize = 20;

/// Checks the form of `certificate`.
///
/// Whether policyConstraints and an intermediate's basicConstraints are critical is not looked
/// at: they are processed either way.
pub(super) fn check(
    certificate: &Certificate,
    is_anchor: bool,
    issued: &Issued,
) -> Result<String, PathError> {
    match broken_rule(certificate, is_anchor, issued) {
        None => Ok("it has the form of RFC 5280, section 4".to_owned()),
        Some(rule) => Err(PathError::Form { subject: certificate.subject(), rule }),
    }
}

fn broken_rule(certificate: &Certificate, is_anchor: bool, issued: &Issued) -> Option<FormRule> {
    let is_ca = certificate.is_ca();
    let has_subject = !certificate.tbs().subject().is_empty();
    let constrains_names = certificate.criticality(ID_CE_NAME_CONSTRAINTS);
    let key_usage = certificate.key_usage();
    let basic_constraints = certificate.criticality(ID_CE_BASIC_CONSTRAINTS);
    let rules = [
        (!serial_is_good(certificate.serial()), FormRule::Serial),
        (is_ca && !has_subject, FormRule::NamelessCa),
        (!names_its_issuers_key(certificate, issued), FormRule::NoAuthorityKeyId),
        (is_ca && certificate.subject_key_id().is_none(), FormRule::NoSubjectKeyId),
        (key_usage.is_some_and(|usage| usage.0.is_empty()), FormRule::EmptyKeyUsage),
        (
            !is_ca && key_usage.is_some_and(|usage| usage.key_cert_sign()),
            FormRule::CertSignWithoutCa,
        ),
        (
            !has_subject && certificate.criticality(ID_CE_SUBJECT_ALT_NAME) != Some(true),
            FormRule::NamelessSubject,
        ),
        (!alternative_names_are_good(certificate), FormRule::AlternativeName),
        (is_anchor && basic_constraints == Some(false), FormRule::BasicConstraintsNotCritical),
        (constrains_names == Some(false), FormRule::NameConstraintsNotCritical),
        (constrains_names.is_some() && !is_ca, FormRule::NameConstraintsWithoutCa),
        (
            certificate.extended_key_usages().is_some_and(<[_]>::is_empty),
            FormRule::EmptyExtendedKeyUsage,
        ),
    ];
    rules.into_iter().find(|(broken, _)| *broken).map(|(_, rule)| rule)
}

/// A positive number; its first byte has no sign bit, and a leading zero only to keep it so.
fn serial_is_good(serial: &[u8]) -> bool {
    let positive = serial.first().is_some_and(|first| *first < 0x80);
    positive && serial.iter().any(|byte| *byte != 0) && serial.len() <= MOST_SERIAL_BYTES
}

/// The authority key identifier is there; a certificate signed with its own key needs none.
fn names_its_issuers_key(certificate: &Certificate, issued: &Issued) -> bool {
    certificate.authority_key_id().is_some() || issued.check(certificate, certificate).is_ok()
}

fn alternative_names_are_good(certificate: &Certificate) -> bool {
    let names = certificate.general_names();
    let absent = certificate.criticality(ID_CE_SUBJECT_ALT_NAME).is_none();
    (absent || !names.is_empty())
        && names.iter().all(|name| match name {
            GeneralName::DnsName(name) => host_name::is_well_formed(name.as_str(), true),
            GeneralName::Rfc822Name(name) => host_name::is_mailbox(name.as_str()),
            GeneralName::IpAddress(address) => matches!(address.as_bytes().len(), 4 | 16),
            _ => true,
        })
}
