//! Keras models: the configuration from which the layers are built, in HDF5 attributes or in the zip
//! that is called `.keras`.
//!
//! ```text
//!   .h5       root attributes model_config, training_config (JSON), group model_weights
//!   .keras    config.json, metadata.json, model.weights.h5, assets/
//! ```
//!
//! Loading a model builds every object that its configuration names, with arguments out of the file.
//! So every name is reported, and a policy admits classes one by one.

mod config;

use std::io::{Read, Seek};

use crate::budget::Budget;
use crate::finding::Place;
use crate::malformed::{Fault, Malformed};
use crate::notes::Notes;
use crate::source::Source;

pub(crate) use config::config;

/// The member of a `.keras` archive from which the model is built.
pub(crate) const CONFIG: &str = "config.json";

/// Reads that member, which is `source`.
pub(crate) fn member<R: Read + Seek>(
    source: &mut Source<'_, R>,
    budget: &Budget,
    notes: &mut Notes,
) -> Result<(), Fault> {
    let length = source.length();
    let limit = budget.keras_config;
    if length > limit {
        notes.malformed(Place::File, format!("a configuration of more than {limit} bytes"));
        return Ok(());
    }
    match config(source, (0, length), "", budget, notes) {
        // Where the syntax breaks, the archive's reader of JSON has said so.
        Err(Fault::Broken(cause)) => {
            match cause {
                Malformed::Rule { place, detail } => notes.malformed(place, detail),
                cause => notes.malformed(Place::File, cause.to_string()),
            }
            Ok(())
        }
        result => result,
    }
}
