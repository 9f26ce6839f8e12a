//! `ingest`: the whole way, once, for every model of a carrier.

use std::path::PathBuf;

use oms_sys::sealed::Sealed;
use oms_verify::reason::{Code, Printable, Reason};
use oms_verify::verdict::Decision;

use super::reading::ReadingArgs;
use super::{Done, print, print_json, warn};
use crate::chain::{self, Task};
use crate::clock::system_time;
use crate::config::Config;
use crate::handover::Survey;
use crate::intake::{Pulse, Reading, alone};
use crate::journal::{CarrierId, CarrierKind};
use crate::media::Candidate;
use crate::opening;
use crate::outbound::{Intake, Outbound, Published};
use crate::present::{IngestDocument, IngestedModel, Outcome, decision_text, reasons_text};
use crate::progress::Progress;
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
    let trust = trust.remembering(outbound.crl_memory.floors());
    for published in outbound.recover(|| watch.progress("checking what was begun"))? {
        let entry = published.entry.display().to_string();
        warn(&format!("published what was begun before: {entry}\n"));
        tally.recovered.push(entry);
    }
    for carrier in &args.carriers {
        watch.cancel.check()?;
        let source = carrier.display().to_string();
        let visit = outbound.journal.arrive(CarrierKind::Folder, &source, system_time())?;
        let task = Task {
            carrier,
            trust: &config.trust,
            floors: &outbound.crl_memory.floors(),
            policy: &trust.policy,
            settings: args.reading.settings(config.intake),
            is_sandboxed: !args.insecure_no_sandbox,
        };
        // What is wrong with one carrier, or a spot of it, is told and ends nothing else.
        let (found, sealed) = match chain::survey(&task, &watch.cancel) {
            Ok(found) => found,
            Err(reason) => {
                let reasons = vec![reason];
                outbound.journal.released(visit, &reasons, system_time())?;
                tally.report("carrier", reasons);
                continue;
            }
        };
        let Survey { candidates, attestations, mut reasons, mut unclaimed } = found;
        if candidates.is_empty() && reasons.is_empty() {
            let detail = "there is no OMS bundle (*.sig) on the carrier";
            let reason = Reason::new(Code::BundleMissing, detail);
            reasons.push(reason.about(&source));
        }
        let own = reasons.first().cloned();
        tally.report("carrier", reasons);
        // Attestations beside a model are looked at with it, where the policy asks for any.
        let beside = !trust.policy.attestations.is_empty()
            && candidates.iter().any(|candidate| !candidate.model.contains('/'));
        unclaimed.retain(|path| !(beside && attestations.at_top(path)));
        tally.leave(unclaimed);
        for (number, candidate) in candidates.iter().enumerate() {
            watch.cancel.check()?;
            let progress = watch.progress(candidate.name());
            let one = (&sealed, number, candidate);
            let done = ingest_one(&mut outbound, visit, &task, one, &progress);
            let summary = progress.summary();
            drop(progress);
            match done {
                Ok((path, decision, published)) => {
                    let path = shown(&path);
                    if !args.json {
                        print(&decision_text(&decision));
                        if path != decision.model {
                            print(&format!("  carrier  {}\n", Printable(path)));
                        }
                        print(&format!("  entry    {}\n", published.entry.display()));
                    }
                    tally
                        .models
                        .push(IngestedModel::published(path, &decision, &published, &summary));
                    tally.gravest = tally.gravest.max(Outcome::of_decision(&decision));
                }
                Err(reason) => {
                    warn(&reasons_text("could not decide", std::slice::from_ref(&reason)));
                    tally.models.push(IngestedModel::failed(shown(&candidate.model), &reason));
                    tally.gravest = tally.gravest.max(Outcome::of(&[reason]));
                    if outbound.is_unfinished()? {
                        // A verdict was begun and is not out: the next one must follow it.
                        return Ok(());
                    }
                }
            }
        }
        outbound.journal.released(visit, own.as_slice(), system_time())?;
    }
    Ok(())
}

/// Brings one model from the carrier to an entry in outbound. Gives where it lay on the carrier,
/// what was decided, and its entry.
fn ingest_one(
    outbound: &mut Outbound,
    visit: CarrierId,
    task: &Task<'_>,
    (survey, number, candidate): (&Sealed, usize, &Candidate),
    progress: &Progress,
) -> Result<(String, Decision, Published), Reason> {
    let intake = outbound.begin(visit, &candidate.model)?;
    let id = intake.id;
    let ingested = into(outbound, intake, task, (survey, number, candidate), progress);
    ingested.or_else(|reason| outbound.fail(id, reason))
}

/// The way of a model whose reading has been recorded.
fn into(
    outbound: &mut Outbound,
    intake: Intake,
    task: &Task<'_>,
    (survey, number, candidate): (&Sealed, usize, &Candidate),
    progress: &Progress,
) -> Result<(String, Decision, Published), Reason> {
    let quarantine = &intake.quarantine;
    let time = outbound.clock.now()?;
    let one = (survey, number, candidate);
    let decided = chain::decide(task, one, quarantine, time, progress)?;
    // The last moment: what was begun to be published is ended.
    progress.check()?;
    outbound.crl_memory.keep(decided.floors.clone())?;
    let published = outbound.publish(&decided, intake)?;
    Ok((candidate.path(decided.elsewhere).to_owned(), decided.decision, published))
}

fn shown(model: &str) -> &str {
    if model.is_empty() { "." } else { model }
}
