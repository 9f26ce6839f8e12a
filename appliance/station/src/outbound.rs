//! Publishing: a complete entry, visible in one rename, or nothing.
//!
//! ```text
//!  spool/ingest-N/        model/ model.sig source.sig      synced
//!     └─ ledger.begin(payload)                             synced
//!     └─ verdict.sigstore.json report.html                 synced
//!     └─ archive                                           synced
//!     └─ rename ──▶ outbound/<sequence>-<id>-passed/       synced
//!     └─ ledger.commit
//! ```
//!
//! Whatever crashes, what is in outbound is complete, and what was begun is ended at the next
//! start with the same payload.

use std::collections::BTreeMap;
use std::path::PathBuf;

use oms_sys::durable;
use oms_verify::hash::Sha256Digest;
use oms_verify::reason::{Code, Reason};
use oms_verify::statement::Manifest;
use oms_verify::verdict::{self, Resigned, StationFacts, Verdict};

use crate::intake::Quarantine;
use crate::ledger::{Ledger, Pending};
use crate::report;
use crate::signer::{Shape, Signer};

/// The verdict's file in an entry.
pub const VERDICT: &str = "verdict.sigstore.json";
/// The re-signed bundle's file in an entry.
pub const RESIGNED: &str = "model.sig";
/// The source's bundle in an entry.
pub const SOURCE: &str = "source.sig";
/// The report for people in an entry.
pub const REPORT: &str = "report.html";
/// How folders of the spool begin.
const FOLDER: &str = "ingest-";
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
    /// The key of verdicts.
    pub verdict: Signer,
    /// The key of re-signed bundles.
    pub resign: Signer,
    /// The record.
    pub ledger: Ledger,
}

/// An entry that is out.
#[derive(Clone, Debug)]
pub struct Published {
    /// Its sequence number.
    pub sequence: u64,
    /// Its folder in outbound.
    pub entry: PathBuf,
    /// The verdict's payload.
    pub payload: String,
}

/// What the station states about itself besides its keys.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    /// SHA-256 of every CRL that was at hand.
    pub crls: &'a [Sha256Digest],
}

impl Outbound {
    /// Ends what a crash left: publishes the decision that was begun, and removes quarantines that
    /// nobody owns.
    ///
    /// # Errors
    /// When that fails. Nothing new may be begun before.
    pub fn recover(&mut self) -> Result<Option<Published>, Reason> {
        let ended = match self.ledger.pending().cloned() {
            Some(pending) if self.spool.join(&pending.folder).is_dir() => {
                Some(self.finish(&pending)?)
            }
            // The folder left the spool by the rename that published it.
            Some(pending) if self.ledger.archived(&pending.entry).join(VERDICT).is_file() => {
                self.ledger.commit()?;
                None
            }
            Some(pending) => {
                let detail = format!("the staged entry {} is gone", pending.entry);
                return Err(Reason::new(Code::StateDamaged, detail));
            }
            None => None,
        };
        self.sweep()?;
        Ok(ended)
    }

    fn sweep(&self) -> Result<(), Reason> {
        let entries = std::fs::read_dir(&self.spool)
            .map_err(|error| failed("reading the spool", &error, &self.spool))?;
        for entry in entries {
            let entry = entry.map_err(|error| failed("reading the spool", &error, &self.spool))?;
            if entry.file_name().as_encoded_bytes().starts_with(FOLDER.as_bytes()) {
                std::fs::remove_dir_all(entry.path())
                    .map_err(|error| failed("clearing the spool", &error, &entry.path()))?;
            }
        }
        Ok(())
    }

    /// Makes the quarantine of the next model.
    ///
    /// # Errors
    /// When the spool cannot be written.
    pub fn quarantine(&self) -> Result<Quarantine, Reason> {
        let sequence = self.ledger.next()?.sequence;
        Quarantine::create(&self.spool, &format!("{FOLDER}{sequence}"))
    }

