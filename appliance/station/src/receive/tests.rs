//! Entries whose re-signed bundle is of the method `key`, and reports that say something else.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use oms_verify::dsse::Message;
use oms_verify::hash::{Digest, HashAlgorithm, Sha256Digest};
use oms_verify::name::ResourcePath;
use oms_verify::statement::{ManifestFile, Method, Pieces};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::clock::system_time;
use crate::keys::SigningKey;
use crate::signer::{Shape, Signer};

const STATION: &str = "https://corp.example/stations/diode-3";

/// A signer without a certificate.
fn bare() -> Signer {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    let der = der::Document::try_from(pair.to_pkcs8v1().unwrap().as_ref()).unwrap();
    let pem = der.to_pem("PRIVATE KEY", der::pem::LineEnding::LF).unwrap();
    let key = SigningKey::from_pem(pem.as_bytes(), Path::new("made.pem")).unwrap();
    Signer::new(key, Vec::new()).unwrap()
}

/// The manifest of one file `a` with this content.
fn manifest(content: &str) -> Manifest {
    let digest = Digest::new(HashAlgorithm::Sha256, &Sha256Digest::of(content.as_bytes()).0);
    let budget = Budget::default();
    let path = ResourcePath::parse("a", &budget).unwrap();
    let file = ManifestFile { path, pieces: Pieces::Whole(digest.unwrap()) };
    Manifest::new(HashAlgorithm::Sha256, Method::Files, Vec::new(), vec![file], &budget).unwrap()
}

/// An entry in a folder of its own.
struct Entry {
    folder: TempDir,
    verdict: Signer,
}

impl Entry {
    /// A model of one file, whose re-signed bundle is `resigned`, signed by `key`.
    fn passed(verdict: Signer, resigned: &[u8], key: &PublicKey) -> Entry {
        let folder = tempfile::tempdir().unwrap();
        let entry = Entry { folder, verdict };
        fs::create_dir(entry.path().join(MODEL)).unwrap();
        fs::write(entry.path().join(MODEL).join("a"), "content").unwrap();
        fs::write(entry.path().join(RESIGNED), resigned).unwrap();
        fs::write(entry.path().join(SOURCE), "source").unwrap();
        let manifest = manifest("content");
        let payload = payload(
            "PASSED",
            manifest.root(),
            json!({
                "reasons": [],
                "serialization": {"method": "files", "hash": "sha256"},
                "files": [{
                    "name": "a",
                    "size": "content".len(),
                    "digest": format!("sha256:{}", Sha256Digest::of(b"content")),
                }],
                "resigned": {
                    "sha256": Sha256Digest::of(resigned).to_hex(),
                    "key": key.fingerprint().to_hex(),
                    "protection": "file",
                },
            }),
        );
        entry.publish(&payload)
    }

    fn refused() -> Entry {
        let entry = Entry { folder: tempfile::tempdir().unwrap(), verdict: bare() };
        let why = json!([{"code": "signature.invalid", "detail": "<b>", "remedy": "none"}]);
        let digest = Sha256Digest::of(b"source");
        entry.publish(&payload("FAILED", digest, json!({"reasons": why, "files": []})))
    }

    fn publish(self, payload: &Value) -> Entry {
        let payload = payload.to_string();
        let message = Message::of_statement(payload.to_owned().into_bytes());
        let bundle = self.verdict.sign(Cow::Owned(message), Shape::Leaf).unwrap();
        fs::write(self.path().join(VERDICT), bundle.to_vec()).unwrap();
        fs::write(self.path().join(REPORT), report::render(&payload)).unwrap();
        self
    }

