//! Random and mutated bytes: whatever comes in, the inspection ends without a panic, and its report
//! keeps its own rules.

use std::io::{self, Cursor, Read, Seek, SeekFrom};

use crate::sample::{
    self, Gguf, look, look_within, npy, onnx_graph, packed, samples, savedmodel_function,
    tflite_tensor, zip64,
};
use crate::{CHECKS, Format, Identified, InspectError, Inspection, Malformed};

/// A small generator (xorshift64*), so that every run sees the same bytes.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}

fn keeps_its_rules(found: &Inspection) {
    for name in found.checks {
        assert!(CHECKS.iter().any(|check| check.name == *name));
    }
    if let Identified::Ambiguous(formats) = &found.format {
        assert!(formats.len() > 1);
        assert!(formats.is_sorted_by(|a, b| a < b));
    }
    if found.format == Identified::Unknown {
        assert_eq!(found.malformed, None);
    }
    // A report stays short, whatever the file's names are.
    assert!(found.malformed.as_ref().map_or(0, |cause| cause.to_string().len()) < 1024);
}

/// What mutations start from: the samples, and some with more structure.
fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = samples().into_iter().map(|(_, bytes)| bytes).collect();
    let strings = Gguf::new(3);
    let array = [strings.u32(8), strings.u64(2), strings.string("a"), strings.string("b")].concat();
    seeds.push(Gguf::new(3).pair("k", 9, &array).tensor("t", &[32], 8, 0).data(34).bytes());
    seeds.push(zip64(0));
    let deflated = (1, 5_u16, !5_u16);
    let block =
        [&[deflated.0][..], &deflated.1.to_le_bytes(), &deflated.2.to_le_bytes(), b"text\n"];
    seeds.push(packed(&[("d/", 0, Vec::new(), b""), ("d/a.txt", 8, block.concat(), b"text\n")]));
    let inner = packed(&[("a.json", 0, b"{}".to_vec(), b"{}")]);
    seeds.push(packed(&[("inner.zip", 0, inner.clone(), &inner)]));
    seeds.push(br#"{"metadata":{"total_size":4.0},"weight_map":{"a":"1.st","b":"2.st"}}"#.to_vec());
    seeds.extend([onnx_graph(), savedmodel_function(), tflite_tensor()]);
    seeds.push(br#"{"a":{"auto_map":{"x":[1,2,{"trust_remote_code":true}]}}}"#.to_vec());
    seeds.push(
        br#"{"chat_template":"{% macro f(a) %}{{ a['b'] | map('trim') }}{% endmacro %}{# c #}{{ f(x) }}"}"#
            .to_vec(),
    );
    seeds.push(
        br#"{"a":{"Regex":"(?i:'s|b)|[^\\p{L}[a]]?c{1,3}(?!d)"},"_class_name":["a","B"]}"#.to_vec(),
    );
    seeds.push(b"{%- for m in n -%}\n{{ m.x ~ '\\u00fc' }}\n{% endfor %}\n".to_vec());
    seeds.push([sample::tokenizer(), b"\x1a\x0b\x12\x09\x04\0\0\0TRIE\0".to_vec()].concat());
    seeds.push(b"cos\nsystem\n(S'id'\ntR.".to_vec());
    seeds.push(b"(dp0\nVa\np1\n(lp2\nI1\naF2.5\naNaI01\nas.".to_vec());
    seeds.push(b"\x80\x04\x95\x18\0\0\0\0\0\0\0}\x94\x8c\x01a\x94]\x94(K\x01Nes.".to_vec());
    seeds.push(b"\x80\x04\x8c\x02os\x94\x8c\x06system\x940h\0h\x01\x93(Vid\ntR\x86.".to_vec());
    let objects = "{'descr': [('a', '|O', (2,))], 'fortran_order': False, 'shape': (1,), }";
    seeds.push(npy(1, objects, b"\x80\x02(ios\nsystem\n."));
    seeds
}

#[test]
fn mutated_files_are_inspected_without_a_panic() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let seeds = seeds();
    for _ in 0..60_000 {
        let mut bytes = seeds[random.below(seeds.len())].clone();
        for _ in 0..=random.below(4) {
            let at = random.below(bytes.len() + 1);
            match random.below(6) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, random.next() as u8),
                2 => bytes.extend(&seeds[random.below(seeds.len())]),
                3 if at < bytes.len() => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][random.below(5)],
                4 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
                5 if at + 8 <= bytes.len() => bytes[at..at + 8].fill(0xff),
                _ => {}
            }
        }
        keeps_its_rules(&look(&bytes));
    }
}

#[test]
fn random_bytes_are_inspected_without_a_panic() {
    let mut random = Random(0x1234_5678_9abc_def1);
    let starts: &[&[u8]] = &[
        b"",
        b"GGUF\x03\0\0\0",
        b"PK\x03\x04",
        b"\x80\x04",
        b"\x0a\x08",
        b"\x08\x07",
        b"{\"",
        b"[",
        b"(",
        b"\x20\0\0\0\0\0\0\0{\"",
    ];
    for _ in 0..60_000 {
        let count = random.below(200);
        let bytes = [starts[random.below(starts.len())], &random.bytes(count)].concat();
        keeps_its_rules(&look(&bytes));
    }
}

