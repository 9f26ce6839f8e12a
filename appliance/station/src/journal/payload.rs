//! What a decision is signed from, kept in files beside the journal until its entry is out: a
//! payload lists every file of a model and may have hundreds of megabytes.
//!
//! ```text
//!  state/open/<sequence>.decision   as the decider made it
//!  state/open/<sequence>.payload    as it is signed
//! ```

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use oms_sys::durable;
use oms_verify::dsse::Message;
use oms_verify::hash::Sha256Digest;
use oms_verify::reason::Reason;

use crate::record::{PAYLOAD_LIMIT, damaged, read_bytes};
use crate::storage::failed;

const FOLDER: &str = "open";

/// The payload of a verdict, in the message that is signed. It lists every file of a model, and
/// there is one of it however many hold it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload(Arc<Message>);

impl Payload {
    /// The message that is signed.
    pub fn message(&self) -> &Message {
        &self.0
    }

    /// The payload, which is JSON.
    pub fn as_str(&self) -> &str {
        // Made from a String, and nothing changes it.
        std::str::from_utf8(self.0.payload()).unwrap_or_default()
    }

    /// Its SHA-256.
    pub fn digest(&self) -> Sha256Digest {
        Sha256Digest::of(self.0.payload())
    }
}

impl From<String> for Payload {
    fn from(payload: String) -> Self {
        Payload(Arc::new(Message::of_statement(payload.into_bytes())))
    }
}

/// Which file of a decision.
#[derive(Clone, Copy, Debug)]
pub(super) enum Paper {
    /// As the decider made it.
    Made,
    /// As it is signed.
    Payload,
}

/// The files of decisions that are not out yet.
#[derive(Debug)]
pub(super) struct Papers {
    folder: PathBuf,
}

impl Papers {
    pub(super) fn open(state: &Path) -> Result<Self, Reason> {
        let folder = state.join(FOLDER);
        match std::fs::create_dir(&folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(failed("making a folder in the state", &error, &folder));
            }
            _ => {}
        }
        Ok(Papers { folder })
    }

    /// Where a file is.
    pub(super) fn path(&self, sequence: u64, paper: Paper) -> PathBuf {
        let kind = match paper {
            Paper::Made => "decision",
            Paper::Payload => "payload",
        };
        self.folder.join(format!("{sequence:012}.{kind}"))
    }

    /// Makes a file durable. One that is there was written before a crash and is in no row.
    pub(super) fn write(&self, sequence: u64, paper: Paper, bytes: &[u8]) -> Result<(), Reason> {
        let path = self.path(sequence, paper);
        durable::replace(&path, bytes, 0o600)
            .map_err(|error| failed("writing a record", &error, &path))
    }

    /// Reads a file that has this SHA-256.
    pub(super) fn read(
        &self,
        sequence: u64,
        paper: Paper,
        digest: Sha256Digest,
    ) -> Result<Vec<u8>, Reason> {
        let path = self.path(sequence, paper);
        let bytes = read_bytes(&path, PAYLOAD_LIMIT)?
            .ok_or_else(|| damaged("what was begun is not there", &path))?;
        if Sha256Digest::of(&bytes) != digest {
            return Err(damaged("its bytes are not those that were written down", &path));
        }
        Ok(bytes)
    }

    /// Removes every file that is of none of the decisions `kept`.
    pub(super) fn sweep(&self, kept: &[u64]) -> Result<(), Reason> {
        let unreadable = |error: io::Error| failed("reading the state", &error, &self.folder);
        for entry in std::fs::read_dir(&self.folder).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let name = entry.file_name();
            let number = name.to_str().and_then(|name| name.split('.').next()?.parse().ok());
            if !number.is_some_and(|number| kept.contains(&number)) {
                std::fs::remove_file(entry.path())
                    .map_err(|error| failed("clearing the state", &error, &entry.path()))?;
            }
        }
        Ok(())
    }
}
