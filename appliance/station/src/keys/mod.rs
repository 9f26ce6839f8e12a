//! Signing keys: in an HSM behind PKCS#11, or, for laboratories, in a PEM file.
//!
//! ```text
//!  "pkcs11:token=..." ──KeyRef::parse──▶ KeyRef ──SigningKey::open──▶ SigningKey ──sign──▶ DER
//!  "signing.pem"                         parsed     found, logged in      ECDSA on a NIST curve
//! ```
//!
//! A private key never enters this process from an HSM: it gets a digest and gives a signature.

mod ecdsa;
mod error;
mod hsm;
mod login;
mod module;
mod object;
mod pem;
mod pin;
mod pkcs11;
mod pool;
mod private_file;
mod quirks;
mod uri;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use oms_verify::key::{KeyType, PublicKey};

pub use error::{KeyError, Unfit};
pub(crate) use login::witness_logins;
pub use object::KeyName;
pub use pem::PemFault;
pub use pin::{PinFault, PinSource};
pub use pkcs11::{EcdsaSupport, HsmSlot, HsmToken, PinState, TokenName, list};
pub use private_file::FileFault;
pub use quirks::{Quirks, module_environment};
pub use uri::{Pkcs11Uri, UriError};

use hsm::HsmKey;
use pem::PemKey;

/// Where a signing key is. Parsed, not opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyRef {
    /// A PEM file with a private key.
    Pem(PathBuf),
    /// A private key on a PKCS#11 token.
    Pkcs11(Box<Pkcs11Uri>),
}

impl KeyRef {
    /// Reads what a person wrote: a PKCS#11 URI (RFC 7512) when it begins with `pkcs11:`, else the
    /// path of a PEM file. Relative paths, the one of a PIN file too, start at `base`.
    ///
    /// # Errors
    /// [`KeyError::Uri`] when the URI is not valid or uses what is not allowed.
    pub fn parse(text: &str, base: &Path) -> Result<KeyRef, KeyError> {
        if uri::has_scheme(text) {
            Ok(KeyRef::Pkcs11(Box::new(Pkcs11Uri::parse(text, base)?)))
        } else {
            Ok(KeyRef::Pem(base.join(text)))
        }
    }
}

/// An opened signing key that knows its public key. It may be shared between threads, which sign
/// side by side.
#[derive(Debug)]
pub struct SigningKey {
    store: Store,
}

#[derive(Debug)]
enum Store {
    Pem(PemKey),
    Hsm(Box<HsmKey>),
}

impl SigningKey {
    /// Opens the key: reads the PEM file, or finds the token, logs in and finds the key.
    ///
    /// Login is per token and process: the second key of a token needs no PIN any more, so a PIN
    /// that came through a descriptor serves both, as long as the first key stays open.
    ///
    /// # Errors
    /// Every [`KeyError`] but [`KeyError::Uri`]. A wrong PIN is tried once per process and token.
    pub fn open(reference: &KeyRef) -> Result<SigningKey, KeyError> {
        let store = match reference {
            KeyRef::Pem(path) => Store::Pem(PemKey::open(path)?),
            KeyRef::Pkcs11(uri) => Store::Hsm(Box::new(HsmKey::open(uri)?)),
        };
        Ok(SigningKey { store })
    }

    /// Reads a private key from the text of a PEM file. Unlike [`SigningKey::open`] it asks
    /// nothing about who may read the file: this is for test keys that are public anyway.
    /// `origin` is named in errors.
    ///
    /// # Errors
    /// [`KeyError::Pem`] when the text does not hold exactly one supported private key.
    pub fn from_pem(text: &[u8], origin: &Path) -> Result<SigningKey, KeyError> {
        Ok(SigningKey { store: Store::Pem(PemKey::from_pem(text, origin)?) })
    }

    /// The public key that verifies what this key signs.
    pub fn public_key(&self) -> &PublicKey {
        match &self.store {
            Store::Pem(key) => key.public_key(),
            Store::Hsm(key) => key.public_key(),
        }
    }

    /// Whether `uri` names this key: it is on a token, and token, label and id are the ones that
    /// the URI asks for. Where the module is, and in which slot the token, does not matter.
    pub fn is_named_by(&self, uri: &Pkcs11Uri) -> bool {
        match &self.store {
            Store::Pem(_) => false,
            Store::Hsm(key) => key.fits(uri),
        }
    }

