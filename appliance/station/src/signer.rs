//! A key with its certificates, ready to sign bundles.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use oms_verify::bundle::{self, NewMaterial};
use oms_verify::dsse::Message;
use oms_verify::key::PublicKey;
use oms_verify::pki::Certificate;
use oms_verify::reason::{Code, Reason};
use oms_verify::statement::{Manifest, compose};

use crate::keys::{KeyError, KeyRef, SigningKey};

/// Bytes of a file with certificates.
const CHAIN_LIMIT: u64 = 1 << 20;

/// An opened key, and the chain of its certificate when it has one.
#[derive(Debug)]
pub struct Signer {
    key: SigningKey,
    chain: Vec<Certificate>,
}

/// How a bundle carries the signer's certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// The leaf and the intermediates, as OMS has it.
    Chain,
    /// The leaf alone, as verdicts have it.
    Leaf,
}

impl Signer {
    /// Opens the key at `reference` and reads its chain, leaf first, from PEM files. Without
    /// files, bundles are of the method `key`.
    ///
    /// # Errors
    /// When the key cannot be opened, or the leaf is not its certificate.
    pub fn open(reference: &KeyRef, chain: &[&Path]) -> Result<Self, Reason> {
        let mut certificates = Vec::new();
        for file in chain {
            certificates.extend(read_chain(file)?);
        }
        let key = SigningKey::open(reference).map_err(|error| Reason::from(&error))?;
        Self::new(key, certificates).map_err(|reason| match chain.first() {
            Some(file) => reason.about(file.display().to_string()),
            None => reason,
        })
    }

    /// A signer from an opened key and its chain, leaf first. Self-signed certificates above the
    /// leaf are left out of bundles: they are anchors, and whoever verifies has them or does not.
    /// A CA's new key that its old key certified stays.
    ///
    /// # Errors
    /// When the leaf is not the key's certificate.
    pub fn new(key: SigningKey, mut chain: Vec<Certificate>) -> Result<Self, Reason> {
        if let Some(leaf) = chain.first() {
            let same = leaf.public_key().is_ok_and(|public| public == key.public_key());
            if !same {
                let detail = format!("the certificate of {} is for another key", leaf.subject());
                return Err(Reason::new(Code::ConfigCertificate, detail));
            }
        }
        let mut place = 0;
        chain.retain(|certificate| {
            place += 1;
            place == 1 || !certificate.says_self_signed()
        });
        Ok(Signer { key, chain })
    }

    /// The public key.
    pub fn public_key(&self) -> &PublicKey {
        self.key.public_key()
    }

    /// The key's certificate.
    pub fn leaf(&self) -> Option<&Certificate> {
        self.chain.first()
    }

    /// The certificates between the leaf and the anchor.
    pub fn intermediates(&self) -> &[Certificate] {
        self.chain.get(1..).unwrap_or_default()
    }

    /// How the private key is kept.
    pub fn protection(&self) -> oms_verify::verdict::Protection {
        match self.key.protection() {
            crate::keys::Protection::Pkcs11 { .. } => oms_verify::verdict::Protection::Pkcs11,
            crate::keys::Protection::File => oms_verify::verdict::Protection::File,
        }
    }

    /// Has the key sign a probe ([`SigningKey::probe`]).
    ///
    /// # Errors
    /// When the key fails.
    pub fn probe(&self) -> Result<(), Reason> {
        self.key.probe().map(drop).map_err(|error| Reason::from(&error))
    }

    /// Signs a message: a bundle that is to be written.
    ///
    /// # Errors
    /// When the key fails.
    pub fn sign<'a>(
        &'a self,
        message: impl Into<Cow<'a, Message>>,
        shape: Shape,
    ) -> Result<Sealed<'a>, Reason> {
        let message = message.into();
        let signature = self.key.sign(message.as_bytes()).map_err(|error| Reason::from(&error))?;
        let material = match (self.chain.first(), shape) {
            (None, _) => NewMaterial::Key(self.public_key()),
            (Some(_), Shape::Chain) => NewMaterial::Chain(&self.chain),
            (Some(leaf), Shape::Leaf) => NewMaterial::Certificate(leaf),
        };
        Ok(Sealed { message, signature, material })
    }

    /// Signs a model's manifest under the name `subject`: an OMS bundle.
    ///
    /// # Errors
    /// When the key fails.
    pub fn sign_model(
        &self,
        subject: &str,
        annotations: &BTreeMap<String, String>,
        manifest: &Manifest,
    ) -> Result<Sealed<'_>, Reason> {
        let message = Message::of_statement(compose(subject, annotations, manifest));
        self.sign(Cow::Owned(message), Shape::Chain)
    }
}

/// A bundle that is signed and not yet written. It lists every file of a model, so it is never in
/// memory as a whole.
pub struct Sealed<'a> {
    message: Cow<'a, Message>,
    signature: Vec<u8>,
    material: NewMaterial<'a>,
}

impl Sealed<'_> {
    /// Writes it.
    ///
    /// # Errors
    /// Those of `writer`.
    pub fn write(&self, writer: impl Write) -> io::Result<()> {
        bundle::write(writer, self.message.payload(), &self.signature, &self.material)
    }

    /// Its bytes.
    pub fn to_vec(&self) -> Vec<u8> {
        bundle::assemble(self.message.payload(), &self.signature, &self.material)
    }
}

/// The certificates in a PEM file.
///
/// # Errors
/// When it cannot be read or holds none.
pub fn read_chain(file: &Path) -> Result<Vec<Certificate>, Reason> {
    let wrong = |detail: String| {
        Reason::new(Code::ConfigCertificate, detail).about(file.display().to_string())
    };
    let bytes =
        crate::bounded::read(file, CHAIN_LIMIT).map_err(|error| wrong(error.to_string()))?;
    Certificate::many_from_pem(&bytes).map_err(|error| wrong(error.to_string()))
}

impl From<&KeyError> for Reason {
    fn from(error: &KeyError) -> Reason {
        Reason::new(error.code(), error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::PathBuf;

    #[test]
    fn a_certificate_of_another_key_is_refused_by_the_name_of_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let make = |key: &str, certificate: &str| -> (PathBuf, PathBuf) {
            let made = std::process::Command::new("openssl")
                .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
                .args(["-nodes", "-subj", "/CN=x", "-keyout", key, "-out", certificate])
                .current_dir(dir.path())
                .output()
                .expect("openssl is installed (cargo xtask setup)");
            assert!(made.status.success());
            let private = std::fs::Permissions::from_mode(0o600);
            std::fs::set_permissions(at(key), private).unwrap();
            (at(key), at(certificate))
        };
        let (key, certificate) = make("a.key", "a.pem");
        let (_, other) = make("b.key", "b.pem");
        let reference = KeyRef::Pem(key);
        Signer::open(&reference, &[&certificate]).unwrap();
        let reason = Signer::open(&reference, &[&other]).unwrap_err();
        assert_eq!(reason.code, Code::ConfigCertificate);
        assert_eq!(reason.file, Some(other.display().to_string()));
    }
}
