//! Templates of prompts (Jinja 2), as tokenizers and GGUF files carry them. They are taken apart and
//! never rendered.
//!
//! ```text
//!   text --> lexer (tags, tokens) --> rules (what each token is and does) --> one finding, or none
//!                                       |      '-- flow (what is put together, and where it goes)
//!                                       '--------- words (what an ordinary template uses)
//! ```
//!
//! An engine renders a template with the rights of the process that serves the model, sandboxed or
//! not (CVE-2024-34359). So a template passes only if everything in it is known to be harmless; of
//! any other there is one finding, and a policy may admit it by its digest.

mod filters;
mod flow;
mod lexer;
mod rules;
mod scope;
mod words;

use std::io::{self, Read, Seek};

use sha2::{Digest, Sha256};

use crate::contents;
use crate::finding::{Finding, Kind, Place};
use crate::malformed::shown;
use crate::notes::Notes;
use crate::source::Source;

/// Bytes of a template that are read. Those of large models have some ten thousand.
const LONGEST: usize = 256 * 1024;

/// One thing in a template that does more than lay out text.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Construct {
    /// The line in the template, from 1.
    line: usize,
    /// What it does, as the end of a sentence.
    what: String,
}

/// Reads a text that is a template if its name says so. What has no tag is none worth to be shown.
pub(crate) fn read_text<R: Read + Seek>(
    source: &mut Source<'_, R>,
    notes: &mut Notes,
) -> io::Result<()> {
    let (kind, place) = (Kind::Template, Place::File);
    if source.length() > LONGEST as u64 {
        let (subject, detail) = (String::new(), too_long());
        notes.template(Finding { kind, subject, place, detail });
        return Ok(());
    }
    let mut text = String::new();
    source.scan(0)?.read_to_string(&mut text)?;
    if text.contains("{%") {
        show(&text, &digest(&text), &place, notes);
    }
    if let Some(detail) = suspicious(&text) {
        notes.template(Finding { kind, subject: digest(&text), place, detail });
    }
    Ok(())
}

/// Reads the template `text` that stands at `place`.
pub(crate) fn read(text: &str, place: Place, notes: &mut Notes) {
    let digest = digest(text);
    show(text, &digest, &place, notes);
    if let Some(detail) = suspicious(text) {
        notes.add(Kind::Template, &digest, place, detail);
    }
}

fn show(text: &str, digest: &str, place: &Place, notes: &mut Notes) {
    notes.show(|contents| {
        contents.templates.push(contents::Template {
            place: place.to_string(),
            sha256: digest.to_owned(),
            text: text.to_owned(),
        });
    });
}

/// What the template does besides laying out text.
fn suspicious(text: &str) -> Option<String> {
    if text.len() > LONGEST {
        return Some(too_long());
    }
    let tags = match lexer::tags(text) {
        Ok(tags) => tags,
        Err(Construct { line, what }) => return Some(format!("{what} in line {line}")),
    };
    let (first, count) = rules::check(&tags)?;
    let more = match count {
        0 | 1 => String::new(),
        count => format!(", and {} more", count.saturating_sub(1)),
    };
    Some(format!("{} in line {}{more}", first.what, first.line))
}

/// `name` as a detail shows it.
fn quoted(name: &str) -> String {
    format!("{:?}", shown(name))
}

fn too_long() -> String {
    format!("is longer than {LONGEST} bytes")
}

fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
