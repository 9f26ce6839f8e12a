//! What is in outbound under one name.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use oms_station::clock::system_time;
use oms_station::intake::Reading;
use oms_station::progress::Progress;
use oms_station::receive::{ReceiverTrust, check_entry};
use oms_testkit::{files, run};
use oms_tests::entry;
use oms_tests::scene::STATION;
use oms_verify::reason::Code;

/// How the names of verdicts end that stand beside their entries.
const BESIDE: &str = ".verdict.json";
/// The name of a verdict in an entry.
const VERDICT: &str = "verdict.sigstore.json";
/// What a refusal consists of.
const REFUSAL: [&str; 2] = ["report.html", VERDICT];
/// What is there of a model that passed, besides its own files.
const PASSED: [&str; 4] = ["model.sig", "report.html", "source.sig", VERDICT];

/// Paths, and what is there: mode and SHA-256.
type Content = BTreeMap<String, String>;

/// What the carriers bring.
#[derive(Clone, Debug, Default)]
pub(crate) struct Originals {
    /// The files of a model, as they are in an entry, with their SHA-256. All models have the same.
    pub(crate) model: BTreeMap<String, String>,
    /// SHA-256 of all bundles.
    pub(crate) bundles: BTreeSet<String>,
}

/// An entry, or the verdict beside it, as it was when it was first seen.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// SHA-256 of its payload.
    pub(super) payload: String,
    /// The payload before it.
    pub(super) previous: String,
    /// The files in it, by their paths: SHA-256.
    pub(super) parts: BTreeMap<String, String>,
    content: Content,
}

impl Seen {
    /// Looks at the entry `name` for the first time, as whoever receives it will, and compares it
    /// with what was on the carriers.
    pub(super) fn of(
        outbound: &Path,
        name: &str,
        trust: &ReceiverTrust,
        originals: &Originals,
    ) -> Result<Seen, String> {
        let path = outbound.join(name);
        let unpacked = tempfile::tempdir().expect("a folder");
        let (folder, passed) = if name.ends_with(".tar") {
            let mut unpack = Command::new("tar");
            let unpack = unpack.arg("-xf").arg(&path).arg("-C").arg(unpacked.path());
            let outcome = run::outcome(unpack);
            if outcome.status != 0 {
                return Err(outcome.stderr);
            }
            (unpacked.path().to_owned(), Some(true))
        } else if name.ends_with(BESIDE) {
            fs::copy(&path, unpacked.path().join(VERDICT)).map_err(|error| error.to_string())?;
            (unpacked.path().to_owned(), None)
        } else {
            (path.clone(), Some(name.ends_with("-passed")))
        };
        if !folder.join(VERDICT).is_file() {
            return Err("it has no verdict".to_owned());
        }
        let parts = digests(&folder);
        if let Some(passed) = passed {
            is_received(&folder, trust, passed)?;
            is_whole(&parts, passed, originals)?;
        }
        let payload = entry::payload(&folder);
        let detail = entry::detail(&payload);
        if detail["sequence"].as_u64() != super::number(name) {
            return Err("its verdict has another number".to_owned());
        }
        let previous = detail["previous"].as_str().unwrap_or_default().to_owned();
        let payload = files::sha256_hex(&entry::signed_bytes(&folder.join(VERDICT)));
        Ok(Seen { payload, previous, parts, content: content(&path) })
    }

    /// SHA-256 of the verdict's file.
    pub(super) fn verdict(&self) -> &str {
        self.parts.get(VERDICT).map_or("", String::as_str)
    }

    /// Whether every byte is as it was.
    pub(super) fn is_still(&self, path: &Path) -> bool {
        self.content == content(path)
    }
}

/// The receiving side takes it.
fn is_received(folder: &Path, trust: &ReceiverTrust, passed: bool) -> Result<(), String> {
    let reading = &Progress::hidden();
    let found = check_entry(folder, STATION, trust, system_time(), &Reading::plain(reading))
        .map_err(|reason| reason.to_string())?;
    let other = found.reasons.iter().find(|one| passed || one.code != Code::VerdictFailed);
    if let Some(other) = other {
        return Err(other.to_string());
    }
    if found.verdict.passed != passed {
        return Err("its name says otherwise".to_owned());
    }
    Ok(())
}

/// It has all files that it should have and no other, each with its bytes.
fn is_whole(
    parts: &BTreeMap<String, String>,
    passed: bool,
    originals: &Originals,
) -> Result<(), String> {
    let of_model = originals.model.keys().map(String::as_str);
    let due: BTreeSet<&str> =
        if passed { of_model.chain(PASSED).collect() } else { REFUSAL.into_iter().collect() };
    let found: BTreeSet<&str> = parts.keys().map(String::as_str).collect();
    if found != due {
        return Err(format!("it consists of {found:?}"));
    }
    let other = originals
        .model
        .iter()
        .find(|(path, digest)| passed && parts.get(*path).is_none_or(|found| found != *digest));
    if let Some((path, _)) = other {
        return Err(format!("{path} is not what was on the carrier"));
    }
    if passed && !parts.get("source.sig").is_some_and(|found| originals.bundles.contains(found)) {
        return Err("source.sig is not what was on the carrier".to_owned());
    }
    Ok(())
}

/// SHA-256 of each file below a folder; of none, when there is no folder.
pub(super) fn digests(folder: &Path) -> BTreeMap<String, String> {
    let digest = |path: String| {
        let bytes = fs::read(folder.join(&path)).unwrap_or_default();
        (path, files::sha256_hex(&bytes))
    };
    let found = if folder.is_dir() { entry::files(folder) } else { Vec::new() };
    found.into_iter().map(digest).collect()
}

fn content(path: &Path) -> Content {
    let mode = |path: &Path| {
        path.symlink_metadata().map_or(0, |found| found.permissions().mode() & 0o7777)
    };
    if !path.is_dir() {
        let digest = files::sha256_hex(&fs::read(path).unwrap_or_default());
        return Content::from([(String::new(), format!("{:o} {digest}", mode(path)))]);
    }
    let with_mode = |(file, digest): (String, String)| {
        let mode = mode(&path.join(&file));
        (file, format!("{mode:o} {digest}"))
    };
    let folder = (String::new(), format!("{:o}", mode(path)));
    digests(path).into_iter().map(with_mode).chain([folder]).collect()
}

/// The verdict that stands beside an entry as tar.
pub(super) fn beside(name: &str) -> Option<String> {
    let id = name.strip_suffix("-passed.tar")?;
    Some(format!("{id}{BESIDE}"))
}

/// A verdict and the tar beside it are of one number, and nothing else is.
pub(super) fn belong_together(one: &str, other: &str) -> bool {
    one == other || beside(one).as_deref() == Some(other) || beside(other).as_deref() == Some(one)
}
