//! A station, a vendor and a carrier, made anew for each test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use oms_testkit::pki::{Authority, Certificate, Key, KeyType, Leaf, Profile, chain};
use oms_testkit::roots::Anchor;
use oms_testkit::run;
use oms_testkit::station::{Station, StationKey};
use oms_testkit::{files, model};
use serde_json::Value;
use tempfile::TempDir;

use crate::forge::Forger;
use crate::{entry, json};

/// The station's URI.
pub const STATION: &str = "https://corp.example/stations/diode-3";

/// What the vendor may sign with: a certificate under the corporate root, or the key `vendor.pem`.
pub const POLICY: &str = r#"
[policy]
id = "station"
version = 3

[[signer]]
method = "certificate"
anchors = ["corp-root"]
san-email = ["*@vendor.example"]

[[signer]]
method = "key"
key = "vendor.pem"

[revocation]
mode = "off"

[manifest]
hashes = ["sha256", "blake2b", "blake3"]

[content]
allow = ["safetensors", "json", "text", "tokenizer"]
"#;

/// The same without a rule about what is inside the files.
pub fn any_content() -> String {
    let restricted = "allow = [\"safetensors\", \"json\", \"text\", \"tokenizer\"]";
    let policy = POLICY.replace(restricted, "allow = \"any\"");
    assert_ne!(policy, POLICY);
    policy
}

/// Bytes of the weights of the usual model.
const WEIGHTS: u64 = 40_000;

/// Everything around one run of the appliance.
pub struct Scene {
    dir: TempDir,
    /// The station's files.
    pub station: Station,
    /// The carrier: a folder.
    pub carrier: PathBuf,
    /// The usual model on the carrier, `carrier/demo`, with the bundle `demo/model.sig`.
    pub model: PathBuf,
    /// The corporate root.
    pub root: Authority,
    /// The authority below the corporate root, which issues every certificate.
    pub issuer: Authority,
    /// The vendor's certificate and key.
    pub vendor: Leaf,
    /// The station's verdict certificate and key.
    pub verdict: Leaf,
}

impl Scene {
    /// A station, and a carrier with the usual model, signed with the vendor's certificate.
    ///
    /// # Panics
    /// When the model cannot be made or signed.
    pub fn signed() -> Scene {
        let scene = Scene::unsigned();
        scene.sign(&scene.model, &scene.bundle(), &[]);
        scene
    }

    /// The same without a bundle.
    ///
    /// # Panics
    /// When the model cannot be made.
    pub fn unsigned() -> Scene {
        let scene = Scene::empty();
        model::write(&scene.model, WEIGHTS);
        scene
    }

    /// A station, and a carrier on which there is nothing; its keys are files.
    ///
    /// # Panics
    /// When a file cannot be written.
    pub fn empty() -> Scene {
        Scene::with_policy(POLICY)
    }

    /// The same with this policy.
    ///
    /// # Panics
    /// When a file cannot be written.
    pub fn with_policy(policy: &str) -> Scene {
        Scene::within(&std::env::temp_dir(), policy)
    }

    /// The same in a new folder in `parent`.
    ///
    /// # Panics
    /// When a file cannot be written.
    pub fn within(parent: &Path, policy: &str) -> Scene {
        let dir = tempfile::Builder::new().prefix("oms-tests-").tempdir_in(parent).unwrap();
        let root = Authority::root(Profile::ca("Corp Root"), KeyType::P256);
        let issuer = root.intermediate(Profile::ca("Corp Issuing"), KeyType::P256);
        let issue = |profile| issuer.issue(profile, KeyType::P256);
        let vendor = issue(Profile::code_signing("Vendor").email("release@vendor.example"));
        let verdict = issue(Profile::code_signing("Station").uri(STATION));
        let resign = issue(Profile::code_signing("Corp ML").email("ml@corp.example"));
        let station = dir.path().join("station");
        let key = |leaf: &Leaf, name: &str| {
            files::folder(&station);
            let path = leaf.key.write_private(station.join(name));
            path.display().to_string()
        };
        let anchor = Anchor::new("corp-root", &root.certificate.pem, &["code-signing", "verdict"]);
        let station = Station::write(
            &station,
            STATION,
            policy,
            &[anchor],
            StationKey {
                key: key(&verdict, "verdict.key"),
                chain: &chain([&verdict.certificate, &issuer.certificate]),
            },
            StationKey {
                key: key(&resign, "resign.key"),
                chain: &chain([&resign.certificate, &issuer.certificate]),
            },
        );
        vendor.key.write_public(station.policy.with_file_name("vendor.pem"));
        let top = dir.path().canonicalize().unwrap();
        let carrier = files::folder(top.join("carrier"));
        vendor.key.write_private(top.join("vendor.key"));
        files::public(top.join("vendor.chain"), chain([&vendor.certificate, &issuer.certificate]));
        let model = carrier.join("demo");
        Scene { dir, station, carrier, model, root, issuer, vendor, verdict }
    }

