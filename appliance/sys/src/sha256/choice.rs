//! Which kernel is the fastest for how many streams.

use super::Kernel;

/// From how many streams on a kernel is the fastest. A kernel does not get faster with fewer streams
/// than it has lanes: below these numbers the next one in the table does more in the same time.
///
/// Measured with `cargo bench -p oms-sys --bench sha256`. On the right the reference machine, told
/// that it has no SHA extension, so that the alternative is plain assembly.
///
/// ```text
///                  GB/s with all lanes busy    from, with the SHA extension   from, without it
/// ```
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
