//! What the process in the sandbox does.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

use clap::ValueEnum as _;
use oms_station::cancel::Cancel;
use oms_station::intake::{Reading, Settings};
use oms_station::process::wire::{one, open, seal};
use oms_station::process::{Beginning, Begun, Role};
use oms_station::progress::{Display, Progress};
use oms_station::sandbox::{Files, Place};
use oms_sys::confine::Pid;
use oms_sys::probe::Attempt;
use oms_sys::ring::{self, Outcome, Reader, Ring};
use oms_verify::policy::MediaRules;
use rustix::fs::{CWD, Mode, OFlags, openat};
use serde::{Deserialize, Serialize};

/// Something that is tried in a sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probe {
    Call(Attempt),
    Socket,
    Connect,
    Bind,
    KillParent,
    Link,
    SymbolicLink,
    OpenOutside,
    OpenOutsideFromThread,
    OpenOwnMemory,
    OpenBeneathPassed,
    WriteWhereItReads,
    MakeWhereItReads,
    ChangeMode,
    Read,
    ReadDirect,
    ReadMount,
    Write,
    Threads,
    Hash,
    Ring,
    Module,
    PassMemory,
    Time,
    Random,
    Limits,
}

/// All of them.
pub(crate) const PROBES: &[Probe] = &[
    Probe::Call(Attempt::Execute),
    Probe::Call(Attempt::Fork),
    Probe::Call(Attempt::ForkElsewhere),
    Probe::Call(Attempt::Trace),
    Probe::Call(Attempt::Mount),
    Probe::Call(Attempt::LoadModule),
    Probe::Call(Attempt::LoadBpf),
    Probe::Call(Attempt::MakeRing),
    Probe::Call(Attempt::ChangeRing),
    Probe::Call(Attempt::ServeFaults),
    Probe::Call(Attempt::Watch),
    Probe::Call(Attempt::Enter),
    Probe::Call(Attempt::Filter),
    Probe::Call(Attempt::BecomeRoot),
    Probe::Call(Attempt::GetCapabilities),
    Probe::Call(Attempt::OtherNumbers),
    Probe::Call(Attempt::MapCode),
    Probe::Call(Attempt::BecomeCode),
    Probe::Call(Attempt::MapWritableCode),
    Probe::Socket,
    Probe::Connect,
    Probe::Bind,
    Probe::KillParent,
    Probe::Link,
    Probe::SymbolicLink,
    Probe::OpenOutside,
    Probe::OpenOutsideFromThread,
    Probe::OpenOwnMemory,
    Probe::OpenBeneathPassed,
    Probe::WriteWhereItReads,
    Probe::MakeWhereItReads,
    Probe::ChangeMode,
    Probe::Read,
    Probe::ReadDirect,
    Probe::ReadMount,
    Probe::Write,
    Probe::Threads,
    Probe::Hash,
    Probe::Ring,
    Probe::Module,
    Probe::PassMemory,
    Probe::Time,
    Probe::Random,
    Probe::Limits,
];

impl Probe {
    /// The name, as it is passed on the command line.
    pub(crate) fn name(self) -> &'static str {
        let at = PROBES.iter().position(|probe| *probe == self).unwrap();
        // One for each, without a second list of names.
        static NAMES: std::sync::OnceLock<Vec<String>> = std::sync::OnceLock::new();
        &NAMES.get_or_init(|| PROBES.iter().map(|probe| format!("{probe:?}")).collect())[at]
    }
}

/// What became of a probe that did not end the process.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Answer {
    /// The kernel's error; 0 for another one.
    pub(crate) error: Option<i32>,
    pub(crate) text: String,
}

/// What is at hand for a probe.
struct Hand {
    begun: Begun,
    place: PathBuf,
    given: OwnedFd,
    ring: Option<(Ring, Vec<ring::Buffer>)>,
    module: Option<PathBuf>,
}

/// Begins as the role, makes the probe, and tells what became of it.
pub(crate) fn run(args: &[OsString]) -> ExitCode {
    match begin(args) {
        Ok((mut hand, probe)) => {
            let result = make(&mut hand, probe);
            let error = result.as_ref().err().map(|e| e.raw_os_error().unwrap_or(0));
            let text = result.err().map_or(String::new(), |e| e.to_string());
            hand.begun.wire.send(&Answer { error, text }, &[], None).unwrap();
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::from(3)
        }
    }
}