    /// Signs `message` with ECDSA and the hash that belongs to the curve: SHA-256 for P-256,
    /// SHA-384 for P-384, SHA-512 for P-521. Gives DER (RFC 3279, section 2.2.3).
    ///
    /// The signature is verified before it is given: a faulty one never leaves here. After a failed
    /// call the HSM's module is restarted once and the call repeated once, with one login at most.
    ///
    /// # Errors
    /// [`KeyError::Operation`], [`KeyError::BadSignature`] or [`KeyError::Software`], and, where an
    /// HSM did not come back, what [`SigningKey::open`] would say. The key stays usable: the next
    /// call tries again, but for a PIN that was refused.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let signature = match &self.store {
            Store::Pem(key) => key.sign(message),
            Store::Hsm(key) => key.sign(message),
        }?;
        // A fault in the token, or a public key object of another key, shows here and not at the
        // receiving side.
        self.public_key().verify(message, &signature).map_err(|_| KeyError::BadSignature)?;
        Ok(signature)
    }

    /// Signs a random probe, verifies the signature and tells how long that took. Token
    /// information alone does not show health: a token can describe itself and yet fail to sign.
    ///
    /// # Errors
    /// As [`SigningKey::sign`].
    pub fn probe(&self) -> Result<Duration, KeyError> {
        // The prefix keeps the probe from being a message of any protocol.
        let mut probe = *b"oms-appliance probe, no document\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
        let (_, random) = probe.split_at_mut(32);
        aws_lc_rs::rand::fill(random).map_err(|_| KeyError::Software)?;
        let start = Instant::now();
        self.sign(&probe)?;
        Ok(start.elapsed())
    }

    /// What keeps the private key from being copied. Verdicts state it.
    pub fn protection(&self) -> Protection {
        match &self.store {
            Store::Pem(_) => Protection::File,
            Store::Hsm(key) => {
                Protection::Pkcs11 { token: key.token().clone(), exportable: key.is_exportable() }
            }
        }
    }
}

/// What keeps a private key from being copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Protection {
    /// The key is an object of a PKCS#11 token.
    Pkcs11 {
        /// The token.
        token: TokenName,
        /// The token would give the key away: it is extractable, or not sensitive, or the token
        /// does not say. Such a key was not made for this use.
        exportable: bool,
    },
    /// The key is in a file: whoever reads the file has it.
    File,
}

/// What [`check`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HsmCheck {
    /// The type of the key.
    pub key_type: KeyType,
    /// The public key.
    pub public_key: PublicKey,
    /// What keeps it.
    pub protection: Protection,
    /// The key object's label and id, on a token.
    pub key: Option<KeyName>,
    /// The PKCS#11 mechanism that signed the probe, on a token.
    pub mechanism: Option<&'static str>,
    /// What its module needs, on a token.
    pub quirks: Option<&'static Quirks>,
    /// How long it took to open the key, login included.
    pub open_time: Duration,
    /// How long it took to sign the probe and verify it.
    pub sign_time: Duration,
}

/// Opens a key and lets it sign a probe ([`SigningKey::probe`]).
///
/// # Errors
/// As [`SigningKey::open`] and [`SigningKey::probe`].
pub fn check(reference: &KeyRef) -> Result<HsmCheck, KeyError> {
    let start = Instant::now();
    let key = SigningKey::open(reference)?;
    let open_time = start.elapsed();

    let sign_time = key.probe()?;
    let (name, mechanism, quirks) = match &key.store {
        Store::Pem(_) => (None, None, None),
        Store::Hsm(key) => (Some(key.name().clone()), Some(hsm::MECHANISM), Some(key.quirks())),
    };
    Ok(HsmCheck {
        key_type: key.public_key().key_type(),
        public_key: key.public_key().clone(),
        protection: key.protection(),
        key: name,
        mechanism,
        quirks,
        open_time,
        sign_time,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_a_uri_or_a_path_from_the_base() {
        let base = Path::new("/etc/oms");
        assert_eq!(
            KeyRef::parse("keys/a.pem", base).unwrap(),
            KeyRef::Pem("/etc/oms/keys/a.pem".into())
        );
        assert_eq!(KeyRef::parse("/a.pem", base).unwrap(), KeyRef::Pem("/a.pem".into()));
        assert!(matches!(
            KeyRef::parse("PKCS11:token=a?module-path=/m.so", base).unwrap(),
            KeyRef::Pkcs11(_)
        ));
        assert!(matches!(KeyRef::parse("pkcs11:token=a", base), Err(KeyError::Uri(_))));
    }

    #[test]
    fn a_signing_key_can_be_shared_between_threads() {
        fn shared<T: Send + Sync>() {}
        shared::<SigningKey>();
    }
}
