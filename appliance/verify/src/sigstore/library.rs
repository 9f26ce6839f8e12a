//! The whole verification once more with `sigstore-verify`, from values that were read here: the
//! library never reads the JSON of a bundle.

use sigstore_verify::types::bundle::{
    CertificateContent, CheckpointData, InclusionPromise, InclusionProof, LogId, Rfc3161Timestamp,
    TimestampVerificationData, VerificationMaterial, VerificationMaterialContent, X509Certificate,
};
use sigstore_verify::types::{
    Bundle as LibraryBundle, CanonicalizedBody, DerCertificate, DsseEnvelope, DsseSignature, KeyId,
    KindVersion, LogIndex, LogKeyId, MediaType, PayloadBytes, Sha256Hash, SignatureBytes,
    SignatureContent, SignedTimestamp, TimestampToken, TransparencyLogEntry,
};
use sigstore_verify::{
    CertificateError, Error, TransparencyLogError, VerificationPolicy, VerificationResult,
};

use super::evidence::Kind;
use super::{Evidence, LogEntry, SigstoreError, TrustedRoot, TrustedTime};
use crate::bundle::Bundle;
use crate::json;

/// Values, and keys of objects, in a statement. A manifest of as many files as a policy can allow
/// stays within it.
const PARTS_LIMIT: usize = 1_000_000;

/// Verifies everything that the library verifies: certificate chain, certificate timestamp, log
/// entries with their promises, time stamps, and that each entry is about this signature. `times`
/// must be what it finds.
///
/// # Errors
/// What the library refuses.
pub(super) fn verify(
    bundle: &Bundle,
    evidence: &Evidence,
    root: &TrustedRoot,
    times: &[TrustedTime],
    depth: usize,
) -> Result<(), SigstoreError> {
    // The library asks for an artifact that the statement is about. Which one, OMS decides later.
    let subject = subject(bundle.alleged_payload(), depth)?;
    // It keeps the statement as a tree, which takes up to a hundred times the memory.
    if parts(bundle.alleged_payload()) > PARTS_LIMIT {
        return Err(malformed(format_args!("the statement has more than {PARTS_LIMIT} values")));
    }
    let library = convert(bundle, evidence)?;
    let policy = VerificationPolicy::any_identity();
    let result = root.verifier().verify(subject, &library, &policy).map_err(translate)?;
    if is_complete(&result) && is_same(result.verified_timestamps(), times) {
        Ok(())
    } else {
        Err(SigstoreError::Malformed("the bundle was verified only in part".to_owned()))
    }
}

fn is_complete(result: &VerificationResult) -> bool {
    result.certificate_verified() && result.sct_verified() && result.tlog_verified()
}

/// Both have the time stamps first, then the entries, in the bundle's order.
fn is_same(found: &[jiff::Timestamp], times: &[TrustedTime]) -> bool {
    found.iter().map(|time| time.as_second()).eq(times.iter().map(|trusted| trusted.time.0))
}

fn convert(bundle: &Bundle, evidence: &Evidence) -> Result<LibraryBundle, SigstoreError> {
    let media_type: MediaType = bundle.media_type().parse().map_err(malformed)?;
    let mut certificates = evidence
        .certificates()
        .iter()
        .map(|certificate| DerCertificate::from_bytes(certificate.der()));
    let content = match (media_type, certificates.len(), certificates.next()) {
        (MediaType::Bundle0_3, 1, Some(leaf)) => {
            VerificationMaterialContent::Certificate(CertificateContent::new(leaf))
        }
        (_, _, leaf) => {
            let all = leaf.into_iter().chain(certificates).map(X509Certificate::new).collect();
            VerificationMaterialContent::X509CertificateChain { certificates: all }
        }
    };
    let entries = evidence.entries().iter().map(entry).collect::<Result<_, _>>()?;
    let stamp = |token: &Vec<u8>| Rfc3161Timestamp::new(TimestampToken::from_bytes(token));
    let stamps = bundle.timestamps().iter().map(stamp).collect();
    let material = VerificationMaterial::new(content)
        .with_tlog_entries(entries)
        .with_timestamp_verification_data(TimestampVerificationData::new(stamps));
    let signature = SignatureBytes::from_bytes(bundle.signature_bytes());
    let envelope = DsseEnvelope::new(
        bundle.payload_type(),
        PayloadBytes::from_bytes(bundle.alleged_payload()),
        DsseSignature::new(signature, KeyId::default()),
    );
    Ok(LibraryBundle::new(media_type, material, SignatureContent::DsseEnvelope(envelope)))
}

