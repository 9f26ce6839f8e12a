//! Setting up an io_uring that can do what is needed and nothing else.
//!
//! It is made disabled, gets its empty tables and its restrictions, is enabled, and from then on
//! the kernel refuses every operation that is not in [`OPERATIONS`] and every change of the ring
//! that is not in [`CHANGES`].

use std::io;

use io_uring::register::Restriction;
use io_uring::squeue::Flags;
use io_uring::{Builder, IoUring, opcode};
use rustix::io::Errno;

use super::NoUring;

/// Places in the table of fixed files.
pub(super) const FILES: u32 = 64;

/// What the ring may be asked to do.
const OPERATIONS: [u8; 7] = [
    opcode::Read::CODE,
    opcode::Write::CODE,
    opcode::ReadFixed::CODE,
    opcode::WriteFixed::CODE,
    opcode::Statx::CODE,
    opcode::OpenAt2::CODE,
    opcode::AsyncCancel::CODE,
];

/// How the ring may be changed: `IORING_REGISTER_FILES_UPDATE` and
/// `IORING_REGISTER_BUFFERS_UPDATE`.
const CHANGES: [u8; 2] = [6, 16];

/// Where an administrator turns io_uring off.
const SWITCH: &str = "/proc/sys/kernel/io_uring_disabled";

/// A ring for `depth` operations at once, with tables for [`FILES`] files and for `buffers`
/// buffers; and why there is no table of buffers, if there is none.
pub(super) fn set_up(
    depth: usize,
    buffers: usize,
) -> Result<(IoUring, Option<io::Error>), NoUring> {
    let entries = u32::try_from(depth.next_power_of_two()).unwrap_or(u32::MAX);
    let ring = build(entries).map_err(why)?;
    if !ring.params().is_feature_nodrop() {
        return Err(NoUring::TooOld("keep every completion (Linux 5.5)"));
    }
    if !ring.params().is_feature_ext_arg() {
        return Err(NoUring::TooOld("wait for a time (Linux 5.11)"));
    }
    let submitter = ring.submitter();
    submitter.register_files(&[-1; FILES as usize]).map_err(why)?;
    // Without this table the ring works too.
    let count = u32::try_from(buffers.max(1)).unwrap_or(u32::MAX);
    let refused = submitter.register_buffers_sparse(count).err();

    let flags = Restriction::sqe_flags_allowed((Flags::FIXED_FILE | Flags::ASYNC).bits());
    let mut restrictions: Vec<_> = OPERATIONS
        .map(Restriction::sqe_op)
        .into_iter()
        .chain(CHANGES.map(Restriction::register_op))
        .chain([flags])
        .collect();
    submitter.register_restrictions(&mut restrictions).map_err(why)?;
    submitter.register_enable_rings().map_err(why)?;
    // A filter may let a ring be made and not be used.
    submitter.submit().map_err(why)?;
    Ok((ring, refused))
}

/// Takes the newest way of running completions that the kernel knows.
fn build(entries: u32) -> io::Result<IoUring> {
    let wishes: [fn(&mut Builder); 3] = [
        |b| {
            b.setup_single_issuer().setup_defer_taskrun().setup_taskrun_flag().setup_submit_all();
        },
        |b| {
            b.setup_coop_taskrun().setup_taskrun_flag().setup_submit_all();
        },
        |_| {},
    ];
    let mut last = io::Error::from(io::ErrorKind::InvalidInput);
    for wish in wishes {
        let mut builder = IoUring::builder();
        builder.setup_r_disabled();
        wish(&mut builder);
        match builder.build(entries) {
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => last = error,
            outcome => return outcome,
        }
    }
    Err(last)
}

/// Why io_uring refused itself.
fn why(error: io::Error) -> NoUring {
    match Errno::from_io_error(&error) {
        Some(Errno::NOSYS) => NoUring::NotInKernel,
        Some(Errno::PERM | Errno::ACCESS) => match switch() {
            Some(value @ 1..) => NoUring::TurnedOff(value),
            _ => NoUring::Forbidden,
        },
        Some(Errno::INVAL) => NoUring::TooOld("be restricted to what is used (Linux 5.10)"),
        _ => NoUring::Failed(error),
    }
}

/// The value of the administrator's switch, where there is one (Linux 6.6).
fn switch() -> Option<u8> {
    std::fs::read_to_string(SWITCH).ok()?.trim().parse().ok()
}
