//! The log: a line for each event, for people or as JSON.
//!
//! Where standard error leads to systemd's journal, each line begins with its priority
//! (sd-daemon(3)). What stands in a line is made harmless first, since much of it is a carrier's.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use oms_verify::reason::Printable;
use serde_json::{Map, Value};

use super::settings::{Settings, Shape};
use crate::clock::system_time;

/// The most characters of one value in a line.
const MOST_SHOWN: usize = 2_000;

/// How grave an event is: syslog's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// It does not work.
    Error = 3,
    /// It works, and somebody should look.
    Warning = 4,
    /// Worth a note.
    Notice = 5,
    /// It goes on.
    Info = 6,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Notice => "notice",
            Level::Info => "info",
        }
    }
}

/// What particulars an event has: names, each with its value.
pub(super) type Fields<'a> = &'a [(&'static str, Value)];

/// Where events are written.
#[derive(Clone, Debug)]
pub(super) struct Log {
    shape: Shape,
    file: Option<PathBuf>,
    /// Whether systemd reads standard error.
    has_priorities: bool,
}

impl Log {
    /// A log as `settings` say.
    pub(super) fn new(settings: &Settings) -> Self {
        let file = settings.log_file.clone();
        let has_priorities = file.is_none() && std::env::var_os("JOURNAL_STREAM").is_some();
        Log { shape: settings.log, file, has_priorities }
    }

    /// Writes one event. A log that cannot be written holds up nothing.
    pub(super) fn tell(&self, level: Level, event: &str, fields: Fields<'_>) {
        let mut line = match self.shape {
            Shape::Text => text(level, event, fields, self.file.is_some()),
            Shape::Json => json(level, event, fields),
        };
        line.push('\n');
        match &self.file {
            None if self.has_priorities => {
                let line = format!("<{}>{line}", level as u8);
                let _ = std::io::stderr().write_all(line.as_bytes());
            }
            None => {
                let _ = std::io::stderr().write_all(line.as_bytes());
            }
            // Opened anew for each line, so that it may be moved away at any time.
            Some(path) => {
                let open = OpenOptions::new().append(true).create(true).mode(0o640).open(path);
                let _ = open.and_then(|mut file| file.write_all(line.as_bytes()));
            }
        }
    }
}

/// `model-refused: model=llama, sequence=3`, in a file with the time before it.
fn text(level: Level, event: &str, fields: Fields<'_>, has_time: bool) -> String {
    let mut line = if has_time { format!("{} ", system_time()) } else { String::new() };
    if level as u8 <= Level::Warning as u8 {
        let _ = write!(line, "{}: ", level.name());
    }
    line.push_str(event);
    for (at, (name, value)) in fields.iter().enumerate() {
        let between = if at == 0 { ":" } else { "," };
        let _ = write!(line, "{between} {name}={}", quoted(harmless(value)));
    }
    line
}

fn json(level: Level, event: &str, fields: Fields<'_>) -> String {
    let mut object = Map::new();
    object.insert("time".to_owned(), system_time().to_string().into());
    object.insert("level".to_owned(), level.name().into());
    object.insert("event".to_owned(), event.into());
    for (name, value) in fields {
        let value = match value {
            Value::Number(_) | Value::Bool(_) => value.clone(),
            other => harmless(other).into(),
        };
        object.insert((*name).to_owned(), value);
    }
    Value::Object(object).to_string()
}

/// In quotes where it could be taken for more than one value.
fn quoted(value: String) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "._-+:/@".contains(c);
    if !value.is_empty() && value.chars().all(is_plain) {
        return value;
    }
    format!("\"{}\"", value.replace('"', "\\\""))
}

fn harmless(value: &Value) -> String {
    match value {
        Value::String(text) => {
            let shown: String = text.chars().take(MOST_SHOWN).collect();
            Printable(&shown).to_string()
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(shape: Shape, file: &std::path::Path) -> Log {
        Log { shape, file: Some(file.to_owned()), has_priorities: false }
    }

    #[test]
    fn a_line_is_one_line_whatever_a_carrier_calls_its_models() {
        let hostile = "a\nerror: \"b\", c=\u{1b}[2J\u{202e}";
        let fields = [("model", Value::from(hostile)), ("sequence", 3.into())];
        let line = text(Level::Info, "published", &fields, false);
        assert_eq!(
            line,
            r#"published: model="a\u{a}error: \"b\", c=\u{1b}[2J\u{202e}", sequence=3"#
        );
        let line = text(Level::Error, "unfit", &[], false);
        assert_eq!(line, "error: unfit");
        let line: Value = serde_json::from_str(&json(Level::Notice, "x", &fields)).unwrap();
        assert_eq!(line["model"], r#"a\u{a}error: "b", c=\u{1b}[2J\u{202e}"#);
        assert_eq!((&line["sequence"], &line["level"]), (&3.into(), &"notice".into()));
    }

    #[test]
    fn a_file_is_made_anew_when_it_was_moved_away() {
        let dir = tempfile::tempdir().unwrap();
        let (file, old) = (dir.path().join("log"), dir.path().join("log.1"));
        let log = log(Shape::Json, &file);
        log.tell(Level::Info, "one", &[]);
        std::fs::rename(&file, &old).unwrap();
        log.tell(Level::Info, "two", &[]);
        let read = |path: &std::path::Path| std::fs::read_to_string(path).unwrap();
        assert!(read(&old).contains("\"one\"") && read(&file).contains("\"two\""));
        assert_eq!(read(&file).lines().count(), 1);
    }
}
