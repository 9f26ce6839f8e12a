//! `resend`: a model that the station still keeps goes out once more.

use std::path::PathBuf;

use oms_verify::reason::Reason;
use oms_verify::verdict::Decision;

use super::reading::{ReadingArgs, plain};
use super::{Done, print, print_json, warn};
use crate::config::Config;
use crate::opening;
use crate::outbound::{Published, Today};
use crate::present::{Outcome, ResendDocument, decision_text, reasons_text};
use crate::trust::{Guard, Trust};

#[derive(clap::Args)]
pub(super) struct Args {
    /// The number of the verdict whose model is to be sent again. The decision stays that one, with
    /// its time; the new verdict has a number of its own and names this one
    #[arg(value_name = "SEQ", value_parser = clap::value_parser!(u64).range(1..))]
    sequence: u64,
    /// The station's configuration
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Let the station's signer work without a sandbox: for development only
    #[arg(long)]
    insecure_no_sandbox: bool,
    #[command(flatten)]
    reading: ReadingArgs,
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn run(args: &Args) -> Done {
    let mut recovered = Vec::new();
    let done = resend(args, &mut recovered);
    let reasons = Vec::from_iter(done.as_ref().err().cloned());
    let sent = done.as_ref().ok();
    if args.json {
        print_json(&ResendDocument::new(args.sequence, sent, recovered, &reasons));
    } else if let Some((decision, published)) = sent {
        print(&decision_text(decision));
        print(&format!(
            "  resend   of verdict {}, now {}\n  entry    {}\n",
            args.sequence,
            published.sequence,
            published.entry.display()
        ));
    } else {
        warn(&reasons_text("not sent again", &reasons));
    }
    Ok(Outcome::of(&reasons))
}

fn resend(args: &Args, recovered: &mut Vec<String>) -> Result<(Decision, Published), Reason> {
    let watch = args.reading.watch()?;
    let guard = Guard::default();
    let config = Config::load(&args.config, None, None, &guard)?;
    let trust = Trust::load(&config.trust, &guard)?;
    let mut outbound = opening::open(&config, &args.config, None, !args.insecure_no_sandbox)?;
    for published in outbound.recover(|| watch.progress("checking what was begun"))? {
        let entry = published.entry.display().to_string();
        warn(&format!("published what was begun before: {entry}\n"));
        recovered.push(entry);
    }
    let progress = watch.progress("checking what is kept");
    let policy = &trust.policy;
    let today = Today {
        policy: policy.digest,
        annotations: &policy.resign.annotations,
        budget: &policy.budget,
    };
    outbound.resend(args.sequence, &today, &plain(&args.reading, &progress))
}
