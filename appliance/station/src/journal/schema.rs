//! The journal's file: how it is opened, what its tables are, and what must hold in them.
//!
//! The rules that keep numbers without holes and payloads unchanged are triggers: no code of this
//! program, nor a person at a prompt, goes past them by mistake.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use oms_sys::durable;
use oms_verify::reason::{Code, Reason};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use crate::record::{check_own, damaged};
use crate::storage::failed;

/// The journal's file in the folder of the state.
pub const FILE: &str = "journal.sqlite";
/// What SQLite keeps beside it.
const BESIDE: [&str; 2] = ["journal.sqlite-wal", "journal.sqlite-shm"];
/// How the file of a database begins.
const MAGIC: &[u8] = b"SQLite format 3\0";
/// `application_id` of the file's header: `OMSJ`.
const APPLICATION: i32 = 0x4F4D_534A;
/// `user_version` of the file's header: the version of the tables.
const VERSION: i32 = 2;
/// Pages that are written to the log before they go to the file.
const CHECKPOINT: u32 = 64;

/// KiB of pages that are kept in memory; below zero, as SQLite has it. What is looked for lies together,
/// so that more would only make the daemon grow with its record.
const CACHE: i32 = -256;

/// The tables. Times are seconds since 1970-01-01T00:00:00Z, digests are SHA-256 in hexadecimal
/// digits.
const TABLES: &str = "
-- What the station remembers of itself: one row.
CREATE TABLE station (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    -- The latest time of a decision: a second bound of the clock.
    latest INTEGER
) STRICT;
INSERT INTO station (id) VALUES (1);

-- A carrier that arrived, with or without models.
CREATE TABLE carrier (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('folder', 'device', 'stream')),
    -- As people know it.
    source TEXT NOT NULL,
    -- What tells it from every other, where it came by itself.
    identity TEXT,
    arrived INTEGER NOT NULL,
    -- present: being worked at; released: it may be pulled; interrupted: the station stopped.
    state TEXT NOT NULL CHECK (state IN ('present', 'released', 'interrupted')),
    ended INTEGER,
    -- The first reason that is no model's.
    reason TEXT,
    detail TEXT,
    CHECK ((state = 'present') = (ended IS NULL))
) STRICT;
CREATE INDEX seen ON carrier (identity) WHERE identity IS NOT NULL;

-- A model of a carrier; its folder in the spool is `ingest-<id>`.
CREATE TABLE intake (
    id INTEGER PRIMARY KEY,
    carrier INTEGER NOT NULL REFERENCES carrier (id),
    -- Its path on the carrier.
    model TEXT NOT NULL,
    begun INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('reading', 'decided', 'failed', 'interrupted')),
    ended INTEGER,
    -- Why nothing was decided.
    reason TEXT,
    detail TEXT,
    CHECK ((state = 'reading') = (ended IS NULL))
) STRICT;

-- A decision, from its number to its entry in outbound.
CREATE TABLE decision (
    sequence INTEGER PRIMARY KEY CHECK (sequence >= 1),
    -- What it is about: an intake, or an earlier decision whose model is sent again.
    intake INTEGER UNIQUE REFERENCES intake (id),
    resend_of INTEGER REFERENCES decision (sequence),
    -- begun: it has its number; composed: its payload is written down and may be signed;
    -- signed: its verdict is staged; published: its entry is out, or was.
    state TEXT NOT NULL CHECK (state IN ('begun', 'composed', 'signed', 'published')),
    verifier TEXT NOT NULL,
    -- Of the SubjectPublicKeyInfo of the verdict key.
    verdict_key TEXT NOT NULL,
    result TEXT NOT NULL CHECK (result IN ('passed', 'refused')),
    subject TEXT NOT NULL,
    root TEXT NOT NULL,
    time INTEGER NOT NULL,
    -- Its folder in the spool and its entry in outbound.
    folder TEXT NOT NULL,
    entry TEXT NOT NULL UNIQUE,
    -- Of the decision as the decider made it, where that is another process than the signer.
    decision_sha256 TEXT CHECK (length(decision_sha256) = 64),
    -- Of the payload before it, and of its own.
    previous TEXT CHECK (length(previous) = 64),
    payload_sha256 TEXT CHECK (length(payload_sha256) = 64),
    -- Of the signed verdict's file.
    verdict_sha256 TEXT CHECK (length(verdict_sha256) = 64),
    published INTEGER,
    CHECK ((intake IS NULL) <> (resend_of IS NULL)),
    CHECK ((state = 'begun') = (payload_sha256 IS NULL)),
    CHECK ((payload_sha256 IS NULL) = (previous IS NULL)),
    CHECK (state NOT IN ('signed', 'published') OR verdict_sha256 IS NOT NULL),
    CHECK ((state = 'published') = (published IS NOT NULL))
) STRICT;
CREATE INDEX unfinished ON decision (sequence) WHERE state <> 'published';

