//! `digest`: the root digest of a model (OMS v1.0, section 6.5.1).

use std::path::PathBuf;

use oms_verify::reason::Printable;
use serde::Serialize;

use super::reading::{ReadingArgs, plain};
use super::sign::ManifestArgs;
use super::{Done, print, print_json};
use crate::present::{IntakeDetail, Outcome};
use crate::sign::hash_model;

#[derive(clap::Args)]
pub(super) struct Args {
    /// The model: a folder or a file
    model: PathBuf,
    #[command(flatten)]
    manifest: ManifestArgs,
    #[command(flatten)]
    reading: ReadingArgs,
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema: &'static str,
    model: String,
    root_digest: String,
    files: usize,
    resources: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    intake: Option<IntakeDetail>,
}

pub(super) fn run(args: &Args) -> Done {
    let watch = args.reading.watch().map_err(|reason| vec![reason])?;
    let progress = watch.progress("hashing");
    let reading = plain(&args.reading, &progress);
    let plan = args.manifest.plan(None);
    let hashed = hash_model(&args.model, &plan, &args.manifest.budget(), &reading)?;
    let intake = IntakeDetail::of(&progress.summary());
    drop(progress);
    let root = hashed.manifest.root();
    if args.json {
        print_json(&Document {
            schema: "urn:oms-appliance:digest:1",
            model: hashed.name,
            root_digest: root.to_hex(),
            files: hashed.manifest.files().len(),
            resources: hashed.manifest.resources(),
            intake,
        });
    } else {
        print(&format!("sha256:{root}  {}\n", Printable(&hashed.name)));
    }
    Ok(Outcome::Passed)
}
