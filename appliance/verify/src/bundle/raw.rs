//! The JSON of a bundle, and what it is decoded to (OMS v1.0, section 4).

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{BundleError, KeyIdentifier, Material, NewMaterial};
use crate::budget::Budget;
use crate::dsse::{self, NewEnvelope, RawEnvelope};
use crate::pki::Certificate;
use crate::sigstore::{Evidence, RawLogEntry};

/// The bundle in JSON. The schema allows no other field.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RawBundle<'a> {
    #[serde(borrow)]
    pub(super) media_type: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) verification_material: RawMaterial<'a>,
    #[serde(borrow)]
    pub(super) dsse_envelope: RawEnvelope<'a>,
}

/// A bundle to be written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewBundle<'a> {
    pub(super) media_type: &'static str,
    pub(super) verification_material: RawMaterial<'a>,
    pub(super) dsse_envelope: NewEnvelope<'a>,
}

/// The schema leaves other fields to Sigstore.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawMaterial<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    public_key: Option<RawPublicKey>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    x509_certificate_chain: Option<RawChain<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    certificate: Option<RawBytes<'a>>,
    /// Absent and empty are one (OMS v1.0, section 11.1); always written, since old readers of
    /// Sigstore bundles ask for it.
    #[serde(borrow, default, serialize_with = "empty_list")]
    tlog_entries: Option<RawLogEntries<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    timestamp_verification_data: Option<RawTimestamps<'a>>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawTimestamps<'a> {
    #[serde(borrow, default, deserialize_with = "crate::json::at_most::<1024, _, _>")]
    rfc3161_timestamps: Vec<RawTimestamp<'a>>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawTimestamp<'a> {
    #[serde(borrow)]
    signed_timestamp: Cow<'a, str>,
}

/// As many as a hostile list may make us read before they are counted.
#[derive(Default, Deserialize)]
#[serde(transparent)]
struct RawLogEntries<'a>(
    #[serde(borrow, deserialize_with = "crate::json::at_most::<1024, _, _>")] Vec<RawLogEntry<'a>>,
);

fn empty_list<S: serde::Serializer>(
    _: &Option<RawLogEntries<'_>>,
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
struct RawChain<'a> {
    #[serde(borrow, deserialize_with = "crate::json::at_most::<1024, _, _>")]
    certificates: Vec<RawBytes<'a>>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawBytes<'a> {
    #[serde(borrow)]
    raw_bytes: Cow<'a, str>,
}

/// Bytes of a key's hint: a digest in hexadecimal as OMS has it, or what Sigstore leaves open.
const HINT_LIMIT: usize = 1024;

impl RawMaterial<'_> {
    pub(super) fn new(material: &NewMaterial<'_>) -> Self {
        let certificate = |c: &Certificate| RawBytes { raw_bytes: dsse::encode(c.der()).into() };
        let mut raw = RawMaterial::default();
        match material {
            NewMaterial::Key(key) => {
                let hint = Some(key.hint().to_hex());
                raw.public_key = Some(RawPublicKey { hint, raw_bytes: None });
            }
            NewMaterial::Chain(chain) => {
                let certificates = chain.iter().map(certificate).collect();
                raw.x509_certificate_chain = Some(RawChain { certificates });
            }
            NewMaterial::Certificate(leaf) => raw.certificate = Some(certificate(leaf)),
        }
        raw
    }

    /// The RFC 3161 tokens, for any kind of material.
    pub(super) fn timestamps(&self, budget: &Budget) -> Result<Vec<Vec<u8>>, BundleError> {
        let Some(RawTimestamps { rfc3161_timestamps: tokens }) = &self.timestamp_verification_data
        else {
            return Ok(Vec::new());
        };
        if tokens.len() > budget.timestamps {
            let (found, limit) = (tokens.len(), budget.timestamps);
            return Err(BundleError::TooManyTimestamps { found, limit });
        }
        let decode = |token: &RawTimestamp<'_>| {
            let der =
                dsse::decode_some(&token.signed_timestamp).ok_or(BundleError::TimestampBase64)?;
            if der.len() > budget.timestamp_bytes {
                let (size, limit) = (der.len(), budget.timestamp_bytes);
                return Err(BundleError::TimestampTooLarge { size, limit });
            }
            Ok(der)
        };
        tokens.iter().map(decode).collect()
    }

    pub(super) fn decode(
        self,
        chain_may_be_sigstore: bool,
        budget: &Budget,
    ) -> Result<Material, BundleError> {
        let entries = self.tlog_entries.unwrap_or_default().0;
        let logged = |chain| {
            let evidence = Evidence::new(chain, &entries, budget)?;
            Ok(Material::Sigstore(Box::new(evidence)))
        };
        match (self.public_key, self.x509_certificate_chain, self.certificate) {
            (Some(key), None, None) => key.decode().map(Material::PublicKey),
            (None, Some(chain), None) => {
                let chain = certificates(&chain.certificates, budget)?;
                let is_sigstore = chain_may_be_sigstore && !entries.is_empty();
                if is_sigstore { logged(chain) } else { Ok(Material::Certificates(chain)) }
            }
            (None, None, Some(leaf)) => {
                let leaf = certificates(std::slice::from_ref(&leaf), budget)?;
                if entries.is_empty() { Ok(Material::Certificates(leaf)) } else { logged(leaf) }
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
        let hint = self.hint.filter(|hint| !hint.is_empty());
        if let Some(size) = hint.as_ref().map(String::len).filter(|size| *size > HINT_LIMIT) {
            return Err(BundleError::HintTooLong { size, limit: HINT_LIMIT });
        }
        let raw_bytes = match self.raw_bytes {
            Some(text) => Some(dsse::decode_some(&text).ok_or(BundleError::MaterialBase64)?),
            None => None,
        };
        Ok(KeyIdentifier { hint, raw_bytes })
    }
}

fn certificates(chain: &[RawBytes<'_>], budget: &Budget) -> Result<Vec<Certificate>, BundleError> {
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
