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
        (Format::Notebook, br#"{"cells": [], "nbformat": 4}"#.to_vec()),
        (Format::Text, b"A line.\n".to_vec()),
        (Format::Tokenizer, tokenizer()),
        (Format::Zip, zip(0)),
        (Format::Pytorch, stored(&[("m/data.pkl", b"\x80\x02}q\0."), ("m/version", b"3\n")])),
        (Format::Torchscript, stored(&[("m/data.pkl", b"\x80\x02}q\0."), ("m/code/a.py", b"a\n")])),
        (Format::Npz, stored(&[("a.npy", &numpy())])),
        (Format::Keras, stored(&[("config.json", b"{}"), ("metadata.json", b"{}")])),
        (Format::Pickle, b"\x80\x04\x8c\x01a\x94.".to_vec()),
        (Format::Onnx, onnx()),
        (Format::Hdf5, hdf5()),
        (Format::SavedModel, savedmodel()),
        (Format::GraphDef, graphdef()),
        (Format::Tflite, tflite()),
        (Format::Numpy, numpy()),
        (Format::Joblib, joblib()),
        (Format::TorchLegacy, torch_legacy()),
        (Format::Elf, b"\x7fELF\x02\x01\x01\0".to_vec()),
        (Format::Pe, b"MZ\x90\0\x03\0\0\0".to_vec()),
        (Format::MachO, b"\xcf\xfa\xed\xfe\x07\0\0\x01".to_vec()),
        (Format::Script, b"#!/usr/bin/env python3\n".to_vec()),
        (Format::Bytecode, b"\xf3\x0d\r\n\0\0\0\0\0\0\0\0\0\0\0\0\xe3".to_vec()),
        (Format::Archive, tar()),
        (Format::Pdf, b"%PDF-1.7\n%%EOF\n".to_vec()),
        (Format::Image, png()),
        (Format::Java, b"\xca\xfe\xba\xbe\0\0\0\x34".to_vec()),
        (Format::Wasm, b"\0asm\x01\0\0\0".to_vec()),
        (Format::Bitcode, b"BC\xc0\xde\x35\x14".to_vec()),
        (Format::Shortcut, b"L\0\0\0\x01\x14\x02\0\0\0\0\0\xc0\0\0\0\0\0\0\x46".to_vec()),
        (Format::Document, compound(&["Root Entry"])),
        (Format::Html, b"<!DOCTYPE html>\n<p>a</p>\n".to_vec()),
        (Format::Svg, b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>\n".to_vec()),
        (Format::Audio, b"fLaC\0\0\0\x22\x10\0".to_vec()),
        (Format::Empty, Vec::new()),
    ]
}

/// A header as it stands and `data` zeros.
pub(crate) fn safetensors(header: &str, data: usize) -> Vec<u8> {
    let length = (header.len() as u64).to_le_bytes();
    [&length[..], header.as_bytes(), &vec![0; data]].concat()
}

/// A NumPy array with that header, padded as numpy does it.
pub(crate) fn npy(version: u8, header: &str, data: &[u8]) -> Vec<u8> {
    let before = if version == 1 { 10 } else { 12 };
    let length = (before + header.len() + 1).next_multiple_of(64) - before;
    let mut bytes = [b"\x93NUMPY", &[version, 0][..]].concat();
    bytes.extend(&(length as u32).to_le_bytes()[..if version == 1 { 2 } else { 4 }]);
    bytes.extend(header.as_bytes());
    bytes.resize(before + length - 1, b' ');
    bytes.push(b'\n');
    bytes.extend(data);
    bytes
}

/// One float that joblib keeps as an array, without padding as joblib wrote it up to 1.1.
pub(crate) fn joblib() -> Vec<u8> {
    let mut bytes = b"\x80\x02cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81}(".to_vec();
    bytes.extend(b"X\x05\0\0\0shapeK\x01\x85X\x05\0\0\0dtypecnumpy\ndtype\n");
    bytes.extend(b"X\x02\0\0\0f4\x89\x88\x87Rub\0\0\x80?.");
    bytes
}