-- A model that stays in the spool after its entry went out.
CREATE TABLE kept (
    decision INTEGER PRIMARY KEY REFERENCES decision (sequence),
    -- Its folder in the spool's folder `kept`.
    folder TEXT NOT NULL,
    until INTEGER NOT NULL,
    -- When it was given up.
    removed INTEGER
) STRICT;

CREATE TRIGGER no_hole BEFORE INSERT ON decision
WHEN NEW.sequence <> (SELECT coalesce(max(sequence), 0) + 1 FROM decision)
BEGIN SELECT RAISE(ABORT, 'the number is not the next one'); END;

CREATE TRIGGER one_decision BEFORE UPDATE OF
    sequence, intake, resend_of, verifier, verdict_key, result, subject, root, time, folder, entry,
    decision_sha256 ON decision
BEGIN SELECT RAISE(ABORT, 'a decision does not change'); END;

CREATE TRIGGER one_payload BEFORE UPDATE OF previous, payload_sha256 ON decision
WHEN OLD.payload_sha256 IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a number has one payload'); END;

CREATE TRIGGER in_order BEFORE UPDATE OF state ON decision
WHEN OLD.state = 'published' OR NEW.state = 'begun'
  OR (OLD.state = 'signed' AND NEW.state = 'composed')
  OR EXISTS (SELECT 1 FROM decision AS earlier
             WHERE earlier.sequence = NEW.sequence - 1
               AND (earlier.state = 'begun'
                    OR (NEW.state = 'published' AND earlier.state <> 'published')))
BEGIN SELECT RAISE(ABORT, 'the steps of decisions go forward, in order of number'); END;

CREATE TRIGGER no_loss BEFORE DELETE ON decision
BEGIN SELECT RAISE(ABORT, 'no decision is lost'); END;
";

/// What must not be found, and what it means when it is.
const CONTRADICTIONS: [(&str, &str); 3] = [
    (
        "SELECT max(sequence) FROM decision HAVING max(sequence) <> count(*)",
        "a number is missing before decision",
    ),
    (
        "SELECT sequence FROM decision AS later WHERE previous IS NOT NULL AND previous IS NOT
         coalesce((SELECT payload_sha256 FROM decision AS earlier
                   WHERE earlier.sequence = later.sequence - 1),
                  iif(later.sequence = 1, printf('%064d', 0), NULL))",
        "the payload before is not the one that is named by decision",
    ),
    (
        "SELECT later.sequence FROM decision AS later JOIN decision AS earlier
         ON earlier.sequence = later.sequence - 1
         WHERE later.state = 'published' AND earlier.state <> 'published'",
        "the one before is not out, and yet is decision",
    ),
];

/// Opens the journal in the folder `state`, whose lock the caller holds, and makes a new one when
/// there is none.
///
/// # Errors
/// When it cannot be opened, is damaged or contradicts itself, or others may have written it.
pub(super) fn open(state: &Path) -> Result<Connection, Reason> {
    let path = state.join(FILE);
    for file in [FILE].iter().chain(&BESIDE) {
        check_own(&state.join(file))?;
    }
    check_magic(&path)?;
    create(&path).map_err(|error| failed("making the journal", &error, &path))?;
    // Without a link anywhere in the path, or SQLite follows none.
    let full = path.canonicalize().map_err(|error| failed("opening the journal", &error, &path))?;
    let told = |error: rusqlite::Error| failure("opening the journal", &error, &path);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW
        | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let mut connection = Connection::open_with_flags(&full, flags).map_err(told)?;
    set_up(&connection).map_err(told)?;
    check_header(&mut connection, &path)?;
    check_content(&connection, &path)?;
    Ok(connection)
}

