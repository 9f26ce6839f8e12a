//! Carriers on devices, the whole way: told of by the kernel, mounted by the mounter's process, read
//! by the kernel's driver or a program, and released. As root, on loop devices.
//!
//! The station starts its own program as the processes that it needs. Here that is this test, which
//! is why it has no harness: `plugged [FILTER]` runs the cases one after another.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "what is not as expected fails the test by panicking, and it says itself what it runs"
)]

mod cases;
mod images;
mod killed;

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    if args.get(1).is_some_and(|arg| arg == "role") {
        return oms_station::commands::run();
    }
    // What other runners of tests ask for.
    if args.iter().any(|arg| arg == "--list") {
        return ExitCode::SUCCESS;
    }
    let filter =
        args.iter().skip(1).filter_map(|arg| arg.to_str()).find(|arg| !arg.starts_with('-'));
    for (name, case) in cases::ALL {
        if filter.is_none_or(|filter| name.contains(filter)) {
            println!("test {name} ...");
            case();
        }
    }
    println!("test result: ok");
    ExitCode::SUCCESS
}
