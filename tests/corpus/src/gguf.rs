//! GGUF.

mod file;

use crate::Case;
use file::{ARRAY, BOOL, BYTE, F32, FLOAT, Gguf, I32, Q4_0, STRING, U8, U16, U32, U64};
use file::{array, string, strings};

const FILE: &str = "model.gguf";

pub(crate) fn cases() -> Vec<Case> {
    [published(), headers(), values(), tokenizers(), tensors(), layouts()].concat()
}

fn broken(name: &'static str, says: &'static str, hostile: Gguf, twin: Gguf) -> Case {
    Case::one(name, ("malformed", says), FILE, hostile.bytes(), twin.bytes())
}

/// Weights that are not zero.
fn weights(count: usize) -> Vec<u8> {
    (1..=250).cycle().take(count).collect()
}

/// A model of one tensor of 64 bytes.
fn one(shape: &[u64], kind: u32, offset: u64) -> Gguf {
    Gguf::new().tensor("t", shape, kind, offset).data(&weights(64))
}

fn good() -> Gguf {
    one(&[16], FLOAT, 0)
}

fn value(kind: u32, value: &[u8]) -> Gguf {
    Gguf::new().pair("x.value", kind, value)
}

/// The shapes of attacks on llama.cpp and its bindings that were published.
fn published() -> Vec<Case> {
    let length = |length: u64| [&length.to_le_bytes()[..], b"key"].concat();
    let claims = |dimensions| {
        let shape = [16, 1, 1, 1, 1];
        let shape = shape.get(..dimensions as usize).unwrap_or(&shape);
        Gguf::new().raw_tensor("t", dimensions, shape, FLOAT, 0).data(&weights(64))
    };
    vec![
        // CVE-2024-23605: the array of pairs was allocated by a product that wraps.
        broken(
            "gguf-number-of-pairs-wraps-the-allocation",
            "header claims 768614336404564652 pairs",
            good().claims_pairs(768_614_336_404_564_651),
            good(),
        ),
        // CVE-2024-21836: the same of tensors.
        broken(
            "gguf-number-of-tensors-wraps-the-allocation",
            "header claims 209622091746699451 tensors",
            good().claims_tensors(209_622_091_746_699_450),
            good(),
        ),
        // CVE-2024-23496: the length of a string and its ending zero wrap to no bytes.
        broken(
            "gguf-string-length-of-all-ones",
            "18446744073709551615 bytes are needed",
            Gguf::new().raw_pair(&length(u64::MAX), U8, &[1]),
            Gguf::new().raw_pair(&length(3), U8, &[1]),
        ),
        // Databricks, 2024: the number of items times their size wraps to the bytes that are there.
        broken(
            "gguf-array-size-wraps-to-what-is-there",
            "header claims 2305843009213693953 items",
            value(ARRAY, &array(U64, (1 << 61) + 1, &[0; 8])),
            value(ARRAY, &array(U64, 1, &[0; 8])),
        ),
        // The same of strings.
        broken(
            "gguf-array-of-more-strings-than-bytes",
            "header claims 1152921504606846977 items",
            value(ARRAY, &array(STRING, (1 << 60) + 1, &string("a"))),
            value(ARRAY, &array(STRING, 1, &string("a"))),
        ),
        // CVE-2024-21802: the sizes of a tensor were written behind the four that there is room for.
        broken(
            "gguf-fifth-dimension",
            r#"the shape of GGUF tensor "t" is not possible"#,
            claims(5),
            claims(4),
        ),
        // A type was the index into a table without being looked at.
        broken(
            "gguf-element-type-behind-the-table",
            "unknown element type 4096",
            one(&[16], 4096, 0),
            good(),
        ),
        broken(
            "gguf-value-type-behind-the-table",
            "unknown value type 13",
            value(13, &[0; 8]),
            value(12, &[0; 8]),
        ),
        broken(
            "gguf-item-type-behind-the-table",
            "unknown value type 2147483647",
            value(ARRAY, &array(0x7fff_ffff, 1, &[0; 8])),
            value(ARRAY, &array(U64, 1, &[0; 8])),
        ),
        // CVE-2025-53630: the sum of the tensors' sizes wraps, and less is allocated than is read.
        broken(
            "gguf-sum-of-tensor-sizes-wraps",
            "not aligned or runs past the file",
            Gguf::new()
                .tensor("s", &[i64::MAX as u64 - 31], BYTE, 0)
                .tensor("t", &[i64::MAX as u64 - 31], BYTE, i64::MAX as u64 - 31)
                .tensor("u", &[64], BYTE, u64::MAX - 63)
                .data(&weights(64)),
            Gguf::new()
                .tensor("s", &[32], BYTE, 0)
                .tensor("t", &[32], BYTE, 32)
                .tensor("u", &[64], BYTE, 64)
                .data(&weights(128)),
        ),
        // The division by a size of zero that checking for overflow does.
        broken(
            "gguf-dimension-of-zero",
            "is not possible",
            one(&[16, 0], FLOAT, 0),
            one(&[16, 1], FLOAT, 0),
        ),
        // CVE-2024-34359: llama-cpp-python rendered the template outside of a sandbox.
        template("gguf-chat-template-walks-to-the-operating-system", "tokenizer.chat_template"),
        template("gguf-named-template-walks-the-same", "tokenizer.chat_template.tool_use"),
        Case::one(
            "gguf-list-of-template-names-holds-a-template",
            ("template", "__class__"),
            FILE,
            Gguf::new().pair("tokenizer.chat_templates", ARRAY, &strings(&[WALK])).bytes(),
            Gguf::new().pair("tokenizer.chat_templates", ARRAY, &strings(&["tool_use"])).bytes(),
        ),
    ]
}

