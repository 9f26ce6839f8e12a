//! The station's journal as somebody with the database's own tools would see and change it.

use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, Row};

/// Where the journal is in the folder of a state.
pub fn file(state: &Path) -> PathBuf {
    state.join("journal.sqlite")
}

/// Changes the journal past all of its rules.
///
/// # Panics
/// When the statements cannot be done.
pub fn change(state: &Path, statements: &str) {
    let connection = Connection::open(file(state)).unwrap();
    for rule in [DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY] {
        connection.set_db_config(rule, false).unwrap();
    }
    connection.execute_batch(statements).unwrap();
}

/// What a query finds, a line of text for each row's first column.
///
/// # Panics
/// When the journal cannot be read.
pub fn column(state: &Path, query: &str) -> Vec<String> {
    let connection = Connection::open(file(state)).unwrap();
    let mut statement = connection.prepare(query).unwrap();
    let text = |row: &Row<'_>| row.get::<_, Option<String>>(0).map(Option::unwrap_or_default);
    statement.query_map([], text).unwrap().map(Result::unwrap).collect()
}

/// Whether a decision was begun that is not known to be out.
pub fn is_unfinished(state: &Path) -> bool {
    // Looking would make one, and it would not be a station's. One that a full disk kept from being
    // made has no tables.
    file(state).exists()
        && !column(state, "SELECT name FROM sqlite_schema WHERE name = 'decision'").is_empty()
        && !column(state, "SELECT entry FROM decision WHERE state <> 'published'").is_empty()
}
