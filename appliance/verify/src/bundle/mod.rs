//! Reading and writing OMS bundles: Sigstore bundles that hold a DSSE envelope (OMS v1.0, section 4).
//!
//! A [`Bundle`] is an allegation. Its payload cannot be reached before a [`TrustedSigner`] has
//! opened it, and it is never serialised again: what was signed is verified as it stands.

mod error;
mod raw;
#[cfg(test)]
pub(crate) mod tests;

use std::io::{self, Write};

pub use error::{BundleError, OpenError};
use raw::{NewBundle, RawBundle, RawMaterial};

use crate::attestation::Attestation;
use crate::budget::Budget;
use crate::dsse::{self, Envelope, Message, NewEnvelope, PAYLOAD_TYPE_IN_TOTO};
use crate::hash::Sha256Digest;
use crate::json;
use crate::key::{BadSignature, PublicKey};
use crate::pki::{Certificate, VerifiedPath};
use crate::sigstore::{Evidence, SigstoreSigner};
use crate::statement::{Legacy, Statement};
use crate::verdict::ReceivedVerdict;

/// The mediaType of bundles that are written here.
pub const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// The media types that are read.
pub const MEDIA_TYPES: [&str; 4] = [
    "application/vnd.dev.sigstore.bundle+json;version=0.1",
    "application/vnd.dev.sigstore.bundle+json;version=0.2",
    "application/vnd.dev.sigstore.bundle+json;version=0.3",
    MEDIA_TYPE,
];

/// A bundle that has the right structure and that nobody has verified.
#[derive(Clone, Debug)]
pub struct Bundle {
    digest: Sha256Digest,
    size: u64,
    media_type: String,
    material: Material,
    timestamps: Vec<Vec<u8>>,
    envelope: Envelope,
}

/// The verification material: what the bundle says about its signer (OMS v1.0, section 4.1).
#[derive(Clone, Debug)]
pub enum Material {
    /// The method `key`.
    PublicKey(KeyIdentifier),
    /// The method `certificate`: leaf first, the rest in any order. Never empty.
    Certificates(Vec<Certificate>),
    /// The method `sigstore`: the leaf that Fulcio issued, and the entries of transparency logs.
    Sigstore(Box<Evidence>),
}

impl Material {
    /// The method's name in OMS.
    pub fn method(&self) -> &'static str {
        match self {
            Material::PublicKey(_) => "key",
            Material::Certificates(_) => "certificate",
            Material::Sigstore(_) => "sigstore",
        }
    }
}

/// How a bundle of the method `key` names its key: by a hint, by the key itself, or not at all.
#[derive(Clone, Debug, Default)]
pub struct KeyIdentifier {
    hint: Option<String>,
    raw_bytes: Option<Vec<u8>>,
}

impl KeyIdentifier {
    /// The hint as it stands.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Whether `key` is the key that the bundle names. What is not named is not contradicted.
    fn names(&self, key: &PublicKey) -> bool {
        let by_hint = self.hint.as_ref().is_none_or(|hint| *hint == key.hint().to_hex());
        let by_bytes = self.raw_bytes.as_ref().is_none_or(|raw| {
            // Bundles before version 1.1 hold the PEM text, others may hold the DER.
            PublicKey::from_pem(raw).or_else(|_| PublicKey::from_spki_der(raw)).as_ref() == Ok(key)
        });
        by_hint && by_bytes
    }
}

/// A public key that a policy pins and that the bundle names: the method `key`.
#[derive(Clone, Debug)]
pub struct TrustedKey(PublicKey);

/// The bundle names another key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bundle names another public key")]
pub struct WrongKey;

impl TrustedKey {
    /// Trusts `pinned`, which the caller's policy or command line names, for a bundle with this
    /// identifier.
    ///
    /// # Errors
    /// When the identifier names another key.
    pub fn new(pinned: PublicKey, identifier: &KeyIdentifier) -> Result<Self, WrongKey> {
        if identifier.names(&pinned) { Ok(TrustedKey(pinned)) } else { Err(WrongKey) }
    }
}

/// Whoever may open a bundle.
#[derive(Clone, Debug)]
pub enum TrustedSigner {
    /// A pinned key.
    Key(TrustedKey),
    /// The leaf of a path to an anchor.
    Certificate(Box<VerifiedPath>),
    /// Whoever a Sigstore instance vouches for, as the signer of this one bundle.
    Sigstore(Box<SigstoreSigner>),
}

