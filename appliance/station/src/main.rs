//! `oms-appliance`: parses the command line and dispatches. Each command is a file in
//! [`oms_station::commands`].

use std::process::ExitCode;

fn main() -> ExitCode {
    oms_station::commands::run()
}
