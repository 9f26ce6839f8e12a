//! A time stamping authority (RFC 3161): `openssl ts`, so that the tokens are somebody else's.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use oms_testkit::pki::{Authority, Certificate, KeyType, Leaf, Profile};
use oms_testkit::{files, run};
use serde_json::{Value, json};
use tempfile::TempDir;

const CONFIG: &str = "
[tsa]
default_tsa = corp
[corp]
serial = ./serial
default_policy = 1.3.6.1.4.1.99999.1
digests = sha256, sha384, sha512
signer_digest = sha256
accuracy = secs:1
";

/// A root and the authority that it has issued.
pub struct Tsa {
    dir: TempDir,
    /// The root.
    pub root: Authority,
    stamper: Leaf,
}

impl Tsa {
    /// A new authority.
    ///
    /// # Panics
    /// When `openssl` is not installed or fails.
    pub fn new() -> Tsa {
        let root = Authority::root(Profile::ca("Corp TSA Root"), KeyType::P256);
        let stamper = root.issue(Profile::timestamping("Corp TSA"), KeyType::P256);
        let tsa = Tsa { dir: tempfile::tempdir().unwrap(), root, stamper };
        files::public(tsa.path("ts.cnf"), CONFIG);
        files::public(tsa.path("tsa.pem"), &tsa.stamper.certificate.pem);
        tsa.stamper.key.write_private(tsa.path("tsa.key"));
        files::public(tsa.path("serial"), "01\n");
        tsa
    }

    /// The authority's certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.stamper.certificate
    }

    /// A TimeStampResp over `data`, of now.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn stamp(&self, data: &[u8]) -> Vec<u8> {
        files::public(self.path("data"), data);
        let files = ["-data", "data", "-out", "query"];
        self.openssl(&[&["ts", "-query", "-sha256", "-cert"][..], &files].concat());
        let signer = ["-signer", "tsa.pem", "-inkey", "tsa.key"];
        let files = ["-queryfile", "query", "-out", "reply", "-config", "ts.cnf"];
        self.openssl(&[&["ts", "-reply"][..], &signer, &files].concat());
        fs::read(self.path("reply")).unwrap()
    }

    /// Stamps the signature of a bundle, as its signer does.
    ///
    /// # Panics
    /// When the bundle is not one.
    pub fn stamp_bundle(&self, bundle: &Path) {
        let document: Value = serde_json::from_slice(&fs::read(bundle).unwrap()).unwrap();
        let signature = document["dsseEnvelope"]["signatures"][0]["sig"].as_str().unwrap();
        add_token(bundle, &self.stamp(&BASE64_STANDARD.decode(signature).unwrap()));
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn openssl(&self, arguments: &[&str]) {
        let mut command = Command::new("openssl");
        let _ = run::outcome(command.args(arguments).current_dir(self.dir.path())).expect_status(0);
    }
}

impl Default for Tsa {
    fn default() -> Self {
        Tsa::new()
    }
}

/// Adds a token to a bundle.
///
/// # Panics
/// When the bundle is not one.
pub fn add_token(bundle: &Path, token: &[u8]) {
    let mut document: Value = serde_json::from_slice(&fs::read(bundle).unwrap()).unwrap();
    let material = &mut document["verificationMaterial"]["timestampVerificationData"];
    if material.is_null() {
        *material = json!({"rfc3161Timestamps": []});
    }
    let token = json!({"signedTimestamp": BASE64_STANDARD.encode(token)});
    material["rfc3161Timestamps"].as_array_mut().unwrap().push(token);
    files::public(bundle, document.to_string());
}
