//! The way in: what comes out of it, and that the receiving side takes it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use oms_testkit::pki::{KeyType, Profile};
use oms_testkit::roots::Anchor;
use oms_testkit::{files, model, run};
use oms_tests::forge::statement;
use oms_tests::scene::{STATION, Scene, any_content, appliance};
use oms_tests::{entry, hsm, json};
use serde_json::Value;

/// A policy for the station's own re-signing certificate.
const RECEIVER: &str = r#"
[policy]
id = "receiver"
version = 1

[[signer]]
method = "certificate"
anchors = ["corp-root"]
san-email = ["ml@corp.example"]

[revocation]
mode = "off"

[manifest]
hashes = ["sha256", "blake2b", "blake3"]

[content]
allow = "any"
"#;

/// An entry is what the design says, and the receiving side takes it.
fn accepted(scene: &Scene, entry: &Path, names: &[&str]) {
    let mut expected: Vec<String> = names.iter().map(|name| format!("model/{name}")).collect();
    for file in ["model.sig", "report.html", "source.sig", "verdict.sigstore.json"] {
        expected.push(file.to_owned());
    }
    expected.sort();
    assert_eq!(entry::files(entry), expected);
    for file in &expected {
        let mode = entry.join(file).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o640, "{file}");
    }
    let name = entry.file_name().unwrap().to_str().unwrap();
    let digest = files::sha256_hex(&fs::read(entry.join("source.sig")).unwrap());
    let sequence = entry::detail(&entry::payload(entry))["sequence"].as_u64().unwrap();
    assert_eq!(name, format!("{sequence:012}-{}-passed", &digest[..16]));

    let report = fs::read_to_string(entry.join("report.html")).unwrap();
    assert!(report.contains("Passed") && !report.to_lowercase().contains("<script"), "{report}");

    // The re-signed bundle is an ordinary one, for whoever trusts the corporate key.
    let policy = files::public(scene.path("receiver.toml"), RECEIVER);
    let mut verify = appliance();
    verify.arg("verify").arg(entry.join("model")).arg("--bundle").arg(entry.join("model.sig"));
    verify.arg("--policy").arg(policy).arg("--roots").arg(&scene.station.roots).arg("--json");
    let document = run::outcome(&mut verify).expect_status(0).json();
    json::conforming(&json::VERIFY, document);

    let received = run::outcome(&mut scene.receive(entry)).expect_status(0).json();
    assert_eq!(received["result"], "passed", "{received:#}");
    assert_eq!(received["verdict"]["sequence"], sequence);

    let key = scene.verdict.key.write_public(scene.path("verdict.pem"));
    let mut by_key = appliance();
    by_key.args(["verdict", "verify"]).arg(entry).args(["--verifier", STATION]);
    let _ = run::outcome(by_key.arg("--key").arg(key)).expect_status(0);
}

/// A model with folders, spaces and letters of other scripts, signed in this way.
fn round_trip(options: &[&str]) {
    let scene = Scene::with_policy(&any_content());
    let names = [
        "a name with spaces.txt",
        "deep/er/and deeper/leaf",
        "weights:0:10",
        "gewichte-ä-模型-🙂.bin",
        "weights.bin",
    ];
    for (at, name) in names.iter().enumerate() {
        let path = scene.model.join(name);
        files::folder(path.parent().unwrap());
        files::public(path, vec![at as u8 + 1; 5_000 * (at + 1)]);
    }
    scene.sign(&scene.model, &scene.bundle(), options);
    let [entry] = scene.ingested().try_into().unwrap();
    accepted(&scene, &entry, &names);
    for name in names {
        let (there, here) = (entry.join("model").join(name), scene.model.join(name));
        assert_eq!(fs::read(there).unwrap(), fs::read(here).unwrap(), "{name}");
    }
}

#[test]
fn files_in_each_hash() {
    for hash in ["sha256", "blake2b", "blake3"] {
        round_trip(&["--hash", hash]);
    }
}

#[test]
fn shards_in_each_hash() {
    for hash in ["sha256", "blake2b", "blake3"] {
        round_trip(&["--hash", hash, "--shard-size", "7000"]);
    }
}

#[test]
fn a_model_of_a_single_file() {
    let scene = Scene::with_policy(&any_content());
    let file = files::public(scene.carrier.join("one.gguf"), b"bytes");
    scene.sign(&file, &scene.carrier.join("one.gguf.sig"), &[]);
    let [entry] = scene.ingested().try_into().unwrap();
    accepted(&scene, &entry, &["one.gguf"]);
}

