//! The sandbox of each role, from inside real processes: what must not work does not, and what the
//! role needs does.
//!
//! ```text
//!   this program ── spawn ──▶ itself as `role NAME ... PLACE PROBE` ── sandbox, then one probe
//!        ▲                                                                │
//!        └────────── the error it got, or how the sandbox ended it ───────┘
//! ```
//!
//! Started by root it runs everything once more as a user without rights.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and says what it did"
)]

mod inside;
mod program;

use std::ffi::OsString;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use oms_station::process::wire::WireError;
use oms_station::process::{Ended, Role, SpawnError, Started, spawn};
use oms_sys::channel::ChannelError;
use rustix::io::Errno;

use inside::{Answer, PROBES, Probe};

/// What becomes of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// It did what it is for.
    Works,
    /// The kernel answered with this.
    Refused(Errno),
    /// The sandbox ended the process.
    Killed,
}

fn main() -> ExitCode {
    let mut args: Vec<OsString> = std::env::args_os().collect();
    if program::is_it(&args[0]) {
        return program::run();
    }
    args.remove(0);
    if args.get(1).is_some_and(|role| role == "program") {
        return oms_station::commands::run();
    }
    if args.first().is_some_and(|first| first == program::APART) {
        return program::apart();
    }
    if args.first().is_some_and(|first| first == "role") {
        return inside::run(&args);
    }
    // What the harness of other tests is asked for.
    if args.iter().any(|arg| arg == "--list") {
        return ExitCode::SUCCESS;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut wrong = 0;
    for role in Role::ALL {
        wrong += probes(role, folder.path());
        begins_confined(role, folder.path());
        does_not_begin_otherwise(role, folder.path());
    }
    inherits_nothing(folder.path());
    wrong += usize::from(!program::holds());
    println!("sandbox: {} wrong, as user {}", wrong, rustix::process::geteuid().as_raw());
    if wrong == 0 && rustix::process::geteuid().is_root() {
        return without_rights(folder.path());
    }
    ExitCode::from(u8::from(wrong > 0))
}

/// Makes every probe in a process of its own.
fn probes(role: Role, folder: &Path) -> usize {
    let place = prepare(&folder.join(role.name()));
    let mut wrong = 0;
    for probe in PROBES {
        let Some(due) = due(role, *probe) else { continue };
        let found = made(role, &place, *probe);
        if found != due {
            println!("WRONG {role}: {}: {found:?} instead of {due:?}", probe.name());
            wrong += 1;
        }
    }
    wrong
}

/// A folder with one folder to read and one to write.
fn prepare(place: &Path) -> OsString {
    for name in ["read", "write"] {
        std::fs::create_dir_all(place.join(name)).unwrap();
        std::fs::write(place.join(name).join("file"), vec![7; 8192]).unwrap();
    }
    std::fs::write(place.join("outside"), "").unwrap();
    place.into()
}

/// What must become of a probe; nothing where it does not apply.
fn due(role: Role, probe: Probe) -> Option<Outcome> {
    use Outcome::{Killed, Refused, Works};
    use oms_sys::probe::Attempt;
    let opens = role != Role::Mounter;
    // The decider has no file at all.
    let reads = opens && role != Role::Decider;
    let writes = matches!(role, Role::Copier | Role::Signer);
    let rings = matches!(role, Role::Copier | Role::Inspector);
    let threads = opens;
    let file = |allowed: bool| match (opens, allowed) {
        (false, _) => Killed,
        (true, true) => Works,
        (true, false) => Refused(Errno::ACCESS),
    };
    Some(match probe {
        Probe::Call(Attempt::MakeRing | Attempt::ChangeRing) => Refused(Errno::PERM),
        Probe::Call(Attempt::MapCode) if role == Role::Signer => Works,
        Probe::Call(Attempt::OtherNumbers) if !cfg!(target_arch = "x86_64") => return None,
        Probe::Call(_) => Killed,
        Probe::Socket => Refused(Errno::PERM),
        Probe::Connect | Probe::Bind | Probe::KillParent | Probe::Link | Probe::SymbolicLink => {
            Killed
        }
        Probe::OpenOutside | Probe::OpenOwnMemory | Probe::WriteWhereItReads => file(false),
        Probe::MakeWhereItReads | Probe::OpenBeneathPassed => file(false),
        Probe::OpenOutsideFromThread => file(false),
        Probe::Read | Probe::ReadDirect => file(reads),
        // A PKCS#11 module sets the modes of its files.
        Probe::ChangeMode if role == Role::Signer => Works,
        Probe::ChangeMode => Killed,
        Probe::Threads if !threads => Killed,
        Probe::Hash if !reads => return None,
        Probe::Threads | Probe::Hash => Works,
        Probe::Ring if !rings => return None,
        Probe::Module if role != Role::Signer || inside::module().is_none() => return None,
        Probe::ReadMount if role != Role::Copier || inside::mount().is_none() => return None,
        Probe::Write if writes => Works,
        Probe::Write => Killed,
        // What it would try opens a file.
        Probe::Random if !opens => return None,
        Probe::Ring | Probe::Module | Probe::ReadMount => Works,
        Probe::PassMemory | Probe::Time | Probe::Random | Probe::Limits => Works,
    })
}

/// Makes one probe.
fn made(role: Role, place: &OsString, probe: Probe) -> Outcome {
    let mount = (probe == Probe::ReadMount).then(inside::mount).flatten();
    let mut started = started(role, place, probe.name(), mount.as_ref().map(|fd| fd.as_fd()));
    let outside = std::fs::File::open("/etc").unwrap();
    started.wire.send(&"go", &[outside.as_fd()], soon()).unwrap();
    match started.wire.receive_with::<Answer>(soon()) {
        Ok((Answer { error: None, .. }, _)) => Outcome::Works,
        Ok((Answer { error: Some(code), text }, _)) => {
            if code == 0 {
                println!("{role}: {}: {text}", probe.name());
            }
            Outcome::Refused(Errno::from_raw_os_error(code))
        }
        Err(WireError::Channel(ChannelError::Ended)) => match started.child.wait(soon()).unwrap() {
            Some(Ended::Sandbox) => Outcome::Killed,
            other => panic!("{role}: {}: {other:?}", probe.name()),
        },
        Err(other) => panic!("{role}: {}: {other}", probe.name()),
    }
}

/// The kernel says of the process what the sandbox promises.
fn begins_confined(role: Role, folder: &Path) {
    let place = prepare(&folder.join(role.name()));
    let started = started(role, &place, Probe::Time.name(), None);
    let name = started.sandbox.clone().unwrap();
    let landlock = name.strip_prefix("landlock-").map(|rest| rest.split('+').next().unwrap());
    assert_eq!(landlock.is_some(), role != Role::Mounter, "{name}");
    assert!(landlock.is_none_or(|abi| abi.parse::<u32>().unwrap() >= 3), "{name}");
    assert!(name.ends_with("seccomp+netns"), "{name}");

    let status = std::fs::read_to_string(format!("/proc/{}/status", started.child.pid())).unwrap();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap().trim().to_owned()
    };
    let none = "0000000000000000";
    let kept = match role {
        Role::Mounter => "0000000000200000",
        Role::Copier => "0000000000000004",
        _ => none,
    };
    assert_eq!(field("CapEff:"), kept, "{role}");
    assert_eq!(field("CapPrm:"), kept, "{role}");
    for set in ["CapInh:", "CapBnd:", "CapAmb:"] {
        assert_eq!(field(set), none, "{role}: {set}");
    }
    assert_eq!(field("NoNewPrivs:"), "1");
    assert_eq!(field("Seccomp:"), "2");
    assert_eq!(field("Threads:"), "1");
    if rustix::process::geteuid().is_root() {
        let of = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/net")).unwrap();
        assert_ne!(of(&started.child.pid().to_string()), of("self"), "{role}");
    } else {
        // Nobody but root looks into a process that gave that up.
        assert!(std::fs::read_link(format!("/proc/{}/exe", started.child.pid())).is_err());
    }
}

