//! Publishing: a complete entry, visible in one rename, or nothing.
//!
//! ```text
//!  spool/ingest-N/        model/ model.sig source.sig attestations/      synced
//!     └─ journal: decided, and its payload                 synced
//!     └─ verdict.sigstore.json report.html                 synced
//!     └─ journal: signed                                   synced
//!     └─ archive                                           synced
//!     └─ rename ──▶ outbound/<sequence>-<id>-passed/       synced
//!     └─ journal: published                                synced
//!
//!  profile tar: spool/ingest-N.out/  the verdict, and the entry as tar      synced
//!     └─ rename ──▶ outbound/<sequence>-<id>.verdict.json                   synced
//!     └─ rename ──▶ outbound/<sequence>-<id>-passed.tar                     synced
//! ```
//!
//! Whatever crashes, what is in outbound is complete, and what was begun is ended at the next
//! start with the same payload.

mod release;
mod tar;

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use oms_sys::durable::{self, FileSystem, Lock};
use oms_verify::budget::Budget;
use oms_verify::hash::Sha256Digest;
use oms_verify::reason::{Code, Reason};
use oms_verify::statement::{Manifest, ManifestFile};
use oms_verify::verdict::{self, ClockStatus, Decision, Resigned, StationFacts};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::clock::{Clock, system_time};
use crate::config::{Config, Profile};
use crate::crl_memory::CrlMemory;
use crate::intake::{self, ATTESTATIONS, Quarantine, Reading};
use crate::journal::{CarrierId, IntakeId, Journal, Numbered, Origin, Payload, Unfinished};
use crate::progress::Progress;
use crate::receive::{ReceiverTrust, check_entry};
use crate::report;
use crate::signer::{Sealed, Shape, Signer};
use crate::storage::failed;
use release::{held, move_out, out_folder, release_files};

/// The verdict's file in an entry.
pub const VERDICT: &str = "verdict.sigstore.json";
/// The re-signed bundle's file in an entry.
pub const RESIGNED: &str = "model.sig";
/// The source's bundle in an entry.
pub const SOURCE: &str = intake::SOURCE;
/// The report for people in an entry.
pub const REPORT: &str = "report.html";
/// How the names of verdicts end that stand beside their entries.
pub const BESIDE: &str = ".verdict.json";
/// Entries can be read by the sender's group.
const MODE: u32 = 0o640;

/// The software's version, in every verdict.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Where verdicts are signed and entries are published.
#[derive(Debug)]
pub struct Outbound {
    /// `verifier.id`.
    pub id: String,
    /// Quarantine and staging.
    pub spool: PathBuf,
    /// What the diode empties.
    pub outbound: PathBuf,
    /// How entries look there.
    pub profile: Profile,
    /// Bytes that outbound may hold.
    pub quota: Option<u64>,
    /// The key of verdicts.
    pub verdict: Signer,
    /// The key of re-signed bundles.
    pub resign: Signer,
    /// The record.
    pub journal: Journal,
    /// The guarded clock.
    pub clock: Clock,
    /// The newest CRLs that were used.
    pub crl_memory: CrlMemory,
    /// The file system of spool and outbound.
    file_system: FileSystem,
    /// No other station clears or fills this spool.
    _lock: Lock,
}

/// An entry that is out.
#[derive(Clone, Debug)]
pub struct Published {
    /// Its sequence number.
    pub sequence: u64,
    /// Its folder in outbound.
    pub entry: PathBuf,
    /// The verdict's payload.
    pub payload: Payload,
}

/// A model that is being read.
#[derive(Debug)]
pub struct Intake {
    /// Its record.
    pub id: IntakeId,
    /// Its copies.
    pub quarantine: Quarantine,
}

/// A decision whose payload is written down.
#[derive(Debug)]
struct Begun {
    decision: Numbered,
    payload: Payload,
}

