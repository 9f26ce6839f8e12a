//! What a process gives up before it reads anything that an enemy may have written.
//!
//! ```text
//!   supervisor: close_on_exec ──exec──▶ role: single_threaded, nothing_else_open
//!                                              ──▶ give_up: namespaces, capabilities, limits,
//!                                                           no new privileges, no tracing
//! ```
//!
//! All of this binds one thread, and threads that it starts later. So it is done while there is
//! only one. Nothing of it can be taken back.

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, RawFd};

pub use rustix::process::{Pid, Resource};
pub use rustix::thread::CapabilitySet;

use rustix::io::Errno;
use rustix::process::{
    DumpableBehavior, Rlimit, Signal, getppid, getrlimit, set_dumpable_behavior,
    set_parent_process_death_signal, setrlimit,
};
use rustix::thread::{
    CapabilitiesSecureBits, CapabilitySets, UnshareFlags, capabilities,
    capability_is_in_bounding_set, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities, set_capabilities_secure_bits,
    set_no_new_privs, unshare_unsafe,
};

/// A limit of the kernel on what the process may use.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// What is limited.
    pub resource: Resource,
    /// How much of it there may be, in the kernel's unit: bytes or a number.
    pub most: u64,
}

/// What [`give_up`] leaves.
#[derive(Clone, Debug)]
pub struct Left<'a> {
    /// Capabilities that stay, where the process has them.
    pub capabilities: CapabilitySet,
    /// Limits, where those of the process are not lower.
    pub limits: &'a [Limit],
    /// Who started this process, and takes it along when it ends.
    pub parent: Pid,
}

/// What could not be given up. The process must not go on.
#[derive(Debug, thiserror::Error)]
pub enum ConfineError {
    /// other threads would keep what this one gives up
    #[error("the process has {0} threads; it can be confined only while it has one")]
    Threads(usize),
    /// a descriptor was inherited that is not for this process
    #[error("descriptor {0} was inherited and is not for this process")]
    Inherited(RawFd),
    /// the parent has ended already
    #[error("the process that started this one is gone")]
    Orphaned,
    /// the kernel refused
    #[error("{what} cannot be given up or set: {error}")]
    Refused {
        /// What was asked for.
        what: &'static str,
        /// The kernel's answer.
        error: io::Error,
    },
}

/// Makes every open descriptor but the standard ones end with the next `exec`, also those that this
/// process was started with. Whoever starts a confined process calls this before.
///
/// # Errors
/// When the kernel refuses (before Linux 5.11).
pub fn close_on_exec() -> Result<(), ConfineError> {
    let (first, last) = (3_u32, u32::MAX);
    // SAFETY: with this flag nothing is closed, and no memory is passed.
    let done =
        unsafe { libc::syscall(libc::SYS_close_range, first, last, libc::CLOSE_RANGE_CLOEXEC) };
    if done == 0 {
        Ok(())
    } else {
        Err(refused("inheritance of descriptors", io::Error::last_os_error()))
    }
}

/// Checks that this thread is the only one.
///
/// # Errors
/// [`ConfineError::Threads`], or when `/proc` cannot be read.
pub fn single_threaded() -> Result<(), ConfineError> {
    let tasks = std::fs::read_dir("/proc/self/task").map_err(|e| refused("threads", e))?;
    match tasks.count() {
        1 => Ok(()),
        other => Err(ConfineError::Threads(other)),
    }
}

/// Checks that nothing is open but standard input, output and error, and `named`.
///
/// # Errors
/// [`ConfineError::Inherited`] with the first other one, or when `/proc` cannot be read.
pub fn nothing_else_open(named: &[BorrowedFd<'_>]) -> Result<(), ConfineError> {
    let told = |e| refused("descriptors", e);
    let path = c"/proc/self/fd";
    let flags =
        rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::CLOEXEC;
    let folder =
        rustix::fs::open(path, flags, rustix::fs::Mode::empty()).map_err(|e| told(e.into()))?;
    let entries = rustix::fs::Dir::read_from(&folder).map_err(|e| told(e.into()))?;
    // `Dir` reads by a descriptor of its own.
    let looking = [folder.as_raw_fd(), entries.fd().map_err(|e| told(e.into()))?.as_raw_fd()];
    let mut open = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|e| told(e.into()))?;
        open.extend(entry.file_name().to_str().ok().and_then(|name| name.parse::<RawFd>().ok()));
    }
    let other = open.into_iter().find(|fd| {
        *fd > 2 && !looking.contains(fd) && !named.iter().any(|named| named.as_raw_fd() == *fd)
    });
    other.map_or(Ok(()), |fd| Err(ConfineError::Inherited(fd)))
}

/// Gives up everything but what is `left`: all other capabilities, also those to come; the network,
/// System V memory and host name of the machine; new privileges; being traced; memory dumps.
///
/// Whoever lacks the right to leave the network does so in a user namespace of its own, where it
/// owns nothing but keeps its access to files.
///
/// # Errors
/// When any of it is not possible. The process is then partly confined and must end.
pub fn give_up(left: &Left<'_>) -> Result<(), ConfineError> {
    single_threaded()?;
    leave_namespaces()?;
    drop_capabilities(left.capabilities)?;
    set_no_new_privs(true).map_err(told("new privileges"))?;
    for limit in left.limits {
        lower(*limit)?;
    }
    // What is changed above sets these two back.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(told("memory dumps"))?;
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(told("life without parent"))?;
    // It may have ended before it was asked for.
    if getppid() == Some(left.parent) { Ok(()) } else { Err(ConfineError::Orphaned) }
}

