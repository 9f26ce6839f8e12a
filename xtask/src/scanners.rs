//! `cargo xtask scanners`: shows the hostile models of the corpus, and their twins, to other scanners
//! of models, and says what each thinks of them beside what we do.
//!
//! ```text
//!   oms-corpus ─▶ target/scanned/CASE/{hostile,twin}/... ─▶ scan.py, one process per file ─▶ words
//!        └─▶ the widest rules ─────────────────────────────────────────────────▶ ours ─▶ table
//! ```
//!
//! Other scanners look at what runs code when it is loaded, mostly at pickles; most of the corpus is
//! not theirs. What counts is what they catch and we let through: that is a failure.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use oms_corpus::{Case, File, Rules};
use oms_testkit::files;
use oms_testkit::run::target;

use crate::environment;
use crate::failure::{Failure, Finding};

/// What is installed. `fickling` needs typing_extensions and does not ask for it; `modelscan` uses
/// what later versions of NumPy do not have. Without TensorFlow, which is half a gigabyte, it looks at
/// no SavedModel and at no Keras zip.
const PACKAGES: [&str; 5] = [
    "picklescan==1.0.5",
    "modelscan[h5py]==0.8.8",
    "fickling==0.1.12",
    "numpy==2.2.6",
    "typing_extensions==4.16.0",
];
const SCANNERS: [&str; 3] = ["picklescan", "modelscan", "fickling"];
const SCRIPT: &str = include_str!("scanners/scan.py");

/// What a scanner says of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Word {
    /// It looks at no file of the model.
    None,
    /// It finds nothing in the files that it looks at.
    Missed,
    /// It fails at one of them.
    Error,
    /// It finds something in one of them.
    Caught,
}

impl Word {
    fn read(word: &str) -> Word {
        match word {
            "caught" => Word::Caught,
            "missed" => Word::Missed,
            "none" => Word::None,
            _ => Word::Error,
        }
    }

    fn shown(self) -> &'static str {
        match self {
            Word::None => "-",
            Word::Missed => "missed",
            Word::Error => "error",
            Word::Caught => "caught",
        }
    }
}

/// A model, what we say of it, and what the scanners do.
struct Judged {
    name: &'static str,
    /// The codes of our refusal, without `content.`; none when it passes.
    ours: Vec<String>,
    /// In the order of [`SCANNERS`].
    words: Vec<Word>,
}

/// Shows everything to everybody, and prints the table.
pub(crate) fn run() -> Result<(), Failure> {
    let environment = environment::install("scanners", &PACKAGES)?;
    let cases = oms_corpus::cases();
    let hostile = judge(&environment, &cases, "hostile", |case| &case.files)?;
    let twins = judge(&environment, &cases, "twin", |case| &case.twin)?;
    print(&hostile, &twins);

    let passed = hostile.iter().filter(|model| model.ours.is_empty());
    let findings = passed.map(|model| {
        let caught = SCANNERS.iter().zip(&model.words).filter(|(_, word)| **word == Word::Caught);
        let by: Vec<&str> = caught.map(|(name, _)| *name).collect();
        let by = if by.is_empty() { "nobody".to_owned() } else { by.join(" and ") };
        Finding::new(model.name, format!("is hostile and passes; caught by {by}"))
    });
    Finding::none_in("scanners", findings.collect())
}