impl TrustedSigner {
    /// The signer's public key.
    pub fn key(&self) -> &PublicKey {
        match self {
            TrustedSigner::Key(TrustedKey(key)) => key,
            TrustedSigner::Certificate(path) => path.key(),
            TrustedSigner::Sigstore(signer) => signer.key(),
        }
    }
}

impl Bundle {
    /// Reads a bundle of any version since 0.2.0.
    ///
    /// # Errors
    /// The first rule that the bytes break.
    pub fn parse(bytes: &[u8], budget: &Budget) -> Result<Self, BundleError> {
        if bytes.is_empty() {
            return Err(BundleError::Empty);
        }
        let size = bytes.len() as u64;
        if size > budget.bundle_bytes {
            return Err(BundleError::TooLarge { size, limit: budget.bundle_bytes });
        }
        let raw: RawBundle<'_> = json::from_slice(bytes, budget.json_depth)?;
        if !MEDIA_TYPES.contains(&&*raw.media_type) {
            return Err(BundleError::MediaType(raw.media_type.chars().take(128).collect()));
        }
        let timestamps = raw.verification_material.timestamps(budget)?;
        // Before version 0.3 Sigstore had no single certificate; since then it has no chain.
        let chain_may_be_sigstore = MEDIA_TYPES.iter().take(2).any(|old| *old == raw.media_type);
        let material = raw.verification_material.decode(chain_may_be_sigstore, budget)?;
        let envelope = raw.dsse_envelope.decode()?;
        let digest = Sha256Digest::of(bytes);
        let media_type = raw.media_type.into_owned();
        Ok(Bundle { digest, size, media_type, material, timestamps, envelope })
    }

    /// SHA-256 of the bundle's bytes.
    pub fn digest(&self) -> Sha256Digest {
        self.digest
    }

    /// Bytes of the bundle.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The media type as it stands.
    pub fn media_type(&self) -> &str {
        &self.media_type
    }

    /// What the bundle says about its signer.
    pub fn material(&self) -> &Material {
        &self.material
    }

    /// The RFC 3161 time stamps as they were found: each a TimeStampResp or TimeStampToken,
    /// unverified. What they must be over is [`Bundle::signature_bytes`]; see
    /// [`timestamp::earliest`](crate::timestamp::earliest).
    pub fn timestamps(&self) -> &[Vec<u8>] {
        &self.timestamps
    }

    /// The signature of the envelope, unverified.
    pub fn signature_bytes(&self) -> &[u8] {
        &self.envelope.signature
    }

    /// What the signature is over.
    pub(crate) fn signed_message(&self) -> &[u8] {
        self.envelope.message.as_bytes()
    }

    /// The type of the payload, as alleged.
    pub(crate) fn payload_type(&self) -> &str {
        &self.envelope.payload_type
    }

    /// Verifies the signature over the payload as it stands, and only then reads the payload.
    ///
    /// # Errors
    /// When the signature does not verify, or what was signed is not an OMS statement.
    pub fn open(
        &self,
        signer: &TrustedSigner,
        legacy: Legacy,
        budget: &Budget,
    ) -> Result<Statement, OpenError> {
        let (payload, encoding) = self.verify(signer, legacy)?;
        let statement = Statement::parse(payload, legacy, budget)?;
        // The old encoding tells less than today's: nobody signs today's statements in it.
        if encoding == Encoding::Version02 && !statement.is_legacy() {
            return Err(OpenError::Signature(shown(signer.key())));
        }
        Ok(statement)
    }