fn entry(entry: &LogEntry) -> Result<TransparencyLogEntry, SigstoreError> {
    let kind = match entry.kind {
        Kind::Dsse => KindVersion::DsseV001,
        Kind::Intoto => KindVersion::IntotoV002,
        Kind::HashedRekord => KindVersion::HashedRekordV001,
        Kind::HashedRekordV2 => KindVersion::HashedRekordV002,
    };
    let mut made = TransparencyLogEntry::new(
        LogIndex::new(entry.index).map_err(malformed)?,
        LogId::new(LogKeyId::from_bytes(&entry.log)),
        kind,
        CanonicalizedBody::from_bytes(&entry.body),
    );
    if let Some(time) = entry.integrated {
        let time = jiff::Timestamp::from_second(time).map_err(malformed)?;
        made = made.with_integrated_time(time);
    }
    if let Some(promise) = &entry.promise {
        let promise = InclusionPromise::new(SignedTimestamp::from_bytes(promise));
        made = made.with_inclusion_promise(promise);
    }
    if let Some(proof) = &entry.proof {
        made = made.with_inclusion_proof(InclusionProof::new(
            LogIndex::new(proof.index).map_err(malformed)?,
            Sha256Hash::new(proof.root),
            proof.size,
            proof.hashes.iter().map(|hash| Sha256Hash::new(*hash)).collect(),
            CheckpointData::new(&*proof.checkpoint).map_err(malformed)?,
        ));
    }
    Ok(made)
}

/// The SHA-256 of the first subject of the statement that the bundle alleges.
fn subject(payload: &[u8], depth: usize) -> Result<Sha256Hash, SigstoreError> {
    #[derive(serde::Deserialize)]
    struct Statement {
        #[serde(deserialize_with = "json::at_most::<1024, _, _>")]
        subject: Vec<Subject>,
    }
    #[derive(serde::Deserialize)]
    struct Subject {
        digest: Digest,
    }
    #[derive(serde::Deserialize)]
    struct Digest {
        sha256: Option<String>,
    }
    let statement: Statement = json::from_slice(payload, depth).map_err(malformed)?;
    let digest = statement.subject.into_iter().find_map(|subject| subject.digest.sha256);
    let digest = digest.ok_or_else(|| malformed("the statement's subject has no SHA-256"))?;
    Sha256Hash::from_hex(&digest).map_err(malformed)
}

/// How many values and keys strict JSON has, more or less: what stands between them is counted.
fn parts(json: &[u8]) -> usize {
    let (mut count, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => in_string = !in_string,
            b',' | b':' | b'[' | b'{' if !in_string => count = count.saturating_add(1),
            _ => {}
        }
    }
    count
}

fn malformed(error: impl std::fmt::Display) -> SigstoreError {
    SigstoreError::Malformed(shown(error))
}

fn shown(error: impl std::fmt::Display) -> String {
    error.to_string().chars().take(256).collect()
}

/// The library's refusal in our terms.
fn translate(error: Error) -> SigstoreError {
    let detail = shown(&error);
    match error {
        Error::SignatureInvalid(_) => SigstoreError::Signature,
        Error::Certificate(CertificateError::Sct(_)) => {
            SigstoreError::CertificateTransparency(detail)
        }
        // Only a root without a certificate transparency log gets as far as a verification.
        Error::InvalidTrustRoot(_) => SigstoreError::CertificateTransparency(detail),
        Error::Certificate(_) | Error::Crypto(_) => SigstoreError::Certificate(detail),
        // The promise stands for the entry's time; inclusion has been proven before.
        Error::TransparencyLog(
            TransparencyLogError::InclusionPromise(_) | TransparencyLogError::IntegratedTime(_),
        )
        | Error::Timestamp(_) => SigstoreError::Time(detail),
        Error::TransparencyLog(
            TransparencyLogError::InclusionProof(_) | TransparencyLogError::Checkpoint(_),
        ) => SigstoreError::InclusionProof(detail),
        Error::TransparencyLog(_) | Error::ArtifactMismatch(_) => SigstoreError::LogEntry(detail),
        _ => SigstoreError::Malformed(detail),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_separates_values_is_counted_outside_strings() {
        assert_eq!(parts(br#"{"a":[1,{"b":null}],"c":""}"#), 8);
        assert_eq!(parts(br#"["a,b:[{", "\",\\\"", "\\", ","]"#), 4);
    }
}
