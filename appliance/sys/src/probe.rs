//! System calls that a sandbox must not let through, for its tests. They exist with the feature
//! `probe` only, which no program is built with.
//!
//! Each is made with arguments that can do no harm where it does get through: pointers to nothing,
//! descriptors that are none.

use std::io;

use libc::{c_long, c_void};

/// A call that is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// Starting a program.
    Execute,
    /// Starting a process, which ends at once.
    Fork,
    /// Starting a process in a new network.
    ForkElsewhere,
    /// Being traced.
    Trace,
    /// Mounting.
    Mount,
    /// Loading a module into the kernel.
    LoadModule,
    /// Loading a program into the kernel.
    LoadBpf,
    /// Making a ring.
    MakeRing,
    /// Changing a ring.
    ChangeRing,
    /// Serving page faults.
    ServeFaults,
    /// Watching performance.
    Watch,
    /// Entering another namespace.
    Enter,
    /// Adding a filter, or taking one away.
    Filter,
    /// Becoming root.
    BecomeRoot,
    /// Getting capabilities.
    GetCapabilities,
    /// Running in 32 bits, where calls have other numbers (x86 only).
    OtherNumbers,
    /// Memory that is code.
    MapCode,
    /// Memory that becomes code.
    BecomeCode,
    /// Memory that is code and can be written.
    MapWritableCode,
}

impl Attempt {
    /// All of them.
    pub const ALL: [Attempt; 19] = [
        Attempt::Execute,
        Attempt::Fork,
        Attempt::ForkElsewhere,
        Attempt::Trace,
        Attempt::Mount,
        Attempt::LoadModule,
        Attempt::LoadBpf,
        Attempt::MakeRing,
        Attempt::ChangeRing,
        Attempt::ServeFaults,
        Attempt::Watch,
        Attempt::Enter,
        Attempt::Filter,
        Attempt::BecomeRoot,
        Attempt::GetCapabilities,
        Attempt::OtherNumbers,
        Attempt::MapCode,
        Attempt::BecomeCode,
        Attempt::MapWritableCode,
    ];

    /// Makes the call.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn make(self) -> io::Result<()> {
        let null: c_long = 0;
        let none: c_long = -1;
        match self {
            Attempt::Execute => call(libc::SYS_execve, [null; 4]),
            Attempt::Fork => fork(0),
            Attempt::ForkElsewhere => fork(c_long::from(libc::CLONE_NEWNET)),
            // A process whose parent does not wait for a tracer's stop goes on as before.
            Attempt::Trace => {
                call(libc::SYS_ptrace, [c_long::from(libc::PTRACE_ATTACH), none, 0, 0])
            }
            Attempt::Mount => call(libc::SYS_mount, [null; 4]),
            Attempt::LoadModule => call(libc::SYS_init_module, [null; 4]),
            Attempt::LoadBpf => call(libc::SYS_bpf, [null; 4]),
            Attempt::MakeRing => call(libc::SYS_io_uring_setup, [1, null, 0, 0]),
            Attempt::ChangeRing => call(libc::SYS_io_uring_register, [none, 0, null, 0]),
            Attempt::ServeFaults => call(libc::SYS_userfaultfd, [none, 0, 0, 0]),
            Attempt::Watch => call(libc::SYS_perf_event_open, [null, 0, none, none]),
            Attempt::Enter => call(libc::SYS_setns, [none, 0, 0, 0]),
            Attempt::Filter => call(libc::SYS_seccomp, [1, 0, null, 0]),
            Attempt::BecomeRoot => call(libc::SYS_setresuid, [null; 4]),
            Attempt::GetCapabilities => call(libc::SYS_capset, [null; 4]),
            // The bit of the numbers of x32, with the number of `execve` there.
            Attempt::OtherNumbers => call(0x4000_0000 + 520, [null; 4]),
            Attempt::MapCode => map(libc::PROT_READ | libc::PROT_EXEC).map(drop),
            Attempt::MapWritableCode => {
                map(libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC).map(drop)
            }
            Attempt::BecomeCode => {
                let page = map(libc::PROT_READ | libc::PROT_WRITE)?;
                let code = libc::PROT_READ | libc::PROT_EXEC;
                // SAFETY: the page was mapped for this and nothing else knows of it.
                told(unsafe { libc::mprotect(page, PAGE, code) }.into())
            }
        }
    }
}

const PAGE: usize = 4096;

/// Makes a call whose arguments lead to no memory.
fn call(number: c_long, arguments: [c_long; 4]) -> io::Result<()> {
    let [a, b, c, d] = arguments;
    // SAFETY: every pointer among the arguments is null, which the kernel reads and writes nowhere;
    // every descriptor is -1, which is never open.
    told(unsafe { libc::syscall(number, a, b, c, d, 0, 0) })
}

/// Starts a process that ends at once.
fn fork(flags: c_long) -> io::Result<()> {
    let signal = c_long::from(libc::SIGCHLD);
    // SAFETY: without a stack of its own and without shared memory this is `fork`.
    let made = unsafe { libc::syscall(libc::SYS_clone, flags | signal, 0, 0, 0, 0) };
    if made == 0 {
        // SAFETY: it ends without running anything of the process that it is a copy of.
        unsafe { libc::_exit(0) };
    }
    told(made)
}

/// A page of memory that stays.
fn map(protection: i32) -> io::Result<*mut c_void> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: the kernel chooses the place, so that nothing else is there.
    let page = unsafe { libc::mmap(std::ptr::null_mut(), PAGE, protection, flags, -1, 0) };
    if page == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(page) }
}

fn told(result: c_long) -> io::Result<()> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
