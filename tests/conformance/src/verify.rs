//! `verify-model`.

use std::path::PathBuf;

use oms_station::clock::system_time;
use oms_station::intake::{Reading, Settings, Source};
use oms_station::media::{InPlace, Location};
use oms_station::pipeline::{BundleFile, Terms, examine};
use oms_station::progress::Progress;
use oms_station::sign::relative_paths;
use oms_verify::reason::{Code, Reason};

use crate::settings::{self, Signer};
use crate::{Method, needed};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// How the signer is known
    #[arg(long)]
    method: Method,
    /// The model: a folder or a file
    #[arg(long, value_name = "PATH")]
    model_path: PathBuf,
    /// The bundle
    #[arg(long, value_name = "FILE")]
    bundle: PathBuf,
    /// The public key
    #[arg(long, value_name = "PEM")]
    public_key: Option<PathBuf>,
    /// Trust anchors, repeatable
    #[arg(long, value_name = "PEM")]
    cert_chain: Vec<PathBuf>,
    /// A path to leave out, repeatable
    #[arg(long, value_name = "PATH")]
    ignore_paths: Vec<PathBuf>,
    /// Let files pass by that nobody signed
    #[arg(long)]
    ignore_unsigned_files: bool,
    /// The identity that the method sigstore expects
    #[arg(long, value_name = "IDENTITY")]
    identity: Option<String>,
    /// The issuer that the method sigstore expects
    #[arg(long, value_name = "URL")]
    identity_provider: Option<String>,
    /// Use the staging instance of Sigstore
    #[arg(long)]
    use_staging: bool,
}

/// Gives the reasons for a refusal, none when the model passes.
///
/// # Errors
/// When nothing could be decided.
pub(crate) fn run(args: &Args) -> Result<Vec<Reason>, Vec<Reason>> {
    let one = |reason| vec![reason];
    let trust =
        signer(args).and_then(|signer| settings::trust(&signer, args.ignore_unsigned_files));
    let trust = trust.map_err(one)?;
    let source = Source::at(&args.model_path).map_err(one)?;
    let ignored = ignored(args, &source)?;
    let budget = &trust.policy.budget;
    let progress = Progress::hidden();
    let bundle = BundleFile::at(&args.bundle, &args.model_path, budget, &Reading::plain(&progress));
    let terms = Terms {
        scanner: None,
        trust: &trust,
        time: system_time(),
        profile: settings::PROFILE,
        ignored: &ignored,
        intake: Settings::default(),
    };
    let location = Location::from(source);
    let attestations = InPlace::default();
    let verdict = examine("model", &location, [bundle], &attestations, terms, &progress);
    verdict.map(|verdict| verdict.reasons().to_vec()).map_err(one)
}

fn signer(args: &Args) -> Result<Signer<'_>, Reason> {
    Ok(match args.method {
        Method::Key => Signer::Key(needed(&args.public_key, "--public-key")?),
        Method::Certificate => {
            if args.cert_chain.is_empty() {
                return Err(Reason::new(Code::ConfigUsage, "the method needs --cert-chain"));
            }
            Signer::Certificate(&args.cert_chain)
        }
        Method::Sigstore => Signer::Sigstore {
            trusted_root: if args.use_staging {
                "sigstore-staging"
            } else {
                "sigstore-public-good"
            },
            identity: needed(&args.identity, "--identity")?,
            issuer: needed(&args.identity_provider, "--identity-provider")?,
        },
    })
}

/// The paths to ignore, relative to the model; a single file has none.
fn ignored(args: &Args, source: &Source) -> Result<Vec<String>, Vec<Reason>> {
    match (source, args.model_path.canonicalize()) {
        (Source::Folder(_), Ok(root)) => relative_paths(&root, &args.ignore_paths),
        _ => Ok(Vec::new()),
    }
}
