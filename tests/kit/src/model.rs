//! A model as publishers ship them: safetensors weights, configuration, tokenizer and a README.
//!
//! The content is a function of the size alone, so that two runs write the same bytes.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::files;

/// Columns of every matrix of the model.
const HIDDEN: u64 = 64;

/// The name of the file that holds the weights.
pub const WEIGHTS: &str = "model.safetensors";

/// Writes a model whose weights are close to `weight_bytes` bytes long (and 17 KiB at the least)
/// into the folder `dir`, which is made if it is not there.
///
/// # Panics
/// When a file cannot be written.
pub fn write(dir: impl AsRef<Path>, weight_bytes: u64) -> PathBuf {
    let dir = files::folder(dir.as_ref());
    let rows = weights(&dir.join(WEIGHTS), weight_bytes);
    document(
        &dir.join("config.json"),
        &json!({
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "hidden_size": HIDDEN,
            "num_hidden_layers": 1,
            "num_attention_heads": 4,
            "vocab_size": rows,
            "torch_dtype": "bfloat16"
        }),
    );
    document(
        &dir.join("generation_config.json"),
        &json!({ "do_sample": true, "temperature": 0.7, "max_new_tokens": 256 }),
    );
    document(
        &dir.join("tokenizer.json"),
        &json!({
            "version": "1.0",
            "added_tokens": [{ "id": 0, "content": "<s>", "special": true }],
            "model": {
                "type": "BPE",
                "vocab": { "<s>": 0, "</s>": 1, "a": 2, "b": 3, "ab": 4, "\u{e9}": 5 },
                "merges": [["a", "b"]]
            }
        }),
    );
    files::public(
        dir.join("README.md"),
        "# Demo model\n\nRandom weights, for trying the appliance.\n",
    );
    dir
}

/// Adds the `.gitattributes` that most published models have and that OMS signers ignore.
///
/// # Panics
/// When the file cannot be written.
pub fn add_gitattributes(dir: impl AsRef<Path>) {
    files::public(
        dir.as_ref().join(".gitattributes"),
        "*.safetensors filter=lfs diff=lfs merge=lfs -text\n",
    );
}

/// Flips the lowest bit of the byte at `offset`.
///
/// # Panics
/// When the file cannot be changed or is shorter.
pub fn flip_bit(file: impl AsRef<Path>, offset: u64) {
    let path = file.as_ref();
    let file = OpenOptions::new().read(true).write(true).open(path);
    let file = file.unwrap_or_else(|error| panic!("cannot open {}: {error}", path.display()));
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).expect("a byte at the offset");
    file.write_all_at(&byte.map(|byte| byte ^ 1), offset).expect("a writable file");
}

/// Flips one bit in the middle of the weights of a model that [`write()`] made; gives the offset.
///
/// # Panics
/// When the file cannot be changed.
pub fn flip_weight_bit(dir: impl AsRef<Path>) -> u64 {
    let path = dir.as_ref().join(WEIGHTS);
    let length = path.metadata().expect("a model").len();
    let offset = length - length / 4;
    flip_bit(path, offset);
    offset
}

/// Writes the safetensors file and gives the number of rows of its large matrix.
fn weights(path: &Path, weight_bytes: u64) -> u64 {
    let norm = HIDDEN * 4;
    let projection = HIDDEN * HIDDEN * 2;
    let row = HIDDEN * 2;
    let rows = (weight_bytes.saturating_sub(norm + 2 * projection) / row).max(1);

    let mut end = 0;
    let mut tensor = |dtype: &str, shape: &[u64], bytes: u64| {
        let start = end;
        end += bytes;
        json!({ "dtype": dtype, "shape": shape, "data_offsets": [start, end] })
    };
    let header = json!({
        "__metadata__": { "format": "pt" },
        "model.norm.weight": tensor("F32", &[HIDDEN], norm),
        "model.layers.0.self_attn.q_proj.weight": tensor("BF16", &[HIDDEN, HIDDEN], projection),
        "model.layers.0.self_attn.k_proj.weight": tensor("BF16", &[HIDDEN, HIDDEN], projection),
        "model.embed_tokens.weight": tensor("BF16", &[rows, HIDDEN], rows * row),
    });
    let mut header = header.to_string();
    while !header.len().is_multiple_of(8) {
        header.push(' ');
    }

    let file = File::create(path)
        .unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
    let mut file = BufWriter::new(file);
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let mut put = |bytes: &[u8]| file.write_all(bytes).expect("space for the weights");
    put(&u64::try_from(header.len()).expect("a short header").to_le_bytes());
    put(header.as_bytes());
    for _ in 0..HIDDEN {
        put(&numbers.weight().to_le_bytes());
    }
    for _ in 0..(2 * projection + rows * row) / 2 {
        // BF16 is the upper half of a float.
        put(&((numbers.weight().to_bits() >> 16) as u16).to_le_bytes());
    }
    file.flush().expect("space for the weights");
    rows
}

fn document(path: &Path, value: &serde_json::Value) {
    files::public(path, format!("{value:#}\n"));
}

/// A sequence of weights that looks random (xorshift64) and is the same in each run.
struct Numbers(u64);

impl Numbers {
    /// The next weight, from -0.5 to 0.5.
    fn weight(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 40) as f32 / (1 << 24) as f32 - 0.5
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weights_have_the_size_and_the_header_covers_them() {
        let dir = tempfile::tempdir().unwrap();
        let model = write(dir.path().join("m"), 1_000_000);
        let bytes = std::fs::read(model.join(WEIGHTS)).unwrap();
        let header_length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let header: serde_json::Value =
            serde_json::from_slice(&bytes[8..8 + header_length]).unwrap();
        let end = header["model.embed_tokens.weight"]["data_offsets"][1].as_u64().unwrap() as usize;
        assert_eq!(bytes.len(), 8 + header_length + end);
        assert!((990_000..=1_001_000).contains(&bytes.len()), "{}", bytes.len());
    }

    #[test]
    fn two_runs_write_the_same_and_a_flip_changes_one_bit() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (write(dir.path().join("1"), 50_000), write(dir.path().join("2"), 50_000));
        let read = |model: &Path| std::fs::read(model.join(WEIGHTS)).unwrap();
        assert_eq!(read(&one), read(&two));
        flip_weight_bit(&two);
        let flipped: u32 =
            read(&one).iter().zip(read(&two)).map(|(a, b)| (a ^ b).count_ones()).sum();
        assert_eq!(flipped, 1);
    }
}
