//! The report for people.

use std::fmt::Write as _;

use super::memory::{LIMIT, Peak};
use super::report::Report;
use super::rounds::{Comparison, Goal, Outcome, SideOutcome};
use super::size::Size;

/// How much larger the larger model's peak may be and still be called the same.
const FLAT: f64 = 1.25;

/// The whole report.
pub(super) fn text(report: &Report) -> String {
    let mut text = String::new();
    let machine = &report.machine;
    let memory = machine.memory_bytes >> 30;
    let _ = writeln!(
        text,
        "{}, {} cores ({}), {memory} GiB, Linux {}, {}",
        machine.cpu,
        machine.cores,
        machine.flags.join(" "),
        machine.kernel,
        machine.file_system
    );
    let _ = writeln!(text, "{}", machine.versions.join("; "));
    for check in &machine.doctor {
        let _ = writeln!(text, "  {:<14} {}: {}", check.name, check.state, check.found);
    }
    for outcome in &report.workloads {
        text.push_str(&contest(outcome));
    }
    if !report.memory.is_empty() {
        text.push_str(&memory_table(&report.memory));
    }
    let _ = writeln!(
        text,
        "\nMedians of {} runs of each side, in turn; the range is from the shortest to the longest.",
        report.rounds
    );
    for note in &report.notes {
        let _ = writeln!(text, "Note: {note}.");
    }
    text
}

fn contest(outcome: &Outcome) -> String {
    let rate = outcome.bytes as f64 / 1e9 / outcome.ours.time.median;
    let mut text = format!("\n{}  [{}; {rate:.2} GB/s]\n", outcome.what, outcome.name);
    let _ = writeln!(
        text,
        "  {:<32} {:>9}  {:>19} {:>9} {:>9}  ours is",
        "", "median", "range", "processor", "peak"
    );
    text.push_str(&side(&outcome.ours));
    text.push('\n');
    for other in &outcome.others {
        text.push_str(&side(&other.side));
        let _ = writeln!(text, "  {}", judged(other));
    }
    text
}

fn side(side: &SideOutcome) -> String {
    let range = format!("{:.3} .. {:.3} s", side.time.least, side.time.most);
    let peak = side.peak_bytes.map_or_else(|| "-".to_owned(), mebibytes);
    format!(
        "  {:<32} {:>7.3} s  {range:>19} {:>7.2} s {peak:>9}",
        side.name, side.time.median, side.processor.median
    )
}

/// How ours compares, and whether that is enough.
fn judged(comparison: &Comparison) -> String {
    let ratio = format!("{:.2} times as fast", comparison.ratio);
    match comparison.goal {
        None => ratio,
        Some(Goal { least, reached: true }) => format!("{ratio} (at least {least:.2}: reached)"),
        Some(Goal { least, reached: false }) => {
            format!("{ratio} (at least {least:.2}: NOT REACHED)")
        }
    }
}

fn memory_table(peaks: &[Peak]) -> String {
    let mut text =
        "\nPeak memory of verify, one sparse file in shards of 64 MiB  [memory]\n".to_owned();
    for peak in peaks {
        let _ = writeln!(
            text,
            "  model of {:<10} {:>9} {:>9.2} s",
            Size(peak.model_bytes).to_string(),
            mebibytes(peak.peak_bytes),
            peak.seconds
        );
    }
    let most = peaks.iter().map(|peak| peak.peak_bytes).max().unwrap_or(0);
    let least = peaks.iter().map(|peak| peak.peak_bytes).min().unwrap_or(0);
    let word = |fact| if fact { "reached" } else { "NOT REACHED" };
    let _ = writeln!(text, "  at most {}: {}", mebibytes(LIMIT), word(most <= LIMIT));
    let flat = most as f64 <= least as f64 * FLAT;
    let _ = writeln!(text, "  the same for both, within a quarter: {}", word(flat));
    text
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}