impl Outbound {
    /// Puts a station together and takes its spool for this process.
    ///
    /// # Errors
    /// When another process has it, or it cannot be opened.
    pub fn open(
        config: &Config,
        journal: Journal,
        clock: Clock,
        crl_memory: CrlMemory,
        verdict: Signer,
        resign: Signer,
    ) -> Result<Self, Reason> {
        let resolve = |path: &Path| {
            path.canonicalize().map_err(|error| failed("resolving a folder", &error, path))
        };
        let id = config.id.clone();
        let (spool, outbound) = (resolve(&config.spool)?, resolve(&config.outbound)?);
        let lock = Lock::try_take_folder(&spool)
            .map_err(|error| failed("locking the spool", &error, &spool))?
            .ok_or_else(|| {
                let detail = "another station uses this spool";
                Reason::new(Code::StateLocked, detail).about(spool.display().to_string())
            })?;
        let file_system =
            FileSystem::of(&spool).map_err(|error| failed("opening the spool", &error, &spool))?;
        Ok(Outbound {
            id,
            spool,
            outbound,
            profile: config.profile,
            quota: config.quota,
            verdict,
            resign,
            journal,
            clock,
            crl_memory,
            file_system,
            _lock: lock,
        })
    }

    /// Ends what a crash left: publishes the decisions that were begun, in order, and removes
    /// quarantines that nobody owns. `progress` is asked for when there is something to be read.
    ///
    /// # Errors
    /// When that fails, or is cancelled. Nothing new may be begun before.
    pub fn recover(
        &mut self,
        mut progress: impl FnMut() -> Progress,
    ) -> Result<Vec<Published>, Reason> {
        let mut ended = Vec::new();
        for unfinished in self.journal.unfinished()? {
            let payload = self.journal.payload(&unfinished)?;
            self.check_begun(&unfinished, &payload)?;
            let begun = Begun { decision: unfinished.decision, payload };
            if begun.decision.folder.is_dir() {
                // What may have gone out in part goes on with the verdict that it began with.
                if !out_folder(&begun.decision.folder).is_dir() {
                    self.sign(&begun)?;
                }
                self.check_staged(&begun, &progress())?;
                ended.push(self.release(begun)?);
            } else if let Some(verdict) = self.archived_verdict(&begun)? {
                // The archive is complete before the rename, and nothing but the rename takes
                // the folder out of the spool: it was published, and perhaps sent already.
                let sequence = begun.decision.sequence;
                self.journal.signed(sequence, verdict)?;
                self.journal.published(sequence, system_time())?;
            } else {
                let detail = "the staged entry is gone";
                let reason = Reason::new(Code::StateDamaged, detail);
                return Err(reason.about(begun.decision.folder.display().to_string()));
            }
        }
        self.sweep()?;
        self.journal.interrupt(system_time())?;
        Ok(ended)
    }

    /// The SHA-256 of the verdict that the archive keeps of a decision.
    fn archived_verdict(&self, begun: &Begun) -> Result<Option<Sha256Digest>, Reason> {
        let name = name_of(&begun.decision.entry);
        let path = self.journal.archive().folder(name).join(VERDICT);
        match std::fs::read(&path) {
            Ok(verdict) => Ok(Some(Sha256Digest::of(&verdict))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("reading the archive", &error, &path)),
        }
    }

    /// A decision that was begun is ended where and as it was begun, or not at all: the record
    /// alone does not make a payload worth signing.
    fn check_begun(&self, unfinished: &Unfinished, payload: &Payload) -> Result<(), Reason> {
        let Unfinished { decision, previous, .. } = unfinished;
        let expected = previous.map(|previous| StatedPlace {
            sequence: decision.sequence,
            previous: previous.to_hex(),
            verifier: decision.verifier.clone(),
        });
        let stated = StatedPlace::of(payload.as_str());
        let number = format!("{:012}-", decision.sequence);
        let named = name_of(&decision.entry).to_str().is_some_and(|name| name.starts_with(&number));
        if expected.is_none() || stated != expected || !named {
            let detail = "a payload that was begun is not the one of its place in the record";
            return Err(Reason::new(Code::StateDamaged, detail));
        }
        let other = [
            ("station.id", decision.verifier == self.id),
            ("the verdict key", decision.key == self.verdict.public_key().fingerprint()),
            ("station.spool", decision.folder.parent() == Some(&self.spool)),
            ("station.outbound", decision.entry.parent() == Some(&self.outbound)),
        ]
        .into_iter()
        .find(|(_, same)| !same);
        match other {
            None => Ok(()),
            Some((setting, _)) => {
                let detail = format!(
                    "decision {} was begun with another value of {setting}",
                    decision.sequence
                );
                let place = decision.entry.display().to_string();
                Err(Reason::new(Code::StateUnfinished, detail).about(place))
            }
        }
    }

