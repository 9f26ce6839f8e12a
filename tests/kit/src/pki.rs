//! Certificates for tests: authorities, leaves, and every odd variant that must be refused.
//!
//! ```
//! use oms_testkit::pki::{Authority, KeyType, Profile};
//!
//! let root = Authority::root(Profile::ca("Corp Root"), KeyType::P384);
//! let signing = root.intermediate(Profile::ca("Corp Signing"), KeyType::P384);
//! let vendor = signing.issue(Profile::code_signing("Vendor").email("release@vendor.example"), KeyType::P256);
//! assert!(vendor.certificate.pem.starts_with("-----BEGIN CERTIFICATE-----"));
//! ```

mod crl;
mod key;
mod profile;

use rcgen::{Issuer, PublicKeyData};

pub use self::crl::{Crl, CrlProfile, RevocationReason};
pub use self::key::{Key, KeyType, spki_of_point};
pub use self::profile::{ExtendedKeyUsage, KeyUsage, Profile, date, now};
use crate::files::sha256_hex;

/// A certificate in both encodings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The DER encoding.
    pub der: Vec<u8>,
    /// The PEM encoding.
    pub pem: String,
    /// The serial number, as a CRL lists it.
    pub serial: Vec<u8>,
}

impl Certificate {
    /// The SHA-256 of the DER encoding in lower-case hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        sha256_hex(&self.der)
    }
}

/// An end entity: a certificate with its private key.
#[derive(Debug)]
pub struct Leaf {
    /// The leaf's certificate.
    pub certificate: Certificate,
    /// The leaf's key.
    pub key: Key,
}

impl Leaf {
    /// A certificate that its own key signed, as a policy may pin one.
    pub fn self_signed(profile: Profile, key: KeyType) -> Leaf {
        let key = Key::generate(key);
        let (params, serial) = profile.into_params(&key.pair.subject_public_key_info());
        let certificate = params.self_signed(&key.pair).expect("a self-signed certificate");
        Leaf { certificate: Certificate::new(&certificate, serial), key }
    }
}

/// A certification authority: its certificate, its key, and what it issues.
#[derive(Debug)]
pub struct Authority {
    /// The authority's own certificate.
    pub certificate: Certificate,
    issuer: Issuer<'static, rcgen::KeyPair>,
}

impl Authority {
    /// A self-signed root.
    pub fn root(profile: Profile, key: KeyType) -> Authority {
        let key = Key::generate(key);
        let (params, serial) = profile.into_params(&key.pair.subject_public_key_info());
        let certificate = params.self_signed(&key.pair).expect("a root certificate");
        Authority {
            certificate: Certificate::new(&certificate, serial),
            issuer: Issuer::new(params, key.pair),
        }
    }

    /// An authority below this one. Nothing checks that the profile is one of an authority, so
    /// that a test can also let a leaf issue.
    pub fn intermediate(&self, profile: Profile, key: KeyType) -> Authority {
        let key = Key::generate(key);
        let (params, serial) = profile.into_params(&key.pair.subject_public_key_info());
        let certificate =
            params.signed_by(&key.pair, &self.issuer).expect("an intermediate certificate");
        Authority {
            certificate: Certificate::new(&certificate, serial),
            issuer: Issuer::new(params, key.pair),
        }
    }

    /// The private key as PKCS#8 in PEM.
    pub fn private_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// A leaf with a new key.
    pub fn issue(&self, profile: Profile, key: KeyType) -> Leaf {
        let key = Key::generate(key);
        let certificate = self.certify(profile, &key.pair);
        Leaf { certificate, key }
    }

    /// A certificate for a public key that exists already, such as one that was born in an HSM.
    /// `spki` is its DER-encoded SubjectPublicKeyInfo (RFC 5280, section 4.1.2.7): ECDSA on a NIST
    /// curve.
    pub fn issue_for(&self, profile: Profile, spki: &[u8]) -> Certificate {
        self.certify(profile, &key::ForeignKey::from_spki(spki))
    }

    /// A certificate for the key of another authority, under whose name it then stands in a path.
    pub fn certify_authority(&self, profile: Profile, subject: &Authority) -> Certificate {
        self.certify(profile, subject.issuer.key())
    }

    /// A CRL of this authority.
    pub fn crl(&self, profile: CrlProfile) -> Crl {
        profile.sign(&self.issuer)
    }

    fn certify(&self, profile: Profile, key: &impl PublicKeyData) -> Certificate {
        let (params, serial) = profile.into_params(&key.subject_public_key_info());
        let certificate = params.signed_by(key, &self.issuer).expect("a certificate");
        Certificate::new(&certificate, serial)
    }
}

impl Certificate {
    fn new(certificate: &rcgen::Certificate, serial: Vec<u8>) -> Certificate {
        Certificate { der: certificate.der().to_vec(), pem: certificate.pem(), serial }
    }
}

