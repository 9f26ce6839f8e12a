//! A machine that does not give what reading needs: that is said, and the carrier is not blamed.

use std::fs;
use std::process::Command;

use oms_testkit::run::{self, Outcome};
use oms_tests::json;
use oms_tests::scene::{Scene, appliance};

/// Starts a program whose system call of number `argv[1]` is refused, with the error `argv[2]`, when
/// its first argument is `argv[3]`, or always when that is `-`.
const FILTER: &str = r#"
import ctypes, os, struct, sys
number, error = int(sys.argv[1]), 0x00050000 | int(sys.argv[2])
code = [(0x20, 0, 0, 0), (0x15, 0, 1 if sys.argv[3] == "-" else 3, number)]
if sys.argv[3] != "-":
    code += [(0x20, 0, 0, 16), (0x15, 0, 1, int(sys.argv[3]))]
code += [(0x06, 0, 0, error), (0x06, 0, 0, 0x7FFF0000)]
filter = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in code))
class Program(ctypes.Structure):
    _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_void_p)]
program = Program(len(code), ctypes.addressof(filter))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.byref(program), 0, 0) == 0
os.execvp(sys.argv[4], sys.argv[4:])
"#;

const EPERM: u32 = 1;
const ENOMEM: u32 = 12;
const EMFILE: u32 = 24;
const IO_URING_SETUP: u32 = 425;
#[cfg(target_arch = "x86_64")]
const RT_SIGACTION: u32 = 13;
#[cfg(not(target_arch = "x86_64"))]
const RT_SIGACTION: u32 = 134;
const SIGINT: u32 = 2;

/// `command`, whose system call `number` gives `error`, with this first argument or any.
fn refused(number: u32, error: u32, first: Option<u32>, command: &Command) -> Command {
    let mut filtered = Command::new("python3");
    let first = first.map_or_else(|| "-".to_owned(), |first| first.to_string());
    filtered.args(["-c", FILTER, &number.to_string(), &error.to_string(), &first]);
    filtered.arg(command.get_program()).args(command.get_args());
    filtered
}

/// `command` under these limits of the shell.
fn limited(limits: &str, command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{limits}; exec \"$@\""), "sh"]);
    shell.arg(command.get_program()).args(command.get_args());
    shell
}

/// The codes of a run that could not begin or decide.
fn told(mut command: Command, status: i32) -> Vec<String> {
    let Outcome { stdout, .. } = run::outcome(&mut command).expect_status(status);
    let document: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    json::codes(&document["reasons"])
}

fn verify(scene: &Scene, reader: &str) -> Command {
    let mut verify = scene.verify();
    verify.args(["--reader", reader]);
    verify
}

#[test]
fn what_io_uring_lacks_for_now_is_no_wrong_usage() {
    let scene = Scene::signed();
    for error in [ENOMEM, EMFILE] {
        let lacking = |reader| refused(IO_URING_SETUP, error, None, &verify(&scene, reader));
        assert_eq!(told(lacking("io-uring"), 3), ["intake.resources"]);
        let _ = run::outcome(&mut lacking("auto")).expect_status(0);
    }
    // The kernel gives no table that is larger than the limit of open files.
    assert_eq!(told(limited("ulimit -n 40", &verify(&scene, "io-uring")), 3), ["intake.resources"]);
    // A machine that has none at all was asked for the wrong thing.
    let forbidden = refused(IO_URING_SETUP, EPERM, None, &verify(&scene, "io-uring"));
    assert_eq!(told(forbidden, 2), ["config.usage"]);
}

#[test]
fn signals_that_cannot_be_caught_are_no_cancelling() {
    let scene = Scene::signed();
    for command in [verify(&scene, "auto"), scene.ingest()] {
        let refused = refused(RT_SIGACTION, EPERM, Some(SIGINT), &command);
        assert_eq!(told(refused, 3), ["intake.resources"]);
    }
}