    /// A number that is out already means that the record was put back from a copy: no second
    /// verdict is made under it, whatever the model.
    fn check_unused(&self, sequence: u64) -> Result<(), Reason> {
        let number = format!("{sequence:012}-");
        let entries = std::fs::read_dir(&self.outbound)
            .map_err(|error| failed("reading outbound", &error, &self.outbound))?;
        for entry in entries {
            let entry =
                entry.map_err(|error| failed("reading outbound", &error, &self.outbound))?;
            if entry.file_name().as_encoded_bytes().starts_with(number.as_bytes()) {
                let detail = format!("verdict {sequence} is out already");
                let reason = Reason::new(Code::OutboundConflict, detail);
                return Err(reason.about(entry.path().display().to_string()));
            }
        }
        Ok(())
    }

    fn sweep(&self) -> Result<(), Reason> {
        let entries = std::fs::read_dir(&self.spool)
            .map_err(|error| failed("reading the spool", &error, &self.spool))?;
        for entry in entries {
            let entry = entry.map_err(|error| failed("reading the spool", &error, &self.spool))?;
            if entry.file_name().as_encoded_bytes().starts_with(IntakeId::FOLDER.as_bytes()) {
                std::fs::remove_dir_all(entry.path())
                    .map_err(|error| failed("clearing the spool", &error, &entry.path()))?;
            }
        }
        Ok(())
    }

    /// Records that the model at the path `model` of a carrier is going to be read, and makes its
    /// quarantine.
    ///
    /// # Errors
    /// When the record or the spool cannot be written, or the next number is in outbound already.
    pub fn begin(&mut self, carrier: CarrierId, model: &str) -> Result<Intake, Reason> {
        self.check_unused(self.journal.next()?)?;
        let id = self.journal.begin_intake(carrier, model, system_time())?;
        let quarantine = self
            .room()
            .and_then(|room| Ok(Quarantine::create(&self.spool, &id.folder())?.with_room(room)));
        quarantine
            .map(|quarantine| Intake { id, quarantine })
            .or_else(|reason| self.fail(id, reason))
    }

    /// Bytes that the quota leaves for another entry, where there is one.
    fn room(&self) -> Result<Option<u64>, Reason> {
        let Some(quota) = self.quota else { return Ok(None) };
        let held = held(&self.outbound)
            .map_err(|error| failed("reading outbound", &error, &self.outbound))?;
        if held < quota {
            return Ok(Some(quota.saturating_sub(held)));
        }
        let detail = format!("outbound holds {held} bytes, its quota is {quota}");
        let reason = Reason::new(Code::OutboundQuota, detail);
        Err(reason.about(self.outbound.display().to_string()))
    }

    /// Records that nothing could be decided about a model, and gives the reason back.
    ///
    /// # Errors
    /// Always: with the reason.
    pub fn fail<T>(&mut self, intake: IntakeId, reason: Reason) -> Result<T, Reason> {
        // A disk that does not take it has made itself heard already, or will: the next start
        // records the model as interrupted.
        let _ = self.journal.failed(intake, &reason, system_time());
        Err(reason)
    }

    /// Whether a decision was begun that is not out, or might have been: only the next start may
    /// go on.
    ///
    /// # Errors
    /// When the record cannot be read.
    pub fn is_unfinished(&self) -> Result<bool, Reason> {
        Ok(self.journal.is_uncertain() || !self.journal.unfinished()?.is_empty())
    }

