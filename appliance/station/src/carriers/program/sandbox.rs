//! The sandbox of a program that reads a file system: somebody else's, in C, fed by an enemy.
//!
//! It can open the device, its libraries and `/dev/fuse`, and make no file. What it could do to the
//! kernel or to others is answered with an error: these programs try much that they do not need.

use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;
use std::path::Path;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible as _, PathBeneath,
    PathFd, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, RulesetStatus, Scope,
    make_bitflags,
};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter, sock_filter,
};

/// The oldest Landlock that will do, and the newest that is known.
const NEEDED: ABI = ABI::V3;
const NEWEST: ABI = ABI::V9;

const READ: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile});
const SERVE: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | WriteFile});
const RUN: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | Execute});
const LIBRARIES: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | ReadDir | Execute});

/// What a program is made of, and how characters are written.
const FOLDERS: &[&str] = &["/lib", "/lib64", "/usr/lib", "/usr/lib64"];
/// What it reads besides.
const FILES: &[&str] = &["/etc/ld.so.cache", "/proc/filesystems", "/proc/self/mounts"];

/// Why there is no sandbox.
#[derive(Debug, thiserror::Error)]
pub(super) enum SandboxError {
    /// Landlock cannot be had
    #[error("its files cannot be limited: {0}")]
    Landlock(#[from] landlock::RulesetError),
    /// Landlock took the rules and did not enforce them
    #[error("Landlock is not enforced")]
    NotEnforced,
    /// a place that it needs is not there
    #[error("{0}")]
    Place(#[from] landlock::PathFdError),
    /// the filter cannot be made
    #[error("its system calls cannot be limited: {0}")]
    Compile(#[from] seccompiler::BackendError),
    /// the kernel did not take the filter
    #[error("its system calls cannot be limited: {0}")]
    Apply(#[from] seccompiler::Error),
}

/// Leaves this process what `program` needs to read `device` and serve by `fuse`, for good.
pub(super) fn confine(
    program: &Path,
    device: BorrowedFd<'_>,
    fuse: &Path,
) -> Result<(), SandboxError> {
    // The last one refuses to add another.
    let filters = [pretended()?, other_numbers(), refused()?];
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(NEEDED))?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?;
    // Devices take orders; these two take those that such programs are made of.
    let orders = |access| access | AccessFs::IoctlDev;
    rules = rules.add_rule(PathBeneath::new(device, orders(READ)))?;
    rules = rules.add_rule(PathBeneath::new(PathFd::new(fuse)?, orders(SERVE)))?;
    rules = rules.add_rule(PathBeneath::new(PathFd::new("/dev/null")?, SERVE))?;
    rules = rules.add_rule(PathBeneath::new(PathFd::new(program)?, RUN))?;
    for (places, access) in [(FOLDERS, LIBRARIES), (FILES, READ)] {
        // Not every machine has all of them.
        for place in places.iter().filter_map(|place| PathFd::new(place).ok()) {
            rules = rules.add_rule(PathBeneath::new(place, access))?;
        }
    }
    if rules.restrict_self()?.ruleset == RulesetStatus::NotEnforced {
        return Err(SandboxError::NotEnforced);
    }
    for filter in &filters {
        apply_filter(filter)?;
    }
    Ok(())
}

/// Answered with `EPERM`: what reaches others, the kernel's insides, or more rights. `mount` is not
/// among it: that is asked for.
const REFUSED: &[libc::c_long] = &[
    // Others.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pidfd_send_signal,
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_setpriority,
    libc::SYS_sched_setscheduler,
    libc::SYS_sched_setattr,
    libc::SYS_ioprio_set,
    libc::SYS_prlimit64,
    // The network and other ways out. A pair of sockets of its own is none.
    libc::SYS_socket,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_mq_open,
    libc::SYS_shmget,
    libc::SYS_msgget,
    libc::SYS_semget,
    // More rights, and other worlds.
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_chroot,
    libc::SYS_pivot_root,
    libc::SYS_umount2,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_mount_setattr,
    libc::SYS_capset,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_personality,
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    // The kernel's insides.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_syslog,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_memfd_create,
    libc::SYS_memfd_secret,
    libc::SYS_seccomp,
    libc::SYS_vhangup,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_modify_ldt,
    // Files of others: who has root's number could change their mode or owner without opening them.
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    libc::SYS_utimensat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chmod,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chown,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lchown,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_utime,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_utimes,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_futimesat,
    // Its flags lie in memory, where no filter sees them. The C library then takes `clone`.
    libc::SYS_clone3,
];

/// A process of its own is allowed, another world for it is not.
const OTHER_WORLDS: u64 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET) as u64;

/// Answered as if it were done: ntfs-3g gives up rights for a moment that it does not have, and ends
/// when it cannot.
const PRETENDED: &[libc::c_long] = &[
    libc::SYS_setgroups,
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setreuid,
    libc::SYS_setregid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_setfsuid,
    libc::SYS_setfsgid,
];

fn pretended() -> Result<BpfProgram, SandboxError> {
    program(PRETENDED.iter().map(|call| (*call, Vec::new())).collect(), 0)
}

fn refused() -> Result<BpfProgram, SandboxError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        REFUSED.iter().map(|call| (*call, Vec::new())).collect();
    let mut worlds = Vec::new();
    for bit in (0..u64::BITS).map(|bit| 1 << bit).filter(|bit| OTHER_WORLDS & bit != 0) {
        let has = SeccompCmpOp::MaskedEq(bit);
        let condition = SeccompCondition::new(0, SeccompCmpArgLen::Qword, has, bit)?;
        worlds.push(SeccompRule::new(vec![condition])?);
    }
    rules.insert(libc::SYS_clone, worlds);
    program(rules, libc::EPERM)
}

/// Answers calls by the numbers of x32 with `EPERM`, whichever they are: no list of refused calls
/// has those.
fn other_numbers() -> BpfProgram {
    /// The bit that such numbers have.
    const X32: u32 = 0x4000_0000;
    let instruction = |code: u32, jt, jf, k| sock_filter {
        code: u16::try_from(code).unwrap_or(u16::MAX),
        jt,
        jf,
        k,
    };
    // The number is the first field of what a filter is given.
    let load = instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0);
    let test = instruction(libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K, 0, 1, X32);
    let answer = |value| instruction(libc::BPF_RET | libc::BPF_K, 0, 0, value);
    let refuse = answer(libc::SECCOMP_RET_ERRNO | libc::EPERM.cast_unsigned());
    vec![load, test, refuse, answer(libc::SECCOMP_RET_ALLOW)]
}

/// A filter that answers what is in `rules` with `errno`, and allows the rest.
fn program(
    rules: BTreeMap<i64, Vec<SeccompRule>>,
    errno: libc::c_int,
) -> Result<BpfProgram, SandboxError> {
    let answer = SeccompAction::Errno(errno.cast_unsigned());
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    Ok(SeccompFilter::new(rules, SeccompAction::Allow, answer, arch)?.try_into()?)
}
