//! The signer's side.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io;
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::sync::Arc;

use oms_sys::sealed::Sealed;
use oms_verify::dsse::Message;
use oms_verify::hash::Sha256Digest;
use oms_verify::reason::{Code, Reason};
use oms_verify::statement::Manifest;
use oms_verify::verdict::{ClockStatus, Ledger, Mode, Resigned, StationFacts, compose};

use super::messages::{Answer, Ask};
use super::record::{FOLDER, Papers, Record};
use crate::chain::Link;
use crate::config::Config;
use crate::handover::{MOST_SEALED, Made, sealed_copy, sealed_with, written};
use crate::journal;
use crate::keys::{KeyRef, PinSource, witness_logins};
use crate::opening::signers;
use crate::outbound::VERSION;
use crate::process::wire::WireReason;
use crate::signer::{Shape, Signer};
use crate::trust::policy_digest;

/// What any PKCS#11 module may need: the libraries that it is linked with, as far as there are such
/// folders, and random numbers, which NSS does not take from the system call.
const COMMON: [&str; 7] = [
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/dev/urandom",
];

/// What signing needs of the station's files, read while it can be.
#[derive(Debug)]
pub(crate) struct Office {
    config: Config,
    policy: Sha256Digest,
    record: Record,
    read: Vec<PathBuf>,
    write: Vec<PathBuf>,
}

impl Office {
    /// Reads the station's configuration, and which policy it has.
    ///
    /// # Errors
    /// When one cannot be read, or `[hsm.sandbox]` names what is not there.
    pub(crate) fn open(config: Config) -> Result<Self, Reason> {
        let policy = policy_digest(&config.trust.policy)?;
        let record = Record::open(&config.state)?;
        for path in config.hsm_read.iter().chain(&config.hsm_write) {
            path.symlink_metadata().map_err(|error| {
                // A token's device or folder goes with the token.
                let is_away = error.kind() == io::ErrorKind::NotFound;
                let code = if is_away { Code::HsmToken } else { Code::ConfigPath };
                let detail = format!("[hsm.sandbox]: {error}");
                Reason::new(code, detail).about(path.display().to_string())
            })?;
        }
        let own = files_of(&config)?.into_iter().filter(|path| path.exists());
        let read = own.chain(config.hsm_read.iter().cloned()).collect();
        let signers = config.state.join(FOLDER);
        let write = config.hsm_write.iter().cloned().chain([signers]).collect();
        Ok(Office { config, policy, record, read, write })
    }

    /// What the signer may read.
    pub(crate) fn read(&self) -> &[PathBuf] {
        &self.read
    }

    /// What the signer may write.
    pub(crate) fn write(&self) -> &[PathBuf] {
        &self.write
    }
}

/// What is read for the keys themselves, and of the journal.
fn files_of(config: &Config) -> Result<BTreeSet<PathBuf>, Reason> {
    let mut files: BTreeSet<PathBuf> = COMMON.iter().map(PathBuf::from).collect();
    files.insert(config.state.clone());
    for key in [&config.verdict, &config.resign] {
        files.extend(key.certificate.clone());
        match &key.key {
            KeyRef::Pem(file) => {
                files.insert(file.clone());
            }
            KeyRef::Pkcs11(uri) => {
                files.insert(uri.module_path().to_owned());
                match uri.pin_source() {
                    Some(PinSource::File(file)) => {
                        files.insert(file.clone());
                    }
                    Some(PinSource::Credential(_)) => {
                        files.extend(std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from));
                    }
                    Some(PinSource::Fd(_)) => {
                        let detail = "a station's PIN comes by pin-source=file: or credential:, \
                                      since it has to log in again on its own";
                        return Err(Reason::new(Code::KeyPin, detail));
                    }
                    None => {}
                }
            }
        }
    }
    Ok(files)
}

