//! What the figures were measured on, and who else was at work there.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::available_parallelism;

use serde::{Deserialize, Serialize};

use super::peers::first_line;
use super::side::Bench;

/// The CPU's abilities that decide how fast hashes are.
const FLAGS: [&str; 7] = ["sha_ni", "avx2", "avx512f", "avx512bw", "avx512vl", "sha2", "sha512"];

/// How many processes that want to run make a machine a busy one, when a run begins.
const BUSY: f64 = 0.5;

/// The machine and the programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Machine {
    /// The CPU's model.
    pub(super) cpu: String,
    /// Its abilities that decide how fast hashes are.
    pub(super) flags: Vec<&'static str>,
    /// Cores that may be used.
    pub(super) cores: usize,
    /// Bytes of memory.
    pub(super) memory_bytes: u64,
    /// The kernel's release.
    pub(super) kernel: String,
    /// The type of the file system that the data are on.
    pub(super) file_system: String,
    /// What each program says of its version.
    pub(super) versions: Vec<String>,
    /// What `oms-appliance doctor` finds: the kernels and the reader that are used. Nothing, if the
    /// program has no such command.
    pub(super) doctor: Vec<Check>,
}

/// A check of `oms-appliance doctor`.
#[derive(Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(super) struct Check {
    pub(super) name: String,
    pub(super) state: String,
    pub(super) found: String,
}

impl Machine {
    /// Looks at this machine.
    pub(super) fn of(bench: &Bench<'_>) -> Machine {
        let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let known = field(&cpu, "flags").or_else(|| field(&cpu, "Features")).unwrap_or_default();
        let words: Vec<&str> = known.split_whitespace().collect();
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let kibibytes = field(&memory, "MemTotal").and_then(|text| {
            text.split_whitespace().next().and_then(|number| number.parse::<u64>().ok())
        });
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let ours = first_line(&bench.program, &["--version"]);
        Machine {
            cpu: field(&cpu, "model name").unwrap_or("unknown").to_owned(),
            flags: FLAGS.into_iter().filter(|flag| words.contains(flag)).collect(),
            cores: available_parallelism().map_or(1, usize::from),
            memory_bytes: kibibytes.unwrap_or(0).saturating_mul(1024),
            kernel: kernel.trim().to_owned(),
            file_system: file_system(&mounts, bench.folder.path()).unwrap_or("unknown").to_owned(),
            versions: ours.into_iter().chain(bench.peers.versions()).collect(),
            doctor: doctor(&bench.program),
        }
    }
}

/// What the program says about the machine.
fn doctor(program: &Path) -> Vec<Check> {
    let output = Command::new(program).args(["doctor", "--json"]).stdin(Stdio::null()).output();
    output.map(|output| checks(&output.stdout)).unwrap_or_default()
}

/// The checks in a document of `doctor --json`.
fn checks(document: &[u8]) -> Vec<Check> {
    #[derive(Deserialize)]
    struct Document {
        checks: Vec<Check>,
    }
    serde_json::from_slice(document).map_or_else(|_| Vec::new(), |read: Document| read.checks)
}

/// The text after `name` and a colon, on the first line that has it.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim())
    })
}

/// The type of the file system that `path` is on, by the lines of `mountinfo`: proc(5).
fn file_system<'a>(mounts: &'a str, path: &Path) -> Option<&'a str> {
    let mounts = mounts.lines().filter_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let place = before.split(' ').nth(4)?;
        let depth = Path::new(place).components().count();
        path.starts_with(place).then_some((depth, after.split(' ').next()?))
    });
    // Of two at one place the later one covers the other.
    mounts.max_by_key(|(depth, _)| *depth).map(|(_, kind)| kind)
}

/// Who else is at work.
pub(super) struct Noise {
    load: f64,
    ticks: Option<(u64, u64)>,
}

impl Noise {
    /// Looks before the first run.
    pub(super) fn begin() -> Noise {
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load = load.split(' ').next().and_then(|number| number.parse().ok());
        Noise { load: load.unwrap_or(0.0), ticks: ticks() }
    }

    /// Looks after the last run, and says what was seen.
    pub(super) fn end(self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.load > BUSY {
            notes.push(format!(
                "others were at work when this began (load {}): the figures are not those of a \
                 quiet machine",
                self.load
            ));
        }
        if let Some(((stolen, all), (stolen_after, all_after))) = self.ticks.zip(ticks()) {
            let share = stolen_after.saturating_sub(stolen) as f64
                / all_after.saturating_sub(all).max(1) as f64;
            if share > 0.01 {
                let percent = share * 100.0;
                notes.push(format!("the hypervisor took {percent:.0} % of the processor's time"));
            }
        }
        notes
    }
}

/// Ticks that the hypervisor took, and all ticks: proc_stat(5).
fn ticks() -> Option<(u64, u64)> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let cpu = stat.lines().next()?.strip_prefix("cpu ")?;
    // user nice system idle iowait irq softirq steal; guests are in user already.
    let numbers: Vec<u64> = cpu.split_whitespace().take(8).flat_map(str::parse).collect();
    Some((*numbers.get(7)?, numbers.iter().sum()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_system_is_that_of_the_deepest_mount() {
        let mounts = "1 0 8:1 / / rw - ext4 /dev/a rw\n\
                      2 1 8:2 / /data rw,noatime shared:1 - xfs /dev/b rw\n\
                      3 1 8:3 / /data2 rw - btrfs /dev/c rw\n";
        for (path, kind) in [("/data/bench", "xfs"), ("/data3", "ext4"), ("/data2", "btrfs")] {
            assert_eq!(file_system(mounts, Path::new(path)), Some(kind), "{path}");
        }
        assert_eq!(file_system("", Path::new("/")), None);
    }

    #[test]
    fn the_checks_of_doctor_are_read_and_what_is_none_is_nothing() {
        let document = br#"{"result":"ok","checks":[{"name":"reader","state":"warning",
            "found":"threads","remedy":"none"}]}"#;
        let [name, state, found] = ["reader", "warning", "threads"].map(str::to_owned);
        assert_eq!(checks(document), [Check { name, state, found }]);
        assert_eq!(checks(b"error: unrecognized subcommand"), []);
    }

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let text = "model\t\t: 2\nmodel name\t: A CPU\n";
        assert_eq!(field(text, "model name"), Some("A CPU"));
        assert_eq!(field(text, "flags"), None);
    }
}
