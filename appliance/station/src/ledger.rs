//! The station's record: which verdict comes next, and what was begun and not ended.
//!
//! ```text
//!  begin(payload) ──synced──▶ pending.json ──publish──▶ commit ──synced──▶ head.json
//! ```
//!
//! A payload is written down before it is signed. After a crash the same bytes are signed again,
//! so a sequence number never stands for two payloads, and none is skipped.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use oms_sys::durable::{self, Lock};
use oms_verify::dsse::Message;
use oms_verify::hash::Sha256Digest;
use oms_verify::reason::{Code, Reason};
use oms_verify::time::UnixTime;
use oms_verify::verdict::Ledger as Position;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::clock::Past;
use crate::record::{PAYLOAD_LIMIT, damaged, read, write};
use crate::storage::failed;

const HEAD: &str = "head.json";
const PENDING: &str = "pending.json";
const LOCK: &str = "lock";
const ARCHIVE: &str = "archive";

/// The open record of a station. Only one process at a time has it.
#[derive(Debug)]
pub struct Ledger {
    state: PathBuf,
    head: Head,
    pending: Option<Pending>,
    _lock: Lock,
}

/// The last verdict that is out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    sequence: u64,
    payload_sha256: String,
    /// The time of its decision, in seconds since 1970-01-01T00:00:00Z.
    time: Option<i64>,
}

/// A decision that was begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pending {
    /// Its sequence number.
    pub sequence: u64,
    /// SHA-256 of the payload before it.
    pub previous: String,
    /// `verifier.id`.
    pub verifier: String,
    /// SHA-256 of the SubjectPublicKeyInfo of the verdict key.
    pub key: String,
    /// The time of its decision, in seconds since 1970-01-01T00:00:00Z.
    pub time: Option<i64>,
    /// Its folder in the spool.
    pub folder: PathBuf,
    /// Its entry in outbound.
    pub entry: PathBuf,
    /// The payload of its verdict.
    pub payload: Payload,
}

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
}

impl From<String> for Payload {
    fn from(payload: String) -> Self {
        Payload(Arc::new(Message::of_statement(payload.into_bytes())))
    }
}

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Payload::from)
    }
}

