//! The receiving side of the diode: verdict, re-signed bundle and files, checked together.

pub mod ledger;
mod resigned;
mod tar;

use std::path::Path;
use std::sync::Arc;

use oms_sys::beneath::{BeneathError, Kind, RegularFile, Root};
use oms_verify::budget::Budget;
use oms_verify::bundle::BundleError;
use oms_verify::hash::{HashAlgorithm, Sha256Digest};
use oms_verify::key::PublicKey;
use oms_verify::pki::{Anchor, CrlSet, Purpose, Revocation, RevocationMode};
use oms_verify::reason::{Class, Code, Reason, Reasons};
use oms_verify::statement::{Manifest, Method, Pieces};
use oms_verify::time::UnixTime;
use oms_verify::verdict::{ReceivedAttestation, ReceivedVerdict, VerdictTrust, receive};

use crate::intake::{
    self, ATTESTATIONS, Reading, Source, absent_or_unreadable, refusal_or_failure,
};
use crate::outbound::{BESIDE, REPORT, RESIGNED, SOURCE, VERDICT};
use crate::progress::Progress;
use crate::report;
use resigned::check_resigned;

/// The folder of an entry that holds the model.
const MODEL: &str = "model";
/// How the names of entries end that are files.
const TAR: &str = "-passed.tar";
/// Entries of an entry's folder: the ones above, and room to report others.
const MOST_ENTRIES: usize = 64;

/// Whom the receiving side trusts.
#[derive(Debug)]
pub enum ReceiverTrust {
    /// The station's verdict key alone.
    Key(PublicKey),
    /// The anchors of a roots folder: those of purpose `verdict` for the verdict, those of purpose
    /// `code-signing` for the re-signed bundle.
    Anchors {
        /// The anchors.
        anchors: Vec<Anchor>,
        /// CRLs at hand.
        crls: CrlSet,
    },
}

/// Revocation on the receiving side: a CRL that is at hand counts.
const REVOCATION: Revocation = Revocation { mode: RevocationMode::IfAvailable, max_crl_age: None };

/// Bytes of a verdict or of a re-signed bundle. Either lists every file of a model, about 200 bytes
/// each and its name once more.
const VERDICT_BYTES: u64 = 1 << 30;

/// An entry that was checked.
#[derive(Debug)]
pub struct Checked {
    /// The verdict, without its payload.
    pub verdict: ReceivedVerdict,
    /// Every reason not to use the model; none means that it may be used.
    pub reasons: Vec<Reason>,
    /// What should be known and refuses nothing.
    pub warnings: Vec<Reason>,
}

/// What a station may have put into an entry.
fn budget() -> Budget {
    Budget { resources: 10_000_000, bundle_bytes: VERDICT_BYTES, ..Budget::default() }
}

/// Reads the verdict in the bytes of the file `name`.
fn received(
    bytes: Vec<u8>,
    name: &str,
    verifier: &str,
    trust: &ReceiverTrust,
    time: UnixTime,
    budget: &Budget,
) -> Result<ReceivedVerdict, Reason> {
    let verdict_anchors;
    let verdict_trust = match trust {
        ReceiverTrust::Key(key) => VerdictTrust::Key(key),
        ReceiverTrust::Anchors { anchors, crls } => {
            verdict_anchors = with_purpose(anchors, Purpose::Verdict);
            VerdictTrust::Anchors { anchors: &verdict_anchors, crls, revocation: &REVOCATION, time }
        }
    };
    receive(bytes, verifier, &verdict_trust, budget)
        .map_err(|error| Reason::from(&error).about(name))
}

/// Checks what lies at `path`: an entry as a folder, an entry as a tar, or the verdict of a refusal
/// as a file by itself.
///
/// # Errors
/// As [`check_entry`].
pub fn check(
    path: &Path,
    verifier: &str,
    trust: &ReceiverTrust,
    time: UnixTime,
    reading: &Reading<'_>,
) -> Result<Checked, Reason> {
    let wrong = |error: std::io::Error| absent_or_unreadable(&error, path);
    let full = path.canonicalize().map_err(wrong)?;
    if full.is_dir() {
        return check_entry(path, verifier, trust, time, reading);
    }
    let Some((folder, name)) = full.parent().zip(full.file_name().and_then(|name| name.to_str()))
    else {
        let reason = Reason::new(Code::MediaName, "the name is not UTF-8");
        return Err(reason.about(path.display().to_string()));
    };
    let (root, budget) = (Root::open(folder).map_err(wrong)?, budget());
    if name.ends_with(BESIDE) {
        check_alone(&root, name, verifier, trust, time, &budget)
    } else {
        tar::check_tar(&root, name, verifier, trust, time, reading.progress, &budget)
    }
}

