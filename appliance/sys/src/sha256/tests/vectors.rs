//! Published answers: those of NIST's validation program (CAVP), and the larger examples that NIST
//! gives for the padding. Each was computed again with another implementation.

use super::super::Job;
use super::{every_choice, of_this_machine};

/// A byte, how often it is repeated, and the digest.
const REPEATED: [(u8, usize, &str); 11] = [
    (0xbd, 1, "68325720aabd7c82f30f554b313d0570c95accbb7dc4b5aae11204c08ffe732b"),
    (0, 55, "02779466cdec163811d078815c633f21901413081449002f24aa3e80f0b88ef7"),
    (0, 56, "d4817aa5497628e7c77e6b606107042bbba3130888c5f47a375e6179be789fbb"),
    (0, 57, "65a16cb7861335d5ace3c60718b5052e44660726da4cd13bb745381b235a1785"),
    (0, 64, "f5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a92759fb4b"),
    (0, 1_000, "541b3e9daa09b20bf85fa273e5cbd3e80185aa4ec298e765db87742b70138a53"),
    (b'A', 1_000, "c2e686823489ced2017f6059b8b239318b6364f6dcd835d0a519105a1eadd6e4"),
    (b'U', 1_005, "f4d62ddec0f3dd90ea1380fa16a5ff8dc4c54b21740650f24afc4120903552b0"),
    (0, 1_000_000, "d29751f2649b32ff572b5e0a9f541ea660a50f94ff0beedfb0b692b924cc8025"),
    (b'a', 1_000_000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
    (b'a', 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
];

/// Short messages.
const SHORT: [(&[u8], &str); 6] = [
    (b"\xd3", "28969cdfa74a12c82f3bad960b0b000aca2ac329deea5c2328ebc6f2ba9802c1"),
    (b"\x11\xaf", "5ca7133fa735326081558ac312c620eeca9970d1e70a4b95533d956f072d1f98"),
    (b"\xb4\x19\x0e", "dff2e73091f6c05e528896c4c831b9448653dc2ff043528f6769437bc7b975c2"),
    (b"\x74\xba\x25\x21", "b16aa56be3880d18cd41e68384cf1ec8c17680c45a02b1575dc1518923ae8b0e"),
    (b"\xc9\x8c\x8e\x55", "7abc22c0ae5af26ce93dbb94433a0e0b2e119d014f8e7f65bd56c61ccccd9504"),
    (b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
];

/// What the Monte Carlo test begins with, and what it comes to the first time and the last.
const SEED: &str = "6d1e72ad03ddeb5de891e572e2396f8da015d899ef0e79503152d6010a3fe691";
const MONTE_CARLO_FIRST: &str = "e93c330ae5447738c8aa85d71a6c80f2a58381d05872d26bdd39f1fcd4f2b788";
const MONTE_CARLO_LAST: &str = "6a912ba4188391a78e6f13d88ed2d14e13afce9db6f7dcbf4a48c24f3db02778";

fn hex(digest: [u8; 32]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn published_messages_have_their_published_digests() {
    let repeated: Vec<(Vec<u8>, &str)> =
        REPEATED.iter().map(|(byte, count, digest)| (vec![*byte; *count], *digest)).collect();
    let short = SHORT.iter().map(|(message, digest)| (message.to_vec(), *digest));
    let all: Vec<(Vec<u8>, &str)> = repeated.into_iter().chain(short).collect();
    for (name, lanes) in every_choice() {
        let mut streams: Vec<_> = all.iter().map(|_| lanes.start()).collect();
        let jobs = streams.iter_mut().zip(&all).map(|(state, (bytes, _))| Job { state, bytes });
        lanes.update(&mut jobs.collect::<Vec<_>>());
        for (digest, (message, expected)) in lanes.finish(streams).into_iter().zip(&all) {
            assert_eq!(hex(digest), *expected, "{name}, {} bytes", message.len());
        }
    }
}

/// CAVP's Monte Carlo test in sixteen streams at a time: 100,000 digests, each of the three before it.
#[test]
fn monte_carlo() {
    const STREAMS: usize = 16;
    let seed: [u8; 32] =
        std::array::from_fn(|at| u8::from_str_radix(&SEED[2 * at..2 * at + 2], 16).unwrap());
    for (name, lanes) in every_choice() {
        let mut digests = vec![seed; STREAMS];
        for time in 0..100 {
            let mut messages: Vec<[[u8; 32]; 3]> = digests.iter().map(|seed| [*seed; 3]).collect();
            for _ in 0..1_000 {
                let mut streams = vec![lanes.start(); STREAMS];
                let jobs = streams.iter_mut().zip(&messages);
                let jobs = jobs.map(|(state, bytes)| Job { state, bytes: bytes.as_flattened() });
                lanes.update(&mut jobs.collect::<Vec<_>>());
                digests = lanes.finish(streams);
                for (message, digest) in messages.iter_mut().zip(&digests) {
                    let [_, second, third] = *message;
                    *message = [second, third, *digest];
                }
            }
            if time == 0 {
                assert!(digests.iter().all(|digest| hex(*digest) == MONTE_CARLO_FIRST), "{name}");
            }
        }
        assert!(digests.iter().all(|digest| hex(*digest) == MONTE_CARLO_LAST), "{name}");
    }
}

/// NIST's example whose length in bits no longer fits in 32 bits.
#[test]
fn a_stream_of_four_gibibits() {
    const LENGTH: usize = 0x2000_0000;
    let lanes = of_this_machine();
    let bytes = vec![b'Z'; LENGTH / 512];
    let mut stream = lanes.start();
    for _ in 0..512 {
        lanes.update(&mut [Job { state: &mut stream, bytes: &bytes }]);
    }
    let digest = lanes.finish(vec![stream]).remove(0);
    assert_eq!(hex(digest), "15a1868c12cc53951e182344277447cd0979536badcc512ad24c67e9b2d4f3dd");
}
