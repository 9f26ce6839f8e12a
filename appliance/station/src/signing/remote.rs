//! The supervisor's side.

use std::ffi::OsString;
use std::os::fd::AsFd as _;
use std::path::Path;

use oms_sys::sealed::Sealed;
use oms_verify::key::PublicKey;
use oms_verify::reason::{Code, Reason};
use oms_verify::time::UnixTime;
use oms_verify::verdict::Ledger;

use super::messages::{Answer, Ask};
use crate::chain::Worker;
use crate::handover::MOST_SEALED;
use crate::journal::Payload;
use crate::process::Role;

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
        if let Some(refused) = &self.refused {
            return Err(refused.clone());
        }
        let signed = self.worker().and_then(|mut worker| {
            let signed = sign(&mut worker, position, made)?;
            Ok((worker, signed))
        });
        match signed {
            Ok((worker, signed)) => {
                self.worker = Some(worker);
                Ok(signed)
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
    worker.tell(&Ask::Open { time }, &[])?;
    let (Answer::Open { verdict }, with) = answer(&mut worker)? else {
        return Err(Role::Signer.spoke_nonsense());
    };
    with.end()?;
    let key = PublicKey::from_pem(verdict.as_bytes())
        .map_err(|error| Reason::new(Code::ProcessProtocol, error.to_string()))?;
    Ok((worker, key))
}

fn sign(worker: &mut Worker, position: Ledger, made: &Sealed) -> Result<Signed, Reason> {
    let Ledger { sequence, previous } = position;
    worker.tell(&Ask::Sign { sequence, previous }, &[made.as_fd()])?;
    let (Answer::Signed, mut with) = answer(worker)? else {
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

fn answer(worker: &mut Worker) -> Result<(Answer, crate::chain::Attached), Reason> {
    match worker.hear()? {
        (Answer::Failed(reason), _) => Err(reason.0),
        other => Ok(other),
    }
}
