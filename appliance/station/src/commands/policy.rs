//! `policy check` and `policy explain`.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use oms_verify::policy::{Policy, explain};
use oms_verify::reason::Reason;
use oms_verify::verdict::ReasonDetail;

use super::{Done, print, print_json};
use crate::present::Outcome;
use crate::trust::{Anchors, Guard, load_policy, policy_path, read_policy};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Read policies and report the first error of each
    Check(CheckArgs),
    /// Tell in words what a policy admits
    Explain(ExplainArgs),
}

impl Command {
    /// Whether a failure is to be one JSON document too.
    pub(super) fn wants_json(&self) -> bool {
        match self {
            Command::Check(args) => args.json,
            Command::Explain(_) => false,
        }
    }
}

#[derive(clap::Args)]
pub(super) struct CheckArgs {
    /// The policies
    #[arg(required = true)]
    policies: Vec<PathBuf>,
    /// The folder of trust anchors [default: /etc/oms-appliance/roots]
    #[arg(long, value_name = "DIR")]
    roots: Option<PathBuf>,
    /// Check the text only, not whether the anchors and keys that it names are installed
    #[arg(long, conflicts_with = "roots")]
    syntax: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
pub(super) struct ExplainArgs {
    /// The policy
    policy: PathBuf,
    /// The folder of trust anchors [default: /etc/oms-appliance/roots]
    #[arg(long, value_name = "DIR")]
    roots: Option<PathBuf>,
}

pub(super) fn run(command: &Command) -> Done {
    match command {
        Command::Check(args) => check(args),
        Command::Explain(args) => {
            let policy = explained(args).map_err(|reason| vec![reason])?;
            print(&explain(&policy));
            Ok(Outcome::Passed)
        }
    }
}

fn explained(args: &ExplainArgs) -> Result<Policy, Reason> {
    let guard = Guard::default();
    load_policy(&args.policy, &Anchors::load(args.roots.as_deref(), &guard)?, &guard)
}

/// A policy without a fault.
struct Good<'a> {
    path: &'a Path,
    /// Id and version, unless only the text was checked.
    name: Option<(String, u64)>,
}

fn check(args: &CheckArgs) -> Done {
    let (good, reasons) = checked(args);
    if args.json {
        let outcome = Outcome::of(&reasons);
        print_json(&serde_json::json!({
            "schema": "urn:oms-appliance:policy-check:1",
            "result": outcome,
            "exitCode": outcome.exit_code(),
            "good": good.iter().map(Good::json).collect::<Vec<_>>(),
            "reasons": reasons.iter().map(ReasonDetail::from).collect::<Vec<_>>(),
        }));
        return Ok(outcome);
    }
    for good in good {
        print(&good.text());
    }
    if reasons.is_empty() { Ok(Outcome::Passed) } else { Err(reasons) }
}

fn checked(args: &CheckArgs) -> (Vec<Good<'_>>, Vec<Reason>) {
    let guard = Guard::default();
    let anchors = if args.syntax {
        Anchors::default()
    } else {
        match Anchors::load(args.roots.as_deref(), &guard) {
            Ok(anchors) => anchors,
            // Without anchors every policy would seem wrong.
            Err(reason) => return (Vec::new(), vec![reason]),
        }
    };
    let (mut good, mut reasons) = (Vec::new(), Vec::new());
    for path in &args.policies {
        let name = if args.syntax {
            read_policy(&policy_path(path), &guard).map(|_| None)
        } else {
            load_policy(path, &anchors, &guard).map(|policy| Some((policy.id, policy.version)))
        };
        match name {
            Ok(name) => good.push(Good { path, name }),
            Err(reason) => reasons.push(reason),
        }
    }
    (good, reasons)
}

impl Good<'_> {
    fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "policy": self.path.display().to_string(),
            "id": self.name.as_ref().map(|(id, _)| id),
            "version": self.name.as_ref().map(|(_, version)| version),
        })
    }

    fn text(&self) -> String {
        let path = self.path.display();
        match &self.name {
            Some((id, version)) => format!("{path}: good, {id} version {version}\n"),
            None => format!("{path}: well-formed; anchors and keys were not looked for\n"),
        }
    }
}
