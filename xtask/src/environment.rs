//! Python's virtual environments under the target folder.

use std::fs;
use std::path::PathBuf;

use oms_testkit::run::target;

use crate::failure::Failure;
use crate::process::{command, run as run_command, write};
use crate::setup;

/// Makes the environment `name` with these packages if it is not there, and gives its folder.
pub(crate) fn install(name: &str, packages: &[&str]) -> Result<PathBuf, Failure> {
    let environment = target().join(name);
    // Written last, so that an installation that broke off is not taken for a whole one.
    let stamp = environment.join("installed.txt");
    let listed = packages.join(" ");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == listed) {
        return Ok(environment);
    }

    setup::run()?;
    println!("{name}: installing {listed} into {}", environment.display());
    run_command(command("python3", &["-m", "venv", "--clear"]).arg(&environment))?;
    let arguments = [&["install", "--quiet", "--disable-pip-version-check"], packages].concat();
    run_command(&mut command(environment.join("bin/pip"), &arguments))
        .map_err(|source| Failure::Pip { packages: listed.clone(), source: Box::new(source) })?;
    write(&stamp, &listed)?;
    Ok(environment)
}