/// A journal of this program and version, for who only reads it.
///
/// # Errors
/// When it is another file, or cannot be read.
pub(super) fn check_readable(connection: &Connection, path: &Path) -> Result<(), Reason> {
    let told = |error: rusqlite::Error| failure("reading the journal", &error, path);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false).map_err(told)?;
    let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get(0));
    let header: (i32, i32) =
        (number("application_id").map_err(told)?, number("user_version").map_err(told)?);
    if header == (APPLICATION, VERSION) {
        return Ok(());
    }
    Err(damaged("the file is not the journal of a station of this version", path))
}

/// The reason for an error of SQLite.
pub(super) fn failure(what: &str, error: &rusqlite::Error, path: &Path) -> Reason {
    let code = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Code::StateLocked,
        // What the program has no answer to: a file that is no database, a rule of the tables that
        // is broken, a value that is none.
        None
        | Some(
            ErrorCode::DatabaseCorrupt
            | ErrorCode::NotADatabase
            | ErrorCode::ConstraintViolation
            | ErrorCode::TypeMismatch
            | ErrorCode::Unknown,
        ) => Code::StateDamaged,
        Some(_) => Code::OutboundWrite,
    };
    Reason::new(code, format!("{what}: {error}")).about(path.display().to_string())
}

/// SQLite takes a file of a few bytes for an empty database and writes over it.
fn check_magic(path: &Path) -> Result<(), Reason> {
    let mut found = Vec::new();
    let opened = File::open(path).map(|file| file.take(MAGIC.len() as u64));
    match opened.and_then(|mut file| file.read_to_end(&mut found)) {
        Ok(_) if found.is_empty() || found == MAGIC => Ok(()),
        Ok(_) => Err(damaged("the file is not a database", path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed("opening the journal", &error, path)),
    }
}

/// Makes an empty file of the station's own, when there is none. What SQLite puts beside it takes
/// its mode.
fn create(path: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(file) => {
            file.sync_all()?;
            durable::sync_folder_of(path)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

fn set_up(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(std::time::Duration::ZERO)?;
    for (config, on) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, true),
        (DbConfig::SQLITE_DBCONFIG_DQS_DDL, false),
        (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
    ] {
        connection.set_db_config(config, on)?;
    }
    connection.pragma_update(None, "cell_size_check", true)?;
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    if mode != "wal" {
        return Err(rusqlite::Error::InvalidQuery);
    }
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "cache_size", CACHE)?;
    connection.pragma_update_and_check(None, "wal_autocheckpoint", CHECKPOINT, |_| Ok(()))
}

/// A journal of this program and version. An empty file becomes one: it was made before a crash.
fn check_header(connection: &mut Connection, path: &Path) -> Result<(), Reason> {
    let told = |error: rusqlite::Error| failure("opening the journal", &error, path);
    let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get(0));
    let (application, version): (i32, i32) =
        (number("application_id").map_err(told)?, number("user_version").map_err(told)?);
    let tables: u32 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(told)?;
    match (application, version, tables) {
        (APPLICATION, VERSION, _) => Ok(()),
        (0, 0, 0) => make_tables(connection).map_err(told),
        (APPLICATION, other, _) => {
            let detail = format!("the journal has version {other}, this program has {VERSION}");
            Err(damaged(&detail, path))
        }
        _ => Err(damaged("the file is not the journal of a station", path)),
    }
}

fn make_tables(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(TABLES)?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}

/// Every page, index and reference is right, the tables are this version's, and the decisions
/// follow one another.
fn check_content(connection: &Connection, path: &Path) -> Result<(), Reason> {
    let told = |error: rusqlite::Error| failure("checking the journal", &error, path);
    let answer: String =
        connection.pragma_query_value(None, "integrity_check", |row| row.get(0)).map_err(told)?;
    if answer != "ok" {
        return Err(damaged(&answer, path));
    }
    let mut dangling = connection.prepare("PRAGMA foreign_key_check").map_err(told)?;
    if dangling.exists([]).map_err(told)? {
        return Err(damaged("a row refers to one that is not there", path));
    }
    for (query, meaning) in CONTRADICTIONS {
        let mut statement = connection.prepare(query).map_err(told)?;
        let mut rows = statement.query([]).map_err(told)?;
        if let Some(row) = rows.next().map_err(told)? {
            let sequence: u64 = row.get(0).map_err(told)?;
            return Err(damaged(&format!("{meaning} {sequence}"), path));
        }
    }
    Ok(())
}
