//! `inspect FILE`: what a bundle alleges, or what a model file holds.

mod bundle;
mod file;

use std::path::PathBuf;

use oms_verify::budget::Budget;
use oms_verify::bundle::Bundle;
use oms_verify::reason::{Code, Reason};

use super::Done;
use crate::bounded;
use crate::present::Outcome;

#[derive(clap::Args)]
pub(super) struct Args {
    /// A bundle or a model file
    file: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn run(args: &Args) -> Done {
    let budget = Budget::default();
    let unreadable = |error: std::io::Error| {
        let reason = Reason::new(Code::MediaUnreadable, error.to_string());
        vec![reason.about(args.file.display().to_string())]
    };
    let metadata = std::fs::metadata(&args.file).map_err(unreadable)?;
    if metadata.is_dir() {
        let detail = "inspect takes one file: a bundle or a model file";
        let reason = Reason::new(Code::ConfigUsage, detail);
        return Err(vec![reason.about(args.file.display().to_string())]);
    }
    if !metadata.is_file() {
        let reason = Reason::new(Code::MediaNotRegular, "it is not a regular file");
        return Err(vec![reason.about(args.file.display().to_string())]);
    }
    if metadata.len() <= budget.bundle_bytes {
        let bytes = bounded::read(&args.file, budget.bundle_bytes).map_err(unreadable)?;
        match Bundle::parse(&bytes, &budget) {
            Ok(bundle) => {
                bundle::show(&bundle, args.json);
                return Ok(Outcome::Passed);
            }
            Err(error) if alleges_to_be_a_bundle(&bytes) => {
                return Err(vec![Reason::from(&error).about(args.file.display().to_string())]);
            }
            Err(_) => {}
        }
    }
    let mut file = std::fs::File::open(&args.file).map_err(unreadable)?;
    let bytes = file.metadata().map_err(unreadable)?.len();
    let (inspection, contents) =
        oms_inspect::describe(&mut file, bytes, &oms_inspect::Budget::default())
            .map_err(|error| unreadable(std::io::Error::other(error)))?;
    file::show(&args.file, bytes, inspection, contents, args.json);
    Ok(Outcome::Passed)
}

/// Whether a file that is no bundle was meant as one, so that its fault is worth telling.
fn alleges_to_be_a_bundle(bytes: &[u8]) -> bool {
    const FIELD: &[u8] = b"\"dsseEnvelope\"";
    bytes.starts_with(b"{") && bytes.windows(FIELD.len()).any(|window| window == FIELD)
}
