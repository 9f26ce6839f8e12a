//! Makes signed bundles, certificates and policies for tests.
//!
//! Everything is validly signed unless a test spoils it, so that a refusal is about the rule that
//! the test means and not about a signature.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P521_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType, SignatureAlgorithm, SigningKey, date_time_ymd,
};
use serde_json::{Value, json};

use crate::budget::Budget;
use crate::bundle::{
    Bundle, KeyIdentifier, NewMaterial, OpenError, TrustedKey, TrustedSigner, assemble,
};
use crate::dsse;
use crate::hash::{Digest, HashAlgorithm, Sha256Digest};
use crate::key::PublicKey;
use crate::pki::{Anchor, Certificate, Purpose};
use crate::policy::{Inputs, Policy, RawPolicy, Vocabulary};
use crate::reason::{Code, Reason};
use crate::sigstore::tests::public_good;
use crate::statement::{Legacy, PREDICATE_TYPE, STATEMENT_TYPE, Statement};
use crate::time::UnixTime;

/// 2030-01-01T00:00:00Z, a year after the certificates begin.
pub(crate) const NOW: UnixTime = UnixTime(1_893_456_000);

/// The key that signs where it does not matter which.
pub(crate) static KEY: LazyLock<Key> = LazyLock::new(Key::p256);

/// A private key.
pub(crate) struct Key(pub(crate) KeyPair);

impl Key {
    pub(crate) fn p256() -> Self {
        Self::of(&rcgen::PKCS_ECDSA_P256_SHA256)
    }

    pub(crate) fn p384() -> Self {
        Self::of(&rcgen::PKCS_ECDSA_P384_SHA384)
    }

    pub(crate) fn p521() -> Self {
        Self::of(&rcgen::PKCS_ECDSA_P521_SHA512)
    }

    pub(crate) fn of(algorithm: &'static SignatureAlgorithm) -> Self {
        Key(KeyPair::generate_for(algorithm).unwrap())
    }

    pub(crate) fn public(&self) -> PublicKey {
        PublicKey::from_pem(self.0.public_key_pem().as_bytes()).unwrap()
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(message).unwrap()
    }

    /// Signs with P-521 and SHA-256, as version 0.2 did.
    pub(crate) fn sign_p521_with_sha256(&self, message: &[u8]) -> Vec<u8> {
        let algorithm = &ECDSA_P521_SHA256_ASN1_SIGNING;
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, self.0.serialized_der()).unwrap();
        pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
    }

    /// As a pinned key that the bundle does not contradict.
    pub(crate) fn trusted(&self) -> TrustedSigner {
        TrustedSigner::Key(TrustedKey::new(self.public(), &KeyIdentifier::default()).unwrap())
    }
}

/// A bundle of the method `key` around `payload`.
pub(crate) fn bundle(payload: &[u8], key: &Key) -> Vec<u8> {
    let signature = key.sign(&dsse::pae(dsse::PAYLOAD_TYPE_IN_TOTO, payload));
    assemble(payload, &signature, &NewMaterial::Key(&key.public()))
}

/// A bundle of the method `certificate` around `payload`.
pub(crate) fn chain_bundle(payload: &[u8], key: &Key, chain: &[Certificate]) -> Vec<u8> {
    let signature = key.sign(&dsse::pae(dsse::PAYLOAD_TYPE_IN_TOTO, payload));
    assemble(payload, &signature, &NewMaterial::Chain(chain))
}

/// The bundle in JSON, for tests to spoil.
pub(crate) fn bundle_json() -> Value {
    serde_json::from_slice(&bundle(&to_bytes(&statement(&FILES)), &KEY)).unwrap()
}

pub(crate) fn to_bytes(value: &Value) -> Vec<u8> {
    serde_json::to_vec(value).unwrap()
}

pub(crate) fn parse(bytes: &[u8]) -> Bundle {
    Bundle::parse(bytes, &Budget::default()).unwrap()
}

/// Signs `payload` and opens it.
pub(crate) fn open_bytes(payload: &[u8], legacy: Legacy) -> Result<Statement, OpenError> {
    parse(&bundle(payload, &KEY)).open(&KEY.trusted(), legacy, &Budget::default())
}

/// Signs the statement and opens it.
pub(crate) fn open(statement: &Value) -> Result<Statement, OpenError> {
    open_bytes(&to_bytes(statement), Legacy::Refuse)
}

/// Signs the statement, opens it, and gives the code of the refusal.
#[track_caller]
pub(crate) fn refusal(statement: &Value) -> Code {
    Reason::from(&open(statement).expect_err("the statement must be refused")).code
}

/// Two files of a model.
pub(crate) const FILES: [(&str, &str); 2] = [("a.txt", "first"), ("b/c.bin", "second")];