    /// Signs a verdict and publishes it; with it, when it passed, the copies, the re-signed bundle
    /// and the source's, all of which the quarantine holds. `crls` are the SHA-256 of every CRL that
    /// was at hand.
    ///
    /// # Errors
    /// When anything fails. Then nothing is in outbound, or the entry is complete.
    pub fn publish(
        &mut self,
        decision: &Decision,
        files: &[(ManifestFile, u64)],
        sandbox: &str,
        intake: Intake,
    ) -> Result<Published, Reason> {
        let Intake { id, mut quarantine } = intake;
        let manifest = match released_manifest(decision, files)? {
            Some(manifest) => Some(manifest),
            None => {
                quarantine.clear()?;
                None
            }
        };
        let mut resigned_digest = None;
        if let Some(manifest) = &manifest {
            let bundle =
                self.resign.sign_model(&decision.model, &decision.annotations, manifest)?;
            resigned_digest = Some(stage(&quarantine, RESIGNED, &bundle)?);
        }
        self.file_system
            .sync()
            .map_err(|error| failed("syncing the spool", &error, quarantine.folder()))?;

        let position = self.journal.position(self.journal.next()?)?;
        let payload = verdict::compose(
            decision,
            files,
            &StationFacts {
                verifier: &self.id,
                version: VERSION,
                ledger: Some(position),
                resigned: manifest.as_ref().zip(resigned_digest).map(|(manifest, digest)| {
                    Resigned {
                        digest,
                        key: self.resign.public_key(),
                        certificate: self.resign.leaf(),
                        protection: self.resign.protection(),
                        manifest,
                    }
                }),
                protection: self.verdict.protection(),
                intermediates: self.verdict.intermediates(),
                sandbox,
                clock: ClockStatus::Guarded { highest: self.clock.highest() },
            },
        );
        let payload = String::from_utf8(payload)
            .map_err(|_| Reason::new(Code::StateDamaged, "the payload is not UTF-8"))?;
        let (subject, root) = verdict::subject(decision, manifest.as_ref());
        drop(manifest);
        let payload = Payload::from(payload);
        let numbered = Numbered {
            sequence: position.sequence,
            origin: Origin::Intake(id),
            verifier: self.id.clone(),
            key: self.verdict.public_key().fingerprint(),
            passed: decision.passed(),
            subject,
            root,
            time: decision.time,
            folder: quarantine.folder().to_owned(),
            entry: self.outbound.join(entry_name(position.sequence, decision, self.profile)),
        };
        let begun = self.journal.decided_and_composed(&numbered, position.previous, &payload);
        if begun.is_ok() || self.journal.is_uncertain() {
            // From here on the folder belongs to the record.
            quarantine.keep();
        }
        begun?;
        let begun = Begun { decision: numbered, payload };
        self.sign(&begun)?;
        self.release(begun)
    }

    /// Signs the payload that was written down, and stages the verdict; again after a crash.
    fn sign(&mut self, begun: &Begun) -> Result<(), Reason> {
        let Begun { decision, payload } = begun;
        let bundle = self.verdict.sign(Cow::Borrowed(payload.message()), Shape::Leaf)?;
        let path = decision.folder.join(VERDICT);
        let mut hasher = Sha256::new();
        durable::replace_with(&path, MODE, |file| bundle.write(Tee { file, hasher: &mut hasher }))
            .map_err(|error| failed("writing to the spool", &error, &path))?;
        let path = decision.folder.join(REPORT);
        durable::replace(&path, report::render(payload.as_str()).as_bytes(), MODE)
            .map_err(|error| failed("writing to the spool", &error, &path))?;
        self.journal.signed(decision.sequence, Sha256Digest(hasher.finalize().into()))
    }

    /// What lay in the spool over a crash is looked at as the receiving side will.
    fn check_staged(&mut self, begun: &Begun, progress: &Progress) -> Result<(), Reason> {
        let trust = ReceiverTrust::Key(self.verdict.public_key().clone());
        let time = self.clock.now()?;
        let reading = Reading::plain(progress);
        let checked = check_entry(&begun.decision.folder, &self.id, &trust, time, &reading);
        let checked = checked.map_err(damaged)?;
        match checked.reasons.into_iter().find(|reason| reason.code != Code::VerdictFailed) {
            Some(reason) => Err(damaged(reason)),
            None => Ok(()),
        }
    }

    /// Keeps what goes out, and makes it visible by one rename.
    fn release(&mut self, begun: Begun) -> Result<Published, Reason> {
        let Begun { decision: Numbered { sequence, folder, entry, .. }, payload } = begun;
        let (folder, entry) = (folder.as_path(), entry.as_path());
        let name = name_of(entry);
        for file in [VERDICT, RESIGNED, SOURCE] {
            let path = folder.join(file);
            match File::open(&path) {
                Ok(content) => self.journal.archive().keep(name, Path::new(file), content)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed("reading the spool", &error, &path)),
            }
        }
        self.archive_attestations(folder, name)?;
        self.file_system.sync().map_err(|error| failed("syncing the spool", &error, folder))?;
        let as_files = entry.extension().is_some();
        if as_files {
            release_files(folder, entry, &self.file_system)?;
        } else {
            move_out(folder, entry)?;
        }
        self.journal.published(sequence, system_time())?;
        if as_files {
            // What cannot be removed now is swept when the station starts again.
            let _ = std::fs::remove_dir_all(out_folder(folder));
            let _ = std::fs::remove_dir_all(folder);
        }
        Ok(Published { sequence, entry: entry.to_owned(), payload })
    }

    /// The names are the station's own, and the number and the sizes of the files are bounded by
    /// the budget that they were accepted under.
    fn archive_attestations(&self, staged: &Path, name: &OsStr) -> Result<(), Reason> {
        let folder = staged.join(ATTESTATIONS);
        let unreadable = |error: io::Error| failed("reading the spool", &error, &folder);
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(unreadable(error)),
        };
        for entry in entries {
            let path = entry.map_err(unreadable)?.path();
            let content = File::open(&path).map_err(unreadable)?;
            let file = Path::new(ATTESTATIONS).join(name_of(&path));
            self.journal.archive().keep(name, &file, content)?;
        }
        Ok(())
    }
}

