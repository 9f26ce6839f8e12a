//! Log entries: that the log of the entry signed a tree head under which the entry stands
//! (RFC 9162, section 2.1.3; checkpoints as in C2SP `tlog-checkpoint`).

use sigstore_merkle::{hash_leaf, verify_inclusion_proof};
use sigstore_verify::rekor::body::RekorEntryBody;
use sigstore_verify::types::{CanonicalizedBody, Checkpoint, KindVersion, Sha256Hash};

use super::evidence::Kind;
use super::root::Log;
use super::{LogEntry, SigstoreError, TrustedRoot};
use crate::hash::Sha256Digest;
use crate::pki::Certificate;
use crate::time::UnixTime;

/// Signatures of one checkpoint that are looked at: the log's own may stand among witnesses'.
const SIGNATURES_LIMIT: usize = 32;

impl LogEntry {
    /// Checks the inclusion proof and that its checkpoint is signed by the log of this entry.
    ///
    /// # Errors
    /// When the log is unknown, or there is no proof that holds.
    pub(super) fn check_inclusion(&self, root: &TrustedRoot) -> Result<(), SigstoreError> {
        let log = self.log(root)?;
        let proof = self.proof.as_ref().ok_or(SigstoreError::NoInclusionProof)?;
        let checkpoint = Checkpoint::from_text(&proof.checkpoint)
            .map_err(|error| refuse(format!("the checkpoint is malformed: {error}")))?;
        if !is_signed(&checkpoint, self, log) {
            return Err(refuse("the checkpoint is not signed by the log of the entry"));
        }
        // Version 2 has its tree head in the checkpoint alone; version 1 repeats it.
        let head = (checkpoint.tree_size(), checkpoint.root_hash().as_bytes());
        if !self.kind.is_v2() && head != (proof.size, &proof.root) {
            return Err(refuse("the inclusion proof is for another tree than the checkpoint"));
        }
        let index = if self.kind.is_v2() { self.index } else { proof.index };
        let hashes: Vec<_> = proof.hashes.iter().map(|hash| Sha256Hash::new(*hash)).collect();
        let leaf = hash_leaf(&self.body);
        verify_inclusion_proof(&leaf, index, head.0, &hashes, checkpoint.root_hash())
            .map_err(|error| refuse(format!("the inclusion proof does not hold: {error}")))
    }

    /// Checks that an entry of the kind `intoto` has this very leaf: the library compares its key
    /// only, and the certificate of the other kinds.
    ///
    /// # Errors
    /// When it has another certificate or none.
    pub(super) fn check_certificate(&self, leaf: &Certificate) -> Result<(), SigstoreError> {
        if self.kind != Kind::Intoto {
            return Ok(());
        }
        let body = CanonicalizedBody::from_bytes(&self.body);
        let found = match RekorEntryBody::parse(&body, KindVersion::IntotoV002) {
            Ok(RekorEntryBody::IntotoV002(body)) => {
                let signatures = body.spec.content.envelope.signatures;
                signatures.first().and_then(|signature| signature.parse_certificate().ok())
            }
            Ok(_) | Err(_) => None,
        };
        if found.is_some_and(|found| found.as_bytes() == leaf.der()) {
            return Ok(());
        }
        Err(SigstoreError::LogEntry("the log entry is about another certificate".to_owned()))
    }

    /// Checks that the log's key was valid at `time`.
    ///
    /// # Errors
    /// When it was not, or the log is unknown.
    pub(super) fn check_log_key(
        &self,
        root: &TrustedRoot,
        time: UnixTime,
    ) -> Result<(), SigstoreError> {
        if self.log(root)?.is_valid_at(time) {
            return Ok(());
        }
        Err(SigstoreError::LogKeyWindow { log: Sha256Digest(self.log).to_hex(), time })
    }

    /// When the log took the entry in, if the log signed that: without its promise nobody did.
    pub(super) fn promised_time(&self) -> Option<UnixTime> {
        let signed = self.promise.is_some() && !self.kind.is_v2();
        self.integrated.filter(|_| signed).map(UnixTime)
    }

    fn log<'r>(&self, root: &'r TrustedRoot) -> Result<&'r Log, SigstoreError> {
        root.log(&self.log).ok_or_else(|| SigstoreError::UnknownLog {
            log: Sha256Digest(self.log).to_hex(),
            root: root.name.clone(),
        })
    }
}

/// Whether the log itself signed: its identifier begins with the key's hint.
fn is_signed(checkpoint: &Checkpoint, entry: &LogEntry, log: &Log) -> bool {
    let message = checkpoint.signed_data();
    checkpoint
        .signatures()
        .iter()
        .filter(|signature| entry.log.starts_with(signature.key_id.as_bytes()))
        .take(SIGNATURES_LIMIT)
        .any(|signature| log.key.verify(message, &signature.signature).is_ok())
}

fn refuse(detail: impl Into<String>) -> SigstoreError {
    SigstoreError::InclusionProof(detail.into())
}
