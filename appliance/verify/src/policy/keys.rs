//! Which types of keys a rule admits.

use std::fmt;

use crate::key::KeyType;

/// Bits that an RSA modulus must have at least (design, section 4).
const RSA_BITS: u32 = 3072;
/// The same where the policy names less: no standard of today goes below (NIST SP 800-57, part 1).
const LEAST_RSA_BITS: u32 = 2048;

/// A type of key as a policy names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum KeyName {
    P256,
    P384,
    P521,
    Ed25519,
    Rsa,
    Rsa2048,
}

impl KeyName {
    /// Each type and its name in a policy; they agree with [`KeyType::name`], but for `RSA-2048`,
    /// which is RSA with a lower limit.
    pub(super) const WORDS: [(&'static str, KeyName); 6] = [
        ("P-256", KeyName::P256),
        ("P-384", KeyName::P384),
        ("P-521", KeyName::P521),
        ("Ed25519", KeyName::Ed25519),
        ("RSA", KeyName::Rsa),
        ("RSA-2048", KeyName::Rsa2048),
    ];
}

/// The types of keys that a rule admits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySet(Vec<KeyName>);

impl KeySet {
    pub(super) fn new(names: Vec<KeyName>) -> Self {
        KeySet(names)
    }

    /// Whether a key of this type and size may sign under the rule.
    pub fn admits(&self, key: KeyType) -> bool {
        let name = match key {
            KeyType::Rsa(bits) if bits >= LEAST_RSA_BITS && self.0.contains(&KeyName::Rsa2048) => {
                return true;
            }
            KeyType::P256 => KeyName::P256,
            KeyType::P384 => KeyName::P384,
            KeyType::P521 => KeyName::P521,
            KeyType::Ed25519 => KeyName::Ed25519,
            KeyType::Rsa(bits) if bits >= RSA_BITS => KeyName::Rsa,
            KeyType::Rsa(_) => return false,
        };
        self.0.contains(&name)
    }

    /// Bits that an RSA key must have at least: 3072, unless the rule names `RSA-2048`.
    pub fn least_rsa_bits(&self) -> u32 {
        if self.0.contains(&KeyName::Rsa2048) { LEAST_RSA_BITS } else { RSA_BITS }
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
                match name {
                    KeyName::Rsa => write!(f, "{separator}RSA of at least {RSA_BITS} bits")?,
                    KeyName::Rsa2048 => {
                        write!(f, "{separator}RSA of at least {LEAST_RSA_BITS} bits")?;
                    }
                    _ => write!(f, "{separator}{word}")?,
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
    fn short_rsa_is_admitted_only_by_name() {
        let rsa = KeySet::new(vec![KeyName::Rsa]);
        assert!(rsa.admits(KeyType::Rsa(3072)));
        assert!(!rsa.admits(KeyType::Rsa(3071)));
        assert_eq!(rsa.to_string(), "RSA of at least 3072 bits");
        assert_eq!((rsa.least_rsa_bits(), KeySet::default().least_rsa_bits()), (3072, 3072));

        let short = KeySet::new(vec![KeyName::Rsa2048]);
        assert!(short.admits(KeyType::Rsa(2048)) && short.admits(KeyType::Rsa(4096)));
        assert!(!short.admits(KeyType::Rsa(2047)) && !short.admits(KeyType::P256));
        assert_eq!(short.to_string(), "RSA of at least 2048 bits");
        assert_eq!(short.least_rsa_bits(), 2048);
    }
}
