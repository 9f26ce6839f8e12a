//! What is inside: the whole corpus and real models, by the real commands.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use oms_corpus::{Case, File, cases};
use oms_testkit::{files, run, vectors};
use oms_tests::json;
use oms_tests::scene::{POLICY, Scene, appliance};
use serde_json::Value;

/// The usual policy with the widest rules about content.
fn widest() -> String {
    let (before, _) = POLICY.split_once("[content]").unwrap();
    let widest = include_str!("../../../policies/frameworks.toml");
    let (_, content) = widest.split_once("\n[content]").unwrap();
    format!("{before}[content]{content}")
}

/// A scene whose model holds, in a folder for each case, what `files_of` gives of it.
fn corpus(files_of: impl Fn(&Case) -> &[File]) -> Scene {
    let scene = Scene::with_policy(&widest());
    for case in cases() {
        for (path, bytes) in files_of(&case) {
            let path = scene.model.join(case.name).join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            files::public(path, bytes);
        }
    }
    scene.sign(&scene.model, &scene.bundle(), &[]);
    scene
}

/// The reasons of a document by the folder of the case that they are about.
fn by_case(document: &Value) -> BTreeMap<&str, Vec<&Value>> {
    let mut reasons: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for reason in document["reasons"].as_array().unwrap() {
        let (case, _) = reason["file"].as_str().unwrap().split_once('/').unwrap();
        reasons.entry(case).or_default().push(reason);
    }
    reasons
}

#[test]
fn every_hostile_file_is_refused_with_its_code_file_and_place() {
    let scene = corpus(|case| &case.files);
    let document = run::outcome(&mut scene.verify()).expect_status(1).json();
    let document = json::conforming(&json::VERIFY, document);
    let reasons = by_case(&document);
    let mut wrong = Vec::new();
    for case in cases() {
        let code = format!("content.{}", case.code);
        let about = reasons.get(case.name).map(Vec::as_slice).unwrap_or_default();
        let says = |reason: &Value| {
            let text = |key: &str| reason[key].as_str().unwrap_or_default().to_owned();
            let text = [text("place"), text("detail")].concat();
            case.says.split([' ', ':']).all(|word| text.contains(word))
        };
        let told = about.iter().any(|reason| reason["code"] == code && says(reason));
        if !told {
            wrong.push(format!("{}: expected {code} {:?}, found {about:?}", case.name, case.says));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_harmless_twin_is_let_in() {
    let scene = corpus(|case| &case.twin);
    let document = run::outcome(&mut scene.verify()).json();
    assert_eq!(document["result"], "passed", "{:#?}", by_case(&document));
    assert_eq!(scene.ingested().len(), 1);
}

/// A scene with `prod.toml`'s rules about content and one real file.
fn in_production(vectors: &Path, name: &str) -> Scene {
    let (before, _) = POLICY.split_once("[content]").unwrap();
    let prod = include_str!("../../../policies/prod.toml");
    let (_, content) = prod.split_once("\n[content]").unwrap();
    let scene = Scene::with_policy(&format!("{before}[content]{content}"));
    files::folder(&scene.model);
    for file in [name, "LICENSE"] {
        fs::copy(vectors.join("models/silero-vad").join(file), scene.model.join(file)).unwrap();
    }
    scene.sign(&scene.model, &scene.bundle(), &[]);
    scene
}

#[test]
fn real_models_pass_in_production_and_torchscript_is_named() {
    let Some(vectors) = vectors::dir() else { return };
    for name in ["silero_vad_16k.safetensors", "silero_vad_half.onnx"] {
        assert_eq!(in_production(&vectors, name).ingested().len(), 1, "{name}");
    }
    let scene = in_production(&vectors, "silero_vad.jit");
    let document = run::outcome(&mut scene.verify()).expect_status(1).json();
    let reasons = document["reasons"].as_array().unwrap();
    let format = reasons.iter().find(|reason| reason["code"] == "content.format").unwrap();
    assert_eq!(format["detail"], "the format is torchscript", "{reasons:#?}");
}

#[test]
fn a_person_sees_what_a_model_file_holds() {
    let Some(vectors) = vectors::dir() else { return };
    let inspect = |name: &str, json: bool| {
        let mut inspect = appliance();
        inspect.arg("inspect").arg(vectors.join("models/silero-vad").join(name));
        if json {
            inspect.arg("--json");
        }
        run::outcome(&mut inspect).expect_status(0)
    };
    let document = inspect("silero_vad_16k.safetensors", true).json();
    let document = json::conforming(&json::INSPECT_FILE, document);
    let tensors = document["contents"]["tensors"].as_array().unwrap();
    assert!(!tensors.is_empty());
    assert_eq!(document["totals"]["tensors"], tensors.len());
    let text = inspect("silero_vad_16k.safetensors", false).stdout;
    for tensor in tensors {
        assert!(text.contains(tensor["name"].as_str().unwrap()));
    }
    let document =
        json::conforming(&json::INSPECT_FILE, inspect("silero_vad_half.onnx", true).json());
    assert!(!document["contents"]["operators"].as_array().unwrap().is_empty());
    let document = json::conforming(&json::INSPECT_FILE, inspect("silero_vad.jit", true).json());
    assert_eq!(document["formats"], serde_json::json!(["torchscript"]));
    assert!(!document["contents"]["members"].as_array().unwrap().is_empty());
}

#[test]
fn a_policy_says_how_much_of_a_file_is_looked_into() {
    let limited = |limits: &str| {
        let scene = Scene::with_policy(&format!("{POLICY}[content.limits]\n{limits}\n"));
        files::folder(&scene.model);
        let json = format!("{{\"k\": \"{}\"}}", "x".repeat(70 << 10));
        files::public(scene.model.join("config.json"), json);
        scene.sign(&scene.model, &scene.bundle(), &[]);
        scene
    };
    limited("json-bytes = \"64KiB\"").refused(&["content.malformed"]);
    assert_eq!(limited("json-bytes = \"80KiB\"").ingested().len(), 1);
}
