//! `ingest`: the whole way, once, for every model of a carrier.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use oms_verify::reason::{Printable, Reason};

use super::reading::{ReadingArgs, Watch};
use super::{Done, print, print_json, warn};
use crate::config::Config;
use crate::intake::{Pulse, Reading, alone};
use crate::media::Candidate;
use crate::opening;
use crate::present::{IngestDocument, IngestedModel, Outcome, decision_text, reasons_text};
use crate::progress::Progress;
use crate::supervisor::{self, Carrier, Event, Means, Observer, Served};
use crate::trust::{Guard, Trust};

/// Most names that are shown to people at once.
const MAX_SHOWN: usize = 50;

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
    /// Let the station's processes work without a sandbox: for development only, and told in every
    /// verdict
    #[arg(long)]
    insecure_no_sandbox: bool,
    #[command(flatten)]
    reading: ReadingArgs,
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

/// What became of the carriers so far.
struct Tally {
    recovered: Vec<String>,
    models: Vec<IngestedModel>,
    /// The gravest outcome of a model or a carrier: it gives the exit code.
    gravest: Outcome,
    /// The reasons that are no model's.
    carriers: Vec<Reason>,
    /// What no bundle names.
    unclaimed: Vec<String>,
}

impl Tally {
    /// Tells and keeps reasons that are no model's.
    fn report(&mut self, title: &str, reasons: Vec<Reason>) {
        warn(&reasons_text(title, &reasons));
        self.gravest = self.gravest.max(Outcome::of(&reasons));
        self.carriers.extend(reasons);
    }

    /// Tells and keeps what no bundle names. That decides nothing.
    fn leave(&mut self, unclaimed: Vec<String>) {
        if unclaimed.is_empty() {
            return;
        }
        let shown = unclaimed.iter().take(MAX_SHOWN).map(|name| Printable(name).to_string());
        let shown = shown.collect::<Vec<_>>().join(", ");
        let more = match unclaimed.len().saturating_sub(MAX_SHOWN) {
            0 => String::new(),
            more => format!(", and {more} more: see --json"),
        };
        warn(&format!("not looked at, no bundle names them: {shown}{more}\n"));
        self.unclaimed.extend(unclaimed);
    }
}

pub(super) fn run(args: &Args) -> Done {
    let mut tally = Tally {
        recovered: Vec::new(),
        models: Vec::new(),
        gravest: Outcome::Passed,
        carriers: Vec::new(),
        unclaimed: Vec::new(),
    };
    if let Err(reason) = ingest(args, &mut tally) {
        tally.report("error", vec![reason]);
    }
    let outcome = tally.gravest;
    if args.json {
        let Tally { recovered, models, carriers, unclaimed, .. } = tally;
        print_json(&IngestDocument::new(outcome, recovered, models, unclaimed, &carriers));
    }
    Ok(outcome)
}

fn ingest(args: &Args, tally: &mut Tally) -> Result<(), Reason> {
    let watch = args.reading.watch()?;
    let unseen = watch.unseen();
    let guard = {
        let carriers = args.carriers.clone();
        let against = |guard: Guard, carrier: &PathBuf| guard.against(carrier);
        let guard = move |_: &Pulse| Ok(carriers.iter().fold(Guard::default(), against));
        alone(&Reading::plain(&unseen), guard)?
    };
    let config =
        Config::load(&args.config, args.policy.as_deref(), args.outbound.as_deref(), &guard)?;
    let trust = Trust::load(&config.trust, &guard)?;
    let mut outbound =
        opening::open(&config, &args.config, args.policy.as_deref(), !args.insecure_no_sandbox)?;
    for published in outbound.recover(|| watch.progress("checking what was begun"))? {
        let entry = published.entry.display().to_string();
        warn(&format!("published what was begun before: {entry}\n"));
        tally.recovered.push(entry);
    }
    let means = Means {
        scanner: config.scanner.as_ref(),
        trust: &config.trust,
        policy: &trust.policy,
        settings: args.reading.settings(config.intake),
        is_sandboxed: !args.insecure_no_sandbox,
    };
    let mut shown = Shown { tally, watch: &watch, is_quiet: args.json };
    let outbound = Mutex::new(outbound);
    for folder in &args.carriers {
        watch.cancel.check()?;
        let carrier = Carrier::Folder(folder);
        let served = supervisor::serve(&outbound, carrier, &means, &watch.cancel, &mut shown)?;
        if served == Served::Stopped {
            break;
        }
    }
    Ok(())
}

/// Shows people what happens, and keeps the tally.
struct Shown<'a> {
    tally: &'a mut Tally,
    watch: &'a Watch,
    /// Whether the document tells it all in the end.
    is_quiet: bool,
}

impl Observer for Shown<'_> {
    fn tell(&mut self, event: Event<'_>) {
        match event {
            Event::Troubled(reasons) => self.tally.report("carrier", reasons.to_vec()),
            Event::Surveyed { unclaimed, .. } => self.tally.leave(unclaimed.to_vec()),
            Event::Published { path, decision, published, summary } => {
                let path = shown(path);
                if !self.is_quiet {
                    print(&decision_text(decision));
                    if path != decision.model {
                        print(&format!("  carrier  {}\n", Printable(path)));
                    }
                    print(&format!("  entry    {}\n", published.entry.display()));
                }
                let model = IngestedModel::published(path, decision, published, summary);
                self.tally.models.push(model);
                self.tally.gravest = self.tally.gravest.max(Outcome::of_decision(decision));
            }
            Event::Released => {}
        }
    }

    fn begin(&mut self, candidate: &Candidate) -> Arc<Progress> {
        Arc::new(self.watch.progress(candidate.name()))
    }

    fn failed(&mut self, candidate: &Candidate, reason: &Reason) -> bool {
        warn(&reasons_text("could not decide", std::slice::from_ref(reason)));
        self.tally.models.push(IngestedModel::failed(shown(&candidate.model), reason));
        let outcome = Outcome::of(std::slice::from_ref(reason));
        self.tally.gravest = self.tally.gravest.max(outcome);
        true
    }
}

fn shown(model: &str) -> &str {
    if model.is_empty() { "." } else { model }
}