/// A tensor of two floats as PyTorch saved it before 1.6.
pub(crate) fn torch_legacy() -> Vec<u8> {
    let mut bytes = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.".to_vec();
    bytes.extend(b"\x80\x02M\xe9\x03.\x80\x02}.");
    bytes.extend(b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storage");
    bytes.extend(b"ctorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x02NtQ");
    bytes.extend(b"K\0K\x02\x85K\x01\x85\x89ccollections\nOrderedDict\n)RtR.");
    bytes.extend(b"\x80\x02]X\x01\0\0\x000a.\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\x80?");
    bytes
}

/// Two pieces and the settings of training.
pub(crate) fn tokenizer() -> Vec<u8> {
    let unknown = b"\x0a\x0e\x0a\x05<unk>\x15\0\0\0\0\x18\x02";
    let piece = b"\x0a\x08\x0a\x01a\x15\0\0\x80\xbf";
    [&unknown[..], piece, b"\x12\x02\x18\x03"].concat()
}

/// Version, producer, an empty graph and an operator set.
pub(crate) fn onnx() -> Vec<u8> {
    b"\x08\x07\x12\x01a\x3a\x02\x12\0\x42\x02\x10\x0d".to_vec()
}

/// A superblock of version 0 and a root group without links.
pub(crate) fn hdf5() -> Vec<u8> {
    let mut bytes = b"\x89HDF\r\n\x1a\n\0\0\0\0\0\x08\x08\0\x04\0\x10\0\0\0\0\0".to_vec();
    let undefined = u64::MAX;
    // Base, free space, end, driver; the root's name, address and cache.
    for field in [0, undefined, 144, undefined, 0, 96, 0, 0, 0] {
        bytes.extend(u64::to_le_bytes(field));
    }
    // One message: where the links are, which is nowhere.
    bytes.extend(b"\x01\0\x01\0\x01\0\0\0\x20\0\0\0\0\0\0\0");
    bytes.extend(b"\x02\0\x18\0\0\0\0\0\0\0");
    bytes.extend([0xff; 16]);
    bytes.extend([0; 6]);
    bytes
}

/// A model of version 3 that holds nothing.
pub(crate) fn tflite() -> Vec<u8> {
    b"\x10\0\0\0TFL3\0\0\x06\0\x08\0\x04\0\x06\0\0\0\x03\0\0\0".to_vec()
}

/// A graph of one node that does nothing.
pub(crate) fn graphdef() -> Vec<u8> {
    b"\x0a\x09\x0a\x01n\x12\x04NoOp\x22\x03\x08\xc6\x0e".to_vec()
}

/// The same graph as a model that is served.
pub(crate) fn savedmodel() -> Vec<u8> {
    [b"\x08\x01\x12\x1c\x0a\x08\x22\x06served\x12\x10".to_vec(), graphdef()].concat()
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

/// A zip of these members, none of them compressed.
pub(crate) fn stored(members: &[(&str, &[u8])]) -> Vec<u8> {
    let members: Vec<_> =
        members.iter().map(|&(name, data)| (name, 0, data.to_vec(), data)).collect();
    packed(&members)
}

/// A zip of these members: name, method, packed and unpacked bytes.
pub(crate) fn packed(members: &[(&str, u16, Vec<u8>, &[u8])]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, method, data, unpacked) in members {
        let at = bytes.len() as u32;
        let mut fields = [[20, 0], [0; 2], method.to_le_bytes(), [0; 2], [0; 2]].concat();
        fields.extend(crc32fast::hash(unpacked).to_le_bytes());
        fields.extend([data.len() as u32, unpacked.len() as u32].map(u32::to_le_bytes).concat());
        fields.extend((name.len() as u32).to_le_bytes());
        bytes.extend([b"PK\x03\x04", &*fields, name.as_bytes(), data].concat());
        directory.extend([b"PK\x01\x02\0\0", &*fields, &[0; 10]].concat());
        directory.extend([&at.to_le_bytes(), name.as_bytes()].concat());
    }
    let count = (members.len() as u16).to_le_bytes();
    let place = [directory.len() as u32, bytes.len() as u32].map(u32::to_le_bytes);
    bytes.extend(directory);
    bytes.extend([&b"PK\x05\x06\0\0\0\0"[..], &count, &count].concat());
    bytes.extend([place.as_flattened(), &[0; 2]].concat());
    bytes
}

/// An array of two bytes.
pub(crate) fn numpy() -> Vec<u8> {
    npy(1, "{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }", &[0; 2])
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
    alignment: usize,
    data: Option<usize>,
}

impl Gguf {
    pub(crate) fn new(version: u32) -> Self {
        let (pairs, tensors) = ((0, Vec::new()), (0, Vec::new()));
        Gguf { version, big_endian: false, pairs, tensors, alignment: 32, data: None }
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

    /// Pads the header to other than 32 bytes.
    pub(crate) fn aligned(mut self, alignment: usize) -> Self {
        self.alignment = alignment;
        self
    }

    /// Pads the header and adds `count` zeros.
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
            bytes.resize(bytes.len().next_multiple_of(self.alignment) + count, 0);
        }
        bytes
    }
}

