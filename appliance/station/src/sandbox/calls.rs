//! The system calls of each role: the table to review.
//!
//! What is in none of a role's groups ends the process. What is in [`REFUSED`] or [`ABSENT`] is
//! answered with an error, since libraries ask for it and go on without.

use libc::c_long;

use super::filter::When::{self, Always, Clear, Is, OneOf, Own, Set};
use crate::process::Role;

/// A system call, and with which arguments it is allowed.
pub(super) type Call = (c_long, When);

/// The groups of calls that `role` may make.
pub(super) fn allowed(role: Role) -> &'static [&'static [Call]] {
    match role {
        Role::Mounter => &[BASE, DATA_ONLY, MESSAGES, MOUNT],
        Role::Copier => &[BASE, DATA_ONLY, MESSAGES, THREADS, READ, WRITE, RING],
        Role::Decider => &[BASE, DATA_ONLY, MESSAGES, THREADS, READ],
        Role::Inspector => &[BASE, DATA_ONLY, MESSAGES, THREADS, READ, RING],
        Role::Signer => &[BASE, MODULE, MESSAGES, THREADS, READ, WRITE],
    }
}

/// Answered with `EPERM`.
pub(super) const REFUSED: &[c_long] = &[
    // A ring does what no filter sees: it is made before, and restricted to what is needed.
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_register,
    // Name services and modules ask for sockets and manage without.
    libc::SYS_socket,
    // SQLite wants its files to be the database's owner's, and manages without.
    libc::SYS_fchown,
];

/// Answered with `ENOSYS`.
pub(super) const ABSENT: &[c_long] = &[
    // Its flags lie in memory, where no filter sees them. The C library then takes `clone`.
    libc::SYS_clone3,
];

/// What any process needs: its memory, its signals, the time, and what is open already.
const BASE: &[Call] = &[
    (libc::SYS_read, Always),
    (libc::SYS_write, Always),
    (libc::SYS_readv, Always),
    (libc::SYS_writev, Always),
    (libc::SYS_pread64, Always),
    (libc::SYS_pwrite64, Always),
    (libc::SYS_lseek, Always),
    (libc::SYS_close, Always),
    (libc::SYS_dup, Always),
    (libc::SYS_dup3, Always),
    (libc::SYS_fstat, Always),
    (libc::SYS_fstatfs, Always),
    // How the C library and Rust's ask about an open file.
    (libc::SYS_newfstatat, Is(3, libc::AT_EMPTY_PATH as u64)),
    (libc::SYS_statx, Is(2, libc::AT_EMPTY_PATH as u64)),
    (libc::SYS_ftruncate, Always),
    (libc::SYS_fcntl, OneOf(1, FCNTL)),
    (libc::SYS_ppoll, Always),
    (libc::SYS_brk, Always),
    (libc::SYS_munmap, Always),
    (libc::SYS_mremap, Always),
    (libc::SYS_madvise, Always),
    (libc::SYS_memfd_create, Always),
    (libc::SYS_futex, Always),
    (libc::SYS_rt_sigaction, Always),
    (libc::SYS_rt_sigprocmask, Always),
    (libc::SYS_rt_sigreturn, Always),
    (libc::SYS_sigaltstack, Always),
    (libc::SYS_restart_syscall, Always),
    (libc::SYS_clock_gettime, Always),
    (libc::SYS_clock_getres, Always),
    (libc::SYS_clock_nanosleep, Always),
    (libc::SYS_nanosleep, Always),
    (libc::SYS_gettimeofday, Always),
    (libc::SYS_getrandom, Always),
    (libc::SYS_getpid, Always),
    (libc::SYS_gettid, Always),
    (libc::SYS_getppid, Always),
    (libc::SYS_getuid, Always),
    (libc::SYS_geteuid, Always),
    (libc::SYS_getgid, Always),
    (libc::SYS_getegid, Always),
    (libc::SYS_uname, Always),
    (libc::SYS_sysinfo, Always),
    (libc::SYS_sched_yield, Always),
    (libc::SYS_sched_getaffinity, Always),
    (libc::SYS_getcpu, Always),
    // Reading a limit.
    (libc::SYS_prlimit64, Is(2, 0)),
    // Names of threads and of memory.
    (libc::SYS_prctl, OneOf(0, &[libc::PR_SET_NAME as u64, libc::PR_SET_VMA as u64])),
    // How a process aborts itself.
    (libc::SYS_tgkill, Own(0)),
    // Whether standard error is a terminal.
    (libc::SYS_ioctl, Is(1, libc::TCGETS)),
    (libc::SYS_exit, Always),
    (libc::SYS_exit_group, Always),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_poll, Always),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_dup2, Always),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_time, Always),
];