/// Writes the models that `files` takes from the cases, and asks everybody.
fn judge(
    environment: &Path,
    cases: &[Case],
    which: &str,
    files: impl Fn(&Case) -> &Vec<File>,
) -> Result<Vec<Judged>, Failure> {
    let rules = Rules::widest().map_err(|error| Failure::Corpus { what: error.to_string() })?;
    let mut judged = Vec::new();
    let mut paths = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let folder = target().join("scanned").join(case.name).join(which);
        for (path, bytes) in files(case) {
            paths.push((number, write(&folder, path, bytes)?));
        }
        let refusals = rules.refusals(files(case));
        let refusals = refusals.map_err(|error| Failure::Corpus { what: error.to_string() })?;
        let mut ours: Vec<String> = refusals.into_iter().map(|(code, _)| code).collect();
        ours.dedup();
        judged.push(Judged { name: case.name, ours, words: Vec::new() });
    }
    let all: Vec<&Path> = paths.iter().map(|(_, path)| path.as_path()).collect();
    for scanner in SCANNERS {
        let mut words = vec![Word::None; cases.len()];
        for ((number, _), word) in paths.iter().zip(ask(environment, scanner, &all)?) {
            if let Some(most) = words.get_mut(*number) {
                *most = word.max(*most);
            }
        }
        for (model, word) in judged.iter_mut().zip(words) {
            model.words.push(word);
        }
    }
    Ok(judged)
}

fn write(folder: &Path, path: &str, bytes: &[u8]) -> Result<PathBuf, Failure> {
    let path = folder.join(path);
    files::folder(path.parent().unwrap_or(folder));
    match fs::write(&path, bytes) {
        Ok(()) => Ok(path),
        Err(source) => Err(Failure::Write { path, source }),
    }
}

/// What a scanner says of each file.
fn ask(environment: &Path, scanner: &str, paths: &[&Path]) -> Result<Vec<Word>, Failure> {
    let command = || format!("{scanner} in {}", environment.display());
    let spawn = |source| Failure::Spawn { command: command(), source };
    let mut child = Command::new(environment.join("bin/python"))
        .args(["-I", "-c", SCRIPT, scanner])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(spawn)?;
    let input = serde_json::json!(paths).to_string();
    // The script reads all of its input before it says anything, so this cannot block.
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes()).map_err(spawn)?;
    }
    let output = child.wait_with_output().map_err(spawn)?;
    let words: Vec<String> = serde_json::from_slice(&output.stdout).unwrap_or_default();
    if words.len() != paths.len() {
        return Err(Failure::Exit { command: command(), status: output.status });
    }
    Ok(words.iter().map(|word| Word::read(word)).collect())
}

/// The table, and how often each scanner says what.
fn print(hostile: &[Judged], twins: &[Judged]) {
    let line = |name: &str, ours: &str, words: &[String]| {
        let words: String = words.iter().map(|word| format!(" {word:>10}")).collect();
        println!("{name:<64} {ours:<18}{words}");
    };
    line("hostile model", "oms-appliance", &SCANNERS.map(str::to_owned));
    for model in hostile {
        let words: Vec<String> = model.words.iter().map(|word| word.shown().to_owned()).collect();
        line(model.name, model.ours.first().map_or("PASSED", String::as_str), &words);
    }
    println!();
    let count = |models: &[Judged], word: Word| -> Vec<String> {
        let said =
            |at: usize| models.iter().filter(|model| model.words.get(at) == Some(&word)).count();
        (0..SCANNERS.len()).map(|at| said(at).to_string()).collect()
    };
    let refused = |models: &[Judged]| {
        let refused = models.iter().filter(|model| !model.ours.is_empty()).count();
        (refused.to_string(), (models.len() - refused).to_string())
    };
    let (caught, missed) = refused(hostile);
    line(&format!("of {} hostile: caught", hostile.len()), &caught, &count(hostile, Word::Caught));
    line("  missed", &missed, &count(hostile, Word::Missed));
    line("  failed at", "0", &count(hostile, Word::Error));
    line("  not looked at", "0", &count(hostile, Word::None));
    let (alarms, _) = refused(twins);
    line(&format!("of {} twins: false alarms", twins.len()), &alarms, &count(twins, Word::Caught));
    line("  failed at", "0", &count(twins, Word::Error));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_caught_when_one_of_its_files_is() {
        let words = ["none", "missed", "error", "caught"].map(Word::read);
        assert_eq!(words, [Word::None, Word::Missed, Word::Error, Word::Caught]);
        assert!(words.is_sorted());
        assert_eq!(Word::read(""), Word::Error);
    }
}
