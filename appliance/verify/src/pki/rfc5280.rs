//! RFC 5280, section 6.1, by the library `certval`; the only module that knows it.
//!
//! What it gets: one path, already found, whose signatures and times were checked before. What it
//! does not get: a store, a search, revocation, or a clock. It checks basic constraints, path
//! length, names, name constraints and policies.
//!
//! Its steps are called one by one, not `validate_path_rfc5280`: that one accepts a leaf unchecked
//! that has an anchor's key, requires keyUsage of every issuer, and reads an anchor's name
//! constraints through strings, which loses some. The anchor is given to it as one more issuer, so
//! that its constraints hold too (RFC 5937) by the same code.

use certval::{
    CertificationPath, CertificationPathResults, CertificationPathSettings, Error, PDVCertificate,
    PDVTrustAnchorChoice, PathValidationStatus as Status, PkiEnvironment, check_basic_constraints,
    check_names, policy_graph::check_certificate_policies_graph,
};
use const_oid::ObjectIdentifier;
use der::asn1::OctetString;
use x509_cert::anchor::{CertPathControls, TrustAnchorChoice, TrustAnchorInfo};

use super::comparisons::{self, Comparisons};
use super::error::{PathError, Violation};
use super::explain::{CheckName, Record};
use super::path::InitialPolicies;
use super::{Certificate, extensions, name_constraints, policies};

/// Validates `path`, leaf first, whose last certificate is the anchor. A pinned leaf stands alone,
/// and is asked only what a leaf is asked. `reads_crls` tells whether CRLs are looked at.
pub(super) fn check(
    path: &[&Certificate],
    initial: Option<&InitialPolicies>,
    reads_crls: bool,
    budget: &mut Comparisons,
    record: &mut Record,
) -> Result<(), PathError> {
    check_key_usage(path, record)?;
    for (at, certificate) in path.iter().enumerate() {
        record.step(
            at,
            CheckName::CriticalExtensions,
            extensions::check(certificate, reads_crls),
        )?;
    }
    comparisons::spend(path, budget)?;
    let whole = candidate(path, path.len())?;

    let mut step = Step { path, record, results: CertificationPathResults::new() };
    let settings = CertificationPathSettings::new();
    step.run(check_basic_constraints, &settings, &whole, CheckName::PathLength)?;
    step.run(check_names, &settings, &whole, CheckName::NameConstraints)?;
    name_constraints::check(path)
        .map_err(|(at, error)| step.record.failed(at, CheckName::NameConstraints, error))?;
    let (settings, length) = policies::settings(path, initial)?;
    let judged = candidate(path, length)?;
    step.run(check_certificate_policies_graph, &settings, &judged, CheckName::CertificatePolicies)
}

/// Every issuer that has keyUsage has keyCertSign (section 6.1.4, step n).
fn check_key_usage(path: &[&Certificate], record: &mut Record) -> Result<(), PathError> {
    for (at, issuer) in path.iter().enumerate().skip(1) {
        let result = match issuer.key_usage() {
            None => Ok("keyUsage is absent, which limits nothing".to_owned()),
            Some(usage) if usage.key_cert_sign() => Ok("keyUsage has keyCertSign".to_owned()),
            Some(_) => Err(violation(issuer, Violation::KeyUsage)),
        };
        record.step(at, CheckName::KeyUsage, result)?;
    }
    Ok(())
}

/// A step of the library: it looks from the anchor to the leaf and tells where it stopped.
type LibraryStep = fn(
    &PkiEnvironment,
    &CertificationPathSettings,
    &CertificationPath,
    &mut CertificationPathResults,
) -> Result<(), Error>;

struct Step<'a> {
    path: &'a [&'a Certificate],
    record: &'a mut Record,
    results: CertificationPathResults,
}