/// A process that is not alone, or whose parent is another, does not begin.
fn does_not_begin_otherwise(role: Role, folder: &Path) {
    let place: OsString = folder.join(role.name()).into();
    for how in ["with-a-thread", "for-another-parent", "with-an-open-file"] {
        let refused = spawn(role, &[place.clone(), how.into()], None, soon().unwrap()).unwrap_err();
        let SpawnError::Begin { ended, .. } = refused else { panic!("{role}: {how}: {refused}") };
        assert_eq!(ended, Ended::Failed(3), "{role}: {how}");
    }
}

/// What is open here without care is not open there.
fn inherits_nothing(folder: &Path) {
    let careless = std::fs::File::open("/etc").unwrap();
    rustix::io::fcntl_setfd(&careless, rustix::io::FdFlags::empty()).unwrap();
    // It would not begin, had it inherited anything.
    drop(started(Role::Decider, &prepare(&folder.join("decider")), Probe::Time.name(), None));
}

fn started(role: Role, place: &OsString, probe: &str, folder: Option<BorrowedFd<'_>>) -> Started {
    spawn(role, &[place.clone(), probe.into()], folder, soon().unwrap())
        .unwrap_or_else(|error| panic!("{role}: {probe}: {error}"))
}

fn soon() -> Option<Instant> {
    Some(Instant::now() + Duration::from_secs(60))
}

/// Runs a copy of this program that nobody's rights suffice for.
fn without_rights(folder: &Path) -> ExitCode {
    const NOBODY: u32 = 65_534;
    let copy = folder.join("sandbox");
    std::fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
    for path in [folder, &copy] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let status = Command::new(&copy).current_dir("/").uid(NOBODY).gid(NOBODY).status().unwrap();
    if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