/// What may be asked of a descriptor: flags, seals and locks; not whom it sends signals to.
const FCNTL: &[u64] = &[
    libc::F_DUPFD as u64,
    libc::F_DUPFD_CLOEXEC as u64,
    libc::F_GETFD as u64,
    libc::F_SETFD as u64,
    libc::F_GETFL as u64,
    libc::F_SETFL as u64,
    libc::F_ADD_SEALS as u64,
    libc::F_GET_SEALS as u64,
    libc::F_GETLK as u64,
    libc::F_SETLK as u64,
    libc::F_SETLKW as u64,
    libc::F_OFD_GETLK as u64,
    libc::F_OFD_SETLK as u64,
    libc::F_OFD_SETLKW as u64,
];

/// No memory ever becomes code.
const DATA_ONLY: &[Call] = &[
    (libc::SYS_mmap, Clear(2, libc::PROT_EXEC as u64)),
    (libc::SYS_mprotect, Clear(2, libc::PROT_EXEC as u64)),
];

/// The signer loads a module: files become code, and nothing is code and writable at once.
const MODULE: &[Call] = &[
    (libc::SYS_mmap, Clear(2, libc::PROT_EXEC as u64)),
    (libc::SYS_mmap, Clear(2, libc::PROT_WRITE as u64)),
    (libc::SYS_mprotect, Clear(2, libc::PROT_EXEC as u64)),
    // Modules keep their files to themselves.
    (libc::SYS_umask, Always),
    // Modules with a database wait and lock by these.
    (libc::SYS_flock, Always),
    // And set the modes of their files by their paths.
    (libc::SYS_fchmodat, Always),
    (libc::SYS_utimensat, Always),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_chmod, Always),
];

/// On sockets that are there already; none can be made.
const MESSAGES: &[Call] = &[
    (libc::SYS_sendmsg, Always),
    (libc::SYS_recvmsg, Always),
    // What kind of socket a descriptor is.
    (libc::SYS_getsockopt, Always),
];

/// A thread of this process, and no process.
const THREADS: &[Call] = &[
    (libc::SYS_clone, Set(0, THREAD, A_PROCESS)),
    (libc::SYS_set_robust_list, Always),
    (libc::SYS_rseq, Always),
];

/// What makes it a thread.
const THREAD: u64 =
    (libc::CLONE_THREAD | libc::CLONE_VM | libc::CLONE_SIGHAND | libc::CLONE_FILES) as u64;

/// What would give it other rights or another world.
const A_PROCESS: u64 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_VFORK
    | libc::CLONE_PTRACE
    | libc::CLONE_PARENT) as u64;

/// Opening and looking at files. Which ones, says Landlock.
const READ: &[Call] = &[
    (libc::SYS_openat, Always),
    (libc::SYS_openat2, Always),
    (libc::SYS_statx, Always),
    (libc::SYS_newfstatat, Always),
    (libc::SYS_getdents64, Always),
    (libc::SYS_readlinkat, Always),
    (libc::SYS_faccessat, Always),
    (libc::SYS_faccessat2, Always),
    (libc::SYS_statfs, Always),
    (libc::SYS_getcwd, Always),
    (libc::SYS_preadv, Always),
    (libc::SYS_preadv2, Always),
    (libc::SYS_fadvise64, Always),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_open, Always),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_stat, Always),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_lstat, Always),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_access, Always),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_readlink, Always),
];

