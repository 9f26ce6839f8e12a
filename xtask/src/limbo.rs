//! `cargo xtask limbo`: runs `oms-appliance cert verify` on every case of x509-limbo, the public
//! collection of good and bad certification paths.
//!
//! ```text
//!  limbo.json ─▶ Case ─▶ files ─▶ cert verify --json ─▶ Answer ◀─ compared ─ exceptions.toml
//! ```
//!
//! The program itself is run, since its options and its document are what others rely on. The
//! groups `webpki` and `online` are about TLS clients: they are counted, not judged.

mod case;
mod exceptions;
mod run;

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use oms_testkit::run::target;
use oms_testkit::vectors;
use oms_verify::time::UnixTime;
use serde::Serialize;

use self::case::{Case, Expected};
use self::exceptions::Exceptions;
use self::run::{Answer, Run};
use crate::failure::{Failure, Finding};
use crate::process::{cargo, run as run_command};

/// Where the cases lie in the test vectors.
const IN_VECTORS: &str = "x509-limbo/limbo.json";

/// The groups that are about certificates on the web, which this program does not judge.
const NOT_JUDGED: [&str; 2] = ["online", "webpki"];

/// How `cargo xtask limbo` is run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Options {
    /// Build with optimisation, and hold the program to its limit of time.
    pub(crate) release: bool,
    /// Print one JSON document.
    pub(crate) json: bool,
}

/// Runs every case of `file`, or of the one in the test vectors, and sums up by groups.
///
/// Without cases this says so and is a success, unless `OMS_REQUIRE_VECTORS` is 1 or `CI` is
/// `true`.
pub(crate) fn run(file: Option<&Path>, options: Options) -> Result<(), Failure> {
    let Some(file) = find(file)? else { return Ok(()) };
    let cases = case::all(&file)?;
    let exceptions = Exceptions::read()?;
    let program = build(options.release)?;
    let now = now();
    let runs = run_all(&cases, |case, folder| run::run(&program, case, folder, &now))?;

    let judged: Vec<&Case> = cases.iter().filter(|case| is_judged(case)).collect();
    let mut findings = exceptions.faults(&judged);
    let mut report = Report::default();
    for (case, run) in cases.iter().zip(&runs) {
        let outcome = report.add(case, run, &exceptions);
        findings.extend(outcome.err().map(|problem| Finding::new(&case.id, problem)));
        // Without optimisation the same work takes several times as long.
        let limit = Duration::from_millis(if options.release { 100 } else { 1000 });
        if run.time > limit {
            let problem = format!("took {:?} instead of at most {limit:?}", run.time);
            findings.push(Finding::new(&case.id, problem));
        }
    }
    if options.json {
        let text = serde_json::to_string_pretty(&report)
            .map_err(|source| Failure::Json { path: file, source })?;
        println!("{text}");
    } else {
        report.print();
    }
    Finding::none_in("limbo", findings)
}

/// The cases of the test vectors; none where these are not there.
pub(crate) fn cases_or_none() -> Result<Vec<Case>, Failure> {
    let file = vectors::location().join(IN_VECTORS);
    if file.is_file() { case::all(&file) } else { Ok(Vec::new()) }
}

fn find(given: Option<&Path>) -> Result<Option<PathBuf>, Failure> {
    let file = given.map_or_else(|| vectors::location().join(IN_VECTORS), Path::to_owned);
    if file.is_file() {
        return Ok(Some(file));
    }
    let is = |name, value| env::var_os(name).is_some_and(|is| is == value);
    if given.is_some() || is("OMS_REQUIRE_VECTORS", "1") || is("CI", "true") {
        return Err(Failure::NoLimbo { path: file });
    }
    eprintln!("SKIPPED limbo: there is no {} (set OMS_VECTORS)", file.display());
    Ok(None)
}

fn is_judged(case: &Case) -> bool {
    !NOT_JUDGED.contains(&case.group())
}

fn build(release: bool) -> Result<PathBuf, Failure> {
    // As the tests build it: with other features, its dependencies would be built once more.
    let arguments: &[&str] = match release {
        false => &["build", "--locked", "--workspace", "--bins"],
        true => &["build", "--locked", "--release", "--package", "oms-station", "--bins"],
    };
    run_command(&mut cargo(arguments))?;
    let profile = if release { "release" } else { "debug" };
    Ok(target().join(profile).join("oms-appliance"))
}

/// The time for cases that name none, the same for all.
fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixTime(i64::try_from(since.as_secs()).unwrap_or_default()).to_string()
}

