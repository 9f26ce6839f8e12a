//! One stream: what was absorbed so far, and how it ends.

use super::{Block, Single, Value};

/// What a stream starts with (FIPS 180-4, section 5.3.3).
pub(super) const INITIAL: Value = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// The SHA-256 of a stream of bytes, as far as it has come. [`super::Lanes::start`] makes one.
///
/// The standard defines digests of less than 2^64 bits (2^61 bytes). A longer stream wraps the
/// length in its padding, as other implementations do; at the speed of memory one takes decades.
#[derive(Clone)]
pub struct Sha256 {
    /// What the whole blocks so far came to.
    pub(super) value: Value,
    /// The start of a block that is not whole yet.
    pub(super) pending: Block,
    /// Bytes absorbed, those in `pending` included.
    pub(super) length: u64,
    /// The tested kernel that `update` and `finish` use.
    single: Single,
}

impl Sha256 {
    /// A stream of no bytes.
    pub(super) fn new(single: Single) -> Sha256 {
        Sha256 { value: INITIAL, pending: [0; 64], length: 0, single }
    }

    /// Absorbs bytes, this stream alone. Many streams at a time: [`super::Lanes::update`].
    pub fn update(&mut self, bytes: &[u8]) {
        let (head, blocks, tail) = self.take(bytes);
        if head {
            (self.single)(&mut self.value, &[self.pending]);
        }
        if !blocks.is_empty() {
            (self.single)(&mut self.value, blocks);
        }
        self.keep(tail);
    }

    /// The digest of all that was absorbed. Many streams at a time: [`super::Lanes::finish`].
    pub fn finish(mut self) -> [u8; 32] {
        let (padding, count) = self.padding();
        (self.single)(&mut self.value, padding.get(..count).unwrap_or(&padding));
        digest_of(&self.value)
    }

    /// Counts the bytes and divides them: whether `pending` is a whole block now, the whole blocks
    /// after it, and what is to be [kept](Sha256::keep) once these are compressed.
    pub(super) fn take<'a>(&mut self, mut bytes: &'a [u8]) -> (bool, &'a [Block], &'a [u8]) {
        let at = self.at();
        self.length = self.length.wrapping_add(bytes.len() as u64);
        let mut head = false;
        if at > 0 {
            let room = self.pending.get_mut(at..).unwrap_or_default();
            let (first, rest) = bytes.split_at(room.len().min(bytes.len()));
            head = first.len() == room.len();
            for (to, from) in room.iter_mut().zip(first) {
                *to = *from;
            }
            bytes = rest;
        }
        let (blocks, tail) = bytes.as_chunks();
        (head, blocks, tail)
    }

    /// Puts the bytes after the last whole block aside. An empty `tail` leaves what is there.
    pub(super) fn keep(&mut self, tail: &[u8]) {
        for (to, from) in self.pending.iter_mut().zip(tail) {
            *to = *from;
        }
    }

    /// The blocks that end the stream, and how many they are: one or two (FIPS 180-4, section 5.1.1).
    pub(super) fn padding(&self) -> ([Block; 2], usize) {
        const END: u8 = 0x80;
        const LENGTH: usize = 8;
        let at = self.at();
        let mut blocks = [[0; 64]; 2];
        let bytes = blocks.as_flattened_mut();
        for (to, from) in bytes.iter_mut().zip(self.pending.iter().take(at).chain([&END])) {
            *to = *from;
        }
        let count = if at + 1 + LENGTH <= 64 { 1 } else { 2 };
        let bits = self.length.wrapping_mul(8).to_be_bytes();
        for (to, from) in bytes.iter_mut().skip(64 * count - LENGTH).zip(bits) {
            *to = from;
        }
        (blocks, count)
    }

    /// How many bytes are pending.
    fn at(&self) -> usize {
        (self.length % 64) as usize
    }
}

/// The digest that a stream has come to, once its padding is compressed.
pub(super) fn digest_of(value: &Value) -> [u8; 32] {
    let mut digest = [0; 32];
    let (words, _) = digest.as_chunks_mut();
    for (to, from) in words.iter_mut().zip(value) {
        *to = from.to_be_bytes();
    }
    digest
}

impl std::fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sha256").field("length", &self.length).finish_non_exhaustive()
    }
}
