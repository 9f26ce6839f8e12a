//! Private keys in PEM files: for laboratories, and for tests.

use std::fmt;
use std::path::Path;
use std::str;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING,
    EcdsaKeyPair, KeyPair,
};
use oms_verify::key::PublicKey;
use zeroize::Zeroizing;

use super::error::KeyError;
use super::private_file::{self, FileFault, Sharing};
use crate::bounded;

/// The longest key file that is read, in bytes.
const MAX_FILE: usize = 16 * 1024;

/// Why a text does not hold a private key that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PemFault {
    /// It is not PEM text (RFC 7468).
    #[error("it is not PEM text")]
    NotPem,
    /// There is no private key in it.
    #[error("it holds no private key")]
    NoKey,
    /// It is the public half.
    #[error("this is a public key: give the private key")]
    PublicKey,
    /// There is more than one private key in it.
    #[error("it holds more than one private key")]
    SeveralKeys,
    /// The key is encrypted.
    #[error("its key is encrypted, which is not supported: use an HSM, or decrypt it")]
    Encrypted,
    /// The key is of another type, or broken.
    #[error("its key is not an ECDSA key on P-256, P-384 or P-521")]
    Unsupported,
}

/// A private key from a PEM file.
pub(super) struct PemKey {
    pair: EcdsaKeyPair,
    public: PublicKey,
}

impl PemKey {
    /// Reads the file, which nobody but its owner may be able to use.
    pub(super) fn open(path: &Path) -> Result<Self, KeyError> {
        let text = private_file::read(path, MAX_FILE, Sharing::Nobody).map_err(|fault| {
            let path = path.to_owned();
            match fault {
                // A public key is everybody's to read, and its mode is not what is wrong.
                FileFault::Mode(_) | FileFault::Owner(_) if is_public_key(&path) => {
                    KeyError::Pem { path, fault: PemFault::PublicKey }
                }
                fault => KeyError::File { path, fault },
            }
        })?;
        Self::from_pem(&text, path)
    }

    /// Reads a text with one private key: PKCS#8 (RFC 5958) or SEC 1 (RFC 5915).
    pub(super) fn from_pem(text: &[u8], origin: &Path) -> Result<Self, KeyError> {
        key_pair(text)
            .map(|(pair, public)| PemKey { pair, public })
            .map_err(|fault| KeyError::Pem { path: origin.to_owned(), fault })
    }

    pub(super) fn public_key(&self) -> &PublicKey {
        &self.public
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.pair
            .sign(&SystemRandom::new(), message)
            .map(|signature| signature.as_ref().to_vec())
            .map_err(|_| KeyError::Software)
    }
}

impl fmt::Debug for PemKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PemKey({:?})", self.public)
    }
}

fn is_public_key(path: &Path) -> bool {
    let Ok(file) = bounded::open(path) else { return false };
    private_file::read_bounded(file, MAX_FILE)
        .is_ok_and(|text| private_key_der(&text).err() == Some(PemFault::PublicKey))
}

fn key_pair(text: &[u8]) -> Result<(EcdsaKeyPair, PublicKey), PemFault> {
    let der = private_key_der(text)?;
    // The library accepts a key for its own curve only, so one of the three fits at most. A SEC 1
    // key may leave its curve out: such a scalar is too large for every smaller curve.
    let pair = [
        &ECDSA_P256_SHA256_ASN1_SIGNING,
        &ECDSA_P384_SHA384_ASN1_SIGNING,
        &ECDSA_P521_SHA512_ASN1_SIGNING,
    ]
    .into_iter()
    .find_map(|algorithm| EcdsaKeyPair::from_private_key_der(algorithm, &der).ok())
    .ok_or(PemFault::Unsupported)?;
    let spki = pair.public_key().as_der().map_err(|_| PemFault::Unsupported)?;
    let public = PublicKey::from_spki_der(spki.as_ref()).map_err(|_| PemFault::Unsupported)?;
    Ok((pair, public))
}

