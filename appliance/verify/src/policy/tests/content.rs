//! `[content]`: its grammar, and what it means.

use super::grammar::{assert_starts, fault, fault_at_end};
use super::*;
use crate::reason::Code;

#[test]
fn content_names_formats_that_exist() {
    assert_eq!(
        fault("allow = []", "allow = [\"gguf\", \"GGML\"]"),
        "line 8, column 18: content.allow[1]: found \"GGML\", expected \"safetensors\" or \"gguf\" \
         or \"json\" or \"text\" or \"tokenizer\" or \"onnx\" or \"image\" or \"empty\" or \"pytorch\" \
         or \"torch-legacy\" or \"pickle\" or \"numpy\" or \"npz\""
    );
    assert_starts(
        &fault("allow = []", "allow = \"all\""),
        "line 8, column 9: content.allow: found \"all\", expected a list of formats, or \"any\"",
    );
    assert_starts(
        &fault("allow = []", "allow = [\"any\"]"),
        "line 8, column 10: content.allow[0]: ",
    );
    assert_starts(
        &fault("allow = []", "allow = [\"gguf\", \"gguf\"]"),
        "line 8, column 18: content.allow[1]: ",
    );
    assert_starts(
        &fault_at_end("remote-code = \"run\""),
        "line 9, column 15: content.remote-code: ",
    );
    let any = SMALLEST.replace("allow = []", "allow = \"any\"");
    let any = resolve(&any, &[anchor("root", &[Purpose::CodeSigning])]).unwrap();
    assert_eq!(any.content.allow, None);
}

#[test]
fn what_is_inside_is_listed_by_exact_names() {
    let with = |tables: &str| fault_at_end(tables);
    for (tables, rule) in [
        ("names = \"all\"", "line 9, column 9: content.names: "),
        ("[content.pickle]\n", "line 9, column 1: content.pickle: the key `globals` is missing"),
        ("[content.pickle]\nglobal = []", "line 10, column 1: content.pickle: unknown key"),
        (
            "[content.pickle]\nglobals = [\"torch.*\"]",
            "line 10, column 12: content.pickle.globals[0]: ",
        ),
        (
            "[content.pickle]\nglobals = [\"a.b\", \"eval\"]",
            "line 10, column 19: content.pickle.globals[1]: ",
        ),
        (
            "[content.pickle]\nglobals = [\"a.b\", \"a.b\"]",
            "line 10, column 19: content.pickle.globals[1]: ",
        ),
        ("[content.onnx]\ndomains = [\"\"]", "line 10, column 12: content.onnx.domains[0]: "),
        (
            "[content.tensorflow]\noperators = [\"Mat Mul\"]",
            "line 10, column 14: content.tensorflow.operators[0]: ",
        ),
        (
            "[content.templates]\ndigests = [\"ABCD\"]",
            "line 10, column 12: content.templates.digests[0]: ",
        ),
        (
            "[content.limits]\njson-bytes = \"1KiB\"",
            "line 10, column 14: content.limits.json-bytes: ",
        ),
        (
            "[content.limits]\ntext-bytes = \"2TiB\"",
            "line 10, column 14: content.limits.text-bytes: ",
        ),
        (
            "[content.limits]\narchive-ratio = 0",
            "line 10, column 17: content.limits.archive-ratio: ",
        ),
        ("[content.scanner]\nrequired = 1", "line 10, column 12: content.scanner.required: "),
        (
            "[content.scanner]\nskip = [\"everything\"]",
            "line 10, column 9: content.scanner.skip[0]: ",
        ),
    ] {
        assert_starts(&with(tables), rule);
    }
    let rules = |tables: &str| {
        let text = format!("{SMALLEST}{tables}");
        resolve(&text, &[anchor("root", &[Purpose::CodeSigning])]).unwrap().content
    };
    assert_eq!(rules("").onnx_domains, ["ai.onnx", "ai.onnx.ml"].map(str::to_owned).into());
    let limited = rules("[content.limits]\njson-bytes = \"1GiB\"\narchive-ratio = 7\n").limits;
    assert_eq!((limited.json_bytes, limited.archive_ratio), (1 << 30, 7));
    let named = rules("[content.onnx]\ndomains = [\"com.example\"]\n");
    assert_eq!(named.onnx_domains, ["com.example".to_owned()].into());
}

#[test]
fn lists_mean_nothing_where_content_is_not_restricted() {
    for tables in ["names = \"any\"", "[content.pickle]\nglobals = [\"a.b\"]"] {
        let any = format!("allow = \"any\"\n{tables}\n");
        let error = parse(&SMALLEST.replace("allow = []", &any)).unwrap_err();
        assert_eq!(error.code(), Code::PolicyContradiction);
    }
    let any = SMALLEST.replace("allow = []", "allow = \"any\"");
    let scanned = format!("{any}[content.scanner]\nrequired = true\n");
    let policy = resolve(&scanned, &[anchor("root", &[Purpose::CodeSigning])]).unwrap();
    assert!(policy.content.scanner.required);
}
