//! Programs that read a file system which the kernel has no driver for, by FUSE.
//!
//! ```text
//!  supervisor ── Order + device ──▶ role program: asks for mounts ── sandbox ── becomes the program
//!      ▲  ▲                                │ questions                               │
//!      │  └────────────────────────────────┘                                         │
//!      │◀──────────── kernel: it wants to mount(2), and has opened /dev/fuse ────────┘
//!      └── its /dev/fuse ──▶ mounter ── mount ──▶ and only then the program is told: done
//! ```
//!
//! Such programs parse hostile bytes in C and insist on mounting by themselves. Here they may not:
//! they run without any capability, network or file but the device and their own libraries, and
//! the question of each mount comes to the supervisor, which has the mounter do it.

use std::convert::Infallible;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use oms_sys::block::BlockDevice;
use oms_sys::channel::Channel;
use oms_sys::confine::{
    CapabilitySet, Left, Limit, Pid, Resource, close_on_exec, give_up, nothing_else_open,
    single_threaded,
};
use oms_sys::notify::{Question, Questions, ask_for};
use oms_sys::superblock::FileSystem;
use oms_verify::reason::{Code, Reason};
use rustix::fs::{fstat, major, minor};
use rustix::io::{FdFlags, fcntl_setfd};
use serde::{Deserialize, Serialize};

use self::sandbox::confine;
use super::mounter::Serves;
use crate::process::wire::{Wire, one};

mod sandbox;

/// How long a program may take until it wants to mount: it looks at the file system before.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where programs are looked for.
const FOLDERS: &[&str] = &["/usr/bin", "/usr/sbin", "/bin", "/sbin"];

/// The device by which programs serve file systems, and its number.
const FUSE: &str = "/dev/fuse";
const FUSE_NUMBER: (u32, u32) = (10, 229);

/// What a program may use of the machine.
const LIMITS: &[Limit] = &[
    Limit { resource: Resource::Core, most: 0 },
    Limit { resource: Resource::Fsize, most: 0 },
    Limit { resource: Resource::Nofile, most: 256 },
    Limit { resource: Resource::Data, most: 1 << 30 },
    Limit { resource: Resource::Msgqueue, most: 0 },
    Limit { resource: Resource::Rtprio, most: 0 },
];

