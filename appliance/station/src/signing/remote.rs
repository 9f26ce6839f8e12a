//! The supervisor's side.

use std::ffi::OsString;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::time::{Duration, Instant};

use oms_sys::sealed::Sealed;
use oms_verify::key::PublicKey;
use oms_verify::reason::{Code, Reason};
use oms_verify::time::UnixTime;
use oms_verify::verdict::Ledger;

use super::messages::{Answer, Ask};
use crate::chain::{Attached, Worker};
use crate::handover::MOST_SEALED;
use crate::journal::Payload;
use crate::process::Role;

/// How long a signer may take to open its keys, or to sign. An HSM signs in less than a second, and
/// a login to one that is reached over a network takes some; that and the same again after the
/// module's restart fit in several times.
const ANSWERING: Duration = Duration::from_secs(30);
/// Bytes of a decision that are put into words, and synced to a slow disk, in a second.
const WRITTEN: usize = 4 << 20;
/// The most words that are heard until an answer: a few for each login.
const MOST_WORDS: usize = 64;

/// The signer, as the supervisor has it. A process whose keys fail is given up, and the next request
/// starts another, which logs in once.
#[derive(Debug)]
pub struct RemoteSigner {
    args: Vec<OsString>,
    is_sandboxed: bool,
    time: UnixTime,
    key: PublicKey,
    worker: Option<Worker>,
    /// Why no other is started: a PIN that was refused is never tried again.
    refused: Option<Reason>,
}

/// What was signed under one number.
#[derive(Debug)]
pub struct Signed {
    /// The payload of the verdict.
    pub payload: Payload,
    /// The verdict.
    pub verdict: Sealed,
    /// The re-signed bundle, when the model passed.
    pub bundle: Option<Sealed>,
}

impl RemoteSigner {
    /// Starts a signer for the station of this configuration, which checks its keys as of `time`.
    ///
    /// # Errors
    /// When it cannot be started, or the keys cannot be used.
    pub fn start(
        config: &Path,
        policy: Option<&Path>,
        is_sandboxed: bool,
        time: UnixTime,
    ) -> Result<Self, Reason> {
        let full = |path: &Path| {
            std::path::absolute(path).map(OsString::from).map_err(|error| {
                Reason::new(Code::ConfigPath, error.to_string()).about(path.display().to_string())
            })
        };
        let mut args = vec![OsString::from("--config"), full(config)?];
        if let Some(policy) = policy {
            args.extend(["--policy".into(), full(policy)?]);
        }
        let (worker, key) = open(&args, is_sandboxed, time)?;
        Ok(RemoteSigner { args, is_sandboxed, time, key, worker: Some(worker), refused: None })
    }

    /// The public key of verdicts.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// Has the decision `made` signed, which the journal has at this place.
    ///
    /// # Errors
    /// When the signer refuses, or its keys fail. It may be asked again, but for a PIN that was
    /// refused.
    pub fn sign(&mut self, position: Ledger, made: &Sealed) -> Result<Signed, Reason> {
        self.ask(|worker| sign(worker, position, made))
    }

    /// Has each key sign a probe.
    ///
    /// # Errors
    /// As [`RemoteSigner::sign`].
    pub fn probe(&mut self) -> Result<(), Reason> {
        self.ask(|worker| {
            worker.tell(&Ask::Probe, &[])?;
            match answer(worker, ANSWERING)? {
                (Answer::Probed, with) => with.end(),
                _ => Err(Role::Signer.spoke_nonsense()),
            }
        })
    }

    /// Has the process do something. One that fails at it is given up.
    fn ask<T>(&mut self, work: impl FnOnce(&mut Worker) -> Result<T, Reason>) -> Result<T, Reason> {
        if let Some(refused) = &self.refused {
            return Err(refused.clone());
        }
        let done = self.worker().and_then(|mut worker| {
            let done = work(&mut worker).map_err(of_the_hsm)?;
            Ok((worker, done))
        });
        match done {
            Ok((worker, done)) => {
                self.worker = Some(worker);
                Ok(done)
            }
            Err(reason) => {
                self.refused = Some(reason.clone()).filter(|reason| reason.code == Code::HsmLocked);
                Err(reason)
            }
        }
    }

