//! Keys, certificates, roots and policies for each kind of signer.

use std::path::{Path, PathBuf};

use oms_testkit::pki::{Authority, Key, KeyType, Leaf, Profile};
use oms_testkit::roots::Anchor;
use oms_testkit::{files, roots};

use super::cases::Credential;

/// The files of one signer and of its verifiers.
pub(crate) struct Credentials {
    pub(crate) credential: Credential,
    /// The private key.
    pub(crate) key: PathBuf,
    /// The leaf, for the methods with a certificate.
    pub(crate) certificate: Option<PathBuf>,
    /// The other certificates that the signer is given.
    pub(crate) chain: Vec<PathBuf>,
    /// What admits the signer.
    pub(crate) trust: Trust,
    /// What admits another signer of the same kind.
    pub(crate) stranger: Trust,
}

/// What a verifier trusts, in the forms of both sides.
pub(crate) struct Trust {
    /// The policy of this side, its roots, and its CRLs, of which there are none.
    pub(crate) policy: PathBuf,
    pub(crate) roots: PathBuf,
    pub(crate) crls: PathBuf,
    /// For the peer: the public key, for the method `key`.
    pub(crate) public_key: Option<PathBuf>,
    /// For the peer: the roots.
    pub(crate) anchors: Vec<PathBuf>,
}

impl Credentials {
    /// Makes everything in the folder `dir`.
    pub(crate) fn new(dir: &Path, credential: Credential) -> Credentials {
        let dir = files::folder(dir);
        let (mine, theirs) = (dir.join("trust"), dir.join("stranger"));
        match credential {
            Credential::Key(key_type) => {
                let key = Key::generate(key_type);
                Credentials {
                    credential,
                    key: key.write_private(dir.join("key.pem")),
                    certificate: None,
                    chain: Vec::new(),
                    trust: Trust::key(&mine, &key),
                    stranger: Trust::key(&theirs, &Key::generate(key_type)),
                }
            }
            Credential::SelfSigned(key_type) | Credential::SelfSignedTwice(key_type) => {
                let leaf = || Leaf::self_signed(Profile::code_signing("Vendor"), key_type);
                let vendor = leaf();
                let certificate = write(&dir, "leaf", &vendor.certificate.pem);
                let twice = matches!(credential, Credential::SelfSignedTwice(_));
                Credentials {
                    credential,
                    key: vendor.key.write_private(dir.join("key.pem")),
                    chain: twice.then(|| certificate.clone()).into_iter().collect(),
                    certificate: Some(certificate),
                    trust: Trust::anchor(&mine, &vendor.certificate.pem),
                    stranger: Trust::anchor(&theirs, &leaf().certificate.pem),
                }
            }
            Credential::Certificate(key_type)
            | Credential::WithRoot(key_type)
            | Credential::Expired(key_type)
            | Credential::WithoutCodeSigning(key_type) => {
                let root =
                    || Authority::root(Profile::ca("Vendor Root").organization("Vendor"), key_type);
                let anchor = root();
                let authority = anchor.intermediate(
                    Profile::ca("Vendor Signing").organization("Vendor").path_length(0),
                    key_type,
                );
                let rsa = matches!(key_type, KeyType::Rsa2048 | KeyType::Rsa3072);
                let profile = Profile::code_signing("Release").email("release@vendor.example");
                let profile = match credential {
                    Credential::Expired(_) => profile.expired(),
                    Credential::WithoutCodeSigning(_) => profile.extended_key_usages([]),
                    _ => profile,
                };
                let vendor = authority.issue(profile, if rsa { KeyType::P256 } else { key_type });
                let mut chain = vec![write(&dir, "intermediate", &authority.certificate.pem)];
                if matches!(credential, Credential::WithRoot(_)) {
                    chain.push(write(&dir, "root", &anchor.certificate.pem));
                }
                Credentials {
                    credential,
                    key: vendor.key.write_private(dir.join("key.pem")),
                    certificate: Some(write(&dir, "leaf", &vendor.certificate.pem)),
                    chain,
                    trust: Trust::anchor(&mine, &anchor.certificate.pem),
                    stranger: Trust::anchor(&theirs, &root().certificate.pem),
                }
            }
        }
    }
}

impl Trust {
    fn key(dir: &Path, key: &Key) -> Trust {
        let dir = files::folder(dir);
        Trust {
            policy: policy(&dir, "method = \"key\"\nkey = \"public.pem\""),
            roots: roots::write(dir.join("roots"), &[]),
            crls: files::folder(dir.join("crls")),
            public_key: Some(key.write_public(dir.join("public.pem"))),
            anchors: Vec::new(),
        }
    }

    fn anchor(dir: &Path, pem: &str) -> Trust {
        let dir = files::folder(dir);
        let anchor = Anchor::new("vendor-root", pem, &["code-signing"]);
        let roots = roots::write(dir.join("roots"), &[anchor]);
        Trust {
            policy: policy(&dir, "method = \"certificate\"\nanchors = [\"vendor-root\"]"),
            anchors: vec![roots.join("vendor-root.pem")],
            roots,
            crls: files::folder(dir.join("crls")),
            public_key: None,
        }
    }
}

fn write(dir: &Path, name: &str, pem: &str) -> PathBuf {
    files::public(dir.join(name).with_extension("pem"), pem)
}

/// A policy that admits this signer, every hash, and any content: nothing but signatures, names
/// and digests decides.
fn policy(dir: &Path, signer: &str) -> PathBuf {
    let text = format!(
        "[policy]\nid = \"interop\"\nversion = 1\n\n\
         [[signer]]\n{signer}\n\n\
         [revocation]\nmode = \"off\"\n\n\
         [manifest]\nhashes = [\"sha256\", \"blake2b\", \"blake3\"]\nunsigned-files = \"reject\"\n\n\
         [content]\nallow = \"any\"\n"
    );
    files::public(dir.join("policy.toml"), text)
}
