//! Good inputs to begin with: from the test vectors where these are there, and from a PKI that is
//! made anew. Nothing of this is kept in the repository.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use oms_testkit::pki::{Authority, CrlProfile, KeyType, Leaf, Profile};
use oms_testkit::vectors::{self, workspace};
use oms_verify::budget::Budget;
use oms_verify::bundle::{Bundle, NewMaterial, assemble};
use oms_verify::hash::Sha256Digest;
use oms_verify::pki::Certificate;

use super::{Folders, models};
use crate::failure::Failure;
use crate::limbo;
use crate::process::write as write_text;

/// The trusted root that is built in.
const PUBLIC_GOOD: &str = "firmware-roots/sigstore/public-good.json";

/// Bytes of the longest input that a target is given.
pub(super) fn longest(name: &str) -> usize {
    match name {
        "bundle" | "statement" | "sigstore" => 64 << 10,
        // As far as the last signature lies.
        "superblock" => 72 << 10,
        // As far as a disc has its descriptor.
        "inspect-identify" => 48 << 10,
        _ => 16 << 10,
    }
}

/// Writes the seeds of a target, and a dictionary where inputs are text.
pub(super) fn write(name: &str, folders: &Folders) -> Result<(), Failure> {
    let fault = |path: &Path, source| Failure::Write { path: path.to_owned(), source };
    fs::create_dir_all(&folders.corpus).map_err(|source| fault(&folders.corpus, source))?;
    let seeds = seeds(name)?;
    for seed in &seeds {
        let path = folders.corpus.join(Sha256Digest::of(seed).to_hex());
        fs::write(&path, seed).map_err(|source| fault(&path, source))?;
    }
    let words = dictionary(&seeds);
    if words.is_empty() { Ok(()) } else { write_text(&folders.dictionary, &words) }
}

/// What the kernel says of a partition.
const UEVENT: &str = "add@/devices/virtual/block/loop0/loop0p1\0ACTION=add\0\
    DEVPATH=/devices/virtual/block/loop0/loop0p1\0SUBSYSTEM=block\0MAJOR=259\0MINOR=3\0\
    DEVNAME=loop0p1\0DEVTYPE=partition\0DISKSEQ=12\0PARTN=1\0SEQNUM=2917\0";

/// Beginnings of devices: where a file system has its signature, and what it is.
fn superblocks() -> Vec<Vec<u8>> {
    let signatures: [(usize, &[u8]); 6] = [
        (3, b"EXFAT   "),
        (0, b"hsqs"),
        (1080, &[0x53, 0xef]),
        (0x8001, b"CD001"),
        (0x8801, b"NSR03"),
        (11, &[0, 2, 1, 1, 0, 2, 0xe0, 0, 0x40, 0x0b, 0xf0]),
    ];
    let head = |(offset, bytes): (usize, &[u8])| [vec![0; offset], bytes.to_vec()].concat();
    signatures.map(head).to_vec()
}

fn seeds(name: &str) -> Result<Vec<Vec<u8>>, Failure> {
    match name {
        "bundle" => bundles(),
        "statement" => Ok(payloads(&bundles()?)),
        "certificate" => Ok(chains(true)?),
        "path" => Ok(chains(false)?),
        "crl" => crls(),
        "policy" => policies(),
        "timestamp" => timestamps(),
        "sigstore" => sigstore(),
        "attestation" => Ok(attestations()),
        "tar" => Ok(archives()),
        "superblock" => Ok(superblocks()),
        "uevent" => Ok(vec![UEVENT.as_bytes().to_vec()]),
        _ => Ok(models::seeds(name)),
    }
}

/// The bundles of the vectors, and one of each method that the kit can make.
fn bundles() -> Result<Vec<Vec<u8>>, Failure> {
    let mut bundles = Vec::new();
    for path in files_below(&vectors::location()) {
        let name = path.to_string_lossy();
        if name.ends_with(".sig") || (name.contains("oms-spec") && name.ends_with(".json")) {
            bundles.push(read(&path)?);
        }
    }
    let chain: Vec<_> =
        Pki::new().chain.iter().filter_map(|der| Certificate::from_der(der).ok()).take(2).collect();
    bundles.push(assemble(b"{}", &[0; 70], &NewMaterial::Chain(&chain)));
    Ok(bundles)
}

fn payloads(bundles: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let budget = Budget::default();
    let bundles = bundles.iter().filter_map(|bytes| Bundle::parse(bytes, &budget).ok());
    bundles.map(|bundle| bundle.alleged_payload().to_vec()).collect()
}