const WALK: &str = "{% for c in [].__class__.__base__.__subclasses__() %}{{ c }}{% endfor %}";
const ORDINARY: &str = "{% for message in messages %}{{ message['content'] }}{% endfor %}";

fn template(name: &'static str, key: &str) -> Case {
    let with = |template: &str| Gguf::new().pair(key, STRING, &string(template)).bytes();
    Case::one(name, ("template", "__class__"), FILE, with(WALK), with(ORDINARY))
}

/// Magic, version and names.
fn headers() -> Vec<Case> {
    let cut = |bytes: Vec<u8>, by: usize| bytes.into_iter().rev().skip(by).rev().collect();
    let pairs =
        |first: &str, second: &str| Gguf::new().pair(first, U8, &[1]).pair(second, U8, &[2]);
    let aligned = |to: u32| {
        let gguf = Gguf::new().pair("general.alignment", U32, &to.to_le_bytes());
        gguf.tensor("t", &[16], FLOAT, 0).aligned(64).data(&weights(64))
    };
    vec![
        broken(
            "gguf-version-that-is-no-longer-read",
            "GGUF version 1 is not supported",
            good().version(1),
            good().version(2),
        ),
        broken(
            "gguf-version-of-the-future",
            "GGUF version 4 is not supported",
            good().version(4),
            good(),
        ),
        Case::one(
            "gguf-cut-inside-the-header",
            ("malformed", "bytes are needed"),
            FILE,
            cut(value(STRING, &string(&"v".repeat(99))).aligned(1).bytes(), 1),
            value(STRING, &string(&"v".repeat(99))).aligned(1).bytes(),
        ),
        broken(
            "gguf-key-twice-for-two-readers",
            r#""x.one" occurs twice"#,
            pairs("x.one", "x.one"),
            pairs("x.one", "x.two"),
        ),
        broken(
            "gguf-key-is-empty",
            "a GGUF name at offset 77 is empty",
            Gguf::new().pair("", U8, &[1]),
            Gguf::new().pair("k", U8, &[1]),
        ),
        broken(
            "gguf-key-with-a-terminal-escape",
            "a name has control characters",
            pairs("x.one", "\u{1b}[2Jx"),
            pairs("x.one", "[2Jx"),
        ),
        broken(
            "gguf-key-ends-for-c-at-a-zero",
            "a name has control characters",
            pairs("x.one", "general.architecture\0"),
            pairs("x.one", "general.architecture."),
        ),
        broken(
            "gguf-alignment-of-zero",
            "general.alignment is not a power of two",
            aligned(0),
            aligned(64),
        ),
        broken(
            "gguf-alignment-that-is-no-power-of-two",
            "general.alignment is not a power of two",
            aligned(48),
            aligned(64),
        ),
        broken(
            "gguf-alignment-of-another-type",
            "the value is of type uint64 and not uint32",
            Gguf::new().pair("general.alignment", U64, &32_u64.to_le_bytes()),
            Gguf::new().pair("general.alignment", U32, &32_u32.to_le_bytes()),
        ),
    ]
}

