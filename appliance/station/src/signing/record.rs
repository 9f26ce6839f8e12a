//! The signer's own record: which payload it signed under which number. It is the signer's word
//! against a supervisor or a journal that asks for a second payload under one number.
//!
//! `record` is only ever added to, a line for each number: the number, the SHA-256 of the decision
//! and that of the payload. Beside it lie the payload and the re-signed bundle of the last number,
//! since a bundle that is made again has another signature, and so the payload another digest.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use oms_sys::durable;
use oms_verify::hash::Sha256Digest;
use oms_verify::reason::Reason;

use crate::record::{damaged, read_bytes};
use crate::storage::failed;

/// The folder of the state that is the signer's.
pub(crate) const FOLDER: &str = "signer";
const RECORD: &str = "record";
/// How the names of papers end.
const PAYLOAD: &str = "payload";
const BUNDLE: &str = "model.sig";
const PAPERS: [&str; 2] = [PAYLOAD, BUNDLE];
/// Bytes of a line: a number of 12 digits or more, and two digests.
const LINE: u64 = 12 + 1 + 64 + 1 + 64 + 1;
/// Bytes of a payload, or of a bundle.
const MOST: u64 = 4 << 30;

/// The open record.
#[derive(Debug)]
pub(super) struct Record {
    folder: PathBuf,
    last: Option<Line>,
}

/// What was signed under one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) sequence: u64,
    pub(super) decision: Sha256Digest,
    pub(super) payload: Sha256Digest,
}

/// What the last number stands for.
#[derive(Debug)]
pub(super) struct Papers {
    pub(super) payload: String,
    /// The re-signed bundle, when the model passed.
    pub(super) bundle: Option<Vec<u8>>,
}

impl Record {
    /// Opens the record in the folder `state`, which exists.
    ///
    /// # Errors
    /// When it cannot be read, or its last line is none.
    pub(super) fn open(state: &Path) -> Result<Self, Reason> {
        let folder = state.join(FOLDER);
        match std::fs::create_dir(&folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(failed("making a folder in the state", &error, &folder));
            }
            _ => {}
        }
        let path = folder.join(RECORD);
        let last = last_line(&path)?;
        let record = Record { folder, last };
        record.sweep()?;
        Ok(record)
    }

    /// What `sequence` stands for already: nothing, when it is the next number.
    ///
    /// # Errors
    /// When it is neither the next number nor the last one with this decision.
    pub(super) fn standing(
        &self,
        sequence: u64,
        decision: Sha256Digest,
    ) -> Result<Option<Papers>, Reason> {
        let path = self.folder.join(RECORD);
        let last = self.last.map_or(0, |line| line.sequence);
        if sequence == last.saturating_add(1) {
            return Ok(None);
        }
        let Some(line) = self.last.filter(|line| line.sequence == sequence) else {
            let detail = format!("{last} is the last number that was signed, {sequence} is asked");
            return Err(damaged(&detail, &path));
        };
        if line.decision != decision {
            let detail = format!("another decision was signed under number {sequence}");
            return Err(damaged(&detail, &path));
        }
        let payload =
            self.paper(sequence, PAYLOAD)?.filter(|bytes| Sha256Digest::of(bytes) == line.payload);
        let payload = payload.and_then(|bytes| String::from_utf8(bytes).ok());
        let payload =
            payload.ok_or_else(|| damaged("the payload of the last line is lost", &path))?;
        Ok(Some(Papers { payload, bundle: self.paper(sequence, BUNDLE)? }))
    }

    /// Writes down what is going to be signed. From here on the number stands for it.
    ///
    /// # Errors
    /// When it cannot be made durable.
    pub(super) fn add(
        &mut self,
        sequence: u64,
        decision: Sha256Digest,
        papers: &Papers,
    ) -> Result<(), Reason> {
        let write = |kind: &str, bytes: &[u8]| {
            let path = self.path(sequence, kind);
            durable::replace(&path, bytes, 0o600)
                .map_err(|error| failed("writing the signer's record", &error, &path))
        };
        write(PAYLOAD, papers.payload.as_bytes())?;
        if let Some(bundle) = &papers.bundle {
            write(BUNDLE, bundle)?;
        }
        let line =
            Line { sequence, decision, payload: Sha256Digest::of(papers.payload.as_bytes()) };
        let path = self.folder.join(RECORD);
        append(&path, &line)
            .map_err(|error| failed("writing the signer's record", &error, &path))?;
        self.last = Some(line);
        for kind in PAPERS {
            // What cannot be removed is in nobody's way, and the next start removes it.
            let _ = std::fs::remove_file(self.path(sequence.saturating_sub(1), kind));
        }
        Ok(())
    }

    /// Removes what a crash left beside the papers of the last number: those before it, which the
    /// next number would have removed, and those after it, for which there is no line.
    fn sweep(&self) -> Result<(), Reason> {
        let told = |error: io::Error| failed("clearing the signer's record", &error, &self.folder);
        let last = self.last.map(|line| line.sequence);
        let stays = |name: &OsStr| {
            let is_last = |last| PAPERS.iter().any(|kind| *name == *paper_name(last, kind));
            name == RECORD || last.is_some_and(is_last)
        };
        for entry in std::fs::read_dir(&self.folder).map_err(told)? {
            let entry = entry.map_err(told)?;
            if !stays(&entry.file_name()) {
                std::fs::remove_file(entry.path()).map_err(told)?;
            }
        }
        Ok(())
    }

    fn path(&self, sequence: u64, kind: &str) -> PathBuf {
        self.folder.join(paper_name(sequence, kind))
    }

    fn paper(&self, sequence: u64, kind: &str) -> Result<Option<Vec<u8>>, Reason> {
        read_bytes(&self.path(sequence, kind), MOST)
    }
}

