//! Who watches a carrier being served.

use std::sync::Arc;

use oms_verify::reason::Reason;
use oms_verify::verdict::Decision;

use crate::media::Candidate;
use crate::outbound::Published;
use crate::progress::{Progress, Summary};

/// Hears what happens to a carrier.
pub trait Observer {
    /// Something has happened.
    fn tell(&mut self, event: Event<'_>);

    /// A model is going to be read: what counts it, and says when to end.
    fn begin(&mut self, candidate: &Candidate) -> Arc<Progress>;

    /// Nothing could be decided about a model. Gives whether the next one is to be tried.
    fn failed(&mut self, candidate: &Candidate, reason: &Reason) -> bool;
}

/// What happens to a carrier. Paths and names are the carrier's, and hostile.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// Reasons that are no model's; there may be none.
    Troubled(&'a [Reason]),
    /// It is known what is on it.
    Surveyed {
        /// How many models are to be decided about.
        models: usize,
        /// What no bundle names: it decides nothing.
        unclaimed: &'a [String],
    },
    /// A model was decided about, and its entry is out.
    Published {
        /// Where it lay on the carrier.
        path: &'a str,
        /// What was decided.
        decision: &'a Decision,
        /// The entry.
        published: &'a Published,
        /// What was read, and how.
        summary: &'a Summary,
    },
    /// The carrier may be pulled.
    Released,
}
