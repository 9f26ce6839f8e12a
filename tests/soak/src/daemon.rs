//! The daemon: the real program, with a hot folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use oms_station::daemon::ask;
use oms_testkit::{files, run};
use oms_tests::scene::Scene;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// How long it may take to begin or to end.
const LIMIT: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(50);

/// A daemon that runs. It is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Daemon {
    child: Child,
    socket: PathBuf,
}

/// A process of the daemon.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    /// Its number.
    pub(crate) pid: u32,
    /// What it does.
    pub(crate) role: String,
    /// Whether it has ended, and nobody has waited for it.
    pub(crate) is_zombie: bool,
}

/// Where a scene's daemon writes its log.
pub(crate) fn log(scene: &Scene) -> PathBuf {
    scene.path("log")
}

/// Where a scene's daemon writes its metrics.
pub(crate) fn metrics(scene: &Scene) -> PathBuf {
    scene.path("metrics.prom")
}

/// Has the station of a scene watch a hot folder.
pub(crate) fn with_hot_folder(scene: &Scene) {
    let hot = files::folder(scene.path("hot"));
    scene.station.configure(&format!(
        "\n[carriers]\nhot-folders = [{hot:?}]\nsettle = \"1s\"\nat-once = 2\n\
         [run]\nsocket = {:?}\nlog = \"text\"\nlog-file = {:?}\nmetrics = {:?}\n",
        scene.path("status.sock"),
        log(scene),
        metrics(scene),
    ));
}

impl Process {
    /// Whether it still does what it did, whoever its parent is by now.
    pub(crate) fn is_alive(&self) -> bool {
        role(Path::new(&format!("/proc/{}", self.pid))) == self.role
    }
}

impl Daemon {
    /// Starts it and waits until it is fit for its work.
    pub(crate) fn start(scene: &Scene) -> Daemon {
        let mut command: Command = run::command();
        command.arg("run").arg("--config").arg(&scene.station.config).stdin(Stdio::null());
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let daemon = Daemon { child, socket: scene.path("status.sock") };
        let start = Instant::now();
        while daemon.status().is_none_or(|status| status["state"] != "waiting") {
            assert!(start.elapsed() < LIMIT, "the daemon is not fit: {:?}", daemon.status());
            std::thread::sleep(PAUSE);
        }
        daemon
    }

    /// Its number.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it says of itself; nothing where it does not answer.
    pub(crate) fn status(&self) -> Option<Value> {
        serde_json::from_slice(&ask(&self.socket).ok()?).ok()
    }

    /// Ends it as the loss of power to its processor would.
    pub(crate) fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Ends it as systemd does. Gives its exit code; nothing where it does not end.
    pub(crate) fn stop(mut self) -> Option<i32> {
        signal(self.pid(), Signal::TERM);
        let start = Instant::now();
        while start.elapsed() < LIMIT {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status.code();
            }
            std::thread::sleep(PAUSE);
        }
        None
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal; a process that has ended is no concern.
pub(crate) fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}

/// The processes that `parent` has started and not waited for yet.
pub(crate) fn processes_of(parent: u32) -> Vec<Process> {
    let mut found = Vec::new();
    for thread in fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten() {
        let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        for pid in children.split_whitespace().filter_map(|pid| pid.parse().ok()) {
            let folder = PathBuf::from(format!("/proc/{pid}"));
            let stat = fs::read_to_string(folder.join("stat")).unwrap_or_default();
            let is_zombie = stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z'));
            found.push(Process { pid, role: role(&folder), is_zombie });
        }
    }
    found
}

/// The word after `role` of a command line.
fn role(process: &Path) -> String {
    let line = fs::read(process.join("cmdline")).unwrap_or_default();
    let mut words = line.split(|byte| *byte == 0);
    let word = words.find(|word| *word == b"role").and_then(|_| words.next());
    String::from_utf8_lossy(word.unwrap_or_default()).into_owned()
}
