//! The smallest well-formed file of each format, for the tests.

use std::io::Cursor;

use crate::{Budget, Format, Inspection, inspect};

/// Inspects `bytes` with the default budget.
pub(crate) fn look(bytes: &[u8]) -> Inspection {
    look_within(bytes, &Budget::default())
}

/// Inspects `bytes` with another budget.
pub(crate) fn look_within(bytes: &[u8], budget: &Budget) -> Inspection {
    inspect(&mut Cursor::new(bytes), bytes.len() as u64, budget).unwrap()
}

/// One well-formed file of each format.
pub(crate) fn samples() -> Vec<(Format, Vec<u8>)> {
    let tensor = r#"{"t":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}  "#;
    vec![
        (Format::Safetensors, safetensors(tensor, 8)),
        (
            Format::Gguf,
            Gguf::new(3).pair("k", 4, &[1, 0, 0, 0]).tensor("t", &[2], 0, 0).data(8).bytes(),
        ),
        (Format::Json, br#"{"a": [1, 2]}"#.to_vec()),
        (Format::Text, b"A line.\n".to_vec()),
        (Format::Tokenizer, tokenizer()),
        (Format::Zip, zip(0)),
        (Format::Pickle, b"\x80\x04\x8c\x01a\x94.".to_vec()),
        (Format::Onnx, onnx()),
        (Format::Hdf5, b"\x89HDF\r\n\x1a\n\0".to_vec()),
        (Format::Numpy, b"\x93NUMPY\x01\0".to_vec()),
        (Format::Elf, b"\x7fELF\x02\x01\x01\0".to_vec()),
        (Format::Pe, b"MZ\x90\0\x03\0\0\0".to_vec()),
        (Format::MachO, b"\xcf\xfa\xed\xfe\x07\0\0\x01".to_vec()),
        (Format::Script, b"#!/usr/bin/env python3\n".to_vec()),
        (Format::Archive, tar()),
        (Format::Pdf, b"%PDF-1.7\n%%EOF\n".to_vec()),
        (Format::Image, b"\x89PNG\r\n\x1a\n\0\0".to_vec()),
        (Format::Empty, Vec::new()),
    ]
}

/// A header as it stands and `data` zeros.
pub(crate) fn safetensors(header: &str, data: usize) -> Vec<u8> {
    let length = (header.len() as u64).to_le_bytes();
    [&length[..], header.as_bytes(), &vec![0; data]].concat()
}

/// Two pieces and the settings of training.
pub(crate) fn tokenizer() -> Vec<u8> {
    let unknown = b"\x0a\x0e\x0a\x05<unk>\x15\0\0\0\0\x18\x02";
    let piece = b"\x0a\x08\x0a\x01a\x15\0\0\x80\xbf";
    [&unknown[..], piece, b"\x12\x02\x18\x03"].concat()
}

/// Version, producer, an empty graph and an operator set.
pub(crate) fn onnx() -> Vec<u8> {
    b"\x08\x07\x12\x01a\x3a\x02\x0a\0\x42\x02\x10\x0d".to_vec()
}

/// A tar of one empty file.
pub(crate) fn tar() -> Vec<u8> {
    let mut block = vec![0; 1536];
    block[0] = b'a';
    block[257..263].copy_from_slice(b"ustar\0");
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
    block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    block
}

/// A zip of one empty file `a`, with offsets that count from `base` bytes before it.
pub(crate) fn zip(base: u32) -> Vec<u8> {
    let (mut bytes, start, size) = entry(base);
    bytes.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    bytes.extend(size.to_le_bytes());
    bytes.extend((base + start).to_le_bytes());
    bytes.extend([0; 2]);
    bytes
}

/// The same with a zip64 end.
pub(crate) fn zip64(base: u32) -> Vec<u8> {
    let (mut bytes, start, size) = entry(base);
    let end = u64::from(base) + bytes.len() as u64;
    bytes.extend(b"PK\x06\x06");
    bytes.extend(44_u64.to_le_bytes());
    bytes.extend([0; 12]);
    for field in [1, 1, u64::from(size), u64::from(base + start)] {
        bytes.extend(field.to_le_bytes());
    }
    bytes.extend(b"PK\x06\x07\0\0\0\0");
    bytes.extend(end.to_le_bytes());
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend([0xff; 12]);
    bytes.extend([0; 2]);
    bytes
}

/// Local header and directory; where the directory starts and its size.
fn entry(base: u32) -> (Vec<u8>, u32, u32) {
    let mut bytes = b"PK\x03\x04\x14\0".to_vec();
    bytes.extend([0; 20]);
    bytes.extend([1, 0, 0, 0, b'a']);
    let start = bytes.len() as u32;
    bytes.extend(b"PK\x01\x02\x14\0\x14\0");
    bytes.extend([0; 20]);
    bytes.extend([1, 0]);
    bytes.extend([0; 12]);
    bytes.extend(base.to_le_bytes());
    bytes.push(b'a');
    let size = bytes.len() as u32 - start;
    (bytes, start, size)
}

/// A GGUF file, put together piece by piece.
pub(crate) struct Gguf {
    version: u32,
    big_endian: bool,
    pairs: (u64, Vec<u8>),
    tensors: (u64, Vec<u8>),
    data: Option<usize>,
}

impl Gguf {
    pub(crate) fn new(version: u32) -> Self {
        let (pairs, tensors) = ((0, Vec::new()), (0, Vec::new()));
        Gguf { version, big_endian: false, pairs, tensors, data: None }
    }

    pub(crate) fn big_endian() -> Self {
        Gguf { big_endian: true, ..Gguf::new(3) }
    }

    pub(crate) fn u32(&self, value: u32) -> Vec<u8> {
        if self.big_endian { value.to_be_bytes() } else { value.to_le_bytes() }.to_vec()
    }

    pub(crate) fn u64(&self, value: u64) -> Vec<u8> {
        if self.big_endian { value.to_be_bytes() } else { value.to_le_bytes() }.to_vec()
    }

    pub(crate) fn string(&self, text: &str) -> Vec<u8> {
        [self.u64(text.len() as u64), text.as_bytes().to_vec()].concat()
    }

    pub(crate) fn pair(mut self, key: &str, kind: u32, value: &[u8]) -> Self {
        let pair = [self.string(key), self.u32(kind), value.to_vec()].concat();
        self.pairs.0 += 1;
        self.pairs.1.extend(pair);
        self
    }

    pub(crate) fn tensor(mut self, name: &str, shape: &[u64], kind: u32, offset: u64) -> Self {
        let mut tensor = [self.string(name), self.u32(shape.len() as u32)].concat();
        shape.iter().for_each(|&size| tensor.extend(self.u64(size)));
        tensor.extend([self.u32(kind), self.u64(offset)].concat());
        self.tensors.0 += 1;
        self.tensors.1.extend(tensor);
        self
    }

    /// Pads the header to 32 bytes and adds `count` zeros.
    pub(crate) fn data(mut self, count: usize) -> Self {
        self.data = Some(count);
        self
    }

    pub(crate) fn bytes(self) -> Vec<u8> {
        let mut bytes = b"GGUF".to_vec();
        bytes.extend(self.u32(self.version));
        bytes.extend(self.u64(self.tensors.0));
        bytes.extend(self.u64(self.pairs.0));
        bytes.extend(&self.pairs.1);
        bytes.extend(&self.tensors.1);
        if let Some(count) = self.data {
            // Enough for any alignment up to the default.
            bytes.resize(bytes.len().next_multiple_of(32) + count, 0);
        }
        bytes
    }
}
