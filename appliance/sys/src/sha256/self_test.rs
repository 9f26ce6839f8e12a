//! Known answers that a kernel must give before it is used.

use super::{Single, stream::Sha256};

/// Messages and their digests: the examples that NIST published with the standard.
const ANSWERS: [(&[u8], &str); 3] = [
    (b"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    (b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
        b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
    ),
];

/// Whether a kernel for one stream gives the known answers.
pub(super) fn single_is_right(kernel: Single) -> bool {
    ANSWERS.iter().all(|(message, digest)| {
        let mut stream = Sha256::new(kernel);
        stream.update(message);
        let hex: String = stream.finish().iter().map(|byte| format!("{byte:02x}")).collect();
        hex == *digest
    })
}
