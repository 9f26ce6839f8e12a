//! What any command needs of the machine: right digests, a way to read, memory, a sandbox.

use std::time::{Duration, Instant};

use oms_sys::ring::{self, NoUring, Ring};
use oms_sys::sha256::{KernelStatus, Lanes, Status, Unusable};
use oms_verify::hash::HashAlgorithm;
use oms_verify::known_answers;
use oms_verify::reason::Code;
use rustix::process::{Resource, geteuid, getrlimit};

use super::Check;
use crate::intake::{Reader, Settings, wrong_algorithms};
use crate::process::{Role, spawn};

/// How long the processes that are tried may take to begin.
const BEGINNING: Duration = Duration::from_secs(30);

const TESTED: &str =
    "Have the processor and the memory of this machine tested, and install the program again.";

/// Every check of the machine, for reading with these settings.
pub fn checks(settings: Settings) -> Vec<Check> {
    let lanes = Lanes::of_this_machine().map(Lanes::report);
    let huge = std::fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled");
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    vec![
        sha256(lanes),
        algorithms(&known_answers::wrong(), &wrong_algorithms()),
        reader(settings.reader),
        locked_memory(settings, getrlimit(Resource::Memlock).current, geteuid().is_root()),
        huge_pages(huge.ok().as_deref()),
        memory_is_there(settings, available(&memory)),
        sandbox(),
    ]
}

/// Every kernel gave the right answers when the program started.
fn sha256(report: Result<Vec<KernelStatus>, Unusable>) -> Check {
    const NAME: &str = "sha256";
    let report = match report {
        Ok(report) => report,
        Err(fault) => return Check::failed(NAME, fault.to_string(), TESTED),
    };
    let word = |status| match status {
        Status::Used => "used",
        Status::Spare => "right, not needed",
        Status::NotOnThisCpu => "not on this CPU",
        Status::Failed => "WRONG ANSWERS, not used",
    };
    let kernels: Vec<String> =
        report.iter().map(|of| format!("{}: {}", of.kernel.name(), word(of.status))).collect();
    let found = kernels.join("; ");
    if report.iter().any(|of| of.status == Status::Failed) {
        return Check::failed(NAME, found, TESTED);
    }
    Check::ok(NAME, found)
}

/// Every signature and every digest is what it is known to be.
fn algorithms(signatures: &[&str], hashes: &[HashAlgorithm]) -> Check {
    const NAME: &str = "algorithms";
    let hashes: Vec<&str> = hashes.iter().map(|hash| hash.name()).collect();
    let wrong = [signatures, &hashes].concat();
    if wrong.is_empty() {
        let all = HashAlgorithm::ALL.iter().map(|hash| hash.name());
        let all: Vec<&str> = known_answers::names().chain(all).collect();
        return Check::ok(NAME, format!("{}: right", all.join(", ")));
    }
    Check::failed(NAME, format!("{}: WRONG ANSWERS", wrong.join(", ")), TESTED)
}

/// What reads, and why.
fn reader(wanted: Reader) -> Check {
    const NAME: &str = "reader";
    let reader = match wanted {
        Reader::Auto => ring::Reader::Auto,
        Reader::IoUring => ring::Reader::IoUring,
        Reader::Threads => ring::Reader::Threads,
    };
    let probe = ring::Settings { reader, buffers: 1, buffer_bytes: 4096 };
    let ring = match Ring::new(&probe) {
        Ok((ring, _)) => ring,
        Err(error) => {
            let remedy = "Set the reader to auto, or let the kernel offer io_uring.";
            return Check::failed(NAME, error.to_string(), remedy);
        }
    };
    let report = ring.report();
    match report.reason {
        None => Check::ok(NAME, report.reader.to_string()),
        Some(NoUring::NotWanted) => Check::ok(NAME, format!("{}, as configured", report.reader)),
        Some(reason) => {
            let remedy = "Reading works and is slower. To have io_uring, set \
                          kernel.io_uring_disabled = 0 and allow its system calls.";
            Check::warning(NAME, format!("{}, since {reason}", report.reader), remedy)
        }
    }
}

/// Buffers that the kernel knows beforehand count as locked memory of who is not root.
fn locked_memory(settings: Settings, limit: Option<u64>, root: bool) -> Check {
    const NAME: &str = "locked-memory";
    let needed = settings.memory.bytes();
    match limit {
        _ if root => Check::ok(NAME, "no limit for root"),
        None => Check::ok(NAME, "no limit"),
        Some(limit) if limit >= needed => Check::ok(NAME, format!("{limit} bytes")),
        Some(limit) => Check::warning(
            NAME,
            format!("{limit} bytes are less than the {needed} bytes of buffers"),
            "Reading works and is a little slower. Raise the limit (ulimit -l, LimitMEMLOCK=), or \
             set less memory.",
        ),
    }
}

