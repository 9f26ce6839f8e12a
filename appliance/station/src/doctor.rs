//! `doctor`: whether this machine and this station are fit for their work, check by check.
//!
//! A check looks and changes nothing. Each says what it found, and what to do about it where that
//! is not as it should be. They are lists: [`machine::checks`] and [`station::checks`].

pub mod machine;
pub mod station;

use oms_verify::reason::{Code, Printable, Reason};
use serde::Serialize;

/// What a check came to, the gravest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// As it should be.
    Ok,
    /// It works, and not as well as it could.
    Warning,
    /// It does not work.
    Failed,
}

impl State {
    /// The word for programs.
    pub fn name(self) -> &'static str {
        match self {
            State::Ok => "ok",
            State::Warning => "warning",
            State::Failed => "failed",
        }
    }

    /// The word for people.
    fn word(self) -> &'static str {
        match self {
            State::Ok => "ok",
            State::Warning => "warning",
            State::Failed => "FAILED",
        }
    }
}

/// One check and what it found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Its name, which stays the same.
    pub name: &'static str,
    /// What it came to.
    pub state: State,
    /// What it found.
    pub found: String,
    /// What to do next, where it is not as it should be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Check {
    /// It is as it should be.
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Check { name, state: State::Ok, found: found.into(), remedy: None }
    }

    /// It works, and could be better.
    fn warning(name: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        let remedy = Some(remedy.into());
        Check { name, state: State::Warning, found: found.into(), remedy }
    }

    /// It does not work.
    fn failed(name: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Check { state: State::Failed, ..Check::warning(name, found, remedy) }
    }

    /// It does not work, for this reason.
    fn refused(name: &'static str, reason: &Reason) -> Self {
        Check::failed(name, reason.to_string(), reason.code.remedy())
    }
}

impl Check {
    /// Why the station does not work, where this check failed.
    pub fn failure(&self) -> Option<Reason> {
        let detail = || format!("{}: {}", self.name, self.found);
        (self.state == State::Failed).then(|| Reason::new(Code::StationUnfit, detail()))
    }
}

/// The gravest state of these checks.
pub fn gravest(checks: &[Check]) -> State {
    checks.iter().map(|check| check.state).max().unwrap_or(State::Ok)
}

/// Checks for people, a line each, with what to do below it.
pub fn text(checks: &[Check]) -> String {
    let line = |check: &Check| {
        let found = Printable(&check.found);
        let line = format!("{:<8} {:<16} {found}\n", check.state.word(), check.name);
        match &check.remedy {
            Some(remedy) => format!("{line}         -> {}\n", Printable(remedy)),
            None => line,
        }
    };
    checks.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_told_what_to_do_where_something_is_wrong() {
        let checks = [
            Check::ok("reader", "io-uring"),
            Check::warning("huge-pages", "never", "turn them on"),
            Check::failed("sha256", "wrong\u{1b}", "buy a new one"),
        ];
        assert_eq!(gravest(&checks), State::Failed);
        assert_eq!(gravest(&checks[..2]), State::Warning);
        assert_eq!(gravest(&[]), State::Ok);
        let text = text(&checks);
        assert_eq!(
            text,
            "ok       reader           io-uring\n\
             warning  huge-pages       never\n         -> turn them on\n\
             FAILED   sha256           wrong\\u{1b}\n         -> buy a new one\n"
        );
    }
}