impl Ledger {
    /// Opens the record in the folder `state`, which must exist.
    ///
    /// # Errors
    /// When another process has it, or it cannot be read, or it is damaged.
    pub fn open(state: &Path) -> Result<Self, Reason> {
        let lock = Lock::try_take(&state.join(LOCK))
            .map_err(|error| failed("locking the state", &error, state))?
            .ok_or_else(|| {
                let detail = "another process holds the lock";
                Reason::new(Code::StateLocked, detail).about(state.display().to_string())
            })?;
        let archive = state.join(ARCHIVE);
        match std::fs::create_dir(&archive) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(failed("making the archive", &error, &archive));
            }
            _ => {}
        }
        let first = Head { sequence: 0, payload_sha256: Sha256Digest::ZERO.to_hex(), time: None };
        let head = read(&state.join(HEAD), PAYLOAD_LIMIT)?.unwrap_or(first);
        let pending: Option<Pending> = read(&state.join(PENDING), PAYLOAD_LIMIT)?;
        let mut ledger = Ledger { state: state.to_owned(), head, pending, _lock: lock };
        ledger.previous()?;
        ledger.check_archive()?;
        // A crash between the two writes of `commit` leaves a record that has been dealt with.
        if let Some(pending) = &ledger.pending {
            if pending.sequence == ledger.head.sequence {
                ledger.forget_pending()?;
            } else if pending.sequence != ledger.head.sequence.saturating_add(1)
                || pending.previous != ledger.head.payload_sha256
            {
                return Err(damaged("pending.json does not follow head.json", state));
            }
        }
        Ok(ledger)
    }

    /// The place of the next verdict.
    ///
    /// # Errors
    /// When the record is damaged.
    pub fn next(&self) -> Result<Position, Reason> {
        let sequence = self.head.sequence.checked_add(1);
        let sequence = sequence.ok_or_else(|| damaged("no number is left", &self.state))?;
        Ok(Position { sequence, previous: self.previous()? })
    }

    /// A record that fell behind its own archive was lost or put back from a copy: going on would
    /// use numbers twice.
    fn check_archive(&self) -> Result<(), Reason> {
        let archive = self.state.join(ARCHIVE);
        let begun = self.pending.as_ref().map_or(self.head.sequence, |pending| pending.sequence);
        let entries = std::fs::read_dir(&archive)
            .map_err(|error| failed("reading the archive", &error, &archive))?;
        for entry in entries {
            let name =
                entry.map_err(|error| failed("reading the archive", &error, &archive))?.file_name();
            let number = name.to_str().and_then(|name| name.split('-').next());
            if number.and_then(|number| number.parse::<u64>().ok()).is_some_and(|n| n > begun) {
                let detail = format!("the archive holds {name:?}, the record ends at {begun}");
                return Err(damaged(&detail, &self.state));
            }
        }
        Ok(())
    }

    fn previous(&self) -> Result<Sha256Digest, Reason> {
        Sha256Digest::from_hex(&self.head.payload_sha256)
            .ok_or_else(|| damaged("head.json holds no digest", &self.state))
    }

    /// The decision that was begun and not ended, after a crash.
    pub fn pending(&self) -> Option<&Pending> {
        self.pending.as_ref()
    }

    /// What the record tells about the time that has passed.
    pub fn past(&self) -> Past {
        match &self.pending {
            Some(pending) => Past::Decided(pending.time.max(self.head.time).map(UnixTime)),
            None if self.head.sequence == 0 => Past::None,
            None => Past::Decided(self.head.time.map(UnixTime)),
        }
    }

    /// Writes a decision down before it is signed.
    ///
    /// # Errors
    /// When it cannot be made durable. If there is a record all the same, it counts as begun, and
    /// the next start finishes it.
    pub fn begin(&mut self, pending: Pending) -> Result<(), Reason> {
        let path = self.state.join(PENDING);
        let written = write(&path, self.pending.insert(pending));
        let absent = |error: io::Error| error.kind() == io::ErrorKind::NotFound;
        if written.is_err() && path.symlink_metadata().is_err_and(absent) {
            self.pending = None;
        }
        written
    }

    /// Records that the decision that was begun is out.
    ///
    /// # Errors
    /// When it cannot be made durable: the next start does it again.
    pub fn commit(&mut self) -> Result<(), Reason> {
        let Some(pending) = &self.pending else { return Ok(()) };
        let head = Head {
            sequence: pending.sequence,
            payload_sha256: Sha256Digest::of(pending.payload.message().payload()).to_hex(),
            time: pending.time,
        };
        write(&self.state.join(HEAD), &head)?;
        self.head = head;
        self.forget_pending()
    }

    fn forget_pending(&mut self) -> Result<(), Reason> {
        let path = self.state.join(PENDING);
        std::fs::remove_file(&path)
            .and_then(|()| durable::sync_folder_of(&path))
            .map_err(|error| failed("removing a record", &error, &path))?;
        self.pending = None;
        Ok(())
    }

    /// Keeps what `content` gives, a file of an entry at this path in it, in the station's own
    /// archive.
    ///
    /// # Errors
    /// When it cannot be made durable.
    pub fn archive(
        &self,
        entry: &OsStr,
        file: &Path,
        mut content: impl Read,
    ) -> Result<(), Reason> {
        let folder = self.archived(entry);
        let path = folder.join(file);
        let inner = path.parent().filter(|inner| *inner != folder);
        for folder in [Some(folder.as_path()), inner].into_iter().flatten() {
            match std::fs::create_dir(folder) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(failed("making a folder in the archive", &error, folder));
                }
                _ => {}
            }
        }
        durable::replace_with(&path, 0o640, |copy| io::copy(&mut content, copy).map(|_| ()))
            .and_then(|()| inner.map_or(Ok(()), durable::sync_folder_of))
            .and_then(|()| durable::sync_folder_of(&folder))
            .map_err(|error| failed("writing to the archive", &error, &path))
    }

    /// The folder of an entry in the archive.
    pub fn archived(&self, entry: &OsStr) -> PathBuf {
        self.state.join(ARCHIVE).join(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    /// The decision that comes next, as a station would begin it.
    fn begun(ledger: &Ledger) -> Pending {
        let Position { sequence, previous } = ledger.next().unwrap();
        Pending {
            sequence,
            previous: previous.to_hex(),
            verifier: "urn:test".to_owned(),
            key: String::new(),
            time: Some(1_900_000_000),
            folder: "f".into(),
            entry: format!("{sequence:012}-0-refused").into(),
            payload: format!("payload {sequence}").into(),
        }
    }

    #[test]
    fn a_record_that_was_not_written_is_not_begun() {
        let dir = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::open(dir.path()).unwrap();
        // Nothing can be written beside the record.
        std::fs::create_dir(dir.path().join("pending.json.new")).unwrap();
        assert_eq!(ledger.begin(begun(&ledger)).unwrap_err().code, Code::OutboundWrite);
        assert_eq!(ledger.pending(), None);
        std::fs::remove_dir(dir.path().join("pending.json.new")).unwrap();
        // Something lies where the record would be: who knows what it says?
        std::fs::create_dir(dir.path().join(PENDING)).unwrap();
        ledger.begin(begun(&ledger)).unwrap_err();
        assert!(ledger.pending().is_some());
    }

    #[test]
    fn numbers_have_no_holes_and_each_payload_names_the_one_before() {
        let dir = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::open(dir.path()).unwrap();
        let first = Position { sequence: 1, previous: Sha256Digest::ZERO };
        assert_eq!(ledger.next().unwrap(), first);
        let pending = begun(&ledger);
        ledger.begin(pending.clone()).unwrap();
        ledger.commit().unwrap();
        drop(ledger);
        let ledger = Ledger::open(dir.path()).unwrap();
        let second = ledger.next().unwrap();
        assert_eq!(second.sequence, 2);
        assert_eq!(second.previous, Sha256Digest::of(b"payload 1"));
    }

    #[test]
    fn what_was_begun_is_there_after_a_crash_and_keeps_its_number() {
        let dir = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::open(dir.path()).unwrap();
        let pending = begun(&ledger);
        ledger.begin(pending.clone()).unwrap();
        drop(ledger);
        let mut ledger = Ledger::open(dir.path()).unwrap();
        assert_eq!(ledger.pending(), Some(&pending));
        assert_eq!(ledger.next().unwrap().sequence, 1);
        ledger.commit().unwrap();
        assert_eq!(ledger.next().unwrap().sequence, 2);
    }

    #[test]
    fn a_crash_between_the_writes_of_commit_does_not_count_twice() {
        let dir = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::open(dir.path()).unwrap();
        let pending = begun(&ledger);
        ledger.begin(pending.clone()).unwrap();
        ledger.commit().unwrap();
        write(&dir.path().join(PENDING), &pending).unwrap();
        drop(ledger);
        let ledger = Ledger::open(dir.path()).unwrap();
        assert_eq!(ledger.pending(), None);
        assert_eq!(ledger.next().unwrap().sequence, 2);
    }

    #[test]
    fn a_second_process_and_a_damaged_record_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(dir.path()).unwrap();
        assert_eq!(Ledger::open(dir.path()).unwrap_err().code, Code::StateLocked);
        let first = begun(&ledger);
        drop(ledger);
        std::fs::write(dir.path().join(HEAD), "{}").unwrap();
        assert_eq!(Ledger::open(dir.path()).unwrap_err().code, Code::StateDamaged);
        let head = Head { sequence: 7, payload_sha256: "0".repeat(64), time: None };
        write(&dir.path().join(HEAD), &head).unwrap();
        for (sequence, previous) in [(9, "0"), (8, "1")] {
            let previous = previous.repeat(64);
            let other = Pending { sequence, previous, ..first.clone() };
            write(&dir.path().join(PENDING), &other).unwrap();
            assert_eq!(Ledger::open(dir.path()).unwrap_err().code, Code::StateDamaged);
        }
    }

    #[test]
    fn a_record_that_others_may_write_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let head = dir.path().join(HEAD);
        write(&head, &Head { sequence: 1, payload_sha256: "0".repeat(64), time: None }).unwrap();
        drop(Ledger::open(dir.path()).unwrap());
        std::fs::set_permissions(&head, std::fs::Permissions::from_mode(0o622)).unwrap();
        assert_eq!(Ledger::open(dir.path()).unwrap_err().code, Code::StateDamaged);
        std::fs::remove_file(&head).unwrap();
        std::os::unix::fs::symlink("/dev/null", &head).unwrap();
        assert_eq!(Ledger::open(dir.path()).unwrap_err().code, Code::StateDamaged);
    }

    #[test]
    fn a_record_that_fell_behind_its_archive_is_damaged() {
        let dir = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::open(dir.path()).unwrap();
        let pending = begun(&ledger);
        ledger.begin(pending.clone()).unwrap();
        ledger.archive(pending.entry.as_os_str(), Path::new("verdict"), &b"v"[..]).unwrap();
        ledger.commit().unwrap();
        drop(ledger);
        drop(Ledger::open(dir.path()).unwrap());
        std::fs::remove_file(dir.path().join(HEAD)).unwrap();
        assert_eq!(Ledger::open(dir.path()).unwrap_err().code, Code::StateDamaged);
    }
}