/// Making, writing, renaming and removing files.
const WRITE: &[Call] = &[
    (libc::SYS_pwritev, Always),
    (libc::SYS_pwritev2, Always),
    (libc::SYS_copy_file_range, Always),
    // Sharing the blocks of a file on the same file system.
    (libc::SYS_ioctl, Is(1, libc::FICLONE)),
    (libc::SYS_fallocate, Always),
    (libc::SYS_fsync, Always),
    (libc::SYS_fdatasync, Always),
    (libc::SYS_sync_file_range, Always),
    (libc::SYS_syncfs, Always),
    (libc::SYS_mkdirat, Always),
    (libc::SYS_unlinkat, Always),
    (libc::SYS_renameat, Always),
    (libc::SYS_renameat2, Always),
    // Of what could be opened. By a path it would be any file of the station's user, since no rule of
    // Landlock is about modes and times.
    (libc::SYS_fchmod, Always),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_mkdir, Always),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_rmdir, Always),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_unlink, Always),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_rename, Always),
];

/// Using a ring that was made before.
const RING: &[Call] = &[(libc::SYS_io_uring_enter, Always)];

/// Making a detached mount of a device that is open already. The mounter opens no file.
const MOUNT: &[Call] = &[
    (libc::SYS_fsopen, Always),
    (libc::SYS_fsconfig, Always),
    (libc::SYS_fsmount, Always),
    (libc::SYS_mount_setattr, Always),
    // Read-only before anything is mounted: set it, see it; and how large the device is.
    (libc::SYS_ioctl, OneOf(1, &[BLKROSET, BLKROGET, BLKGETSIZE64])),
];

const BLKROSET: u64 = 0x125d;
const BLKROGET: u64 = 0x125e;
const BLKGETSIZE64: u64 = 0x8008_1272;

#[cfg(test)]
mod tests {
    use super::*;

    /// Every call of a role, with its condition.
    fn of(role: Role) -> Vec<Call> {
        allowed(role).iter().flat_map(|group| group.iter().copied()).collect()
    }

    #[test]
    fn no_role_can_start_a_program_trace_load_or_leave() {
        let never = [
            libc::SYS_execve,
            libc::SYS_execveat,
            libc::SYS_ptrace,
            libc::SYS_process_vm_writev,
            libc::SYS_init_module,
            libc::SYS_finit_module,
            libc::SYS_kexec_load,
            libc::SYS_bpf,
            libc::SYS_userfaultfd,
            libc::SYS_perf_event_open,
            libc::SYS_setns,
            libc::SYS_unshare,
            libc::SYS_chroot,
            libc::SYS_pivot_root,
            libc::SYS_mount,
            libc::SYS_move_mount,
            libc::SYS_open_tree,
            libc::SYS_umount2,
            libc::SYS_kill,
            libc::SYS_tkill,
            libc::SYS_pidfd_getfd,
            libc::SYS_pidfd_send_signal,
            libc::SYS_connect,
            libc::SYS_bind,
            libc::SYS_open_by_handle_at,
            libc::SYS_keyctl,
            libc::SYS_pkey_mprotect,
            libc::SYS_personality,
            libc::SYS_linkat,
            libc::SYS_symlinkat,
            libc::SYS_mknodat,
            libc::SYS_fchownat,
            libc::SYS_setxattr,
            libc::SYS_seccomp,
            libc::SYS_capset,
            libc::SYS_setuid,
        ];
        for role in Role::ALL {
            for (call, _) in of(role) {
                assert!(!never.contains(&call), "{role}: {call}");
                assert!(!REFUSED.contains(&call) && !ABSENT.contains(&call), "{role}: {call}");
            }
        }
    }

    #[test]
    fn only_who_writes_copies_or_records_can_make_files() {
        for role in Role::ALL {
            let by_path = [libc::SYS_fchmodat, libc::SYS_utimensat];
            let modes = of(role).iter().any(|(call, _)| by_path.contains(call));
            assert_eq!(modes, role == Role::Signer, "{role}");
            let writes = of(role).iter().any(|(call, _)| *call == libc::SYS_renameat2);
            assert_eq!(writes, matches!(role, Role::Copier | Role::Signer), "{role}");
            let mounts = of(role).iter().any(|(call, _)| *call == libc::SYS_fsmount);
            assert_eq!(mounts, role == Role::Mounter, "{role}");
            let opens = of(role).iter().any(|(call, _)| *call == libc::SYS_openat);
            assert_eq!(opens, role != Role::Mounter, "{role}");
            let ring = of(role).iter().any(|(call, _)| *call == libc::SYS_io_uring_enter);
            assert_eq!(ring, matches!(role, Role::Copier | Role::Inspector), "{role}");
        }
    }
}