/// The program for a file system: its name, and what stands before and after the device. Each stays
/// in the foreground, reads only, and is told to mount on a folder that is not empty, which it never
/// does.
type Recipe = (&'static str, &'static [&'static str], &'static [&'static str]);

fn recipe(kind: FileSystem) -> Option<Recipe> {
    match kind {
        FileSystem::Vfat => Some(("fusefat", &[], &["/", "-f", "-s", "-o", "ro,nonempty"])),
        FileSystem::Exfat => Some(("mount.exfat-fuse", &["-d", "-o", "ro,nonempty"], &["/"])),
        FileSystem::Ntfs => Some(("ntfs-3g", &["-o", "ro,no_detach,nonempty"], &["/"])),
        _ => None,
    }
}

/// A program that serves a file system. Dropped, it is ended.
#[derive(Debug)]
pub(super) struct Program {
    /// Ends with this.
    _process: Running,
    /// Its `/dev/fuse`, and its question whether it may mount, as long as that waits for an answer.
    /// Whoever kept the one open would keep alive what nobody serves any more.
    asked: Option<(OwnedFd, Questions, Question)>,
}

/// What the process is told before it becomes the program.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    file_system: String,
}

/// That it asks from now on. With where the questions come in.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ready {}

impl Program {
    /// Starts the program for `kind` on `device`, and waits until it wants to mount.
    ///
    /// # Errors
    /// When there is none, or it does not find what it wants, or gives no answer.
    pub(super) fn start(
        kind: FileSystem,
        device: &BlockDevice,
        insecure_no_sandbox: bool,
    ) -> Result<Program, Reason> {
        let now = Instant::now();
        let deadline = now.checked_add(PATIENCE).unwrap_or(now);
        let name = found(kind)?;
        let name = name.display();
        let told = |error: &dyn std::fmt::Display| {
            Reason::new(Code::CarrierMount, format!("{name} could not serve the {kind}: {error}"))
        };
        close_on_exec().map_err(|e| told(&e))?;
        let (here, there) = Channel::pair().map_err(|e| told(&e))?;
        let mut command = Command::new("/proc/self/exe");
        command.arg0("oms-appliance").args(["role", "program"]);
        command.args(["--parent", &std::process::id().to_string()]);
        if insecure_no_sandbox {
            command.arg("--insecure-no-sandbox");
        }
        command.env_clear().current_dir("/").stdin(Stdio::from(there.into_descriptor()));
        // They tell every step, and nothing that says more than how they end.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut process = command.spawn().map(Running).map_err(|e| told(&e))?;
        // It holds the program's end of the channel, whose end is otherwise never seen.
        drop(command);
        let wire = Wire::new(here);
        let order = Order { file_system: kind.name().to_owned() };
        wire.send(&order, &[device.as_fd()], Some(deadline)).map_err(|e| told(&e))?;
        let (Ready {}, with) = wire.receive_with(Some(deadline)).map_err(|e| told(&e))?;
        let questions = Questions::from_descriptor(one(with).map_err(|e| told(&e))?);
        let Some(question) = questions.next(deadline).map_err(|e| told(&e))? else {
            let ended = process.0.try_wait().ok().flatten();
            let how = ended.map_or("it gave no answer".to_owned(), |status| status.to_string());
            return Err(told(&how));
        };
        let served = question.descriptor(FUSE).map_err(|e| told(&e))?;
        let number = fstat(&served).map(|stat| (major(stat.st_rdev), minor(stat.st_rdev)));
        if number != Ok(FUSE_NUMBER) {
            return Err(told(&"what it opened as /dev/fuse is something else"));
        }
        Ok(Program { _process: process, asked: Some((served, questions, question)) })
    }
}

impl Serves for Program {
    fn served(&self) -> Option<BorrowedFd<'_>> {
        self.asked.as_ref().map(|(served, ..)| served.as_fd())
    }

    fn begin(&mut self) {
        // Another mount it cannot ask for: nobody is there to answer any more.
        if let Some((_, questions, question)) = self.asked.take() {
            // Who is gone needs no answer.
            let _ = questions.answer(&question, None);
        }
    }
}

/// A process that ends when this is dropped.
#[derive(Debug)]
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Where the program for `kind` is.
fn found(kind: FileSystem) -> Result<PathBuf, Reason> {
    let Some((name, ..)) = recipe(kind) else {
        let detail = format!("the kernel has no driver for {kind}, and no program is known for it");
        return Err(Reason::new(Code::CarrierMount, detail));
    };
    let places = FOLDERS.iter().map(|folder| Path::new(folder).join(name));
    places.into_iter().find(|path| path.is_file()).ok_or_else(|| {
        let detail = format!("the kernel has no driver for {kind}, and {name} is not installed");
        Reason::new(Code::CarrierMount, detail)
    })
}

/// Becomes the program that the supervisor orders, in a sandbox. Gives why it could not: then the
/// process must end.
pub(crate) fn become_it(parent: Pid, insecure_no_sandbox: bool) -> Reason {
    match try_to(parent, insecure_no_sandbox) {
        Err(reason) => reason,
    }
}

fn try_to(parent: Pid, insecure_no_sandbox: bool) -> Result<Infallible, Reason> {
    let told = |error: &dyn std::fmt::Display| {
        Reason::new(Code::StationProcess, format!("the program of a file system: {error}"))
    };
    single_threaded().map_err(|e| told(&e))?;
    let channel = Channel::from_stdin().map_err(|e| told(&e))?;
    nothing_else_open(&[channel.as_fd()]).map_err(|e| told(&e))?;
    let wire = Wire::new(channel);
    let (order, with) = wire.receive_with::<Order>(None).map_err(|e| told(&e))?;
    let device = one(with).map_err(|e| told(&e))?;
    let kind: FileSystem = order.file_system.parse().map_err(|e| told(&e))?;
    let program = found(kind)?;
    let (_, before, after) = recipe(kind).ok_or_else(|| told(&"it is not known"))?;
    let questions = ask_for(libc::SYS_mount).map_err(|e| told(&e))?;
    wire.send(&Ready {}, &[questions.as_fd()], None).map_err(|e| told(&e))?;
    drop((questions, wire));
    // It opens the device again by this descriptor, which it keeps.
    fcntl_setfd(&device, FdFlags::empty()).map_err(|e| told(&io::Error::from(e)))?;
    let path = format!("/proc/self/fd/{}", device.as_raw_fd());
    if !insecure_no_sandbox {
        let left = Left { capabilities: CapabilitySet::empty(), limits: LIMITS, parent };
        give_up(&left).map_err(|e| told(&e))?;
        confine(&program, device.as_fd(), Path::new(FUSE)).map_err(|e| told(&e))?;
    }
    let mut command = Command::new(program);
    command.args(before).arg(path).args(after).env_clear().env("LC_ALL", "C.UTF-8");
    Err(told(&command.exec()))
}