/// Runs every case, as many at a time as there are processors; the order is that of the cases.
fn run_all(
    cases: &[Case],
    run: impl Fn(&Case, &Path) -> Result<Run, Failure> + Sync,
) -> Result<Vec<Run>, Failure> {
    let next = AtomicUsize::new(0);
    let runs = Mutex::new(BTreeMap::new());
    let in_own_folder = |case: &Case| {
        let folder = tempfile::tempdir()
            .map_err(|source| Failure::Write { path: env::temp_dir(), source })?;
        run(case, folder.path())
    };
    std::thread::scope(|scope| {
        for _ in 0..available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(case) = cases.get(at) else { break };
                    let result = in_own_folder(case);
                    runs.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).insert(at, result);
                }
            });
        }
    });
    runs.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()).into_values().collect()
}

/// What came of all cases.
#[derive(Debug, Default, Serialize)]
struct Report {
    groups: BTreeMap<String, Group>,
    cases: Vec<Outcome>,
}

/// What came of the cases of a group.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    judged: bool,
    cases: usize,
    as_expected: usize,
    exceptions: usize,
    unexpected: usize,
    /// The longest processor time of a case, in milliseconds.
    longest_ms: u128,
}

/// What came of one case.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    id: String,
    expected: &'static str,
    answer: String,
    as_expected: bool,
    /// The clause of the standard that justifies another answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    exception: Option<String>,
    features: Vec<String>,
    cpu_ms: u128,
}

impl Report {
    /// Adds a case; the error is what is surprising about it.
    fn add(&mut self, case: &Case, run: &Run, exceptions: &Exceptions) -> Result<(), String> {
        let judged = is_judged(case);
        let judgement = exceptions.judge(case, &run.answer);
        let group = self.groups.entry(case.group().to_owned()).or_default();
        group.judged = judged;
        group.cases += 1;
        group.longest_ms = group.longest_ms.max(run.time.as_millis());
        match &judgement {
            Ok(None) => group.as_expected += 1,
            Ok(Some(_)) => group.exceptions += 1,
            Err(_) => group.unexpected += 1,
        }
        self.cases.push(Outcome {
            id: case.id.clone(),
            expected: match case.expected_result {
                Expected::Success => "accepted",
                Expected::Failure => "refused",
            },
            answer: run.answer.to_string(),
            as_expected: matches!(judgement, Ok(None)),
            exception: judgement.as_ref().ok().copied().flatten().map(|e| e.clause.clone()),
            features: case.features.clone(),
            cpu_ms: run.time.as_millis(),
        });
        match judgement {
            Err(problem) if judged || matches!(run.answer, Answer::Broken(_)) => Err(problem),
            _ => Ok(()),
        }
    }

    fn print(&self) {
        for case in &self.cases {
            if let Some(clause) = &case.exception {
                println!("exception: {}: {}: {clause}", case.id, case.answer);
            }
        }
        println!(
            "{:<14} {:>5} {:>11} {:>10} {:>10} {:>10}",
            "group", "cases", "as expected", "exceptions", "unexpected", "longest"
        );
        for (name, group) in &self.groups {
            println!(
                "{name:<14} {:>5} {:>11} {:>10} {:>10} {:>7} ms{}",
                group.cases,
                group.as_expected,
                group.exceptions,
                group.unexpected,
                group.longest_ms,
                if group.judged { "" } else { "  (not judged: about TLS clients)" }
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(answer: Answer) -> Run {
        Run { answer, time: Duration::from_millis(20) }
    }

    #[test]
    fn what_is_about_tls_clients_is_counted_and_not_judged_but_must_not_break() {
        let exceptions: Exceptions = toml::from_str("").unwrap();
        let mut report = Report::default();
        let web = Case::example("webpki::a::b", "SUCCESS");
        let refused = || ran(Answer::Refused("x".into()));
        assert!(report.add(&web, &refused(), &exceptions).is_ok());
        assert!(report.add(&web, &ran(Answer::Broken("x".into())), &exceptions).is_err());
        assert!(
            report.add(&Case::example("rfc5280::a", "SUCCESS"), &refused(), &exceptions).is_err()
        );
        let group = &report.groups["webpki"];
        assert_eq!((group.cases, group.unexpected, group.judged), (2, 2, false));
        assert_eq!(group.longest_ms, 20);
    }

    #[test]
    fn every_case_is_run_in_a_folder_of_its_own_and_keeps_its_place() {
        let cases: Vec<_> = (0..20).map(|n| Case::example(&format!("g::{n}"), "SUCCESS")).collect();
        let runs = run_all(&cases, |case, folder| {
            assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0);
            std::fs::write(folder.join("file"), "").unwrap();
            Ok(ran(Answer::Refused(case.id.clone())))
        });
        let answers: Vec<_> = runs.unwrap().into_iter().map(|run| run.answer).collect();
        let expected: Vec<_> = cases.iter().map(|c| Answer::Refused(c.id.clone())).collect();
        assert_eq!(answers, expected);
    }
}
