//! The sandbox of a program that reads a file system, from inside: a copy of this one, in the place of
//! `ntfs-3g`, which the process of the role becomes.
//!
//! ```text
//!   this program ── unshare: mounts of its own ──▶ itself over /usr/bin/ntfs-3g
//!        ├── `role program` ── sandbox, exec ──▶ ntfs-3g, which is this program: every probe
//!        └◀──────────────────── what became of each, a line ────────────────────┘
//! ```

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _};
use std::net::TcpStream;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use oms_station::process::wire::Wire;
use oms_sys::channel::Channel;
use oms_sys::probe::Attempt;
use rustix::io::Errno;

/// What is replaced, and runs as whom.
const PROGRAM: &str = "/usr/bin/ntfs-3g";
/// The argument of a run that has mounts of its own.
pub(crate) const APART: &str = "program-apart";

/// Whether this process is the program of a file system.
pub(crate) fn is_it(name: &OsString) -> bool {
    name == PROGRAM
}

/// What is tried, and the error that it must end with.
fn probes() -> Vec<(String, Errno, io::Result<()>)> {
    let attempts = [
        Attempt::ForkElsewhere,
        Attempt::Trace,
        Attempt::LoadModule,
        Attempt::LoadBpf,
        Attempt::MakeRing,
        Attempt::ChangeRing,
        Attempt::ServeFaults,
        Attempt::Watch,
        Attempt::Enter,
        Attempt::Filter,
        #[cfg(target_arch = "x86_64")]
        Attempt::OtherNumbers,
    ];
    let attempts = attempts.iter().map(|one| (format!("{one:?}"), Errno::PERM, one.make()));
    let named = |name: &str, errno, done| (name.to_owned(), errno, done);
    let device = std::env::args_os().find(|arg| arg.to_string_lossy().contains("/fd/")).unwrap();
    let parent = rustix::process::getppid().unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    attempts
        .chain([
            // Nobody is there to be asked any more.
            named("mount", Errno::NOSYS, Attempt::Mount.make()),
            named("open", Errno::ACCESS, File::open("/etc/passwd").map(drop)),
            named("own memory", Errno::ACCESS, File::open("/proc/self/mem").map(drop)),
            named("make", Errno::ACCESS, File::create("/tmp/oms-program").map(drop)),
            named("write", Errno::ACCESS, File::options().write(true).open(device).map(drop)),
            named("mode", Errno::PERM, std::fs::set_permissions("/etc/passwd", mode)),
            named("execute", Errno::ACCESS, Err(Command::new("/usr/bin/true").exec())),
            named("tcp", Errno::PERM, TcpStream::connect("127.0.0.1:1").map(drop)),
            named("unix", Errno::PERM, UnixDatagram::unbound().map(drop)),
            named(
                "signal",
                Errno::PERM,
                Ok(rustix::process::test_kill_process(parent))
                    .and_then(|done| done.map_err(io::Error::from)),
            ),
        ])
        .collect()
}

/// Makes every probe, and tells what is not as it must be.
pub(crate) fn run() -> ExitCode {
    for (name, due, done) in probes() {
        let found = done.map_err(|error| error.raw_os_error());
        if found != Err(Some(due.raw_os_error())) {
            println!("{name}: {found:?} instead of {due}");
        }
    }
    let left = rustix::thread::capabilities(None).unwrap();
    if !(left.effective | left.permitted | left.inheritable).is_empty() {
        println!("it has capabilities: {left:?}");
    }
    if !rustix::thread::no_new_privs().unwrap() {
        println!("it may get new privileges");
    }
    println!("done");
    ExitCode::SUCCESS
}

/// Runs it where it may be mounted over the other; says whether all is as it must be.
pub(crate) fn holds() -> bool {
    if !rustix::process::geteuid().is_root() || !Path::new(PROGRAM).exists() {
        println!("program: left out, without root or {PROGRAM}");
        return true;
    }
    let exe = std::env::current_exe().unwrap();
    let mut apart = Command::new("unshare");
    apart.args(["--mount", "--propagation", "private"]).arg(exe).arg(APART);
    apart.status().unwrap().success()
}

/// Puts this program in the place of the other, has it started as that, and tells what it tells.
pub(crate) fn apart() -> ExitCode {
    rustix::mount::mount_bind(std::env::current_exe().unwrap(), PROGRAM).unwrap();
    let (here, there) = Channel::pair().unwrap();
    let mut command = Command::new("/proc/self/exe");
    command.arg0("oms-appliance").args(["role", "program", "--parent"]);
    command.arg(std::process::id().to_string()).env_clear().current_dir("/");
    command.stdin(Stdio::from(there.into_descriptor())).stdout(Stdio::piped());
    let mut process = command.spawn().unwrap();
    drop(command);
    let (wire, soon) = (Wire::new(here), Some(Instant::now() + Duration::from_secs(60)));
    let device = tempfile::NamedTempFile::new().unwrap();
    let device = File::open(device.path()).unwrap();
    let order = serde_json::json!({ "file_system": "ntfs" });
    wire.send(&order, &[device.as_fd()], soon).unwrap();
    // The questions are not answered: whoever asked finds nobody.
    drop(wire.receive_with::<serde_json::Value>(soon).unwrap());
    let mut told = String::new();
    process.stdout.take().unwrap().read_to_string(&mut told).unwrap();
    process.wait().unwrap();
    if told == "done\n" {
        return ExitCode::SUCCESS;
    }
    println!("WRONG program: {told}");
    ExitCode::FAILURE
}
