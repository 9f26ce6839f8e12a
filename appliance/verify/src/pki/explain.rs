//! What path validation did, certificate by certificate and check by check.
//!
//! [`explain`] is the one way to validate: [`validate`](super::validate) gives the same result
//! without the account of it.

use std::fmt;

use super::path::PathInput;
use super::search::Search;
use super::{Certificate, PathError, VerifiedPath};

/// The account of one validation.
#[derive(Clone, Debug)]
pub struct Explanation {
    result: Result<VerifiedPath, PathError>,
    certificates: Vec<ExplainedCertificate>,
}

/// A certificate, what it was in the path, and what was checked about it.
#[derive(Clone, Debug)]
pub struct ExplainedCertificate {
    certificate: Certificate,
    role: Role,
    checks: Vec<Check>,
}

/// What a certificate is in a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// The certificate that the question is about.
    Leaf,
    /// A CA between leaf and anchor.
    Intermediate,
    /// The trust anchor of this name.
    Anchor(String),
    /// The leaf, which is itself the trust anchor of this name.
    PinnedLeaf(String),
}

/// One check of one certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was checked.
    pub name: CheckName,
    /// How it ended.
    pub outcome: Outcome,
    /// One sentence about it, without the certificate's name unless it failed.
    pub sentence: String,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The certificate passed.
    Passed,
    /// The certificate failed, and the path with it.
    Failed,
    /// It was not reached, or is not asked of such a certificate.
    NotRun,
}

/// What is checked, in the order in which it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CheckName {
    /// The issuer's signature, and its algorithm.
    Signature,
    /// The validity period.
    Validity,
    /// Type and length of the key.
    Key,
    /// keyUsage.
    KeyUsage,
    /// extendedKeyUsage.
    ExtendedKeyUsage,
    /// basicConstraints: issuers are CAs, and which leaves may be.
    BasicConstraints,
    /// pathLenConstraint of the issuers above.
    PathLength,
    /// nameConstraints of the issuers above.
    NameConstraints,
    /// Certificate policies, their mappings and constraints.
    CertificatePolicies,
    /// Every critical extension is understood, and every known one is well-formed.
    CriticalExtensions,
    /// The certificate has the form that RFC 5280, section 4, prescribes.
    Form,
    /// The CRLs.
    Revocation,
}

/// Finds a certification path and validates it as [`validate`](super::validate) does, and tells
/// what was done.
///
/// When no path is accepted, the account is of the candidate that came furthest.
pub fn explain(input: &PathInput<'_>) -> Explanation {
    let (result, record) = Search::run(input);
    Explanation { result, certificates: record.0 }
}

impl Explanation {
    /// The path, or why there is none.
    ///
    /// # Errors
    /// As [`validate`](super::validate).
    pub fn result(&self) -> Result<&VerifiedPath, &PathError> {
        self.result.as_ref()
    }

    /// The path, or why there is none.
    ///
    /// # Errors
    /// As [`validate`](super::validate).
    pub fn into_result(self) -> Result<VerifiedPath, PathError> {
        self.result
    }

    /// From the leaf towards the anchor. The last is the anchor only when one was reached.
    pub fn certificates(&self) -> &[ExplainedCertificate] {
        &self.certificates
    }
}

impl ExplainedCertificate {
    /// The certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// What it is in the path.
    pub fn role(&self) -> &Role {
        &self.role
    }

    /// Every check, in the order of [`CheckName::ALL`].
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }
}

impl Role {
    /// The name in reports: `leaf`, `intermediate`, `anchor`.
    pub fn name(&self) -> &'static str {
        match self {
            Role::Leaf => "leaf",
            Role::Intermediate => "intermediate",
            Role::Anchor(_) | Role::PinnedLeaf(_) => "anchor",
        }
    }

    /// The name of the anchor that it is.
    pub fn anchor_name(&self) -> Option<&str> {
        match self {
            Role::Anchor(name) | Role::PinnedLeaf(name) => Some(name),
            Role::Leaf | Role::Intermediate => None,
        }
    }
}

