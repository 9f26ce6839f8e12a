//! The models of a carrier, as the search for them found them.

use std::fmt;
use std::io::Write;
use std::marker::PhantomData;

use oms_verify::reason::Reason;
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::HandoverError;
use crate::media::{Attestations, Candidate, Found, limits};
use crate::process::wire::WireReason;

/// Bytes of a survey. One of a carrier with as many models and attestations as are taken, and names
/// of some hundred characters, fits.
pub const MOST_SURVEY: usize = 64 << 20;
/// Reasons of a survey.
const REASONS: usize = 100_000;

/// What is on a carrier.
#[derive(Debug, Default)]
pub struct Survey {
    /// The models that somebody says are signed.
    pub candidates: Vec<Candidate>,
    /// What may attest something about one of them.
    pub attestations: Attestations,
    /// What could not be looked at, and why.
    pub reasons: Vec<Reason>,
    /// What no bundle names.
    pub unclaimed: Vec<String>,
}

impl From<Found> for Survey {
    fn from(Found { candidates, attestations, reasons, unclaimed }: Found) -> Self {
        Survey { candidates, attestations, reasons, unclaimed }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    #[serde(deserialize_with = "at_most::<{ limits::MODELS }, _, _>")]
    candidates: Vec<Candidate>,
    attestations: Attestations,
    #[serde(deserialize_with = "at_most::<REASONS, _, _>")]
    reasons: Vec<WireReason>,
    #[serde(deserialize_with = "at_most::<{ limits::UNCLAIMED }, _, _>")]
    unclaimed: Vec<String>,
}

/// Reads a list of at most `MOST`: whoever searched may have been taken over.
fn at_most<'de, const MOST: usize, T, D>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    struct List<const MOST: usize, T>(PhantomData<T>);

    impl<'de, const MOST: usize, T: Deserialize<'de>> Visitor<'de> for List<MOST, T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a list of at most {MOST}")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
            let mut all = Vec::new();
            while let Some(one) = list.next_element()? {
                if all.len() == MOST {
                    return Err(A::Error::invalid_length(MOST.saturating_add(1), &self));
                }
                all.push(one);
            }
            Ok(all)
        }
    }

    deserializer.deserialize_seq(List::<MOST, T>(PhantomData))
}

impl Survey {
    /// Writes it as JSON.
    ///
    /// # Errors
    /// Those of `writer`.
    pub fn to_json(self, writer: impl Write) -> Result<(), HandoverError> {
        let Survey { candidates, attestations, reasons, unclaimed } = self;
        let reasons = reasons.into_iter().map(WireReason).collect();
        let note = Note { candidates, attestations, reasons, unclaimed };
        Ok(serde_json::to_writer(writer, &note)?)
    }

    /// Reads it.
    ///
    /// # Errors
    /// When it is not of the structure, or has more of anything than a search gives.
    pub fn from_json(bytes: &[u8]) -> Result<Self, HandoverError> {
        let Note { candidates, attestations, reasons, unclaimed } = serde_json::from_slice(bytes)?;
        let mut bundles = candidates.iter().map(|one| one.bundles.len());
        if let Some(found) = bundles.find(|found| *found > limits::BUNDLES) {
            return Err(HandoverError::Bundles { found });
        }
        let reasons = reasons.into_iter().map(|reason| reason.0).collect();
        Ok(Survey { candidates, attestations, reasons, unclaimed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(bundles: usize) -> Candidate {
        Candidate {
            model: "m".to_owned(),
            is_folder: true,
            bundles: vec!["m/model.sig".to_owned(); bundles],
            others: Vec::new(),
        }
    }

    fn read(survey: Survey) -> Result<Survey, HandoverError> {
        let mut json = Vec::new();
        survey.to_json(&mut json).unwrap();
        Survey::from_json(&json)
    }

    #[test]
    fn no_more_of_anything_than_a_search_gives() {
        let with = |models: usize, bundles: usize, unclaimed: usize| {
            let candidates = vec![candidate(bundles); models];
            let unclaimed = vec!["u".to_owned(); unclaimed];
            read(Survey { candidates, unclaimed, ..Survey::default() })
        };
        let (models, bundles, unclaimed) = (limits::MODELS, limits::BUNDLES, limits::UNCLAIMED);
        assert_eq!(with(models, 1, unclaimed).unwrap().candidates.len(), models);
        assert_eq!(with(1, bundles, 0).unwrap().candidates.len(), 1);
        assert!(matches!(with(models + 1, 1, 0), Err(HandoverError::Json(_))));
        assert!(matches!(with(1, 1, unclaimed + 1), Err(HandoverError::Json(_))));
        assert!(matches!(with(1, bundles + 1, 0), Err(HandoverError::Bundles { .. })));
    }
}
