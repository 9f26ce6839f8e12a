//! What the journal keeps, over crashes, damage and disorder.

use std::os::unix::fs::PermissionsExt as _;

use oms_verify::hash::Sha256Digest;
use oms_verify::verdict::Ledger as Position;

use super::*;

const T: UnixTime = UnixTime(1_900_000_000);

fn open(state: &Path) -> Journal {
    Journal::open(state).unwrap()
}

/// A model that is being read.
fn reading(journal: &mut Journal) -> IntakeId {
    let carrier = journal.arrive(CarrierKind::Folder, "/media/disk", T).unwrap();
    journal.begin_intake(carrier, "llama", T).unwrap()
}

/// The decision that comes next, as a station would begin it.
fn next(journal: &mut Journal) -> (Numbered, Payload) {
    let sequence = journal.next().unwrap();
    let decision = Numbered {
        sequence,
        origin: Origin::Intake(reading(journal)),
        verifier: "urn:test".to_owned(),
        key: Sha256Digest::of(b"key"),
        passed: false,
        subject: "llama".to_owned(),
        root: Sha256Digest::of(b"root"),
        time: T,
        folder: "/spool/ingest-1".into(),
        entry: format!("/outbound/{sequence:012}-0-refused").into(),
    };
    (decision, format!("payload {sequence}").into())
}

/// Begins the decision that comes next.
fn begin(journal: &mut Journal) -> (Numbered, Payload) {
    let (decision, payload) = next(journal);
    journal.decided(&decision, b"made").unwrap();
    journal.composed(journal.position(decision.sequence).unwrap(), &payload).unwrap();
    (decision, payload)
}

fn publish(journal: &mut Journal) -> u64 {
    let sequence = begin(journal).0.sequence;
    journal.signed(sequence, Sha256Digest::of(b"verdict")).unwrap();
    journal.published(sequence, T).unwrap();
    sequence
}

/// Changes the journal's file as nobody should.
fn tamper(state: &Path, sql: &str) {
    let connection = Connection::open(state.join(FILE)).unwrap();
    for trigger in ["no_hole", "one_decision", "one_payload", "in_order", "no_loss"] {
        connection.execute_batch(&format!("DROP TRIGGER {trigger}")).unwrap();
    }
    connection
        .execute_batch("PRAGMA ignore_check_constraints = 1; PRAGMA foreign_keys = 0")
        .unwrap();
    connection.execute_batch(sql).unwrap();
}

#[test]
fn a_carrier_that_was_served_is_known_and_one_that_was_interrupted_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    let served = journal.arrive_as(CarrierKind::Folder, "/in/a", "entry:1", T).unwrap();
    journal.released(served, &[], T).unwrap();
    let _ = journal.arrive_as(CarrierKind::Folder, "/in/b", "entry:2", T).unwrap();
    let other = journal.arrive(CarrierKind::Folder, "/in/c", T).unwrap();
    journal.released(other, &[], T).unwrap();
    let known = |journal: &Journal| {
        ["entry:1", "entry:2", "", "/in/c"].map(|identity| journal.was_served(identity).unwrap())
    };
    assert_eq!(known(&journal), [true, false, false, false]);
    drop(journal);
    assert_eq!(known(&open(dir.path())), [true, false, false, false]);
}

#[test]
fn numbers_have_no_holes_and_each_payload_names_the_one_before() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    let first = Position { sequence: 1, previous: Sha256Digest::ZERO };
    assert_eq!(journal.position(journal.next().unwrap()).unwrap(), first);
    publish(&mut journal);
    drop(journal);
    let mut journal = open(dir.path());
    let second = journal.position(journal.next().unwrap()).unwrap();
    assert_eq!(second.sequence, 2);
    assert_eq!(second.previous, Sha256Digest::of(b"payload 1"));
    // Neither a number that is used nor one that leaves a hole is taken.
    for wrong in [1, 3] {
        let (mut decision, _) = next(&mut journal);
        decision.sequence = wrong;
        let refused = journal.decided(&decision, b"made");
        assert_eq!(refused.unwrap_err().code, Code::StateDamaged);
    }
    assert_eq!(journal.next().unwrap(), 2);
}

