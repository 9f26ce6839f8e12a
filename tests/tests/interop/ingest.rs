//! From the peer through a station and back: models that the peer signed are ingested, and what the
//! station re-signed and published verifies with the peer.

use std::fs;
use std::path::{Path, PathBuf};

use oms_testkit::files;
use oms_testkit::peer::{Hashing, Job, Peer};
use oms_testkit::pki::{Authority, KeyType, Profile, chain};
use oms_testkit::roots::Anchor;
use oms_testkit::run::appliance;
use oms_testkit::schemas::Schemas;
use oms_testkit::station::{Station, StationKey};
use serde_json::Value;
use tempfile::TempDir;

use super::cases::{CASES, Case, Credential};
use super::credentials::Credentials;
use super::models;

const STATION: &str = "https://corp.example/stations/diode-3";

/// The models on the carrier, by their cases in the matrix; here, one vendor signed them all.
const INGESTED: &[&str] = &[
    "certificate P-384",
    "odd names",
    "colons",
    "dot files",
    "empty files",
    "git at the top",
    "git below the top",
    "single file",
    "blake3",
    "ignored paths",
    "order of resources",
];

/// On the carrier as well; what is re-signed meets the peer's faults with shards and blake2b.
const BEYOND_THE_PEER: &[&str] = &["shards", "blake2b"];

/// Admits the vendor, whatever its models hold.
const POLICY: &str = r#"
[policy]
id = "interop"
version = 1

[[signer]]
method = "certificate"
anchors = ["vendor-root"]

[revocation]
mode = "off"

[manifest]
hashes = ["sha256", "blake2b", "blake3"]

[content]
allow = "any"

[resign]
annotations = { "com.example.station" = "diode-3" }
"#;

/// A model on the carrier.
struct Source {
    case: &'static Case,
    model: PathBuf,
    /// The vendor's bundle, beside the model.
    bundle: PathBuf,
}

#[test]
fn what_a_station_resigned_verifies_with_the_peer() {
    let peer = Peer::installed();
    let dir = TempDir::new().expect("a temporary folder");
    let vendor =
        Credentials::new(&dir.path().join("vendor"), Credential::Certificate(KeyType::P384));
    let site = Site::new(dir.path(), &vendor);
    let carrier = files::folder(dir.path().join("carrier"));
    let sources: Vec<Source> =
        INGESTED.iter().chain(BEYOND_THE_PEER).map(|name| Source::write(&carrier, name)).collect();
    let jobs: Vec<Job> = sources.iter().map(|source| source.signed_by(&vendor)).collect();
    for (source, answer) in sources.iter().zip(peer.run(&jobs)) {
        assert!(answer.error.is_none(), "{}: {answer:?}", source.case.name);
    }

    let arguments = ["ingest".into(), carrier.into_os_string(), "--json".into()];
    let config = ["--config".into(), site.station.config.clone().into_os_string()];
    let document = appliance(arguments.into_iter().chain(config)).expect_status(0).json();

    let schemas = Schemas::load();
    let mut jobs = Vec::new();
    for source in &sources {
        let entry = source.entry(&document);
        let resigned = entry.join("model.sig");
        let bundle = fs::read(&resigned).expect("a re-signed bundle");
        let violations = schemas.as_ref().map(|schemas| schemas.violations(&bundle));
        assert!(violations.iter().all(Vec::is_empty), "{}: {violations:#?}", source.case.name);
        if !BEYOND_THE_PEER.contains(&source.case.name) {
            jobs.push((source, "re-signed", verify(&entry, resigned, vec![site.root.clone()])));
            // What is published is a folder, and the peer signed the file `.`.
            if !source.case.is_single_file() {
                let trusted = vendor.trust.anchors.clone();
                jobs.push((source, "as it was", verify(&entry, entry.join("source.sig"), trusted)));
            }
        }
    }
    let asked: Vec<Job> = jobs.iter().map(|(.., job)| job.clone()).collect();
    for ((source, which, _), answer) in jobs.iter().zip(peer.run(&asked)) {
        assert!(answer.error.is_none(), "{}, bundle {which}: {answer:?}", source.case.name);
    }
}

impl Source {
    /// Writes the model of a case into a folder of its own on the carrier.
    fn write(carrier: &Path, name: &str) -> Source {
        let case = CASES.iter().find(|case| case.name == name).expect("a case of the matrix");
        let folder = files::folder(carrier.join(name));
        let model = folder.join(case.model);
        models::write(&model, case);
        Source { case, model, bundle: folder.join(format!("{}.sig", case.model)) }
    }

    fn signed_by(&self, vendor: &Credentials) -> Job {
        Job::Sign {
            model: self.model.clone(),
            bundle: self.bundle.clone(),
            key: vendor.key.clone(),
            certificate: vendor.certificate.clone(),
            chain: vendor.chain.clone(),
            hashing: Hashing {
                hash: self.case.hash.to_owned(),
                shard_size: self.case.shard_size,
                ignore: self.case.ignore.iter().map(PathBuf::from).collect(),
            },
        }
    }

    /// The entry in outbound, by the document of `ingest --json`.
    fn entry(&self, document: &Value) -> PathBuf {
        let path = format!("{}/{}", self.case.name, self.case.model);
        let models = document["models"].as_array().expect("models");
        let model = models.iter().find(|model| model["path"] == path.as_str());
        let entry = model.and_then(|model| model["entry"].as_str());
        PathBuf::from(entry.unwrap_or_else(|| panic!("no entry for {path}: {document:#}")))
    }
}

/// The published files, against a bundle.
fn verify(entry: &Path, bundle: PathBuf, trusted: Vec<PathBuf>) -> Job {
    let hashing = Hashing { hash: "sha256".to_owned(), shard_size: None, ignore: Vec::new() };
    Job::Verify {
        model: entry.join("model"),
        bundle,
        key: None,
        chain: trusted,
        hashing,
        guess: true,
    }
}

/// A station with its corporate PKI; its keys are files.
struct Site {
    station: Station,
    /// The corporate root in PEM.
    root: PathBuf,
}

impl Site {
    fn new(dir: &Path, vendor: &Credentials) -> Site {
        let root = Authority::root(Profile::ca("Corp Root"), KeyType::P384);
        let issuer = root.intermediate(Profile::ca("Corp Signing"), KeyType::P384);
        let verdict = issuer.issue(Profile::code_signing("Station").uri(STATION), KeyType::P256);
        let resign = issuer.issue(Profile::code_signing("Corp models"), KeyType::P521);
        let folder = files::folder(dir.join("station"));
        let [vendor_root] = vendor.trust.anchors.as_slice() else { panic!("one anchor") };
        let vendor_root = fs::read_to_string(vendor_root).expect("the vendor's root");
        let anchors = [
            Anchor::new("corp-root", &root.certificate.pem, &["code-signing", "verdict"]),
            Anchor::new("vendor-root", &vendor_root, &["code-signing"]),
        ];
        let key = |leaf: &oms_testkit::pki::Leaf, name: &str| {
            leaf.key.write_private(folder.join(name)).display().to_string()
        };
        let station = Station::write(
            &folder,
            STATION,
            POLICY,
            &anchors,
            StationKey {
                key: key(&verdict, "verdict.key"),
                chain: &chain([&verdict.certificate, &issuer.certificate]),
            },
            StationKey {
                key: key(&resign, "resign.key"),
                chain: &chain([&resign.certificate, &issuer.certificate]),
            },
        );
        let root = files::public(folder.join("corp-root.pem"), &root.certificate.pem);
        Site { station, root }
    }
}
