//! `sign-model`.

use std::collections::BTreeMap;
use std::iter;
use std::path::{Path, PathBuf};

use oms_station::bounded;
use oms_station::intake::Reading;
use oms_station::keys::SigningKey;
use oms_station::progress::Progress;
use oms_station::sign::{Plan, hash_model};
use oms_station::signer::{Sealed, Signer, read_chain};
use oms_sys::durable;
use oms_verify::budget::Budget;
use oms_verify::hash::HashAlgorithm;
use oms_verify::reason::{Code, Reason};
use oms_verify::statement::Method as Serialization;

use crate::{Method, needed};

/// Bytes of a file with a private key.
const KEY_LIMIT: u64 = 16 << 10;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// How the signer is known
    #[arg(long)]
    method: Method,
    /// The model: a folder or a file
    #[arg(long, value_name = "PATH")]
    model_path: PathBuf,
    /// The bundle to write
    #[arg(long, value_name = "FILE")]
    output_bundle: PathBuf,
    /// The private key
    #[arg(long, value_name = "PEM")]
    private_key: Option<PathBuf>,
    /// The certificate of the key
    #[arg(long, value_name = "PEM")]
    signing_cert: Option<PathBuf>,
    /// Certificates above it, from leaf to root, repeatable
    #[arg(long, value_name = "PEM")]
    cert_chain: Vec<PathBuf>,
    /// A path to leave out, repeatable
    #[arg(long, value_name = "PATH")]
    ignore_paths: Vec<PathBuf>,
    /// The token of the method sigstore
    #[arg(long, value_name = "TOKEN")]
    identity_token: Option<String>,
    /// Use the staging instance of Sigstore
    #[arg(long)]
    use_staging: bool,
}

pub(crate) fn run(args: &Args) -> Result<(), Vec<Reason>> {
    let signer = signer(args).map_err(|reason| vec![reason])?;
    let plan = Plan {
        hash: HashAlgorithm::Sha256,
        method: Serialization::Files,
        ignore: args.ignore_paths.iter().chain([&args.output_bundle]).cloned().collect(),
    };
    let hashed = hash_model(
        &args.model_path,
        &plan,
        &Budget::default(),
        &Reading::plain(&Progress::hidden()),
    )?;
    signer
        .sign_model(&hashed.name, &BTreeMap::new(), &hashed.manifest)
        .and_then(|bundle| write(&args.output_bundle, &bundle))
        .map_err(|reason| vec![reason])
}

fn signer(args: &Args) -> Result<Signer, Reason> {
    let chain: Vec<&PathBuf> = match args.method {
        Method::Key => Vec::new(),
        Method::Certificate => {
            let leaf = needed(&args.signing_cert, "--signing-cert")?;
            iter::once(leaf).chain(&args.cert_chain).collect()
        }
        Method::Sigstore => {
            let instance = if args.use_staging { "staging" } else { "public-good" };
            let token = if args.identity_token.is_some() { "a" } else { "no" };
            let detail = format!(
                "this implementation works offline and cannot sign by the method sigstore \
                 ({instance} instance, {token} token given)"
            );
            return Err(Reason::new(Code::ConfigUsage, detail));
        }
    };
    let mut certificates = Vec::new();
    for file in chain {
        certificates.extend(read_chain(file)?);
    }
    Signer::new(private_key(needed(&args.private_key, "--private-key")?)?, certificates)
}

/// The keys of the suite are public, so nothing is asked about who may read the file.
fn private_key(file: &Path) -> Result<SigningKey, Reason> {
    let text = bounded::read(file, KEY_LIMIT).map_err(|error| {
        Reason::new(Code::KeyFile, error.to_string()).about(file.display().to_string())
    })?;
    SigningKey::from_pem(&text, file).map_err(|error| Reason::from(&error))
}

fn write(file: &Path, bundle: &Sealed<'_>) -> Result<(), Reason> {
    durable::replace_with(file, 0o644, |file| bundle.write(file)).map_err(|error| {
        Reason::new(Code::OutboundWrite, error.to_string()).about(file.display().to_string())
    })
}