    /// The process, or another one with the same key.
    fn worker(&mut self) -> Result<Worker, Reason> {
        if let Some(worker) = self.worker.take() {
            return Ok(worker);
        }
        let (worker, key) = open(&self.args, self.is_sandboxed, self.time)?;
        if key != self.key {
            let detail = "the verdict key is another than when the station was started";
            return Err(Reason::new(Code::StateUnfinished, detail));
        }
        Ok(worker)
    }
}

/// Starts a signer, and has its keys opened. Gives the public key of verdicts.
fn open(
    args: &[OsString],
    is_sandboxed: bool,
    time: UnixTime,
) -> Result<(Worker, PublicKey), Reason> {
    let mut worker = Worker::start(Role::Signer, args.to_vec(), None, is_sandboxed)?;
    let verdict = opened(&mut worker, time).map_err(of_the_hsm)?;
    let key = PublicKey::from_pem(verdict.as_bytes())
        .map_err(|error| Reason::new(Code::ProcessProtocol, error.to_string()))?;
    Ok((worker, key))
}

/// The public key of verdicts in PEM, once the keys are open.
fn opened(worker: &mut Worker, time: UnixTime) -> Result<String, Reason> {
    worker.tell(&Ask::Open { time }, &[])?;
    let (Answer::Open { verdict }, with) = answer(worker, ANSWERING)? else {
        return Err(Role::Signer.spoke_nonsense());
    };
    with.end()?;
    Ok(verdict)
}

fn sign(worker: &mut Worker, position: Ledger, made: &Sealed) -> Result<Signed, Reason> {
    let Ledger { sequence, previous } = position;
    worker.tell(&Ask::Sign { sequence, previous }, &[made.as_fd()])?;
    let (Answer::Signed, mut with) = answer(worker, patience(made.as_slice().len()))? else {
        return Err(Role::Signer.spoke_nonsense());
    };
    let payload = with.sealed(MOST_SEALED)?;
    let verdict = with.sealed(MOST_SEALED)?;
    let bundle = if with.is_empty() { None } else { Some(with.sealed(MOST_SEALED)?) };
    with.end()?;
    let payload = String::from_utf8(payload.as_slice().to_vec())
        .map_err(|_| Reason::new(Code::ProcessProtocol, "the payload is not UTF-8"))?;
    Ok(Signed { payload: payload.into(), verdict, bundle })
}

/// How long it may take to sign a decision of so many bytes.
fn patience(bytes: usize) -> Duration {
    let writing = Duration::from_secs(u64::try_from(bytes / WRITTEN).unwrap_or(u64::MAX));
    ANSWERING.saturating_add(writing)
}

/// What the signer answers within this time. One that does not is to be given up, and so is one that
/// ended: its module hangs, or took it down.
fn answer(worker: &mut Worker, within: Duration) -> Result<(Answer, Attached), Reason> {
    let now = Instant::now();
    let deadline = now.checked_add(within).unwrap_or(now);
    let mut logs_in = false;
    for _ in 0..MOST_WORDS {
        let why = match worker.hear_until(deadline) {
            Ok(Some((Answer::LoggingIn, with))) => {
                with.end()?;
                logs_in = true;
                continue;
            }
            Ok(Some((Answer::LoggedIn, with))) => {
                with.end()?;
                logs_in = false;
                continue;
            }
            Ok(Some((Answer::Failed(reason), _))) => return Err(reason.0),
            Ok(Some(heard)) => return Ok(heard),
            Ok(None) => format!("the signer did not answer within {} s", within.as_secs()),
            Err(reason) if reason.code == Code::ProcessFailed => reason.detail,
            Err(reason) => return Err(reason),
        };
        return Err(given_up(&why, logs_in));
    }
    Err(Role::Signer.spoke_nonsense())
}

/// Why a signer was given up that was busy with the HSM. Where it was trying a PIN, nobody knows
/// whether that was refused, and it is not tried again.
fn given_up(why: &str, logs_in: bool) -> Reason {
    if logs_in {
        let detail = format!(
            "{why}, while it logged in: whether the PIN is wrong is not known, and it is not tried \
             again; check it, then start again"
        );
        return Reason::new(Code::HsmLocked, detail);
    }
    Reason::new(Code::HsmOperation, why)
}

/// A signer that ended by itself was brought down by its module, or by somebody else: the next one
/// may do better.
fn of_the_hsm(reason: Reason) -> Reason {
    match reason.code {
        Code::ProcessFailed => Reason { code: Code::HsmOperation, ..reason },
        _ => reason,
    }
}