/// Values of any key.
fn values() -> Vec<Case> {
    let part = |number: u8, count: u8| {
        let gguf = good().pair("split.no", U16, &[number, 0]);
        gguf.pair("split.count", U16, &[count, 0])
    };
    let parts = |tensors: i32| good().pair("split.tensors.count", I32, &tensors.to_le_bytes());
    let text = |text: &[u8]| [&(text.len() as u64).to_le_bytes()[..], text].concat();
    vec![
        broken(
            "gguf-array-of-arrays",
            "is an array of arrays",
            value(ARRAY, &array(ARRAY, 1, &array(U8, 8, &[0; 8]))),
            value(ARRAY, &array(U8, 8, &[0; 8])),
        ),
        broken(
            "gguf-truth-that-is-neither",
            "neither 0 nor 1",
            value(BOOL, &[2]),
            value(BOOL, &[1]),
        ),
        broken(
            "gguf-text-that-is-not-utf8",
            "the string is not UTF-8",
            value(STRING, &text(b"caf\xe9")),
            value(STRING, &text("caf\u{e9}".as_bytes())),
        ),
        broken(
            "gguf-model-type-is-a-number",
            "is of type uint32 and not string",
            Gguf::new().pair("general.type", U32, &[0; 4]),
            Gguf::new().pair("general.type", STRING, &string("model")),
        ),
        broken("gguf-part-behind-the-last", "there is no part 2 of 2", part(2, 2), part(1, 2)),
        broken(
            "gguf-parts-hold-fewer-tensors-than-this-one",
            "this file has 1 tensors, and all parts together 0",
            parts(0),
            parts(1),
        ),
        broken(
            "gguf-number-of-all-tensors-is-negative",
            "the number of tensors is negative",
            parts(-1),
            parts(9),
        ),
    ]
}

/// Arrays that loaders index by the number of another.
fn tokenizers() -> Vec<Case> {
    let tokens = || {
        let tokens = strings(&["<s>", "</s>", "a"]);
        Gguf::new().pair("tokenizer.ggml.tokens", ARRAY, &tokens)
    };
    let scored = |count: u64| {
        let items = vec![0; 4 * count as usize];
        tokens().pair("tokenizer.ggml.scores", ARRAY, &array(F32, count, &items))
    };
    let typed = |kind, bytes: usize| {
        let types = array(kind, 3, &vec![1; bytes]);
        tokens().pair("tokenizer.ggml.token_type", ARRAY, &types)
    };
    vec![
        broken(
            "gguf-scores-end-before-the-tokens",
            "there are 2 items for 3 tokens",
            scored(2),
            scored(3),
        ),
        broken(
            "gguf-token-types-of-one-byte-are-read-as-four",
            "the items are of type uint8 and not int32",
            typed(U8, 3),
            typed(I32, 12),
        ),
        broken(
            "gguf-token-number-of-eight-bytes",
            "is of type uint64 and not uint32",
            tokens().pair("tokenizer.ggml.bos_token_id", U64, &[0; 8]),
            tokens().pair("tokenizer.ggml.bos_token_id", U32, &[0; 4]),
        ),
    ]
}