/// Checks a verdict that is a file by itself. A model that passed is never in it.
fn check_alone(
    root: &Root,
    name: &str,
    verifier: &str,
    trust: &ReceiverTrust,
    time: UnixTime,
    budget: &Budget,
) -> Result<Checked, Reason> {
    let bytes = read(root, name, budget, Code::VerdictMissing)?;
    let mut verdict = received(bytes, name, verifier, trust, time, budget)?;
    verdict.drop_payload();
    let mut reasons = Vec::from_iter(named_otherwise(name, &verdict));
    reasons.push(if verdict.passed {
        let detail = "this is the verdict alone: check the tar that holds the model";
        Reason::new(Code::VerdictFiles, detail).about(name)
    } else {
        refusal(&verdict)
    });
    Ok(Checked { verdict, reasons, warnings: Vec::new() })
}

/// Checks the entry in the folder `path`: a verdict by `verifier`, and with a verdict that passed,
/// exactly its files and its re-signed bundle.
///
/// A verdict that is not to be relied on is an error. One large file is held at a time.
///
/// # Errors
/// When the verdict is missing, untrusted or malformed, or the entry cannot be read.
pub fn check_entry(
    path: &Path,
    verifier: &str,
    trust: &ReceiverTrust,
    time: UnixTime,
    reading: &Reading<'_>,
) -> Result<Checked, Reason> {
    let budget = budget();
    let root = Root::open(path).map_err(|error| absent_or_unreadable(&error, path))?;
    let bytes = read(&root, VERDICT, &budget, Code::VerdictMissing)?;
    let mut verdict = received(bytes, VERDICT, verifier, trust, time, &budget)?;
    let warnings = Vec::from_iter(check_report(path, &verdict));
    verdict.drop_payload();

    let mut reasons = Reasons::from(strangers(&root, &verdict)?);
    reasons.extend(misnamed(path, &verdict));
    if !verdict.passed {
        reasons.push(refusal(&verdict));
        return Ok(Checked { verdict, reasons: reasons.into_vec(), warnings });
    }
    let manifest = Arc::new(manifest_of(&verdict, &budget)?);
    reasons.append(check_files(&root, &verdict, &manifest, &budget, reading)?);
    let resigned = read(&root, RESIGNED, &budget, Code::VerdictResigned)?;
    reasons.extend(check_resigned(resigned, &verdict, &manifest, trust, time, &budget));
    reasons.extend(check_source(&root, &verdict, &budget)?);
    reasons.append(check_attestations(&root, &verdict)?);
    Ok(Checked { verdict, reasons: reasons.into_vec(), warnings })
}

/// Checks the re-signed bundle that goes out with `verdict`, on the word of the verdict's `key`.
///
/// # Errors
/// When it is not the verdict's, not signed, or says otherwise.
pub(crate) fn check_bundle(
    bundle: &[u8],
    verdict: &ReceivedVerdict,
    key: &PublicKey,
    time: UnixTime,
) -> Result<(), Reason> {
    let (budget, trust) = (budget(), ReceiverTrust::Key(key.clone()));
    let manifest = manifest_of(verdict, &budget)?;
    check_resigned(bundle.to_vec(), verdict, &manifest, &trust, time, &budget).map_or(Ok(()), Err)
}

fn refusal(verdict: &ReceivedVerdict) -> Reason {
    let detail = format!("verdict {} is a refusal", verdict.sequence);
    Reason::new(Code::VerdictFailed, detail)
}

/// The manifest of the files that a verdict lists.
fn manifest_of(verdict: &ReceivedVerdict, budget: &Budget) -> Result<Manifest, Reason> {
    let files = verdict.files.iter().map(|(file, _)| file.clone()).collect();
    Manifest::new(verdict.hash, verdict.method, Vec::new(), files, budget)
        .map_err(|error| Reason::new(Code::VerdictSchema, error.to_string()).about(VERDICT))
}

fn with_purpose(anchors: &[Anchor], purpose: Purpose) -> Vec<Anchor> {
    anchors.iter().filter(|anchor| anchor.purposes.contains(&purpose)).cloned().collect()
}

fn read(root: &Root, name: &str, budget: &Budget, missing: Code) -> Result<Vec<u8>, Reason> {
    let file = open(root, name, missing)?;
    crate::pipeline::read_bundle(&file, name, budget, &|| Ok(()))?.map_err(|(_, reason)| *reason)
}

fn open(root: &Root, name: &str, missing: Code) -> Result<RegularFile, Reason> {
    root.file(name).map_err(|error| match error {
        BeneathError::NotFound => Reason::new(missing, "the file is absent").about(name),
        other => refusal_or_failure(other, name),
    })
}

