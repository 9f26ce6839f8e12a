//! `oms-appliance`: parses the command line and dispatches. Each command is a file in
//! [`oms_station::commands`].

use std::process::ExitCode;

fn main() -> ExitCode {
    // Where that cannot be had, everything else still works.
    let _ = oms_station::file_limit::make_an_error();
    oms_station::commands::run()
}
