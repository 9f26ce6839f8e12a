//! Reading and writing OMS bundles: Sigstore bundles that hold a DSSE envelope (OMS v1.0, section 4).
//!
//! A [`Bundle`] is an allegation. Its payload cannot be reached before a [`TrustedSigner`] has
//! opened it, and it is never serialised again: what was signed is verified as it stands.

use serde::{Deserialize, Serialize};

use crate::budget::Budget;
use crate::dsse::{self, Envelope, EnvelopeError, PAYLOAD_TYPE_IN_TOTO, RawEnvelope};
use crate::hash::Sha256Digest;
use crate::json::{self, Anything, JsonError};
use crate::key::PublicKey;
use crate::pki::{Certificate, CertificateError, VerifiedPath};
use crate::reason::{Code, Reason};
use crate::statement::{Legacy, Statement, StatementError};

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
    envelope: Envelope,
}

/// The verification material: what the bundle says about its signer (OMS v1.0, section 4.1).
#[derive(Clone, Debug)]
pub enum Material {
    /// The method `key`.
    PublicKey(KeyIdentifier),
    /// The method `certificate`: leaf first, the rest in any order. Never empty.
    Certificates(Vec<Certificate>),
    /// The method `sigstore`, with the leaf that Fulcio issued.
    Sigstore(Box<Certificate>),
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
}

impl TrustedSigner {
    /// The signer's public key.
    pub fn key(&self) -> &PublicKey {
        match self {
            TrustedSigner::Key(TrustedKey(key)) => key,
            TrustedSigner::Certificate(path) => path.key(),
        }
    }
}

/// Why bytes are not a [`Bundle`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// no bytes
    #[error("the file is empty")]
    Empty,
    /// more bytes than the budget
    #[error("the file has {size} bytes, the limit is {limit}")]
    TooLarge {
        /// Bytes of the file.
        size: u64,
        /// The budget.
        limit: u64,
    },
    /// not strict JSON, or not of the structure
    #[error(transparent)]
    Json(#[from] JsonError),
    /// another media type
    #[error("mediaType is {0:?}")]
    MediaType(String),
    /// the envelope is wrong
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// no or several kinds of verification material
    #[error(
        "the verification material names {0} of publicKey, x509CertificateChain and certificate instead of one"
    )]
    MaterialCount(usize),
    /// a certificate or key that is not base64
    #[error("the verification material holds rawBytes that are not base64")]
    MaterialBase64,
    /// more certificates than the budget
    #[error("the chain holds {found} certificates, the limit is {limit}")]
    TooManyCertificates {
        /// How many.
        found: usize,
        /// The budget.
        limit: usize,
    },
    /// a certificate larger than the budget
    #[error("a certificate has {size} bytes, the limit is {limit}")]
    CertificateTooLarge {
        /// Bytes.
        size: usize,
        /// The budget.
        limit: usize,
    },
    /// a chain without certificates
    #[error("the chain holds no certificate")]
    NoCertificate,
    /// a certificate that cannot be read
    #[error("certificate {index} of the bundle: {error}")]
    Certificate {
        /// Its place in the bundle, from 0.
        index: usize,
        /// What is wrong with it.
        error: CertificateError,
    },
}

impl BundleError {
    /// The stable code.
    pub fn code(&self) -> Code {
        match self {
            BundleError::Empty => Code::BundleEmpty,
            BundleError::TooLarge { .. } => Code::BundleTooLarge,
            BundleError::Json(JsonError::DuplicateKey { .. }) => Code::BundleDuplicateKey,
            BundleError::Json(JsonError::TooDeep { .. }) => Code::BundleTooDeep,
            BundleError::Json(JsonError::Syntax { .. }) => Code::BundleJson,
            BundleError::Json(JsonError::Structure { .. }) => Code::BundleSchema,
            BundleError::MediaType(_) => Code::BundleMediaType,
            BundleError::Envelope(EnvelopeError::SignatureCount(_)) => Code::BundleSignatureCount,
            BundleError::Envelope(_) => Code::BundleSchema,
            BundleError::MaterialCount(_)
            | BundleError::MaterialBase64
            | BundleError::TooManyCertificates { .. }
            | BundleError::CertificateTooLarge { .. }
            | BundleError::NoCertificate => Code::BundleMaterial,
            BundleError::Certificate { .. } => Code::SignatureCertificateInvalid,
        }
    }
}

