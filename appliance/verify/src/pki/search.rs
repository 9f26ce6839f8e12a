//! The bounded search for candidate paths, from the leaf towards the anchors.
//!
//! Names and key identifiers say where to look first; only a signature that verifies makes a
//! step. Every step that is tried counts against the budget.

use std::sync::Arc;

use super::error::{Limit, PathError};
use super::judge;
use super::path::{PathInput, VerifiedPath};
use super::signature::{SignatureChecks, SignatureError};
use super::{Anchor, Certificate};

/// A search in progress.
pub(super) struct Search<'a> {
    input: &'a PathInput<'a>,
    leaf: &'a Certificate,
    checks: Arc<SignatureChecks>,
    /// Paths that led to an anchor or to a dead end.
    candidates: usize,
    /// The most telling error so far.
    best: PathError,
}

/// How one branch of the search ended; an `Err` ends the whole search.
type Outcome = Result<Option<VerifiedPath>, PathError>;

impl<'a> Search<'a> {
    /// Checks the sizes of the input.
    pub(super) fn new(input: &'a PathInput<'a>) -> Result<Self, PathError> {
        let leaf = input.chain.first().ok_or(PathError::Empty)?;
        if input.chain.len() > input.budget.certificates {
            return Err(PathError::Budget(Limit::Certificates));
        }
        if input.chain.iter().any(|c| c.der().len() > input.budget.certificate_bytes) {
            return Err(PathError::Budget(Limit::CertificateBytes));
        }
        let best = PathError::UntrustedAnchor { subject: leaf.subject(), issuer: leaf.issuer() };
        let checks = Arc::new(SignatureChecks::new(input.budget.signature_checks));
        Ok(Search { input, leaf, checks, candidates: 0, best })
    }

    /// Tries candidates until one validates.
    pub(super) fn run(mut self) -> Result<VerifiedPath, PathError> {
        if let Some(path) = self.pinned_leaf()? {
            return Ok(path);
        }
        match self.extend(&mut vec![self.leaf])? {
            Some(path) => Ok(path),
            None => Err(self.best),
        }
    }

    /// A self-signed leaf that is itself an anchor.
    fn pinned_leaf(&mut self) -> Outcome {
        let leaf = self.leaf;
        let anchors = self.input.anchors;
        let Some(anchor) = anchors.iter().find(|anchor| anchor.certificate == *leaf) else {
            return Ok(None);
        };
        if !leaf.is_self_issued() || !self.is_issued_by(leaf, leaf)? {
            return Ok(None);
        }
        self.judge(&[leaf], anchor)
    }

    /// Goes on from the last certificate of `path`.
    fn extend(&mut self, path: &mut Vec<&'a Certificate>) -> Outcome {
        let Some(&last) = path.last() else { return Ok(None) };
        if path.len() >= self.input.budget.path_depth {
            self.note(PathError::Budget(Limit::Depth));
            self.count_candidate()?;
            return Ok(None);
        }
        let mut dead_end = true;
        for anchor in self.anchors_for(last, path) {
            if self.is_issued_by(last, &anchor.certificate)? {
                dead_end = false;
                if let Some(found) = self.judge(path, anchor)? {
                    return Ok(Some(found));
                }
            }
        }
        for issuer in self.issuers_for(last, path) {
            if self.is_issued_by(last, issuer)? {
                dead_end = false;
                path.push(issuer);
                let found = self.extend(path)?;
                path.pop();
                if found.is_some() {
                    return Ok(found);
                }
            }
        }
        if dead_end {
            self.count_candidate()?;
        }
        Ok(None)
    }

    fn anchors_for(&self, last: &Certificate, path: &[&Certificate]) -> Vec<&'a Anchor> {
        let mut found: Vec<&Anchor> = self
            .input
            .anchors
            .iter()
            .filter(|anchor| may_follow(&anchor.certificate, last, path))
            .collect();
        found.sort_by_key(|anchor| !key_ids_match(last, &anchor.certificate));
        found
    }

    fn issuers_for(&self, last: &Certificate, path: &[&Certificate]) -> Vec<&'a Certificate> {
        let mut found: Vec<&Certificate> = Vec::new();
        for candidate in self.input.chain {
            if !found.contains(&candidate) && may_follow(candidate, last, path) {
                found.push(candidate);
            }
        }
        found.sort_by_key(|candidate| !key_ids_match(last, candidate));
        found
    }

    /// Whether `issuer`'s key signed `subject`. Notes why not; an `Err` means the budget.
    fn is_issued_by(
        &mut self,
        subject: &Certificate,
        issuer: &Certificate,
    ) -> Result<bool, PathError> {
        let name = || subject.subject();
        let Some(algorithm) = subject.signature_algorithm() else {
            self.note(PathError::AlgorithmMismatch { subject: name() });
            return Ok(false);
        };
        let result =
            self.checks.check(subject.tbs_der(), subject.signature(), algorithm, issuer.spki());
        match result {
            Ok(()) => return Ok(true),
            Err(SignatureError::Budget) => return Err(PathError::Budget(Limit::SignatureChecks)),
            Err(SignatureError::Algorithm(algorithm)) => {
                self.note(PathError::SignatureAlgorithm { subject: name(), algorithm });
            }
            Err(SignatureError::Key(cause)) => {
                self.note(PathError::Key { subject: issuer.subject(), cause, leaf: false });
            }
            Err(SignatureError::Disagreement) => {
                let what = format!("the signature on {}", name());
                self.note(PathError::Disagreement { what });
            }
            // Another CA of the same name is no fault of the certificate; the very key that it
            // names is.
            Err(SignatureError::Mismatch) if key_ids_match(subject, issuer) => {
                self.note(PathError::BadSignature { subject: name() });
            }
            Err(SignatureError::Mismatch) => {}
        }
        Ok(false)
    }

    fn judge(&mut self, path: &[&Certificate], anchor: &Anchor) -> Outcome {
        self.count_candidate()?;
        match judge::judge(self.input, path, anchor, &self.checks) {
            Ok(found) => Ok(Some(found)),
            Err(exhausted @ PathError::Budget(_)) => Err(exhausted),
            Err(error) => {
                self.note(error);
                Ok(None)
            }
        }
    }

    fn count_candidate(&mut self) -> Result<(), PathError> {
        self.candidates = self.candidates.saturating_add(1);
        if self.candidates > self.input.budget.path_candidates {
            return Err(PathError::Budget(Limit::Candidates));
        }
        Ok(())
    }

    fn note(&mut self, error: PathError) {
        if error.rank() > self.best.rank() {
            self.best = error;
        }
    }
}

/// Whether `issuer` has the name that `last` asks for, and is not in the path already.
///
/// An issuer is in the path already when name and key are: a certificate may share its name with
/// its issuer, and a CA may have several certificates for one key.
fn may_follow(issuer: &Certificate, last: &Certificate, path: &[&Certificate]) -> bool {
    issuer.subject_name() == last.issuer_name()
        && !path.iter().any(|earlier| {
            earlier.spki() == issuer.spki() && earlier.subject_name() == issuer.subject_name()
        })
}

/// Whether both sides name the same key; silence is no match.
fn key_ids_match(subject: &Certificate, issuer: &Certificate) -> bool {
    subject.authority_key_id().is_some() && subject.authority_key_id() == issuer.subject_key_id()
}
