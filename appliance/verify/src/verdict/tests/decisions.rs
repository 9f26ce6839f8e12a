//! What passes and what does not: deny by default, the files, and what is inside them.

use serde_json::json;

use super::{Scene, finding, mark, observed, one, path, told, unlisted};
use crate::bundle::tests::maker::{FILES, Key, bundle, digest_of, policy, sharded, to_bytes};
use crate::observe::{Mark, Observed, ObservedFile, Scan};
use crate::reason::{Code, MOST_OF_A_CODE, Reason};
use crate::statement::{Pieces, Shard};
use crate::verdict::{BundleOutcome, Mode};

#[test]
fn a_model_as_it_was_signed_passes() {
    let verdict = Scene::new("", &FILES).decide();
    assert!(verdict.passed(), "{:?}", verdict.reasons());
    assert_eq!((verdict.subject_name(), verdict.mode()), ("model", Mode::Ingest));
    assert_eq!(verdict.files().len(), 2);
    assert_eq!((verdict.warnings(), verdict.checks()), (&[][..], &["check".to_owned()][..]));
    assert_eq!(verdict.source_root(), verdict.manifest().map(|manifest| manifest.root()));
}

#[test]
fn without_bundle_observation_or_signer_nothing_passes() {
    let mut scene = Scene::new("", &FILES);
    scene.observed = None;
    assert_eq!(scene.refusal(), one(Code::ManifestMissingFile, "model.sig"));
    scene.observed = Some(Observed::default());
    assert_eq!(scene.refusal().len(), 2);

    let mut scene = Scene::new("", &FILES);
    scene.bundles.clear();
    assert_eq!(scene.refusal(), one(Code::BundleMissing, ""));
    assert_eq!(scene.decide().subject_name(), "alleged");
    // Even a policy that was changed to require nobody, and a refusal without a reason.
    scene.policy.require = 0;
    assert_eq!(scene.refusal(), one(Code::BundleMissing, ""));
    scene.bundles.push(refused(vec![]));
    assert_eq!(scene.refusal(), one(Code::BundleMissing, ""));
    scene.bundles.push(refused(vec![Reason::new(Code::SignatureInvalid, "bad")]));
    assert_eq!(scene.refusal(), one(Code::SignatureInvalid, ""));
}

fn refused(reasons: Vec<Reason>) -> BundleOutcome {
    let (file, in_model) = ("bad.sig".to_owned(), Some("bad.sig".to_owned()));
    BundleOutcome { file, in_model, digest: None, result: Err(reasons) }
}

#[test]
fn every_listed_file_is_there_with_its_signed_bytes() {
    let mut scene = Scene::new("", &FILES);
    scene.observed().files.remove(&path("b/c.bin"));
    assert_eq!(scene.refusal(), one(Code::ManifestMissingFile, "b/c.bin"));
    // A file that could not be read has its own reason, and that one only.
    let problem = Reason::new(Code::MediaSymlink, "a link").about("b/c.bin");
    scene.observed().problems.push(problem);
    assert_eq!(scene.refusal(), one(Code::MediaSymlink, "b/c.bin"));

    let mut scene = Scene::new("", &FILES);
    scene.observed = Some(observed(&[("a.txt", "FIRST"), FILES[1]]));
    assert_eq!(scene.refusal(), one(Code::ManifestDigestMismatch, "a.txt"));
    assert_eq!(scene.decide().files().len(), 1);

    let mut scene = Scene::new("", &FILES);
    scene.observed().problems.push(Reason::new(Code::MediaName, "odd"));
    assert_eq!(scene.refusal(), one(Code::MediaName, ""));
}