#[test]
fn what_was_begun_is_there_after_a_crash_and_keeps_its_number() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    let (decision, payload) = begin(&mut journal);
    // As a crash leaves it: nothing of the connection is closed.
    let copy = tempfile::tempdir().unwrap();
    for folder in ["open", "archive"] {
        std::fs::create_dir(copy.path().join(folder)).unwrap();
    }
    for file in [FILE, "journal.sqlite-wal", "open/000000000001.payload"] {
        std::fs::copy(dir.path().join(file), copy.path().join(file)).unwrap();
    }
    let mut journal = open(copy.path());
    let [unfinished] = journal.unfinished().unwrap().try_into().unwrap();
    assert_eq!((&unfinished.decision, unfinished.step), (&decision, Step::Composed));
    assert_eq!(unfinished.previous, Some(Sha256Digest::ZERO));
    assert_eq!(journal.payload(&unfinished).unwrap(), payload);
    assert_eq!(journal.past().unwrap(), Past::Decided(Some(T)));
    journal.interrupt(T).unwrap();
    assert_eq!(journal.payload(&unfinished).unwrap(), payload, "it is still needed");
    journal.signed(1, Sha256Digest::of(b"first")).unwrap();
    journal.signed(1, Sha256Digest::of(b"again")).unwrap();
    assert_eq!(journal.unfinished().unwrap()[0].step, Step::Signed);
    journal.published(1, T).unwrap();
    assert_eq!(journal.unfinished().unwrap(), []);
    assert_eq!(journal.next().unwrap(), 2);
    assert_eq!(std::fs::read_dir(copy.path().join("open")).unwrap().count(), 0);
}

#[test]
fn decisions_wait_for_their_signature_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    for made in [&b"one"[..], b"two"] {
        let decision = next(&mut journal).0;
        journal.decided(&decision, made).unwrap();
    }
    assert_eq!(journal.position(2).unwrap_err().code, Code::StateDamaged, "1 is not composed");
    let stray = Position { sequence: 2, previous: Sha256Digest::ZERO };
    let early = journal.composed(stray, &"payload 2".to_owned().into());
    assert_eq!(early.unwrap_err().code, Code::StateDamaged);
    drop(journal);
    let mut journal = open(dir.path());
    for (at, made) in [&b"one"[..], b"two"].into_iter().enumerate() {
        let unfinished = &journal.unfinished().unwrap()[at];
        assert_eq!(unfinished.step, Step::Begun);
        assert_eq!(journal.made(unfinished).unwrap(), made);
        assert_eq!(journal.payload(unfinished).unwrap_err().code, Code::StateDamaged);
        let position = journal.position(at as u64 + 1).unwrap();
        journal.composed(position, &format!("payload {}", at + 1).into()).unwrap();
        let again = journal.composed(position, &"another".to_owned().into());
        assert_eq!(again.unwrap_err().code, Code::StateDamaged, "a number has one payload");
    }
    journal.signed(2, Sha256Digest::of(b"2")).unwrap();
    let early = journal.published(2, T).unwrap_err();
    assert_eq!(early.code, Code::StateDamaged, "1 is not out");
    assert_eq!(journal.published(1, T).unwrap_err().code, Code::StateDamaged, "not signed");
}

#[test]
fn a_payload_that_was_exchanged_is_not_given() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    begin(&mut journal);
    let [unfinished] = journal.unfinished().unwrap().try_into().unwrap();
    let file = dir.path().join("open/000000000001.payload");
    std::fs::write(&file, "payload 2").unwrap();
    assert_eq!(journal.payload(&unfinished).unwrap_err().code, Code::StateDamaged);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(journal.payload(&unfinished).unwrap_err().code, Code::StateDamaged);
}