/// Writes a bundle to the spool, and gives the SHA-256 of its bytes.
fn stage(quarantine: &Quarantine, file: &str, bundle: &Sealed<'_>) -> Result<Sha256Digest, Reason> {
    let path = quarantine.folder().join(file);
    let mut hasher = Sha256::new();
    durable::create_with(&path, MODE, |file| bundle.write(Tee { file, hasher: &mut hasher }))
        .map_err(|error| failed("writing to the spool", &error, &path))?;
    Ok(Sha256Digest(hasher.finalize().into()))
}

/// Hashes what is written to a file.
struct Tee<'a> {
    file: &'a mut dyn Write,
    hasher: &'a mut Sha256,
}

impl Write for Tee<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hasher.update(bytes);
        self.file.write_all(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// The manifest of what is published. The policy's budget was kept to when it was decided.
fn released_manifest(
    decision: &Decision,
    files: &[(ManifestFile, u64)],
) -> Result<Option<Manifest>, Reason> {
    let budget = Budget { resources: usize::MAX, ..Budget::default() };
    decision
        .released(files, &budget)
        .map_err(|error| Reason::new(Code::StateDamaged, error.to_string()))
}

/// A staged entry that is not what was decided about, unless looking at it was cancelled. Nothing of
/// it goes out.
fn damaged(reason: Reason) -> Reason {
    if reason.code == Code::IntakeCancelled {
        // Nothing was found: the next run looks again.
        return reason;
    }
    let detail = format!("what was begun is not what is in the spool: {reason}");
    Reason { code: Code::StateDamaged, detail, ..reason }
}

/// The last component of an entry's path.
fn name_of(entry: &Path) -> &OsStr {
    entry.file_name().unwrap_or_default()
}

/// Where a payload says that it stands.
#[derive(Debug, PartialEq, Eq)]
struct StatedPlace {
    sequence: u64,
    previous: String,
    verifier: String,
}

/// Of a verdict's payload, what tells its place.
#[derive(Deserialize)]
struct RawPayload {
    predicate: RawPredicate,
}

#[derive(Deserialize)]
struct RawPredicate {
    verifier: RawVerifier,
    #[serde(rename = "urn:oms-appliance:verdict:1")]
    detail: RawDetail,
}

#[derive(Deserialize)]
struct RawVerifier {
    id: String,
}

#[derive(Deserialize)]
struct RawDetail {
    sequence: u64,
    previous: String,
}

impl StatedPlace {
    fn of(payload: &str) -> Option<Self> {
        let RawPredicate { verifier, detail } =
            serde_json::from_str::<RawPayload>(payload).ok()?.predicate;
        let RawDetail { sequence, previous } = detail;
        Some(StatedPlace { sequence, previous, verifier: verifier.id })
    }
}

/// `<sequence>-<id>-passed` or `-refused`; as a file, `<sequence>-<id>-passed.tar`, or for a refusal
/// its verdict: ASCII, unique, and never used twice.
fn entry_name(sequence: u64, decision: &Decision, profile: Profile) -> String {
    let first = decision.bundles.first().and_then(|bundle| bundle.sha256.clone());
    let digest = decision.admitted_bundle.map(Sha256Digest::to_hex).or(first);
    let digest = digest.unwrap_or_else(|| Sha256Digest::ZERO.to_hex());
    let id: String = digest.chars().take(16).collect();
    let result = if decision.passed() { "passed" } else { "refused" };
    match (profile, decision.passed()) {
        (Profile::Tree, _) => format!("{sequence:012}-{id}-{result}"),
        (Profile::Tar, true) => format!("{sequence:012}-{id}-{result}.tar"),
        (Profile::Tar, false) => format!("{sequence:012}-{id}{BESIDE}"),
    }
}
