//! `cargo xtask firmware-roots`: adds to the anchors that are built into the binary, and checks
//! them.
//!
//! The rules of the folder are the build script's own; beyond them it is checked here that every
//! anchor can be read, and told what an officer of a site would be told by `roots check`.

mod add;

#[path = "../../appliance/station/build/firmware.rs"]
mod firmware;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Subcommand;
use oms_testkit::vectors::workspace;
use oms_verify::pki::manifest::{self, Entry};
use oms_verify::pki::{Anchor, AnchorError, Purpose, Severity, review};
use oms_verify::sigstore::{TrustedRoot, TrustedRootError};
use oms_verify::time::{Span, UnixTime};

use crate::failure::{Failure, Finding};

/// The folder of the anchors.
const FOLDER: &str = "firmware-roots";
/// How long before its end an anchor is told.
const AHEAD: Span = Span { seconds: 90 * 86_400 };

/// What to do with the built-in anchors.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Take a file in: copy it, pin its digest, and write down where it came from
    Add(add::Arguments),
    /// Check that every anchor is as roots.toml says, can be read, and does not end soon
    Check,
}

/// Why the file of an entry is no anchor.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotAnAnchor {
    #[error("{0}")]
    Certificate(#[from] AnchorError),
    #[error("{0}")]
    TrustedRoot(#[from] TrustedRootError),
}

pub(crate) fn run(command: &Command) -> Result<(), Failure> {
    let folder = workspace().join(FOLDER);
    match command {
        Command::Add(arguments) => add::run(arguments, &folder),
        Command::Check => check(&folder, now()),
    }
}

fn now() -> UnixTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixTime(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

/// Checks the folder for `time`. Warnings are shown and fail nothing: that an anchor ends in some
/// weeks must not stop the work on something else.
fn check(folder: &Path, time: UnixTime) -> Result<(), Failure> {
    let entries = firmware::check(folder).map_err(|faults| {
        let findings = faults.iter().map(|fault| Finding::new(FOLDER, fault)).collect();
        Failure::Findings { check: "firmware-roots", findings }
    })?;
    let (mut findings, mut warnings) = (Vec::new(), Vec::new());
    for entry in &entries {
        let path = folder.join(&entry.file);
        let bytes = fs::read(&path).map_err(|source| Failure::Read { path, source })?;
        let place = format!("{FOLDER}/{}", entry.file);
        match read(entry, &bytes) {
            Err(error) => findings.push(Finding::new(&place, error)),
            Ok(None) => {}
            Ok(Some(anchor)) => {
                for remark in review(&anchor, time, AHEAD) {
                    let finding = Finding::new(&place, &remark);
                    match remark.severity() {
                        Severity::Error => findings.push(finding),
                        Severity::Warning | Severity::Note => warnings.push(finding),
                    }
                }
            }
        }
    }
    for Finding { place, problem } in warnings {
        eprintln!("WARNING: {place}: {problem}");
    }
    println!("{} built-in anchors", entries.len());
    Finding::none_in("firmware-roots", findings)
}

/// What the file of an entry holds: a certificate, or none for a trusted root.
fn read(entry: &Entry, bytes: &[u8]) -> Result<Option<Anchor>, NotAnAnchor> {
    if entry.purposes.contains(&Purpose::Sigstore) {
        TrustedRoot::parse(&entry.name, bytes)?;
        return Ok(None);
    }
    Ok(Some(Anchor::read(entry, bytes)?))
}

/// The manifest of the folder.
fn manifest_of(folder: &Path) -> PathBuf {
    folder.join(manifest::FILE_NAME)
}

#[cfg(test)]
mod tests {
    use super::*;
    use oms_testkit::pki::{Authority, KeyType, Profile, date};
    use oms_testkit::roots::{self, Anchor as Installed};

    /// The problems that are found in a folder with this certificate.
    fn problems(certificate: &str) -> String {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("roots");
        roots::write(&folder, &[Installed::new("root", certificate, &["verdict"])]);
        let time = UnixTime(i64::try_from(date(2030, 1, 1)).unwrap());
        check(&folder, time).err().map(|failure| failure.to_string()).unwrap_or_default()
    }

    #[test]
    fn the_folder_of_this_repository_keeps_its_rules() {
        firmware::check(&workspace().join(FOLDER)).unwrap();
    }

    #[test]
    fn an_anchor_is_a_certificate_that_still_counts() {
        let root = |profile| Authority::root(profile, KeyType::P256).certificate.pem;
        assert_eq!(problems(&root(Profile::ca("Root"))), "");
        assert!(problems("text").contains("firmware-roots/root.pem: there is no PEM block"));
        let expired = problems(&root(Profile::ca("Root").expired()));
        assert!(expired.contains("firmware-roots/root.pem: the certificate expired at 2020-12-31"));
        // An end within 90 days is told, and fails nothing.
        let soon = Profile::ca("Root").validity(date(2020, 1, 1), date(2030, 2, 1));
        assert_eq!(problems(&root(soon)), "");
    }

    #[test]
    fn the_rules_of_the_build_are_checked_too() {
        let dir = tempfile::tempdir().unwrap();
        let folder = roots::write(dir.path().join("roots"), &[]);
        fs::write(folder.join("extra.pem"), "").unwrap();
        let failure = check(&folder, now()).unwrap_err().to_string();
        assert!(failure.contains("no anchor of roots.toml names it"), "{failure}");
    }
}