/// The one private key in a PEM text. Other blocks, such as curve parameters or certificates, and
/// the text between blocks are passed over.
fn private_key_der(text: &[u8]) -> Result<Zeroizing<Vec<u8>>, PemFault> {
    let mut rest = str::from_utf8(text).map_err(|_| PemFault::NotPem)?;
    let mut found = None;
    let mut without = PemFault::NoKey;
    while let Some(start) = rest.find("-----BEGIN ") {
        let block = rest.get(start..).ok_or(PemFault::NotPem)?;
        let label = block
            .strip_prefix("-----BEGIN ")
            .and_then(|block| block.split_once("-----"))
            .map(|(label, _)| label)
            .ok_or(PemFault::NotPem)?;
        let end_line = format!("-----END {label}-----");
        let end = block.find(&end_line).ok_or(PemFault::NotPem)?;
        let (block, after) =
            block.split_at_checked(end.saturating_add(end_line.len())).ok_or(PemFault::NotPem)?;
        rest = after;

        match label {
            "PRIVATE KEY" | "EC PRIVATE KEY" if block.contains("ENCRYPTED") => {
                return Err(PemFault::Encrypted);
            }
            "PRIVATE KEY" | "EC PRIVATE KEY" => {
                let (_, der) =
                    der::pem::decode_vec(block.as_bytes()).map_err(|_| PemFault::NotPem)?;
                if found.replace(Zeroizing::new(der)).is_some() {
                    return Err(PemFault::SeveralKeys);
                }
            }
            "ENCRYPTED PRIVATE KEY" => return Err(PemFault::Encrypted),
            other if other.ends_with("PRIVATE KEY") => return Err(PemFault::Unsupported),
            "PUBLIC KEY" => without = PemFault::PublicKey,
            _ => {}
        }
    }
    found.ok_or(without)
}

#[cfg(test)]
mod tests {
    use super::*;
    use oms_verify::key::KeyType;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    const CURVES: [(&str, KeyType); 3] =
        [("prime256v1", KeyType::P256), ("secp384r1", KeyType::P384), ("secp521r1", KeyType::P521)];

    fn openssl(args: &[&str]) -> Vec<u8> {
        let output = Command::new("openssl")
            .args(args)
            .output()
            .expect("openssl is installed (cargo xtask setup)");
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    fn parse(text: &[u8]) -> Result<PemKey, PemFault> {
        PemKey::from_pem(text, Path::new("a.pem")).map_err(|error| match error {
            KeyError::Pem { fault, .. } => fault,
            other => panic!("{other}"),
        })
    }

    fn signs(text: &[u8], key_type: KeyType) {
        let key = parse(text).unwrap();
        assert_eq!(key.public_key().key_type(), key_type);
        key.public_key().verify(b"message", &key.sign(b"message").unwrap()).unwrap();
        assert!(key.public_key().verify(b"massage", &key.sign(b"message").unwrap()).is_err());
    }

    #[test]
    fn reads_what_openssl_writes() {
        for (curve, key_type) in CURVES {
            // SEC 1 after a block of parameters, SEC 1 alone, and PKCS#8.
            signs(&openssl(&["ecparam", "-genkey", "-name", curve]), key_type);
            signs(&openssl(&["ecparam", "-genkey", "-noout", "-name", curve]), key_type);
            let option = format!("ec_paramgen_curve:{curve}");
            signs(&openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", &option]), key_type);
        }
    }

    #[test]
    fn reads_keys_that_leave_out_the_public_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        for (curve, key_type) in CURVES {
            fs::write(&path, openssl(&["ecparam", "-genkey", "-noout", "-name", curve])).unwrap();
            let path = path.to_str().unwrap();
            signs(&openssl(&["ec", "-in", path, "-no_public"]), key_type);
        }
    }

    #[test]
    fn reads_pkcs8_as_libraries_write_it() {
        for (algorithm, (_, key_type)) in [
            &ECDSA_P256_SHA256_ASN1_SIGNING,
            &ECDSA_P384_SHA384_ASN1_SIGNING,
            &ECDSA_P521_SHA512_ASN1_SIGNING,
        ]
        .into_iter()
        .zip(CURVES)
        {
            let pair = EcdsaKeyPair::generate(algorithm).unwrap();
            let der = pair.to_pkcs8v1().unwrap();
            let label = "PRIVATE KEY";
            let pem = der::pem::encode_string(label, der::pem::LineEnding::LF, der.as_ref());
            signs(pem.unwrap().as_bytes(), key_type);
        }
    }

    #[test]
    fn openssl_verifies_what_it_signs() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        for (curve, hash) in [("prime256v1", "-sha256"), ("secp521r1", "-sha512")] {
            let text = openssl(&["ecparam", "-genkey", "-noout", "-name", curve]);
            let key = parse(&text).unwrap();
            fs::write(at("key.pem"), key.public_key().to_pem()).unwrap();
            fs::write(at("message"), "message").unwrap();
            fs::write(at("signature"), key.sign(b"message").unwrap()).unwrap();
            let (public, signature) = (at("key.pem"), at("signature"));
            openssl(&["dgst", hash, "-verify", &public, "-signature", &signature, &at("message")]);
        }
    }