/// What one tensor says of itself.
fn tensors() -> Vec<Case> {
    let named = |second: &str| {
        let gguf = Gguf::new().tensor("blk.0.attn_q.weight", &[8], FLOAT, 0);
        gguf.tensor(second, &[8], FLOAT, 32).data(&weights(64))
    };
    vec![
        broken(
            "gguf-two-tensors-of-one-name",
            r#""blk.0.attn_q.weight" occurs twice"#,
            named("blk.0.attn_q.weight"),
            named("blk.0.attn_k.weight"),
        ),
        broken(
            "gguf-shape-product-wraps-to-the-data",
            "is not possible",
            one(&[16, (1 << 60) + 1], FLOAT, 0),
            one(&[16, 1], FLOAT, 0),
        ),
        broken(
            "gguf-shape-is-negative-for-loaders",
            "is not possible",
            one(&[(1 << 63) + 64], BYTE, 0),
            one(&[64], BYTE, 0),
        ),
        broken(
            "gguf-scalar-without-dimensions",
            "is not possible",
            Gguf::new().tensor("t", &[], FLOAT, 0).data(&[1; 4]),
            Gguf::new().tensor("t", &[1], FLOAT, 0).data(&[1; 4]),
        ),
        broken(
            "gguf-row-ends-inside-a-block",
            "is not possible",
            Gguf::new().tensor("t", &[16, 2], Q4_0, 0).data(&weights(18)),
            Gguf::new().tensor("t", &[32, 1], Q4_0, 0).data(&weights(18)),
        ),
        broken(
            "gguf-element-type-that-was-removed",
            "unknown element type 4",
            Gguf::new().tensor("t", &[32], 4, 0).data(&weights(18)),
            Gguf::new().tensor("t", &[32], Q4_0, 0).data(&weights(18)),
        ),
    ]
}

/// Where the tensors lie in the data.
fn layouts() -> Vec<Case> {
    let two = |second| {
        let gguf = Gguf::new().tensor("s", &[16], FLOAT, 0);
        gguf.tensor("t", &[16], FLOAT, second)
    };
    // The first tensor takes 4 of 32 bytes.
    let short = |padding: &[u8]| {
        let gguf = Gguf::new().tensor("s", &[1], FLOAT, 0).tensor("t", &[8], FLOAT, 32);
        gguf.data(&[&[1; 4], padding, &weights(32)].concat())
    };
    let followed =
        |more: &[u8]| Gguf::new().tensor("s", &[15], FLOAT, 0).data(&[&weights(60), more].concat());
    vec![
        broken(
            "gguf-two-tensors-overlap",
            r#"tensor "t": starts at data offset 32 instead of 64, and overlaps the one before"#,
            two(32).data(&weights(128)),
            two(64).data(&weights(128)),
        ),
        broken(
            "gguf-two-tensors-share-all-their-bytes",
            "starts at data offset 0 instead of 64, and overlaps",
            two(0).data(&weights(64)),
            two(64).data(&weights(128)),
        ),
        broken(
            "gguf-hole-between-tensors",
            "starts at data offset 128 instead of 64, and leaves a hole",
            two(128).data(&weights(192)),
            two(64).data(&weights(128)),
        ),
        broken(
            "gguf-tensor-between-two-alignments",
            r#"GGUF tensor "t" at data offset 72 is not aligned"#,
            two(72).data(&weights(136)),
            two(64).data(&weights(128)),
        ),
        broken(
            "gguf-last-tensor-cut-off",
            r#"GGUF tensor "t" at data offset 64 is not aligned or runs past the file"#,
            two(64).data(&weights(127)),
            two(64).data(&weights(128)),
        ),
        broken(
            "gguf-message-in-the-padding-of-the-header",
            "the padding is not zero",
            good().padded_with(b'!'),
            good(),
        ),
        broken(
            "gguf-message-in-the-padding-of-a-tensor",
            "the padding is not zero",
            short(b"a message of twenty-eight by"),
            short(&[0; 28]),
        ),
        broken(
            "gguf-message-in-the-padding-of-the-file",
            "the padding is not zero",
            followed(b"\0\0\0!"),
            followed(b"\0\0\0\0"),
        ),
        broken(
            "gguf-bytes-after-the-last-tensor",
            "1 bytes follow the last tensor and its padding",
            followed(&[0; 5]),
            followed(&[0; 4]),
        ),
        broken(
            "gguf-data-without-a-tensor",
            "64 bytes follow the last tensor",
            Gguf::new().data(&weights(64)),
            Gguf::new(),
        ),
    ]
}