#[test]
fn a_carrier_that_is_itself_the_model() {
    let scene = Scene::with_policy(&any_content());
    files::public(scene.carrier.join("weights.bin"), b"bytes");
    scene.sign(&scene.carrier, &scene.carrier.join("model.sig"), &[]);
    let document = run::outcome(&mut scene.ingest()).expect_status(0).json();
    let document = json::conforming(&json::INGEST, document);
    assert_eq!(document["models"][0]["path"], ".");
    let entry = scene.station.outbound.join(&scene.station.entries()[0]);
    accepted(&scene, &entry, &["weights.bin"]);
}

#[test]
fn a_signed_name_that_would_command_a_terminal_or_a_browser_stays_text() {
    let scene = Scene::with_policy(&any_content());
    let hostile = "\u{1b}[2J<script>alert(1)</script>\u{202e}\n\"x";
    let file = files::public(files::folder(&scene.model).join("weights.bin"), "bytes");
    let digest = files::sha256_hex(&fs::read(file).unwrap());
    let mut payload = statement(&[("weights.bin", digest)]);
    payload["subject"][0]["name"] = hostile.into();
    scene.forge(&payload);
    let mut ingest = appliance();
    ingest.arg("ingest").arg(&scene.carrier).arg("--config").arg(&scene.station.config);
    let outcome = run::outcome(&mut ingest).expect_status(0);
    let entry = scene.station.outbound.join(&scene.station.entries()[0]);
    let report = fs::read_to_string(entry.join("report.html")).unwrap();
    for text in [outcome.stdout.as_str(), &outcome.stderr, &report] {
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text:?}");
    }
    assert!(!report.contains("<script"), "{report}");
    assert_eq!(entry::payload(&entry)["subject"][0]["name"], hostile);
    let _ = run::outcome(&mut scene.receive(&entry)).expect_status(0);
}

#[test]
fn resources_in_another_order_are_resigned_in_the_order_of_their_names() {
    let scene = Scene::with_policy(&any_content());
    let names = ["b", "a", "a.b"];
    let digests = names.map(|name| {
        files::public(files::folder(&scene.model).join(name), name);
        (name, files::sha256_hex(name.as_bytes()))
    });
    let payload = statement(&digests);
    scene.forge(&payload);
    let [entry] = scene.ingested().try_into().unwrap();
    accepted(&scene, &entry, &["a", "a.b", "b"]);
    let resigned = entry::signed_bytes(&entry.join("model.sig"));
    let resigned: Value = serde_json::from_slice(&resigned).unwrap();
    let resources = resigned["predicate"]["resources"].as_array().unwrap();
    let order: Vec<_> = resources.iter().map(|r| r["name"].as_str().unwrap()).collect();
    assert_eq!(order, ["a", "a.b", "b"]);
    let verdict = entry::payload(&entry);
    let root = |statement: &Value| statement["subject"][0]["digest"]["sha256"].clone();
    assert_eq!(root(&verdict), root(&resigned));
    assert_eq!(entry::detail(&verdict)["sourceRoot"], root(&payload));
    assert_ne!(root(&resigned), root(&payload));
}

