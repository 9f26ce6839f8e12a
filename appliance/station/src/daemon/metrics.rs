//! The metrics: a text file that Prometheus' node exporter collects, replaced as a whole.

use std::fmt::{Display, Write as _};
use std::io;
use std::path::Path;

use super::board::{Board, Facts};
use super::status::State;
use crate::config::Config;
use crate::journal;

/// Others may read it.
const MODE: u32 = 0o644;

/// Writes the metrics of `board` to `path`.
///
/// # Errors
/// When it cannot be written.
pub(super) fn write(path: &Path, board: &Board, config: &Config) -> io::Result<()> {
    let record = config.state.join(journal::FILE);
    let journal = std::fs::metadata(record).map(|file| file.len()).ok();
    let text = text(&board.facts(), board.since().0, journal);
    oms_sys::durable::replace(path, text.as_bytes(), MODE)
}

/// The exposition format of Prometheus, version 0.0.4.
fn text(facts: &Facts, since: i64, journal: Option<u64>) -> String {
    let counts = &facts.counts;
    let is_fit = matches!(facts.state, State::Waiting | State::Serving);
    let is_away = facts.why.iter().any(|reason| reason.code.id().starts_with("hsm."));
    let mut text = String::new();
    let mut one = |name: &str, kind: &str, help: &str, values: &[(&str, &dyn Display)]| {
        let _ = writeln!(text, "# HELP oms_appliance_{name} {help}");
        let _ = writeln!(text, "# TYPE oms_appliance_{name} {kind}");
        for (labels, value) in values {
            let _ = writeln!(text, "oms_appliance_{name}{labels} {value}");
        }
    };
    let results: [(&str, &dyn Display); 3] = [
        ("{result=\"passed\"}", &counts.passed),
        ("{result=\"refused\"}", &counts.refused),
        ("{result=\"undecided\"}", &counts.undecided),
    ];
    one("models_total", "counter", "Models by result.", &results);
    let reasons: Vec<(String, u64)> = counts
        .reasons
        .iter()
        .map(|(code, count)| (format!("{{code=\"{code}\"}}"), *count))
        .collect();
    let reasons: Vec<(&str, &dyn Display)> =
        reasons.iter().map(|(label, count)| (label.as_str(), count as &dyn Display)).collect();
    one("reasons_total", "counter", "Reasons by code.", &reasons);
    let plain: [(&str, &str, &str, &dyn Display); 9] = [
        ("carriers_total", "counter", "Carriers that were released.", &counts.carriers),
        ("bytes_total", "counter", "Bytes read of models that were decided about.", &counts.bytes),
        ("reading_seconds_total", "counter", "Seconds of reading them.", &counts.seconds),
        (
            "failures_total",
            "counter",
            "Times that the station had to be opened anew.",
            &counts.failures,
        ),
        ("queue", "gauge", "Carriers that wait.", &facts.waiting()),
        ("fit", "gauge", "Whether carriers are served.", &u8::from(is_fit)),
        ("hsm_up", "gauge", "Whether the keys are at hand.", &u8::from(is_fit && !is_away)),
        ("start_time_seconds", "gauge", "When the daemon was started.", &since),
        (
            "serving",
            "gauge",
            "Carriers that are served now.",
            &u8::from(facts.state == State::Serving),
        ),
    ];
    for (name, kind, help, value) in plain {
        one(name, kind, help, &[("", value)]);
    }
    if let Some(time) = counts.last_success {
        one(
            "last_success_time_seconds",
            "gauge",
            "When a verdict was published last.",
            &[("", &time.0)],
        );
    }
    if let Some(bytes) = journal {
        one("journal_bytes", "gauge", "The size of the record.", &[("", &bytes)]);
    }
    if let Some(bytes) = facts.health.free_bytes {
        one("free_bytes", "gauge", "Bytes that are free in the spool.", &[("", &bytes)]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use oms_verify::reason::{Code, Reason};

    #[test]
    fn every_line_is_of_the_format() {
        let board = Board::new("urn:x");
        let mut facts = board.facts();
        facts.state = State::Unfit;
        facts.why = vec![Reason::new(Code::HsmToken, "away")];
        facts.blame("x", &[Reason::new(Code::BundleMissing, "none")]);
        facts.counts.passed = 2;
        let text = text(&facts, 1, Some(4096));
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (name, value) = line.rsplit_once(' ').unwrap();
            assert!(name.starts_with("oms_appliance_"), "{line}");
            assert!(value.parse::<f64>().is_ok(), "{line}");
        }
        for line in [
            "oms_appliance_models_total{result=\"passed\"} 2",
            "oms_appliance_reasons_total{code=\"bundle.missing\"} 1",
            "oms_appliance_fit 0",
            "oms_appliance_hsm_up 0",
            "oms_appliance_journal_bytes 4096",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
    }
}
