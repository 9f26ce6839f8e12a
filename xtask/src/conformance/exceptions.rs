//! The cases that end otherwise here than the suite expects: data in a checked file, each with its
//! reason. A case that no longer needs its exception fails the run, too.

use oms_testkit::vectors::workspace;
use serde::Deserialize;

use super::adapter::Outcome;
use super::case::Case;
use crate::failure::{Failure, Finding};
use crate::process::read;

/// The file, from the top of the workspace.
const FILE: &str = "tests/conformance/exceptions.toml";

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
    case: String,
    outcome: Expected,
    /// Why.
    pub(super) reason: String,
}

/// How an exception ends. What is wrong or crashes is never expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Expected {
    Accepted,
    Refused,
    Error,
}

impl Expected {
    fn is(self, outcome: &Outcome) -> bool {
        match self {
            Expected::Accepted => *outcome == Outcome::Accepted,
            Expected::Refused => *outcome == Outcome::Refused,
            Expected::Error => *outcome == Outcome::Error,
        }
    }
}

impl Exceptions {
    /// Reads the checked file.
    pub(super) fn read() -> Result<Self, Failure> {
        let path = workspace().join(FILE);
        toml::from_str(&read(&path)?).map_err(|source| Failure::Toml { path, source })
    }

    /// A finding for each exception that names no case that is run, or one twice.
    pub(super) fn without_case(&self, cases: &[Case]) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (at, exception) in self.exception.iter().enumerate() {
            let name = &exception.case;
            if !cases.iter().any(|case| case.name == *name && !case.needs_live_identity()) {
                findings.push(Finding::new(FILE, format!("names no case that is run: {name}")));
            }
            if self.exception.iter().take(at).any(|earlier| earlier.case == *name) {
                findings.push(Finding::new(FILE, format!("names a case twice: {name}")));
            }
        }
        findings
    }

    /// Judges how a case ended: `Ok(None)` as the suite expects, `Ok(Some)` as its exception says.
    ///
    /// # Errors
    /// What is surprising about it.
    pub(super) fn judge(
        &self,
        case: &Case,
        outcome: &Outcome,
    ) -> Result<Option<&Exception>, String> {
        let expected = if case.must_fail() { Expected::Refused } else { Expected::Accepted };
        let exception = self.exception.iter().find(|exception| exception.case == case.name);
        match exception {
            None if expected.is(outcome) => Ok(None),
            None => Err(format!("ended with `{outcome}`")),
            Some(_) if expected.is(outcome) => {
                Err(format!("passes and needs no exception any more: remove it from {FILE}"))
            }
            Some(exception) if exception.outcome.is(outcome) => Ok(Some(exception)),
            Some(_) => Err(format!("ended with `{outcome}`, not as its exception says")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::case::Kind;

    fn exceptions() -> Exceptions {
        let text = "[[exception]]\ncase = \"a\"\noutcome = \"refused\"\nreason = \"because\"";
        toml::from_str(text).unwrap()
    }

    fn case(name: &str, expect: &str) -> Case {
        let config = format!(
            r#"{{"description": "", "method": "key", "model": "m", "expect": "{expect}"}}"#
        );
        let config = serde_json::from_str(&config).unwrap();
        Case { name: name.to_owned(), kind: Kind::Verify, folder: "".into(), config }
    }

    #[test]
    fn an_outcome_is_judged_by_the_expectation_of_the_suite() {
        let exceptions = exceptions();
        let judge = |expect, outcome| exceptions.judge(&case("b", expect), &outcome);
        assert!(judge("pass", Outcome::Accepted).unwrap().is_none());
        assert!(judge("fail", Outcome::Refused).unwrap().is_none());
        assert!(judge("pass", Outcome::Refused).is_err());
        assert!(judge("fail", Outcome::Accepted).is_err());
        assert!(judge("fail", Outcome::Error).is_err());
        assert!(judge("fail", Outcome::Wrong("crash".into())).is_err());
    }

    #[test]
    fn an_exception_excuses_its_own_outcome_only() {
        let exceptions = exceptions();
        let judge = |outcome| exceptions.judge(&case("a", "pass"), &outcome);
        assert_eq!(judge(Outcome::Refused).unwrap().unwrap().reason, "because");
        assert!(judge(Outcome::Accepted).unwrap_err().contains("no exception any more"));
        assert!(judge(Outcome::Error).is_err());
        assert!(judge(Outcome::Wrong("crash".into())).is_err());
    }

    #[test]
    fn an_exception_without_a_case_is_found() {
        let exceptions = exceptions();
        assert_eq!(exceptions.without_case(&[case("a", "pass")]), []);
        assert_eq!(exceptions.without_case(&[case("b", "pass")]).len(), 1);
    }
}