#[test]
fn what_is_not_worked_at_any_more_is_interrupted() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    let failed = reading(&mut journal);
    let reason = Reason::new(Code::MediaStalled, "no answer").about("weights");
    journal.failed(failed, &reason, T).unwrap();
    reading(&mut journal);
    let empty = journal.arrive(CarrierKind::Device, "8:0", T).unwrap();
    journal.released(empty, &[Reason::new(Code::BundleMissing, "none")], T).unwrap();
    assert!(journal.released(empty, &[], T).is_err(), "it is released already");
    std::fs::write(dir.path().join("open/000000000007.payload"), "stray").unwrap();
    drop(journal);
    let mut journal = open(dir.path());
    journal.interrupt(T).unwrap();
    let column = |query: &str| -> Vec<(String, Option<String>)> {
        let mut statement = journal.connection.prepare(query).unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.map(Result::unwrap).collect()
    };
    let stalled = Some("media.stalled".to_owned());
    let expected = [("failed".to_owned(), stalled), ("interrupted".to_owned(), None)];
    assert_eq!(column("SELECT state, reason FROM intake ORDER BY id"), expected);
    let missing = Some("bundle.missing".to_owned());
    let interrupted = ("interrupted".to_owned(), None);
    let expected = [interrupted.clone(), interrupted, ("released".to_owned(), missing)];
    assert_eq!(column("SELECT state, reason FROM carrier ORDER BY id"), expected);
    assert_eq!(std::fs::read_dir(dir.path().join("open")).unwrap().count(), 0);
}

#[test]
fn a_record_that_was_not_written_is_not_begun() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    let (decision, _) = next(&mut journal);
    // Nothing can be written where the decision would be.
    std::fs::create_dir(dir.path().join("open/000000000001.decision.new")).unwrap();
    let failed = journal.decided(&decision, b"made");
    assert_eq!(failed.unwrap_err().code, Code::OutboundWrite);
    assert_eq!((journal.unfinished().unwrap(), journal.is_uncertain()), (Vec::new(), false));
    std::fs::remove_dir(dir.path().join("open/000000000001.decision.new")).unwrap();
    // And a disk without room for the rows.
    journal.connection.pragma_update(None, "max_page_count", 1).unwrap();
    let pages = "SELECT * FROM pragma_page_count";
    let pages: u32 = journal.connection.query_row(pages, [], |row| row.get(0)).unwrap();
    journal.connection.pragma_update(None, "max_page_count", pages).unwrap();
    let long = Numbered { subject: "x".repeat(1 << 20), ..decision.clone() };
    let failed = journal.decided(&long, b"made");
    assert_eq!(failed.unwrap_err().code, Code::OutboundWrite);
    assert_eq!((journal.unfinished().unwrap(), journal.is_uncertain()), (Vec::new(), false));
    journal.connection.pragma_update(None, "max_page_count", 1 << 20).unwrap();
    journal.decided(&decision, b"made").unwrap();
}

#[test]
fn a_second_process_and_a_damaged_record_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    assert_eq!(Journal::open(dir.path()).unwrap_err().code, Code::StateLocked);
    drop(journal);
    let file = dir.path().join(FILE);
    let good = std::fs::read(&file).unwrap();
    let flip = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 0x40;
        bytes
    };
    for (what, bytes) in [
        ("a word", b"{".to_vec()),
        ("cut", good[..good.len() / 2].to_vec()),
        ("another program's", flip(68)),
        ("another version's", flip(63)),
        ("a page", flip(4096 + 1)),
    ] {
        std::fs::write(&file, bytes).unwrap();
        let code = Journal::open(dir.path()).map(|_| ()).map_err(|reason| reason.code);
        assert_eq!(code, Err(Code::StateDamaged), "{what}");
    }
    std::fs::write(&file, good).unwrap();
    drop(open(dir.path()));
}

