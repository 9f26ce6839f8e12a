//! A private Sigstore instance: Fulcio, its certificate transparency log, Rekor v1 and v2, and a
//! time stamping authority, made anew for each test.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData as _, SanType,
    SignatureAlgorithm, SigningKey as _, date_time_ymd,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::tokens;
use crate::dsse::{PAYLOAD_TYPE_IN_TOTO, pae};

/// 2025-06-01T00:00:00Z. Everything lies in the past, since the library knows the clock.
pub(super) const DAY: i64 = 1_748_736_000;
/// When leaves sign: five minutes after they are issued, five before they expire.
pub(super) const SIGNED: i64 = DAY + 300;

pub(super) fn b64(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

pub(super) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    Sha256::digest(parts.concat()).into()
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn key(algorithm: &'static SignatureAlgorithm) -> KeyPair {
    KeyPair::generate_for(algorithm).unwrap()
}

fn p256() -> KeyPair {
    key(&rcgen::PKCS_ECDSA_P256_SHA256)
}

/// A certificate authority or what it issued.
pub(super) struct Entity {
    pub(super) key: KeyPair,
    params: CertificateParams,
    pub(super) der: Vec<u8>,
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2024, 1, 1);
    params.not_after = date_time_ymd(2034, 1, 1);
    params.use_authority_key_identifier_extension = true;
    params
}

fn ca(name: &str) -> CertificateParams {
    let mut params = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

impl Entity {
    fn root(params: CertificateParams) -> Self {
        let key = p256();
        let der = params.self_signed(&key).unwrap().der().to_vec();
        Entity { key, params, der }
    }

    fn issue(&self, params: CertificateParams) -> Self {
        let key = p256();
        let der = self.certify(&params, &key);
        Entity { key, params, der }
    }

    fn certify(&self, params: &CertificateParams, key: &KeyPair) -> Vec<u8> {
        let issuer = Issuer::from_params(&self.params, &self.key);
        params.signed_by(key, &issuer).unwrap().der().to_vec()
    }
}

/// The services of an instance with their keys.
pub(super) struct Instance {
    root: Entity,
    intermediate: Entity,
    ct: KeyPair,
    rekor: [Log; 2],
    stamper_root: Entity,
    stamper: Entity,
}

struct Log {
    key: KeyPair,
    origin: &'static str,
    id: [u8; 32],
}

/// Which log takes the entry in, and how the entry describes the signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Dsse,
    Intoto,
    HashedRekordV2,
}

/// What a signed certificate timestamp is like.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sct {
    Good,
    Absent,
    /// Signed by a key that the trusted root does not know.
    OtherLog,
    /// Over another certificate.
    OtherCertificate,
}

/// How a bundle is made. The default is a good one.
pub(super) struct Recipe {
    pub(super) entry: Entry,
    pub(super) name: SanType,
    pub(super) more_names: Vec<SanType>,
    pub(super) issuer_v1: Option<&'static str>,
    pub(super) issuer_v2: Option<&'static str>,
    pub(super) key: &'static SignatureAlgorithm,
    pub(super) code_signing: bool,
    pub(super) sct: Sct,
    /// When the log took the entry in.
    pub(super) integrated: i64,
    /// Whether the log promised in a version 1 entry to include it.
    pub(super) promise: bool,
    pub(super) stamps: Vec<i64>,
    /// The predicate of the statement.
    pub(super) predicate: Value,
    /// Whether the log entry is about another signature of the same key.
    pub(super) logs_another: bool,
    /// Whether the log entry has another certificate for the same key.
    pub(super) logs_other_certificate: bool,
}

impl Recipe {
    pub(super) fn new(entry: Entry) -> Self {
        Recipe {
            entry,
            name: SanType::Rfc822Name("release@vendor.example".try_into().unwrap()),
            more_names: Vec::new(),
            issuer_v1: Some("https://accounts.vendor.example"),
            issuer_v2: Some("https://accounts.vendor.example"),
            key: &rcgen::PKCS_ECDSA_P256_SHA256,
            code_signing: true,
            sct: Sct::Good,
            integrated: SIGNED,
            promise: entry != Entry::HashedRekordV2,
            stamps: if entry == Entry::HashedRekordV2 { vec![SIGNED] } else { Vec::new() },
            predicate: json!({}),
            logs_another: false,
            logs_other_certificate: false,
        }
    }
}