    #[test]
    fn refuses_other_keys() {
        let rsa = openssl(&["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"]);
        assert_eq!(parse(&rsa).unwrap_err(), PemFault::Unsupported);
        let edwards = openssl(&["genpkey", "-algorithm", "ED25519"]);
        assert_eq!(parse(&edwards).unwrap_err(), PemFault::Unsupported);
        for curve in ["secp256k1", "secp224r1", "brainpoolP256r1"] {
            let other = openssl(&["ecparam", "-genkey", "-noout", "-name", curve]);
            assert_eq!(parse(&other).unwrap_err(), PemFault::Unsupported, "{curve}");
        }
        let broken = "-----BEGIN PRIVATE KEY-----\nMAAA\n-----END PRIVATE KEY-----\n";
        assert_eq!(parse(broken.as_bytes()).unwrap_err(), PemFault::Unsupported);
        let rsa = "-----BEGIN RSA PRIVATE KEY-----\nMAAA\n-----END RSA PRIVATE KEY-----\n";
        assert_eq!(parse(rsa.as_bytes()).unwrap_err(), PemFault::Unsupported);
    }

    #[test]
    fn refuses_several_keys_and_none() {
        let key = openssl(&["ecparam", "-genkey", "-name", "prime256v1"]);
        assert_eq!(parse(&key.repeat(2)).unwrap_err(), PemFault::SeveralKeys);
        assert_eq!(parse(b"").unwrap_err(), PemFault::NoKey);
        assert_eq!(parse(b"a letter").unwrap_err(), PemFault::NoKey);
        let public = parse(&key).unwrap().public_key().to_pem();
        assert_eq!(parse(public.as_bytes()).unwrap_err(), PemFault::PublicKey);
        assert!(parse(&[public.as_bytes(), &key].concat()).is_ok());
    }

    #[test]
    fn refuses_what_is_not_pem() {
        for text in [
            "-----BEGIN PRIVATE KEY",
            "-----BEGIN PRIVATE KEY-----",
            "-----BEGIN PRIVATE KEY-----\nMAAA\n-----END EC PRIVATE KEY-----\n",
            "-----BEGIN PRIVATE KEY-----\n!!!!\n-----END PRIVATE KEY-----\n",
            "-----BEGIN PRIVATE KEY-----END PRIVATE KEY-----",
        ] {
            assert_eq!(parse(text.as_bytes()).unwrap_err(), PemFault::NotPem, "{text}");
        }
        assert_eq!(parse(b"\xff\xfe").unwrap_err(), PemFault::NotPem);
    }

    #[test]
    fn refuses_encrypted_keys() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        fs::write(&path, openssl(&["ecparam", "-genkey", "-noout", "-name", "prime256v1"]))
            .unwrap();
        let path = path.to_str().unwrap();
        for command in [
            &["ec", "-in", path, "-aes256", "-passout", "pass:secret"][..],
            &["pkcs8", "-topk8", "-in", path, "-passout", "pass:secret"],
        ] {
            assert_eq!(parse(&openssl(command)).unwrap_err(), PemFault::Encrypted);
        }
    }

    #[test]
    fn a_key_file_is_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        fs::write(&path, openssl(&["ecparam", "-genkey", "-name", "prime256v1"])).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let error = PemKey::open(&path).unwrap_err();
        assert_eq!(error.code().id(), "key.file");
        assert!(error.to_string().contains("chmod 600"), "{error}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let key = PemKey::open(&path).unwrap();
        let public = folder.path().join("public.pem");
        fs::write(&public, key.public_key().to_pem()).unwrap();
        fs::set_permissions(&public, fs::Permissions::from_mode(0o644)).unwrap();
        let error = PemKey::open(&public).unwrap_err();
        assert_eq!(error.code().id(), "key.file");
        assert!(error.to_string().contains("this is a public key"), "{error}");
        assert_eq!(PemKey::open(&folder.path().join("no")).unwrap_err().code().id(), "key.file");
    }

    #[test]
    fn a_key_is_not_shown() {
        let key = parse(&openssl(&["ecparam", "-genkey", "-name", "prime256v1"])).unwrap();
        assert!(format!("{key:?}").starts_with("PemKey(PublicKey(P-256 "));
    }
}