/// The tokens of the vectors' bundles, each with the signature that it is over and the certificates
/// of the authority that stamped, which is the one of the public Sigstore instance.
fn timestamps() -> Result<Vec<Vec<u8>>, Failure> {
    let budget = Budget::default();
    let authority = public_good_authority()?;
    let mut seeds =
        vec![oms_fuzz::join([&[&b"0"[..], b"signature"], &slices(&authority)[..]].concat())];
    for bytes in bundles()? {
        let Ok(bundle) = Bundle::parse(&bytes, &budget) else { continue };
        for token in bundle.timestamps() {
            let about = [&token[..], bundle.signature_bytes()];
            seeds.push(oms_fuzz::join([&about, &slices(&authority)[..]].concat()));
        }
    }
    Ok(seeds)
}

/// The certificates of the time stamping authority in the trusted root that is built in.
fn public_good_authority() -> Result<Vec<Vec<u8>>, Failure> {
    let path = workspace().join(PUBLIC_GOOD);
    let root: serde_json::Value =
        serde_json::from_slice(&read(&path)?).map_err(|source| Failure::Json { path, source })?;
    let chain = root.pointer("/timestampAuthorities/0/certChain/certificates");
    let certificates = chain.and_then(|chain| chain.as_array()).into_iter().flatten();
    let bytes = certificates.filter_map(|certificate| certificate.get("rawBytes")?.as_str());
    Ok(bytes.filter_map(|text| BASE64_STANDARD.decode(text).ok()).collect())
}

/// Archives with a short name, and with one that stands before its header.
fn archives() -> Vec<Vec<u8>> {
    let archive = |name: &str| {
        let mut bytes = oms_verify::tar::header(name, 3);
        bytes.extend_from_slice(b"abc");
        bytes.resize(bytes.len() + oms_verify::tar::padding(3) + oms_verify::tar::END, 0);
        bytes
    };
    vec![archive("model/a"), archive(&"a/".repeat(100)), vec![0; oms_verify::tar::END]]
}

fn slices(pieces: &[Vec<u8>]) -> Vec<&[u8]> {
    pieces.iter().map(Vec::as_slice).collect()
}

/// The bundles, and the trusted root that is built in.
fn sigstore() -> Result<Vec<Vec<u8>>, Failure> {
    let mut seeds = bundles()?;
    seeds.push(read(&workspace().join(PUBLIC_GOOD))?);
    Ok(seeds)
}

/// Chains in pieces, leaf first; with their CRLs, if asked for.
fn chains(with_crls: bool) -> Result<Vec<Vec<u8>>, Failure> {
    let pki = Pki::new();
    let mut chains = vec![oms_fuzz::join(&pki.chain)];
    if with_crls {
        chains.push(oms_fuzz::join([&pki.crl].into_iter().chain(&pki.chain)));
    }
    for case in limbo::cases_or_none()? {
        let crls = case.crls_der().into_iter().filter(|_| with_crls);
        let pieces: Vec<_> = crls.chain(case.chain_der()).collect();
        chains.push(oms_fuzz::join(pieces));
    }
    chains.retain(|chain| chain.len() <= longest("path"));
    Ok(chains)
}

fn crls() -> Result<Vec<Vec<u8>>, Failure> {
    let mut crls = vec![Pki::new().crl];
    for case in limbo::cases_or_none()? {
        crls.extend(case.crls_der());
    }
    Ok(crls)
}

fn policies() -> Result<Vec<Vec<u8>>, Failure> {
    let files = files_below(&workspace().join("policies")).into_iter();
    let mut policies = files
        .filter(|path| path.extension().is_some_and(|end| end == "toml"))
        .map(|path| read(&path))
        .collect::<Result<Vec<_>, _>>()?;
    policies.push(POLICY.as_bytes().to_vec());
    Ok(policies)
}

/// What the policies of the repository do not use.
const POLICY: &str = r#"
policy = { id = "seed", version = 1 }
[[signer]]
method = "certificate"
anchors = ["corp-root"]
subject = ["CN=Release,O=Corp"]
issuer = ["CN=Signing,O=Corp"]
san-email = ["*@corp.example"]
san-dns = ["*.corp.example"]
certificate-policies = ["1.3.6.1.4.1.99999.1"]
extended-key-usage = ["1.3.6.1.4.1.99999.2"]
keys = ["P-384", "RSA-2048"]
models = ["llm-*"]
[[signer]]
method = "key"
key = "vendor.pem"
[signatures]
require = 2
[revocation]
mode = "if-available"
max-crl-age = "7d"
[time]
timestamp-anchors = ["corp-tsa"]
require-timestamp = false
expired-certificates = "with-timestamp"
revoked-certificates = "with-timestamp"
[[attestation]]
predicate-type = "https://slsa.dev/provenance/v1"
where = [
  { field = "predicate.buildDefinition.buildType", equals = "https://corp.example/build" },
  { field = "predicate.levels.[]", at-least = 3 },
  { field = "predicate.reviewed", one-of = [true, 1, "yes"] },
]
[attestation.signer]
method = "sigstore"
trusted-root = "sigstore-public-good"
identity = "*@corp.example"
issuer = "https://accounts.corp.example"
[manifest]
hashes = ["sha256"]
[content]
allow = "any"
"#;