#[test]
fn a_file_read_in_other_pieces_or_sizes_is_refused() {
    let key = Key::p256();
    let policy = policy(super::BY_KEY, &[], &[("vendor.pem", &key)]);
    let names = ["a:0:10", "a:10:15"];
    let bytes = bundle(&to_bytes(&sharded(&names, json!(10))), &key);
    let shard = |start, end, name| Shard { start, end, digest: digest_of(name) };
    let right = vec![shard(0, 10, names[0]), shard(10, 15, names[1])];
    let scene = |size: u64, pieces: Pieces| Scene {
        policy: policy.clone(),
        bundles: vec![super::outcome(&policy, &bytes, "model.sig")],
        observed: Some(Observed {
            files: [(path("a"), ObservedFile { size, pieces })].into(),
            ..Observed::default()
        }),
        findings: vec![],
        mode: Mode::Ingest,
    };
    assert!(scene(15, Pieces::Shards(right.clone())).decide().passed());
    let refusal = |size, pieces| scene(size, pieces).refusal();
    for size in [14, 16, 0] {
        let code = refusal(size, Pieces::Shards(right.clone()));
        assert_eq!(code, one(Code::ManifestSizeMismatch, "a"));
    }
    let mismatch = one(Code::ManifestDigestMismatch, "a");
    assert_eq!(refusal(15, Pieces::Whole(digest_of("x"))), mismatch);
    assert_eq!(refusal(15, Pieces::Shards(right[..1].to_vec())), mismatch);
    assert_eq!(refusal(15, Pieces::Shards(vec![])), mismatch);
    let swapped = vec![shard(0, 10, names[1]), shard(10, 15, names[0])];
    assert_eq!(refusal(15, Pieces::Shards(swapped)), mismatch);
}

#[test]
fn unlisted_files_refuse_or_stay_behind_as_the_policy_says() {
    let with = |tables: &str, ignored: bool| {
        let mut scene = Scene::new(tables, &FILES);
        scene.observed().unlisted.push(unlisted("extra", ignored));
        scene
    };
    assert_eq!(with("", false).refusal(), one(Code::ManifestUnsignedFile, "extra"));
    let verdict = with("[manifest]\nunsigned-files = \"leave-behind\"\n", false).decide();
    assert!(verdict.passed());
    assert_eq!(told(verdict.warnings()), one(Code::ManifestUnsignedFile, "extra"));
    assert!(verdict.files().iter().all(|(file, _)| file.path.as_str() != "extra"));

    let verdict = with("", true).decide();
    assert!(verdict.passed());
    assert_eq!(told(verdict.warnings()), one(Code::ManifestIgnoredPath, "extra"));
    let strict = with("[manifest]\nignored-paths = \"reject\"\n", true);
    assert_eq!(strict.refusal(), one(Code::ManifestIgnoredPath, "extra"));
}

#[test]
fn a_counted_bundle_in_the_model_is_not_unsigned_and_a_refused_one_is() {
    let mut scene = Scene::new("", &FILES);
    scene.bundles[0].in_model = Some("model.sig".to_owned());
    scene.observed().unlisted.push(unlisted("model.sig", false));
    assert!(scene.decide().passed());

    scene.bundles.push(refused(vec![Reason::new(Code::SignatureInvalid, "bad")]));
    scene.observed().unlisted.push(unlisted("bad.sig", false));
    assert_eq!(scene.refusal(), one(Code::ManifestUnsignedFile, "bad.sig"));
    assert_eq!(told(scene.decide().warnings()), one(Code::SignatureInvalid, ""));
}

#[test]
fn sizes_are_within_the_policy() {
    let with = |file: u64, total: u64| {
        let limits = format!("[manifest]\nmax-file-bytes = {file}\nmax-total-bytes = {total}\n");
        Scene::new(&limits, &FILES)
    };
    assert!(with(6, 11).decide().passed());
    assert_eq!(with(5, 11).refusal(), one(Code::ManifestFileTooLarge, "b/c.bin"));
    assert_eq!(with(6, 10).refusal(), one(Code::ManifestTotalTooLarge, ""));
}

const CONTENT: &str = "[content]\nallow = [\"json\", \"text\"]\n";

