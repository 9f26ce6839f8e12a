//! Whether one certificate's key has signed another certificate: each pair is asked once.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::Certificate;
use super::error::{Limit, PathError};
use super::signature::{SignatureChecks, SignatureError};

/// Signatures of certificates on certificates.
///
/// Search and judge look at the same pairs again and again. Beside the budget of the
/// [`SignatureChecks`], this keeps them from hashing long certificates each time.
pub(super) struct Issued {
    checks: Arc<SignatureChecks>,
    known: RefCell<BTreeMap<(usize, usize), Result<(), SignatureError>>>,
}

impl Issued {
    /// Checks signatures by `checks`.
    pub(super) fn new(checks: SignatureChecks) -> Self {
        Issued { checks: Arc::new(checks), known: RefCell::default() }
    }

    /// The checks, for signatures on other things.
    pub(super) fn checks(&self) -> &Arc<SignatureChecks> {
        &self.checks
    }

    /// Whether `issuer`'s key signed `subject`. Both live as long as the question.
    pub(super) fn check(
        &self,
        subject: &Certificate,
        issuer: &Certificate,
    ) -> Result<(), SignatureError> {
        let pair = (subject.address(), issuer.address());
        if let Some(known) = self.known.borrow().get(&pair) {
            return known.clone();
        }
        // Two algorithms are told apart from a wrong signature when the error is rendered.
        let algorithm = subject.signature_algorithm().ok_or(SignatureError::Mismatch)?;
        let (tbs, signature) = (subject.tbs_der(), subject.signature());
        let result = self.checks.check(tbs, signature, algorithm, issuer.spki());
        self.known.borrow_mut().insert(pair, result.clone());
        result
    }
}

/// The error of the path that a signature of `issuer` on `subject` causes.
pub(super) fn error(
    subject: &Certificate,
    issuer: &Certificate,
    error: SignatureError,
) -> PathError {
    let name = || subject.subject();
    if subject.signature_algorithm().is_none() {
        return PathError::AlgorithmMismatch { subject: name() };
    }
    match error {
        SignatureError::Budget => PathError::Budget(Limit::SignatureChecks),
        SignatureError::Algorithm(algorithm) => {
            PathError::SignatureAlgorithm { subject: name(), algorithm }
        }
        SignatureError::Key(cause) => {
            PathError::Key { subject: issuer.subject(), cause, leaf: false }
        }
        SignatureError::Disagreement => {
            PathError::Disagreement { what: format!("the signature on {}", name()) }
        }
        SignatureError::Mismatch => PathError::BadSignature { subject: name() },
    }
}

/// Whether both sides name the same key; silence is no match.
pub(super) fn key_ids_match(subject: &Certificate, issuer: &Certificate) -> bool {
    subject.authority_key_id().is_some() && subject.authority_key_id() == issuer.subject_key_id()
}
