//! Hash algorithms and digests, as OMS names them (OMS v1.0, section 7 and the algorithm registry).

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};

/// A hash algorithm for the contents of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HashAlgorithm {
    /// SHA-256 (FIPS 180-4).
    Sha256,
    /// BLAKE2b with 512 bits of output (RFC 7693).
    Blake2b,
    /// BLAKE3 with 256 bits of output.
    Blake3,
}

impl HashAlgorithm {
    /// Every algorithm.
    pub const ALL: [HashAlgorithm; 3] =
        [HashAlgorithm::Sha256, HashAlgorithm::Blake2b, HashAlgorithm::Blake3];

    /// The identifier in `hash_type` and `algorithm`.
    pub fn name(self) -> &'static str {
        match self {
            HashAlgorithm::Sha256 => "sha256",
            HashAlgorithm::Blake2b => "blake2b",
            HashAlgorithm::Blake3 => "blake3",
        }
    }

    /// The algorithm that OMS calls `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// Bytes of output.
    pub fn output_size(self) -> usize {
        match self {
            HashAlgorithm::Sha256 | HashAlgorithm::Blake3 => 32,
            HashAlgorithm::Blake2b => 64,
        }
    }
}

impl fmt::Display for HashAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The digest of a file or of a shard: its algorithm and exactly as many bytes as that gives.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(Output);

/// A model may have millions of digests, so that the usual ones lie in place. In the order of
/// [`HashAlgorithm`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Output {
    Sha256([u8; 32]),
    Blake2b(Box<[u8; 64]>),
    Blake3([u8; 32]),
}

/// A digest has the wrong number of bytes, or is not lower-case hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a digest of this algorithm in lower-case hexadecimal")]
pub struct NotADigest;

impl Digest {
    /// A digest from the raw output of `algorithm`.
    ///
    /// # Errors
    /// When `bytes` is not as long as the algorithm's output.
    pub fn new(algorithm: HashAlgorithm, bytes: &[u8]) -> Result<Self, NotADigest> {
        let output = match algorithm {
            HashAlgorithm::Sha256 => bytes.try_into().map(Output::Sha256),
            HashAlgorithm::Blake2b => {
                bytes.try_into().map(|bytes| Output::Blake2b(Box::new(bytes)))
            }
            HashAlgorithm::Blake3 => bytes.try_into().map(Output::Blake3),
        };
        output.map(Digest).map_err(|_| NotADigest)
    }

    /// Reads lower-case hexadecimal, the only form that OMS allows.
    ///
    /// # Errors
    /// When `text` has another length or another character.
    pub fn from_hex(algorithm: HashAlgorithm, text: &str) -> Result<Self, NotADigest> {
        let output = match algorithm {
            HashAlgorithm::Sha256 => hex_array(text).map(Output::Sha256),
            HashAlgorithm::Blake2b => hex_array(text).map(|bytes| Output::Blake2b(Box::new(bytes))),
            HashAlgorithm::Blake3 => hex_array(text).map(Output::Blake3),
        };
        output.map(Digest).ok_or(NotADigest)
    }

    /// The algorithm.
    pub fn algorithm(&self) -> HashAlgorithm {
        match self.0 {
            Output::Sha256(_) => HashAlgorithm::Sha256,
            Output::Blake2b(_) => HashAlgorithm::Blake2b,
            Output::Blake3(_) => HashAlgorithm::Blake3,
        }
    }

    /// The raw bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Output::Sha256(bytes) | Output::Blake3(bytes) => bytes,
            Output::Blake2b(bytes) => bytes.as_slice(),
        }
    }

    /// Lower-case hexadecimal.
    pub fn to_hex(&self) -> String {
        hex_encode(self.as_bytes())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// `algorithm:hex`.
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm(), self.to_hex())
    }
}

/// A SHA-256 value: root digests, fingerprints, digests of bundles and of policies.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256Digest(pub [u8; 32]);

impl Sha256Digest {
    /// Thirty-two zero bytes: what the first verdict of a station names as its predecessor.
    pub const ZERO: Sha256Digest = Sha256Digest([0; 32]);

    /// SHA-256 of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Sha256Digest(Sha256::digest(bytes).into())
    }

    /// The root digest of a manifest: SHA-256 over the raw digests in listed order
    /// (OMS v1.0, section 6.5.1).
    pub fn root<'a>(digests: impl IntoIterator<Item = &'a Digest>) -> Self {
        let mut hasher = Sha256::new();
        for digest in digests {
            hasher.update(digest.as_bytes());
        }
        Sha256Digest(hasher.finalize().into())
    }

    /// Reads 64 lower-case hexadecimal characters.
    pub fn from_hex(text: &str) -> Option<Self> {
        hex_array(text).map(Sha256Digest)
    }

    /// Lower-case hexadecimal.
    pub fn to_hex(self) -> String {
        hex_encode(&self.0)
    }
}

/// As lower-case hexadecimal.
impl Serialize for Sha256Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_hex())
    }
}

impl<'de> Deserialize<'de> for Sha256Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        let wrong = || de::Error::custom("64 lower-case hexadecimal characters were expected");
        Sha256Digest::from_hex(&text).ok_or_else(wrong)
    }
}

