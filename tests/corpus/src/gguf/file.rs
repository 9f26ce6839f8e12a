//! Writes GGUF, right or wrong.

/// Types of values.
pub(super) const U8: u32 = 0;
pub(super) const U16: u32 = 2;
pub(super) const U32: u32 = 4;
pub(super) const I32: u32 = 5;
pub(super) const F32: u32 = 6;
pub(super) const BOOL: u32 = 7;
pub(super) const STRING: u32 = 8;
pub(super) const ARRAY: u32 = 9;
pub(super) const U64: u32 = 10;

/// Types of elements.
pub(super) const FLOAT: u32 = 0;
pub(super) const Q4_0: u32 = 2;
pub(super) const BYTE: u32 = 24;

/// A file in little-endian order, put together piece by piece.
#[derive(Clone)]
pub(super) struct Gguf {
    version: u32,
    tensors: (u64, Vec<u8>),
    pairs: (u64, Vec<u8>),
    alignment: usize,
    padding: u8,
    data: Vec<u8>,
}

impl Gguf {
    /// A model of no tensors with the keys that every model has.
    pub(super) fn new() -> Gguf {
        let (tensors, pairs) = ((0, Vec::new()), (0, Vec::new()));
        let empty =
            Gguf { version: 3, tensors, pairs, alignment: 32, padding: 0, data: Vec::new() };
        empty.pair("general.architecture", STRING, &string("llama"))
    }

    pub(super) fn version(mut self, version: u32) -> Gguf {
        self.version = version;
        self
    }

    /// Claims `more` pairs than there are.
    pub(super) fn claims_pairs(mut self, more: u64) -> Gguf {
        self.pairs.0 = self.pairs.0.wrapping_add(more);
        self
    }

    /// Claims `more` tensors than there are.
    pub(super) fn claims_tensors(mut self, more: u64) -> Gguf {
        self.tensors.0 = self.tensors.0.wrapping_add(more);
        self
    }

    pub(super) fn pair(self, key: &str, kind: u32, value: &[u8]) -> Gguf {
        self.raw_pair(&string(key), kind, value)
    }

    /// A pair whose key is written as it stands, with its length.
    pub(super) fn raw_pair(mut self, key: &[u8], kind: u32, value: &[u8]) -> Gguf {
        self.pairs.0 += 1;
        self.pairs.1.extend([key, &kind.to_le_bytes(), value].concat());
        self
    }

    pub(super) fn tensor(self, name: &str, shape: &[u64], kind: u32, offset: u64) -> Gguf {
        let dimensions = shape.len() as u32;
        self.raw_tensor(name, dimensions, shape, kind, offset)
    }

    /// A tensor that claims another number of dimensions than it has.
    pub(super) fn raw_tensor(
        mut self,
        name: &str,
        dimensions: u32,
        shape: &[u64],
        kind: u32,
        offset: u64,
    ) -> Gguf {
        let sizes: Vec<u8> = shape.iter().flat_map(|size| size.to_le_bytes()).collect();
        let (dimensions, kind) = (dimensions.to_le_bytes(), kind.to_le_bytes());
        let tensor = [&string(name), &dimensions[..], &sizes, &kind, &offset.to_le_bytes()];
        self.tensors.0 += 1;
        self.tensors.1.extend(tensor.concat());
        self
    }

    /// Pads the header to a multiple of `alignment`.
    pub(super) fn aligned(mut self, alignment: usize) -> Gguf {
        self.alignment = alignment;
        self
    }

    /// Pads the header with another byte than zero.
    pub(super) fn padded_with(mut self, byte: u8) -> Gguf {
        self.padding = byte;
        self
    }

    /// The weights.
    pub(super) fn data(mut self, data: &[u8]) -> Gguf {
        self.data = data.to_vec();
        self
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let counts = [self.tensors.0.to_le_bytes(), self.pairs.0.to_le_bytes()].concat();
        let version = self.version.to_le_bytes();
        let header = [&b"GGUF"[..], &version, &counts, &self.pairs.1, &self.tensors.1];
        let mut bytes = header.concat();
        bytes.resize(bytes.len().next_multiple_of(self.alignment), self.padding);
        bytes.extend(&self.data);
        bytes
    }
}

/// A length and that many bytes.
pub(super) fn string(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
}

/// An array that claims `count` items of type `kind`.
pub(super) fn array(kind: u32, count: u64, items: &[u8]) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &count.to_le_bytes(), items].concat()
}

/// An array of strings.
pub(super) fn strings(items: &[&str]) -> Vec<u8> {
    let bytes: Vec<u8> = items.iter().flat_map(|item| string(item)).collect();
    array(STRING, items.len() as u64, &bytes)
}
