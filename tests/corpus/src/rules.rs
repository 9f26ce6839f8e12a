//! The widest rules, and what they refuse a model for.

use std::collections::BTreeSet;
use std::io::{self, Cursor};

use oms_inspect::{Budget, Finding, Identified, Kind, Model, inspect};

use crate::File;

/// The widest rules under which a model may be called harmless: those of
/// `policies/frameworks.toml`.
#[derive(Debug)]
pub struct Rules(toml::Table);

/// A code without `content.`, and what was said.
pub type Refusal = (String, String);

impl Rules {
    /// The rules.
    ///
    /// # Errors
    /// When the policy is no TOML or has no `[content]`.
    pub fn widest() -> Result<Rules, Box<dyn std::error::Error>> {
        let mut table: toml::Table = include_str!("../../../policies/frameworks.toml").parse()?;
        match table.remove("content") {
            Some(toml::Value::Table(content)) => Ok(Rules(content)),
            _ => Err("frameworks.toml has no [content]".into()),
        }
    }

    /// Why a model is refused.
    ///
    /// # Errors
    /// Never for what the files hold: they are in memory.
    pub fn refusals(&self, files: &[File]) -> io::Result<BTreeSet<Refusal>> {
        let mut refusals = BTreeSet::new();
        let mut refuse = |code: &str, said: String| refusals.insert((code.to_owned(), said));
        let mut model = Model::default();
        let mut unknown = Vec::new();
        for (path, bytes) in files {
            let length = bytes.len() as u64;
            let found = inspect(&mut Cursor::new(bytes), length, &Budget::default())
                .map_err(io::Error::other)?;
            let formats: Vec<&str> = match &found.format {
                Identified::Unknown => Vec::new(),
                Identified::One(format) => vec![format.name()],
                Identified::Ambiguous(formats) => formats.iter().map(|one| one.name()).collect(),
            };
            match formats.as_slice() {
                [] => unknown.push(*path),
                [one] if self.lists(None, "allow", one) => {}
                [one] => _ = refuse("format", format!("the format is {one}")),
                several => _ = refuse("ambiguous", several.join(" and as ")),
            }
            if let Some(malformed) = &found.malformed {
                refuse("malformed", malformed.to_string());
            }
            let named = oms_inspect::named(path, &found);
            for finding in found.findings.iter().chain(&named) {
                if !self.admits(&formats, finding) {
                    refuse(finding.kind.name(), said(finding));
                }
            }
            model.add(path, length, found.links);
        }
        let weights = model.weights();
        if unknown.iter().any(|path| !weights.contains(*path)) {
            refuse("unknown", String::new());
        }
        for (_, finding) in model.findings() {
            refuse(finding.kind.name(), said(&finding));
        }
        Ok(refusals)
    }

    fn lists(&self, table: Option<&str>, key: &str, what: &str) -> bool {
        let table = match table {
            Some(name) => self.0.get(name).and_then(toml::Value::as_table),
            None => Some(&self.0),
        };
        let list = table.and_then(|table| table.get(key)?.as_array());
        list.is_some_and(|list| list.iter().any(|value| value.as_str() == Some(what)))
    }

    fn admits(&self, formats: &[&str], finding: &Finding) -> bool {
        let lists = |table, key| self.lists(Some(table), key, &finding.subject);
        match finding.kind {
            Kind::PickleGlobal => lists("pickle", "globals"),
            Kind::OperatorDomain => lists("onnx", "domains"),
            Kind::Operator if formats == ["tflite"] => lists("tflite", "operators"),
            Kind::Operator => lists("tensorflow", "operators"),
            Kind::Class => lists("keras", "classes"),
            Kind::Template => lists("templates", "digests"),
            _ => false,
        }
    }
}

fn said(finding: &Finding) -> String {
    let Finding { subject, place, detail, .. } = finding;
    format!("{place}: {subject} {detail}")
}