/// A folder that is named as a station names entries is named after its own verdict: an entry that
/// was sent again under another number is told.
fn misnamed(path: &Path, verdict: &ReceivedVerdict) -> Option<Reason> {
    let path = path.canonicalize().ok()?;
    named_otherwise(path.file_name()?.to_str()?, verdict)
}

/// The same of a folder's or a file's own name.
fn named_otherwise(name: &str, verdict: &ReceivedVerdict) -> Option<Reason> {
    let (number, rest) = name.split_once('-')?;
    let is_entry = number.len() == 12 && number.bytes().all(|b| b.is_ascii_digit());
    let result = match verdict.passed {
        _ if rest.ends_with(BESIDE) => BESIDE,
        true if rest.ends_with(TAR) => TAR,
        true => "-passed",
        false => "-refused",
    };
    if !is_entry || (number.parse() == Ok(verdict.sequence) && rest.ends_with(result)) {
        return None;
    }
    let detail = format!(
        "the entry is named {name:?}, its verdict is number {} and ends in {result}",
        verdict.sequence
    );
    Some(Reason::new(Code::VerdictFiles, detail))
}

/// The name of the verdict that a station puts out before a tar of this name.
fn beside(tar: &str) -> Option<String> {
    tar.strip_suffix(TAR).map(|id| format!("{id}{BESIDE}"))
}

/// Where a verdict lies beside a tar, it is the very one in it: `bytes`.
fn differs_beside(
    root: &Root,
    tar: &str,
    bytes: &[u8],
    budget: &Budget,
) -> Result<Option<Reason>, Reason> {
    let Some(name) = beside(tar) else { return Ok(None) };
    let found = match root.file(&name) {
        Err(BeneathError::NotFound) => return Ok(None),
        Err(error) => return Err(refusal_or_failure(error, &name)),
        Ok(file) => crate::pipeline::read_bundle(&file, &name, budget, &|| Ok(()))?,
    };
    let same = found.is_ok_and(|found| Sha256Digest::of(&found) == Sha256Digest::of(bytes));
    Ok((!same).then(|| {
        let detail = "the verdict beside the tar is not the one in it";
        Reason::new(Code::VerdictFiles, detail).about(name)
    }))
}

/// What is in the entry's folder and does not belong there.
fn strangers(root: &Root, verdict: &ReceivedVerdict) -> Result<Vec<Reason>, Reason> {
    let entries = root.entries(MOST_ENTRIES).map_err(|error| refusal_or_failure(error, "."))?;
    Ok(entries
        .iter()
        .filter(|entry| {
            let passed = verdict.passed;
            let name = entry.name.as_slice();
            let file = [VERDICT, REPORT].iter().any(|known| known.as_bytes() == name)
                || passed && [RESIGNED, SOURCE].iter().any(|known| known.as_bytes() == name);
            let folder = passed && name == MODEL.as_bytes()
                || !verdict.attestations.is_empty() && name == ATTESTATIONS.as_bytes();
            let expected =
                file && entry.kind == Kind::File || folder && entry.kind == Kind::Directory;
            !expected
        })
        .map(|entry| {
            let name = String::from_utf8_lossy(&entry.name).into_owned();
            Reason::new(Code::VerdictFiles, "it does not belong to the entry").about(name)
        })
        .collect())
}

/// The files are the verdict's, each with its size and digest, and there is no other.
fn check_files(
    root: &Root,
    verdict: &ReceivedVerdict,
    manifest: &Arc<Manifest>,
    budget: &Budget,
    reading: &Reading<'_>,
) -> Result<Reasons, Reason> {
    let folder = root.directory(MODEL).map_err(|error| refusal_or_failure(error, MODEL))?;
    let source = Source::Folder(Arc::new(folder));
    let observed = intake::read(&source, manifest, &[], budget, None, reading)?;
    let mut reasons = observed.problems;
    for unlisted in observed.unlisted {
        let reason = Reason::new(Code::VerdictFiles, "the verdict does not list it");
        reasons.push(reason.about(unlisted.path));
    }
    for (file, size) in &verdict.files {
        match observed.files.get(&file.path) {
            Some(seen) if seen.size == *size && seen.pieces == file.pieces => {}
            Some(_) => {
                let reason = Reason::new(Code::VerdictFiles, "its bytes are not the verdict's");
                reasons.push(reason.about(file.path.as_str()));
            }
            None => {
                let reason = Reason::new(Code::VerdictFiles, "the file is absent");
                reasons.push(reason.about(file.path.as_str()));
            }
        }
    }
    Ok(reasons)
}

