//! The cases that end otherwise here than x509-limbo expects: data in a checked file, each with
//! the clause of the standard that justifies it.

use oms_testkit::vectors::workspace;
use serde::Deserialize;

use super::case::{Case, Expected};
use super::run::Answer;
use crate::failure::{Failure, Finding};
use crate::process::read;

/// The file, from the top of the workspace.
pub(super) const FILE: &str = "tests/limbo/exceptions.toml";

/// All exceptions.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Exceptions {
    #[serde(default)]
    exception: Vec<Exception>,
}

/// One case that ends otherwise.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Exception {
    /// The case's id.
    id: String,
    /// What x509-limbo expects.
    limbo: Verdict,
    /// How it ends here.
    ours: Verdict,
    /// The clause, and what follows from it.
    pub(super) clause: String,
}

/// How a case ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Accepted,
    Refused,
}

impl Verdict {
    fn is(self, answer: &Answer) -> bool {
        match self {
            Verdict::Accepted => *answer == Answer::Accepted,
            Verdict::Refused => matches!(answer, Answer::Refused(_)),
        }
    }
}

impl From<Expected> for Verdict {
    fn from(expected: Expected) -> Verdict {
        match expected {
            Expected::Success => Verdict::Accepted,
            Expected::Failure => Verdict::Refused,
        }
    }
}

impl Exceptions {
    /// Reads the checked file.
    pub(super) fn read() -> Result<Self, Failure> {
        let path = workspace().join(FILE);
        toml::from_str(&read(&path)?).map_err(|source| Failure::Toml { path, source })
    }

    /// A finding for each exception that fits no case that is judged, or stands there twice.
    pub(super) fn faults(&self, judged: &[&Case]) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (at, exception) in self.exception.iter().enumerate() {
            let id = &exception.id;
            let case = judged.iter().find(|case| case.id == *id);
            let problem = match case {
                None => Some("names no case that is judged"),
                Some(case) if exception.limbo != case.expected_result.into() => {
                    Some("has another expectation than x509-limbo")
                }
                Some(_) if exception.limbo == exception.ours => Some("excepts nothing"),
                Some(_) if exception.clause.trim().is_empty() => Some("names no clause"),
                Some(_) => None,
            };
            findings.extend(problem.map(|text| Finding::new(FILE, format!("{id}: {text}"))));
            if self.exception.iter().take(at).any(|earlier| earlier.id == *id) {
                findings.push(Finding::new(FILE, format!("{id}: stands there twice")));
            }
        }
        findings
    }

    /// Judges how a case ended: `Ok(None)` as expected, `Ok(Some)` as its exception says.
    ///
    /// # Errors
    /// What is surprising about it.
    pub(super) fn judge(&self, case: &Case, answer: &Answer) -> Result<Option<&Exception>, String> {
        let expected = Verdict::from(case.expected_result);
        let exception = self.exception.iter().find(|exception| exception.id == case.id);
        match exception {
            None if expected.is(answer) => Ok(None),
            None => Err(format!("ended with: {answer}")),
            Some(_) if expected.is(answer) => {
                Err(format!("ends as expected: remove its exception from {FILE}"))
            }
            Some(exception) if exception.ours.is(answer) => Ok(Some(exception)),
            Some(_) => Err(format!("ended with: {answer}, not as its exception says")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exceptions(limbo: &str, ours: &str, clause: &str) -> Exceptions {
        let text = format!(
            "[[exception]]\nid = \"g::a\"\nlimbo = \"{limbo}\"\nours = \"{ours}\"\nclause = \"{clause}\""
        );
        toml::from_str(&text).unwrap()
    }

    #[test]
    fn a_case_without_an_exception_ends_as_expected_or_is_a_finding() {
        let exceptions = exceptions("refused", "accepted", "4.2");
        let judge = |expected, answer| exceptions.judge(&Case::example("g::b", expected), &answer);
        assert!(judge("SUCCESS", Answer::Accepted).unwrap().is_none());
        assert!(judge("FAILURE", Answer::Refused("x".into())).unwrap().is_none());
        assert!(judge("SUCCESS", Answer::Refused("x".into())).is_err());
        assert!(judge("FAILURE", Answer::Accepted).is_err());
        assert!(judge("FAILURE", Answer::Broken("x".into())).is_err());
        assert!(judge("SUCCESS", Answer::Broken("x".into())).is_err());
    }

    #[test]
    fn an_exception_excuses_only_what_it_says() {
        let exceptions = exceptions("refused", "accepted", "4.2");
        let judge = |answer| exceptions.judge(&Case::example("g::a", "FAILURE"), &answer);
        assert_eq!(judge(Answer::Accepted).unwrap().unwrap().clause, "4.2");
        assert!(judge(Answer::Refused("x".into())).unwrap_err().contains("remove"));
        assert!(judge(Answer::Broken("x".into())).is_err());
    }

    #[test]
    fn an_exception_that_fits_nothing_is_a_finding() {
        let case = Case::example("g::a", "FAILURE");
        let faults = |exceptions: Exceptions, cases: &[&Case]| exceptions.faults(cases).len();
        assert_eq!(faults(exceptions("refused", "accepted", "4.2"), &[&case]), 0);
        assert_eq!(faults(exceptions("refused", "accepted", "4.2"), &[]), 1);
        assert_eq!(faults(exceptions("accepted", "refused", "4.2"), &[&case]), 1);
        assert_eq!(faults(exceptions("refused", "refused", "4.2"), &[&case]), 1);
        assert_eq!(faults(exceptions("refused", "accepted", ""), &[&case]), 1);
    }
}
