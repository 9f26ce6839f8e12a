//! Setting up an io_uring that can do what is needed and nothing else.
//!
//! It is made disabled, gets its empty tables and its restrictions, is enabled, and from then on
//! the kernel refuses every operation that is not in [`OPERATIONS`] and every change of the ring
//! that is not in [`CHANGES`].

use std::io;
use std::sync::{Mutex, PoisonError};

use io_uring::register::Restriction;
use io_uring::squeue::Flags;
use io_uring::{Builder, IoUring, opcode};
use rustix::io::Errno;

use super::NoUring;

/// Places in the table of fixed files.
pub(super) const FILES: u32 = 64;

/// What the ring may be asked to do.
const OPERATIONS: [u8; 8] = [
    opcode::Read::CODE,
    opcode::Write::CODE,
    opcode::ReadFixed::CODE,
    opcode::WriteFixed::CODE,
    opcode::SyncFileRange::CODE,
    opcode::Statx::CODE,
    opcode::OpenAt2::CODE,
    opcode::AsyncCancel::CODE,
];

/// How the ring may be changed: `IORING_REGISTER_FILES_UPDATE` and
/// `IORING_REGISTER_BUFFERS_UPDATE`.
const CHANGES: [u8; 2] = [6, 16];

/// Where an administrator turns io_uring off.
const SWITCH: &str = "/proc/sys/kernel/io_uring_disabled";

/// Operations at once of a ring that is made beforehand.
const DEPTH_BEFOREHAND: usize = 4096;

/// The rings that were made beforehand; `None` where each is made when it is needed.
static BEFOREHAND: Mutex<Option<Vec<IoUring>>> = Mutex::new(None);

/// Makes `count` rings for this process, which is about to give up the right to make any. From then
/// on [`Ring::new`](super::Ring::new) takes these. They have no tables: to fill one is a right that
/// is given up, too.
///
/// # Errors
/// When there can be none. Then there are none later either.
pub fn make_beforehand(count: usize) -> Result<(), NoUring> {
    let mut beforehand = BEFOREHAND.lock().unwrap_or_else(PoisonError::into_inner);
    let rings = beforehand.insert(Vec::new());
    for _ in 0..count {
        let ring = checked(build(u32::try_from(DEPTH_BEFOREHAND).unwrap_or(u32::MAX), &SHARED))?;
        restrict(&ring)?;
        rings.push(ring);
    }
    Ok(())
}

/// A ring for `depth` operations at once, which was made beforehand; `None` where that is not how
/// they are made.
fn made_beforehand(depth: usize) -> Option<Result<IoUring, NoUring>> {
    let mut beforehand = BEFOREHAND.lock().unwrap_or_else(PoisonError::into_inner);
    let rings = beforehand.as_mut()?;
    if depth > DEPTH_BEFOREHAND {
        return Some(Err(NoUring::TooSmall));
    }
    Some(rings.pop().ok_or(NoUring::Forbidden))
}

/// What a ring can be told of before it is used.
pub(super) struct Tables {
    /// Places for files.
    pub(super) files: u32,
    /// Why there is no table of buffers, if there is none.
    pub(super) no_buffers: Option<io::Error>,
}

/// A ring for `depth` operations at once, with tables for [`FILES`] files and for `buffers`
/// buffers, unless it was made beforehand.
pub(super) fn set_up(depth: usize, buffers: usize) -> Result<(IoUring, Tables), NoUring> {
    if let Some(ring) = made_beforehand(depth) {
        let no_buffers = Some(io::Error::from(io::ErrorKind::PermissionDenied));
        return Ok((ring?, Tables { files: 0, no_buffers }));
    }
    let entries = u32::try_from(depth.next_power_of_two()).unwrap_or(u32::MAX);
    let ring = checked(build(entries, &OWN))?;
    let submitter = ring.submitter();
    submitter.register_files(&[-1; FILES as usize]).map_err(why)?;
    // Without this table the ring works too.
    let count = u32::try_from(buffers.max(1)).unwrap_or(u32::MAX);
    let no_buffers = submitter.register_buffers_sparse(count).err();
    restrict(&ring)?;
    Ok((ring, Tables { files: FILES, no_buffers }))
}

/// A ring that can do what the backend relies on.
fn checked(ring: io::Result<IoUring>) -> Result<IoUring, NoUring> {
    let ring = ring.map_err(why)?;
    if !ring.params().is_feature_nodrop() {
        return Err(NoUring::TooOld("keep every completion (Linux 5.5)"));
    }
    if !ring.params().is_feature_ext_arg() {
        return Err(NoUring::TooOld("wait for a time (Linux 5.11)"));
    }
    Ok(ring)
}

/// Limits a ring for good to what is needed, and enables it.
fn restrict(ring: &IoUring) -> Result<(), NoUring> {
    let submitter = ring.submitter();
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
    Ok(())
}

type Wish = fn(&mut Builder);

/// Ways of running completions, the newest first, for a ring that is used by the thread that made
/// it.
const OWN: [Wish; 3] = [
    |b| {
        b.setup_single_issuer().setup_defer_taskrun().setup_taskrun_flag().setup_submit_all();
    },
    SHARED[0],
    SHARED[1],
];

