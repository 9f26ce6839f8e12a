//! One system call of a program is asked for instead of made (seccomp's user notification).
//!
//! ```text
//!   program: mount(...) ──kernel──▶ Questions::next ─▶ Question ─▶ answer: done, or an error
//! ```
//!
//! So a program that insists on mounting needs no right to: somebody else mounts for it, in another
//! way, and the call then seems to have been made.

use std::io;
use std::mem::{offset_of, size_of};
use std::os::fd::{AsFd, BorrowedFd, FromRawFd as _, OwnedFd};
use std::time::Instant;

use libc::{c_int, c_long, sock_filter, sock_fprog};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::ioctl::{Opcode, Updater, ioctl, opcode};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

/// `SECCOMP_IOCTL_NOTIF_RECV` and `_SEND`.
const RECEIVE: Opcode = opcode::read_write::<libc::seccomp_notif>(b'!', 0);
const SEND: Opcode = opcode::read_write::<libc::seccomp_notif_resp>(b'!', 1);

/// What the machine's numbers of system calls belong to.
#[cfg(target_arch = "x86_64")]
const ARCH: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCH: u32 = 0xc000_00b7;

/// Where the questions of a process, and of those that it starts, come in.
#[derive(Debug)]
pub struct Questions(OwnedFd);

/// A process waits for an answer.
#[derive(Debug)]
pub struct Question {
    id: u64,
    /// Which process.
    pub process: u32,
}

/// Has every `call` of this process, of those that it starts and of programs that it becomes
/// answered by who holds what this gives. Any other call is made as before, those in another
/// numbering are not.
///
/// # Errors
/// When the kernel refuses: the process must have given up new privileges, or be root.
pub fn ask_for(call: c_long) -> io::Result<OwnedFd> {
    let load =
        |offset: usize| instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, offset);
    let equal = |value: u32, yes, no| {
        instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, yes, no, value as usize)
    };
    let give = |action: u32| instruction(libc::BPF_RET | libc::BPF_K, 0, 0, action as usize);
    let number = u32::try_from(call).map_err(io::Error::other)?;
    let mut program = [
        load(offset_of!(libc::seccomp_data, arch)),
        equal(ARCH, 1, 0),
        give(libc::SECCOMP_RET_KILL_PROCESS),
        load(offset_of!(libc::seccomp_data, nr)),
        equal(number, 0, 1),
        give(libc::SECCOMP_RET_USER_NOTIF),
        give(libc::SECCOMP_RET_ALLOW),
    ];
    let length = u16::try_from(program.len()).map_err(io::Error::other)?;
    let filter = sock_fprog { len: length, filter: program.as_mut_ptr() };
    // SAFETY: the program is as long as it says and outlives the call, which only reads it.
    let listener = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            libc::SECCOMP_FILTER_FLAG_NEW_LISTENER,
            &raw const filter,
        )
    };
    let listener = c_int::try_from(listener).map_err(io::Error::other)?;
    if listener < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just opened this descriptor for us, closed on `exec`.
    Ok(unsafe { OwnedFd::from_raw_fd(listener) })
}

#[expect(clippy::cast_possible_truncation, reason = "codes of instructions and offsets are small")]
fn instruction(code: u32, yes: u8, no: u8, value: usize) -> sock_filter {
    sock_filter { code: code as u16, jt: yes, jf: no, k: value as u32 }
}

impl Questions {
    /// Takes what [`ask_for`] gave to another process.
    #[must_use]
    pub fn from_descriptor(fd: OwnedFd) -> Self {
        Questions(fd)
    }