impl From<&BundleError> for Reason {
    fn from(error: &BundleError) -> Reason {
        let reason = Reason::new(error.code(), error.to_string());
        match error {
            BundleError::TooLarge { .. } => reason.by_rule("manifest.max-bundle-bytes"),
            _ => reason,
        }
    }
}

/// Why a bundle could not be opened by a signer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// the signature does not verify
    #[error("the signature does not verify under {0}")]
    Signature(String),
    /// the signer is not the one whose certificate the bundle holds
    #[error("the signer is not the leaf of the bundle's chain")]
    OtherSigner,
    /// the payload type is another one
    #[error("payloadType is {0:?}")]
    PayloadType(String),
    /// the payload is not an OMS statement
    #[error(transparent)]
    Statement(#[from] StatementError),
}

impl From<&OpenError> for Reason {
    fn from(error: &OpenError) -> Reason {
        match error {
            OpenError::Signature(_) => Reason::new(Code::SignatureInvalid, error.to_string()),
            OpenError::OtherSigner => Reason::new(Code::SignatureWrongKey, error.to_string()),
            OpenError::PayloadType(_) => Reason::new(Code::BundlePayloadType, error.to_string()),
            OpenError::Statement(e) => Reason::from(e),
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
        let raw: RawBundle = json::from_slice(bytes, budget.json_depth)?;
        if !MEDIA_TYPES.contains(&raw.media_type.as_str()) {
            return Err(BundleError::MediaType(raw.media_type.chars().take(128).collect()));
        }
        let material = raw.verification_material.decode(budget)?;
        let envelope = raw.dsse_envelope.decode()?;
        let digest = Sha256Digest::of(bytes);
        Ok(Bundle { digest, size, media_type: raw.media_type, material, envelope })
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
        Ok(Statement::parse(self.signed_payload(signer, legacy)?, legacy, budget)?)
    }

    /// The payload, after its signature and its type have been verified.
    pub(crate) fn signed_payload(
        &self,
        signer: &TrustedSigner,
        legacy: Legacy,
    ) -> Result<&[u8], OpenError> {
        if let (TrustedSigner::Certificate(path), Material::Certificates(chain)) =
            (signer, &self.material)
            && chain.first().map(Certificate::fingerprint) != Some(path.leaf().fingerprint())
        {
            return Err(OpenError::OtherSigner);
        }
        let Envelope { payload_type, payload, signature } = &self.envelope;
        let key = signer.key();
        let verified = key.verify(&dsse::pae(payload_type, payload), signature).or_else(|bad| {
            match legacy {
                Legacy::Refuse => Err(bad),
                // Version 0.2 hashed with SHA-256 whatever the curve, later ones did not.
                Legacy::Allow => {
                    let message = dsse::pae_legacy(payload);
                    key.verify_legacy(&message, signature)
                        .or_else(|_| key.verify(&message, signature))
                }
            }
        });
        if verified.is_err() {
            return Err(OpenError::Signature(format!(
                "the {} key {}",
                key.key_type(),
                key.fingerprint()
            )));
        }
        if payload_type != PAYLOAD_TYPE_IN_TOTO {
            return Err(OpenError::PayloadType(payload_type.chars().take(128).collect()));
        }
        Ok(payload)
    }

    /// The payload as it stands, unverified. Only to show what a bundle alleges, never to decide.
    pub fn alleged_payload(&self) -> &[u8] {
        &self.envelope.payload
    }
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
pub fn assemble(payload: &[u8], signature: &[u8], material: &NewMaterial<'_>) -> Vec<u8> {
    let certificate = |c: &Certificate| RawBytes { raw_bytes: dsse::encode(c.der()) };
    let mut verification_material = RawMaterial::default();
    match material {
        NewMaterial::Key(key) => {
            verification_material.public_key =
                Some(RawPublicKey { hint: Some(key.hint().to_hex()), raw_bytes: None });
        }
        NewMaterial::Chain(chain) => {
            verification_material.x509_certificate_chain =
                Some(RawChain { certificates: chain.iter().map(certificate).collect() });
        }
        NewMaterial::Certificate(leaf) => {
            verification_material.certificate = Some(certificate(leaf));
        }
    }
    let mut bytes = json::to_vec(&RawBundle {
        media_type: MEDIA_TYPE.to_owned(),
        verification_material,
        dsse_envelope: RawEnvelope::new(payload, signature),
    });
    bytes.push(b'\n');
    bytes
}

/// The bundle in JSON. The schema allows no other field.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawBundle {
    media_type: String,
    verification_material: RawMaterial,
    dsse_envelope: RawEnvelope,
}

/// The schema leaves other fields to Sigstore.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawMaterial {
    #[serde(skip_serializing_if = "Option::is_none")]
    public_key: Option<RawPublicKey>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x509_certificate_chain: Option<RawChain>,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<RawBytes>,
    /// Absent and empty are one (OMS v1.0, section 11.1); always written, since old readers of
    /// Sigstore bundles ask for it.
    #[serde(default, serialize_with = "empty_list")]
    tlog_entries: Option<Vec<Anything>>,
}

