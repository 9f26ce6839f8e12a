//! `cargo xtask bench`: the appliance beside the programs that people use today, on the workloads
//! of the design.
//!
//! ```text
//!  workloads ──build──▶ Work: data, our side, the others' sides
//!                         │ rounds: one run that warms, proves and watches memory; then in turn
//!                         ▼
//!                       Result ──report──▶ table, JSON
//! ```
//!
//! Every side must accept what is good and notice a flipped bit, so that nothing that does no work
//! can win. Both sides run on the same bytes, one directly after the other, in changing order.

mod data;
mod figures;
mod folder;
mod machine;
mod memory;
mod peers;
mod process;
mod report;
mod rounds;
mod scene;
mod side;
mod size;
mod table;
mod workloads;

use std::path::PathBuf;

use oms_testkit::run::target;

use self::folder::Folder;
use self::machine::{Machine, Noise};
use self::peers::Peers;
use self::report::Report;
use self::side::Bench;
use self::size::Size;
use self::workloads::{Built, Kind};
use crate::failure::Failure;
use crate::process::{cargo, run as run_command};
use crate::setup;

/// What is run, and how large.
#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    /// Run only these workloads (repeatable) [default: all but the million ones]
    #[arg(long, value_name = "NAME", num_args = 1.., value_parser = workloads::names())]
    only: Vec<String>,
    /// Timed runs of each side, after one that is not timed
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Bytes of each large model
    #[arg(long, value_name = "SIZE", default_value = "2GiB")]
    size: Size,
    /// Files of 4 KiB in the model of many files; million has ten times as many
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    files: u64,
    /// Bytes of the largest model whose peak memory is watched; its file is sparse
    #[arg(long, value_name = "SIZE", default_value = "64GiB")]
    memory_size: Size,
    /// The folder for the data [default: bench in the target folder, which is emptied]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Measure this program, instead of building oms-appliance with optimisation
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Leave out Python's model_signing
    #[arg(long)]
    skip_python: bool,
    /// Leave out b3sum, which is otherwise installed from crates.io where it is missing
    #[arg(long)]
    skip_b3sum: bool,
    /// Print one JSON document instead of the table
    #[arg(long)]
    json: bool,
    /// Run the criterion benches of the hash kernels instead
    #[arg(long)]
    kernels: bool,
}

/// Builds, measures and prints. A ratio that is not reached is printed as that and is no failure;
/// a side that does not do its work is one.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    if options.kernels {
        return run_command(&mut cargo(&["bench", "--locked", "--package", "oms-sys"]));
    }
    measure(options)?.print(options.json)
}

fn measure(options: &Options) -> Result<Report, Failure> {
    let chosen = workloads::chosen(&options.only);
    let folder = Folder::new(options.dir.as_deref())?;
    folder.check_room(chosen.iter().map(|workload| (workload.space)(options)).max())?;
    setup::run()?;
    let program = options.program.clone().map_or_else(built, Ok)?;
    let peers = Peers::find(options)?;
    let bench = Bench { options, folder: &folder, program, peers };

    let machine = Machine::of(&bench);
    let noise = Noise::begin();
    let (mut outcomes, mut memory, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
    for workload in chosen {
        eprintln!("bench: {}", workload.name);
        match workload.kind {
            Kind::Contest(build) => match build(&bench)? {
                Built::Ready(work) => outcomes.push(rounds::run(*work, options)?),
                Built::LeftOut(why) => {
                    left_out.push(format!("{} was left out: {why}", workload.name));
                }
            },
            Kind::Memory => memory = memory::run(&bench)?,
        }
    }
    let notes = noise.end().into_iter().chain(left_out).collect();
    Ok(Report { machine, rounds: options.rounds, workloads: outcomes, memory, notes })
}

/// Builds the appliance as it is shipped.
fn built() -> Result<PathBuf, Failure> {
    let build = ["build", "--locked", "--release", "--package", "oms-station"];
    run_command(&mut cargo(&[&build[..], &["--bin", "oms-appliance"]].concat()))?;
    Ok(target().join("release/oms-appliance"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    /// Every workload that needs neither Python nor b3sum, as small as it can be.
    #[test]
    fn a_small_run_has_every_figure_and_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let program = oms_testkit::run::binary("oms-appliance");
        let words = ["bench", "--rounds", "1", "--size", "1MiB", "--files", "50"];
        let paths = ["--program", program.to_str().unwrap(), "--dir", dir.path().to_str().unwrap()];
        let rest = ["--memory-size", "8MiB", "--skip-python", "--skip-b3sum", "--only"];
        let names = workloads::names().into_iter().filter(|name| {
            // It drops the page cache of the whole machine; and these are large.
            !["ingest-cold", "million"].contains(name)
        });
        let line = words.into_iter().chain(paths).chain(rest).chain(names);
        let options = Line::parse_from(line).options;

        let report = measure(&options).unwrap();
        let text = table::text(&report);
        for outcome in &report.workloads {
            assert!(outcome.ours.time.median > 0.0 && outcome.ours.peak_bytes.is_some(), "{text}");
            assert!(text.contains(&format!("[{};", outcome.name)), "{text}");
        }
        let compared = report.workloads.iter().map(|outcome| outcome.others.len()).sum::<usize>();
        assert!(compared >= 6 && report.memory.len() == 1, "{text}");
        report.print(true).unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