/// The same for one that another thread uses.
const SHARED: [Wish; 2] = [
    |b| {
        b.setup_coop_taskrun().setup_taskrun_flag().setup_submit_all();
    },
    |_| {},
];

/// Takes the newest way that the kernel knows.
fn build(entries: u32, wishes: &[Wish]) -> io::Result<IoUring> {
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Write as _;

    use super::super::{Done, Outcome, Place, Reader, Registration, Ring, RingError, Settings};
    use super::*;
    use seccompiler::{SeccompAction, SeccompFilter};

    /// From now on these system calls give `errno` in this thread.
    fn forbid(calls: &[libc::c_long], errno: i32) {
        let rules = calls.iter().map(|call| (*call, vec![])).collect::<BTreeMap<_, _>>();
        let filter = SeccompFilter::new(
            rules,
            SeccompAction::Allow,
            SeccompAction::Errno(errno.cast_unsigned()),
            std::env::consts::ARCH.try_into().unwrap(),
        );
        let program: seccompiler::BpfProgram = filter.unwrap().try_into().unwrap();
        seccompiler::apply_filter(&program).unwrap();
    }

    /// Runs `work` in a thread of its own, which a filter ends with.
    fn apart(work: impl FnOnce() + Send) {
        std::thread::scope(|scope| scope.spawn(work).join().unwrap());
    }

    fn without(calls: &[libc::c_long], errno: i32, work: impl FnOnce() + Send) {
        apart(|| {
            forbid(calls, errno);
            work();
        });
    }

    fn reads_on_threads(expected: &str) {
        let settings = |reader| Settings { reader, buffers: 1, buffer_bytes: 1 };
        let (mut ring, mut buffers) = Ring::new(&settings(Reader::Auto)).unwrap();
        let report = ring.report();
        assert_eq!(report.reader, Reader::Threads);
        let reason = report.reason.unwrap().to_string();
        assert!(reason.contains(expected), "{reason}");
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"abc").unwrap();
        let handle = ring.attach(file);
        ring.read(7, &handle, 1, buffers.pop().unwrap(), 10, Place::Here);
        let Some(Done { token: 7, outcome: Outcome::Moved { buffer, bytes: Ok(2) } }) =
            ring.wait(None).unwrap()
        else {
            panic!()
        };
        assert_eq!(buffer.filled(), b"bc");
        let by_name = Ring::new(&settings(Reader::IoUring)).unwrap_err();
        assert!(matches!(&by_name, RingError::NoUring(_)), "{by_name}");
        assert!(by_name.to_string().contains(expected), "{by_name}");
    }

    #[test]
    fn where_io_uring_is_off_threads_read_and_the_reason_is_told() {
        let calls =
            [libc::SYS_io_uring_setup, libc::SYS_io_uring_register, libc::SYS_io_uring_enter];
        for call in calls {
            without(&[call], libc::EPERM, || reads_on_threads("forbidden to this process"));
            without(&[call], libc::ENOSYS, || reads_on_threads("this kernel has no io_uring"));
        }
        without(&calls, libc::EINVAL, || reads_on_threads("too old"));
        without(&calls, libc::ENOMEM, || reads_on_threads("cannot be set up"));
    }

    #[test]
    fn the_ring_cannot_do_what_it_is_not_for() {
        let (mut ring, _) = set_up(4, 1).unwrap();
        let mut refused = |entry: io_uring::squeue::Entry| {
            // SAFETY: none of the entries points to memory.
            unsafe { ring.submission().push(&entry) }.unwrap();
            ring.submit_and_wait(1).unwrap();
            ring.completion().next().unwrap().result() == -libc::EACCES
        };
        let file = tempfile::tempfile().unwrap();
        let fd = io_uring::types::Fd(std::os::fd::AsRawFd::as_raw_fd(&file));
        assert!(refused(opcode::Nop::new().build()));
        assert!(refused(opcode::Socket::new(libc::AF_INET, libc::SOCK_STREAM, 0).build()));
        assert!(refused(opcode::Fsync::new(fd).build()));
        let linked = opcode::AsyncCancel::new(1).build().flags(Flags::IO_LINK);
        assert!(refused(linked));
        assert!(!refused(opcode::AsyncCancel::new(1).build()), "this is allowed");
        let error = ring.submitter().register_personality().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EACCES));
    }

    #[test]
    fn without_locked_memory_the_ring_works_and_says_so() {
        apart(|| {
            let settings = Settings { reader: Reader::IoUring, buffers: 1, buffer_bytes: 1 };
            let (mut ring, mut tokens) = Ring::new(&settings).unwrap();
            // What a limit of locked memory gives, after the ring was set up.
            forbid(&[libc::SYS_io_uring_register], libc::ENOMEM);
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(b"abc").unwrap();
            let handle = ring.attach(file);
            let mut buffer = tokens.pop().unwrap();
            for _ in 0..20 {
                ring.read(7, &handle, 0, buffer, 10, Place::Here);
                let Some(Done { outcome: Outcome::Moved { buffer: back, bytes }, .. }) =
                    ring.wait(None).unwrap()
                else {
                    panic!()
                };
                assert_eq!(bytes.unwrap(), 3);
                buffer = back;
            }
            let told = ring.report().registration;
            assert!(matches!(told, Registration::Refused(_)), "{told:?}");
        });
    }
}
