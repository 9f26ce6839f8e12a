//! A scene with a hot folder, and the daemon that waits at it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use oms_testkit::{files, run};
use oms_tests::json;
use oms_tests::scene::Scene;
use oms_verify::reason::Printable;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// How long anything may take before the test fails.
const LIMIT: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(50);

/// Adds a hot folder, a status socket, a log and metrics to the station of a scene. The scene's
/// carrier is not in the hot folder yet.
pub(crate) fn with_hot_folder(scene: &Scene) -> PathBuf {
    let hot = files::folder(scene.path("hot"));
    let config = fs::read_to_string(&scene.station.config).unwrap();
    let more = format!(
        "\n[carriers]\nhot-folders = [{hot:?}]\nsettle = \"1s\"\n\
         [run]\nsocket = {:?}\nlog = \"json\"\nlog-file = {:?}\nmetrics = {:?}\n",
        scene.path("status.sock"),
        scene.path("log"),
        scene.path("metrics.prom"),
    );
    files::public(&scene.station.config, config + &more);
    hot
}

/// A daemon that runs. It is killed when this is dropped.
pub(crate) struct Daemon {
    child: Child,
    socket: PathBuf,
    log: PathBuf,
}

impl Daemon {
    pub(crate) fn start(scene: &Scene) -> Daemon {
        Daemon::start_with(scene, run::command())
    }

    /// Starts it with this command, and waits until it answers.
    pub(crate) fn start_with(scene: &Scene, mut command: Command) -> Daemon {
        command.arg("run").arg("--config").arg(&scene.station.config);
        let child = command.stdin(Stdio::null()).spawn().unwrap();
        let daemon = Daemon { child, socket: scene.path("status.sock"), log: scene.path("log") };
        let start = Instant::now();
        while daemon.asked().is_none() {
            assert!(start.elapsed() < LIMIT, "the daemon does not answer");
            sleep(PAUSE);
        }
        daemon
    }

    fn asked(&self) -> Option<Value> {
        let outcome = run::appliance(["status", "--json", "--socket", self.socket.to_str()?]);
        (outcome.status == 0).then(|| json::conforming(&json::STATUS, outcome.json()))
    }

    /// What it says of itself.
    pub(crate) fn status(&self) -> Value {
        self.asked().unwrap()
    }

    /// Waits until its status is like this.
    pub(crate) fn until(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        self.until_within(LIMIT, what, is_so)
    }

    /// The same for something that takes this long.
    pub(crate) fn until_within(
        &self,
        limit: Duration,
        what: &str,
        is_so: impl Fn(&Value) -> bool,
    ) -> Value {
        let start = Instant::now();
        loop {
            let status = self.status();
            if is_so(&status) {
                return status;
            }
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            assert!(start.elapsed() < limit, "not {what}: {status:#}\n{log}");
            sleep(PAUSE);
        }
    }

    /// Waits until this carrier may be pulled, and gives what is said about it.
    pub(crate) fn served(&self, carrier: &Path) -> Value {
        let source = Printable(&carrier.display().to_string()).to_string();
        let find = |status: &Value| {
            let carriers = status["carriers"].as_array().unwrap();
            let is_it =
                |one: &&Value| one["source"] == source.as_str() && one["mayBePulled"] == true;
            carriers.iter().find(is_it).cloned()
        };
        find(&self.until("served", |status| find(status).is_some())).unwrap()
    }

    /// The events of its log that have this name.
    pub(crate) fn events(&self, name: &str) -> Vec<Value> {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines = log.lines().map(|line| serde_json::from_str(line).unwrap());
        lines.filter(|event: &Value| event["event"] == name).collect()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// The processes that it has started for a role, if there are any now.
    pub(crate) fn role(&self, role: &str) -> Vec<Pid> {
        let word = format!("role {role} ");
        let found = self.processes().into_iter().filter(|(_, line)| line.contains(&word));
        found.filter_map(|(pid, _)| Pid::from_raw(pid)).collect()
    }

    /// Its process and those that it has started.
    pub(crate) fn processes(&self) -> Vec<(i32, String)> {
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
            let parent = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1));
            if parent == Some(&self.child.id().to_string()) {
                let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
                found.push((pid, String::from_utf8_lossy(&line).replace('\0', " ")));
            }
        }
        found
    }

    /// Waits for its end, and gives its exit code, if it had one.
    pub(crate) fn ended(mut self) -> Option<i32> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(start.elapsed() < LIMIT, "the daemon does not end");
            sleep(PAUSE);
        }
    }

    /// Ends it as systemd does.
    pub(crate) fn stop(self) {
        self.signal(Signal::TERM);
        assert_eq!(self.ended(), Some(0));
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Puts a folder into the hot folder by one rename, as a sender should.
pub(crate) fn bring(folder: &Path, hot: &Path, name: &str) -> PathBuf {
    let place = hot.join(name);
    fs::rename(folder, &place).unwrap();
    place
}
