//! Streams that are hashed side by side.

use std::sync::OnceLock;

use super::choice::pays_from;
use super::kernels::{Candidates, Kernels, Pays};
use super::schedule::{self, Work};
use super::stream::{Sha256, digest_of};
use super::{Kernel, KernelStatus, Status, Unusable};

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
    kernels: Kernels,
    report: Vec<KernelStatus>,
}

impl Lanes {
    /// The kernels of this machine, tested at the first call (well under a millisecond).
    ///
    /// # Errors
    /// Not even one stream can be hashed rightly. The answer does not change while the program runs.
    pub fn of_this_machine() -> Result<&'static Lanes, Unusable> {
        static LANES: OnceLock<Result<Lanes, Unusable>> = OnceLock::new();
        let tested =
            LANES.get_or_init(|| Lanes::tested(&Candidates::of_this_machine(), &pays_from));
        tested.as_ref().map_err(|error| *error)
    }

    /// Lanes that use this kernel for any number of streams, to measure it by itself; `None` if this
    /// machine has it not, or it is wrong.
    pub fn only(kernel: Kernel) -> Option<Lanes> {
        let pays = |other, _| (other == kernel).then_some(1);
        let lanes = Lanes::tested(&Candidates::of_this_machine(), &pays).ok()?;
        let is_used = |of: &KernelStatus| of.kernel == kernel && of.status == Status::Used;
        lanes.report.iter().any(is_used).then_some(lanes)
    }

    /// A stream of no bytes.
    pub fn start(&self) -> Sha256 {
        Sha256::new(self.kernels.single)
    }

    /// How many streams one core should hash at once: 16, 8, 2 or 1.
    pub fn streams(&self) -> usize {
        let used = self.report.iter().filter(|of| of.status == Status::Used);
        used.map(|of| of.kernel.streams()).max().unwrap_or(1)
    }

    /// Absorbs all bytes of all jobs: any number of jobs of any lengths.
    ///
    /// The more jobs there are, and the more alike they are in length, the faster it goes.
    pub fn update(&self, jobs: &mut [Job<'_>]) {
        let mut tails = Vec::with_capacity(jobs.len());
        let work = jobs.iter_mut().map(|job| {
            let (head, rest, tail) = job.state.take(job.bytes);
            tails.push(tail);
            let Sha256 { value, pending, .. } = &mut *job.state;
            let head = if head { std::slice::from_ref(&*pending) } else { &[] };
            Work { value, head, rest }
        });
        let work = work.collect();
        schedule::run(&self.kernels, work);
        for (job, tail) in jobs.iter_mut().zip(tails) {
            job.state.keep(tail);
        }
    }

    /// The digests of all that the streams absorbed, in their order.
    pub fn finish(&self, mut states: Vec<Sha256>) -> Vec<[u8; 32]> {
        let paddings: Vec<_> = states.iter().map(Sha256::padding).collect();
        let work = states.iter_mut().zip(&paddings).map(|(state, (padding, count))| Work {
            value: &mut state.value,
            head: padding.get(..*count).unwrap_or(padding),
            rest: &[],
        });
        schedule::run(&self.kernels, work.collect());
        states.iter().map(|state| digest_of(&state.value)).collect()
    }

    /// What became of each kernel, for people.
    pub fn report(&self) -> Vec<KernelStatus> {
        self.report.clone()
    }

    /// Keeps the candidates that give the right answers.
    pub(super) fn tested(candidates: &Candidates, pays: Pays<'_>) -> Result<Lanes, Unusable> {
        let (kernels, report) = Kernels::tested(candidates, pays)?;
        Ok(Lanes { kernels, report })
    }
}
