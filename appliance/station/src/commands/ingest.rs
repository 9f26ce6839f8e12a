//! `ingest`: the whole way, once, for every model of a carrier.

use std::path::PathBuf;

use oms_verify::pki::LeafProfile;
use oms_verify::reason::{Class, Code, Reason};

use super::{Done, print, print_json, warn};
use crate::config::Config;
use crate::media::find;
use crate::opening;
use crate::pipeline::{self, Terms, now};
use crate::present::{IngestDocument, IngestedModel, Outcome, reasons_text, verdict_text};
use crate::progress::Progress;
use crate::trust::{Guard, Trust};

#[derive(clap::Args)]
pub(super) struct Args {
    /// The carriers: mounted folders
    #[arg(required = true)]
    carriers: Vec<PathBuf>,
    /// The station's configuration
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Another policy than the configured one
    #[arg(long)]
    policy: Option<PathBuf>,
    /// Another outbound folder than the configured one
    #[arg(long, value_name = "DIR")]
    outbound: Option<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// What became of the carriers so far.
#[derive(Default)]
struct Tally {
    recovered: Vec<String>,
    models: Vec<IngestedModel>,
    /// Every reason, of models and of carriers: the gravest gives the exit code.
    all: Vec<Reason>,
    /// The reasons that are no model's.
    carriers: Vec<Reason>,
}

pub(super) fn run(args: &Args) -> Done {
    let mut tally = Tally::default();
    if let Err(reason) = ingest(args, &mut tally) {
        warn(&reasons_text("error", std::slice::from_ref(&reason)));
        tally.all.push(reason.clone());
        tally.carriers.push(reason);
    }
    let outcome = Outcome::of(&tally.all);
    if args.json {
        let Tally { recovered, models, carriers, .. } = tally;
        print_json(&IngestDocument::new(outcome, recovered, models, &carriers));
    }
    Ok(outcome)
}

fn ingest(args: &Args, tally: &mut Tally) -> Result<(), Reason> {
    let guard =
        args.carriers.iter().fold(Guard::default(), |guard, carrier| guard.against(carrier));
    let config =
        Config::load(&args.config, args.policy.as_deref(), args.outbound.as_deref(), &guard)?;
    let trust = Trust::load(&config.trust, &guard)?;
    let mut outbound = opening::open(&config)?;
    if let Some(published) = outbound.recover()? {
        let entry = published.entry.display().to_string();
        warn(&format!("published what was begun before: {entry}\n"));
        tally.recovered.push(entry);
    }
    for carrier in &args.carriers {
        let (root, candidates) = find(carrier, &trust.policy.budget)?;
        if candidates.is_empty() {
            let detail = "there is no OMS bundle (*.sig) on the carrier";
            let reason = Reason::new(Code::BundleMissing, detail);
            let reason = reason.about(carrier.display().to_string());
            warn(&reasons_text("carrier", std::slice::from_ref(&reason)));
            tally.all.push(reason.clone());
            tally.carriers.push(reason);
        }
        for candidate in candidates {
            let progress = Progress::visible(candidate.name());
            let terms =
                Terms { trust: &trust, time: now(), leaf: LeafProfile::Strict, ignored: &[] };
            let done = pipeline::ingest(&mut outbound, &root, &candidate, terms, &progress);
            drop(progress);
            match done {
                Ok((verdict, published)) => {
                    if !args.json {
                        print(&verdict_text(&verdict));
                        print(&format!("  entry    {}\n", published.entry.display()));
                    }
                    let path = shown(&candidate.model);
                    tally.models.push(IngestedModel::published(path, &verdict, &published));
                    tally.all.extend(verdict.reasons().iter().cloned());
                }
                Err(reason) => {
                    let stop = !is_of_the_carrier(&reason);
                    warn(&reasons_text("could not decide", std::slice::from_ref(&reason)));
                    tally.models.push(IngestedModel::failed(shown(&candidate.model), &reason));
                    tally.all.push(reason);
                    if stop {
                        // The station itself failed: nothing more is begun.
                        return Ok(());
                    }
                }
            }
        }
    }
    Ok(())
}

fn shown(model: &str) -> &str {
    if model.is_empty() { "." } else { model }
}

/// Whether another model of the carrier may still be decided about.
fn is_of_the_carrier(reason: &Reason) -> bool {
    reason.code == Code::MediaUnreadable || reason.code.class() == Class::Refusal
}