#[test]
fn each_file_has_one_allowed_format() {
    let with = |formats: &[&'static str]| {
        let mut scene = Scene::new(CONTENT, &FILES);
        scene.findings = vec![finding("a.txt", formats), finding("b/c.bin", &["json"])];
        scene
    };
    assert!(with(&["text"]).decide().passed());
    assert_eq!(with(&[]).refusal(), one(Code::ContentUnknown, "a.txt"));
    assert_eq!(with(&["safetensors"]).refusal(), one(Code::ContentFormat, "a.txt"));
    assert_eq!(with(&["text", "json"]).refusal(), one(Code::ContentAmbiguous, "a.txt"));
    let mut scene = with(&["text"]);
    scene.findings[0].marks.push(mark(Code::ContentMalformed, "cut off"));
    assert_eq!(scene.refusal(), one(Code::ContentMalformed, "a.txt"));
    let mut scene = with(&["text"]);
    scene.findings.remove(0);
    assert_eq!(scene.refusal(), one(Code::ContentUnknown, "a.txt"));
    // Two findings about one file must both be good.
    let mut scene = with(&["text"]);
    scene.findings.push(finding("a.txt", &["safetensors"]));
    assert_eq!(scene.refusal(), one(Code::ContentFormat, "a.txt"));
}

#[test]
fn each_mark_is_held_against_its_own_list_and_no_other() {
    let allow = "[content]\nallow = [\"json\", \"pickle\", \"onnx\", \"tflite\", \"keras\"]\n";
    let lists = [
        (Code::ContentPickleGlobal, "pickle", "content.pickle.globals"),
        (Code::ContentOperatorDomain, "onnx", "content.onnx.domains"),
        (Code::ContentOperator, "json", "content.tensorflow.operators"),
        (Code::ContentOperator, "tflite", "content.tflite.operators"),
        (Code::ContentClass, "keras", "content.keras.classes"),
        (Code::ContentTemplate, "json", "content.templates.digests"),
    ];
    let subject = "0a.".repeat(21) + "f";
    let digest = "0a".repeat(32);
    let subject_of = |code| if code == Code::ContentTemplate { &digest } else { &subject };
    for (code, format, rule) in lists {
        let with = |tables: &str| {
            let mut scene = Scene::new(&format!("{allow}{tables}"), &FILES);
            scene.findings = vec![finding("a.txt", &[format]), finding("b/c.bin", &["json"])];
            let subject = subject_of(code).clone();
            scene.findings[0].marks.push(Mark { subject, ..mark(code, "is there") });
            scene
        };
        let table = |(code, _, rule): (Code, &str, &str)| {
            let (table, key) = rule.rsplit_once('.').unwrap();
            format!("[{table}]\n{key} = [{:?}]\n", subject_of(code))
        };
        let bare = with("");
        assert_eq!(bare.refusal(), one(code, "a.txt"));
        assert_eq!(bare.decide().reasons()[0].rule.as_deref(), Some(rule));
        let others = lists.into_iter().filter(|other| other.2 != rule);
        let others: String = others.map(table).collect();
        assert_eq!(with(&others).refusal(), one(code, "a.txt"), "{rule}");
        assert!(with(&table((code, format, rule))).decide().passed(), "{rule}");
    }
}

#[test]
fn what_has_no_list_is_refused_wherever_formats_are_restricted() {
    let with = |content: &str, code| {
        let mut scene = Scene::new(content, &FILES);
        scene.findings = vec![finding("a.txt", &["text"]), finding("b/c.bin", &["json"])];
        scene.findings[0].marks.push(mark(code, "is there"));
        scene
    };
    for code in [
        Code::ContentExtension,
        Code::ContentPickleCall,
        Code::ContentExternalData,
        Code::ContentIndex,
        Code::ContentLink,
        Code::ContentRegex,
        Code::ContentMember,
        Code::ContentMacro,
        Code::ContentAutorun,
    ] {
        assert_eq!(with(CONTENT, code).refusal(), one(code, "a.txt"));
        let any = "[content]\nallow = \"any\"\nremote-code = \"reject\"\n";
        assert!(with(any, code).decide().passed());
    }
    let names = format!("{CONTENT}names = \"any\"\n");
    assert!(with(&names, Code::ContentExtension).decide().passed());
    assert_eq!(with(&names, Code::ContentMacro).refusal(), one(Code::ContentMacro, "a.txt"));
}