/// The PEM text of a chain: the certificates one after the other, as given (leaf first).
pub fn chain<'a>(certificates: impl IntoIterator<Item = &'a Certificate>) -> String {
    certificates.into_iter().map(|certificate| certificate.pem.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files;
    use std::path::Path;
    use std::process::Command;

    fn openssl(args: &[&str]) -> (bool, String) {
        let output = Command::new("openssl")
            .args(args)
            .output()
            .expect("openssl is installed (cargo xtask setup)");
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).into_owned())
    }

    fn verifies(
        dir: &Path,
        root: &Authority,
        intermediate: &Authority,
        leaf: &Certificate,
    ) -> (bool, String) {
        let root = files::public(dir.join("root.pem"), &root.certificate.pem);
        let intermediate = files::public(dir.join("int.pem"), &intermediate.certificate.pem);
        let leaf = files::public(dir.join("leaf.pem"), &leaf.pem);
        let path = |p: &Path| p.to_str().unwrap().to_owned();
        openssl(&[
            "verify",
            "-attime",
            &date(2026, 6, 1).to_string(),
            "-CAfile",
            &path(&root),
            "-untrusted",
            &path(&intermediate),
            &path(&leaf),
        ])
    }

    #[test]
    fn another_implementation_accepts_a_chain_of_every_key_type() {
        let dir = tempfile::tempdir().unwrap();
        for key in [KeyType::P256, KeyType::P384, KeyType::P521, KeyType::Ed25519, KeyType::Rsa3072]
        {
            let root = Authority::root(Profile::ca("Root"), key);
            let intermediate = root.intermediate(Profile::ca("Intermediate"), key);
            let leaf = intermediate.issue(
                Profile::code_signing("Leaf").email("a@b.example").uri("https://b.example/x"),
                key,
            );
            let (good, text) = verifies(dir.path(), &root, &intermediate, &leaf.certificate);
            assert!(good, "{key:?}: {text}");

            let (_, text) = openssl(&[
                "x509",
                "-noout",
                "-text",
                "-in",
                dir.path().join("leaf.pem").to_str().unwrap(),
            ]);
            for part in [
                "Code Signing",
                "Digital Signature",
                "CA:FALSE",
                "email:a@b.example",
                "URI:https://b.example/x",
            ] {
                assert!(text.contains(part), "{key:?}: {part} is not in {text}");
            }
            let serial: String =
                leaf.certificate.serial.iter().map(|byte| format!("{byte:02x}")).collect();
            assert!(
                text.replace([':', ' ', '\n'], "").contains(&serial),
                "{serial} is not in {text}"
            );
        }
    }

    #[test]
    fn an_expired_leaf_and_another_root_do_not_verify() {
        let dir = tempfile::tempdir().unwrap();
        let root = Authority::root(Profile::ca("Root"), KeyType::P256);
        let other = Authority::root(Profile::ca("Root"), KeyType::P256);
        let intermediate = root.intermediate(Profile::ca("Intermediate"), KeyType::P256);
        let expired = intermediate.issue(Profile::code_signing("Leaf").expired(), KeyType::P256);
        let good = intermediate.issue(Profile::code_signing("Leaf"), KeyType::P256);
        assert!(!verifies(dir.path(), &root, &intermediate, &expired.certificate).0);
        assert!(!verifies(dir.path(), &other, &intermediate, &good.certificate).0);
        assert!(verifies(dir.path(), &root, &intermediate, &good.certificate).0);
    }

    #[test]
    fn a_crl_revokes_the_certificate_that_it_lists() {
        let dir = tempfile::tempdir().unwrap();
        let root = Authority::root(Profile::ca("Root"), KeyType::P256);
        let revoked = root.issue(Profile::code_signing("Revoked"), KeyType::P256);
        let good = root.issue(Profile::code_signing("Good"), KeyType::P256);
        let crl = root.crl(
            CrlProfile::new(3)
                .revoke(&revoked.certificate)
                .validity(date(2026, 1, 1), date(2026, 12, 1)),
        );
        let file = |name: &str, pem: &str| {
            files::public(dir.path().join(name), pem).to_str().unwrap().to_owned()
        };
        let (root, crl) = (file("root.pem", &root.certificate.pem), file("crl.pem", &crl.pem));
        let time = date(2026, 6, 1).to_string();
        let check = |leaf: &str| {
            openssl(&[
                "verify",
                "-crl_check",
                "-attime",
                &time,
                "-CAfile",
                &root,
                "-CRLfile",
                &crl,
                leaf,
            ])
        };
        let (accepted, text) = check(&file("good.pem", &good.certificate.pem));
        assert!(accepted, "{text}");
        let (accepted, text) = check(&file("revoked.pem", &revoked.certificate.pem));
        assert!(!accepted && text.contains("revoked"), "{text}");
    }

    #[test]
    fn a_certificate_for_a_foreign_key_holds_that_key() {
        for key_type in [KeyType::P256, KeyType::P384, KeyType::P521] {
            let key = Key::generate(key_type);
            let root = Authority::root(Profile::ca("Root"), KeyType::P256);
            let certificate = root.issue_for(Profile::code_signing("HSM"), &key.public_der());
            let spki = key.public_der();
            assert!(
                certificate.der.windows(spki.len()).any(|window| window == spki),
                "{key_type:?}"
            );
        }
    }
}
