//! Configuration, tokenizers, notebooks, and the code that lies beside them.

use crate::Case;

pub(crate) fn cases() -> Vec<Case> {
    [transformers(), others(), syntax(), files(), expressions(), pieces()].concat()
}

fn one(
    name: &'static str,
    says: (&'static str, &'static str),
    file: &'static str,
    hostile: &str,
    twin: &str,
) -> Case {
    Case::one(name, says, file, hostile.as_bytes().to_vec(), twin.as_bytes().to_vec())
}

fn code(
    name: &'static str,
    says: &'static str,
    file: &'static str,
    hostile: &str,
    twin: &str,
) -> Case {
    one(name, ("remote-code", says), file, hostile, twin)
}

/// What makes transformers run code.
fn transformers() -> Vec<Case> {
    let config = "config.json";
    vec![
        code(
            "json-has-its-classes-in-python-files-beside-it",
            "key \"/auto_map\"",
            config,
            r#"{"model_type": "x", "auto_map": {"AutoModel": "modeling_x.XModel"}}"#,
            r#"{"model_type": "x", "architectures": ["XModel"]}"#,
        ),
        code(
            "json-has-its-classes-in-another-repository",
            "key \"/vision_config/auto_map\"",
            config,
            r#"{"vision_config": {"auto_map": {"AutoModel": "someone/else--modeling_x.XModel"}}}"#,
            r#"{"vision_config": {"model_map": {"AutoModel": "someone/else--modeling_x.XModel"}}}"#,
        ),
        code(
            "json-has-a-pipeline-of-its-own",
            "custom_pipelines",
            config,
            r#"{"custom_pipelines": {"x": {"impl": "pipeline.X", "pt": ["AutoModel"]}}}"#,
            r#"{"pipelines": {"x": {"impl": "pipeline.X", "pt": ["AutoModel"]}}}"#,
        ),
        code(
            "json-says-that-its-code-is-trusted",
            "trust_remote_code",
            "tokenizer_config.json",
            r#"{"trust_remote_code": true}"#,
            r#"{"trust_remote_code": false}"#,
        ),
        // CVE-2026-4372: the name of a repository whose kernels are loaded.
        code(
            "json-names-a-repository-of-kernels-for-attention",
            "kernels loaded from \"someone/flash-attn\"",
            config,
            r#"{"_attn_implementation_internal": "someone/flash-attn"}"#,
            r#"{"_attn_implementation_internal": "flash_attention_2"}"#,
        ),
        code(
            "json-names-a-repository-of-kernels-for-one-part",
            "kernels loaded from \"someone/flash-attn@main\"",
            config,
            r#"{"text_config": {"attn_implementation": "someone/flash-attn@main"}}"#,
            r#"{"text_config": {"attn_implementation": "sdpa"}}"#,
        ),
        code(
            "json-replaces-layers-by-kernels",
            "kernel_config",
            config,
            r#"{"kernel_config": {"RMSNorm": "someone/norm:Norm"}}"#,
            r#"{"kernel_config": null}"#,
        ),
    ]
}