/// Signs for the supervisor until it hangs up.
///
/// # Errors
/// When the keys cannot be used.
pub(crate) fn serve(supervisor: &Arc<Link>, office: Office) -> Result<(), Reason> {
    let told = Arc::clone(supervisor);
    witness_logins(move |begins| {
        let word = if begins { Answer::LoggingIn } else { Answer::LoggedIn };
        // A supervisor that is gone takes this process with it.
        let _ = told.send(&word, &[]);
    });
    let (Ask::Open { time }, with) = supervisor.receive::<Ask>()? else { return Err(unasked()) };
    with.end()?;
    let (verdict, resign) = signers(&office.config, time)?;
    let Office { config, policy, record, .. } = office;
    let mut desk = Desk { config, policy, record, verdict, resign };
    let open = Answer::Open { verdict: desk.verdict.public_key().to_pem() };
    supervisor.send(&open, &[])?;
    while let Some((ask, mut with)) = supervisor.next::<Ask>()? {
        let (sequence, previous) = match ask {
            Ask::Sign { sequence, previous } => (sequence, previous),
            Ask::Probe => {
                with.end()?;
                let answer = match desk.probe() {
                    Ok(()) => Answer::Probed,
                    Err(reason) => Answer::Failed(WireReason(reason)),
                };
                supervisor.send(&answer, &[])?;
                continue;
            }
            Ask::Open { .. } => return Err(unasked()),
        };
        let made = with.sealed(MOST_SEALED)?;
        with.end()?;
        match desk.sign(Ledger { sequence, previous }, &made) {
            Ok(signed) => {
                let signed: Vec<_> = signed.iter().map(Sealed::as_fd).collect();
                supervisor.send(&Answer::Signed, &signed)?;
            }
            Err(reason) => supervisor.send(&Answer::Failed(WireReason(reason)), &[])?,
        }
    }
    Ok(())
}

fn unasked() -> Reason {
    Reason::new(Code::ProcessProtocol, "the order is not one for a signer")
}

/// The open keys, with what they are used by.
struct Desk {
    config: Config,
    policy: Sha256Digest,
    record: Record,
    verdict: Signer,
    resign: Signer,
}

impl Desk {
    /// That both keys can sign.
    fn probe(&self) -> Result<(), Reason> {
        self.verdict.probe()?;
        self.resign.probe()
    }

    /// The payload, the verdict, and the re-signed bundle when the model passed.
    fn sign(&mut self, position: Ledger, made: &Sealed) -> Result<Vec<Sealed>, Reason> {
        let sequence = position.sequence;
        let decision = Sha256Digest::of(made.as_slice());
        if journal::recorded(&self.config.state, sequence)? != Some(decision) {
            let detail = format!("the journal knows no such decision under number {sequence}");
            return Err(Reason::new(Code::StateDamaged, detail));
        }
        let papers = match self.record.standing(sequence, decision)? {
            Some(papers) => papers,
            None => {
                let papers = self.compose(position, &Made::from_json(made.as_slice())?)?;
                self.record.add(sequence, decision, &papers)?;
                papers
            }
        };
        let payload = sealed_copy(papers.payload.as_bytes())?;
        let message = Message::of_statement(papers.payload.into_bytes());
        let bundle = self.verdict.sign(Cow::Owned(message), Shape::Leaf)?;
        let verdict =
            sealed_with(|writer| Ok(bundle.write(writer).map_err(serde_json::Error::io)?))?;
        let mut signed = vec![payload, verdict];
        if let Some(bundle) = papers.bundle {
            signed.push(sealed_copy(&bundle)?);
        }
        Ok(signed)
    }

    /// What a decision is put into words by: the payload of its verdict, and a bundle of its own
    /// for the files that are released.
    fn compose(&self, position: Ledger, made: &Made) -> Result<Papers, Reason> {
        let Made { decision, files, sandbox, highest } = made;
        if decision.policy.sha256 != self.policy.to_hex() {
            let detail = "it was decided by another policy than the station has";
            return Err(Reason::new(Code::StateUnfinished, detail));
        }
        if decision.mode != Mode::Ingest {
            return Err(Reason::new(Code::ProcessProtocol, "it was not decided in an ingest"));
        }
        let released = decision.released(files, &written());
        let released: Option<Manifest> =
            released.map_err(|error| Reason::new(Code::ProcessProtocol, error.to_string()))?;
        let bundle = released.as_ref().map(|manifest| {
            let sealed = self.resign.sign_model(&decision.model, &decision.annotations, manifest);
            Ok::<_, Reason>(sealed?.to_vec())
        });
        let bundle = bundle.transpose()?;
        let resigned = released.as_ref().zip(bundle.as_ref()).map(|(manifest, bundle)| Resigned {
            digest: Sha256Digest::of(bundle),
            key: self.resign.public_key(),
            certificate: self.resign.leaf(),
            protection: self.resign.protection(),
            manifest,
        });
        let payload = compose(
            decision,
            files,
            &StationFacts {
                verifier: &self.config.id,
                version: VERSION,
                ledger: Some(position),
                resigned,
                protection: self.verdict.protection(),
                intermediates: self.verdict.intermediates(),
                sandbox,
                clock: ClockStatus::Guarded { highest: *highest },
            },
        );
        let payload = String::from_utf8(payload)
            .map_err(|_| Reason::new(Code::StateDamaged, "the payload is not UTF-8"))?;
        Ok(Papers { payload, bundle })
    }
}
