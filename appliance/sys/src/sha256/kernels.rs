//! The kernels that a machine has, and those of them that can be relied on.

use super::{Kernel, KernelStatus, Single, Status, Unusable, Wide, assembly, self_test, single};

/// The kernels that this CPU can run, none of them tested yet.
pub(super) struct Candidates {
    pub(super) avx512: Option<Wide<16>>,
    pub(super) avx2: Option<Wide<8>>,
    pub(super) sha_ni: Option<Wide<2>>,
    pub(super) single: Single,
    pub(super) assembly: Option<Single>,
    /// Whether `single` uses an extension for SHA-256.
    pub(super) has_sha: bool,
}

impl Candidates {
    /// What this machine has.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn of_this_machine() -> Candidates {
        Candidates {
            avx512: super::avx512::kernel(),
            avx2: super::avx2::kernel(),
            sha_ni: super::shani::kernel(),
            single: single::compress,
            assembly: assembly::kernel(),
            has_sha: super::shani::is_supported(),
        }
    }

    /// What this machine has.
    #[cfg(not(target_arch = "x86_64"))]
    pub(super) fn of_this_machine() -> Candidates {
        Candidates {
            avx512: None,
            avx2: None,
            sha_ni: None,
            single: single::compress,
            assembly: assembly::kernel(),
            has_sha: true,
        }
    }
}

/// A kernel for many streams, and from how many on it pays.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<const N: usize> {
    pub(super) run: Wide<N>,
    pub(super) from: usize,
}

/// The kernels in use: all of them gave the right answers.
#[derive(Debug)]
pub(super) struct Kernels {
    pub(super) avx512: Option<Entry<16>>,
    pub(super) avx2: Option<Entry<8>>,
    pub(super) sha_ni: Option<Entry<2>>,
    pub(super) single: Single,
}

/// From how many streams on a kernel is to be used; the second argument says whether one stream goes
/// through an extension for SHA-256.
pub(super) type Pays<'a> = &'a dyn Fn(Kernel, bool) -> Option<usize>;

impl Kernels {
    /// Tests the candidates; gives those to be used, and what became of each.
    ///
    /// # Errors
    /// No kernel for one stream is right; or two of them are, by the known answers, and yet differ:
    /// then nobody knows which one to believe.
    pub(super) fn tested(
        candidates: &Candidates,
        pays: Pays<'_>,
    ) -> Result<(Kernels, Vec<KernelStatus>), Unusable> {
        let right = |kernel: Single| self_test::single_is_right(kernel).then_some(kernel);
        let single = right(candidates.single);
        let assembly = candidates.assembly.and_then(right);
        let opinion = match (single.map(self_test::opinion), assembly.map(self_test::opinion)) {
            (Some(one), Some(other)) if one != other => return Err(Unusable),
            (Some(one), _) | (None, Some(one)) => one,
            (None, None) => return Err(Unusable),
        };
        let has_sha = candidates.has_sha && single.is_some();
        let (one_stream, other) = match (single, assembly) {
            (Some(_), Some(run)) if pays(Kernel::Assembly, has_sha).is_some() => {
                (run, Kernel::Single)
            }
            (Some(run), _) => (run, Kernel::Assembly),
            (None, Some(run)) => (run, Kernel::Single),
            (None, None) => return Err(Unusable),
        };

        let mut tests = Tests { pays, has_sha, opinion, report: Vec::new() };
        let kernels = Kernels {
            avx512: tests.run(Kernel::Avx512x16, candidates.avx512),
            avx2: tests.run(Kernel::Avx2x8, candidates.avx2),
            sha_ni: tests.run(Kernel::ShaNix2, candidates.sha_ni),
            single: one_stream,
        };
        let mut report = tests.report;
        for (kernel, candidate, right) in [
            (Kernel::Single, Some(candidates.single), single),
            (Kernel::Assembly, candidates.assembly, assembly),
        ] {
            let status = match (candidate, right) {
                (None, _) => Status::NotOnThisCpu,
                (Some(_), None) => Status::Failed,
                (Some(_), Some(_)) if kernel == other => Status::Spare,
                (Some(_), Some(_)) => Status::Used,
            };
            report.push(KernelStatus { kernel, status });
        }
        Ok((kernels, report))
    }
}

/// The tests of the kernels for many streams.
struct Tests<'a> {
    pays: Pays<'a>,
    has_sha: bool,
    opinion: self_test::Opinion,
    report: Vec<KernelStatus>,
}

impl Tests<'_> {
    /// Tests a kernel and reports on it; gives it if it is to be used.
    fn run<const N: usize>(
        &mut self,
        kernel: Kernel,
        candidate: Option<Wide<N>>,
    ) -> Option<Entry<N>> {
        let (status, entry) = match (candidate, (self.pays)(kernel, self.has_sha)) {
            (None, _) => (Status::NotOnThisCpu, None),
            (Some(run), _) if !self_test::wide_is_right(run, &self.opinion) => {
                (Status::Failed, None)
            }
            (Some(_), None) => (Status::Spare, None),
            (Some(run), Some(from)) => (Status::Used, Some(Entry { run, from })),
        };
        self.report.push(KernelStatus { kernel, status });
        entry
    }
}