fn paper_name(sequence: u64, kind: &str) -> String {
    format!("{sequence:012}.{kind}")
}

fn append(path: &Path, line: &Line) -> io::Result<()> {
    let Line { sequence, decision, payload } = line;
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    // A line that a crash cut off is not there.
    let whole = file.metadata()?.len() / LINE * LINE;
    if file.metadata()?.len() != whole {
        OpenOptions::new().write(true).open(path)?.set_len(whole)?;
    }
    file.write_all(format!("{sequence:012} {decision} {payload}\n").as_bytes())?;
    file.sync_all()?;
    durable::sync_folder_of(path)
}

/// The last line that is whole. Lines have one length, so that it is found in a record of years.
fn last_line(path: &Path) -> Result<Option<Line>, Reason> {
    let told = |error: io::Error| failed("reading the signer's record", &error, path);
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(told(error)),
    };
    let lines = file.metadata().map_err(told)?.len() / LINE;
    let Some(before) = lines.checked_sub(1) else { return Ok(None) };
    let mut text = String::new();
    file.seek(SeekFrom::Start(before.saturating_mul(LINE))).map_err(told)?;
    file.take(LINE).read_to_string(&mut text).map_err(told)?;
    let line = parse(&text).filter(|line| line.sequence == lines);
    line.map(Some)
        .ok_or_else(|| damaged("its last line does not have the number of its place", path))
}

fn parse(text: &str) -> Option<Line> {
    let mut words = text.strip_suffix('\n')?.split(' ');
    let sequence = words.next()?.parse().ok()?;
    let decision = Sha256Digest::from_hex(words.next()?)?;
    let payload = Sha256Digest::from_hex(words.next()?)?;
    words.next().is_none().then_some(Line { sequence, decision, payload })
}

#[cfg(test)]
mod tests {
    use super::*;
    use oms_verify::reason::Code;

    fn papers(payload: &str) -> Papers {
        Papers { payload: payload.to_owned(), bundle: Some(b"bundle".to_vec()) }
    }

    fn digest(text: &str) -> Sha256Digest {
        Sha256Digest::of(text.as_bytes())
    }

    #[test]
    fn a_number_stands_for_one_decision_and_one_payload() {
        let state = tempfile::tempdir().unwrap();
        let mut record = Record::open(state.path()).unwrap();
        assert!(record.standing(1, digest("a")).unwrap().is_none());
        record.add(1, digest("a"), &papers("one")).unwrap();
        let mut record = Record::open(state.path()).unwrap();
        let again = record.standing(1, digest("a")).unwrap().unwrap();
        assert_eq!(
            (again.payload.as_str(), again.bundle.unwrap().as_slice()),
            ("one", &b"bundle"[..])
        );
        for (sequence, decision) in [(1, "b"), (3, "a"), (0, "a")] {
            let reason = record.standing(sequence, digest(decision)).unwrap_err();
            assert_eq!(reason.code, Code::StateDamaged, "{sequence} {decision}");
        }
        assert!(record.standing(2, digest("b")).unwrap().is_none());
        record.add(2, digest("b"), &papers("two")).unwrap();
        assert_eq!(record.standing(1, digest("a")).unwrap_err().code, Code::StateDamaged);
        assert_eq!(std::fs::read_dir(state.path().join(FOLDER)).unwrap().count(), 3);
    }

    #[test]
    fn a_line_that_was_cut_off_is_not_there_and_another_number_is_damage() {
        let state = tempfile::tempdir().unwrap();
        let mut record = Record::open(state.path()).unwrap();
        record.add(1, digest("a"), &papers("one")).unwrap();
        let path = state.path().join(FOLDER).join(RECORD);
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"000000000002 0123").unwrap();
        let mut record = Record::open(state.path()).unwrap();
        record.add(2, digest("b"), &papers("two")).unwrap();
        let record = Record::open(state.path()).unwrap();
        assert_eq!(record.standing(2, digest("b")).unwrap().unwrap().payload, "two");
        std::fs::write(&path, format!("{:012} {} {}\n", 7, digest("a"), digest("b"))).unwrap();
        assert_eq!(Record::open(state.path()).unwrap_err().code, Code::StateDamaged);
    }

    #[test]
    fn what_a_crash_left_beside_the_last_papers_is_removed_by_the_next_start() {
        let state = tempfile::tempdir().unwrap();
        let mut record = Record::open(state.path()).unwrap();
        record.add(1, digest("a"), &papers("one")).unwrap();
        record.add(2, digest("b"), &papers("two")).unwrap();
        for left in ["000000000001.payload", "000000000003.model.sig", "000000000002.payload.new"] {
            std::fs::write(state.path().join(FOLDER).join(left), "left").unwrap();
        }
        let record = Record::open(state.path()).unwrap();
        let names = std::fs::read_dir(state.path().join(FOLDER)).unwrap();
        let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["000000000002.model.sig", "000000000002.payload", "record"]);
        assert_eq!(record.standing(2, digest("b")).unwrap().unwrap().payload, "two");
    }

    #[test]
    fn a_payload_that_was_changed_is_not_signed_again() {
        let state = tempfile::tempdir().unwrap();
        let mut record = Record::open(state.path()).unwrap();
        record.add(1, digest("a"), &papers("one")).unwrap();
        std::fs::write(record.path(1, "payload"), "other").unwrap();
        assert_eq!(record.standing(1, digest("a")).unwrap_err().code, Code::StateDamaged);
    }
}