    /// Signs a verdict and publishes it; with it, when it passed, the copies and the re-signed
    /// bundle. `source` is the bundle of the admitted signer as it was found.
    ///
    /// # Errors
    /// When anything fails. Then nothing is in outbound, or the entry is complete.
    pub fn publish(
        &mut self,
        verdict: &Verdict,
        mut quarantine: Quarantine,
        source: &[u8],
        circumstances: Circumstances<'_>,
    ) -> Result<Published, Reason> {
        let manifest = match released_manifest(verdict)? {
            Some(manifest) => Some(manifest),
            None => {
                quarantine.clear()?;
                None
            }
        };
        let mut resigned_digest = None;
        if let Some(manifest) = &manifest {
            let annotations: &BTreeMap<String, String> = &verdict.policy().resign.annotations;
            let bundle = self.resign.sign_model(verdict.subject_name(), annotations, manifest)?;
            self.stage(&quarantine, RESIGNED, &bundle)?;
            self.stage(&quarantine, SOURCE, source)?;
            resigned_digest = Some(Sha256Digest::of(&bundle));
        }
        durable::sync_file_system(quarantine.folder())
            .map_err(|error| failed("syncing the spool", &error, quarantine.folder()))?;

        let position = self.ledger.next()?;
        let payload = verdict::compose(
            verdict,
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
                crls: circumstances.crls,
                sandbox: "none",
                clock: "system",
            },
        );
        let payload = String::from_utf8(payload)
            .map_err(|_| Reason::new(Code::StateDamaged, "the payload is not UTF-8"))?;
        let folder = quarantine.folder().file_name().and_then(|name| name.to_str());
        let pending = Pending {
            sequence: position.sequence,
            entry: entry_name(position.sequence, verdict),
            folder: folder.unwrap_or_default().to_owned(),
            payload,
        };
        self.ledger.begin(pending.clone())?;
        quarantine.keep();
        self.finish(&pending)
    }

    /// From the written payload to the visible entry; again after a crash.
    fn finish(&mut self, pending: &Pending) -> Result<Published, Reason> {
        let folder = self.spool.join(&pending.folder);
        let bundle = self.verdict.sign(pending.payload.as_bytes(), Shape::Leaf)?;
        let report = report::render(&pending.payload);
        for (file, bytes) in [(VERDICT, bundle.as_slice()), (REPORT, report.as_bytes())] {
            let path = folder.join(file);
            durable::replace(&path, bytes, MODE)
                .map_err(|error| failed("writing to the spool", &error, &path))?;
        }
        self.ledger.archive(&pending.entry, VERDICT, &bundle)?;
        for file in [RESIGNED, SOURCE] {
            let path = folder.join(file);
            match std::fs::read(&path) {
                Ok(bytes) => self.ledger.archive(&pending.entry, file, &bytes)?,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed("reading the spool", &error, &path)),
            }
        }
        durable::sync_file_system(&folder)
            .map_err(|error| failed("syncing the spool", &error, &folder))?;
        let entry = self.outbound.join(&pending.entry);
        durable::rename_new(&folder, &entry).map_err(|error| {
            let code = match error.kind() {
                std::io::ErrorKind::AlreadyExists => Code::OutboundConflict,
                _ => Code::OutboundWrite,
            };
            Reason { code, ..failed("publishing", &error, &entry) }
        })?;
        durable::sync_folder_of(&entry)
            .and_then(|()| durable::sync_folder_of(&folder))
            .map_err(|error| failed("syncing outbound", &error, &entry))?;
        self.ledger.commit()?;
        let Pending { sequence, payload, .. } = pending.clone();
        Ok(Published { sequence, entry, payload })
    }

    fn stage(&self, quarantine: &Quarantine, file: &str, bytes: &[u8]) -> Result<(), Reason> {
        let path = quarantine.folder().join(file);
        durable::create(&path, bytes, MODE)
            .map_err(|error| failed("writing to the spool", &error, &path))
    }
}

/// The manifest of what is published: exactly the files of a verdict that passed, without the
/// source's ignored paths, since nothing of them is there.
fn released_manifest(verdict: &Verdict) -> Result<Option<Manifest>, Reason> {
    let (true, Some(manifest)) = (verdict.passed(), verdict.manifest()) else { return Ok(None) };
    let files = verdict.files().iter().map(|(file, _)| file.clone()).collect();
    let budget = &verdict.policy().budget;
    Manifest::new(manifest.hash(), manifest.method(), Vec::new(), files, budget)
        .map(Some)
        .map_err(|error| Reason::new(Code::StateDamaged, error.to_string()))
}

/// `<sequence>-<id>-passed` or `-refused`: ASCII, unique, and never used twice.
fn entry_name(sequence: u64, verdict: &Verdict) -> String {
    let digest = verdict.bundles().first().and_then(|(_, digest)| *digest);
    let id: String = digest.unwrap_or(Sha256Digest::ZERO).to_hex().chars().take(16).collect();
    let result = if verdict.passed() { "passed" } else { "refused" };
    format!("{sequence:012}-{id}-{result}")
}

fn failed(what: &str, error: &std::io::Error, path: &std::path::Path) -> Reason {
    Reason::new(Code::OutboundWrite, format!("{what}: {error}")).about(path.display().to_string())
}
