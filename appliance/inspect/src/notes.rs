//! What a reader of a format hands over while it walks.

use std::collections::HashSet;

use crate::contents::Contents;
use crate::finding::{Finding, Kind, Link, Place};
use crate::malformed::{Malformed, shown};

/// Findings of one file that are kept. Past that the file is refused for their number.
const MOST: usize = 1024;

/// Collects what is found in one file. Each kind and subject is kept once, where it was first seen.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    findings: Vec<Finding>,
    known: HashSet<(Kind, String)>,
    links: Vec<Link>,
    too_many: bool,
    contents: Option<Contents>,
    template: Option<Finding>,
    yaml: Option<Finding>,
    /// The members of archives that the walk is in, outermost first.
    members: Vec<String>,
}

impl Notes {
    /// Notes that keep what a person wants to see, too.
    pub(crate) fn with_contents() -> Self {
        Notes { contents: Some(Contents::default()), ..Notes::default() }
    }

    /// Keeps a finding. `subject` is kept whole, since allow-lists are held against it: callers bound it.
    pub(crate) fn add(&mut self, kind: Kind, subject: &str, place: Place, detail: String) {
        let known = (kind, subject.to_owned());
        if self.known.contains(&known) {
            return;
        }
        if self.findings.len() >= MOST {
            self.too_many = true;
            return;
        }
        let place = self.members.iter().rev().fold(place, |place, member| place.within(member));
        if kind != Kind::Malformed {
            self.known.insert(known);
        }
        let subject = subject.to_owned();
        self.findings.push(Finding { kind, subject, place, detail });
    }

    /// Keeps a break of the format's rules.
    pub(crate) fn malformed(&mut self, place: Place, detail: impl Into<String>) {
        self.add(Kind::Malformed, "", place, detail.into());
    }

    /// Keeps what the file would be refused for if it is a template, which only its name can tell.
    pub(crate) fn template(&mut self, finding: Finding) {
        if self.members.is_empty() {
            self.template = Some(finding);
        }
    }

    /// What [`Self::template`] kept.
    pub(crate) fn take_template(&mut self) -> Option<Finding> {
        self.template.take()
    }

    /// Keeps what the file would be refused for if it is YAML, which only its name can tell.
    pub(crate) fn yaml(&mut self, finding: Finding) {
        if self.members.is_empty() {
            self.yaml = Some(finding);
        }
    }

    /// What [`Self::yaml`] kept.
    pub(crate) fn take_yaml(&mut self) -> Option<Finding> {
        self.yaml.take()
    }

    /// Keeps what the file says about another.
    pub(crate) fn link(&mut self, link: Link) {
        self.links.push(link);
    }

    /// Hands over what a person wants to see; `note` is not called where nobody does.
    pub(crate) fn show(&mut self, note: impl FnOnce(&mut Contents)) {
        if let Some(contents) = &mut self.contents {
            note(contents);
        }
    }

    /// Whether somebody wants to see what is inside.
    pub(crate) fn shows(&self) -> bool {
        self.contents.is_some()
    }

    /// Runs `walk` inside the member `name` of an archive.
    pub(crate) fn inside<T>(&mut self, name: &str, walk: impl FnOnce(&mut Notes) -> T) -> T {
        self.members.push(shown(name));
        let result = walk(self);
        self.members.pop();
        result
    }

    /// How many archives the walk is in.
    pub(crate) fn depth(&self) -> usize {
        self.members.len()
    }

    /// The findings, what the file says about others, and what a person wants to see.
    pub(crate) fn finish(mut self) -> (Vec<Finding>, Vec<Link>, Option<Contents>) {
        if self.too_many {
            let detail = Malformed::Findings { limit: MOST }.to_string();
            let (kind, subject) = (Kind::Malformed, String::new());
            self.findings.push(Finding { kind, subject, place: Place::File, detail });
        }
        if let Some(contents) = &mut self.contents {
            let imports = self.findings.iter().filter(|one| one.kind == Kind::PickleGlobal);
            contents.globals = imports.map(|one| one.subject.clone()).collect();
        }
        (self.findings, self.links, self.contents)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_allowed_findings_hides_nothing() {
        let mut notes = Notes::default();
        for number in 0..2 * MOST {
            notes.add(Kind::PickleGlobal, &number.to_string(), Place::File, String::new());
            notes.add(Kind::PickleGlobal, "0", Place::Offset(1), String::new());
        }
        let (findings, _, _) = notes.finish();
        assert_eq!(findings.len(), MOST + 1);
        assert_eq!(findings.last().map(|last| last.kind), Some(Kind::Malformed));
    }

    #[test]
    fn findings_name_the_members_they_are_in() {
        let mut notes = Notes::default();
        notes.inside("outer", |notes| {
            notes.inside("inner", |notes| notes.malformed(Place::Offset(3), "broken"));
        });
        let (findings, _, _) = notes.finish();
        assert_eq!(findings[0].place, Place::Offset(3).within("inner").within("outer"));
    }
}