#[test]
fn files_that_cannot_be_opened_for_their_number_are_not_the_carriers_fault() {
    let scene = Scene::signed();
    for reader in ["auto", "threads"] {
        for command in [verify(&scene, reader), scene.ingest()] {
            // With the fewest, nothing can be read at all.
            for most in 4..24 {
                let mut command = limited(&format!("ulimit -n {most}"), &command);
                let outcome = run::outcome(&mut command);
                assert!(!outcome.stderr.contains("panicked"), "{most}: {outcome:?}");
                let expected = matches!(outcome.status, 0 | 2 | 3 | 127);
                assert!(expected, "{most} files: {outcome:?}");
                let blamed = ["media.unreadable", "manifest."].map(|c| outcome.stdout.contains(c));
                assert_eq!(blamed, [false; 2], "{most} files: {outcome:?}");
            }
        }
    }
    // What could not be removed without opening it goes with the next run.
    let _ = run::outcome(&mut scene.ingest()).expect_status(0);
    assert_eq!(fs::read_dir(&scene.station.spool).unwrap().count(), 0);
}

/// The number of processes counts for users other than root.
#[test]
fn threads_that_cannot_be_had_end_a_command_in_order() {
    if !rustix::process::geteuid().is_root() {
        return oms_tests::root::skipped("another user's limits are needed");
    }
    let scene = Scene::signed();
    // Wherever the program lies, the other user may run it here.
    let program = scene.path("program");
    fs::copy(run::command().get_program(), &program).unwrap();
    // A user who has nothing else at work.
    let user = 60_000 + std::process::id() % 5_000;
    let mut own = Command::new("chown");
    let owned = scene.carrier.parent().unwrap();
    let _ = run::outcome(own.args(["-R", &user.to_string()]).arg(owned)).expect_status(0);
    let bare = |command: &Command| {
        let mut bare = Command::new(&program);
        let limited = command.get_program() == "timeout";
        bare.args(command.get_args().skip(if limited { 3 } else { 0 }));
        bare
    };
    for reader in ["auto", "threads"] {
        for command in [bare(&verify(&scene, reader)), bare(&scene.ingest())] {
            // An ingest has several processes.
            for most in 1..16 {
                let mut limited = Command::new("prlimit");
                limited.arg(format!("--nproc={most}"));
                limited.args(["setpriv", &format!("--reuid={user}"), "--clear-groups"]);
                limited.arg(command.get_program()).args(command.get_args());
                let outcome = run::outcome(&mut limited);
                assert!(!outcome.stderr.contains("panicked"), "{most}: {outcome:?}");
                if outcome.status != 0 {
                    assert_eq!(outcome.status, 3, "{most}: {outcome:?}");
                    let told = ["intake.resources", "station.process", "process.failed"];
                    let is_told = told.iter().any(|code| outcome.stdout.contains(code));
                    assert!(is_told, "{most}: {outcome:?}");
                    assert!(!outcome.stdout.contains("\"media."), "{most}: {outcome:?}");
                }
            }
        }
    }
}

#[test]
fn sign_and_digest_tell_how_they_read() {
    let scene = Scene::signed();
    let mut digest = appliance();
    digest.arg("digest").arg(&scene.model).args(["--reader", "threads", "--json"]);
    let digested = run::outcome(&mut digest).expect_status(0).json();
    let mut sign = appliance();
    sign.arg("sign").arg(&scene.model).arg("--bundle").arg(scene.path("other.sig"));
    sign.arg("--key").arg(scene.path("vendor.key")).args(["--reader", "threads", "--json"]);
    let signed = run::outcome(&mut sign).expect_status(0).json();
    for document in [digested, signed] {
        let intake = &document["intake"];
        assert_eq!(intake["reader"], "threads", "{document:#}");
        assert_eq!(intake["files"], document["files"], "{document:#}");
        assert!(intake["bytes"].as_u64().unwrap() > 0 && intake["medium"].is_string());
    }
}
