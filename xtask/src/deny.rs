//! `cargo xtask deny`: licences, sources and banned crates among the dependencies, by the rules of
//! `.cargo/deny.toml`. Where cargo-deny is installed it reads the same file and is asked as well.

mod license;

use std::collections::BTreeMap;

use oms_testkit::vectors::workspace;
use serde::Deserialize;

use self::license::is_allowed;
use crate::failure::{Failure, Finding};
use crate::packages::Packages;
use crate::process::{cargo, read, run as run_command, succeeds};

const RULES: &str = ".cargo/deny.toml";

/// Checks every package that the workspace needs to run.
pub(crate) fn run() -> Result<(), Failure> {
    let path = workspace().join(RULES);
    let rules: Rules =
        toml::from_str(&read(&path)?).map_err(|source| Failure::Toml { path, source })?;
    Finding::none_in("deny", check(&Packages::load()?, &rules))?;

    if succeeds("cargo", &["deny", "--version"]) {
        return run_command(&mut cargo(&[
            "deny",
            "--offline",
            "check",
            "--config",
            RULES,
            "bans",
            "licenses",
            "sources",
        ]));
    }
    println!("deny: cargo-deny is not installed; the built-in check has passed");
    Ok(())
}

fn check(packages: &Packages, rules: &Rules) -> Vec<Finding> {
    let banned: BTreeMap<_, _> =
        rules.bans.deny.iter().map(|ban| (ban.name.as_str(), ban.reason.as_str())).collect();
    let mut findings = Vec::new();
    for reached in packages.all() {
        let package = reached.package;
        let place = format!("{} {} ({})", package.name, package.version, reached.way.join(" -> "));
        if let Some(reason) = banned.get(package.name.as_str()) {
            findings.push(Finding::new(&place, format!("is banned: {reason}")));
        }
        match &package.license {
            Some(license) if is_allowed(license, &rules.licenses.allow) => {}
            Some(license) => findings.push(Finding::new(
                &place,
                format!("has a licence that is not allowed: {license}"),
            )),
            None => findings.push(Finding::new(&place, "states no licence")),
        }
        if let Some(source) = package.source.as_ref().filter(|source| !is_crates_io(source)) {
            findings.push(Finding::new(
                &place,
                format!("does not come from the public registry: {source}"),
            ));
        }
    }
    findings
}

/// Whether a package comes from the public registry, by the name that cargo gives it.
fn is_crates_io(source: &str) -> bool {
    source.starts_with("registry+https://") && source.ends_with("/rust-lang/crates.io-index")
}

/// The part of cargo-deny's file that is checked here.
#[derive(Deserialize)]
struct Rules {
    licenses: Licenses,
    bans: Bans,
}

#[derive(Deserialize)]
struct Licenses {
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(text: &str) -> Rules {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn a_banned_crate_and_an_odd_licence_are_found() {
        let packages =
            Packages::example(&[("ours", &["between"]), ("between", &["rsa"]), ("rsa", &[])]);
        let found = |text: &str| check(&packages, &rules(text)).len();
        assert_eq!(found("licenses.allow = ['MIT']\nbans.deny = []"), 0);
        assert_eq!(
            found("licenses.allow = ['MIT']\nbans.deny = [{crate = 'rsa', reason = 'x'}]"),
            1
        );
        assert_eq!(found("licenses.allow = ['ISC']\nbans.deny = []"), 3);
    }

    #[test]
    fn only_one_source_is_known() {
        assert!(is_crates_io("registry+https://github.com/rust-lang/crates.io-index"));
        assert!(!is_crates_io("git+https://github.com/someone/rust-lang/crates.io-index"));
        assert!(!is_crates_io("registry+https://registry.example/index"));
    }
}
