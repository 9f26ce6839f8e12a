//! What the daemon says to the service manager that started it, and what it does when it is told to
//! end, or that its terminal is gone.

use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use oms_testkit::run;
use oms_tests::scene::Scene;
use rustix::process::{Pid, Signal, kill_process};

use crate::hsm;
use crate::station::{Daemon, bring, with_hot_folder};

/// How long the manager waits for a word.
const PATIENCE: Duration = Duration::from_secs(60);

/// A service manager that listens.
struct Manager {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Manager {
    fn new(scene: &Scene) -> Manager {
        let path = scene.path("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Manager { socket, path }
    }

    fn start(&self, scene: &Scene) -> Daemon {
        let mut command = run::command();
        command.env("NOTIFY_SOCKET", &self.path);
        Daemon::start_with(scene, command)
    }

    fn next(&self) -> String {
        let mut buffer = [0; 256];
        let length = self.socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    /// Hears until this word is said, and gives all that was said before it.
    fn until(&self, word: &str) -> Vec<String> {
        let mut heard = Vec::new();
        loop {
            match self.next() {
                next if next == word => return heard,
                next => heard.push(next),
            }
            assert!(heard.len() < 600, "no {word}: {heard:?}");
        }
    }
}

#[test]
fn the_manager_is_told_of_readiness_life_and_end() {
    let scene = Scene::signed();
    let hot = with_hot_folder(&scene);
    let manager = Manager::new(&scene);
    let daemon = manager.start(&scene);
    assert_eq!(manager.next(), "READY=1");
    let heard = manager.until("STATUS=waiting for carriers");
    assert!(heard.iter().all(|word| word == "WATCHDOG=1" || word.starts_with("STATUS=")));
    // A sign of life about each second, where WatchdogSec= is a minute.
    let start = Instant::now();
    for _ in 0..5 {
        manager.until("WATCHDOG=1");
    }
    assert!(start.elapsed() < Duration::from_secs(30));
    let carrier = hsm::carrier(&scene, "long", hsm::WEIGHTS);
    let place = bring(&carrier, &hot, "carrier");
    let copier = hsm::stop_the_copier(&daemon);
    manager.until("STATUS=serving a carrier");
    kill_process(copier, Signal::CONT).unwrap();
    daemon.served(&place);
    manager.until("STATUS=waiting for carriers");
    daemon.signal(Signal::TERM);
    manager.until("STOPPING=1");
    assert_eq!(daemon.ended(), Some(0));
    manager.socket.set_nonblocking(true).unwrap();
    let mut buffer = [0; 256];
    while let Ok(length) = manager.socket.recv(&mut buffer) {
        assert_ne!(&buffer[..length], b"READY=1");
    }
}

#[test]
fn why_nobody_is_served_is_told_to_the_manager() {
    let scene = Scene::signed();
    let _hot = with_hot_folder(&scene);
    std::fs::remove_file(&scene.station.policy).unwrap();
    let manager = Manager::new(&scene);
    let daemon = manager.start(&scene);
    manager.until("STATUS=UNFIT: no carrier is served (station.unfit)");
    // It is alive all the same: to start it anew would not help.
    manager.until("WATCHDOG=1");
    daemon.stop();
}

#[test]
fn an_entry_that_is_being_published_is_ended_before_the_daemon_is() {
    let scene = Scene::signed();
    let hot = with_hot_folder(&scene);
    let manager = Manager::new(&scene);
    let daemon = manager.start(&scene);
    daemon.until("waiting", |status| status["state"] == "waiting");
    let [signer] = daemon.role("signer").try_into().unwrap();
    kill_process(signer, Signal::STOP).unwrap();
    bring(&scene.carrier, &hot, "carrier");
    daemon.until("begun", |_| hsm::decisions(&scene) == ["1 begun"]);
    daemon.signal(Signal::TERM);
    manager.until("STOPPING=1");
    // It lives as long as it has to, and says so.
    manager.until("WATCHDOG=1");
    assert_eq!(hsm::decisions(&scene), ["1 begun"]);
    kill_process(signer, Signal::CONT).unwrap();
    assert_eq!(daemon.ended(), Some(0));
    hsm::complete(&scene, 1);
}

#[test]
fn a_hangup_ends_nothing() {
    let scene = Scene::signed();
    let hot = with_hot_folder(&scene);
    let carrier = hsm::carrier(&scene, "long", hsm::WEIGHTS);
    let daemon = Daemon::start(&scene);
    daemon.until("waiting", |status| status["state"] == "waiting");
    let place = bring(&carrier, &hot, "carrier");
    let copier = hsm::stop_the_copier(&daemon);
    // A terminal that is closed tells all whom it knows.
    daemon.signal(Signal::HUP);
    for (pid, _) in daemon.processes() {
        kill_process(Pid::from_raw(pid).unwrap(), Signal::HUP).unwrap();
    }
    kill_process(copier, Signal::CONT).unwrap();
    let told = daemon.served(&place);
    assert_eq!((&told["passed"], &told["undecided"]), (&1.into(), &0.into()), "{told:#}");
    sleep(Duration::from_millis(100));
    assert_eq!(daemon.status()["state"], "waiting");
    daemon.stop();
}
