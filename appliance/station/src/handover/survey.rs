//! The models of a carrier, as the search for them found them.

use std::io::Write;

use oms_verify::reason::Reason;
use serde::{Deserialize, Serialize};

use super::HandoverError;
use crate::media::{Attestations, Candidate, Found};
use crate::process::wire::WireReason;

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
    candidates: Vec<Candidate>,
    attestations: Attestations,
    reasons: Vec<WireReason>,
    unclaimed: Vec<String>,
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
    /// When it is not of the structure.
    pub fn from_json(bytes: &[u8]) -> Result<Self, HandoverError> {
        let Note { candidates, attestations, reasons, unclaimed } = serde_json::from_slice(bytes)?;
        let reasons = reasons.into_iter().map(|reason| reason.0).collect();
        Ok(Survey { candidates, attestations, reasons, unclaimed })
    }
}
