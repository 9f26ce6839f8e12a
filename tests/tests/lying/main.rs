//! Processes of the chain that lie, before a supervisor that does not: each gets no more than its role
//! allows, nothing goes out, and the next carrier is served.
//!
//! ```text
//!  supervisor ──▶ role X: the liar ──▶ role X: honest, works for the liar
//!      │              └─ changes, leaves out and adds what is said, both ways
//!      └──▶ other roles: honest
//! ```
//!
//! The station starts its own program as the processes that it needs. Here that is this test, which
//! is why it has no harness: `lying [FILTER]` runs the cases one after another. The supervisor's
//! environment, which its processes do not get, names the lie.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "what is not as expected fails the test by panicking, and it says itself what it runs"
)]

mod cases;
mod liar;
mod lies;

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    match args.get(1).and_then(|arg| arg.to_str()) {
        Some("role") => match liar::lie_for(&args[2..]) {
            Some(lie) => liar::play(lie, &args[2..]),
            None => oms_station::commands::run(),
        },
        Some("ingest") => oms_station::commands::run(),
        // What other runners of tests ask for.
        _ if args.iter().any(|arg| arg == "--list") => ExitCode::SUCCESS,
        filter => {
            for (name, case) in cases::ALL {
                if filter.is_none_or(|filter| filter.starts_with('-') || name.contains(filter)) {
                    println!("test {name} ...");
                    case();
                }
            }
            println!("test result: ok");
            ExitCode::SUCCESS
        }
    }
}