/// A picture of one point.
pub(crate) fn png() -> Vec<u8> {
    b"\x89\x50\x4e\x47\x0d\x0a\x1a\x0a\x00\x00\x00\x0d\x49\x48\x44\x52\x00\x00\x00\x01\x00\x00\
        \x00\x01\x08\x00\x00\x00\x00\x3a\x7e\x9b\x55\x00\x00\x00\x0a\x49\x44\x41\x54\x78\x9c\x63\
        \x60\x00\x00\x00\x02\x00\x01\x48\xaf\xa4\x71\x00\x00\x00\x00\x49\x45\x4e\x44\xae\x42\x60\
        \x82"
        .to_vec()
}

/// The parts of a picture, as short as they can be.
pub(crate) fn jpeg() -> Vec<u8> {
    let mut bytes =
        b"\xff\xd8\xff\xe0\0\x07JFIF\0\xff\xc0\0\x0b\x08\0\x01\0\x01\x01\x01\x11\0".to_vec();
    bytes.extend(b"\xff\xda\0\x08\x01\x01\0\0\x3f\0ab\xff\xd9");
    bytes
}

/// A picture of one point, with an extension.
pub(crate) fn gif() -> Vec<u8> {
    let mut bytes = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff!\xf9\x04\0\0\0\0\0".to_vec();
    bytes.extend(b",\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;");
    bytes
}

/// A picture without its data.
pub(crate) fn webp() -> Vec<u8> {
    b"RIFF\x10\0\0\0WEBPVP8L\x03\0\0\0\x2f\0\0\0".to_vec()
}

/// A compound file with a directory of these names, four to a sector.
pub(crate) fn compound(names: &[&str]) -> Vec<u8> {
    let sectors = names.len().div_ceil(4);
    let mut bytes = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec();
    bytes.extend([0; 16]);
    bytes.extend([0x3e, 0, 3, 0, 0xfe, 0xff, 9, 0, 6, 0]);
    bytes.resize(48, 0);
    bytes.extend(1_u32.to_le_bytes());
    bytes.resize(68, 0);
    bytes.extend(0xffff_fffe_u32.to_le_bytes());
    bytes.resize(76, 0);
    bytes.extend(0_u32.to_le_bytes());
    bytes.resize(512, 0xff);
    bytes.extend(0xffff_fffd_u32.to_le_bytes());
    for sector in 1..=sectors {
        let next = if sector == sectors { 0xffff_fffe } else { sector as u32 + 1 };
        bytes.extend(next.to_le_bytes());
    }
    bytes.resize(1024, 0xff);
    for name in names {
        let units: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let start = bytes.len();
        bytes.extend(&units);
        bytes.resize(start + 64, 0);
        bytes.extend((units.len() as u16 + 2).to_le_bytes());
        bytes.resize(start + 128, 0);
    }
    bytes.resize(1024 + sectors * 512, 0);
    bytes
}

/// A field of a protocol buffer: its number, and a value of less than 128 bytes.
fn field(number: u8, value: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, value.len() as u8], value].concat()
}

/// A model of one constant and one tensor of two floats. The graph comes last.
pub(crate) fn onnx_graph() -> Vec<u8> {
    let tensor = [&b"\x08\x02\x10\x01"[..], &field(8, b"w"), &field(9, &[0; 8])].concat();
    let value = [field(1, b"value"), field(5, &tensor), b"\xa0\x01\x04".to_vec()].concat();
    let node = [field(2, b"y"), field(4, b"Constant"), field(5, &value)].concat();
    let graph = [field(1, &node), field(5, &tensor)].concat();
    [&b"\x08\x08\x42\x02\x10\x0d"[..], &field(7, &graph)].concat()
}

/// A model whose graph calls a function.
pub(crate) fn savedmodel_function() -> Vec<u8> {
    let node = |op| [field(1, b"n"), field(2, op)].concat();
    let function = [field(1, &field(1, b"__f_1")), field(3, &node(b"Identity"))].concat();
    let graph = [field(1, &node(b"__f_1")), field(2, &field(1, &function))].concat();
    [&b"\x08\x01"[..], &field(2, &field(2, &graph))].concat()
}

/// A model of one subgraph with one tensor, and of two buffers.
pub(crate) fn tflite_tensor() -> Vec<u8> {
    let two = |low: u32, high: u32| low | high << 16;
    let words = [
        vec![two(14, 16), 4, 8, 12],
        // The model, from 24.
        vec![16, 3, 8, 68],
        // One subgraph, from 56.
        vec![1, 12, two(6, 8), 4, 8, 4],
        // One tensor, from 84, of shape 2 and buffer 1.
        vec![1, 16, two(10, 12), 4, 8, 12, 8, 1, 1, 2],
        // Two buffers, the second of eight bytes.
        vec![2, 12, 20, two(4, 4), 4, two(6, 8), 4, 8, 4, 8, 0, 0],
    ];
    let words = words.concat().into_iter().flat_map(u32::to_le_bytes);
    b"\x18\0\0\0TFL3".iter().copied().chain(words).collect()
}
