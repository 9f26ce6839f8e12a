//! `verify`: decides about a model where it lies.

mod station_keys;

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use oms_sys::durable;
use oms_verify::budget::Budget;
use oms_verify::dsse::Message;
use oms_verify::pki::Profile;
use oms_verify::policy::{SIZE, parse_size};
use oms_verify::reason::{Code, Reason};
use oms_verify::time::UnixTime;
use oms_verify::verdict::{self, ClockStatus, Decision, StationFacts, Verdict};

use super::reading::ReadingArgs;
use super::{Done, output, print, print_json, warn};
use crate::clock::system_time;
use crate::intake::{Pulse, Reading, Settings, Source, alone};
use crate::keys::{KeyRef, SigningKey};
use crate::media::{InPlace, Location, bundle_of};
use crate::outbound::VERSION;
use crate::pipeline::{BundleFile, Terms, examine};
use crate::present::{Outcome, VerifyDocument, decision_text};
use crate::progress::Summary;
use crate::scanner;
use crate::signer::{Shape, Signer};
use crate::trust::{Guard, Trust, TrustPaths};

/// Where a station's configuration is, to know its keys.
const STATION: &str = "/etc/oms-appliance/station.toml";
/// `verifier.id` of verdicts that no station made.
const IN_PLACE: &str = "urn:oms-appliance:in-place";

