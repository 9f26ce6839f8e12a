//! The run: carriers come, are served and go, until the time is over.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use oms_testkit::files;
use oms_tests::dice::Dice;
use oms_tests::scene::{POLICY, Scene};
use rustix::process::Signal;
use serde_json::Value;

use crate::carriers::{self, Kind, Templates};
use crate::daemon::{Daemon, processes_of, signal, with_hot_folder};
use crate::flat;
use crate::record::{self, Brought, PULLED};
use crate::report::Report;
use crate::samples::{Sampler, of_process};
use crate::sender::Sender;

/// Carriers that are in the hot folder at a time.
const AT_A_TIME: usize = 3;
/// How long one may wait and be served.
const LIMIT: Duration = Duration::from_secs(300);
const PAUSE: Duration = Duration::from_millis(20);
/// Of so many carriers, something is done to one while it is read.
const DONE_TO: usize = 6;
/// A signer is killed this often at most: each time, the station pauses for longer, up to a minute.
const SIGNER: Duration = Duration::from_secs(120);
/// How often a carrier with many models comes.
const MANY: Duration = Duration::from_secs(300);

/// Runs for `time`, with the carriers of these kinds; all where none is named.
pub(crate) fn soak(time: Duration, seed: u64, only: &[String]) -> Report {
    let folder = tempfile::Builder::new().prefix("oms-soak-").tempdir().expect("a folder");
    let scene = Scene::within(folder.path(), POLICY);
    with_hot_folder(&scene);
    let templates = Templates::of(&scene);
    files::folder(scene.path("coming"));
    let kinds = carriers::named(only);
    let daemon = Daemon::start(&scene);
    let at_rest = of_process(daemon.pid()).expect("a daemon");
    let sampler = Sampler::start(&scene, daemon.pid());
    let (start, sender) = (Instant::now(), Sender::of(&scene));
    let mut soak = Soak {
        scene: &scene,
        templates,
        kinds,
        dice: Dice::new(seed),
        daemon,
        sampler,
        sender,
        brought: Vec::new(),
        outstanding: Vec::new(),
        signer: start,
        many: start,
        violations: Vec::new(),
    };
    soak.work(start, time);
    soak.drain();
    soak.is_at_rest(at_rest.descriptors);
    let Soak { daemon, sampler, mut brought, mut sender, mut violations, mut dice, .. } = soak;
    let (samples, peaks) = sampler.end();
    violations.extend(restarted(&scene, daemon, &mut brought, &mut sender, &mut dice));
    violations.extend(record::check(&scene, &brought, &sender));
    let courses = flat::courses(&samples);
    let grown = courses.iter().filter(|course| !course.is_flat());
    violations.extend(grown.map(|course| format!("{} grows", course.name)));
    if !violations.is_empty() {
        // It is kept, to be looked at.
        violations.push(format!("see {}", scene.path("").display()));
        std::mem::forget(scene);
        let _ = folder.keep();
    }
    let mut carriers: BTreeMap<String, usize> = BTreeMap::new();
    for one in &brought {
        let done = one.done.map_or(String::new(), |done| format!(", {done}"));
        *carriers.entry(format!("{}{done}", one.kind.name)).or_default() += 1;
    }
    let (verdicts, took) = (sender.count(), start.elapsed());
    Report { seed, took, carriers, verdicts, samples: samples.len(), courses, peaks, violations }
}

struct Soak<'a> {
    scene: &'a Scene,
    templates: Templates,
    kinds: Vec<Kind>,
    dice: Dice,
    daemon: Daemon,
    sampler: Sampler,
    sender: Sender,
    brought: Vec<Brought>,
    /// What was brought and is not served yet, with its place.
    outstanding: Vec<(Brought, PathBuf, Instant)>,
    /// When a signer was killed last.
    signer: Instant,
    /// When a carrier with many models came last.
    many: Instant,
    violations: Vec<String>,
}