/// Goes where there is no network.
fn leave_namespaces() -> Result<(), ConfineError> {
    let what = "the network";
    let now = capabilities(None).map_err(told(what))?.effective;
    let mut flags = UnshareFlags::NEWNET | UnshareFlags::NEWIPC | UnshareFlags::NEWUTS;
    if !now.contains(CapabilitySet::SYS_ADMIN | CapabilitySet::SETPCAP) {
        flags |= UnshareFlags::NEWUSER;
    }
    // SAFETY: descriptors are not among what is unshared.
    unsafe { unshare_unsafe(flags) }.map_err(told(what))
}

/// Drops all capabilities but those that are left, and every way to get one.
fn drop_capabilities(left: CapabilitySet) -> Result<(), ConfineError> {
    let what = "capabilities";
    for bit in 0..64 {
        let one = CapabilitySet::from_bits_retain(1 << bit);
        match capability_is_in_bounding_set(one) {
            Ok(true) => remove_capability_from_bounding_set(one).map_err(told(what))?,
            Ok(false) => {}
            // The last one that this kernel knows was before.
            Err(Errno::INVAL) => break,
            Err(other) => return Err(told(what)(other)),
        }
    }
    clear_ambient_capability_set().map_err(told(what))?;
    let bits = CapabilitiesSecureBits::NO_ROOT
        | CapabilitiesSecureBits::NO_ROOT_LOCKED
        | CapabilitiesSecureBits::NO_SETUID_FIXUP
        | CapabilitiesSecureBits::NO_SETUID_FIXUP_LOCKED
        | CapabilitiesSecureBits::KEEP_CAPS_LOCKED
        | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE
        | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE_LOCKED;
    set_capabilities_secure_bits(bits).map_err(told(what))?;
    let had = capabilities(None).map_err(told(what))?.permitted;
    let kept = had & left;
    let sets =
        CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    set_capabilities(None, sets).map_err(told(what))
}

/// Lowers one limit for good.
fn lower(limit: Limit) -> Result<(), ConfineError> {
    let now = getrlimit(limit.resource);
    let most = Some(now.maximum.map_or(limit.most, |maximum| maximum.min(limit.most)));
    let new = Rlimit { current: most, maximum: most };
    setrlimit(limit.resource, new).map_err(told("limits"))
}

fn refused(what: &'static str, error: io::Error) -> ConfineError {
    ConfineError::Refused { what, error }
}

fn told(what: &'static str) -> impl FnOnce(Errno) -> ConfineError {
    move |errno| refused(what, errno.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd as _;

    // `give_up` as a whole is tested from inside real processes, with the sandbox of each role.

    /// Runs `work` in a thread of its own, which what it gives up ends with.
    fn apart(work: impl FnOnce() + Send) {
        std::thread::scope(|scope| scope.spawn(work).join().unwrap());
    }

    #[test]
    fn two_threads_are_one_too_many() {
        apart(|| {
            let error = single_threaded().unwrap_err();
            assert!(matches!(error, ConfineError::Threads(2..)), "{error}");
            let left =
                Left { capabilities: CapabilitySet::empty(), limits: &[], parent: Pid::INIT };
            assert!(matches!(give_up(&left), Err(ConfineError::Threads(_))));
        });
    }

    #[test]
    fn a_descriptor_that_is_not_named_is_found() {
        let file = tempfile::tempfile().unwrap();
        let found = nothing_else_open(&[]).unwrap_err();
        assert!(matches!(found, ConfineError::Inherited(3..)), "{found}");
        // Other tests open files at the same time, so that only this one can be looked for.
        let named = nothing_else_open(&[file.as_fd()]);
        let this = file.as_raw_fd();
        assert!(!matches!(named, Err(ConfineError::Inherited(fd)) if fd == this));
    }

    #[test]
    fn capabilities_are_gone_from_every_set_but_for_those_that_are_left() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        apart(|| {
            drop_capabilities(CapabilitySet::DAC_READ_SEARCH).unwrap();
            let sets = capabilities(None).unwrap();
            assert_eq!(sets.effective, CapabilitySet::DAC_READ_SEARCH);
            assert_eq!(sets.permitted, CapabilitySet::DAC_READ_SEARCH);
            assert!(sets.inheritable.is_empty());
            assert!(!capability_is_in_bounding_set(CapabilitySet::SYS_ADMIN).unwrap());
            assert!(!capability_is_in_bounding_set(CapabilitySet::DAC_READ_SEARCH).unwrap());
            let raised = rustix::thread::configure_capability_in_ambient_set(
                CapabilitySet::DAC_READ_SEARCH,
                true,
            );
            assert!(raised.is_err());
            assert!(set_capabilities_secure_bits(CapabilitiesSecureBits::empty()).is_err());
        });
    }

    #[test]
    fn the_network_is_left() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        apart(|| {
            let before = std::fs::read_link("/proc/thread-self/ns/net").unwrap();
            leave_namespaces().unwrap();
            assert_ne!(std::fs::read_link("/proc/thread-self/ns/net").unwrap(), before);
        });
    }
}