/// What makes other loaders run code.
fn others() -> Vec<Case> {
    vec![
        code(
            "json-adapter-imports-a-module",
            "has the module imported \"setup_evil\"",
            "adapter_config.json",
            r#"{"peft_type": "LORA", "auto_mapping": {"base_model_class": "X", "parent_library": "setup_evil"}}"#,
            r#"{"peft_type": "LORA", "auto_mapping": {"base_model_class": "BertModel", "parent_library": "transformers.models.bert.modeling_bert"}}"#,
        ),
        code(
            "json-adapter-imports-a-module-in-place-of-megatron",
            "has the module imported \"setup_evil\"",
            "adapter_config.json",
            r#"{"peft_type": "LORA", "megatron_config": {"a": 1}, "megatron_core": "setup_evil"}"#,
            r#"{"peft_type": "LORA", "megatron_config": {"a": 1}, "megatron_core": "megatron.core"}"#,
        ),
        code(
            "json-sentence-model-is-built-from-its-own-module",
            "is built from \"custom_st.Transformer\"",
            "modules.json",
            r#"[{"idx": 0, "name": "0", "path": "", "type": "custom_st.Transformer"}]"#,
            r#"[{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}]"#,
        ),
        code(
            "json-sentence-model-is-built-from-a-name-that-only-starts-alike",
            "is built from \"sentence_transformers_x.Transformer\"",
            "modules.json",
            r#"[{"path": "", "type": "sentence_transformers_x.Transformer"}]"#,
            r#"[{"path": "", "type": "sentence_transformers.x.Transformer"}]"#,
        ),
        code(
            "json-dense-layer-calls-a-function",
            "has called \"posix.system\"",
            "2_Dense/config.json",
            r#"{"in_features": 8, "out_features": 8, "activation_function": "posix.system"}"#,
            r#"{"in_features": 8, "out_features": 8, "activation_function": "torch.nn.modules.activation.Tanh"}"#,
        ),
        code(
            "json-cross-encoder-calls-a-function",
            "has called \"pty.spawn\"",
            "config.json",
            r#"{"sentence_transformers": {"activation_fn": "pty.spawn"}}"#,
            r#"{"sentence_transformers": {"activation_fn": "torch.nn.modules.linear.Identity"}}"#,
        ),
        code(
            "json-router-is-built-from-its-own-module",
            "is built from \"evil.Route\"",
            "router_config.json",
            r#"{"types": {"query_0": "evil.Route"}, "structure": {"query": ["query_0"]}}"#,
            r#"{"types": {"query_0": "sentence_transformers.models.Pooling"}, "structure": {"query": ["query_0"]}}"#,
        ),
        code(
            "json-has-a-target-that-hydra-calls",
            "key \"/model/_target_\": os.system",
            "model_config.json",
            r#"{"model": {"_target_": "os.system", "command": "id"}}"#,
            r#"{"model": {"target": "os.system", "command": "id"}}"#,
        ),
        code(
            "json-pipeline-has-a-component-in-its-own-file",
            "the component \"unet\" loaded from the module \"my_unet\"",
            "model_index.json",
            r#"{"_class_name": "StableDiffusionPipeline", "unet": ["my_unet", "MyUNet"]}"#,
            r#"{"_class_name": "StableDiffusionPipeline", "unet": ["diffusers", "UNet2DConditionModel"], "safety_checker": [null, null]}"#,
        ),
        code(
            "json-pipeline-hides-a-component-under-another-class-name",
            "loaded from the module \"my_unet\"",
            "model_index.json",
            r#"{"unet": ["my_unet", "MyUNet"], "_class_name": "Whatever"}"#,
            r#"{"block_types": ["CrossAttnBlock", "DownBlock"], "_class_name": "Whatever"}"#,
        ),
        code(
            "json-pipeline-is-a-class-in-its-own-file",
            "_class_name asks",
            "model_index.json",
            r#"{"_class_name": ["my_pipeline", "MyPipeline"]}"#,
            r#"{"_class_name": "FluxPipeline"}"#,
        ),
        code(
            "json-architecture-of-keras-holds-bytecode",
            "holds bytecode",
            "model.json",
            r#"{"class_name": "Sequential", "config": {"layers": [{"class_name": "Lambda", "config": {"function": ["4wEAAAA=", null, null]}}]}}"#,
            r#"{"class_name": "Sequential", "config": {"layers": [{"class_name": "Dense", "config": {"units": 1}}]}}"#,
        ),
        code(
            "json-pickle-calls-a-function",
            "py/reduce",
            "scaler.json",
            r#"{"py/reduce": [{"py/type": "os.system"}, {"py/tuple": ["id"]}]}"#,
            r#"{"reduce": [{"type": "os.system"}, {"tuple": ["id"]}]}"#,
        ),
    ]
}