    /// Replaces a text of the station's configuration.
    ///
    /// # Panics
    /// When it is not there.
    pub fn configure(&self, from: &str, to: &str) {
        let before = fs::read_to_string(&self.station.config).unwrap();
        let after = before.replace(from, to);
        assert_ne!(after, before);
        files::public(&self.station.config, after);
    }

    /// The same station with the profile `tar`.
    ///
    /// # Panics
    /// When it has another profile than `tree`.
    #[must_use]
    pub fn as_files(self) -> Scene {
        self.configure("profile = \"tree\"", "profile = \"tar\"");
        self
    }

    /// A path in the folder that holds all of this and that nobody else uses.
    ///
    /// # Panics
    /// When the folder is gone.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join(name)
    }

    /// Where the usual model's bundle is.
    pub fn bundle(&self) -> PathBuf {
        self.model.join("model.sig")
    }

    /// Signs `model` with the vendor's certificate.
    ///
    /// # Panics
    /// When it cannot be signed.
    pub fn sign(&self, model: &Path, bundle: &Path, more: &[&str]) {
        let (key, chain) = (self.path("vendor.key"), self.path("vendor.chain"));
        sign(model, bundle, &key, Some(&chain), more);
    }

    /// Signs the usual model with another certificate: a leaf of this scene's issuer, or of any.
    ///
    /// # Panics
    /// When it cannot be signed.
    pub fn sign_as(&self, leaf: &Leaf, issuer: &Authority) {
        self.sign_through(leaf, &[&issuer.certificate]);
    }

    /// Signs the usual model with a leaf and these certificates above it.
    ///
    /// # Panics
    /// When it cannot be signed.
    pub fn sign_through(&self, leaf: &Leaf, above: &[&Certificate]) {
        let key = leaf.key.write_private(self.path("other.key"));
        let chain = chain([&leaf.certificate].into_iter().chain(above.iter().copied()));
        let chain = files::public(self.path("other.chain"), chain);
        self.sign_with_files(&key, &chain);
    }

    /// Signs the usual model with a private key and a chain in PEM.
    ///
    /// # Panics
    /// When it cannot be signed.
    pub fn sign_with_files(&self, key: &Path, chain: &Path) {
        sign(&self.model, &self.bundle(), key, Some(chain), &[]);
    }

    /// Signs the usual model with this bare key.
    ///
    /// # Panics
    /// When it cannot be signed.
    pub fn sign_with_key(&self, key: &Key) {
        let key = key.write_private(self.path("bare.key"));
        sign(&self.model, &self.bundle(), &key, None, &[]);
    }

    /// What signs anything with the key that the policy admits.
    pub fn forger(&self) -> Forger {
        Forger::new(&self.vendor.key)
    }

    /// Puts these bytes where the usual model's bundle is.
    pub fn place(&self, bundle: impl AsRef<[u8]>) {
        files::folder(&self.model);
        files::public(self.bundle(), bundle);
    }

    /// Puts a bundle there whose payload is this, validly signed.
    pub fn forge(&self, payload: &Value) {
        self.place(self.forger().bundle(payload.to_string().as_bytes()).to_string());
    }

    /// `verify --json` of the usual model.
    pub fn verify(&self) -> Command {
        self.verify_at(&self.model)
    }

    /// `verify --json` of another model.
    pub fn verify_at(&self, model: &Path) -> Command {
        let mut command = appliance();
        command.arg("verify").arg(model).arg("--policy").arg(&self.station.policy);
        command.arg("--roots").arg(&self.station.roots).arg("--json");
        command
    }

    /// `ingest --json` of the carrier.
    pub fn ingest(&self) -> Command {
        let mut command = appliance();
        command.arg("ingest").arg(&self.carrier).arg("--config").arg(&self.station.config);
        command.arg("--json");
        command
    }

    /// `verdict verify --json` of an entry, with the station's roots.
    pub fn receive(&self, entry: &Path) -> Command {
        let mut command = appliance();
        command.args(["verdict", "verify"]).arg(entry).args(["--verifier", STATION, "--json"]);
        command.arg("--roots").arg(&self.station.roots);
        command
    }

    /// Ingests the carrier, whose every model passes; gives the entries in their order.
    ///
    /// # Panics
    /// When a model does not pass, or its entry is not complete.
    pub fn ingested(&self) -> Vec<PathBuf> {
        let document = run::outcome(&mut self.ingest()).expect_status(0).json();
        let document = json::conforming(&json::INGEST, document);
        assert_eq!((&document["result"], &document["exitCode"]), (&"passed".into(), &0.into()));
        let models = document["models"].as_array().unwrap();
        models.iter().map(|model| PathBuf::from(model["entry"].as_str().unwrap())).collect()
    }

    /// The usual model is refused for exactly these codes, in place and on the way in; what goes
    /// out is a signed verdict that says so, and nothing of the carrier. Gives the entry.
    ///
    /// # Panics
    /// When anything else happens.
    pub fn refused(&self, codes: &[&str]) -> PathBuf {
        let document = run::outcome(&mut self.verify()).expect_status(1).json();
        let document = json::conforming(&json::VERIFY, document);
        assert_eq!(json::codes(&document["reasons"]), codes, "verify: {document:#}");
        self.refused_at_ingest(codes)
    }

    /// The same of the way in alone.
    ///
    /// # Panics
    /// When anything else happens.
    pub fn refused_at_ingest(&self, codes: &[&str]) -> PathBuf {
        let before = self.station.entries();
        let outcome = run::outcome(&mut self.ingest()).expect_status(1);
        let document = json::conforming(&json::INGEST, outcome.json());
        let [model] = document["models"].as_array().unwrap().as_slice() else {
            panic!("not one model: {document:#}")
        };
        assert_eq!(json::codes(&model["reasons"]), codes, "ingest: {document:#}");
        assert_eq!(model["result"], "refused");
        let entry = PathBuf::from(model["entry"].as_str().unwrap());
        assert_eq!(self.station.entries().len(), before.len() + 1, "one entry more");
        assert_eq!(entry::files(&entry), ["report.html", "verdict.sigstore.json"]);
        assert!(entry.to_string_lossy().ends_with("-refused"), "{entry:?}");
        assert!(fs::read_dir(&self.station.spool).unwrap().next().is_none(), "an empty spool");
        self.receives_refusal(&entry, codes);
        entry
    }

    /// The receiving side takes the entry for a refusal that the station signed.
    fn receives_refusal(&self, entry: &Path, codes: &[&str]) {
        let received = run::outcome(&mut self.receive(entry)).expect_status(1).json();
        assert_eq!(json::codes(&received["reasons"]), ["verdict.failed"], "{received:#}");
        let payload = entry::payload(entry);
        assert_eq!(payload["predicate"]["verificationResult"], "FAILED");
        assert_eq!(json::codes(&entry::detail(&payload)["reasons"]), codes);
    }

    /// Neither `verify` nor `ingest` decide; both end with this status and code.
    ///
    /// # Panics
    /// When anything else happens.
    pub fn undecided(&self, status: i32, code: &str) {
        let document = run::outcome(&mut self.verify()).expect_status(status).json();
        let document = json::conforming(&json::VERIFY, document);
        assert_eq!(json::codes(&document["reasons"]), [code], "verify: {document:#}");
        self.undecided_at_ingest(status, code);
    }

    /// `ingest` does not decide, nothing goes out and no number is used.
    ///
    /// # Panics
    /// When anything else happens.
    pub fn undecided_at_ingest(&self, status: i32, code: &str) {
        self.ends_undecided(&mut self.ingest(), status, code);
    }

    /// The same of this `ingest --json`.
    ///
    /// # Panics
    /// When anything else happens.
    pub fn ends_undecided(&self, ingest: &mut Command, status: i32, code: &str) {
        let before = (self.station.entries(), self.spooled());
        let document = run::outcome(ingest).expect_status(status).json();
        let document = json::conforming(&json::INGEST, document);
        let mut codes = json::codes(&document["reasons"]);
        for model in document["models"].as_array().unwrap() {
            assert!(model.get("entry").is_none(), "{document:#}");
            codes.extend(json::codes(&model["reasons"]));
        }
        assert_eq!(codes, [code], "ingest: {document:#}");
        let after = (self.station.entries(), self.spooled());
        assert_eq!(after, before, "nothing goes out, and nothing is left in the spool");
    }

    /// How many folders are in the spool.
    fn spooled(&self) -> usize {
        fs::read_dir(&self.station.spool).map_or(0, Iterator::count)
    }
}

fn sign(model: &Path, bundle: &Path, key: &Path, chain: Option<&Path>, more: &[&str]) {
    let mut command = appliance();
    command.arg("sign").arg(model).arg("--bundle").arg(bundle).arg("--key").arg(key).args(more);
    if let Some(chain) = chain {
        command.arg("--certificate").arg(chain);
    }
    let _ = run::outcome(&mut command).expect_status(0);
}

/// The program, which is killed when it hangs: status 137.
pub fn appliance() -> Command {
    let mut command = Command::new("timeout");
    command.args(["--signal=KILL", "60"]).arg(run::command().get_program());
    command
}
