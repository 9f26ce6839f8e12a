//! Whether something stays as it is: the median of the last third of the time is no more than that
//! of the first third, and a margin. The first fifth of all is left out before: the daemon gets what
//! it needs then.

use crate::samples::Sample;

/// The part of the time that does not count.
const WARM_UP: usize = 5;

/// How one quantity went.
#[derive(Clone, Debug)]
pub(crate) struct Course {
    /// What it is.
    pub(crate) name: &'static str,
    /// The median of the first third after the warm-up, of the last one, and the most of all.
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) most: u64,
    /// What the last third's median may be.
    pub(crate) may: u64,
    /// The median of each tenth of all the time.
    pub(crate) tenths: Vec<u64>,
}

impl Course {
    /// Whether it has stayed as it was.
    pub(crate) fn is_flat(&self) -> bool {
        self.last <= self.may
    }
}

/// What has to be flat.
struct Watched {
    name: &'static str,
    of: fn(&Sample) -> u64,
    /// What the last third's median may be, by that of the first.
    may: fn(u64) -> u64,
}

const WATCHED: &[Watched] = &[
    Watched {
        name: "memory, KiB",
        of: |sample| sample.memory,
        may: |first| first + first / 10 + 2048,
    },
    Watched { name: "descriptors", of: |sample| sample.descriptors, may: |first| first + 2 },
    Watched { name: "threads", of: |sample| sample.threads, may: |first| first + 1 },
    Watched { name: "processes", of: |sample| sample.processes, may: |first| first + 1 },
    Watched { name: "zombies", of: |sample| sample.zombies, may: |first| first },
    Watched { name: "spool, entries", of: |sample| sample.spool, may: |first| first + 1 },
];

/// All courses.
pub(crate) fn courses(samples: &[Sample]) -> Vec<Course> {
    let counted = samples.get(samples.len() / WARM_UP..).unwrap_or_default();
    let third = counted.len() / 3;
    let (first, last) = (&counted[..third], &counted[counted.len() - third..]);
    let mut courses: Vec<Course> = WATCHED
        .iter()
        .map(|Watched { name, of, may }| {
            let most = samples.iter().map(of).max().unwrap_or_default();
            let (first, last) = (median(first, of), median(last, of));
            let tenths = samples.chunks(samples.len().div_ceil(10).max(1));
            let tenths = tenths.map(|tenth| median(tenth, of)).collect();
            Course { name, first, last, most, may: may(first), tenths }
        })
        .collect();
    // A record grows, by what is written down.
    let (before, after) = (growth(first), growth(last));
    let most = before.max(after);
    let name = "journal, bytes a row";
    courses.push(Course {
        name,
        first: before,
        last: after,
        most,
        may: before * 3 / 2 + 1024,
        tenths: Vec::new(),
    });
    let wal = |sample: &Sample| sample.wal;
    let (before, after) = (median(first, &wal), median(last, &wal));
    let most = samples.iter().map(wal).max().unwrap_or_default();
    let name = "journal's log, bytes";
    courses.push(Course {
        name,
        first: before,
        last: after,
        most,
        may: before + (64 << 10),
        tenths: Vec::new(),
    });
    courses
}

fn median(samples: &[Sample], of: &impl Fn(&Sample) -> u64) -> u64 {
    let mut values: Vec<u64> = samples.iter().map(of).collect();
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Bytes of the journal for each row, in this time.
fn growth(samples: &[Sample]) -> u64 {
    let (Some(first), Some(last)) = (samples.first(), samples.last()) else { return 0 };
    let rows = last.rows.saturating_sub(first.rows);
    last.journal.saturating_sub(first.journal).checked_div(rows).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(of: impl Fn(u64) -> Sample) -> Vec<&'static str> {
        let samples: Vec<Sample> = (0..1000).map(of).collect();
        let courses = courses(&samples);
        courses.iter().filter(|course| !course.is_flat()).map(|course| course.name).collect()
    }

    #[test]
    fn what_comes_and_goes_or_settles_is_flat_and_what_grows_is_not() {
        let sample = |at: u64| Sample {
            memory: 50_000 + at % 7 * 1000,
            descriptors: 20 + at % 3,
            rows: at,
            journal: at * 700,
            ..Sample::default()
        };
        assert!(found(sample).is_empty());
        let settles = |at: u64| Sample { memory: 90_000 - 80_000 / (at + 1), ..sample(at) };
        assert!(found(settles).is_empty());
        // A KiB for each tenth of a carrier, a descriptor for each hundredth.
        assert_eq!(found(|at| Sample { memory: 50_000 + at * 20, ..sample(at) }), ["memory, KiB"]);
        assert_eq!(
            found(|at| Sample { descriptors: 20 + at / 100, ..sample(at) }),
            ["descriptors"]
        );
        assert_eq!(found(|at| Sample { zombies: at / 300, ..sample(at) }), ["zombies"]);
        let swells = |at: u64| Sample { journal: at * at * 10, ..sample(at) };
        assert_eq!(found(swells), ["journal, bytes a row"]);
    }
}