    /// Verifies the signature of an attestation over its payload as it stands, and only then reads
    /// the payload.
    ///
    /// # Errors
    /// When the signature does not verify, or what was signed is not an attestation.
    pub fn open_attestation(
        &self,
        signer: &TrustedSigner,
        budget: &Budget,
    ) -> Result<Attestation<'_>, OpenError> {
        Ok(Attestation::parse(self.signed_payload(signer)?, budget)?)
    }

    /// The statement of a re-signed bundle on the word of the verdict that names it: a station that
    /// is trusted signed the digest of exactly these bytes. For receivers that trust the verdict's
    /// key and do not have the key of the re-signed bundle; its signature is not looked at.
    ///
    /// # Errors
    /// When `verdict` names another bundle or none, or the payload is not an OMS statement.
    pub fn statement_vouched_for(
        &self,
        verdict: &ReceivedVerdict,
        budget: &Budget,
    ) -> Result<Statement, OpenError> {
        if verdict.resigned.map(|(digest, _)| digest) != Some(self.digest) {
            return Err(OpenError::NotVouchedFor);
        }
        self.check_payload_type()?;
        Ok(Statement::parse(self.envelope.message.payload(), Legacy::Refuse, budget)?)
    }

    /// The payload, after its signature and its type have been verified.
    pub(crate) fn signed_payload(&self, signer: &TrustedSigner) -> Result<&[u8], OpenError> {
        self.verify(signer, Legacy::Refuse).map(|(payload, _)| payload)
    }

    fn verify(
        &self,
        signer: &TrustedSigner,
        legacy: Legacy,
    ) -> Result<(&[u8], Encoding), OpenError> {
        if !self.names(signer) {
            return Err(OpenError::OtherSigner);
        }
        let (key, payload) = (signer.key(), self.envelope.message.payload());
        let signature = &self.envelope.signature;
        let encoding = match key.verify(self.envelope.message.as_bytes(), signature) {
            Ok(()) => Encoding::Dsse,
            Err(BadSignature::Disagreement) => return Err(OpenError::Disagreement(shown(key))),
            Err(BadSignature::Mismatch)
                if legacy == Legacy::Allow && verifies_as_version_02(key, payload, signature) =>
            {
                Encoding::Version02
            }
            Err(BadSignature::Mismatch) => return Err(OpenError::Signature(shown(key))),
        };
        self.check_payload_type()?;
        Ok((payload, encoding))
    }

    /// Whether the bundle names `signer`. A key has been compared when it became a trusted one.
    fn names(&self, signer: &TrustedSigner) -> bool {
        match (signer, &self.material) {
            (TrustedSigner::Key(_), _) => true,
            (TrustedSigner::Certificate(path), Material::Certificates(chain)) => {
                let leaf = chain.first().map(Certificate::fingerprint);
                leaf == Some(path.leaf().fingerprint())
            }
            (TrustedSigner::Sigstore(signer), Material::Sigstore(_)) => {
                signer.bundle() == self.digest
            }
            (TrustedSigner::Certificate(_) | TrustedSigner::Sigstore(_), _) => false,
        }
    }

    fn check_payload_type(&self) -> Result<(), OpenError> {
        let payload_type = &self.envelope.payload_type;
        if payload_type == PAYLOAD_TYPE_IN_TOTO {
            return Ok(());
        }
        Err(OpenError::PayloadType(payload_type.chars().take(128).collect()))
    }

    /// Gives the message away, for whoever needs the payload after all else.
    pub(crate) fn into_message(self) -> Message {
        self.envelope.message
    }

    /// The payload as it stands, unverified. Only to show what a bundle alleges, never to decide.
    pub fn alleged_payload(&self) -> &[u8] {
        self.envelope.message.payload()
    }
}

/// In which encoding a payload was signed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Dsse,
    /// The one of version 0.2 of the Python implementation.
    Version02,
}

/// Version 0.2 hashed with SHA-256 whatever the curve, later ones did not.
fn verifies_as_version_02(key: &PublicKey, payload: &[u8], signature: &[u8]) -> bool {
    let message = dsse::pae_legacy(payload);
    key.verify_legacy(&message, signature).or_else(|_| key.verify(&message, signature)).is_ok()
}

fn shown(key: &PublicKey) -> String {
    format!("the {} key {}", key.key_type(), key.fingerprint())
}

/// Whose material a new bundle carries.
pub enum NewMaterial<'a> {
    /// The method `key`: the hint of this key.
    Key(&'a PublicKey),
    /// The method `certificate`: leaf and intermediates.
    Chain(&'a [Certificate]),
    /// A single certificate, as bundles of verdicts have it.
    Certificate(&'a Certificate),
}

/// Writes a bundle around a payload and its signature (over [`dsse::pae`]): JSON and a newline.
///
/// Nothing of it is held in memory: a bundle may be as large as its model has files.
///
/// # Errors
/// Those of `writer`.
pub fn write(
    writer: impl Write,
    payload: &[u8],
    signature: &[u8],
    material: &NewMaterial<'_>,
) -> io::Result<()> {
    let bundle = NewBundle {
        media_type: MEDIA_TYPE,
        verification_material: RawMaterial::new(material),
        dsse_envelope: NewEnvelope::new(payload, signature),
    };
    let mut writer = writer;
    serde_json::to_writer(&mut writer, &bundle)?;
    writer.write_all(b"\n")
}

/// The bytes of a bundle as [`write()`] makes it.
pub fn assemble(payload: &[u8], signature: &[u8], material: &NewMaterial<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A Vec takes all that is written, and the structure has no other error.
    let _ = write(&mut bytes, payload, signature, material);
    bytes
}
