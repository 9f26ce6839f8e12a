//! Which kernel is the fastest for how many streams.

use super::Kernel;

/// From how many streams on a kernel is the fastest. Idle lanes cost as much as busy ones: with fewer
/// streams than stand here, the next line of the table does more in the same time.
///
/// On the reference machine a block of each of sixteen lanes takes 215 ns, of each of eight AVX2
/// lanes 290 ns, and of each of two streams through the SHA extension 48 ns: nine streams by twos are
/// about as fast as sixteen lanes with seven of them idle. Without the extension the alternative is
/// assembly, at some 150 ns for a block. `cargo bench -p oms-sys --bench sha256` measures them.
const PAYS: [Choice; 5] = [
    Choice { kernel: Kernel::Avx512x16, with_sha: Some(10), without_sha: Some(2) },
    Choice { kernel: Kernel::Avx2x8, with_sha: None, without_sha: Some(3) },
    Choice { kernel: Kernel::ShaNix2, with_sha: Some(2), without_sha: None },
    Choice { kernel: Kernel::Single, with_sha: Some(1), without_sha: None },
    Choice { kernel: Kernel::Assembly, with_sha: None, without_sha: Some(1) },
];

/// A line of the table; `None`: it never pays.
struct Choice {
    kernel: Kernel,
    with_sha: Option<usize>,
    without_sha: Option<usize>,
}

/// From how many streams on `kernel` pays on a CPU with or without the SHA extension.
pub(super) fn pays_from(kernel: Kernel, has_sha: bool) -> Option<usize> {
    let choice = PAYS.iter().find(|choice| choice.kernel == kernel)?;
    if has_sha { choice.with_sha } else { choice.without_sha }
}
