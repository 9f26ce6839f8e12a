//! `roots list` and `roots check`: the anchors that are built in and those of the site.

mod check;
mod list;

use clap::Subcommand;

use super::Done;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Show every anchor: what it is, what it may vouch for, and where it comes from
    List(list::Args),
    /// Look for anchors that are expired, weak, unpinned or unused
    Check(check::Args),
}

impl Command {
    pub(super) fn wants_json(&self) -> bool {
        match self {
            Command::List(args) => args.json,
            Command::Check(args) => args.json,
        }
    }
}

pub(super) fn run(command: &Command) -> Done {
    match command {
        Command::List(args) => list::run(args),
        Command::Check(args) => check::run(args),
    }
}