impl Soak<'_> {
    fn work(&mut self, start: Instant, time: Duration) {
        while start.elapsed() < time && self.violations.is_empty() {
            self.look();
            if self.outstanding.len() >= AT_A_TIME {
                std::thread::sleep(PAUSE);
                continue;
            }
            let is_many = self.many.elapsed() > MANY;
            let many = self.kinds.iter().find(|kind| is_many && kind.name == "many").copied();
            let kind = many.unwrap_or_else(|| *carriers::any(&self.kinds, &mut self.dice));
            if many.is_some() {
                self.many = Instant::now();
            }
            if kind.is_long && many.is_none() && self.dice.once_in(DONE_TO) {
                // Alone, so that nobody else is meant.
                self.drain();
                if self.dice.once_in(2) {
                    self.pull(kind);
                } else {
                    self.kill(kind);
                }
            } else {
                self.bring(kind, None);
            }
        }
    }

    /// Puts a carrier into the hot folder.
    fn bring(&mut self, kind: Kind, done: Option<&'static str>) -> PathBuf {
        let number = self.brought.len() + 1;
        let (brought, place) = bring(self.scene, &self.templates, (number, kind, done));
        self.brought.push(brought.clone());
        self.outstanding.push((brought, place.clone(), Instant::now()));
        place
    }

    /// Removes what was served, and takes what is out.
    fn look(&mut self) {
        let status = self.daemon.status();
        let (served, left): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.outstanding).into_iter().partition(|(one, ..)| {
                status.as_ref().is_some_and(|status| is_served(status, &one.mark()))
            });
        for (_, place, _) in &served {
            remove(place);
        }
        let late = left.iter().find(|(_, _, since)| since.elapsed() > LIMIT);
        let late = late.map(|(one, ..)| format!("{} {} is not served", one.number, one.kind.name));
        self.violations.extend(late.filter(|_| self.violations.is_empty()));
        self.outstanding = left;
        let (taken, wrong) = self.sender.take(self.scene);
        self.violations.extend(wrong);
        self.sampler.count(taken + served.len());
    }

    /// Waits until everything that was brought is served.
    fn drain(&mut self) {
        self.look();
        while !self.outstanding.is_empty() && self.violations.is_empty() {
            std::thread::sleep(PAUSE);
            self.look();
        }
        self.look();
    }

    /// A carrier that goes while it is read.
    fn pull(&mut self, kind: Kind) {
        let place = self.bring(kind, Some(PULLED));
        self.moment();
        let gone = self.scene.path("coming").join("gone");
        fs::rename(&place, &gone).expect("a carrier that can be pulled");
        remove(&gone);
        // One that had not been looked at is no carrier, and has no record.
        self.drain_pulled();
    }

    /// Waits until a carrier that was pulled has its end, if it has a beginning.
    fn drain_pulled(&mut self) {
        let until = Instant::now() + Duration::from_secs(2);
        loop {
            self.look();
            let known = self.daemon.status().is_some_and(|status| {
                self.outstanding.iter().any(|(one, ..)| knows(&status, &one.mark()))
            });
            if self.outstanding.is_empty() {
                return;
            }
            if !known && Instant::now() > until {
                self.outstanding.clear();
                self.brought.pop();
                return;
            }
            if !self.violations.is_empty() {
                return;
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// A carrier of which a process is killed.
    fn kill(&mut self, kind: Kind) {
        self.bring(kind, Some("killed"));
        self.moment();
        let may_signer = self.signer.elapsed() > SIGNER;
        let mut alive = processes_of(self.daemon.pid());
        alive.retain(|one| !one.is_zombie && (may_signer || one.role != "signer"));
        if !alive.is_empty() {
            let victim = self.dice.one_of(&alive);
            signal(victim.pid, Signal::KILL);
            if victim.role == "signer" {
                self.signer = Instant::now();
            }
        }
        self.drain();
    }

    /// Waits until the carrier is served, and for a moment more.
    fn moment(&mut self) {
        let start = Instant::now();
        while start.elapsed() < LIMIT
            && self.daemon.status().is_none_or(|status| status["state"] != "serving")
        {
            std::thread::sleep(Duration::from_millis(2));
        }
        std::thread::sleep(self.dice.moment(Duration::from_millis(800)));
    }

    /// With nothing to do, it has what it had before the first carrier.
    fn is_at_rest(&mut self, descriptors: u64) {
        // The folder is looked at when something goes; what that takes is given back at once.
        std::thread::sleep(Duration::from_secs(2));
        let pid = self.daemon.pid();
        let now = of_process(pid).map_or(u64::MAX, |sample| sample.descriptors);
        if now > descriptors {
            let text = format!("{now} descriptors at rest, and {descriptors} at the start");
            self.violations.push(text);
        }
        let others = processes_of(pid);
        if others.iter().any(|one| one.is_zombie || one.role != "signer") || others.len() > 1 {
            self.violations.push(format!("processes at rest: {others:?}"));
        }
        for left in fs::read_dir(&self.scene.station.spool).expect("the spool").flatten() {
            self.violations.push(format!("in the spool at rest: {}", left.path().display()));
        }
    }
}

/// The daemon is killed while it serves, and the next one serves that carrier. It ends as it is
/// told. Gives what is wrong.
fn restarted(
    scene: &Scene,
    daemon: Daemon,
    brought: &mut Vec<Brought>,
    sender: &mut Sender,
    dice: &mut Dice,
) -> Vec<String> {
    let mut wrong = Vec::new();
    let templates = Templates::made(scene);
    let number = brought.len() + 1;
    let kind = carriers::all().into_iter().find(|kind| kind.name == "large").expect("a kind");
    let (one, _) = bring(scene, &templates, (number, kind, Some("daemon killed")));
    brought.push(one.clone());
    std::thread::sleep(dice.moment(Duration::from_millis(1500)));
    let children = processes_of(daemon.pid());
    daemon.kill();
    let daemon = Daemon::start(scene);
    for child in children {
        if child.is_alive() {
            wrong.push(format!("{child:?} outlives its daemon"));
        }
    }
    let start = Instant::now();
    while !daemon.status().is_some_and(|status| is_served(&status, &one.mark())) {
        if start.elapsed() > LIMIT {
            wrong.push("the carrier is not served again".to_owned());
            break;
        }
        // Where it had been released before, it is not served again.
        if is_released(scene, &one) {
            break;
        }
        std::thread::sleep(PAUSE);
    }
    match daemon.stop() {
        Some(0) => {}
        other => wrong.push(format!("the daemon ended with {other:?}")),
    }
    wrong.extend(sender.take(scene).1);
    wrong
}

/// Whether the journal has the end of a carrier.
fn is_released(scene: &Scene, one: &Brought) -> bool {
    let query = format!(
        "SELECT state FROM carrier WHERE source LIKE '%{}%' AND state = 'released'",
        one.mark()
    );
    !oms_tests::journal::column(&scene.station.state, &query).is_empty()
}

/// Makes a carrier and renames it into the hot folder, under a name that begins with its number.
fn bring(
    scene: &Scene,
    templates: &Templates,
    (number, kind, done): (usize, Kind, Option<&'static str>),
) -> (Brought, PathBuf) {
    let coming = scene.path("coming").join(kind.name);
    kind.make(templates, &coming);
    // Names of carriers are theirs, too.
    let mut name = format!("{number:06}-").into_bytes();
    if number.is_multiple_of(3) {
        name.extend_from_slice(b"\x1b[2J\xff\n");
    }
    name.extend_from_slice(kind.name.as_bytes());
    let place = scene.path("hot").join(OsString::from_vec(name));
    fs::rename(&coming, &place).expect("a carrier in the hot folder");
    (Brought { number, kind, done }, place)
}

fn remove(place: &std::path::Path) {
    let removed = if place.is_dir() { fs::remove_dir_all(place) } else { fs::remove_file(place) };
    if let Err(error) = removed {
        assert!(error.kind() == std::io::ErrorKind::NotFound, "{}: {error}", place.display());
    }
}

/// Whether a carrier may be pulled.
fn is_served(status: &Value, mark: &str) -> bool {
    let carriers = status["carriers"].as_array().into_iter().flatten();
    carriers.filter(|one| is_marked(&one["source"], mark)).any(|one| one["mayBePulled"] == true)
}

/// Whether a carrier waits, is served or was.
fn knows(status: &Value, mark: &str) -> bool {
    let carriers = status["carriers"].as_array().into_iter().flatten();
    let mut queue = status["queue"].as_array().into_iter().flatten();
    carriers.into_iter().any(|one| is_marked(&one["source"], mark))
        || queue.any(|source| is_marked(source, mark))
}

fn is_marked(source: &Value, mark: &str) -> bool {
    source.as_str().is_some_and(|source| source.contains(mark))
}
