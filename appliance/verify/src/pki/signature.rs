//! Signatures on certificates and CRLs: which algorithms, how many, and each only once.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use const_oid::ObjectIdentifier;
use der::Encode;
use der::asn1::BitString;
use sha2::{Digest, Sha256};
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};

use crate::key::{BadSignature, KeyError, PublicKey};
use crate::signature::{self, Algorithm};

/// Why a signature was not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SignatureError {
    /// The budget of checks is used up.
    Budget,
    /// The algorithm is not accepted, or not for keys of this type.
    Algorithm(ObjectIdentifier),
    /// The issuer's key cannot be used.
    Key(KeyError),
    /// The signature does not verify.
    Mismatch,
    /// Two implementations do not agree whether it does.
    Disagreement,
}

/// Checks signatures on certificates within the budget, and remembers each result.
///
/// The search and the path validator see the same signatures; the second look costs nothing.
pub(super) struct SignatureChecks {
    limit: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    used: usize,
    known: BTreeMap<[u8; 32], Result<(), SignatureError>>,
}

impl SignatureChecks {
    /// Allows `limit` checks.
    pub(super) fn new(limit: usize) -> Self {
        SignatureChecks { limit, state: Mutex::default() }
    }

    /// Checks `signature` over `message`, or repeats what an earlier check of the same found.
    pub(super) fn check(
        &self,
        message: &[u8],
        signature: &BitString,
        algorithm: &AlgorithmIdentifierOwned,
        spki: &SubjectPublicKeyInfoOwned,
    ) -> Result<(), SignatureError> {
        let name = name_of(message, signature, algorithm, spki);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = name.and_then(|name| state.known.get(&name)) {
            return known.clone();
        }
        if state.used >= self.limit {
            return Err(SignatureError::Budget);
        }
        state.used = state.used.saturating_add(1);
        let result = verify(message, signature, algorithm, spki);
        if let Some(name) = name {
            state.known.insert(name, result.clone());
        }
        result
    }

    /// Checks without remembering: for CRLs, which are large and are looked at once.
    pub(super) fn check_once(
        &self,
        message: &[u8],
        signature: &BitString,
        algorithm: &AlgorithmIdentifierOwned,
        spki: &SubjectPublicKeyInfoOwned,
    ) -> Result<(), SignatureError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.used >= self.limit {
            return Err(SignatureError::Budget);
        }
        state.used = state.used.saturating_add(1);
        verify(message, signature, algorithm, spki)
    }
}

/// A digest of everything that a signature check depends on.
fn name_of(
    message: &[u8],
    signature: &BitString,
    algorithm: &AlgorithmIdentifierOwned,
    spki: &SubjectPublicKeyInfoOwned,
) -> Option<[u8; 32]> {
    let mut hasher = Sha256::new();
    for part in
        [message, &signature.to_der().ok()?, &algorithm.to_der().ok()?, &spki.to_der().ok()?]
    {
        hasher.update(u64::try_from(part.len()).ok()?.to_be_bytes());
        hasher.update(part);
    }
    Some(hasher.finalize().into())
}

/// Verifies by every algorithm that is accepted. How long a key must be is judged with the path.
fn verify(
    message: &[u8],
    signature: &BitString,
    algorithm: &AlgorithmIdentifierOwned,
    spki: &SubjectPublicKeyInfoOwned,
) -> Result<(), SignatureError> {
    let key = PublicKey::from_spki(spki.clone()).map_err(SignatureError::Key)?;
    let named = Algorithm::named_by(algorithm)
        .filter(|named| key.admits(*named))
        .ok_or(SignatureError::Algorithm(algorithm.oid))?;
    let signature = signature.as_bytes().ok_or(SignatureError::Mismatch)?;
    signature::verify(&key, named, message, signature).map_err(|bad| match bad {
        BadSignature::Mismatch => SignatureError::Mismatch,
        BadSignature::Disagreement => SignatureError::Disagreement,
    })
}