#[test]
fn what_the_signer_ignored_stays_behind_and_is_told() {
    let scene = Scene::unsigned();
    model::add_gitattributes(&scene.model);
    files::folder(scene.model.join(".git"));
    files::public(scene.model.join(".git/config"), "x");
    scene.sign(&scene.model, &scene.bundle(), &[]);
    let document = run::outcome(&mut scene.ingest()).expect_status(0).json();
    let document = json::conforming(&json::INGEST, document);
    let warned: Vec<_> = document["models"][0]["warnings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|warning| (&warning["code"], &warning["file"]))
        .collect();
    let ignored: Value = "manifest.ignored-path".into();
    assert_eq!(warned, [(&ignored, &".git".into()), (&ignored, &".gitattributes".into())]);
    let entry = scene.station.outbound.join(&scene.station.entries()[0]);
    let model = ["README.md", "config.json", "generation_config.json", "model.safetensors"];
    accepted(&scene, &entry, &[model.as_slice(), &["tokenizer.json"]].concat());
    let verdict = entry::payload(&entry);
    assert_eq!(json::codes(&entry::detail(&verdict)["warnings"]), ["manifest.ignored-path"]);
}

#[test]
fn several_models_of_which_one_is_refused() {
    let scene = Scene::signed();
    for name in ["beside", "broken", "deep/er"] {
        let folder = model::write(scene.carrier.join(name), 20_000);
        let bundle = scene.carrier.join(format!("{name}.sig"));
        scene.sign(&folder, &bundle, &[]);
    }
    model::flip_weight_bit(scene.carrier.join("broken"));
    let outcome = run::outcome(&mut scene.ingest()).expect_status(1);
    let document = json::conforming(&json::INGEST, outcome.json());
    let models = document["models"].as_array().unwrap();
    let results: Vec<_> = models
        .iter()
        .map(|model| (model["path"].as_str().unwrap(), model["result"].as_str().unwrap()))
        .collect();
    let expected =
        [("beside", "passed"), ("broken", "refused"), ("deep/er", "passed"), ("demo", "passed")];
    assert_eq!(results, expected);
    assert_eq!(scene.station.entries().len(), 4);
}

#[test]
fn what_no_bundle_names_is_told() {
    let scene = Scene::signed();
    model::write(scene.carrier.join("mistral"), 20_000);
    files::public(scene.carrier.join("loose.safetensors"), "x");
    files::public(scene.carrier.join("MODEL.SIG"), "x");
    let outcome = run::outcome(&mut scene.ingest()).expect_status(0);
    let told = "not looked at, no bundle names them: MODEL.SIG, loose.safetensors, mistral\n";
    assert!(outcome.stderr.contains(told), "{}", outcome.stderr);
    let document = json::conforming(&json::INGEST, outcome.json());
    let expected = serde_json::json!(["MODEL.SIG", "loose.safetensors", "mistral"]);
    assert_eq!(document["unclaimed"], expected);
    assert_eq!(document["models"].as_array().unwrap().len(), 1);
}

#[test]
fn several_carriers() {
    let scene = Scene::signed();
    let second = scene.path("second");
    model::write(second.join("other"), 20_000);
    scene.sign(&second.join("other"), &second.join("other.sig"), &[]);
    let outcome = run::outcome(scene.ingest().arg(&second)).expect_status(0);
    let document = json::conforming(&json::INGEST, outcome.json());
    assert_eq!(document["models"].as_array().unwrap().len(), 2);
}

#[test]
fn numbers_without_holes_and_a_chain_of_payloads() {
    let scene = Scene::signed();
    let mut entries = scene.ingested();
    model::flip_weight_bit(&scene.model);
    entries.push(scene.refused_at_ingest(&["manifest.digest-mismatch"]));
    files::public(&scene.station.policy, "broken");
    scene.undecided_at_ingest(2, "policy.syntax");
    files::public(&scene.station.policy, oms_tests::scene::POLICY);
    model::write(&scene.model, 40_000);
    entries.extend(scene.ingested());
    let mut previous = "0".repeat(64);
    for (at, entry) in entries.iter().enumerate() {
        let payload = entry::payload(entry);
        let detail = entry::detail(&payload);
        assert_eq!(
            (&detail["sequence"], &detail["previous"]),
            (&(at + 1).into(), &previous.into())
        );
        previous = files::sha256_hex(&entry::signed_bytes(&entry::verdict(entry)));
    }
}

#[test]
fn a_verdict_says_what_the_design_promises() {
    let scene = Scene::signed();
    let [entry] = scene.ingested().try_into().unwrap();
    let payload = entry::payload(&entry);
    let predicate = &payload["predicate"];
    let root = &payload["subject"][0]["digest"]["sha256"];
    let policy = files::sha256_hex(&fs::read(&scene.station.policy).unwrap());
    let source = files::sha256_hex(&fs::read(scene.bundle()).unwrap());
    let resigned = files::sha256_hex(&fs::read(entry.join("model.sig")).unwrap());
    let weights = files::sha256_hex(&fs::read(scene.model.join(model::WEIGHTS)).unwrap());
    for (pointer, expected) in [
        ("/_type", "https://in-toto.io/Statement/v1".to_owned()),
        ("/predicateType", "https://slsa.dev/verification_summary/v1".to_owned()),
        ("/subject/0/name", "demo".to_owned()),
        ("/predicate/verifier/id", STATION.to_owned()),
        ("/predicate/verificationResult", "PASSED".to_owned()),
        ("/predicate/verifiedLevels/0", "SLSA_BUILD_LEVEL_UNEVALUATED".to_owned()),
        ("/predicate/policy/uri", "urn:oms-appliance:policy:station:3".to_owned()),
        ("/predicate/policy/digest/sha256", policy),
        ("/predicate/inputAttestations/0/digest/sha256", source),
        (
            "/predicate/resourceUri",
            format!("urn:oms-appliance:model:sha256:{}", root.as_str().unwrap()),
        ),
    ] {
        assert_eq!(payload.pointer(pointer), Some(&expected.into()), "{pointer}");
    }
    let time = predicate["timeVerified"].as_str().unwrap();
    assert!(oms_verify::time::UnixTime::parse_rfc3339(time).is_some(), "{time}");
    let detail = entry::detail(&payload);
    assert_eq!(detail["mode"], "ingest");
    assert_eq!(detail["reasons"], Value::Array(Vec::new()));
    assert_eq!(detail["protection"], "file", "a PEM key stands in for the HSM");
    assert_eq!(detail["resigned"]["sha256"], resigned);
    assert_eq!(detail["signers"][0]["rule"], "signer[0]");
    let fingerprint = scene.vendor.certificate.fingerprint();
    assert_eq!(detail["signers"][0]["path"][0]["sha256"], fingerprint);
    let file = detail["files"].as_array().unwrap().iter().find(|f| f["name"] == model::WEIGHTS);
    assert_eq!(file.unwrap()["digest"], format!("sha256:{weights}"));
    assert_eq!(file.unwrap()["size"], scene.model.join(model::WEIGHTS).metadata().unwrap().len());
    let inputs = detail["policy"]["inputs"].as_array().unwrap();
    assert_eq!(inputs.len(), 2, "the anchor and the key: {inputs:?}");
}

#[test]
fn keys_in_an_hsm() {
    let scene = Scene::signed();
    let hsm = hsm::softhsm(&scene);
    in_an_hsm(&scene, &mut hsm::with(scene.ingest(), &hsm));
}

#[test]
fn keys_in_nss_softokn() {
    let scene = Scene::signed();
    hsm::softokn(&scene);
    in_an_hsm(&scene, &mut scene.ingest());
}

#[test]
fn keys_in_kryoptic() {
    let scene = Scene::signed();
    let Some((name, value)) = hsm::kryoptic(&scene) else {
        return eprintln!("left out: there is no Kryoptic");
    };
    in_an_hsm(&scene, scene.ingest().env(name, value));
}

/// The ingest passes the model, and what it signs says that the keys are in an HSM.
fn in_an_hsm(scene: &Scene, ingest: &mut Command) {
    let outcome = run::outcome(ingest).expect_status(0);
    json::conforming(&json::INGEST, outcome.json());
    let entry = scene.station.outbound.join(&scene.station.entries()[0]);
    let payload = entry::payload(&entry);
    let detail = entry::detail(&payload);
    assert_eq!(detail["protection"], "pkcs11");
    assert_eq!(detail["resigned"]["protection"], "pkcs11");
    assert_ne!(detail["sandbox"], "none");
    let _ = run::outcome(&mut scene.receive(&entry)).expect_status(0);
}

#[test]
fn a_bundle_that_two_signers_made_when_the_policy_asks_for_two() {
    let policy = any_content().replace("[revocation]", "[signatures]\nrequire = 2\n\n[revocation]");
    let scene = Scene::with_policy(&policy);
    model::write(&scene.model, 20_000);
    scene.sign(&scene.model, &scene.bundle(), &[]);
    scene.refused(&["signature.threshold"]);
    // The other signer ignores the first bundle, as any signer of a folder with bundles does.
    let second =
        scene.issuer.issue(Profile::code_signing("QA").email("qa@vendor.example"), KeyType::P384);
    let first = scene.path("first.sig");
    fs::rename(scene.bundle(), &first).unwrap();
    scene.sign_as(&second, &scene.issuer);
    fs::rename(scene.bundle(), scene.model.join("qa.sig")).unwrap();
    fs::rename(&first, scene.bundle()).unwrap();
    let [entry] = scene.ingested().try_into().unwrap();
    let payload = entry::payload(&entry);
    assert_eq!(entry::detail(&payload)["signers"].as_array().unwrap().len(), 2);
}

#[test]
fn anchors_without_the_purpose_do_not_make_verdicts() {
    let scene = Scene::signed();
    let [entry] = scene.ingested().try_into().unwrap();
    let root = fs::read_to_string(scene.station.roots.join("corp-root.pem")).unwrap();
    let only = Anchor::new("corp-root", &root, &["code-signing"]);
    oms_testkit::roots::write(&scene.station.roots, &[only]);
    let received = run::outcome(&mut scene.receive(&entry)).expect_status(1).json();
    assert_eq!(json::codes(&received["reasons"]), ["verdict.untrusted"]);
}