impl Instance {
    pub(super) fn new() -> Self {
        Self::with(|_| (), |_| ())
    }

    /// With other certificates for Fulcio's intermediate and for the time stamping authority.
    pub(super) fn with(
        change: impl FnOnce(&mut CertificateParams),
        change_stamper: impl FnOnce(&mut CertificateParams),
    ) -> Self {
        let root = Entity::root(ca("Fulcio Root"));
        let mut params = ca("Fulcio");
        change(&mut params);
        let intermediate = root.issue(params);
        let stamper_root = Entity::root(ca("Stamper Root"));
        let mut params = named("Stamper");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::TimeStamping];
        change_stamper(&mut params);
        let stamper = stamper_root.issue(params);
        let first = p256();
        let second = key(&rcgen::PKCS_ED25519);
        let origin = "log.vendor.example/2025";
        let id = sha256(&[origin.as_bytes(), b"\n\x01", second.der_bytes()]);
        let rekor = [
            Log { id: sha256(&[&first.subject_public_key_info()]), key: first, origin: "rekor" },
            Log { id, key: second, origin },
        ];
        Instance { root, intermediate, ct: p256(), rekor, stamper_root, stamper }
    }

    /// The trusted root in JSON.
    pub(super) fn trusted_root(&self) -> Value {
        let window = json!({"start": "2025-01-01T00:00:00Z"});
        let key = |key: &KeyPair, details: &str| {
            json!({
                "rawBytes": b64(key.subject_public_key_info()),
                "keyDetails": details,
                "validFor": window
            })
        };
        let log = |log: &Log, details: &str| {
            json!({
                "baseUrl": format!("https://{}", log.origin),
                "hashAlgorithm": "SHA2_256",
                "publicKey": key(&log.key, details),
                "logId": {"keyId": b64(log.id)}
            })
        };
        let chain = |entities: [&Entity; 2]| {
            let certificates = entities.map(|entity| json!({"rawBytes": b64(&entity.der)}));
            json!({"certificates": certificates})
        };
        let [first, second] = &self.rekor;
        json!({
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [log(first, "PKIX_ECDSA_P256_SHA_256"), log(second, "PKIX_ED25519")],
            "certificateAuthorities": [{
                "subject": {"organization": "Vendor", "commonName": "Fulcio"},
                "uri": "https://fulcio.vendor.example",
                "certChain": chain([&self.intermediate, &self.root]),
                "validFor": window
            }],
            "ctlogs": [{
                "baseUrl": "https://ct.vendor.example",
                "hashAlgorithm": "SHA2_256",
                "publicKey": key(&self.ct, "PKIX_ECDSA_P256_SHA_256"),
                "logId": {"keyId": b64(sha256(&[&self.ct.subject_public_key_info()]))}
            }],
            "timestampAuthorities": [{
                "subject": {"organization": "Vendor", "commonName": "Stamper"},
                "uri": "https://stamper.vendor.example",
                "certChain": chain([&self.stamper, &self.stamper_root]),
                "validFor": window
            }]
        })
    }

    /// Signs a statement as the recipe says. The bundle in JSON.
    pub(super) fn bundle(&self, recipe: &Recipe) -> Value {
        let signer = key(recipe.key);
        let leaf = self.leaf(recipe, &signer);
        let subject = sha256(&[b"a model"]);
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": "model", "digest": {"sha256": hex(&subject)}}],
            "predicateType": "https://vendor.example/any/v1",
            "predicate": recipe.predicate
        });
        let payload = serde_json::to_vec(&statement).unwrap();
        let message = pae(PAYLOAD_TYPE_IN_TOTO, &payload);
        let signature = signer.sign(&message).unwrap();
        let logged =
            if recipe.logs_another { signer.sign(b"other").unwrap() } else { signature.clone() };
        let certificate =
            if recipe.logs_other_certificate { self.leaf(recipe, &signer) } else { leaf.clone() };
        let body = body(recipe.entry, &payload, &logged, &certificate);
        let stamp = |time: &i64| json!({"signedTimestamp": b64(tokens::token(&self.stamper, *time, &signature))});
        json!({
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {
                "certificate": {"rawBytes": b64(&leaf)},
                "tlogEntries": [self.entry(recipe, &body)],
                "timestampVerificationData": {
                    "rfc3161Timestamps": recipe.stamps.iter().map(stamp).collect::<Vec<_>>()
                }
            },
            "dsseEnvelope": {
                "payload": b64(&payload),
                "payloadType": PAYLOAD_TYPE_IN_TOTO,
                "signatures": [{"sig": b64(&signature), "keyid": ""}]
            }
        })
    }

    /// A leaf of ten minutes, with its certificate timestamp.
    fn leaf(&self, recipe: &Recipe, key: &KeyPair) -> Vec<u8> {
        let mut params = named("");
        params.distinguished_name = DistinguishedName::new();
        params.not_before = date_time_ymd(2025, 6, 1);
        params.not_after = date_time_ymd(2025, 6, 1) + Duration::from_secs(600);
        params.is_ca = IsCa::NoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        if recipe.code_signing {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
        }
        params.subject_alt_names = vec![recipe.name.clone()];
        params.subject_alt_names.extend(recipe.more_names.iter().cloned());
        params.serial_number =
            Some(rcgen::SerialNumber::from(sha256(&[&key.serialize_der()])[..8].to_vec()));
        let fulcio = |last: u64, value: Vec<u8>| {
            CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 57264, 1, last], value)
        };
        if let Some(issuer) = recipe.issuer_v1 {
            params.custom_extensions.push(fulcio(1, issuer.as_bytes().to_vec()));
        }
        if let Some(issuer) = recipe.issuer_v2 {
            params.custom_extensions.push(fulcio(8, tokens::der(0x0c, &[issuer.as_bytes()])));
        }
        if recipe.logs_other_certificate {
            // The serial number of each certificate is its own.
            let number =
                u64::from_be_bytes(sha256(&[&p256().serialize_der()])[..8].try_into().unwrap());
            params.serial_number = Some(rcgen::SerialNumber::from(number >> 1));
        }
        let precertificate = self.intermediate.certify(&params, key);
        let log = if recipe.sct == Sct::OtherLog { &p256() } else { &self.ct };
        let mut covered = tokens::first_element(tokens::content(&precertificate)).to_vec();
        if recipe.sct == Sct::OtherCertificate {
            covered.push(0);
        }
        let list = certificate_timestamp(&self.ct, log, &self.intermediate.key, &covered);
        if recipe.sct != Sct::Absent {
            let oid = [1, 3, 6, 1, 4, 1, 11129, 2, 4, 2];
            let value = tokens::der(4, &[&list]);
            params.custom_extensions.push(CustomExtension::from_oid_content(&oid, value));
        }
        self.intermediate.certify(&params, key)
    }

    /// The entry with its proof, second of three in the log.
    fn entry(&self, recipe: &Recipe, body: &[u8]) -> Value {
        let is_v2 = recipe.entry == Entry::HashedRekordV2;
        let [first, second] = &self.rekor;
        let log = if is_v2 { second } else { first };
        let (left, right) = (sha256(&[b"\0left"]), sha256(&[b"\0right"]));
        let below = sha256(&[&[1], &left, &sha256(&[&[0], body])]);
        let root = sha256(&[&[1], &below, &right]);
        let head = format!("{}\n3\n{}\n", log.origin, b64(root));
        let signature = [&log.id[..4], &log.key.sign(head.as_bytes()).unwrap()].concat();
        let checkpoint = format!("{head}\n\u{2014} {} {}\n", log.origin, b64(signature));
        let index = if is_v2 { 1 } else { 1_000_001 };
        let (kind, version) = match recipe.entry {
            Entry::Dsse => ("dsse", "0.0.1"),
            Entry::Intoto => ("intoto", "0.0.2"),
            Entry::HashedRekordV2 => ("hashedrekord", "0.0.2"),
        };
        let mut entry = json!({
            "logIndex": index.to_string(),
            "logId": {"keyId": b64(log.id)},
            "kindVersion": {"kind": kind, "version": version},
            "inclusionProof": {
                "logIndex": "1",
                "rootHash": b64(root),
                "treeSize": "3",
                "hashes": [b64(left), b64(right)],
                "checkpoint": {"envelope": checkpoint}
            },
            "canonicalizedBody": b64(body)
        });
        if !is_v2 {
            entry["integratedTime"] = json!(recipe.integrated.to_string());
        }
        if recipe.promise {
            let (body, time, id) = (b64(body), recipe.integrated, hex(&log.id));
            let promise = format!(
                r#"{{"body":"{body}","integratedTime":{time},"logID":"{id}","logIndex":{index}}}"#
            );
            let promise = log.key.sign(promise.as_bytes()).unwrap();
            entry["inclusionPromise"] = json!({"signedEntryTimestamp": b64(promise)});
        }
        entry
    }
}