/// Buffers in huge pages spare the processor work.
fn huge_pages(enabled: Option<&str>) -> Check {
    const NAME: &str = "huge-pages";
    let chosen = enabled.and_then(|text| text.split(['[', ']']).nth(1));
    match chosen {
        Some(chosen @ ("always" | "madvise")) => Check::ok(NAME, chosen),
        other => Check::warning(
            NAME,
            other.unwrap_or("this kernel has none"),
            "Reading works and is a little slower. Set \
             /sys/kernel/mm/transparent_hugepage/enabled to madvise.",
        ),
    }
}

/// The buffers fit into the memory that is free.
fn memory_is_there(settings: Settings, available: Option<u64>) -> Check {
    const NAME: &str = "memory";
    let needed = settings.memory.bytes();
    match available {
        None => Check::warning(
            NAME,
            format!("{needed} bytes for buffers; the kernel does not say what is free"),
            "Make /proc/meminfo readable to the station.",
        ),
        Some(free) if free < needed => Check::failed(
            NAME,
            format!("{needed} bytes for buffers, {free} bytes are free"),
            "Set less memory, or end other programs.",
        ),
        Some(free) => Check::ok(NAME, format!("{needed} bytes for buffers, {free} bytes are free")),
    }
}

/// A process of each role can be confined, which is tried with real ones.
fn sandbox() -> Check {
    const NAME: &str = "sandbox";
    let now = Instant::now();
    let deadline = now.checked_add(BEGINNING).unwrap_or(now);
    let mut found = Vec::new();
    for role in Role::ALL {
        match spawn(role, &[], None, deadline) {
            Ok(started) => found.push(started.sandbox.unwrap_or_default()),
            Err(error) => {
                return Check::failed(NAME, error.to_string(), Code::StationProcess.remedy());
            }
        }
    }
    // The mounter's is another, since Landlock forbids to mount.
    Check::ok(NAME, found.pop().unwrap_or_default())
}

/// Bytes that `/proc/meminfo` calls available.
fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;
    use oms_sys::sha256::Kernel;

    #[test]
    fn a_kernel_that_is_wrong_is_named() {
        let of = |kernel, status| KernelStatus { kernel, status };
        let report = vec![of(Kernel::Single, Status::Used), of(Kernel::Assembly, Status::Spare)];
        let check = sha256(Ok(report));
        assert_eq!(check.state, State::Ok);
        assert_eq!(check.found, "single: used; assembly: right, not needed");
        let report = vec![of(Kernel::Single, Status::Used), of(Kernel::Avx2x8, Status::Failed)];
        let check = sha256(Ok(report));
        assert_eq!(check.state, State::Failed);
        assert!(check.found.contains("avx2-x8: WRONG ANSWERS"), "{check:?}");
        assert_eq!(sha256(Err(Unusable)).state, State::Failed);
    }

    #[test]
    fn an_algorithm_that_is_wrong_is_named() {
        let check = algorithms(&[], &[]);
        assert_eq!(check.state, State::Ok);
        assert!(check.found.contains("P-256") && check.found.contains("blake3"), "{check:?}");
        for (signatures, hashes, found) in [
            (&["P-384"][..], &[][..], "P-384: WRONG ANSWERS"),
            (&[][..], &[HashAlgorithm::Blake2b][..], "blake2b: WRONG ANSWERS"),
        ] {
            let check = algorithms(signatures, hashes);
            assert_eq!((check.state, check.found.as_str()), (State::Failed, found));
        }
    }

    #[test]
    fn threads_are_fine_when_they_were_asked_for() {
        let check = reader(Reader::Threads);
        assert_eq!((check.state, check.found.as_str()), (State::Ok, "threads, as configured"));
    }

    #[test]
    fn less_memory_than_is_needed_is_told() {
        let plain = Settings::default();
        let state = |limit, root| locked_memory(plain, limit, root).state;
        assert_eq!(state(Some(8 << 20), false), State::Warning);
        assert_eq!(state(Some(64 << 20), false), State::Ok);
        assert_eq!(state(None, false), State::Ok);
        assert_eq!(state(Some(8 << 20), true), State::Ok);
        let state = |free| memory_is_there(plain, free).state;
        assert_eq!(state(Some(1 << 20)), State::Failed);
        assert_eq!(state(Some(64 << 20)), State::Ok);
        assert_eq!(state(None), State::Warning);
        let text = "MemTotal:  10 kB\nMemAvailable:       7 kB\n";
        assert_eq!((available(text), available("MemTotal: 1 kB\n")), (Some(7168), None));
    }

    #[test]
    fn huge_pages_may_be_off() {
        assert_eq!(huge_pages(Some("always [madvise] never\n")).state, State::Ok);
        assert_eq!(huge_pages(Some("always madvise [never]\n")).state, State::Warning);
        assert_eq!(huge_pages(None).state, State::Warning);
    }
}
