//! Every case is refused for what it does, and its twin passes.

use std::collections::BTreeSet;
use std::io::Cursor;

use oms_corpus::{File, cases};
use oms_inspect::{Budget, Finding, Identified, Kind, Model, inspect};

/// The widest rules, as far as they are needed here.
struct Rules(toml::Table);

impl Rules {
    fn read() -> Rules {
        let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/widest.toml"));
        let mut table: toml::Table = text.unwrap().parse().unwrap();
        let Some(toml::Value::Table(content)) = table.remove("content") else { panic!() };
        Rules(content)
    }

    fn lists(&self, table: Option<&str>, key: &str, what: &str) -> bool {
        let table = match table {
            Some(name) => self.0[name].as_table().unwrap(),
            None => &self.0,
        };
        table[key].as_array().unwrap().iter().any(|value| value.as_str() == Some(what))
    }

    fn admits(&self, formats: &[&str], finding: &Finding) -> bool {
        let subject = finding.subject.as_str();
        let lists = |table, key| self.lists(Some(table), key, subject);
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

/// Why the model is refused: codes without `content.`, and what was said.
fn refusals(rules: &Rules, files: &[File]) -> BTreeSet<(String, String)> {
    let mut refusals = BTreeSet::new();
    let mut refuse = |code: &str, said: String| refusals.insert((code.to_owned(), said));
    let mut model = Model::default();
    for (path, bytes) in files {
        let length = bytes.len() as u64;
        let found = inspect(&mut Cursor::new(bytes), length, &Budget::default()).unwrap();
        let formats: Vec<&str> = match &found.format {
            Identified::Unknown => Vec::new(),
            Identified::One(format) => vec![format.name()],
            Identified::Ambiguous(formats) => formats.iter().map(|one| one.name()).collect(),
        };
        match formats.as_slice() {
            [] => _ = refuse("unknown", String::new()),
            [one] if rules.lists(None, "allow", one) => {}
            [one] => _ = refuse("format", format!("the format is {one}")),
            several => _ = refuse("ambiguous", several.join(" and as ")),
        }
        if let Some(malformed) = &found.malformed {
            refuse("malformed", malformed.to_string());
        }
        let named = oms_inspect::named(path, &found);
        for finding in found.findings.iter().chain(&named) {
            if !rules.admits(&formats, finding) {
                let Finding { kind, subject, place, detail } = finding;
                refuse(kind.name(), format!("{place}: {subject} {detail}"));
            }
        }
        model.add(path, length, found.links);
    }
    for (_, Finding { kind, subject, place, detail }) in model.findings() {
        refuse(kind.name(), format!("{place}: {subject} {detail}"));
    }
    refusals
}

#[test]
fn every_case_is_refused_for_what_it_does_and_its_twin_passes() {
    let rules = Rules::read();
    let mut wrong = Vec::new();
    for case in cases() {
        let found = refusals(&rules, &case.files);
        let expected =
            |(code, said): &(String, String)| code == case.code && said.contains(case.says);
        if !found.iter().any(expected) {
            let (name, code, says) = (case.name, case.code, case.says);
            wrong.push(format!("{name}: expected {code} {says:?}, found {found:?}"));
        }
        let found = refusals(&rules, &case.twin);
        if !found.is_empty() {
            wrong.push(format!("{}: its twin is refused: {found:?}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn names_are_unique_and_say_what_the_file_does() {
    let mut names = BTreeSet::new();
    for case in cases() {
        assert!(names.insert(case.name), "{}", case.name);
        let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        assert!(case.name.bytes().all(is_word), "{}", case.name);
    }
}