/// Conditions, and payloads that they are about: an SLSA provenance and a bill of materials.
fn attestations() -> Vec<Vec<u8>> {
    let statement = |version: &str, predicate: &str| {
        format!(
            r#"{{"_type":"https://in-toto.io/Statement/{version}","subject":[{{"name":"llm",
            "digest":{{"sha512":"00","sha256":"{}"}}}}],"predicate":{predicate},
            "predicateType":"https://slsa.dev/provenance/v1"}}"#,
            oms_fuzz::ABOUT
        )
    };
    let provenance = r#"{"buildDefinition":{"buildType":"https://corp.example/build"},"level":3}"#;
    let materials =
        r#"{"components":[{"name":"a","score":0.5},{"name":"b","score":-1e3}],"x":null}"#;
    let seeds = [
        (
            r#"{ field = "predicate.buildDefinition.buildType", equals = "https://corp.example/build" },
            { field = "predicate.level", at-least = 3 }"#,
            statement("v1", provenance),
        ),
        (
            r#"{ field = "predicate.components.[].name", one-of = ["b", 1, true] },
            { field = "predicate.components.1.score", at-least = -1000 },
            { field = "predicate.x", present = true }, { field = "predicate.y", present = false }"#,
            statement("v0.1", materials),
        ),
    ];
    seeds.map(|(conditions, payload)| oms_fuzz::join([conditions, &payload])).to_vec()
}

/// What the kit makes: leaf, authority and root, and a CRL, all in DER.
struct Pki {
    chain: Vec<Vec<u8>>,
    crl: Vec<u8>,
}

impl Pki {
    fn new() -> Pki {
        let root = Authority::root(Profile::ca("Root").organization("Corp"), KeyType::P384);
        let signing = root.intermediate(Profile::ca("Signing").path_length(0), KeyType::P256);
        let profile = Profile::code_signing("Leaf")
            .email("release@vendor.example")
            .dns("build.vendor.example")
            .uri("https://vendor.example/build");
        let leaf: Leaf = signing.issue(profile, KeyType::P256);
        let crl = root.crl(CrlProfile::new(7).revoke(&signing.certificate)).der;
        Pki {
            chain: vec![leaf.certificate.der, signing.certificate.der, root.certificate.der],
            crl,
        }
    }
}

/// The words of inputs that are text, as libFuzzer reads them.
fn dictionary(seeds: &[Vec<u8>]) -> String {
    let mut words = BTreeSet::new();
    for text in seeds.iter().filter_map(|seed| std::str::from_utf8(seed).ok()) {
        let separates = |c: char| !(c.is_ascii_alphanumeric() || "._:/+;=-".contains(c));
        let sizes = 3..=48;
        words.extend(text.split(separates).filter(|word| sizes.contains(&word.len())));
        if words.len() > 1000 {
            break;
        }
    }
    words.into_iter().map(|word| format!("\"{word}\"\n")).collect()
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|source| Failure::Read { path: path.to_owned(), source })
}

/// Every file below a folder; none when there is no such folder.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use oms_verify::pki::{Anchor, CrlSet, Purpose, Revocation, RevocationMode};
    use oms_verify::policy::{RawPolicy, Vocabulary};
    use oms_verify::time::UnixTime;
    use oms_verify::timestamp::{TimestampTrust, verify};

    use super::*;

    #[test]
    fn every_target_has_seeds() {
        for name in super::super::names() {
            assert!(!seeds(name).unwrap().is_empty(), "{name}");
        }
    }

    #[test]
    fn the_policy_is_one_and_the_time_stamps_are_trusted() {
        assert_eq!(RawPolicy::parse(POLICY, &Vocabulary { formats: &[] }).err(), None);

        let certificates = public_good_authority().unwrap();
        let anchors = certificates.iter().map(|der| Anchor {
            name: "authority".to_owned(),
            certificate: Certificate::from_der(der).unwrap(),
            purposes: [Purpose::Timestamping].into(),
            provenance: String::new(),
            file_sha256: Sha256Digest::of(der),
        });
        let trust = TimestampTrust {
            anchors: &anchors.collect::<Vec<_>>(),
            crls: &CrlSet::default(),
            revocation: &Revocation { mode: RevocationMode::Off, max_crl_age: None },
            time: UnixTime(1_893_456_000),
            budget: &Budget::default(),
        };
        for bytes in bundles().unwrap() {
            let Ok(bundle) = Bundle::parse(&bytes, trust.budget) else { continue };
            for token in bundle.timestamps() {
                verify(token, bundle.signature_bytes(), &trust).unwrap();
            }
        }
    }

    #[test]
    fn the_dictionary_has_the_words_of_texts_only() {
        let seeds = [b"[a]\nrequire = \"x-y\"".to_vec(), vec![0xff, b'a', b'b', b'c']];
        assert_eq!(dictionary(&seeds), "\"require\"\n\"x-y\"\n");
    }
}