    /// Waits for a question until `deadline`; none when the time is over, or nobody is left to ask.
    ///
    /// # Errors
    /// When the descriptor is of another kind.
    pub fn next(&self, deadline: Instant) -> io::Result<Option<Question>> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let timeout = Timespec::try_from(left).ok();
            let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
            match poll(&mut fds, timeout.as_ref()) {
                Ok(0) => return Ok(None),
                Ok(_) if !fds.iter().any(|fd| fd.revents().contains(PollFlags::IN)) => {
                    return Ok(None);
                }
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(other) => return Err(other.into()),
            }
            let mut told = libc::seccomp_notif {
                id: 0,
                pid: 0,
                flags: 0,
                data: libc::seccomp_data { nr: 0, arch: 0, instruction_pointer: 0, args: [0; 6] },
            };
            // SAFETY: the kernel fills a `seccomp_notif`, which must be zero before.
            let receive = unsafe { Updater::<RECEIVE, _>::new(&mut told) };
            // SAFETY: the request fits what the kernel expects.
            match unsafe { ioctl(&self.0, receive) } {
                Ok(()) => return Ok(Some(Question { id: told.id, process: told.pid })),
                // Who asked is gone, or was interrupted and asks again.
                Err(Errno::NOENT | Errno::INTR) => {}
                Err(other) => return Err(other.into()),
            }
        }
    }

    /// Answers: the call seems to have been made, or failed with this error.
    ///
    /// # Errors
    /// When who asked is gone.
    pub fn answer(&self, question: &Question, error: Option<Errno>) -> io::Result<()> {
        let error = error.map_or(0, |errno| errno.raw_os_error().saturating_neg());
        let mut answer = libc::seccomp_notif_resp { id: question.id, val: 0, error, flags: 0 };
        // SAFETY: the kernel reads a `seccomp_notif_resp`.
        let send = unsafe { Updater::<SEND, _>::new(&mut answer) };
        // SAFETY: the request fits what the kernel expects.
        unsafe { ioctl(&self.0, send) }.map_err(Into::into)
    }
}

impl Question {
    /// Takes a descriptor of who asks that leads to `path` there, if it has exactly one.
    ///
    /// # Errors
    /// When it has none or several, or is gone.
    pub fn descriptor(&self, path: &str) -> io::Result<OwnedFd> {
        let raw = i32::try_from(self.process).ok().and_then(Pid::from_raw);
        let process = pidfd_open(raw.ok_or(Errno::SRCH)?, PidfdFlags::empty())?;
        let mut found = Vec::new();
        for entry in std::fs::read_dir(format!("/proc/{}/fd", self.process))? {
            let entry = entry?;
            if std::fs::read_link(entry.path()).is_ok_and(|target| target.as_os_str() == path) {
                found
                    .extend(entry.file_name().to_str().and_then(|name| name.parse::<c_int>().ok()));
            }
        }
        match found.as_slice() {
            [only] => Ok(pidfd_getfd(&process, *only, PidfdGetfdFlags::empty())?),
            several => {
                Err(io::Error::other(format!("it has opened {path} {} times", several.len())))
            }
        }
    }
}

impl AsFd for Questions {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

// What the kernel and the library call by one name is of one size.
const _: () = assert!(size_of::<libc::seccomp_notif>() == 80);
const _: () = assert!(size_of::<libc::seccomp_notif_resp>() == 24);

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::thread::set_no_new_privs;
    use std::time::Duration;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    #[test]
    fn a_call_is_answered_by_another_and_others_are_made() {
        let (send, receive) = std::sync::mpsc::channel();
        let asking = std::thread::spawn(move || {
            set_no_new_privs(true).unwrap();
            let _opened = std::fs::File::open("/proc/self/limits").unwrap();
            send.send(ask_for(libc::SYS_getppid).unwrap()).unwrap();
            // The first is told to have failed, the second to have been made.
            // SAFETY: the call takes nothing and changes nothing.
            let first = unsafe { libc::syscall(libc::SYS_getppid) };
            let error = io::Error::last_os_error().raw_os_error();
            // SAFETY: as above.
            let second = unsafe { libc::syscall(libc::SYS_getppid) };
            (first, error, second, std::process::id())
        });
        let questions = Questions::from_descriptor(receive.recv().unwrap());
        let first = questions.next(soon()).unwrap().unwrap();
        assert!(first.descriptor("/no/such").is_err());
        questions.answer(&first, Some(Errno::XDEV)).unwrap();
        let second = questions.next(soon()).unwrap().unwrap();
        questions.answer(&second, None).unwrap();
        assert!(questions.answer(&second, None).is_err(), "only once");
        let (first, error, second, _) = asking.join().unwrap();
        assert_eq!((first, error, second), (-1, Some(Errno::XDEV.raw_os_error()), 0));
        assert!(questions.next(soon()).unwrap().is_none(), "nobody is left");
    }

    #[test]
    fn a_descriptor_is_taken_only_if_there_is_exactly_one() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        let question = Question { id: 0, process: std::process::id() };
        assert!(question.descriptor(path).is_ok());
        let _second = std::fs::File::open(path).unwrap();
        assert!(question.descriptor(path).is_err());
    }
}
