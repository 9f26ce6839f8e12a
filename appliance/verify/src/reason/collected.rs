//! How much is kept of what is wrong with a model.
//!
//! A carrier chooses how many files break a rule and how long their names are, so neither may
//! decide how much memory a decision takes or how long a verdict gets.

use std::collections::{BTreeMap, BTreeSet};

use super::{Code, Reason};

/// Reasons of one code that are kept. One more says how many there were beside them.
pub const MOST_OF_A_CODE: usize = 1_000;
/// Characters of a name that a reason shows.
pub const NAME_CHARS: usize = 256;
/// Characters of a reason's particulars.
pub const DETAIL_CHARS: usize = 1_000;

/// Cuts `text` after `limit` characters and marks the cut with `…`. A text that was cut stays as it
/// is when it is cut again.
pub(crate) fn shorten(text: &mut String, limit: usize) {
    if let Some((end, _)) = text.char_indices().nth(limit) {
        text.truncate(end);
        text.push('…');
        text.shrink_to_fit();
    }
}

/// Reasons as they are found: in order, each once, and at most [`MOST_OF_A_CODE`] of each code. The
/// ones that stay are the first in order, so it does not matter when they are found.
#[derive(Clone, Debug, Default)]
pub struct Reasons {
    of_code: BTreeMap<Code, Kept>,
}

#[derive(Clone, Debug, Default)]
struct Kept {
    first: BTreeSet<Reason>,
    /// How many came beside them. One that is reported twice may count twice here.
    more: u64,
}

impl Reasons {
    /// Adds a reason.
    pub fn push(&mut self, mut reason: Reason) {
        shorten(&mut reason.detail, DETAIL_CHARS);
        if let Some(file) = &mut reason.file {
            shorten(file, NAME_CHARS);
        }
        let kept = self.of_code.entry(reason.code).or_default();
        if kept.first.insert(reason) && kept.first.len() > MOST_OF_A_CODE {
            kept.first.pop_last();
            kept.more = kept.more.saturating_add(1);
        }
    }

    /// Adds all of `other`, the ones that it only counted too.
    pub fn append(&mut self, other: Reasons) {
        for (code, kept) in other.of_code {
            self.extend(kept.first);
            let own = self.of_code.entry(code).or_default();
            own.more = own.more.saturating_add(kept.more);
        }
    }

    /// Whether none was ever added.
    pub fn is_empty(&self) -> bool {
        self.of_code.is_empty()
    }

    /// Whether every reason that was added is still here.
    pub fn is_complete(&self) -> bool {
        self.of_code.values().all(|kept| kept.more == 0)
    }

    /// The reasons that are here, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Reason> {
        self.of_code.values().flat_map(|kept| &kept.first)
    }

    /// The reasons in order. Where some of a code were only counted, one more says how many.
    pub fn into_vec(self) -> Vec<Reason> {
        let mut reasons = Vec::new();
        for (code, kept) in self.of_code {
            reasons.extend(kept.first);
            if kept.more > 0 {
                reasons.push(Reason::new(code, format!("and {} more", kept.more)));
            }
        }
        reasons
    }
}

impl Extend<Reason> for Reasons {
    fn extend<I: IntoIterator<Item = Reason>>(&mut self, reasons: I) {
        reasons.into_iter().for_each(|reason| self.push(reason));
    }
}

impl FromIterator<Reason> for Reasons {
    fn from_iter<I: IntoIterator<Item = Reason>>(reasons: I) -> Self {
        let mut collected = Reasons::default();
        collected.extend(reasons);
        collected
    }
}

impl From<Vec<Reason>> for Reasons {
    fn from(reasons: Vec<Reason>) -> Self {
        reasons.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn absent(at: usize) -> Reason {
        Reason::new(Code::ManifestMissingFile, "absent").about(format!("{at:06}"))
    }

    #[test]
    fn the_first_of_a_code_stay_and_the_others_are_counted() {
        let full: Reasons = (0..MOST_OF_A_CODE).map(absent).collect();
        assert!(full.is_complete());
        assert_eq!(full.clone().into_vec().len(), MOST_OF_A_CODE);

        // Found in any order, and each twice while there is room to know it.
        let mut many: Reasons = (0..5_000).rev().map(absent).collect();
        many.extend((0..MOST_OF_A_CODE).map(absent));
        many.push(Reason::new(Code::MediaName, "one of another code"));
        assert!(!many.is_complete() && !many.is_empty());
        assert_eq!(many.iter().count(), MOST_OF_A_CODE + 1);
        let told = many.into_vec();
        assert_eq!(told.len(), MOST_OF_A_CODE + 2);
        assert_eq!(told[..MOST_OF_A_CODE], (0..MOST_OF_A_CODE).map(absent).collect::<Vec<_>>());
        let more = &told[MOST_OF_A_CODE];
        assert_eq!((more.code, more.file.as_ref()), (Code::ManifestMissingFile, None));
        assert_eq!(more.detail, "and 4000 more");
    }

    #[test]
    fn what_was_only_counted_stays_counted() {
        let mut all: Reasons = (0..1_500).map(absent).collect();
        all.append((1_500..3_000).map(absent).collect());
        let told = all.into_vec();
        assert_eq!(told.len(), MOST_OF_A_CODE + 1);
        assert_eq!(told[MOST_OF_A_CODE].detail, "and 2000 more");
    }

    #[test]
    fn names_and_particulars_are_cut_between_characters() {
        let cut = |text: &str, limit| {
            let mut text = text.to_owned();
            shorten(&mut text, limit);
            text
        };
        assert_eq!(cut("模型é", 3), "模型é");
        assert_eq!(cut("模型é", 2), "模型…");
        assert_eq!(cut("模型…", 2), "模型…");

        let long = "模".repeat(100_000);
        let reason = Reason::new(Code::MediaName, long.clone()).about(long.clone());
        assert_eq!(reason.detail.chars().count(), DETAIL_CHARS + 1);
        assert_eq!(reason.file.as_ref().unwrap().chars().count(), NAME_CHARS + 1);
        // A reason that was put together without its constructors is no exception.
        let raw = Reason { file: Some(long.clone()), detail: long, ..reason.clone() };
        assert_eq!(Reasons::from(vec![raw]).into_vec(), [reason]);
    }
}
