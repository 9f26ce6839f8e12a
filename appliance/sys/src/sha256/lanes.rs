//! Which kernels this machine has, and how work is laid out for them.

use std::sync::OnceLock;

use super::stream::Sha256;
use super::{Kernel, KernelStatus, Single, Status, Unusable, self_test, single};

/// Work for one lane: a stream, and the bytes that it absorbs next.
#[derive(Debug)]
pub struct Job<'a> {
    /// The stream.
    pub state: &'a mut Sha256,
    /// What it absorbs, of any length and alignment.
    pub bytes: &'a [u8],
}

/// The kernels of this machine that gave the right answers.
#[derive(Debug)]
pub struct Lanes {
    single: Single,
    report: Vec<KernelStatus>,
}

impl Lanes {
    /// The kernels of this machine, tested at the first call (well under a millisecond).
    ///
    /// # Errors
    /// Not even one stream can be hashed rightly. The answer does not change while the program runs.
    pub fn of_this_machine() -> Result<&'static Lanes, Unusable> {
        static LANES: OnceLock<Result<Lanes, Unusable>> = OnceLock::new();
        LANES.get_or_init(|| Lanes::tested(single::compress)).as_ref().map_err(|error| *error)
    }

    /// A stream of no bytes.
    pub fn start(&self) -> Sha256 {
        Sha256::new(self.single)
    }

    /// How many streams one core should hash at once: 16, 8, 2 or 1.
    pub fn streams(&self) -> usize {
        let used = self.report.iter().filter(|of| of.status == Status::Used);
        used.map(|of| of.kernel.streams()).max().unwrap_or(1)
    }

    /// Absorbs all bytes of all jobs: any number of jobs of any lengths.
    pub fn update(&self, jobs: &mut [Job<'_>]) {
        for job in jobs {
            job.state.update(job.bytes);
        }
    }

    /// The digests of all that the streams absorbed, in their order.
    pub fn finish(&self, states: Vec<Sha256>) -> Vec<[u8; 32]> {
        states.into_iter().map(Sha256::finish).collect()
    }

    /// What became of each kernel, for people.
    pub fn report(&self) -> Vec<KernelStatus> {
        self.report.clone()
    }

    /// Tests the kernels and keeps those that are right.
    fn tested(single: Single) -> Result<Lanes, Unusable> {
        if !self_test::single_is_right(single) {
            return Err(Unusable);
        }
        let report = vec![KernelStatus { kernel: Kernel::Single, status: Status::Used }];
        Ok(Lanes { single, report })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_hashed_whatever_pieces_they_come_in() {
        let lanes = Lanes::of_this_machine().unwrap();
        let mut streams = [lanes.start(), lanes.start()];
        for piece in [&b"abcdbcdecdefdefgefghfghighij"[..], b"", b"hijkijkljklmklmnlmnomnopnopq"] {
            let jobs = streams.iter_mut().map(|state| Job { state, bytes: piece });
            lanes.update(&mut jobs.collect::<Vec<_>>());
        }
        let whole = "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1";
        for digest in lanes.finish(streams.to_vec()) {
            let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex, whole);
        }
    }

    #[test]
    fn a_machine_that_cannot_hash_is_refused() {
        assert_eq!(Lanes::tested(|_, _| {}).map(drop), Err(Unusable));
    }
}