    fn path(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    fn check(&self) -> (ReceivedVerdict, Vec<Reason>) {
        let Checked { verdict, reasons, .. } = self.checked();
        (verdict, reasons)
    }

    fn checked(&self) -> Checked {
        let trust = ReceiverTrust::Key(self.verdict.public_key().clone());
        let progress = Progress::hidden();
        let reading = Reading::plain(&progress);
        check_entry(&self.path(), STATION, &trust, system_time(), &reading).unwrap()
    }

    /// What is wrong with the re-signed bundle, and that nothing else is.
    fn complaint(&self) -> Option<String> {
        let (_, mut reasons) = self.check();
        let last = reasons.pop();
        assert!(reasons.is_empty(), "{reasons:?}");
        last.map(|reason| {
            assert_eq!(
                (reason.code, reason.file.as_deref()),
                (Code::VerdictResigned, Some(RESIGNED))
            );
            reason.detail
        })
    }
}

/// A verdict's payload with these particulars.
fn payload(result: &str, digest: Sha256Digest, particulars: Value) -> Value {
    let mut detail = json!({
        "mode": "ingest",
        "sequence": 1,
        "previous": Sha256Digest::ZERO.to_hex(),
        "policy": {"id": "p", "version": 1, "sha256": "", "inputs": [], "crls": []},
        "warnings": [],
        "bundles": [{"file": "model.sig", "sha256": Sha256Digest::of(b"source").to_hex()}],
        "signers": [],
        "checks": [],
        "revocation": "off",
        "protection": "file",
        "clock": "system",
        "sandbox": "none",
    });
    detail.as_object_mut().unwrap().extend(particulars.as_object().unwrap().clone());
    json!({
        "_type": oms_verify::statement::STATEMENT_TYPE,
        "subject": [{"name": "m", "digest": {"sha256": digest.to_hex()}}],
        "predicateType": oms_verify::verdict::VERDICT_PREDICATE_TYPE,
        "predicate": {
            "verifier": {"id": STATION, "version": {}},
            "timeVerified": "2030-01-01T00:00:00Z",
            "resourceUri": "urn:x",
            "policy": {"digest": {}},
            "inputAttestations": [{"digest": {"sha256": Sha256Digest::of(b"source").to_hex()}}],
            "verificationResult": result,
            "verifiedLevels": [],
            oms_verify::verdict::VERDICT_EXTENSION: detail,
        },
    })
}

fn sign(signer: &Signer, name: &str, content: &str) -> Vec<u8> {
    signer.sign_model(name, &BTreeMap::new(), &manifest(content)).unwrap().to_vec()
}

#[test]
fn a_bare_key_s_bundle_says_what_the_verdict_says() {
    let resign = bare();
    let entry = |bundle: &[u8]| Entry::passed(bare(), bundle, resign.public_key());
    assert_eq!(entry(&sign(&resign, "m", "content")).complaint(), None);
    let other = entry(&sign(&resign, "m", "another")).complaint();
    assert_eq!(other.as_deref(), Some("it lists other files than the verdict"));
    let renamed = entry(&sign(&resign, "n", "content")).complaint();
    assert_eq!(renamed.as_deref(), Some("it gives the model another name than the verdict"));
    assert!(entry(b"{}").complaint().is_some());
}

#[test]
fn one_key_for_verdict_and_bundle_verifies_both() {
    let one = bare();
    let public = one.public_key().clone();
    let good = sign(&one, "m", "content");
    let entry = Entry::passed(one, &good, &public);
    assert_eq!(entry.complaint(), None);

    // The verdict names the key that was given, and another has signed.
    let one = bare();
    let public = one.public_key().clone();
    let mut forged: Value = serde_json::from_slice(&sign(&one, "m", "content")).unwrap();
    let other: Value = serde_json::from_slice(&sign(&bare(), "m", "content")).unwrap();
    forged["dsseEnvelope"]["signatures"] = other["dsseEnvelope"]["signatures"].clone();
    let entry = Entry::passed(one, forged.to_string().as_bytes(), &public);
    assert!(entry.complaint().unwrap().contains("signature"));
}

#[test]
fn roots_cannot_check_a_bundle_without_a_certificate() {
    let resign = bare();
    let entry = Entry::passed(bare(), &sign(&resign, "m", "content"), resign.public_key());
    let (verdict, reasons) = entry.check();
    assert_eq!(reasons, []);
    let trust = ReceiverTrust::Anchors { anchors: Vec::new(), crls: Default::default() };
    let (manifest, budget) = (manifest("content"), Budget::default());
    let bundle = fs::read(entry.path().join(RESIGNED)).unwrap();
    let reason = check_resigned(bundle, &verdict, &manifest, &trust, system_time(), &budget);
    assert_eq!(reason.map(|reason| reason.code), Some(Code::VerdictResigned));
}

#[test]
fn a_report_that_differs_is_told_and_refuses_nothing() {
    let resign = bare();
    let passed = Entry::passed(bare(), &sign(&resign, "m", "content"), resign.public_key());
    for entry in [passed, Entry::refused()] {
        let report = entry.path().join(REPORT);
        let Checked { reasons, warnings, .. } = entry.checked();
        assert_eq!(warnings, []);
        let page = fs::read_to_string(&report).unwrap();
        for other in [page.replace("2030", "2031"), format!("{page} "), String::new()] {
            fs::write(&report, other).unwrap();
            let told = entry.checked();
            assert_eq!(told.warnings.len(), 1);
            assert_eq!(told.warnings[0].file.as_deref(), Some(REPORT));
            assert_eq!(told.reasons, reasons);
        }
        fs::remove_file(&report).unwrap();
        assert_eq!(entry.checked().warnings, []);
        std::os::unix::fs::symlink("/dev/zero", &report).unwrap();
        assert_eq!(entry.checked().warnings.len(), 1);
    }
}
