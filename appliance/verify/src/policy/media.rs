//! `[media]`: how patiently a carrier is read.

use serde::{Deserialize, Serialize};

use crate::time::Span;

/// The most that `media.retries` may allow.
pub const MOST_RETRIES: u32 = 1000;

/// Rules for the reading of carriers. They decide nothing about a model: a carrier that fails for
/// longer than they allow leaves it undecided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MediaRules {
    /// How many reads that failed may be repeated for one model, at most [`MOST_RETRIES`]. Each one
    /// is counted in the verdict.
    pub retries: u32,
    /// How long a carrier may leave a read unanswered, from a second to an hour.
    pub stall: Span,
}

impl Default for MediaRules {
    /// No read is repeated, and a carrier may be silent for two minutes.
    fn default() -> Self {
        MediaRules { retries: 0, stall: Span { seconds: 120 } }
    }
}
