//! `cargo xtask peer`: the Python implementation of OMS in a virtual environment under the target
//! folder, for the tests of interoperability.

use std::fs;
use std::path::PathBuf;

use oms_testkit::run::target;

use crate::failure::Failure;
use crate::process::{command, run as run_command, write};
use crate::setup;

/// What is installed. `model_signing` needs pyOpenSSL and does not ask for it.
const PACKAGES: [&str; 2] = ["model_signing==1.1.1", "pyopenssl"];

/// Makes the environment if it is not there, and gives its folder.
pub(crate) fn run() -> Result<PathBuf, Failure> {
    let environment = target().join("peer");
    // Written last, so that an installation that broke off is not taken for a whole one.
    let stamp = environment.join("installed.txt");
    let packages = PACKAGES.join(" ");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == packages) {
        return Ok(environment);
    }

    setup::run()?;
    println!("peer: installing {packages} into {}", environment.display());
    run_command(command("python3", &["-m", "venv", "--clear"]).arg(&environment))?;
    let arguments =
        [&["install", "--quiet", "--disable-pip-version-check"], &PACKAGES[..]].concat();
    run_command(&mut command(environment.join("bin/pip"), &arguments))
        .map_err(|source| Failure::Pip { packages: packages.clone(), source: Box::new(source) })?;
    write(&stamp, &packages)?;
    Ok(environment)
}