fn begin(args: &[OsString]) -> Result<(Hand, Probe), Box<dyn std::error::Error>> {
    let [_, role, _, parent, place, probe] = args else { panic!("{args:?}") };
    let role = Role::from_str(role.to_str().unwrap(), false)?;
    let mut parent = Pid::from_raw(parent.to_str().unwrap().parse()?).unwrap();
    let place = PathBuf::from(place);
    let mut left_open = None;
    match probe.to_str().unwrap() {
        "with-a-thread" => drop(std::thread::spawn(|| std::thread::sleep(Duration::MAX))),
        "for-another-parent" => parent = Pid::INIT,
        "with-an-open-file" => left_open = Some(File::open("/")?),
        _ => {}
    }
    let mut beginning = Beginning::here()?;
    drop(left_open);
    let probe = PROBES.iter().copied().find(|known| OsStr::new(known.name()) == probe);
    let probe = probe.unwrap_or(Probe::Time);
    let settings = ring::Settings { reader: Reader::IoUring, buffers: 1, buffer_bytes: 4096 };
    let ring = (probe == Probe::Ring).then(|| Ring::new(&settings)).transpose()?;

    let (read, write) = (place.join("read"), place.join("write"));
    let mut files = Files::default();
    // As in a station: the decider cannot even open the copies.
    if role != Role::Decider {
        files.read.push(Place::Path(&read));
    }
    if matches!(role, Role::Copier | Role::Signer) {
        files.write.push(Place::Path(&write));
    }
    let folder = beginning.take_folder();
    files.read.extend(folder.iter().map(|fd| Place::Open(fd.as_fd())));
    let module = (probe == Probe::Module).then(module).flatten();
    let libraries: Vec<PathBuf> = ["/usr/lib", "/lib", "/lib64", "/etc/ld.so.cache"]
        .iter()
        .map(PathBuf::from)
        .filter(|path| path.exists())
        .collect();
    if module.is_some() {
        files.read.extend(libraries.iter().map(|path| Place::Path(path)));
    }
    let deadline = Instant::now() + Duration::from_secs(60);
    let begun = beginning.enter(role, parent, Some(&files), deadline)?;
    let (_, given) = begun.wire.receive_with::<String>(Some(deadline))?;
    let given = one(given)?;
    let given = folder.unwrap_or(given);
    Ok((Hand { begun, place, given, ring, module }, probe))
}

fn make(hand: &mut Hand, probe: Probe) -> io::Result<()> {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, bind, connect, socket};
    let (read, write) = (hand.place.join("read"), hand.place.join("write"));
    match probe {
        Probe::Call(attempt) => attempt.make(),
        Probe::Socket => {
            // Each kind: to the network, to a path, to an abstract name, to the kernel.
            let families = [
                AddressFamily::INET,
                AddressFamily::INET6,
                AddressFamily::UNIX,
                AddressFamily::NETLINK,
            ];
            let made = families.map(|family| socket(family, SocketType::RAW, None).map(drop));
            assert!(made.iter().all(|one| *one == made[0]), "{made:?}");
            Ok(made[0]?)
        }
        Probe::Connect => {
            let address = SocketAddrUnix::new_abstract_name(b"oms")?;
            Ok(connect(&hand.given, &address)?)
        }
        Probe::Bind => Ok(bind(&hand.given, &SocketAddrUnix::new_abstract_name(b"oms")?)?),
        Probe::KillParent => {
            Ok(rustix::process::test_kill_process(rustix::process::getppid().unwrap())?)
        }
        Probe::Link => std::fs::hard_link(write.join("file"), write.join("link")),
        Probe::SymbolicLink => std::os::unix::fs::symlink("/etc", write.join("symlink")),
        Probe::OpenOutside => File::open("/etc/passwd").map(drop),
        Probe::OpenOutsideFromThread => {
            std::thread::spawn(|| File::open("/etc/passwd").map(drop)).join().unwrap()
        }
        Probe::OpenOwnMemory => File::open("/proc/self/mem").map(drop),
        Probe::OpenBeneathPassed => {
            Ok(openat(&hand.given, "passwd", OFlags::RDONLY, Mode::empty()).map(drop)?)
        }
        Probe::WriteWhereItReads => {
            std::fs::OpenOptions::new().write(true).open(read.join("file")).map(drop)
        }
        Probe::MakeWhereItReads => File::create_new(read.join("new")).map(drop),
        Probe::ChangeMode => {
            // By a path: no rule about files is asked.
            let outside = hand.place.join("outside");
            std::fs::set_permissions(outside, std::os::unix::fs::PermissionsExt::from_mode(0o600))
        }
        Probe::Read => {
            let names = std::fs::read_dir(&read)?.count();
            assert_eq!((names, std::fs::read(read.join("file"))?.len()), (1, 8192));
            Ok(())
        }
        Probe::ReadDirect => {
            let mut options = std::fs::OpenOptions::new();
            options.read(true).custom_flags(OFlags::NOATIME.bits().cast_signed());
            let file = options.open(read.join("file"))?;
            // What the file system does not offer is not the sandbox's business.
            if oms_sys::direct::enable(&file)?.is_some() {
                oms_sys::direct::disable(&file)?;
            }
            (&file).read_to_end(&mut Vec::new()).map(drop)
        }
        Probe::ReadMount => {
            let file = openat(&hand.given, "file", OFlags::RDONLY, Mode::empty())?;
            let mut text = String::new();
            File::from(file).read_to_string(&mut text)?;
            assert_eq!(text, "mounted");
            Ok(())
        }
        Probe::Write => copies(&write),
        Probe::Threads => {
            let names = (0..4).map(|at| {
                std::thread::Builder::new().name(format!("worker-{at}")).spawn(move || at)
            });
            let sum: i32 = names.map(|thread| thread.unwrap().join().unwrap()).sum::<i32>();
            assert_eq!(sum, 6);
            let _ = std::thread::available_parallelism();
            Ok(())
        }
        Probe::Hash => hash(&read),
        Probe::Ring => {
            let (ring, buffers) = hand.ring.as_mut().unwrap();
            let handle = ring.attach(File::open(read.join("file"))?);
            ring.read(1, &handle, 0, buffers.pop().unwrap(), 4096, ring::Place::Here);
            let done = ring.wait(None).unwrap().unwrap();
            let Outcome::Moved { bytes, .. } = done.outcome else { panic!("{done:?}") };
            assert_eq!(bytes?, 4096);
            assert_eq!(ring.report().reader, Reader::IoUring);
            Ok(())
        }
        Probe::Module => {
            let module = hand.module.as_ref().unwrap();
            // Without a configuration the module answers with an error of its own, which it does
            // after it was loaded.
            cryptoki::context::Pkcs11::new(module).map(drop).map_err(io::Error::other)
        }
        Probe::PassMemory => {
            let value = vec![1_u32, 2, 3];
            let sealed = seal(&value, 100).map_err(io::Error::other)?;
            let fd = sealed.as_fd().try_clone_to_owned()?;
            let back: Vec<u32> = open(fd, 100).map_err(io::Error::other)?;
            assert_eq!(back, value);
            hand.begun
                .wire
                .send(&Answer { error: None, text: String::new() }, &[sealed.as_fd()], None)
                .map_err(io::Error::other)
        }
        Probe::Time => {
            std::thread::sleep(Duration::from_micros(1));
            SystemTime::now().elapsed().map(drop).map_err(io::Error::other)
        }
        Probe::Random => aws_lc_rs::rand::fill(&mut [0; 32]).map_err(io::Error::other),
        Probe::Limits => {
            use rustix::process::{Resource, getrlimit};
            assert_eq!(getrlimit(Resource::Core).maximum, Some(0));
            assert!(getrlimit(Resource::Nofile).maximum.is_some_and(|most| most <= 16_384));
            assert!(getrlimit(Resource::Data).maximum.is_some());
            Ok(())
        }
    }
}