impl Step<'_> {
    fn run(
        &mut self,
        step: LibraryStep,
        settings: &CertificationPathSettings,
        candidate: &CertificationPath,
        name: CheckName,
    ) -> Result<(), PathError> {
        let outcome = step(&PkiEnvironment::new(), settings, candidate, &mut self.results);
        let at_fault = match &outcome {
            Ok(()) => None,
            Err(_) => Some(self.at_fault(candidate)),
        };
        for at in (0..self.path.len()).rev() {
            if Some(at) == at_fault {
                break;
            }
            self.passed(at, name);
        }
        let (Err(error), Some(at)) = (outcome, at_fault) else { return Ok(()) };
        let Some(certificate) = self.path.get(at) else { return Err(PathError::Empty) };
        let rule = rule(&error);
        let name = if rule == Violation::NotCa { CheckName::BasicConstraints } else { name };
        Err(self.record.failed(at, name, violation(certificate, rule)))
    }

    /// The place in the path of the certificate that the library stopped at. It counts from 1,
    /// the one below its anchor, to the leaf.
    fn at_fault(&self, candidate: &CertificationPath) -> usize {
        let index = self.results.get_failure_index().and_then(|index| usize::try_from(index).ok());
        let length = candidate.intermediates.len().saturating_add(1);
        index.and_then(|index| length.checked_sub(index)).unwrap_or(0)
    }

    fn passed(&mut self, at: usize, name: CheckName) {
        if at > 0 && name == CheckName::PathLength {
            self.record.passed(at, CheckName::BasicConstraints, "basicConstraints says CA");
        }
        self.record.passed(
            at,
            name,
            match name {
                CheckName::PathLength => "no pathLenConstraint above is exceeded",
                CheckName::NameConstraints => "its names are within the name constraints above",
                _ => "the certificate policies allow it",
            },
        );
    }
}

/// The first `length` certificates of the path as the library wants them: ordered towards the
/// leaf, under an anchor that is no more than the name and key above.
fn candidate(path: &[&Certificate], length: usize) -> Result<CertificationPath, PathError> {
    let malformed = |certificate: &Certificate| violation(certificate, Violation::Encoding);
    let part = path.get(..length).ok_or(PathError::Empty)?;
    let (top, leaf) = part.last().zip(part.first()).ok_or(PathError::Empty)?;
    let own = |certificate: &&Certificate| {
        PDVCertificate::try_from(certificate.der()).map_err(|_| malformed(certificate))
    };
    let issuers: Vec<_> = part.iter().skip(1).rev().map(own).collect::<Result<_, _>>()?;
    let above = TrustAnchorInfo {
        version: x509_cert::anchor::Version::default(),
        pub_key: top.spki().clone(),
        key_id: OctetString::new([0_u8]).map_err(|_| malformed(top))?,
        ta_title: None,
        cert_path: Some(CertPathControls {
            ta_name: top.tbs().issuer().clone(),
            certificate: None,
            policy_set: None,
            policy_flags: None,
            name_constr: None,
            path_len_constraint: None,
        }),
        extensions: None,
        ta_title_lang_tag: None,
    };
    let above = PDVTrustAnchorChoice::try_from(TrustAnchorChoice::TaInfo(above))
        .map_err(|_| malformed(top))?;
    Ok(CertificationPath::new(above, issuers, own(leaf)?))
}

/// The settings of the library for these inputs of section 6.1.1.
pub(super) fn policy_settings(
    acceptable: &[ObjectIdentifier],
    require_explicit: bool,
    inhibit_mapping: bool,
    inhibit_any: bool,
) -> CertificationPathSettings {
    let mut settings = CertificationPathSettings::new();
    if !acceptable.is_empty() {
        settings.set_initial_policy_set_from_oid_set(acceptable.iter().copied().collect());
    }
    settings.set_initial_explicit_policy_indicator(require_explicit);
    settings.set_initial_policy_mapping_inhibit_indicator(inhibit_mapping);
    settings.set_initial_inhibit_any_policy_indicator(inhibit_any);
    settings
}

pub(super) fn violation(certificate: &Certificate, violation: Violation) -> PathError {
    PathError::Rfc5280 { subject: certificate.subject(), violation }
}

fn rule(error: &Error) -> Violation {
    let Error::PathValidation(status) = error else { return Violation::Other };
    match status {
        Status::NameChainingFailure => Violation::NameChaining,
        Status::MissingBasicConstraints | Status::InvalidBasicConstraints => Violation::NotCa,
        Status::InvalidPathLength => Violation::PathLength,
        Status::NameConstraintsViolation => Violation::NameConstraints,
        Status::NullPolicySet | Status::InvalidPolicyMapping => Violation::Policy,
        Status::EncodingError => Violation::Encoding,
        _ => Violation::Other,
    }
}
