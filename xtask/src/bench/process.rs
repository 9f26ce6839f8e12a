//! One run of a program: its time, how it ended, what it said, and the memory it had.

use std::fs::{self, File};
use std::io::{Read, Seek};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use oms_testkit::peak::{Peak, Watch};
use rustix::io::Errno;
use rustix::process::{Pid, WaitId, WaitIdOptions};

use crate::failure::Failure;

/// How often the memory of a process is looked at. The kernel keeps the largest value, so only
/// what is taken in the last moment before the end can be missed.
const GLANCE: Duration = Duration::from_millis(5);

/// A run that came to its end.
pub(super) struct Ran {
    /// Seconds from start to end.
    pub(super) seconds: f64,
    /// Seconds of processor time of the program and of those that it ran, in steps of 10 ms.
    pub(super) processor: f64,
    /// The exit code; none when a signal ended it.
    pub(super) code: Option<i32>,
    /// Standard output.
    pub(super) stdout: Vec<u8>,
    /// Standard error.
    pub(super) stderr: String,
    /// The most memory of it and of what it started, where it was watched.
    pub(super) peak: Option<Peak>,
}

/// Runs a command and takes its time.
pub(super) fn timed(command: &mut Command) -> Result<Ran, Failure> {
    run(command, false)
}

/// Runs a command and watches its memory, which costs it a little time.
pub(super) fn watched(command: &mut Command) -> Result<Ran, Failure> {
    run(command, true)
}

fn run(command: &mut Command, watch: bool) -> Result<Ran, Failure> {
    let name = command.get_program().to_string_lossy().into_owned();
    let failed = |source| Failure::Spawn { command: name.clone(), source };
    // To files, so that no program waits for this one to read.
    let [mut stdout, mut stderr] =
        [tempfile::tempfile().map_err(failed)?, tempfile::tempfile().map_err(failed)?];
    let copy = |file: &File| file.try_clone().map(Stdio::from).map_err(failed);
    command.stdin(Stdio::null()).stdout(copy(&stdout)?).stderr(copy(&stderr)?);
    let start = Instant::now();
    let mut child = command.spawn().map_err(failed)?;
    let peak = if watch { highest(&child) } else { None };
    // It ends here, and stays until its processor time is read.
    let left = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    let process = Pid::from_child(&child);
    while rustix::process::waitid(WaitId::Pid(process), left).err() == Some(Errno::INTR) {}
    let seconds = start.elapsed().as_secs_f64();
    let processor = processor_time(child.id()).unwrap_or(f64::NAN);
    let status = child.wait().map_err(failed)?;
    let said = |file: &mut File| -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        file.rewind()?;
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    Ok(Ran {
        seconds,
        processor,
        code: status.code(),
        stdout: said(&mut stdout).map_err(failed)?,
        stderr: String::from_utf8_lossy(&said(&mut stderr).map_err(failed)?).into_owned(),
        peak,
    })
}

/// The most memory of a process and of what it starts, until it ends.
fn highest(child: &Child) -> Option<Peak> {
    let mut watch = Watch::of(child.id());
    while watch.look() {
        thread::sleep(GLANCE);
    }
    Some(watch.peak()).filter(|peak| peak.largest > 0)
}

/// The processor time of a process that has ended, and of those that it waited for, in seconds.
fn processor_time(process: u32) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The second field is a name in brackets, which may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    // utime, stime, cutime and cstime: the fields 14 to 17 of proc(5), in ticks.
    let ticks: u64 = fields.split_whitespace().skip(11).take(4).flat_map(str::parse::<u64>).sum();
    Some(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_has_its_code_output_and_peak() {
        let ran =
            watched(Command::new("sh").args(["-c", "echo out; echo err >&2; sleep 0.2; exit 3"]));
        let ran = ran.unwrap();
        assert_eq!((ran.code, &ran.stdout[..], &ran.stderr[..]), (Some(3), &b"out\n"[..], "err\n"));
        assert!(ran.peak.is_some_and(|peak| peak.largest > 100_000), "{:?}", ran.peak);
        assert!(ran.seconds > 0.19 && ran.processor < 10.0, "{}", ran.processor);
        let killed = timed(Command::new("sh").args(["-c", "kill -9 $$"])).unwrap();
        assert_eq!(killed.code, None);
    }
}
