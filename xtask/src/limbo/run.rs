//! Runs one case through `oms-appliance cert verify`, with a limit on its memory, and takes its
//! time.

use std::fmt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::Deserialize;

use super::case::Case;
use crate::failure::Failure;

/// KiB of data that the program may have: what the design allows for the worst of chains.
const MOST_KIB: u32 = 64 << 10;

/// Runs the program with a limit on its data segment and its anonymous memory, so that one that
/// needs more ends by a signal; and tells on the last line of standard error what processor time
/// it took, by itself and in the kernel.
const SCRIPT: &str =
    "limit=$1; shift; ulimit -d \"$limit\" && { \"$@\"; code=$?; times >&2; exit \"$code\"; }";

/// What the program answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Exit code 0 and a document that says so.
    Accepted,
    /// Exit code 1 and a document with these codes.
    Refused(String),
    /// Anything else: the case has shown nothing.
    Broken(String),
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answer::Accepted => f.write_str("accepted"),
            Answer::Refused(codes) => write!(f, "refused ({codes})"),
            Answer::Broken(problem) => f.write_str(problem),
        }
    }
}

/// A case that was run.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) answer: Answer,
    /// Processor time, in steps of 10 ms.
    pub(super) time: Duration,
}

/// The part of the program's document that counts.
#[derive(Deserialize)]
struct Document {
    accepted: bool,
    reasons: Vec<Reason>,
}

#[derive(Deserialize)]
struct Reason {
    code: String,
    detail: String,
}

/// Runs `case` with its files in `folder`; `now` is the time for a case that names none.
pub(super) fn run(program: &Path, case: &Case, folder: &Path, now: &str) -> Result<Run, Failure> {
    let mut command = Command::new("sh");
    command.args(["-c", SCRIPT, "sh", &MOST_KIB.to_string()]).arg(program);
    command.args(["cert", "verify", "--json", "--purpose", "any"]);
    command.args(case.prepare(folder, now)?);
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|source| Failure::Spawn { command: program.display().to_string(), source })?;
    let said = String::from_utf8_lossy(&output.stderr);
    let answer = match output.status.code() {
        Some(code) => answer(code, &output.stdout, &said),
        None => Answer::Broken(format!("ended with {}: {said}", output.status)),
    };
    Ok(Run { answer, time: time(&said).unwrap_or_default() })
}

fn answer(code: i32, stdout: &[u8], stderr: &str) -> Answer {
    let document: Document = match serde_json::from_slice(stdout) {
        Ok(document) => document,
        Err(error) => {
            return Answer::Broken(format!("exit code {code}, no document ({error}): {stderr}"));
        }
    };
    match (code, document.accepted, document.reasons.as_slice()) {
        (0, true, []) => Answer::Accepted,
        (1, false, reasons @ [_, ..]) => {
            let texts = reasons.iter().map(|reason| format!("{}: {}", reason.code, reason.detail));
            Answer::Refused(texts.collect::<Vec<_>>().join("; "))
        }
        _ => Answer::Broken(format!("exit code {code} and the document contradict: {stderr}")),
    }
}

/// The processor time of the program, from the last line: `0m0.010000s 0m0.000000s`.
fn time(stderr: &str) -> Option<Duration> {
    stderr.lines().last()?.split_whitespace().map(minutes).sum()
}

fn minutes(text: &str) -> Option<Duration> {
    let (minutes, seconds) = text.strip_suffix('s')?.split_once('m')?;
    let seconds = Duration::try_from_secs_f64(seconds.parse().ok()?).ok()?;
    Some(seconds + Duration::from_secs(minutes.parse::<u64>().ok()?.checked_mul(60)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_document_that_fits_the_exit_code_is_an_answer() {
        let refusal = br#"{"accepted": false, "reasons": [{"code": "a.b", "detail": "c"}]}"#;
        let acceptance = br#"{"accepted": true, "reasons": []}"#;
        assert_eq!(answer(1, refusal, ""), Answer::Refused("a.b: c".into()));
        assert_eq!(answer(0, acceptance, ""), Answer::Accepted);
        for (code, document) in [
            (0, &refusal[..]),
            (2, refusal),
            (1, acceptance),
            (134, b""),
            (1, br#"{"accepted": false, "reasons": []}"#),
        ] {
            assert!(matches!(answer(code, document, ""), Answer::Broken(_)), "{code}");
        }
    }

    #[test]
    fn the_time_is_that_of_the_program_by_itself_and_in_the_kernel() {
        let said = "warning\n0m0.01s 0m0.01s\n1m0.030000s 0m0.020000s\n";
        assert_eq!(time(said), Some(Duration::from_millis(60_050)));
        assert_eq!(time("error: x"), None);
    }

    #[test]
    fn the_script_limits_memory_passes_the_exit_code_and_tells_the_time() {
        let run = |program: &[&str], kib: &str| {
            Command::new("sh").args(["-c", SCRIPT, "sh", kib]).args(program).output().unwrap()
        };
        let output = run(&["sh", "-c", "exit 7"], "65536");
        assert_eq!(output.status.code(), Some(7));
        assert!(time(&String::from_utf8_lossy(&output.stderr)).is_some());
        let hungry = ["dd", "if=/dev/zero", "of=/dev/null", "bs=90M", "count=1"];
        assert!(!run(&hungry, "65536").status.success());
        assert!(run(&hungry, "1048576").status.success());
    }
}