/// What one reader takes and another does not, or reads in another way.
fn syntax() -> Vec<Case> {
    let config = "config.json";
    let broken = |name, says, hostile: &str, twin: &str| {
        one(name, ("malformed", says), config, hostile, twin)
    };
    let nested = |depth| format!("{{\"a\": {}{}}}", "[".repeat(depth), "]".repeat(depth));
    vec![
        broken(
            "json-has-a-key-twice",
            "the JSON key \"model_type\" occurs twice",
            r#"{"model_type": "a", "model_type": "b"}"#,
            r#"{"model_type": "a", "model_kind": "b"}"#,
        ),
        broken(
            "json-has-a-key-twice-of-which-one-is-escaped",
            "the JSON key \"a\" occurs twice",
            r#"{"x": [{"a": 1, "\u0061": 2}]}"#,
            r#"{"x": [{"a": 1, "\u0062": 2}]}"#,
        ),
        broken(
            "json-starts-with-a-byte-order-mark",
            "a byte order mark",
            "\u{feff}{\"a\": 1}",
            "{\"a\": \"\u{feff}\"}",
        ),
        broken(
            "json-has-what-is-no-number",
            "not valid JSON at line 1",
            r#"{"eps": NaN}"#,
            r#"{"eps": "NaN"}"#,
        ),
        broken(
            "json-has-an-infinite-number",
            "not valid JSON at line 1",
            r#"{"eps": -Infinity}"#,
            r#"{"eps": -1e300}"#,
        ),
        broken(
            "json-has-a-number-that-no-float-holds",
            "not valid JSON at line 1",
            r#"{"eps": 1e999}"#,
            r#"{"eps": 1e-999}"#,
        ),
        broken(
            "json-has-half-a-character",
            "not valid JSON at line 1",
            r#"{"a": "\ud83d"}"#,
            r#"{"a": "\ud83d\ude00"}"#,
        ),
        broken(
            "json-has-a-comment",
            "not valid JSON at line 2",
            "{\"a\": 1,\n// {\"auto_map\": 1}\n\"b\": 2}",
            "{\"a\": 1,\n\"c\": \"// comment\",\n\"b\": 2}",
        ),
        broken(
            "json-is-followed-by-another-document",
            "bytes follow the JSON value",
            "{\"a\": 1}\n{\"a\": 2}\n",
            "[{\"a\": 1},\n{\"a\": 2}]\n",
        ),
        broken(
            "json-is-nested-a-hundred-thousand-deep",
            "nested deeper than",
            &nested(100_000),
            &nested(60),
        ),
        broken("json-ends-in-the-middle", "ends too early", r#"{"a": [1, 2"#, r#"{"a": [1, 2]}"#),
    ]
}

/// Files that are code by their name or by their bytes.
fn files() -> Vec<Case> {
    let named = |name, says, file, twin| {
        let text = b"import os\nos.system('id')\n".to_vec();
        let says = ("remote-code", says);
        Case {
            name,
            code: says.0,
            says: says.1,
            files: vec![(file, text.clone())],
            twin: vec![(twin, text)],
        }
    };
    let cells = r#""cells": [{"cell_type": "code", "source": ["!id"], "outputs": []}]"#;
    let mut bytecode = b"\xa7\x0d\r\n\0\0\0\0\x01\x02\x03\x04\x10\0\0\0".to_vec();
    let text = bytecode.iter().map(|_| b'x').collect();
    bytecode.extend(b"\xe3\0\0\0\0\0\0\0\0\0\0\0\0");
    let yaml = |name, says, evil: &str, good: &str| {
        let says = ("remote-code", says);
        Case::one(name, says, "config.yaml", evil.into(), good.into())
    };
    vec![
        yaml(
            "yaml-calls-by-a-tag",
            "!!python/object/apply:os.system",
            "rate: !!float 1\nname: !!python/object/apply:os.system [id]\n",
            "rate: !!float 1\nname: python/object/apply:os.system [id]\n",
        ),
        yaml(
            "yaml-gives-a-tag-another-handle",
            "%TAG",
            "%TAG !p! tag:yaml.org,2002:python/\n--- !p!name:os.system ''\n",
            "# TAG p: tag:yaml.org,2002:python/\n--- p!name:os.system\n",
        ),
        yaml(
            "yaml-has-hydra-call-a-name",
            "_target_",
            "model:\n  _target_: os.system\n  command: id\n",
            "model:\n  target: os.system\n  command: id\n",
        ),
        named(
            "python-code-lies-beside-the-model",
            "Python code",
            "modeling_x.py",
            "modeling_x.txt",
        ),
        named(
            "python-code-replaces-how-text-is-generated",
            "Python code",
            "custom_generate/generate.py",
            "custom_generate/generate.md",
        ),
        named("python-code-is-named-in-capitals", "Python code", "SETUP.PY", "SETUP.MD"),
        named(
            "cuda-code-is-compiled-when-it-is-loaded",
            "compiled when it is loaded",
            "kernel.cu",
            "kernel.md",
        ),
        named(
            "shell-script-lies-beside-the-model",
            "a script of a shell",
            "install.sh",
            "install.txt",
        ),
        named(
            "browser-code-lies-beside-the-model",
            "code for a browser",
            "web/model.mjs",
            "web/model.txt",
        ),
        Case::one(
            "notebook-is-named-as-configuration",
            ("format", "the format is notebook"),
            "config.json",
            format!(r#"{{{cells}, "metadata": {{}}, "nbformat": 4, "nbformat_minor": 5}}"#)
                .into_bytes(),
            format!(r#"{{{cells}, "metadata": {{}}}}"#).into_bytes(),
        ),
        Case::one(
            "bytecode-of-python-has-no-name-that-tells",
            ("format", "the format is bytecode"),
            "weights",
            bytecode,
            text,
        ),
    ]
}

/// Regular expressions of a tokenizer.
fn expressions() -> Vec<Case> {
    let tokenizer = |expression: &str| {
        let expression = expression.replace('\\', "\\\\");
        format!(
            r#"{{"version": "1.0", "pre_tokenizer": {{"type": "Sequence", "pretokenizers": [{{"type": "Split", "pattern": {{"Regex": "{expression}"}}, "behavior": "Isolated", "invert": false}}]}}, "model": {{"type": "BPE", "vocab": {{"a": 0}}, "merges": []}}}}"#
        )
        .into_bytes()
    };
    let case = |name, says, hostile: &str, twin: &str| {
        Case::one(name, ("regex", says), "tokenizer.json", tokenizer(hostile), tokenizer(twin))
    };
    let several = "may match the same text in several ways";
    vec![
        case("tokenizer-repeats-a-repetition", several, r"(\p{L}+)+$", r"(\p{L}+)?$"),
        case("tokenizer-repeats-alternatives-that-are-alike", several, r"(?:\s|\p{Z})+x", r"(?:[\s\p{Z}])+x"),
        case("tokenizer-repeats-what-may-be-empty", several, r"(?:a?){30}a{30}", r"(?:a){30}a{30}"),
        case("tokenizer-counts-to-a-hundred-thousand", "counts to more", r"\p{N}{1,100000}", r"\p{N}{1,3}"),
        case("tokenizer-multiplies-counts", "counts to more", r"(?:(?:a{99}){99}){99}", r"(?:(?:a{9}){9}){9}"),
        case("tokenizer-refers-back", "refers back", r"(\p{L})\1", r"(\p{L})\p{L}"),
        case("tokenizer-has-ten-repetitions-side-by-side", "side by side", r"\s*\s*\s*\s*\s*\s*\s*\s*\s*\s*x", r"\s*[\r\n]+x"),
        case("tokenizer-nests-look-arounds", "look-arounds too deep", r"(?=(?!(?=(?!a))))b", r"\s+(?!\S)b"),
        case("tokenizer-calls-itself", "a group that no tokenizer needs", r"\((?R)\)", r"\((?:R)\)"),
        Case::one(
            "tokenizer-normalizes-by-a-repeated-repetition",
            ("regex", "several ways"),
            "tokenizer.json",
            br#"{"normalizer": {"type": "Replace", "pattern": {"Regex": "( +)+"}, "content": " "}}"#.to_vec(),
            br#"{"normalizer": {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}}"#.to_vec(),
        ),
    ]
}

/// SentencePiece models.
fn pieces() -> Vec<Case> {
    // Two pieces with their scores, and a normalizer with a map of characters.
    let model = |map: &[u8]| {
        let length = |bytes: &[u8]| u8::try_from(bytes.len()).unwrap_or(u8::MAX);
        let spec = [&[0x0a, 4][..], b"nmt_", &[0x12, length(map)], map].concat();
        [
            b"\x0a\x0e\x0a\x05<unk>\x15\0\0\0\0\x18\x02\x0a\x08\x0a\x01a\x15\0\0\x80\xbf",
            &[0x1a, length(&spec)][..],
            &spec,
        ]
        .concat()
    };
    let good: &[u8] = b"\x08\0\0\0\0\x04\0\x80a\0\0\0b\0";
    let mut long = good.to_vec();
    if let Some(length) = long.first_mut() {
        *length = 0xf8;
    }
    let twice = [model(good), b"\x1a\x02\x18\x01".to_vec()].concat();
    vec![
        Case::one(
            "tokenizer-has-a-map-of-characters-that-leads-out-of-itself",
            ("malformed", "no trie that fits"),
            "tokenizer.model",
            model(&long),
            model(good),
        ),
        Case::one(
            "tokenizer-has-a-map-of-characters-without-an-end",
            ("malformed", "has no end"),
            "spiece.model",
            model(b"\x08\0\0\0\0\x04\0\x80a\0\0\0bb"),
            model(good),
        ),
        Case::one(
            "tokenizer-has-its-settings-twice",
            ("malformed", "settings are there twice"),
            "tokenizer.model",
            twice,
            [model(good), b"\x12\x02\x18\x01".to_vec()].concat(),
        ),
    ]
}
