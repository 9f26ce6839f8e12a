//! Hashing a stream as its manifest divides it: as a whole, or in shards.

use digest::Digest as _;
use oms_verify::hash::{Digest, HashAlgorithm};
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
