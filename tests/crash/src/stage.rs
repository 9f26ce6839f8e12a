//! A station, and the carriers that come to it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use oms_testkit::{files, model, run};
use oms_tests::scene::Scene;

use crate::dice::Dice;
use crate::processes::{self, Process};
use crate::steps::Steps;
use crate::violation::Violation;

/// How long a run may take at most.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);
/// How often is looked whether a run has ended.
const PAUSE: Duration = Duration::from_micros(500);
/// The model that is not as signed.
pub(crate) const BROKEN: &str = "broken";

/// A carrier.
#[derive(Clone, Debug)]
pub(crate) struct Carrier {
    path: PathBuf,
    /// How an ingest of it ends when nothing comes between.
    pub(crate) status: i32,
    /// How long that takes.
    pub(crate) whole: Duration,
    /// How many steps it has.
    pub(crate) steps: usize,
    /// The processes that it starts, in their order, and how long each lives.
    pub(crate) processes: Vec<(Process, Duration)>,
}

/// Everything around the crashes of one station.
pub(crate) struct Stage {
    /// The station.
    pub(crate) scene: Scene,
    /// What comes to it, an empty one first.
    pub(crate) carriers: Vec<Carrier>,
}

impl Stage {
    /// A station with this profile of outbound, below `parent`. It has ingested each carrier once.
    ///
    /// # Errors
    /// When an ingest does not end as it should, without any fault.
    pub(crate) fn new(parent: &Path, profile: &str) -> Result<Stage, Violation> {
        let scene = Scene::within(parent, oms_tests::scene::POLICY);
        let config = fs::read_to_string(&scene.station.config).unwrap();
        let other = config.replace("profile = \"tree\"", &format!("profile = \"{profile}\""));
        files::public(&scene.station.config, other);
        let carrier = |name, models: &[&str], status| {
            let path = files::folder(scene.path(name));
            for one in models {
                let folder = model::write(path.join(one), 30_000);
                scene.sign(&folder, &path.join(format!("{one}.sig")), &[]);
                if *one == BROKEN {
                    model::flip_weight_bit(&folder);
                }
            }
            let (whole, steps, processes) = (Duration::ZERO, 0, Vec::new());
            Carrier { path, status, whole, steps, processes }
        };
        let carriers = vec![
            carrier("empty", &[], 1),
            carrier("good", &["demo"], 0),
            carrier("refused", &[BROKEN], 1),
            carrier("several", &["demo", BROKEN, "second"], 1),
        ];
        let mut stage = Stage { scene, carriers };
        for mut carrier in std::mem::take(&mut stage.carriers) {
            carrier.measure(&stage)?;
            stage.carriers.push(carrier);
        }
        Ok(stage)
    }

    /// An ingest that nothing comes between.
    ///
    /// # Errors
    /// When it does not end as it should.
    pub(crate) fn recover(&self, dice: &mut Dice) -> Result<(), Violation> {
        let carrier = dice.one_of(&self.carriers);
        let mut running = Running::start(self, carrier);
        running.wait()?;
        running.expect(carrier.status)
    }
}

impl Carrier {
    /// Ingests it, and sees what that takes.
    fn measure(&mut self, stage: &Stage) -> Result<(), Violation> {
        let start = Instant::now();
        let mut steps = Steps::of(&stage.scene.station);
        let mut running = Running::start(stage, self);
        let mut seen: Vec<(Process, Instant, Instant)> = Vec::new();
        while !running.has_ended() {
            steps.done(Duration::from_millis(1));
            for process in processes::of(running.pid()) {
                let now = Instant::now();
                match seen.iter_mut().find(|(other, ..)| other.pid == process.pid) {
                    Some((_, _, last)) => *last = now,
                    None => seen.push((process, now, now)),
                }
            }
        }
        running.expect(self.status)?;
        self.whole = start.elapsed();
        self.steps = steps.done(Duration::ZERO);
        let lives = seen.into_iter().map(|(process, first, last)| (process, last - first));
        self.processes = lives.collect();
        Ok(())
    }
}

/// An ingest that runs.
pub(crate) struct Running {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Running {
    /// Starts the ingest of a carrier.
    pub(crate) fn start(stage: &Stage, carrier: &Carrier) -> Running {
        let (stdout, stderr) = (stage.scene.path("stdout"), stage.scene.path("stderr"));
        let to = |path: &Path| Stdio::from(fs::File::create(path).unwrap());
        let mut command: Command = run::command();
        command.arg("ingest").arg(&carrier.path).arg("--config").arg(&stage.scene.station.config);
        command.arg("--json").stdin(Stdio::null()).stdout(to(&stdout)).stderr(to(&stderr));
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Running { child, stdout, stderr }
    }

    /// The supervisor's number.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_some()
    }

    /// Waits until it has ended. Gives its status; none when a signal ended it.
    ///
    /// # Errors
    /// When it takes too long. It is gone then.
    pub(crate) fn wait(&mut self) -> Result<Option<i32>, Violation> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return Ok(status.code());
            }
            if start.elapsed() > LIMIT {
                let _ = self.child.kill();
                let _ = self.child.wait();
                return Err(Violation::Hang(LIMIT));
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// That it has ended, with this status.
    ///
    /// # Errors
    /// When it ended otherwise.
    pub(crate) fn expect(&mut self, status: i32) -> Result<(), Violation> {
        let found = self.wait()?.unwrap_or(-1);
        if found == status { Ok(()) } else { Err(self.ended_with(found)) }
    }

    /// What it said, as a violation.
    pub(crate) fn ended_with(&self, status: i32) -> Violation {
        let said = |path| fs::read_to_string(path).unwrap_or_default();
        Violation::Status { status, said: said(&self.stderr) + &said(&self.stdout) }
    }
}
