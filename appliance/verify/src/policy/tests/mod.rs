//! Tests of the policy as a whole; what each file of the module does alone is tested there.

mod content;
mod grammar;
mod identity;
mod resolution;
mod shipped;
mod trust;

use std::collections::{BTreeMap, BTreeSet};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, SanType,
    SignatureAlgorithm,
};

use super::{Inputs, Policy, PolicyError, RawPolicy, Vocabulary};
use crate::hash::Sha256Digest;
use crate::pki::{Anchor, Certificate, Purpose};
use crate::sigstore::TrustedRoot;
use crate::sigstore::tests::public_good;

const FORMATS: Vocabulary<'static> = Vocabulary {
    formats: &[
        "safetensors",
        "gguf",
        "json",
        "text",
        "tokenizer",
        "onnx",
        "image",
        "empty",
        "pytorch",
        "torch-legacy",
        "pickle",
        "numpy",
        "npz",
    ],
};

/// A policy that is complete and says as little as it may.
const SMALLEST: &str = "\
[policy]
id = \"t\"
version = 1
[[signer]]
method = \"certificate\"
anchors = [\"root\"]
[content]
allow = []
";

fn parse(text: &str) -> Result<RawPolicy, PolicyError> {
    RawPolicy::parse(text, &FORMATS)
}

/// Parses and resolves with these anchors, the trusted root `public`, and no key files.
fn resolve(text: &str, anchors: &[Anchor]) -> Result<Policy, PolicyError> {
    let trusted_roots = &[trusted_root("public")];
    parse(text)?.resolve(&Inputs { anchors, keys: &BTreeMap::new(), trusted_roots })
}

fn trusted_root(name: &str) -> TrustedRoot {
    public_good(name)
}

fn anchor(name: &str, purposes: &[Purpose]) -> Anchor {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
    Anchor {
        name: name.to_owned(),
        certificate: Certificate::from_der(certificate.der()).unwrap(),
        purposes: BTreeSet::from_iter(purposes.iter().copied()),
        provenance: "made by a test".to_owned(),
        file_sha256: Sha256Digest::of(name.as_bytes()),
    }
}

/// A certificate with these names, issued by `CN=ML CA,O=Corp`.
fn certificate(subject: &[(DnType, &str)], names: Vec<SanType>) -> Certificate {
    let named = |attributes: &[(DnType, &str)]| {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        for (kind, value) in attributes {
            params.distinguished_name.push(kind.clone(), *value);
        }
        params
    };
    let ca = named(&[(DnType::OrganizationName, "Corp"), (DnType::CommonName, "ML CA")]);
    let ca = Issuer::new(ca, KeyPair::generate().unwrap());
    let mut params = named(subject);
    params.subject_alt_names = names;
    let certificate = params.signed_by(&KeyPair::generate().unwrap(), &ca).unwrap();
    Certificate::from_der(certificate.der()).unwrap()
}

fn public_key_pem(algorithm: &'static SignatureAlgorithm) -> Vec<u8> {
    KeyPair::generate_for(algorithm).unwrap().public_key_pem().into_bytes()
}
