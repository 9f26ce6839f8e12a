//! How many signers a model has: the largest number of them of whom no two may be one.
//!
//! "May be one" is not transitive. A signer who shares a key with one and a name with another
//! rules out both or neither, so counting in the order of the bundles would depend on that order.

use crate::appraise::Signer;

/// Signers that are told apart, at most. More of them than any policy may require.
const MOST: usize = 16;

/// The largest number of signers of whom no two have a key or a name in common.
///
/// Exact for up to 16 signers, repetitions aside; of more, the first 16 count.
pub(super) fn count<'a>(signers: impl Iterator<Item = &'a Signer>) -> usize {
    let mut told_apart: Vec<&Signer> = Vec::new();
    for signer in signers {
        if told_apart.len() < MOST && !told_apart.iter().any(|other| signer.repeats(other)) {
            told_apart.push(signer);
        }
    }
    let conflicts: Vec<u32> = told_apart
        .iter()
        .map(|one| {
            let others = told_apart.iter().enumerate();
            others.filter(|(_, other)| one.may_be_same(other)).fold(0, |set, (at, _)| set | 1 << at)
        })
        .collect();
    let everybody = conflicts.iter().enumerate().fold(0, |set, (at, _)| set | 1 << at);
    largest(everybody, &conflicts)
}

/// The size of the largest part of `candidates` without a conflict (a maximum independent set).
/// Each step takes one candidate with or without; `conflicts` of each one contain itself.
fn largest(candidates: u32, conflicts: &[u32]) -> usize {
    let Some(conflicting) = conflicts.get(candidates.trailing_zeros() as usize) else { return 0 };
    let first = candidates & candidates.wrapping_neg();
    let with = largest(candidates & !conflicting, conflicts).saturating_add(1);
    if candidates & conflicting == first {
        return with;
    }
    with.max(largest(candidates & !first, conflicts))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Conflicts as pairs.
    fn of(count: usize, pairs: &[(usize, usize)]) -> usize {
        let mut conflicts: Vec<u32> = (0..count).map(|at| 1 << at).collect();
        for (a, b) in pairs {
            conflicts[*a] |= 1 << b;
            conflicts[*b] |= 1 << a;
        }
        largest((1 << count) - 1, &conflicts)
    }

    #[test]
    fn the_largest_number_counts_whatever_the_order() {
        assert_eq!(of(0, &[]), 0);
        assert_eq!(of(1, &[]), 1);
        assert_eq!(of(2, &[(0, 1)]), 1);
        // The first one is like both others, who differ.
        assert_eq!(of(3, &[(0, 1), (0, 2)]), 2);
        assert_eq!(of(3, &[(1, 0), (1, 2)]), 2);
        assert_eq!(of(3, &[(0, 1), (1, 2), (0, 2)]), 1);
        // A ring of five.
        assert_eq!(of(5, &[(0, 1), (1, 2), (2, 3), (3, 4), (4, 0)]), 2);
        assert_eq!(of(16, &[]), 16);
    }

    #[test]
    fn the_hardest_conflicts_among_sixteen_are_counted() {
        // Pairs, and a ring: each leaves half.
        let pairs: Vec<_> = (0..8).map(|at| (2 * at, 2 * at + 1)).collect();
        assert_eq!(of(16, &pairs), 8);
        let ring: Vec<_> = (0..16).map(|at| (at, (at + 1) % 16)).collect();
        assert_eq!(of(16, &ring), 8);
    }
}
