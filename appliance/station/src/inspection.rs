//! Looks inside the files whose bytes are the signed ones.

use std::collections::BTreeSet;
use std::fs::File;

use oms_inspect::{Budget, Identified, Inspection};
use oms_sys::beneath::RegularFile;
use oms_verify::name::ResourcePath;
use oms_verify::observe::{Finding, Observed};
use oms_verify::reason::{Code, Reason};
use oms_verify::statement::Manifest;

use crate::intake::{Quarantine, Source, refusal_or_failure};

/// Where to look: at the copies, or, in place, at the files themselves.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    /// The copies in quarantine.
    Copies(&'a Quarantine),
    /// The model where it lies. It may have changed since it was hashed, which a verdict in place
    /// says.
    InPlace(&'a Source),
}

/// What was found, and which checks ran.
#[derive(Debug, Default)]
pub struct Findings {
    /// One finding for each file that was looked into.
    pub findings: Vec<Finding>,
    /// The names of the checks that ran, sorted.
    pub checks: Vec<String>,
}

enum Opened {
    Copy(File),
    InPlace(RegularFile),
}

impl Opened {
    fn as_file(&self) -> &File {
        match self {
            Opened::Copy(file) => file,
            Opened::InPlace(file) => file.as_file(),
        }
    }
}

/// Inspects every observed file whose digests are the manifest's. Bytes that nobody signed are
/// refused for that, and not parsed.
///
/// # Errors
/// When a file cannot be read any more.
pub fn look_inside(
    place: Place<'_>,
    manifest: &Manifest,
    observed: &Observed,
) -> Result<Findings, Reason> {
    let mut findings = Vec::new();
    let mut checks = BTreeSet::new();
    for file in manifest.files() {
        let Some(seen) = observed.files.get(&file.path) else { continue };
        if seen.pieces != file.pieces {
            continue;
        }
        let opened = open(place, manifest, &file.path)?;
        let inspection = oms_inspect::inspect(&mut opened.as_file(), seen.size, &Budget::default())
            .map_err(|error| {
                Reason::new(Code::MediaUnreadable, error.to_string()).about(file.path.as_str())
            })?;
        checks.extend(inspection.checks.iter().map(|check| (*check).to_owned()));
        findings.push(finding(&file.path, inspection));
    }
    Ok(Findings { findings, checks: checks.into_iter().collect() })
}

fn open(place: Place<'_>, manifest: &Manifest, path: &ResourcePath) -> Result<Opened, Reason> {
    match place {
        Place::Copies(quarantine) => quarantine.open_file(path).map(Opened::Copy),
        Place::InPlace(source) => match source.open(manifest, path) {
            Ok(Some(file)) => Ok(Opened::InPlace(file)),
            Ok(None) => Err(gone(path)),
            Err(error) => {
                let reason = refusal_or_failure(error, path.as_str());
                if reason.code == Code::MediaUnreadable { Err(reason) } else { Err(gone(path)) }
            }
        },
    }
}

/// In place, a file that was hashed a moment ago and is no longer what it was: nothing can be
/// decided about a model that moves.
fn gone(path: &ResourcePath) -> Reason {
    Reason::new(Code::MediaUnreadable, "the file went away after it was hashed")
        .about(path.as_str())
}

fn finding(path: &ResourcePath, inspection: Inspection) -> Finding {
    let formats = match inspection.format {
        Identified::One(format) => vec![format.name().to_owned()],
        Identified::Unknown => Vec::new(),
        Identified::Ambiguous(formats) => formats.iter().map(|f| f.name().to_owned()).collect(),
    };
    Finding {
        path: path.clone(),
        formats,
        malformed: inspection.malformed.map(|malformed| malformed.to_string()),
        remote_code: inspection
            .remote_code
            .iter()
            .map(|code| format!("{} at {}", code.key.name(), code.pointer))
            .collect(),
    }
}