/// The source's bundle is one that the station found.
fn check_source(
    root: &Root,
    verdict: &ReceivedVerdict,
    budget: &Budget,
) -> Result<Option<Reason>, Reason> {
    let (file, progress) = (open(root, SOURCE, Code::VerdictFiles)?, Progress::hidden());
    let (size, limit) = (file.size(), budget.bundle_bytes);
    if size > limit {
        return Err(Reason::from(&BundleError::TooLarge { size, limit }).about(SOURCE));
    }
    let (hash, method) = (HashAlgorithm::Sha256, Method::Files);
    let (_, pieces) = intake::hash_file(&file, hash, method, &progress, |_| Ok(()))
        .map_err(|reason| reason.about(SOURCE))?;
    Ok(strange_source(&pieces, verdict))
}

/// A source's bundle that the verdict does not name.
fn strange_source(pieces: &Pieces, verdict: &ReceivedVerdict) -> Option<Reason> {
    let Pieces::Whole(found) = pieces else { return None };
    (!verdict.sources.iter().any(|source| source.0 == found.as_bytes())).then(|| {
        let detail =
            format!("its SHA-256, {}, is not the one of a bundle of the verdict", found.to_hex());
        Reason::new(Code::VerdictFiles, detail).about(SOURCE)
    })
}

/// The attestations are the verdict's, each with its size and digest, and there is no other.
fn check_attestations(root: &Root, verdict: &ReceivedVerdict) -> Result<Reasons, Reason> {
    let mut reasons = Reasons::default();
    if verdict.attestations.is_empty() {
        return Ok(reasons);
    }
    let shown = |name: &str| format!("{ATTESTATIONS}/{name}");
    let most = verdict.attestations.len().saturating_add(MOST_ENTRIES);
    let folder = match root.directory(ATTESTATIONS) {
        Ok(folder) => folder,
        Err(BeneathError::NotFound) => {
            let reason = Reason::new(Code::VerdictFiles, "the folder is absent");
            reasons.push(reason.about(ATTESTATIONS));
            return Ok(reasons);
        }
        Err(error) => return Err(refusal_or_failure(error, ATTESTATIONS)),
    };
    for entry in folder.entries(most).map_err(|error| refusal_or_failure(error, ATTESTATIONS))? {
        let name = String::from_utf8_lossy(&entry.name);
        if !verdict.attestations.iter().any(|one| one.name == name) {
            let reason = Reason::new(Code::VerdictFiles, "the verdict does not list it");
            reasons.push(reason.about(shown(&name)));
        }
    }
    for ReceivedAttestation { name, size, digest } in &verdict.attestations {
        let file = match folder.file(name) {
            Ok(file) => file,
            Err(BeneathError::NotFound) => {
                let reason = Reason::new(Code::VerdictFiles, "the file is absent");
                reasons.push(reason.about(shown(name)));
                continue;
            }
            Err(error) => match refusal_or_failure(error, &shown(name)) {
                refusal if refusal.code.class() == Class::Refusal => {
                    reasons.push(refusal);
                    continue;
                }
                failure => return Err(failure),
            },
        };
        let (hash, method) = (HashAlgorithm::Sha256, Method::Files);
        let same = file.size() == *size && {
            let progress = Progress::hidden();
            let (_, pieces) = intake::hash_file(&file, hash, method, &progress, |_| Ok(()))
                .map_err(|reason| reason.about(shown(name)))?;
            matches!(&pieces, Pieces::Whole(found)
                if found.algorithm() == hash && found.as_bytes() == digest.0)
        };
        if !same {
            let reason = Reason::new(Code::VerdictFiles, "its bytes are not the verdict's");
            reasons.push(reason.about(shown(name)));
        }
    }
    Ok(reasons)
}

/// What the entry's report says against relying on it: the verdict does not cover it, and it is not
/// the page that this version makes of the verdict. Another version of the station may have made
/// it, so this refuses nothing. A report that is not there says nothing.
fn check_report(path: &Path, verdict: &ReceivedVerdict) -> Option<Reason> {
    let payload = std::str::from_utf8(verdict.payload()).unwrap_or_default();
    let expected = report::render(payload).into_bytes();
    let file = Root::open(path).map_err(BeneathError::Io).and_then(|root| root.file(REPORT));
    let same = match file {
        Err(BeneathError::NotFound) => true,
        Ok(file) if file.size() == expected.len() as u64 => {
            let budget = Budget { bundle_bytes: file.size(), ..Budget::default() };
            let found = crate::pipeline::read_bundle(&file, REPORT, &budget, &|| Ok(()));
            found.is_ok_and(|bytes| bytes.is_ok_and(|bytes| bytes == expected))
        }
        Ok(_) | Err(_) => false,
    };
    (!same).then(report_warning)
}

fn report_warning() -> Reason {
    let detail = "it is not covered by the verdict and differs from it: do not rely on it";
    Reason::new(Code::VerdictFiles, detail).about(REPORT)
}

#[cfg(test)]
mod tests;