impl fmt::Debug for Sha256Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

impl fmt::Display for Sha256Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

fn hex_encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().saturating_mul(2));
    for byte in bytes {
        text.extend([hex_digit(byte >> 4), hex_digit(byte & 15)]);
    }
    text
}

/// The digit of a number below 16.
fn hex_digit(nibble: u8) -> char {
    char::from(if nibble < 10 { b'0' + nibble } else { b'a' - 10 + nibble })
}

/// The number of a lower-case digit, and whether it is one: told without a branch, since a manifest
/// has millions of them.
fn nibble(digit: u8) -> (u8, bool) {
    let (number, letter) = (digit.wrapping_sub(b'0'), digit.wrapping_sub(b'a'));
    let value = if number < 10 { number } else { letter.wrapping_add(10) };
    (value, (number < 10) | (letter < 6))
}

/// Decodes lower-case hexadecimal; `None` for anything else.
pub(crate) fn hex_decode(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    let decoded = |pair| {
        let (byte, is_hex) = byte_of(pair);
        is_hex.then_some(byte)
    };
    pairs.iter().map(decoded).collect()
}

/// Decodes exactly `N` bytes of lower-case hexadecimal, without allocating.
fn hex_array<const N: usize>(text: &str) -> Option<[u8; N]> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    let (mut bytes, mut all) = ([0; N], true);
    for (byte, pair) in bytes.iter_mut().zip(pairs) {
        let is_hex;
        (*byte, is_hex) = byte_of(pair);
        all &= is_hex;
    }
    all.then_some(bytes)
}

/// The byte of two digits, and whether they are digits.
fn byte_of([high, low]: &[u8; 2]) -> (u8, bool) {
    let ((high, is_hex), (low, too)) = (nibble(*high), nibble(*low));
    (high << 4 | (low & 15), is_hex & too)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lower_case_hexadecimal_of_the_right_length_is_a_digest() {
        let good = "ab".repeat(32);
        assert_eq!(Digest::from_hex(HashAlgorithm::Sha256, &good).unwrap().to_hex(), good);
        for bad in
            ["AB".repeat(32), "ab".repeat(31), "ab".repeat(33), format!("{}g0", "ab".repeat(31))]
        {
            assert_eq!(Digest::from_hex(HashAlgorithm::Sha256, &bad), Err(NotADigest), "{bad}");
        }
        assert!(Digest::from_hex(HashAlgorithm::Blake2b, &"ab".repeat(64)).is_ok());
        assert!(Digest::from_hex(HashAlgorithm::Blake2b, &good).is_err());
    }

    #[test]
    fn of_all_characters_only_the_lower_case_digits_are_taken_at_any_place() {
        for digit in (0..=u8::MAX).filter(u8::is_ascii) {
            let value = "0123456789abcdef".find(char::from(digit)).map(|value| value as u8);
            for place in [0, 1, 31, 62, 63] {
                let mut text = vec![b'0'; 64];
                text[place] = digit;
                let text = String::from_utf8(text).unwrap();
                let shift = if place % 2 == 0 { 4 } else { 0 };
                let read = Sha256Digest::from_hex(&text).map(|digest| digest.0[place / 2]);
                assert_eq!(read, value.map(|value| value << shift), "{text:?}");
                assert_eq!(hex_decode(&text).map(|bytes| bytes[place / 2]), read, "{text:?}");
            }
        }
    }

    #[test]
    fn a_digest_of_any_length_comes_back_from_hexadecimal_and_stays_small() {
        for algorithm in HashAlgorithm::ALL {
            let bytes: Vec<u8> = (1..=algorithm.output_size() as u8).rev().collect();
            let digest = Digest::new(algorithm, &bytes).unwrap();
            assert_eq!((digest.algorithm(), digest.as_bytes()), (algorithm, bytes.as_slice()));
            assert_eq!(Digest::from_hex(algorithm, &digest.to_hex()).unwrap(), digest);
            assert_eq!(hex_decode(&digest.to_hex()).unwrap(), bytes);
            for length in [0, 31, 33, 63, 65] {
                assert!(Digest::new(algorithm, &vec![0; length]).is_err(), "{length}");
            }
        }
        assert!(size_of::<Digest>() <= 40);
        let ordered = HashAlgorithm::ALL
            .map(|algorithm| Digest::new(algorithm, &vec![0; algorithm.output_size()]).unwrap());
        assert!(ordered.is_sorted() && HashAlgorithm::ALL.is_sorted());
    }

    #[test]
    fn the_root_digest_is_over_raw_bytes_in_the_order_given() {
        let a = Digest::from_hex(HashAlgorithm::Sha256, &"01".repeat(32)).unwrap();
        let b = Digest::from_hex(HashAlgorithm::Sha256, &"02".repeat(32)).unwrap();
        let both: Vec<u8> = [[1u8; 32], [2u8; 32]].concat();
        assert_eq!(Sha256Digest::root([&a, &b]), Sha256Digest::of(&both));
        assert_ne!(Sha256Digest::root([&a, &b]), Sha256Digest::root([&b, &a]));
    }
}
