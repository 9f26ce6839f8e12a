//! What the processes of a station hand to each other about one model, too long for a message: JSON
//! in sealed memory.
//!
//! ```text
//!  copier ──Survey──▶ supervisor            the models of a carrier
//!  decider ──manifest──▶ copier, inspector  what to copy; what to look into
//!  copier, inspector ──Sight──▶ decider     what was seen
//!  decider ──Decision, files──▶ supervisor ──▶ signer
//! ```
//!
//! Each is read as strictly as a carrier's files are: whoever wrote it has touched them.

mod files;
mod made;
mod manifest;
mod memory;
mod sight;
mod survey;

use oms_verify::reason::{Code, Reason};
use oms_verify::verdict::VerdictError;

pub(crate) use files::written;
pub use files::{files_from_json, files_to_json};
pub use made::{Made, made};
pub use manifest::{manifest_from_json, manifest_to_json};
pub use memory::{MOST_SEALED, sealed_copy, sealed_json, sealed_with};
pub use sight::Sight;
pub use survey::{MOST_SURVEY, Survey};

/// Why what another process handed over is not what was agreed.
#[derive(Debug, thiserror::Error)]
pub enum HandoverError {
    /// not JSON of the structure
    #[error("it is not of the agreed structure: {0}")]
    Json(#[from] serde_json::Error),
    /// a format that is in no table
    #[error("{0:?} is no format's name")]
    Format(String),
    /// a mark with a code that is not about content
    #[error("{0:?} is no code of a finding")]
    Code(String),
    /// a survey with more bundles of one model than a search gives
    #[error("one model has {found} bundles")]
    Bundles {
        /// How many there are.
        found: usize,
    },
    /// files that break the rules of a manifest
    #[error("its files: {0}")]
    Files(#[from] VerdictError),
}

impl From<HandoverError> for Reason {
    fn from(error: HandoverError) -> Reason {
        Reason::new(Code::ProcessProtocol, error.to_string())
    }
}
