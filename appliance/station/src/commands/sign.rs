//! `sign`: makes an OMS bundle.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use oms_sys::durable;
use oms_verify::budget::Budget;
use oms_verify::hash::HashAlgorithm;
use oms_verify::reason::{Code, Printable, Reason};
use oms_verify::statement::{DEFAULT_SHARD_SIZE, Method};
use serde::Serialize;

use super::reading::{ReadingArgs, plain};
use super::{Done, output, print, print_json, warn};
use crate::clock::system_time;
use crate::keys::KeyRef;
use crate::present::{IntakeDetail, Outcome};
use crate::sign::{Hashed, Plan, hash_model};
use crate::signer::Signer;

#[derive(clap::Args)]
pub(super) struct Args {
    /// The model: a folder or a file
    model: PathBuf,
    /// The bundle to write
    #[arg(long, value_name = "OUT")]
    bundle: PathBuf,
    /// The key: a PEM file or a PKCS#11 URI (RFC 7512)
    #[arg(long, value_name = "KEY")]
    key: String,
    /// The key's certificate in PEM: the bundle is then of the method `certificate`
    #[arg(long, value_name = "PEM")]
    certificate: Option<PathBuf>,
    /// Intermediate certificates in PEM, repeatable
    #[arg(long, value_name = "PEM", requires = "certificate")]
    chain: Vec<PathBuf>,
    #[command(flatten)]
    manifest: ManifestArgs,
    /// An annotation of the model, KEY=VALUE, repeatable
    #[arg(long = "annotation", value_name = "K=V", value_parser = parse_annotation)]
    annotations: Vec<(String, String)>,
    #[command(flatten)]
    reading: ReadingArgs,
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

/// How a manifest is made; `digest` takes the same.
#[derive(clap::Args)]
pub(super) struct ManifestArgs {
    /// The hash of files: sha256, blake2b or blake3
    #[arg(long, value_name = "H", default_value = "sha256", value_parser = parse_hash)]
    hash: HashAlgorithm,
    /// Hash shards of this many bytes instead of whole files [with --shard-size alone: 1000000000]
    #[arg(
        long, value_name = "N", num_args = 0..=1, require_equals = false,
        default_missing_value = "1000000000", value_parser = clap::value_parser!(u64).range(1..)
    )]
    shard_size: Option<u64>,
    /// Files or shards at most; policies that admit more than 100000 say so by `max-files`
    #[arg(long, value_name = "N", default_value_t = Budget::default().resources)]
    max_files: usize,
    /// A path to leave out, repeatable; bundles (*.sig) at the top of the model are left out anyway
    #[arg(long, value_name = "PATH")]
    ignore: Vec<PathBuf>,
}

impl ManifestArgs {
    pub(super) fn plan(&self, bundle: Option<&Path>) -> Plan {
        let method = match self.shard_size {
            Some(size) => Method::Shards { size },
            None => Method::Files,
        };
        let ignore = self.ignore.iter().map(PathBuf::as_path).chain(bundle);
        Plan { hash: self.hash, method, ignore: ignore.map(Path::to_owned).collect() }
    }

    /// The budget of whoever signs what is theirs: a bundle may be as large as its files make it.
    pub(super) fn budget(&self) -> Budget {
        let budget = Budget::default();
        let largest = (self.max_files as u64).saturating_mul(BYTES_OF_A_FILE);
        let bundle_bytes = budget.bundle_bytes.max(largest);
        Budget { resources: self.max_files, bundle_bytes, ..budget }
    }
}

/// Bytes of a bundle that one file takes at most: the longest name, and what stands around it, in
/// base64.
const BYTES_OF_A_FILE: u64 = 1536 + 128;

/// Says what a policy has to allow for a model of unusual size.
fn warn_of_size(bundle: &Path, resources: usize) {
    let usual = Budget::default();
    if resources > usual.resources {
        warn(&format!("warning: a policy admits it only with max-files = {resources} or more\n"));
    }
    if let Some(bytes) =
        bundle.metadata().ok().map(|file| file.len()).filter(|bytes| *bytes > usual.bundle_bytes)
    {
        warn(&format!(
            "warning: a policy admits it only with max-bundle-bytes = {bytes} or more\n"
        ));
    }
}

const _: () = assert!(DEFAULT_SHARD_SIZE == 1_000_000_000, "the help of --shard-size says so");

fn parse_hash(text: &str) -> Result<HashAlgorithm, String> {
    HashAlgorithm::from_name(text).ok_or_else(|| "expected sha256, blake2b or blake3".to_owned())
}

fn parse_annotation(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema: &'static str,
    bundle: String,
    model: String,
    root_digest: String,
    files: usize,
    resources: usize,
    key: String,
    key_type: String,
    method: &'static str,
    unsigned: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    intake: Option<IntakeDetail>,
}

pub(super) fn run(args: &Args) -> Done {
    let watch = args.reading.watch().map_err(|reason| vec![reason])?;
    let one = |reason| vec![reason];
    let budget = args.manifest.budget();
    output::check("--bundle", &args.bundle, &budget).map_err(one)?;
    let reference =
        KeyRef::parse(&args.key, Path::new("")).map_err(|error| one(Reason::from(&error)))?;
    let chain: Vec<&Path> =
        args.certificate.iter().chain(&args.chain).map(PathBuf::as_path).collect();
    let signer = Signer::open(&reference, &chain).map_err(one)?;
    if let Some(leaf) = signer.leaf().filter(|leaf| leaf.not_after() < system_time()) {
        let (subject, end) = (leaf.subject(), leaf.not_after());
        let subject = Printable(&subject);
        warn(&format!("warning: the certificate of {subject} expired at {end}\n"));
    }
    let progress = watch.progress("signing");
    let reading = plain(&args.reading, &progress);
    let plan = args.manifest.plan(Some(&args.bundle));
    let hashed = hash_model(&args.model, &plan, &budget, &reading)?;
    let intake = IntakeDetail::of(&progress.summary());
    drop(progress);
    let annotations: BTreeMap<_, _> = args.annotations.iter().cloned().collect();
    let Hashed { name, manifest, unlisted } = &hashed;
    let bundle = signer.sign_model(name, &annotations, manifest).map_err(one)?;
    durable::replace_with(&args.bundle, 0o644, |file| bundle.write(file)).map_err(|error| {
        let reason = Reason::new(Code::OutboundWrite, error.to_string());
        one(reason.about(args.bundle.display().to_string()))
    })?;
    warn_of_size(&args.bundle, manifest.resources());
    for path in unlisted {
        let path = Printable(path);
        warn(&format!("warning: {path} is empty and has no shard: it stays unsigned\n"));
    }
    if args.json {
        print_json(&Document {
            schema: "urn:oms-appliance:sign:1",
            bundle: args.bundle.display().to_string(),
            model: name.clone(),
            root_digest: manifest.root().to_hex(),
            files: manifest.files().len(),
            resources: manifest.resources(),
            key: signer.public_key().fingerprint().to_hex(),
            key_type: signer.public_key().key_type().to_string(),
            method: if signer.leaf().is_some() { "certificate" } else { "key" },
            unsigned: unlisted.clone(),
            intake,
        });
    } else {
        let (shown, count) = (args.bundle.display(), manifest.files().len());
        print(&format!(
            "signed {}: {count} files, root sha256:{}\n  bundle   {shown}\n",
            Printable(name),
            manifest.root()
        ));
    }
    Ok(Outcome::Passed)
}
