//! Hashing a stream as its manifest divides it: as a whole, or in shards.

use digest::Digest as _;
use oms_verify::hash::{Digest, HashAlgorithm};
use oms_verify::known_answers::MESSAGE;
use oms_verify::statement::{Method, Pieces, Shard};

/// Hashes a file that arrives in order, and gives what a manifest says of it.
pub struct PieceHasher {
    algorithm: HashAlgorithm,
    method: Method,
    stream: Stream,
    shards: Vec<Shard>,
    start: u64,
    position: u64,
}

enum Stream {
    Sha256(sha2::Sha256),
    Blake2b(Box<blake2::Blake2b512>),
    Blake3(Box<blake3::Hasher>),
}

impl Stream {
    fn new(algorithm: HashAlgorithm) -> Self {
        match algorithm {
            HashAlgorithm::Sha256 => Stream::Sha256(sha2::Sha256::new()),
            HashAlgorithm::Blake2b => Stream::Blake2b(Box::default()),
            HashAlgorithm::Blake3 => Stream::Blake3(Box::default()),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Stream::Sha256(hasher) => hasher.update(bytes),
            Stream::Blake2b(hasher) => hasher.update(bytes),
            Stream::Blake3(hasher) => {
                hasher.update(bytes);
            }
        }
    }

    fn finish(self) -> Box<[u8]> {
        match self {
            Stream::Sha256(hasher) => hasher.finalize().as_slice().into(),
            Stream::Blake2b(hasher) => hasher.finalize().as_slice().into(),
            Stream::Blake3(hasher) => hasher.finalize().as_bytes().as_slice().into(),
        }
    }
}

impl PieceHasher {
    /// A hasher for one file.
    pub fn new(algorithm: HashAlgorithm, method: Method) -> Self {
        let stream = Stream::new(algorithm);
        PieceHasher { algorithm, method, stream, shards: Vec::new(), start: 0, position: 0 }
    }

    /// Takes the next bytes of the file.
    pub fn update(&mut self, mut bytes: &[u8]) {
        if let Method::Shards { size } = self.method {
            // A shard is closed when a byte after it arrives, so the last one may be short.
            while let Some(room) = self.start.checked_add(size).map(|end| end - self.position) {
                let here = usize::try_from(room).unwrap_or(usize::MAX);
                if bytes.len() <= here {
                    break;
                }
                let (head, tail) = bytes.split_at(here);
                self.take(head);
                self.close_shard();
                bytes = tail;
            }
        }
        self.take(bytes);
    }

    fn take(&mut self, bytes: &[u8]) {
        self.stream.update(bytes);
        self.position = self.position.saturating_add(bytes.len() as u64);
    }

    fn close_shard(&mut self) {
        let stream = std::mem::replace(&mut self.stream, Stream::new(self.algorithm));
        if let Some(digest) = digest(self.algorithm, stream) {
            self.shards.push(Shard { start: self.start, end: self.position, digest });
        }
        self.start = self.position;
    }

    /// What was hashed: how many bytes, and their digests. An empty file has no shard.
    pub fn finish(mut self) -> Option<(u64, Pieces)> {
        let pieces = match self.method {
            Method::Files => Pieces::Whole(digest(self.algorithm, self.stream)?),
            Method::Shards { .. } => {
                if self.position > self.start {
                    self.close_shard();
                }
                Pieces::Shards(self.shards)
            }
        };
        Some((self.position, pieces))
    }
}

fn digest(algorithm: HashAlgorithm, stream: Stream) -> Option<Digest> {
    Digest::new(algorithm, &stream.finish()).ok()
}

/// The digests of [`MESSAGE`] 4,096 times, long enough for the widest code that the crates choose:
/// by Python's `hashlib` and `blake3`.
const ANSWERS: [(HashAlgorithm, &str); 3] = [
    (HashAlgorithm::Sha256, "60bc5a838d3a73a7dcd84d7299218802aafb2aa01b319f4ba627a6a229efab3c"),
    (
        HashAlgorithm::Blake2b,
        "721e8fc773bef34c984d1c7470dad1c26848d909b343a90648e99ccbd7fd53c7\
         a103502e396750848f47f927b08dc6eb231e9af7e0406a9473d908b12e80780a",
    ),
    (HashAlgorithm::Blake3, "fe77408587294e495992f21ed0882e7f3eeb3c4e4e00a0718e7c19898b1e52a5"),
];

/// The algorithms that do not give their known answers. None, or this program must not decide
/// anything. The kernels of SHA-256 beside this one are asked by `oms_sys::sha256`.
pub fn wrong_algorithms() -> Vec<HashAlgorithm> {
    wrong_about(&MESSAGE.repeat(4_096))
}

fn wrong_about(bytes: &[u8]) -> Vec<HashAlgorithm> {
    let is_right = |algorithm, answer: &str| {
        let mut stream = Stream::new(algorithm);
        stream.update(bytes);
        digest(algorithm, stream).is_some_and(|digest| digest.to_hex() == answer)
    };
    let wrong = ANSWERS.into_iter().filter(|(algorithm, answer)| !is_right(*algorithm, answer));
    wrong.map(|(algorithm, _)| algorithm).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashed(method: Method, bytes: &[u8], step: usize) -> (u64, Pieces) {
        let mut hasher = PieceHasher::new(HashAlgorithm::Sha256, method);
        for chunk in bytes.chunks(step) {
            hasher.update(chunk);
        }
        hasher.finish().unwrap()
    }

    #[test]
    fn shards_do_not_depend_on_how_the_bytes_arrive() {
        let bytes: Vec<u8> = (0..100u8).collect();
        let method = Method::Shards { size: 32 };
        let (size, whole) = hashed(method, &bytes, 100);
        assert_eq!(size, 100);
        let Pieces::Shards(shards) = &whole else { panic!() };
        let ends: Vec<_> = shards.iter().map(|s| (s.start, s.end)).collect();
        assert_eq!(ends, [(0, 32), (32, 64), (64, 96), (96, 100)]);
        for step in [1, 7, 31, 32, 33, 64] {
            assert_eq!(hashed(method, &bytes, step).1, whole, "in steps of {step}");
        }
        let exact = hashed(method, &bytes[..64], 64).1;
        let Pieces::Shards(shards) = exact else { panic!() };
        assert_eq!(shards.len(), 2);
        assert_eq!(hashed(method, &[], 1).1, Pieces::Shards(Vec::new()));
    }

    #[test]
    fn known_answers_are_given_and_others_are_found_out() {
        assert!(wrong_algorithms().is_empty());
        assert_eq!(wrong_about(MESSAGE), HashAlgorithm::ALL);
    }

    #[test]
    fn each_algorithm_gives_its_published_value_for_abc() {
        let cases = [
            (
                HashAlgorithm::Sha256,
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            ),
            (
                HashAlgorithm::Blake2b,
                "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d17d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923",
            ),
            (
                HashAlgorithm::Blake3,
                "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85",
            ),
        ];
        for (algorithm, expected) in cases {
            let mut hasher = PieceHasher::new(algorithm, Method::Files);
            hasher.update(b"abc");
            let Some((3, Pieces::Whole(digest))) = hasher.finish() else { panic!() };
            assert_eq!(digest.to_hex(), expected);
        }
    }
}
