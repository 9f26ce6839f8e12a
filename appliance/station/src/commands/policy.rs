//! `policy check` and `policy explain`.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use oms_verify::policy::{Policy, explain};
use oms_verify::reason::Reason;

use super::{Done, print, print_json};
use crate::present::Outcome;
use crate::trust::{Guard, load_policy, load_site_anchors, policy_path, read_policy};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Read policies and report the first error of each
    Check(CheckArgs),
    /// Tell in words what a policy admits
    Explain(ExplainArgs),
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
            let policy =
                load(&args.policy, args.roots.as_deref()).map_err(|reason| vec![reason])?;
            print(&explain(&policy));
            Ok(Outcome::Passed)
        }
    }
}

fn load(policy: &Path, roots: Option<&Path>) -> Result<Policy, Reason> {
    let guard = Guard::default();
    load_policy(policy, &load_site_anchors(roots, &guard)?, &guard)
}

fn check(args: &CheckArgs) -> Done {
    let mut reasons = Vec::new();
    let mut good = Vec::new();
    for path in &args.policies {
        let checked = if args.syntax {
            read_policy(&policy_path(path), &Guard::default()).map(|_| "well-formed".to_owned())
        } else {
            load(path, args.roots.as_deref())
                .map(|policy| format!("{} version {}", policy.id, policy.version))
        };
        match checked {
            Ok(what) => good.push((path.display().to_string(), what)),
            Err(reason) => reasons.push(reason),
        }
    }
    if args.json {
        print_json(&serde_json::json!({
            "schema": "urn:oms-appliance:policy-check:1",
            "good": good.iter().map(|(path, what)| serde_json::json!({
                "policy": path, "is": what
            })).collect::<Vec<_>>(),
            "reasons": reasons.iter()
                .map(oms_verify::verdict::ReasonDetail::from)
                .collect::<Vec<_>>(),
        }));
        return Ok(Outcome::of(&reasons));
    }
    for (path, what) in good {
        print(&format!("{path}: {what}\n"));
    }
    if reasons.is_empty() { Ok(Outcome::Passed) } else { Err(reasons) }
}
