//! The station's journal as somebody with the database's own tools would see and change it.

use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Row};

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

/// Whether a decision was begun that is not known to be out. A journal that a full disk kept from
/// being made holds none.
pub fn is_unfinished(state: &Path) -> bool {
    let count = || {
        // To read, since looking must not make one.
        let connection =
            Connection::open_with_flags(file(state), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let query = "SELECT count(*) FROM decision WHERE state <> 'published'";
        connection.query_row(query, [], |row| row.get::<_, u32>(0))
    };
    count().is_ok_and(|unfinished| unfinished > 0)
}