/// What Rekor keeps about a signature.
fn body(entry: Entry, payload: &[u8], signature: &[u8], leaf: &[u8]) -> Vec<u8> {
    let pem = b64(tokens::pem(leaf));
    let payload_hash = json!({"algorithm": "sha256", "value": hex(&sha256(&[payload]))});
    let body = match entry {
        Entry::Dsse => json!({"apiVersion": "0.0.1", "kind": "dsse", "spec": {
            "envelopeHash": {"algorithm": "sha256", "value": "00".repeat(32)},
            "payloadHash": payload_hash,
            "signatures": [{"signature": b64(signature), "verifier": pem}]
        }}),
        Entry::Intoto => json!({"apiVersion": "0.0.2", "kind": "intoto", "spec": {"content": {
            "envelope": {
                "payloadType": PAYLOAD_TYPE_IN_TOTO,
                "signatures": [{"publicKey": pem, "sig": b64(b64(signature))}]
            },
            "hash": {"algorithm": "sha256", "value": "00".repeat(32)},
            "payloadHash": payload_hash
        }}}),
        Entry::HashedRekordV2 => {
            let digest = sha256(&[&pae(PAYLOAD_TYPE_IN_TOTO, payload)]);
            json!({"apiVersion": "0.0.2", "kind": "hashedrekord", "spec": {"hashedRekordV002": {
                "data": {"algorithm": "SHA2_256", "digest": b64(digest)},
                "signature": {
                    "content": b64(signature),
                    "verifier": {
                        "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                        "x509Certificate": {"rawBytes": b64(leaf)}
                    }
                }
            }}})
        }
    };
    serde_json::to_vec(&body).unwrap()
}

/// The list of one timestamp over a precertificate (RFC 6962, sections 3.2 and 3.3), which says
/// that it is from `named` and is signed by `log`.
fn certificate_timestamp(
    named: &KeyPair,
    log: &KeyPair,
    issuer: &KeyPair,
    certificate: &[u8],
) -> Vec<u8> {
    let length = |bytes: &[u8]| u16::try_from(bytes.len()).unwrap().to_be_bytes();
    let time = (u64::try_from(DAY).unwrap() * 1000).to_be_bytes();
    let size = u32::try_from(certificate.len()).unwrap().to_be_bytes();
    let issuer = sha256(&[&issuer.subject_public_key_info()]);
    let signed = [&[0, 0], &time[..], &[0, 1], &issuer, &size[1..], certificate, &[0, 0]].concat();
    let signature = log.sign(&signed).unwrap();
    let id = sha256(&[&named.subject_public_key_info()]);
    let one = [&[0], &id[..], &time, &[0, 0, 4, 3], &length(&signature), &signature].concat();
    let entry = [&length(&one)[..], &one].concat();
    [&length(&entry)[..], &entry].concat()
}
