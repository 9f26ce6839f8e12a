//! Everything that was measured, as one value: for JSON, and for the table.

use serde::Serialize;

use super::machine::Machine;
use super::memory::Peak;
use super::rounds::Outcome;
use super::table;
use crate::failure::Failure;

/// What a run of the benchmark found.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    /// What it was measured on.
    pub(super) machine: Machine,
    /// Timed runs of each side.
    pub(super) rounds: u32,
    /// The contests.
    pub(super) workloads: Vec<Outcome>,
    /// The appliance's memory by the size of the model.
    pub(super) memory: Vec<Peak>,
    /// What a reader of the figures must know.
    pub(super) notes: Vec<String>,
}

impl Report {
    /// Prints it, as a table or as one JSON document.
    #[expect(clippy::print_stdout, reason = "the result of the command")]
    pub(super) fn print(&self, as_json: bool) -> Result<(), Failure> {
        if as_json {
            let text = serde_json::to_string_pretty(self).map_err(|error| Failure::Bench {
                what: format!("cannot write the result: {error}"),
            })?;
            println!("{text}");
        } else {
            print!("{}", table::text(self));
        }
        Ok(())
    }
}