/// All that is done to copies and records.
fn copies(write: &Path) -> io::Result<()> {
    let folder = write.join("folder");
    std::fs::create_dir(&folder)?;
    let mut file = File::create_new(folder.join("new"))?;
    file.write_all(b"copy")?;
    rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::KEEP_SIZE, 0, 4096)?;
    file.sync_all()?;
    oms_sys::durable::FileSystem::of(&folder)?.sync()?;
    oms_sys::durable::rename_new(&folder.join("new"), &write.join("moved"))?;
    oms_sys::durable::replace(&write.join("moved"), b"other", 0o600)?;
    rustix::fs::renameat(CWD, write.join("moved"), CWD, folder.join("back"))?;
    std::fs::remove_dir_all(&folder)
}

/// The engine of the station, with threads and all, as it reads without a ring.
fn hash(model: &Path) -> io::Result<()> {
    let progress = Progress::new("", Display::None, &Cancel::default());
    let reading = Reading {
        settings: Settings::default(),
        rules: MediaRules::default(),
        progress: &progress,
    };
    let plan = oms_station::sign::Plan {
        hash: oms_verify::hash::HashAlgorithm::Sha256,
        method: oms_verify::statement::Method::Files,
        ignore: Vec::new(),
    };
    let budget = oms_verify::budget::Budget::default();
    match oms_station::sign::hash_model(model, &plan, &budget, &reading) {
        Ok(hashed) => {
            assert_eq!(hashed.manifest.files().len(), 1);
            Ok(())
        }
        Err(reasons) => Err(io::Error::other(format!("{reasons:?}"))),
    }
}

/// A PKCS#11 module of this machine.
pub(crate) fn module() -> Option<PathBuf> {
    let places = [
        "/usr/lib/softhsm/libsofthsm2.so",
        "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
        "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
        "/usr/lib64/pkcs11/libsofthsm2.so",
    ];
    places.iter().map(PathBuf::from).find(|path| path.exists())
}

/// A mount that is nowhere in the tree, with one file; nothing where there is no right to mount.
pub(crate) fn mount() -> Option<OwnedFd> {
    use rustix::mount::{
        FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen,
    };
    let context = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC).ok()?;
    fsconfig_create(context.as_fd()).ok()?;
    let mount =
        fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty()).ok()?;
    let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC;
    let mut file = File::from(openat(&mount, "file", flags, Mode::RUSR).ok()?);
    file.write_all(b"mounted").ok()?;
    // What a process is started with is open, and not only a place.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(&mount, ".", flags, Mode::empty()).ok()
}