#[test]
fn not_scanned_is_a_state_of_its_own_that_passes_only_where_no_scan_is_asked_for() {
    let with = |rules: &str, scan: Scan| {
        let mut scene = Scene::new(&format!("{CONTENT}{rules}"), &FILES);
        scene.findings = vec![finding("a.txt", &["text"]), finding("b/c.bin", &["json"])];
        scene.findings[0].scan = scan;
        scene
    };
    let not_scanned = || Scan::NotScanned("it is larger than the scanner reads".to_owned());
    let found = || Scan::Found("Eicar".to_owned());
    let required = "[content.scanner]\nrequired = true\n";
    let skipped = "[content.scanner]\nrequired = true\nskip = [\"text\"]\n";
    assert!(with("", not_scanned()).decide().passed());
    assert!(with(required, Scan::Clean).decide().passed());
    assert_eq!(with(required, not_scanned()).refusal(), one(Code::ContentNotScanned, "a.txt"));
    assert_eq!(with(required, Scan::default()).refusal(), one(Code::ContentNotScanned, "a.txt"));
    assert!(with(skipped, not_scanned()).decide().passed());
    for rules in ["", required, skipped] {
        assert_eq!(with(rules, found()).refusal(), one(Code::ContentMalware, "a.txt"));
    }
    let any = "[content]\nallow = \"any\"\nremote-code = \"allow\"\n";
    let mut scene = Scene::new(&format!("{any}{required}"), &FILES);
    scene.findings = vec![finding("a.txt", &[]), finding("b/c.bin", &[])];
    assert!(scene.decide().passed());
    scene.findings.pop();
    assert_eq!(scene.refusal(), one(Code::ContentUnknown, "b/c.bin"));
}

#[test]
fn a_file_that_is_refused_for_its_bytes_needs_no_finding() {
    let mut scene = Scene::new(CONTENT, &FILES);
    scene.observed = Some(observed(&[("a.txt", "FIRST"), FILES[1]]));
    scene.findings = vec![finding("b/c.bin", &["json"])];
    assert_eq!(scene.refusal(), one(Code::ManifestDigestMismatch, "a.txt"));
}

#[test]
fn remote_code_is_refused_unless_the_policy_allows_it() {
    let with = |content: &str| {
        let mut scene = Scene::new(content, &FILES);
        scene.findings = vec![finding("a.txt", &["text"]), finding("b/c.bin", &["json"])];
        scene.findings[1].marks.push(mark(Code::ContentRemoteCode, "auto_map"));
        scene
    };
    assert_eq!(with(CONTENT).refusal(), one(Code::ContentRemoteCode, "b/c.bin"));
    let allowed = format!("{CONTENT}remote-code = \"allow\"\n");
    assert!(with(&allowed).decide().passed());

    // Any format may pass, yet nobody looked whether the file brings code.
    let any = "[content]\nallow = \"any\"\nremote-code = \"reject\"\n";
    let mut scene = with(any);
    scene.findings.pop();
    assert_eq!(scene.refusal(), one(Code::ContentUnknown, "b/c.bin"));
    assert_eq!(with(any).refusal(), one(Code::ContentRemoteCode, "b/c.bin"));
    let any = "[content]\nallow = \"any\"\nremote-code = \"allow\"\n";
    let mut scene = with(any);
    scene.findings.clear();
    assert!(scene.decide().passed());
}

