//! Which types of keys a rule admits.

use std::fmt;

use crate::key::KeyType;

/// Bits that an RSA modulus must have at least, whatever a policy says (design, section 4).
pub const RSA_BITS: u32 = 3072;

/// A type of key as a policy names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum KeyName {
    P256,
    P384,
    P521,
    Ed25519,
    Rsa,
}

impl KeyName {
    /// Each type and its name in a policy; they agree with [`KeyType::name`].
    pub(super) const WORDS: [(&'static str, KeyName); 5] = [
        ("P-256", KeyName::P256),
        ("P-384", KeyName::P384),
        ("P-521", KeyName::P521),
        ("Ed25519", KeyName::Ed25519),
        ("RSA", KeyName::Rsa),
    ];
}

/// The types of keys that a rule admits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySet(Vec<KeyName>);

impl KeySet {
    pub(super) fn new(names: Vec<KeyName>) -> Self {
        KeySet(names)
    }

    /// Whether a key of this type and size may sign under the rule. RSA is admitted from
    /// [`RSA_BITS`] on.
    pub fn admits(&self, key: KeyType) -> bool {
        let name = match key {
            KeyType::P256 => KeyName::P256,
            KeyType::P384 => KeyName::P384,
            KeyType::P521 => KeyName::P521,
            KeyType::Ed25519 => KeyName::Ed25519,
            KeyType::Rsa(bits) if bits >= RSA_BITS => KeyName::Rsa,
            KeyType::Rsa(_) => return false,
        };
        self.0.contains(&name)
    }
}

/// The three curves that OMS asks for.
impl Default for KeySet {
    fn default() -> Self {
        KeySet(vec![KeyName::P256, KeyName::P384, KeyName::P521])
    }
}

/// `P-256, RSA of at least 3072 bits`.
impl fmt::Display for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (word, name) in KeyName::WORDS {
            if self.0.contains(&name) {
                write!(f, "{separator}{word}")?;
                if name == KeyName::Rsa {
                    write!(f, " of at least {RSA_BITS} bits")?;
                }
                separator = ", ";
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [KeyType; 5] =
        [KeyType::P256, KeyType::P384, KeyType::P521, KeyType::Ed25519, KeyType::Rsa(4096)];

    #[test]
    fn the_default_is_the_three_curves() {
        let admitted = ALL.map(|key| KeySet::default().admits(key));
        assert_eq!(admitted, [true, true, true, false, false]);
    }

    #[test]
    fn each_name_admits_its_own_type_and_no_other() {
        for ((word, name), key) in KeyName::WORDS.into_iter().zip(ALL) {
            assert_eq!(word, key.name());
            for other in ALL {
                assert_eq!(KeySet::new(vec![name]).admits(other), other == key, "{word} {other}");
            }
        }
    }

    #[test]
    fn short_rsa_is_never_admitted() {
        let rsa = KeySet::new(vec![KeyName::Rsa]);
        assert!(rsa.admits(KeyType::Rsa(3072)));
        assert!(!rsa.admits(KeyType::Rsa(3071)));
        assert_eq!(rsa.to_string(), "RSA of at least 3072 bits");
    }
}