fn empty_list<S: serde::Serializer>(
    _: &Option<Vec<Anything>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let none: [(); 0] = [];
    none.serialize(serializer)
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawPublicKey {
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_bytes: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct RawChain {
    certificates: Vec<RawBytes>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawBytes {
    raw_bytes: String,
}

impl RawMaterial {
    fn decode(self, budget: &Budget) -> Result<Material, BundleError> {
        let logged = self.tlog_entries.is_some_and(|entries| !entries.is_empty());
        match (self.public_key, self.x509_certificate_chain, self.certificate) {
            (Some(key), None, None) => key.decode().map(Material::PublicKey),
            (None, Some(chain), None) => {
                certificates(&chain.certificates, budget).map(Material::Certificates)
            }
            (None, None, Some(leaf)) => {
                let mut leaf = certificates(std::slice::from_ref(&leaf), budget)?;
                match leaf.pop() {
                    Some(leaf) if logged => Ok(Material::Sigstore(Box::new(leaf))),
                    Some(leaf) => Ok(Material::Certificates(vec![leaf])),
                    None => Err(BundleError::NoCertificate),
                }
            }
            (key, chain, leaf) => Err(BundleError::MaterialCount(
                usize::from(key.is_some())
                    + usize::from(chain.is_some())
                    + usize::from(leaf.is_some()),
            )),
        }
    }
}

impl RawPublicKey {
    fn decode(self) -> Result<KeyIdentifier, BundleError> {
        let raw_bytes = match self.raw_bytes {
            Some(text) => Some(dsse::decode_some(&text).ok_or(BundleError::MaterialBase64)?),
            None => None,
        };
        Ok(KeyIdentifier { hint: self.hint.filter(|hint| !hint.is_empty()), raw_bytes })
    }
}

fn certificates(chain: &[RawBytes], budget: &Budget) -> Result<Vec<Certificate>, BundleError> {
    if chain.is_empty() {
        return Err(BundleError::NoCertificate);
    }
    if chain.len() > budget.certificates {
        return Err(BundleError::TooManyCertificates {
            found: chain.len(),
            limit: budget.certificates,
        });
    }
    chain
        .iter()
        .enumerate()
        .map(|(index, certificate)| {
            let der =
                dsse::decode_some(&certificate.raw_bytes).ok_or(BundleError::MaterialBase64)?;
            if der.len() > budget.certificate_bytes {
                let (size, limit) = (der.len(), budget.certificate_bytes);
                return Err(BundleError::CertificateTooLarge { size, limit });
            }
            Certificate::from_der(&der).map_err(|error| BundleError::Certificate { index, error })
        })
        .collect()
}