#[test]
fn names_out_of_a_file_are_shortened() {
    let long = "\u{1f600}".repeat(10_000);
    let found = look(format!(r#"{{"{long}":1,"{long}":2}}"#).as_bytes());
    assert!(matches!(found.malformed, Some(Malformed::JsonDuplicateKey { .. })));
    keeps_its_rules(&found);
}

/// Bytes of a file of weights that may be read.
const MOST_READ: u64 = 1 << 19;

/// A header and line feeds without end, at which a pickle's line would end; counts what is read.
struct Endless {
    header: Vec<u8>,
    at: u64,
    read: u64,
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        for (place, at) in buffer.iter_mut().zip(self.at..) {
            *place = self.header.get(at as usize).copied().unwrap_or(b'\n');
        }
        self.at += buffer.len() as u64;
        self.read += buffer.len() as u64;
        // What reads more would not come to an end.
        if self.read < MOST_READ { Ok(buffer.len()) } else { Err(io::ErrorKind::TimedOut.into()) }
    }
}

impl Seek for Endless {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        if let SeekFrom::Start(at) = to {
            self.at = at;
        }
        Ok(self.at)
    }
}

/// Inspects `header` and line feeds up to `length`.
fn headed(header: Vec<u8>, length: u64) -> Inspection {
    let mut reader = Endless { header, at: 0, read: 0 };
    crate::inspect(&mut reader, length, &crate::Budget::default()).unwrap()
}

#[test]
fn weights_are_not_read() {
    let weights = 1_u64 << 40;
    // The first byte of the length is what other formats start with.
    for pad in 0..256 {
        let tensor =
            format!(r#"{{"t":{{"dtype":"U8","shape":[{0}],"data_offsets":[0,{0}]}}}}"#, weights);
        let header = sample::safetensors(&format!("{tensor}{}", " ".repeat(pad)), 0);
        let length = header.len() as u64 + weights;
        let found = headed(header, length);
        assert_eq!(found.format, Identified::One(Format::Safetensors), "{pad}");
        assert_eq!(found.malformed, None, "{pad}");
    }
    let header = Gguf::new(3).tensor("t", &[weights], 24, 0).data(0).bytes();
    let length = header.len() as u64 + weights;
    let found = headed(header, length);
    assert_eq!(found.format, Identified::One(Format::Gguf));
    assert_eq!(found.malformed, None);
}

#[test]
fn a_reader_that_ends_early_is_an_error_and_no_finding() {
    for (_, bytes) in samples() {
        let length = bytes.len() as u64 + 1;
        let outcome = crate::inspect(&mut Cursor::new(&bytes), length, &crate::Budget::default());
        assert!(matches!(outcome, Err(InspectError::Read(_))));
    }
}

#[test]
fn weights_of_an_onnx_model_are_not_read() {
    // 2^38 floats in the initializer of a graph.
    let bytes = 1_u64 << 40;
    let varint = |mut value: u64| {
        let mut bytes = Vec::new();
        while value > 0x7f {
            bytes.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        [bytes, vec![value as u8]].concat()
    };
    let head = [&[0x08][..], &varint(1 << 38), b"\x10\x01\x42\x01w\x4a", &varint(bytes)].concat();
    let tensor = head.len() as u64 + bytes;
    let graph = [b"\x2a".to_vec(), varint(tensor)].concat();
    let model = [b"\x08\x08\x42\x02\x10\x0d\x3a".to_vec(), varint(graph.len() as u64 + tensor)];
    let header = [model.concat(), graph, head].concat();
    let length = header.len() as u64 + bytes;
    let found = headed(header, length);
    assert_eq!(found.format, Identified::One(Format::Onnx));
    assert_eq!(found.malformed, None);
}

#[test]
fn a_graph_that_is_cut_is_not_sound() {
    for whole in [onnx_graph(), savedmodel_function(), tflite_tensor()] {
        assert_eq!(look(&whole).malformed, None);
        for end in 0..whole.len() {
            let found = look(&whole[..end]);
            let graph = |format: &Format| {
                matches!(format, Format::Onnx | Format::SavedModel | Format::Tflite)
            };
            if let Identified::One(format) = &found.format
                && graph(format)
            {
                assert!(found.malformed.is_some(), "{end} bytes of {whole:02x?}");
            }
        }
    }
}

#[test]
fn graphs_keep_to_their_budgets() {
    let whole = crate::Budget::default;
    let budgets = [
        crate::Budget { graph_depth: 2, ..whole() },
        crate::Budget { graph_fields: 9, ..whole() },
        crate::Budget { graph_message: 4, ..whole() },
        crate::Budget { graph_names: 60, ..whole() },
        crate::Budget { operator_bytes: 2, ..whole() },
    ];
    for budget in budgets {
        for bytes in [onnx_graph(), savedmodel_function()] {
            assert!(look_within(&bytes, &budget).malformed.is_some(), "{budget:?}");
        }
    }
    for budget in [
        crate::Budget { flatbuffer_tables: 3, ..whole() },
        crate::Budget { flatbuffer_bytes: 60, ..whole() },
    ] {
        assert!(look_within(&tflite_tensor(), &budget).malformed.is_some(), "{budget:?}");
    }
}
