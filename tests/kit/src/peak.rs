//! The memory of a program and of the processes that it starts, watched from outside.

use std::collections::BTreeMap;
use std::fs;

/// The most memory that was seen, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Peak {
    /// The largest resident set that one of the processes ever had (`VmHWM`).
    pub largest: u64,
    /// The most that all had at one time of memory that is no file's: what they pass one another is
    /// counted in each.
    pub together: u64,
}

/// Watches a process and all that descend from it.
#[derive(Debug)]
pub struct Watch {
    process: u32,
    peak: Peak,
}

/// What `/proc` says of a process.
struct Seen {
    parent: u32,
    command: Vec<u8>,
}

impl Peak {
    /// The larger of both: the memory that the machine must have.
    pub fn most(self) -> u64 {
        self.largest.max(self.together)
    }
}

impl Watch {
    /// Watches this process.
    pub fn of(process: u32) -> Watch {
        Watch { process, peak: Peak::default() }
    }

    /// Looks once. Gives whether the process still has memory: one that has ended has none, though
    /// nobody has waited for it.
    pub fn look(&mut self) -> bool {
        let all = processes();
        let mut together = 0;
        let mut is_there = false;
        for (process, seen) in &all {
            let own = *process == self.process;
            // Between its start and its own program, a process shows the memory of its parent.
            let is_begun = own || all.get(&seen.parent).is_none_or(|it| it.command != seen.command);
            if !is_begun || !descends(*process, self.process, &all) {
                continue;
            }
            let Some(memory) = Memory::of(*process) else { continue };
            is_there |= own;
            self.peak.largest = self.peak.largest.max(memory.highest);
            together += memory.private;
        }
        self.peak.together = self.peak.together.max(together);
        is_there
    }

    /// The most that was seen so far. What a process takes in the last moment of its life can be
    /// missed.
    pub fn peak(&self) -> Peak {
        self.peak
    }
}

fn processes() -> BTreeMap<u32, Seen> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let seen = numbers.filter_map(|process| {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        // The second field is a name in brackets, which may hold anything.
        let (_, fields) = stat.rsplit_once(')')?;
        let parent = fields.split_whitespace().nth(1)?.parse().ok()?;
        let command = fs::read(format!("/proc/{process}/cmdline")).ok()?;
        Some((process, Seen { parent, command }))
    });
    seen.collect()
}

fn descends(process: u32, from: u32, all: &BTreeMap<u32, Seen>) -> bool {
    let mut next = Some(process);
    // No more steps than processes, whatever changed while they were read.
    for _ in 0..=all.len() {
        match next {
            Some(found) if found == from => return true,
            Some(found) => next = all.get(&found).map(|seen| seen.parent),
            None => return false,
        }
    }
    false
}

struct Memory {
    highest: u64,
    private: u64,
}

impl Memory {
    fn of(process: u32) -> Option<Memory> {
        let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        let bytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
        };
        let private = bytes("RssAnon:")? + bytes("RssShmem:")?;
        Some(Memory { highest: bytes("VmHWM:")?, private })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;
    use std::time::{Duration, Instant};

    #[test]
    fn what_a_program_starts_counts_too() {
        // A shell, whose child takes 50 MB and whose grandchild takes as much.
        let inner = "x=$(head -c 25000000 /dev/zero | tr '\\0' a); sleep 1; : $x";
        let script = format!(
            "x=$(head -c 25000000 /dev/zero | tr '\\0' a); bash -c '{}'; : $x",
            inner.replace('\'', "'\\''")
        );
        let mut child = Command::new("bash").args(["-c", &script]).spawn().unwrap();
        let mut watch = Watch::of(child.id());
        let start = Instant::now();
        while watch.look() && start.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(10));
        }
        child.wait().unwrap();
        let Peak { largest, together } = watch.peak();
        assert!(largest > 25_000_000, "{largest}");
        assert!(together > largest + 20_000_000, "{together} beside {largest}");
    }
}