/// The digest of a file with this content.
pub(crate) fn digest_of(content: &str) -> Digest {
    Digest::new(HashAlgorithm::Sha256, &Sha256Digest::of(content.as_bytes()).0).unwrap()
}

/// A right statement about files with these contents, hashed whole with SHA-256.
pub(crate) fn statement(files: &[(&str, &str)]) -> Value {
    let resources: Vec<Value> = files
        .iter()
        .map(|(name, content)| {
            json!({"name": name, "algorithm": "sha256", "digest": digest_of(content).to_hex()})
        })
        .collect();
    sealed(json!({
        "_type": STATEMENT_TYPE,
        "subject": [{"name": "model", "digest": {}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "resources": resources,
            "serialization": {"method": "files", "hash_type": "sha256", "allow_symlinks": false},
        },
    }))
}

/// A right statement about shards, in the order given, with this `shard_size`.
pub(crate) fn sharded(names: &[&str], shard_size: Value) -> Value {
    let files: Vec<_> = names.iter().map(|name| (*name, *name)).collect();
    let mut statement = statement(&files);
    statement["predicate"]["serialization"]["method"] = json!("shards");
    statement["predicate"]["serialization"]["shard_size"] = shard_size;
    statement
}

/// The statement with the root digest of its resources as they stand.
pub(crate) fn sealed(mut statement: Value) -> Value {
    let mut bytes = Vec::new();
    for resource in statement["predicate"]["resources"].as_array().unwrap() {
        let hex = resource["digest"].as_str().unwrap();
        bytes.extend(hex.as_bytes().chunks(2).map(|pair| {
            u8::from_str_radix(std::str::from_utf8(pair).unwrap_or("0"), 16).unwrap_or(0)
        }));
    }
    statement["subject"][0]["digest"]["sha256"] = json!(Sha256Digest::of(&bytes).to_hex());
    statement
}

/// A root that issues leaves, valid from 2029 to 2031.
pub(crate) struct Authority {
    params: CertificateParams,
    key: Key,
    pub(crate) certificate: Certificate,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = named(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = Key::p256();
        let made = params.self_signed(&key.0).unwrap();
        let certificate = Certificate::from_der(made.der()).unwrap();
        Authority { params, key, certificate }
    }

    pub(crate) fn anchor(&self, name: &str) -> Anchor {
        Anchor {
            name: name.to_owned(),
            certificate: self.certificate.clone(),
            purposes: BTreeSet::from([Purpose::CodeSigning, Purpose::Verdict]),
            provenance: "made by a test".to_owned(),
            file_sha256: Sha256Digest::of(name.as_bytes()),
        }
    }

    /// A code-signing leaf for `key`.
    pub(crate) fn issue(&self, name: &str, alternative: Vec<SanType>, key: &Key) -> Certificate {
        let mut params = named(name);
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
        params.subject_alt_names = alternative;
        let issuer = Issuer::from_params(&self.params, &self.key.0);
        Certificate::from_der(params.signed_by(&key.0, &issuer).unwrap().der()).unwrap()
    }

    /// An intermediate authority.
    pub(crate) fn delegate(&self, name: &str) -> Authority {
        let mut params = named(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = Key::p256();
        let issuer = Issuer::from_params(&self.params, &self.key.0);
        let made = params.signed_by(&key.0, &issuer).unwrap();
        let certificate = Certificate::from_der(made.der()).unwrap();
        Authority { params, key, certificate }
    }
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2029, 1, 1);
    params.not_after = date_time_ymd(2031, 1, 1);
    params.use_authority_key_identifier_extension = true;
    params
}

pub(crate) fn email(address: &str) -> SanType {
    SanType::Rfc822Name(address.to_owned().try_into().unwrap())
}

pub(crate) fn uri(uri: &str) -> SanType {
    SanType::URI(uri.to_owned().try_into().unwrap())
}

/// A policy of these tables, with `[content] allow = "any"` unless they say otherwise and without
/// revocation.
pub(crate) fn policy(tables: &str, anchors: &[Anchor], keys: &[(&str, &Key)]) -> Policy {
    let content = if tables.contains("[content]") {
        ""
    } else {
        "[content]\nallow = \"any\"\nremote-code = \"allow\"\n"
    };
    let text = format!(
        "[policy]\nid = \"t\"\nversion = 1\n[revocation]\nmode = \"off\"\n{content}{tables}"
    );
    let vocabulary = Vocabulary {
        formats: &["safetensors", "json", "text", "pickle", "onnx", "tflite", "keras"],
    };
    let keys: BTreeMap<String, Vec<u8>> = keys
        .iter()
        .map(|(file, key)| ((*file).to_owned(), key.public().to_pem().into_bytes()))
        .collect();
    let raw = RawPolicy::parse(&text, &vocabulary).unwrap();
    let trusted_roots = &[public_good("public-good")];
    raw.resolve(&Inputs { anchors, keys: &keys, trusted_roots }).unwrap()
}
