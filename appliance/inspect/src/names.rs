//! Sets of names in little memory: of each name only a part of its SHA-256 is kept.
//!
//! ```text
//!   NameSet: one hash a name, to find a name that comes twice
//!      └── finish ──▶ Names: number, digest of the sorted hashes, and all names XORed
//! ```
//!
//! Two sets are the same where their digests are. Where they differ by one name, the XOR of the two
//! sides is that name, so that a report can say which it is without anybody keeping all of them.

use std::collections::HashSet;

use sha2::{Digest, Sha256};

/// Bytes of a hash. Who finds two names of one hash (2^64 tries) gains the refusal of a model.
const HASH: usize = 16;
type Hash = [u8; HASH];

/// Bytes of a name that a report can tell.
const TEXT: usize = 96;

/// A set that is being filled.
#[derive(Debug, Clone)]
pub(crate) struct NameSet {
    hashes: HashSet<Hash>,
    hash: Hash,
    text: [u8; TEXT],
}

impl Default for NameSet {
    fn default() -> Self {
        NameSet { hashes: HashSet::new(), hash: [0; HASH], text: [0; TEXT] }
    }
}

impl NameSet {
    /// Adds `name`; false if it is there already.
    pub(crate) fn insert(&mut self, name: &str) -> bool {
        let hash = hash(name);
        let is_new = self.hashes.insert(hash);
        if is_new {
            xor(&mut self.hash, &hash);
            xor(&mut self.text, name.as_bytes());
        }
        is_new
    }

    /// How many names there are.
    pub(crate) fn len(&self) -> usize {
        self.hashes.len()
    }

    /// What tells this set from others.
    pub(crate) fn finish(self) -> Names {
        let NameSet { hashes, hash, text } = self;
        let mut sorted: Vec<Hash> = hashes.into_iter().collect();
        sorted.sort_unstable();
        let digest = Sha256::digest(sorted.as_flattened());
        Names { count: sorted.len() as u64, digest: digest.into(), hash, text }
    }
}

/// What tells one set of names from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    count: u64,
    digest: [u8; 32],
    hash: Hash,
    text: [u8; TEXT],
}

/// How two sets differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Difference {
    /// Only the first set has this name.
    First(String),
    /// Only the second set has this name.
    Second(String),
    /// They differ by more than can be told.
    More,
}

impl Names {
    /// How many names there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// How `self` and `other` differ, if they do.
    pub(crate) fn difference(&self, other: &Names) -> Option<Difference> {
        if self.digest == other.digest {
            return None;
        }
        let (mut single, mut text) = (self.hash, self.text);
        xor(&mut single, &other.hash);
        xor(&mut text, &other.text);
        let end = text.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        let name = text.get(..end).and_then(|text| std::str::from_utf8(text).ok());
        let name = name.filter(|name| hash(name) == single).map(str::to_owned);
        Some(match (name, self.count.checked_sub(other.count)) {
            (Some(name), Some(1)) => Difference::First(name),
            (Some(name), None) => Difference::Second(name),
            _ => Difference::More,
        })
    }
}

fn hash(name: &str) -> Hash {
    let digest: [u8; 32] = Sha256::digest(name.as_bytes()).into();
    let mut hash = [0; HASH];
    xor(&mut hash, &digest);
    hash
}

/// XORs `bytes` onto the start of `sum`, as far as both go.
fn xor(sum: &mut [u8], bytes: &[u8]) {
    sum.iter_mut().zip(bytes).for_each(|(sum, byte)| *sum ^= byte);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> Names {
        let mut set = NameSet::default();
        names.iter().for_each(|name| assert!(set.insert(name)));
        set.finish()
    }

    #[test]
    fn a_name_that_comes_twice_is_noticed() {
        let mut set = NameSet::default();
        assert!(set.insert("a") && set.insert("b") && !set.insert("a"));
        assert_eq!(set.len(), 2);
    }

    #[test]
    fn order_does_not_matter() {
        assert_eq!(set(&["a", "b", "c"]), set(&["c", "a", "b"]));
        assert_eq!(set(&["a", "b"]).difference(&set(&["b", "a"])), None);
    }

    #[test]
    fn the_one_name_by_which_sets_differ_is_told() {
        let (few, many) = (set(&["a", "layer.1"]), set(&["a", "b", "layer.1"]));
        assert_eq!(many.difference(&few), Some(Difference::First("b".to_owned())));
        assert_eq!(few.difference(&many), Some(Difference::Second("b".to_owned())));
        assert_eq!(set(&[]).difference(&set(&["x"])), Some(Difference::Second("x".to_owned())));
    }

    #[test]
    fn other_differences_are_not_guessed() {
        let long = "n".repeat(TEXT + 1);
        for (first, second) in [
            (&["a", "b"][..], &["a", "c"][..]),
            (&["a"], &["a", "b", "c"]),
            (&[], &[&long]),
            (&["a"], &["b"]),
        ] {
            assert_eq!(set(first).difference(&set(second)), Some(Difference::More));
        }
    }
}