#[derive(clap::Args)]
pub(super) struct Args {
    /// The model: a folder or a file
    #[arg(default_value = ".")]
    model: PathBuf,
    /// The policy: a name in /etc/oms-appliance/policies, or a path that contains a `/`
    #[arg(long)]
    policy: PathBuf,
    /// The bundle, repeatable [default: MODEL/model.sig, a single *.sig in MODEL, MODEL.sig, or
    /// model.sig beside MODEL]
    #[arg(long = "bundle", value_name = "FILE")]
    bundles: Vec<PathBuf>,
    /// An attestation, repeatable [default: *.sigstore.json, *.sigstore and *.intoto.json in MODEL
    /// and, where the policy asks for attestations, beside it and beside its bundle]
    #[arg(long = "attestation", value_name = "FILE")]
    attestations: Vec<PathBuf>,
    /// The folder of trust anchors with its roots.toml [default: /etc/oms-appliance/roots]
    #[arg(long, value_name = "DIR")]
    roots: Option<PathBuf>,
    /// The folder of CRLs [default: /etc/oms-appliance/crls]
    #[arg(long, value_name = "DIR")]
    crls: Option<PathBuf>,
    /// The time of validation, RFC 3339 [default: the clock's]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<UnixTime>,
    /// Write a signed verdict of mode in-place to this file
    #[arg(long, value_name = "OUT", requires = "signer")]
    verdict: Option<PathBuf>,
    /// The key of the verdict: a PEM file or a PKCS#11 URI, not one of the station's
    #[arg(long, value_name = "KEY", requires = "verdict")]
    signer: Option<String>,
    /// The Unix socket of a virus scanner that speaks as clamd does
    #[arg(long, value_name = "SOCKET")]
    scanner: Option<PathBuf>,
    /// The largest file that the scanner reads in full, such as 100MiB: the least of its MaxFileSize,
    /// MaxScanSize and StreamMaxLength [default: 100MiB]
    #[arg(long, value_name = "SIZE", requires = "scanner", value_parser = parse_bytes)]
    scanner_max_file: Option<u64>,
    #[command(flatten)]
    reading: ReadingArgs,
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn parse_time(text: &str) -> Result<UnixTime, String> {
    UnixTime::parse_rfc3339(text)
        .ok_or_else(|| "expected RFC 3339, such as 2026-03-01T12:00:00Z".to_owned())
}

fn parse_bytes(text: &str) -> Result<u64, String> {
    parse_size(text).ok_or_else(|| format!("expected {SIZE}"))
}

pub(super) fn run(args: &Args) -> Done {
    match decide(args) {
        Ok((decision, summary)) => {
            if args.json {
                print_json(&VerifyDocument::decided(&decision, &summary));
            } else {
                print(&decision_text(&decision));
            }
            Ok(Outcome::of_decision(&decision))
        }
        Err(reason) if args.json => {
            let reasons = [reason];
            print_json(&VerifyDocument::failed(&reasons));
            Ok(Outcome::of(&reasons))
        }
        Err(reason) => Err(vec![reason]),
    }
}

fn decide(args: &Args) -> Result<(Decision, Summary), Reason> {
    let watch = args.reading.watch()?;
    let unseen = watch.unseen();
    let opened = {
        let model = args.model.clone();
        move |_: &Pulse| {
            let source = Source::at(&model)?;
            Ok((Location::from(source), name_of(&model), Guard::default().against(&model)))
        }
    };
    let (location, name, guard) = alone(&Reading::plain(&unseen), opened)?;
    if let Some(out) = &args.verdict {
        output::check("--verdict", out, &Budget::default())?;
        let inputs = [args.bundles.as_slice(), &args.attestations].concat();
        output::check_is_beside("--verdict", out, &args.model, &inputs)?;
    }
    let paths = TrustPaths {
        policy: args.policy.clone(),
        roots: args.roots.clone(),
        crls: args.crls.clone(),
    };
    let trust = Trust::load(&paths, &guard)?;
    let signer =
        args.signer.as_deref().map(|key| verdict_signer(key, Path::new(STATION))).transpose()?;
    let scanner = args.scanner.clone().map(|socket| scanner::Settings {
        socket,
        max_file_bytes: args.scanner_max_file.unwrap_or(scanner::MAX_FILE_BYTES),
    });
    let terms = Terms {
        trust: &trust,
        time: args.at.unwrap_or_else(system_time),
        profile: Profile::CODE_SIGNING,
        ignored: &[],
        intake: args.reading.settings(Settings::default()),
        scanner: scanner.as_ref(),
    };
    let reading = Reading { settings: terms.intake, rules: trust.policy.media, progress: &unseen };
    let (paths, attestations) = alone(&reading, beside(args, &trust))?;
    let progress = watch.progress(&name);
    let budget = &trust.policy.budget;
    let bundles = paths.iter().map(|path| BundleFile::at(path, &args.model, budget, &reading));
    let verdict = examine(&name, &location, bundles, &attestations, terms, &progress)?;
    let decision = verdict.decision(&trust.crl_digests);
    let summary = progress.summary();
    drop(progress);
    if let (Some(out), Some(signer)) = (&args.verdict, signer) {
        let clock = if args.at.is_some() { ClockStatus::Given } else { ClockStatus::System };
        write_verdict(out, &signer, &decision, &verdict, clock)?;
    }
    Ok((decision, summary))
}

/// The model's name for people.
fn name_of(model: &Path) -> String {
    let canonical = model.canonicalize().unwrap_or_else(|_| model.to_owned());
    canonical.file_name().map_or_else(|| "model".to_owned(), |n| n.to_string_lossy().into_owned())
}

/// Finds the bundles and the attestations of the model.
fn beside(
    args: &Args,
    trust: &Trust,
) -> impl FnOnce(&Pulse) -> Result<(Vec<PathBuf>, InPlace), Reason> + Send + use<> {
    let (model, bundles) = (args.model.clone(), args.bundles.clone());
    let (named, are_asked_for) = (args.attestations.clone(), !trust.policy.attestations.is_empty());
    move |pulse| {
        let bundles = bundle_paths(&model, bundles)?;
        pulse.go_on()?;
        let attestations = match named.as_slice() {
            [] => InPlace::found(&model, &bundles, are_asked_for)?,
            named => InPlace::named(named, &model)?,
        };
        Ok((bundles, attestations))
    }
}

fn bundle_paths(model: &Path, named: Vec<PathBuf>) -> Result<Vec<PathBuf>, Reason> {
    match named.as_slice() {
        [] => match bundle_of(model) {
            Ok(path) => Ok(vec![path]),
            // A model without a bundle is refused by the decision, like any other.
            Err(reason) if reason.code == Code::BundleMissing => Ok(Vec::new()),
            Err(reason) => Err(reason),
        },
        _ => Ok(named),
    }
}

/// Opens the key of a verdict in place, unless it is one of those that the configuration `station`
/// names.
fn verdict_signer(text: &str, station: &Path) -> Result<Signer, Reason> {
    let key = KeyRef::parse(text, Path::new("")).map_err(|error| Reason::from(&error))?;
    let key = SigningKey::open(&key).map_err(|error| Reason::from(&error))?;
    station_keys::check_differs(&key, station)?;
    Signer::new(key, Vec::new())
}

fn write_verdict(
    out: &Path,
    signer: &Signer,
    decision: &Decision,
    verdict: &Verdict,
    clock: ClockStatus,
) -> Result<(), Reason> {
    let payload = verdict::compose(
        decision,
        verdict.files(),
        &StationFacts {
            verifier: IN_PLACE,
            version: VERSION,
            ledger: None,
            resigned: None,
            protection: signer.protection(),
            intermediates: &[],
            sandbox: "none",
            clock,
        },
    );
    let bundle = signer.sign(Cow::Owned(Message::of_statement(payload)), Shape::Leaf)?;
    durable::replace_with(out, 0o644, |file| bundle.write(file)).map_err(|error| {
        Reason::new(Code::OutboundWrite, error.to_string()).about(out.display().to_string())
    })?;
    warn(&format!("verdict written to {}\n", out.display()));
    Ok(())
}
