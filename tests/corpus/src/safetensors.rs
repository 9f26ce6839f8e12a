//! safetensors, alone and in several files under an index.

use crate::Case;

const FILE: &str = "model.safetensors";
const MALFORMED: &str = "malformed";
const INDEX: &str = "index";

pub(crate) fn cases() -> Vec<Case> {
    [headers(), tensors(), ranges(), indexes()].concat()
}

/// The length, the header as it stands, and `data` bytes of weights.
fn file(header: &str, data: usize) -> Vec<u8> {
    let length = header.len() as u64;
    let weights = (0..data).map(|at| (at % 251) as u8).collect();
    [length.to_le_bytes().to_vec(), header.as_bytes().to_vec(), weights].concat()
}

/// An entry of the header.
fn tensor(name: &str, dtype: &str, shape: &str, (begin, end): (u64, u64)) -> String {
    format!(r#""{name}":{{"dtype":"{dtype}","shape":[{shape}],"data_offsets":[{begin},{end}]}}"#)
}

fn object(entries: &[String]) -> String {
    format!("{{{}}}", entries.join(","))
}

/// A file of one tensor of 16 bytes, if all is right.
fn one(dtype: &str, shape: &str, range: (u64, u64)) -> Vec<u8> {
    file(&object(&[tensor("weight", dtype, shape, range)]), 16)
}

fn good() -> Vec<u8> {
    one("F32", "2,2", (0, 16))
}

/// A file of several bytes, one a tensor.
fn bytes(names: &[&str]) -> Vec<u8> {
    let entry = |(at, name): (u64, &&str)| tensor(name, "U8", "1", (at, at + 1));
    let entries: Vec<_> = (0..).zip(names).map(entry).collect();
    file(&object(&entries), names.len())
}

fn broken(name: &'static str, says: &'static str, hostile: Vec<u8>, twin: Vec<u8>) -> Case {
    Case::one(name, (MALFORMED, says), FILE, hostile, twin)
}

/// What stands around the tensors.
fn headers() -> Vec<Case> {
    let whole = object(&[tensor("weight", "F32", "2,2", (0, 16))]);
    let claimed = |length: u64| {
        let rest = good().split_off(8);
        [length.to_le_bytes().to_vec(), rest].concat()
    };
    let metadata = |entries: &str| file(&format!(r#"{{"__metadata__":{{{entries}}}}}"#), 0);
    vec![
        broken(
            "safetensors-header-longer-than-the-reference-allows",
            "claims 100000001 bytes, more than 100000000",
            claimed(100_000_001),
            good(),
        ),
        broken(
            "safetensors-header-longer-than-the-file",
            "bytes are needed at offset 8",
            claimed(good().len() as u64 - 7),
            good(),
        ),
        broken(
            "safetensors-header-length-of-all-ones",
            "claims 18446744073709551615 bytes",
            claimed(u64::MAX),
            good(),
        ),
        broken(
            "safetensors-space-before-the-brace",
            "does not start with a brace",
            file(&format!(" {whole}"), 16),
            file(&format!("{whole} "), 16),
        ),
        broken(
            "safetensors-newline-as-padding",
            "padded with something else than spaces",
            file(&format!("{whole}\n"), 16),
            file(&format!("{whole} "), 16),
        ),
        broken(
            "safetensors-second-object-in-the-padding",
            "padded with something else than spaces",
            file(&format!("{whole}{{}}"), 16),
            file(&format!("{whole}  "), 16),
        ),
        broken(
            "safetensors-metadata-twice",
            r#"key "__metadata__" occurs twice"#,
            file(r#"{"__metadata__":{"format":"pt"},"__metadata__":{"format":"np"}}"#, 0),
            metadata(r#""format":"pt""#),
        ),
        broken(
            "safetensors-metadata-key-twice",
            r#"key "format" occurs twice"#,
            metadata(r#""format":"pt","format":"tf""#),
            metadata(r#""format":"pt","formats":"tf""#),
        ),
        broken(
            "safetensors-metadata-holds-an-object",
            "a JSON value of the wrong type",
            metadata(r#""config":{"auto_map":"x"}"#),
            metadata(r#""config":"{\"auto_map\":\"x\"}""#),
        ),
    ]
}

/// What one tensor says of itself.
fn tensors() -> Vec<Case> {
    let entry = |fields: &str| file(&format!(r#"{{"weight":{{{fields}}}}}"#), 16);
    let named = |first: &str, second: &str| {
        let first = tensor(first, "F32", "2", (0, 8));
        file(&object(&[first, tensor(second, "F32", "2", (8, 16))]), 16)
    };
    vec![
        broken(
            "safetensors-two-tensors-of-one-name",
            r#"key "weight" occurs twice"#,
            named("weight", "weight"),
            named("weight", "weights"),
        ),
        broken(
            "safetensors-two-spellings-of-one-name",
            r#"key "weight" occurs twice"#,
            named("weight", r"weigh\u0074"),
            named("weight", r"weigh\u0054"),
        ),
        broken(
            "safetensors-name-with-an-escape-sequence",
            "the name is empty or has control characters",
            named("weight", r"w\u001b[2Jeight"),
            named("weight", r"w\u005b2Jeight"),
        ),
        broken(
            "safetensors-name-is-empty",
            "the name is empty or has control characters",
            named("weight", ""),
            named("weight", " "),
        ),
        broken(
            "safetensors-field-that-no-reader-knows",
            r#"has the unknown field "loader""#,
            entry(r#""dtype":"U8","shape":[16],"data_offsets":[0,16],"loader":"x.py""#),
            entry(r#""dtype":"U8","shape":[16],"data_offsets":[0,16]"#),
        ),
        broken(
            "safetensors-range-given-twice",
            r#"key "data_offsets" occurs twice"#,
            entry(r#""dtype":"U8","shape":[16],"data_offsets":[0,8],"data_offsets":[0,16]"#),
            entry(r#""data_offsets":[0,16],"dtype":"U8","shape":[16]"#),
        ),
        broken(
            "safetensors-shape-is-missing",
            "has no shape",
            entry(r#""dtype":"U8","data_offsets":[0,16]"#),
            entry(r#""dtype":"U8","data_offsets":[0,16],"shape":[16]"#),
        ),
        broken(
            "safetensors-type-that-nobody-knows",
            r#"unknown element type "O""#,
            one("O", "2", (0, 16)),
            one("C64", "2", (0, 16)),
        ),
        broken(
            "safetensors-shape-product-wraps-to-the-range",
            "overflows",
            // 2^62 + 1 elements of four bytes are four bytes, modulo 2^64.
            file(&object(&[tensor("weight", "F32", "4611686018427387905", (0, 4))]), 4),
            file(&object(&[tensor("weight", "F32", "1", (0, 4))]), 4),
        ),
        broken(
            "safetensors-shape-with-a-negative-size",
            "a JSON value of the wrong type",
            one("F32", "-2,-2", (0, 16)),
            one("F32", "2,2", (0, 16)),
        ),
        broken(
            "safetensors-shape-of-a-thousand-dimensions",
            "more than 64 dimensions",
            one("U8", &format!("16{}", ",1".repeat(999)), (0, 16)),
            one("U8", &format!("16{}", ",1".repeat(63)), (0, 16)),
        ),
        broken(
            "safetensors-half-a-byte-is-left-over",
            "do not fill whole bytes",
            one("F4", "31", (0, 16)),
            one("F4", "32", (0, 16)),
        ),
        broken(
            "safetensors-shape-smaller-than-the-range",
            "needs 12 bytes, and its range is 0..16",
            one("F32", "3", (0, 16)),
            one("F32", "4", (0, 16)),
        ),
    ]
}

/// Where the tensors lie in the data.
fn ranges() -> Vec<Case> {
    let two = |first, second, data| {
        let first = tensor("a", "U8", "8", first);
        file(&object(&[first, tensor("b", "U8", "8", second)]), data)
    };
    let good = || two((0, 8), (8, 16), 16);
    vec![
        broken(
            "safetensors-range-runs-backwards",
            "its range is 16..0",
            one("U8", "0", (16, 0)),
            one("U8", "16", (0, 16)),
        ),
        broken(
            "safetensors-two-tensors-overlap",
            "a range starts at 4 instead of 8",
            two((0, 8), (4, 12), 12),
            good(),
        ),
        broken(
            "safetensors-hole-between-tensors",
            "a range starts at 12 instead of 8",
            two((0, 8), (12, 20), 20),
            good(),
        ),
        broken(
            "safetensors-bytes-before-the-first-tensor",
            "a range starts at 4 instead of 0",
            two((4, 12), (12, 20), 20),
            two((8, 16), (0, 8), 16),
        ),
        broken(
            "safetensors-bytes-after-the-last-tensor",
            "describe 16 bytes of data, and the file has 17",
            two((0, 8), (8, 16), 17),
            good(),
        ),
        broken(
            "safetensors-data-cut-off",
            "describe 16 bytes of data, and the file has 15",
            two((0, 8), (8, 16), 15),
            good(),
        ),
        broken(
            "safetensors-empty-tensor-inside-another",
            "a hole or an overlap",
            file(&object(&[tensor("a", "U8", "8", (0, 8)), tensor("b", "U8", "0", (4, 4))]), 8),
            file(&object(&[tensor("a", "U8", "8", (0, 8)), tensor("b", "U8", "0", (8, 8))]), 8),
        ),
    ]
}

const SHARDS: [&str; 2] = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
const INDEX_FILE: &str = "model.safetensors.index.json";

/// An index of three tensors in two files, `size` bytes in all.
fn index(size: &str, map: &[(&str, &str)]) -> Vec<u8> {
    let map = map.iter().map(|(tensor, file)| format!(r#"    "{tensor}": "{file}""#));
    let map = map.collect::<Vec<_>>().join(",\n");
    let metadata = format!(r#"  "metadata": {{"total_size": {size}}}"#);
    format!("{{\n{metadata},\n  \"weight_map\": {{\n{map}\n  }}\n}}\n").into_bytes()
}

const MAP: [(&str, &str); 3] = [("embed", SHARDS[0]), ("layer", SHARDS[0]), ("head", SHARDS[1])];

fn indexes() -> Vec<Case> {
    let model = |index, first: &[&str], second: &[&str]| {
        vec![(INDEX_FILE, index), (SHARDS[0], bytes(first)), (SHARDS[1], bytes(second))]
    };
    let right = || index("3", &MAP);
    let twin = || model(right(), &["embed", "layer"], &["head"]);
    let case = |name, says, files| Case { name, code: INDEX, says, files, twin: twin() };
    let moved = |file| index("3", &[MAP[0], MAP[1], ("head", file)]);
    vec![
        case(
            "safetensors-index-lists-a-tensor-that-is-nowhere",
            r#"layer is listed for "model-00001-of-00002.safetensors", which does not hold it"#,
            model(index("2", &MAP), &["embed"], &["head"]),
        ),
        case(
            "safetensors-shard-holds-a-tensor-that-the-index-hides",
            r#"tensor "backdoor": backdoor lies in "model-00002-of-00002.safetensors""#,
            model(index("4", &MAP), &["embed", "layer"], &["head", "backdoor"]),
        ),
        case(
            "safetensors-tensor-moved-to-another-shard",
            r#"layer lies in "model-00002-of-00002.safetensors", for which the index does not"#,
            model(right(), &["embed"], &["head", "layer"]),
        ),
        case(
            "safetensors-tensor-in-two-shards",
            r#"embed lies in "model-00002-of-00002.safetensors", for which the index does not"#,
            model(index("4", &MAP), &["embed", "layer"], &["head", "embed"]),
        ),
        case(
            "safetensors-shard-with-a-renamed-tensor",
            "holds 2 tensors, not the 2 that the index lists",
            model(right(), &["embed", "layers"], &["head"]),
        ),
        case(
            "safetensors-index-names-a-file-that-is-not-signed",
            "model-00002-of-00002.safetensors is named by the index and is not a file",
            vec![(INDEX_FILE, right()), (SHARDS[0], bytes(&["embed", "layer"]))],
        ),
        case(
            "safetensors-index-leads-out-of-the-model",
            r#"tensor "head": ../other/model.safetensors is no name of a file beside the index"#,
            model(moved("../other/model.safetensors"), &["embed", "layer"], &["head"]),
        ),
        case(
            "safetensors-index-names-a-path",
            "/srv/models/head.safetensors is no name of a file beside the index",
            model(moved("/srv/models/head.safetensors"), &["embed", "layer"], &["head"]),
        ),
        case(
            "safetensors-index-claims-another-size",
            "claims 4 bytes and its files hold 3",
            model(index("4", &MAP), &["embed", "layer"], &["head"]),
        ),
        Case {
            name: "safetensors-index-names-an-object-as-file",
            code: MALFORMED,
            says: "does not name a file for each tensor",
            files: vec![(INDEX_FILE, br#"{"weight_map":{"embed":{"file":"a"}}}"#.to_vec())],
            twin: twin(),
        },
        Case {
            name: "safetensors-index-of-pickles-that-are-not-there",
            code: INDEX,
            says: "pytorch_model-00001-of-00001.bin is named by the index",
            files: vec![(
                "pytorch_model.bin.index.json",
                index("1", &[("embed", "pytorch_model-00001-of-00001.bin")]),
            )],
            twin: twin(),
        },
    ]
}