#[test]
fn json_that_was_not_read_to_its_end_may_ask_for_code() {
    let any = "[content]\nallow = \"any\"\nremote-code = \"reject\"\n";
    let with = |content: &str, formats: &[&'static str], malformed: Option<&str>| {
        let mut scene = Scene::new(content, &FILES);
        scene.findings = vec![finding("a.txt", &["text"]), finding("b/c.bin", formats)];
        scene.findings[1].marks =
            malformed.map(|m| mark(Code::ContentMalformed, m)).into_iter().collect();
        scene
    };
    for (formats, malformed, code) in [
        (&["json"][..], Some("not valid JSON"), Code::ContentMalformed),
        (&[], Some("not valid JSON"), Code::ContentMalformed),
        (&["json", "zip"], Some("not valid JSON"), Code::ContentMalformed),
        (&["json", "zip"], None, Code::ContentAmbiguous),
    ] {
        let scene = with(any, formats, malformed);
        assert_eq!(scene.refusal(), one(code, "b/c.bin"), "{formats:?}");
        let reasons = scene.decide();
        assert_eq!(reasons.reasons()[0].rule.as_deref(), Some("content.remote-code"));
        // Whoever allows code does not need to know.
        let allowed = any.replace("reject", "allow");
        assert!(with(&allowed, formats, malformed).decide().passed());
    }
    for (formats, malformed) in [
        (&["json"][..], None),
        (&["gguf"], Some("truncated")),
        (&["gguf", "zip"], None),
        (&[], None),
    ] {
        assert!(with(any, formats, malformed).decide().passed(), "{formats:?}");
    }
    // Under a list of formats the list refuses it, once.
    let listed = with(CONTENT, &["json"], Some("not valid JSON"));
    assert_eq!(listed.refusal(), one(Code::ContentMalformed, "b/c.bin"));
}

#[test]
fn a_verdict_stays_small_whatever_a_carrier_holds() {
    let mut scene = Scene::new("", &FILES);
    let name = |at: usize| format!("{at:06}{}", "\u{1}".repeat(900));
    scene.observed().problems =
        (0..20_000).map(|at| Reason::new(Code::MediaName, name(at)).about(name(at))).collect();
    scene.observed().unlisted = (0..20_000).map(|at| unlisted(&name(at), false)).collect();
    scene.observed().files.clear();
    let verdict = scene.decide();
    assert!(!verdict.passed());
    let of = |code| verdict.reasons().iter().filter(move |reason| reason.code == code);
    for code in [Code::MediaName, Code::ManifestUnsignedFile] {
        assert_eq!(of(code).count(), MOST_OF_A_CODE + 1, "{code}");
        let more = of(code).find(|reason| reason.file.is_none()).unwrap();
        assert_eq!(more.detail, "and 19000 more");
        assert!(of(code).filter_map(|reason| reason.file.as_ref()).all(|name| name.len() < 300));
    }
    // Which files the dropped reasons were about is not known, so none is called absent.
    assert_eq!(of(Code::ManifestMissingFile).count(), 0);

    // Where all reasons are kept, only a file with a reason of its own is not called absent, and
    // a long name has it under its first characters.
    let long = ["l".repeat(200), "m".repeat(200)].join("/");
    let files = [(long.as_str(), "x"), ("b", "y")];
    let mut scene = Scene::new("", &files);
    scene.observed().files.clear();
    scene.observed().problems.push(Reason::new(Code::MediaSymlink, "a link").about(&*long));
    let codes: Vec<_> = scene.refusal().into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, [Code::ManifestMissingFile, Code::MediaSymlink]);

    // Warnings are bounded alike, and many of them are no refusal.
    let mut scene = Scene::new("[manifest]\nunsigned-files = \"leave-behind\"\n", &FILES);
    scene.observed().unlisted = (0..20_000).map(|at| unlisted(&name(at), false)).collect();
    let verdict = scene.decide();
    assert!(verdict.passed());
    assert_eq!(verdict.warnings().len(), MOST_OF_A_CODE + 1);
}