#[test]
fn a_record_that_contradicts_itself_is_damaged() {
    for (sql, word) in [
        ("DELETE FROM decision WHERE sequence = 2", "a number is missing"),
        ("UPDATE decision SET previous = printf('%064d', 1) WHERE sequence = 1", "not the one"),
        ("UPDATE decision SET payload_sha256 = printf('%064d', 1) WHERE sequence = 2", "not the"),
        ("UPDATE decision SET state = 'signed', published = NULL WHERE sequence = 2", "not out"),
        ("DELETE FROM intake WHERE id = 1", "not there"),
        ("DROP INDEX unfinished; UPDATE decision SET state = 'lost' WHERE sequence = 1", "CHECK"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = open(dir.path());
        for _ in 0..3 {
            publish(&mut journal);
        }
        drop(journal);
        drop(open(dir.path()));
        tamper(dir.path(), sql);
        let reason = Journal::open(dir.path()).unwrap_err();
        assert_eq!(reason.code, Code::StateDamaged, "{sql}: {reason}");
        assert!(reason.detail.contains(word), "{sql}: {reason}");
    }
}

#[test]
fn a_record_that_others_may_write_is_not_read() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    let file = dir.path().join(FILE);
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o622)).unwrap();
    assert_eq!(Journal::open(dir.path()).unwrap_err().code, Code::StateDamaged);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    // A log that somebody else put beside it would be read as if it were the station's.
    let log = dir.path().join("journal.sqlite-wal");
    std::fs::write(&log, "").unwrap();
    std::fs::set_permissions(&log, std::fs::Permissions::from_mode(0o622)).unwrap();
    assert_eq!(Journal::open(dir.path()).unwrap_err().code, Code::StateDamaged);
    std::fs::remove_file(&log).unwrap();
    std::fs::rename(&file, dir.path().join("moved")).unwrap();
    std::os::unix::fs::symlink("moved", &file).unwrap();
    assert_eq!(Journal::open(dir.path()).unwrap_err().code, Code::StateDamaged);
}

#[test]
fn a_record_that_fell_behind_its_archive_is_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    let (decision, _) = begin(&mut journal);
    let name = decision.entry.file_name().unwrap();
    journal.archive().keep(name, Path::new("verdict"), &b"v"[..]).unwrap();
    drop(journal);
    drop(open(dir.path()));
    std::fs::remove_file(dir.path().join(FILE)).unwrap();
    assert_eq!(Journal::open(dir.path()).unwrap_err().code, Code::StateDamaged);
}

#[test]
fn a_journal_whose_making_was_interrupted_is_made() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(FILE), "").unwrap();
    std::fs::set_permissions(dir.path().join(FILE), std::fs::Permissions::from_mode(0o600))
        .unwrap();
    publish(&mut open(dir.path()));
    assert_eq!(open(dir.path()).next().unwrap(), 2);
}

#[test]
fn a_model_is_kept_until_it_is_given_up_and_the_record_says_when() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    let first = begin(&mut journal).0.sequence;
    let kept = Kept { sequence: first, folder: "000000000001-0-passed".to_owned(), until: T };
    journal.keep(&kept).unwrap();
    assert_eq!(journal.sent(first).unwrap(), None, "it is not out");
    journal.signed(first, Sha256Digest::of(b"verdict")).unwrap();
    // Again after a crash, with a later end.
    let kept = Kept { until: UnixTime(T.0 + 1), ..kept };
    journal.keep(&kept).unwrap();
    journal.published(first, T).unwrap();
    let second = publish(&mut journal);
    assert_eq!(journal.kept().unwrap(), std::slice::from_ref(&kept));
    let sent = journal.sent(first).unwrap().unwrap();
    assert_eq!((sent.passed, sent.resend_of, sent.kept), (false, None, Some(kept.clone())));
    assert_eq!(sent.payload, Sha256Digest::of(b"payload 1"));
    assert_eq!(journal.sent(second).unwrap().unwrap().kept, None);
    assert_eq!(journal.sent(3).unwrap(), None);
    assert!(journal.removed(second, T).is_err(), "it was never kept");
    journal.removed(first, T).unwrap();
    assert!(journal.removed(first, T).is_err() && journal.keep(&kept).is_err(), "it is gone");
    assert_eq!(journal.kept().unwrap(), []);
    assert_eq!(journal.sent(first).unwrap().unwrap().kept, None);
}
