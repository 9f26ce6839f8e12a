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

mod keep;
mod recovery;
mod release;
mod resend;
mod signed;
mod stated;
mod tar;

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use oms_sys::durable::{self, FileSystem, Lock};
use oms_sys::sealed::Sealed;
use oms_verify::hash::Sha256Digest;
use oms_verify::reason::{Code, Reason};
use oms_verify::time::Span;
use oms_verify::verdict::{self, Decision};

use crate::chain::Decided;
use crate::clock::{Clock, system_time};
use crate::config::{Config, Profile};
use crate::crl_memory::CrlMemory;
use crate::handover;
use crate::intake::{self, ATTESTATIONS, Quarantine};
use crate::journal::{CarrierId, IntakeId, Journal, Numbered, Origin, Payload};
use crate::report;
use crate::signing::{RemoteSigner, Signed};
use crate::storage::failed;
use release::{held, move_out, out_folder, release_files};
pub use resend::Today;
pub(crate) use tar::rank as rank_in_tar;

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
    /// How long models are kept after their entries went out.
    pub keep: Option<Span>,
    /// Who has the keys.
    pub signer: RemoteSigner,
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
        signer: RemoteSigner,
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
            keep: config.keep,
            signer,
            journal,
            clock,
            crl_memory,
            file_system,
            _lock: lock,
        })
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

    /// That the quota has room for this model still: another one may have gone out since it began.
    fn check_room(&self, quarantine: &Quarantine) -> Result<(), Reason> {
        let Some(room) = self.room()? else { return Ok(()) };
        let folder = quarantine.folder();
        let bytes = held(folder).map_err(|error| failed("reading the spool", &error, folder))?;
        if bytes <= room {
            return Ok(());
        }
        let detail = format!("the model has {bytes} bytes, the quota leaves {room}");
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

    /// Writes a decision down, has it signed, and publishes it; with it, when the model passed, the
    /// copies in the quarantine and what goes out beside them. Gives the decision and its entry.
    ///
    /// # Errors
    /// When anything fails. Then nothing is in outbound, or the entry is complete. What was written
    /// down is ended by [`Outbound::catch_up`], now or after a restart.
    pub fn publish(
        &mut self,
        decided: Decided,
        intake: Intake,
    ) -> Result<(Decision, Published), Reason> {
        let Intake { id, quarantine } = intake;
        let Decided { decision, sealed, files, kept, sandbox, .. } = decided;
        if decision.passed() {
            quarantine.check_alone()?;
            let keep =
                |(name, bytes): &(String, Sealed)| quarantine.keep_beside(name, bytes.as_slice());
            kept.iter().try_for_each(keep)?;
            self.check_room(&quarantine)?;
        } else {
            quarantine.clear()?;
        }
        let highest = self.clock.highest();
        let made = handover::made(sealed.as_slice(), files.as_slice(), &sandbox, highest)?;
        // Of a model with many files, what is no longer needed is most of the memory.
        drop((kept, sealed, files));
        let published = self.issue(&decision, made, Origin::Intake(id), quarantine)?;
        Ok((decision, published))
    }

    /// The way of every decision from its number on: written down, signed, and published with what
    /// the quarantine holds.
    fn issue(
        &mut self,
        decision: &Decision,
        made: Sealed,
        origin: Origin,
        mut quarantine: Quarantine,
    ) -> Result<Published, Reason> {
        self.file_system
            .sync()
            .map_err(|error| failed("syncing the spool", &error, quarantine.folder()))?;
        let is_next = self.journal.unfinished()?.is_empty();
        let sequence = self.journal.next()?;
        // Others may have taken numbers since this one began: it is not the one that was looked for.
        self.check_unused(sequence)?;
        let (subject, root) = verdict::subject(decision);
        let numbered = Numbered {
            sequence,
            origin,
            verifier: self.id.clone(),
            key: self.signer.key().fingerprint(),
            passed: decision.passed(),
            subject,
            root,
            time: decision.time,
            folder: quarantine.folder().to_owned(),
            entry: self.outbound.join(entry_name(sequence, decision, self.profile)),
        };
        let begun = self.journal.decided(&numbered, made.as_slice());
        if begun.is_ok() || self.journal.is_uncertain() {
            // From here on the folder belongs to the record.
            quarantine.keep();
        }
        begun?;
        if !is_next {
            // Another carrier's, since its own would have stopped: they are ended in their order.
            let detail = "it was decided, and waits for a verdict before it that is not out";
            return Err(Reason::new(Code::StateUnfinished, detail));
        }
        let payload = self.sign(&numbered, made, None)?;
        self.release(Begun { decision: numbered, payload })
    }

    /// Has a decision signed that is written down, and stages what was signed; again after a crash,
    /// when its payload may be `written` down already. Gives the payload.
    fn sign(
        &mut self,
        decision: &Numbered,
        made: Sealed,
        written: Option<&Payload>,
    ) -> Result<Payload, Reason> {
        let position = self.journal.position(decision.sequence)?;
        let signed = self.signer.sign(position, &made)?;
        drop(made);
        // Before anything of it is written down: what is written must be what goes out.
        signed::check(&signed, decision, position, self.signer.key())?;
        let Signed { payload, verdict, bundle } = signed;
        match written {
            Some(written) if *written != payload => {
                let detail = "the signer has another payload than the journal";
                return Err(Reason::new(Code::StateDamaged, detail));
            }
            Some(_) => {}
            None => self.journal.composed(position, &payload)?,
        }
        let stage = |file: &str, bytes: &[u8]| {
            let path = decision.folder.join(file);
            durable::replace(&path, bytes, MODE)
                .map_err(|error| failed("writing to the spool", &error, &path))
        };
        if let Some(bundle) = &bundle {
            stage(RESIGNED, bundle.as_slice())?;
        }
        stage(VERDICT, verdict.as_slice())?;
        stage(REPORT, report::render(payload.as_str()).as_bytes())?;
        self.journal.signed(decision.sequence, Sha256Digest::of(verdict.as_slice()))?;
        Ok(payload)
    }

    /// Keeps what goes out, and makes it visible by one rename.
    fn release(&mut self, begun: Begun) -> Result<Published, Reason> {
        let Begun { decision: Numbered { sequence, folder, entry, passed, origin, .. }, payload } =
            begun;
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
        // What is sent again is kept under its first number, and no longer for that.
        let stays = matches!(origin, Origin::Intake(_)) && passed;
        let keep = self.keep.filter(|_| stays).zip(name.to_str());
        if let Some((_, name)) = keep {
            keep::link(&self.spool, folder, name)?;
        }
        self.file_system.sync().map_err(|error| failed("syncing the spool", &error, folder))?;
        if let Some((span, name)) = keep {
            keep::record(&mut self.journal, (sequence, name), system_time(), span)?;
        }
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
        // What is kept too long is removed at the next start if it cannot be now.
        let _ = keep::expire(&self.spool, &mut self.journal, system_time());
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

/// The last component of an entry's path.
fn name_of(entry: &Path) -> &OsStr {
    entry.file_name().unwrap_or_default()
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