impl Outcome {
    /// The name in reports: `passed`, `failed`, `not-run`.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Passed => "passed",
            Outcome::Failed => "failed",
            Outcome::NotRun => "not-run",
        }
    }
}

impl CheckName {
    /// Every check, in order.
    pub const ALL: [CheckName; 12] = [
        CheckName::Signature,
        CheckName::Validity,
        CheckName::Key,
        CheckName::KeyUsage,
        CheckName::ExtendedKeyUsage,
        CheckName::BasicConstraints,
        CheckName::PathLength,
        CheckName::NameConstraints,
        CheckName::CertificatePolicies,
        CheckName::CriticalExtensions,
        CheckName::Form,
        CheckName::Revocation,
    ];

    /// The name in reports, such as `path-length`.
    pub fn name(self) -> &'static str {
        match self {
            CheckName::Signature => "signature",
            CheckName::Validity => "validity",
            CheckName::Key => "key",
            CheckName::KeyUsage => "key-usage",
            CheckName::ExtendedKeyUsage => "extended-key-usage",
            CheckName::BasicConstraints => "basic-constraints",
            CheckName::PathLength => "path-length",
            CheckName::NameConstraints => "name-constraints",
            CheckName::CertificatePolicies => "certificate-policies",
            CheckName::CriticalExtensions => "critical-extensions",
            CheckName::Form => "form",
            CheckName::Revocation => "revocation",
        }
    }
}

impl fmt::Display for CheckName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An account in the making: leaf first, as far as the candidate path reaches.
#[derive(Clone, Debug, Default)]
pub(super) struct Record(Vec<ExplainedCertificate>);

impl Record {
    /// Of a path that has not reached an anchor.
    pub(super) fn of(path: &[&Certificate]) -> Self {
        let role = |at| if at == 0 { Role::Leaf } else { Role::Intermediate };
        let explained = path.iter().enumerate().map(|(at, c)| unchecked(c, role(at)));
        Record(explained.collect())
    }

    /// Says that the last certificate is the anchor `name`.
    pub(super) fn ends_in_anchor(&mut self, name: &str) {
        let alone = self.0.len() == 1;
        if let Some(last) = self.0.last_mut() {
            let name = name.to_owned();
            last.role = if alone { Role::PinnedLeaf(name) } else { Role::Anchor(name) };
        }
    }

    /// Notes that certificate `at` passed.
    pub(super) fn passed(&mut self, at: usize, name: CheckName, sentence: impl Into<String>) {
        self.set(at, name, Outcome::Passed, sentence.into());
    }

    /// Notes that the check is not asked of certificate `at`, and why.
    pub(super) fn not_asked(&mut self, at: usize, name: CheckName, why: impl Into<String>) {
        self.set(at, name, Outcome::NotRun, why.into());
    }

    /// Notes how certificate `at` did, and hands an error on.
    pub(super) fn step(
        &mut self,
        at: usize,
        name: CheckName,
        result: Result<String, PathError>,
    ) -> Result<(), PathError> {
        match result {
            Ok(sentence) => {
                self.passed(at, name, sentence);
                Ok(())
            }
            Err(error) => Err(self.failed(at, name, error)),
        }
    }

    /// Notes that certificate `at` failed, and hands the error back.
    pub(super) fn failed(&mut self, at: usize, name: CheckName, error: PathError) -> PathError {
        self.set(at, name, Outcome::Failed, error.to_string());
        error
    }

    fn set(&mut self, at: usize, name: CheckName, outcome: Outcome, sentence: String) {
        let checks = self.0.get_mut(at).map(|explained| &mut explained.checks);
        if let Some(check) = checks.and_then(|all| all.iter_mut().find(|c| c.name == name)) {
            check.outcome = outcome;
            check.sentence = sentence;
        }
    }
}

fn unchecked(certificate: &Certificate, role: Role) -> ExplainedCertificate {
    let not_reached = |name| Check {
        name,
        outcome: Outcome::NotRun,
        sentence: "an earlier check ended the validation".to_owned(),
    };
    ExplainedCertificate {
        certificate: certificate.clone(),
        role,
        checks: CheckName::ALL.map(not_reached).to_vec(),
    }
}
