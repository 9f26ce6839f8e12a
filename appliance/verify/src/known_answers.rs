//! Known answers of the signature algorithms: that this program, as it was built and on this
//! processor, accepts what is signed and nothing else.
//!
//! Keys and signatures in the folder `known_answers` were made with OpenSSL 3, over [`MESSAGE`], and
//! the private keys thrown away.

use crate::key::PublicKey;

/// What is signed.
pub const MESSAGE: &[u8] = b"oms-appliance known answer";

/// An algorithm, a key of it in PEM, and its signature over [`MESSAGE`].
type Answer = (&'static str, &'static [u8], &'static [u8]);

const ANSWERS: [Answer; 6] = [
    ("P-256", include_bytes!("known_answers/p256.pem"), include_bytes!("known_answers/p256.sig")),
    ("P-384", include_bytes!("known_answers/p384.pem"), include_bytes!("known_answers/p384.sig")),
    ("P-521", include_bytes!("known_answers/p521.pem"), include_bytes!("known_answers/p521.sig")),
    (
        "Ed25519",
        include_bytes!("known_answers/ed25519.pem"),
        include_bytes!("known_answers/ed25519.sig"),
    ),
    (
        "RSA PKCS #1 v1.5",
        include_bytes!("known_answers/rsa.pem"),
        include_bytes!("known_answers/rsa-pkcs1.sig"),
    ),
    (
        "RSA-PSS",
        include_bytes!("known_answers/rsa.pem"),
        include_bytes!("known_answers/rsa-pss.sig"),
    ),
];

/// The names of the algorithms that are asked.
pub fn names() -> impl Iterator<Item = &'static str> {
    ANSWERS.iter().map(|(name, ..)| *name)
}

/// The names of those that refuse a right signature or accept one over another message. None, or
/// this program must not decide anything.
pub fn wrong() -> Vec<&'static str> {
    let mut other = MESSAGE.to_vec();
    other.reverse();
    wrong_about(MESSAGE, &other)
}

fn wrong_about(signed: &[u8], other: &[u8]) -> Vec<&'static str> {
    let is_right = |(_, key, signature): &&Answer| {
        PublicKey::from_pem(key).is_ok_and(|key| {
            key.verify(signed, signature).is_ok() && key.verify(other, signature).is_err()
        })
    };
    ANSWERS.iter().filter(|answer| !is_right(answer)).map(|(name, ..)| *name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_right_and_a_wrong_one_would_be_named() {
        assert!(wrong().is_empty());
        let all: Vec<_> = names().collect();
        assert_eq!(wrong_about(b"another message", MESSAGE), all, "refuses what is signed");
        assert_eq!(wrong_about(MESSAGE, MESSAGE), all, "accepts what is not");
    }

    #[test]
    fn the_two_signatures_of_rsa_are_of_two_kinds() {
        let [.., (_, key, one), (_, same, other)] = ANSWERS;
        assert_eq!(key, same);
        assert_ne!(one, other);
    }
}
