//! The cases: which lie is refused for what.

use std::fs;
use std::process::Command;

use oms_testkit::{model, run};
use oms_tests::scene::Scene;
use oms_tests::{entry, json};
use serde_json::Value;

use crate::liar::VARIABLE;

/// Each with its name.
pub(crate) const ALL: &[(&str, fn())] = &[
    ("a_decider_that_lies", a_decider_that_lies),
    ("a_decider_that_accepts_what_it_refused", a_decider_that_accepts_what_it_refused),
    ("a_decider_that_forgets", a_decider_that_forgets),
    ("a_copier_that_lies", a_copier_that_lies),
    ("a_copier_that_leaves_something_in_a_refusal", a_copier_that_leaves_something_in_a_refusal),
    ("an_inspector_that_lies", an_inspector_that_lies),
    ("an_inspector_that_praises_what_is_refused", an_inspector_that_praises_what_is_refused),
    ("an_inspector_that_hides_a_format", an_inspector_that_hides_a_format),
    ("a_signer_that_lies", a_signer_that_lies),
    ("a_signer_that_signs_twice", a_signer_that_signs_twice),
];

/// A lie, and the code and a part of the detail that it is refused with.
type Refused = (&'static str, &'static str, &'static str);

const PROTOCOL: &str = "process.protocol";
const FAILED: &str = "process.failed";
const COPIES: &str = "process.copies-differ";

/// `ingest` by this program, one of whose processes tells the lie.
fn lying(scene: &Scene, lie: &str) -> Value {
    println!("    {lie}");
    let mut command = Command::new("timeout");
    command.args(["--signal=KILL", "60"]).arg(std::env::current_exe().unwrap());
    command.arg("ingest").arg(&scene.carrier).arg("--config").arg(&scene.station.config);
    command.arg("--json").env(VARIABLE, lie);
    json::conforming(&json::INGEST, run::outcome(&mut command).json())
}

/// All reasons of a run, and how many entries it made.
fn told(document: &Value) -> (Vec<Value>, usize) {
    let mut reasons = document["reasons"].as_array().unwrap().clone();
    let models = document["models"].as_array().unwrap();
    for model in models {
        reasons.extend(model["reasons"].as_array().unwrap().clone());
    }
    (reasons, models.iter().filter(|model| model.get("entry").is_some()).count())
}

fn is_spool_empty(scene: &Scene) -> bool {
    fs::read_dir(&scene.station.spool).unwrap().next().is_none()
}

/// The lie ends the work on the model with this, and nothing of it is left.
fn refused(scene: &Scene, (lie, code, detail): Refused) {
    let before = scene.station.entries();
    let document = lying(scene, lie);
    let (reasons, entries) = told(&document);
    let [reason] = reasons.as_slice() else { panic!("{lie}: {document:#}") };
    assert_eq!(reason["code"], code, "{lie}: {reason:#}");
    assert!(reason["detail"].as_str().unwrap().contains(detail), "{lie}: {reason:#}");
    assert_eq!(entries, 0, "{lie}");
    assert_eq!(scene.station.entries(), before, "{lie}");
    assert!(is_spool_empty(scene), "{lie}");
}

/// Each of these lies, and then the truth, which is the first to use a number.
fn each_refused(scene: &Scene, lies: &[Refused]) {
    for lie in lies {
        refused(scene, *lie);
    }
    let entries = scene.ingested();
    let [entry] = entries.as_slice() else { panic!("{entries:?}") };
    assert!(entry.file_name().unwrap().to_str().unwrap().starts_with("000000000001-"), "{entry:?}");
    let _ = run::outcome(&mut scene.receive(entry)).expect_status(0);
}

fn a_decider_that_lies() {
    let policy = "it decided by another policy";
    let bundles = "it hands over other bundles";
    let copies = "the inspector has found other copies";
    let nonsense = "the decider said what was not to be said now";
    let message = "a message is not what is due";
    each_refused(
        &Scene::signed(),
        &[
            ("has no sandbox", "station.process", "not in the sandbox"),
            ("passes what nobody inspected", COPIES, "nobody has found the copies to be whole"),
            ("another policy", PROTOCOL, policy),
            ("another policy's version", PROTOCOL, policy),
            ("annotations of its own", PROTOCOL, policy),
            ("another time", PROTOCOL, "as of another time"),
            ("a scanner that nobody asked", PROTOCOL, "another virus scanner"),
            ("sent again", PROTOCOL, "it did not decide that"),
            ("a path for a digest", PROTOCOL, "its decision: "),
            ("more bundles", PROTOCOL, "there are not so many bundles"),
            ("a place that is not", PROTOCOL, "a place of the model that there is not"),
            ("another name", COPIES, copies),
            ("another size", COPIES, copies),
            ("another digest", COPIES, copies),
            ("a file less", COPIES, copies),
            ("files that are none", PROTOCOL, "its files: "),
            ("files of something else", PROTOCOL, "the files of its decision: "),
            ("keeps ../x", PROTOCOL, bundles),
            ("keeps model/x", PROTOCOL, bundles),
            ("keeps ../../x", PROTOCOL, bundles),
            ("keeps verdict", PROTOCOL, bundles),
            ("keeps other bytes", PROTOCOL, bundles),
            ("keeps nothing", PROTOCOL, bundles),
            ("keeps it twice", PROTOCOL, bundles),
            ("copied twice", PROTOCOL, nonsense),
            ("says too much", PROTOCOL, "longer than 65536 bytes"),
            ("says no JSON", PROTOCOL, message),
            ("an unknown field", PROTOCOL, message),
            ("an unknown word", PROTOCOL, message),
            ("an unknown reason", PROTOCOL, "no such reason code"),
            ("the token is locked", PROTOCOL, nonsense),
            ("memory that is a file", PROTOCOL, "not sealed"),
            ("memory that grows", PROTOCOL, "not sealed"),
            ("memory that changes", PROTOCOL, "not sealed"),
            ("memory that is too large", PROTOCOL, "more than 67108864"),
            ("more memory than is due", PROTOCOL, "1 descriptors, 0 are due"),
            ("less memory than is due", PROTOCOL, "0 descriptors, 1 are due"),
            ("memory beside a word", PROTOCOL, nonsense),
        ],
    );
}

fn a_decider_that_accepts_what_it_refused() {
    let scene = Scene::signed();
    let readme = scene.model.join("README.md");
    let before = fs::read(&readme).unwrap();
    fs::write(&readme, "# Other model\n").unwrap();
    refused(&scene, ("drops the reasons", PROTOCOL, "its decision: "));
    refused(&scene, ("passes what was tampered with", COPIES, "nobody has found"));
    fs::write(&readme, before).unwrap();
    each_refused(&scene, &[]);
}

fn a_decider_that_forgets() {
    let scene = Scene::signed();
    let known = scene.station.state.join("crl-floors.json");
    let zeros = "00".repeat(32);
    let floor = format!(
        r#"{{"issuer":"{zeros}","scope":"{zeros}","key":"{zeros}","thisUpdate":"2020-01-01T00:00:00Z"}}"#
    );
    fs::write(&known, format!(r#"{{"floors":[{floor}]}}"#)).unwrap();
    let before = fs::read(&known).unwrap();
    each_refused(&scene, &[("forgets the CRLs", PROTOCOL, "it forgets what CRLs rule out")]);
    assert_eq!(fs::read(&known).unwrap(), before);
}

fn a_copier_that_lies() {
    let nonsense = "the copier said what was not to be said now";
    let other = "the copy has other bytes than were reported";
    let none = "there is no copy of what was reported";
    each_refused(
        &Scene::signed(),
        &[
            ("a survey of ten million", PROTOCOL, "more than 67108864"),
            ("a survey of too many", PROTOCOL, "at most 10000"),
            ("a survey that is none", PROTOCOL, "unknown field"),
            ("the search finds a locked token", PROTOCOL, nonsense),
            ("the copier decides", PROTOCOL, nonsense),
            ("the copier finds a locked token", PROTOCOL, nonsense),
            ("the copier hangs up and lives on", FAILED, "the copier says nothing any more"),
            ("the copier ends late", FAILED, "the copier hung up: it does not end"),
            ("the copier writes at last", COPIES, other),
            ("the copier adds a file", COPIES, "not in the manifest"),
            ("the copier removes a file", COPIES, none),
            ("the copier leaves a link", COPIES, none),
            ("the copier copied something else", COPIES, other),
            ("the copier adds a file beside", COPIES, "it lies beside the copies"),
            ("the copier adds attestations", COPIES, "it lies beside the copies"),
        ],
    );
}

/// Of a model that is refused nothing goes out but the verdict, whatever the copier left there.
fn a_copier_that_leaves_something_in_a_refusal() {
    let scene = Scene::signed();
    fs::write(scene.model.join("README.md"), "# Other model\n").unwrap();
    for lie in ["the copier adds a file beside", "the copier adds attestations"] {
        let (_, entries) = told(&lying(&scene, lie));
        assert_eq!(entries, 1, "{lie}");
        let last = scene.station.entries().pop().unwrap();
        assert!(last.ends_with("-refused"), "{last}");
        let entry = scene.station.outbound.join(last);
        assert_eq!(entry::files(&entry), ["report.html", "verdict.sigstore.json"]);
        assert_eq!(fs::read_dir(&entry).unwrap().count(), 2);
    }
}

fn an_inspector_that_lies() {
    let nonsense = "the inspector said what was not to be said now";
    each_refused(
        &Scene::signed(),
        &[
            ("the inspector says nothing", FAILED, ""),
            ("the inspector dies", FAILED, ""),
            ("the inspector finds others", COPIES, "the inspector has found other copies"),
            ("the inspector finds none", COPIES, "nobody has found the copies to be whole"),
            ("the inspector finds them twice", PROTOCOL, nonsense),
            ("the inspector decides", PROTOCOL, nonsense),
            ("the inspector finds a locked token", PROTOCOL, nonsense),
        ],
    );
}

/// What it is refused for by others stays: only what is inside the files is for the inspector to say.
fn an_inspector_that_praises_what_is_refused() {
    let scene = Scene::signed();
    let readme = scene.model.join("README.md");
    let before = fs::read(&readme).unwrap();
    fs::write(&readme, "# Other model\n").unwrap();
    refused(&scene, ("the inspector hashes what was signed", COPIES, "other bytes than"));
    let (reasons, entries) = told(&lying(&scene, "the inspector praises everything"));
    assert_eq!(json::codes(&reasons.into()), ["manifest.digest-mismatch"]);
    assert_eq!(entries, 1);
    let entries = scene.station.entries();
    assert!(entries[0].ends_with("-refused"), "{entries:?}");
    let entry = scene.station.outbound.join(&entries[0]);
    assert_eq!(entry::files(&entry), ["report.html", "verdict.sigstore.json"]);
    fs::write(&readme, before).unwrap();
    assert_eq!(scene.ingested().len(), 1);
}

/// Which is all that it has a say in: content that nothing else refuses passes by its word.
fn an_inspector_that_hides_a_format() {
    let scene = Scene::unsigned();
    fs::write(scene.model.join("code.pkl"), b"\x80\x04N.").unwrap();
    scene.sign(&scene.model, &scene.bundle(), &[]);
    let (_, entries) = told(&lying(&scene, "the inspector praises everything"));
    assert_eq!(entries, 1);
    let passed = scene.station.entries().pop().unwrap();
    assert!(passed.ends_with("-passed"), "{passed}");
    let code = fs::read(scene.station.outbound.join(passed).join("model/code.pkl")).unwrap();
    assert_eq!(code, b"\x80\x04N.", "what was signed, and nothing else");
    let _ = scene.refused_at_ingest(&["content.format"]);
}

/// The decision is in the record and waits there for a signer that does its work: then it goes out
/// under its number, once.
fn a_signer_that_lies() {
    let scene = Scene::signed();
    let lies = [
        ("the signer adds to the payload", "another payload"),
        ("the signer signs nothing", "signature"),
        ("the signer signs badly", "signature"),
        ("the signer signs with another key", "key"),
        ("the signer keeps the bundle", "a re-signed bundle goes with a model that passed"),
        ("the signer gives a bundle that is not signed", "its SHA-256 is not"),
        ("the signer gives too much", "1 descriptors, 0 are due"),
    ];
    for (count, (lie, detail)) in lies.into_iter().enumerate() {
        let before = scene.station.entries();
        assert_eq!(before.len(), count * 2);
        let document = lying(&scene, lie);
        let (reasons, entries) = told(&document);
        let [reason] = reasons.as_slice() else { panic!("{lie}: {document:#}") };
        assert_eq!(reason["code"], PROTOCOL, "{lie}: {reason:#}");
        assert!(reason["detail"].as_str().unwrap().contains(detail), "{lie}: {reason:#}");
        assert_eq!((entries, scene.station.entries()), (0, before), "{lie}");
        all_received(&scene);
    }
}

fn a_signer_that_signs_twice() {
    let scene = Scene::signed();
    let other = scene.carrier.join("other");
    model::write(&other, 20_000);
    scene.sign(&other, &other.join("model.sig"), &[]);
    let document = lying(&scene, "the signer signs an earlier one");
    let (reasons, entries) = told(&document);
    assert_eq!(entries, 1, "{document:#}");
    assert_eq!(reasons[0]["code"], PROTOCOL, "{document:#}");
    assert!(reasons[0]["detail"].as_str().unwrap().contains("another place in the record"));
    assert_eq!(scene.station.entries().len(), 1);
    all_received(&scene);
    assert_eq!(scene.station.entries().len(), 4);
}

/// The truth ends what was begun, and the receiving side takes all of it.
fn all_received(scene: &Scene) {
    let _ = scene.ingested();
    for (at, name) in scene.station.entries().iter().enumerate() {
        assert!(name.starts_with(&format!("{:012}-", at + 1)), "{name}");
        let entry = scene.station.outbound.join(name);
        let _ = run::outcome(&mut scene.receive(&entry)).expect_status(0);
    }
    assert!(is_spool_empty(scene));
}
