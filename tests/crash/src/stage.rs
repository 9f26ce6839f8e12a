//! A station, and the carriers that come to it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use oms_testkit::{files, model, run};
use oms_tests::scene::Scene;

use crate::calls::{self, Call};
use crate::dice::Dice;
use crate::processes::{self, Process};
use crate::record::{Originals, to_be_sent_again};
use crate::steps::Steps;
use crate::violation::Violation;

/// How long a run may take at most.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);
/// How often is looked whether a run has ended.
const PAUSE: Duration = Duration::from_micros(500);
/// Where a folder in memory is, if there is one.
pub(crate) const MEMORY: &str = "/dev/shm";
/// The exit code of what could not be decided or done.
pub(crate) const UNDECIDED: i32 = 3;
/// The model that is not as signed.
pub(crate) const BROKEN: &str = "broken";

/// Bytes of weights.
const WEIGHTS: u64 = 20_000;
/// Bytes that outbound may hold, where there is a limit.
pub(crate) const QUOTA: u64 = 1 << 20;
/// Bytes of outbound that are no model's: refusals, and what goes out beside a model.
const BESIDE: u64 = 256 << 10;

/// A carrier that is ingested, or a model that is sent again.
#[derive(Clone, Debug)]
pub(crate) struct Carrier {
    /// Where it is; nowhere, when the newest model is sent again.
    path: Option<PathBuf>,
    /// The models on it.
    pub(crate) models: &'static [&'static str],
    /// How an ingest of it ends when nothing comes between.
    pub(crate) status: i32,
    /// How long that takes.
    pub(crate) whole: Duration,
    /// How many steps it has.
    pub(crate) steps: usize,
    /// The calls by which its supervisor changes what lasts, where they can be told.
    pub(crate) calls: Vec<Call>,
    /// The processes that it starts, in their order, and how long each lives.
    pub(crate) processes: Vec<(Process, Duration)>,
}

/// Everything around the crashes of one station.
pub(crate) struct Stage {
    /// The station.
    pub(crate) scene: Scene,
    /// What comes to it, an empty one first.
    pub(crate) carriers: Vec<Carrier>,
    /// Whether it keeps models, so that it can send them again.
    pub(crate) keeps: bool,
    /// Whether outbound may hold [`QUOTA`] only.
    pub(crate) has_quota: bool,
}

impl Stage {
    /// A station below `parent`, of any kind. It has ingested each carrier once.
    ///
    /// # Errors
    /// When an ingest does not end as it should, without any fault.
    pub(crate) fn any(parent: &Path, dice: &mut Dice) -> Result<Stage, Violation> {
        let profile = *dice.one_of(&["tree", "tree", "tar"]);
        let (keeps, has_quota) = (dice.once_in(2), dice.once_in(3));
        Stage::new(parent, profile, keeps, has_quota)
    }

    /// One with this profile of outbound, that keeps models or not, with a quota or without.
    ///
    /// # Errors
    /// As [`Stage::any`].
    pub(crate) fn new(
        parent: &Path,
        profile: &str,
        keeps: bool,
        has_quota: bool,
    ) -> Result<Stage, Violation> {
        let scene = Scene::within(parent, oms_tests::scene::POLICY);
        let mut outbound = format!("profile = \"{profile}\"\n");
        if keeps {
            outbound.push_str("keep = \"1h\"\n");
        }
        if has_quota {
            outbound.push_str("quota = \"1MiB\"\n");
        }
        let config = fs::read_to_string(&scene.station.config).unwrap();
        let config = config.replace("profile = \"tree\"\n", &outbound);
        files::public(&scene.station.config, config);
        let carrier = |name, models: &'static [&'static str], status| {
            let path = files::folder(scene.path(name));
            for one in models {
                let folder = model::write(path.join(one), WEIGHTS);
                scene.sign(&folder, &path.join(format!("{one}.sig")), &[]);
                if *one == BROKEN {
                    model::flip_weight_bit(&folder);
                }
            }
            Carrier::at(Some(path), models, status)
        };
        let mut carriers = vec![
            carrier("empty", &[], 1),
            carrier("good", &["demo"], 0),
            carrier("refused", &[BROKEN], 1),
            carrier("several", &["demo", BROKEN, "second"], 1),
        ];
        if keeps {
            carriers.push(Carrier::at(None, &[], 0));
        }
        let mut stage = Stage { scene, carriers, keeps, has_quota };
        for mut carrier in std::mem::take(&mut stage.carriers) {
            carrier.measure(&stage)?;
            stage.carriers.push(carrier);
        }
        Ok(stage)
    }

    /// What is on the carriers and may go out.
    pub(crate) fn originals(&self) -> Originals {
        let mut originals = Originals::default();
        let digest = |path: PathBuf| files::sha256_hex(&fs::read(path).unwrap());
        for (path, model) in self.carriers.iter().flat_map(Carrier::good) {
            let folder = path.join(model);
            for file in oms_tests::entry::files(&folder) {
                let digest = digest(folder.join(&file));
                originals.model.insert(format!("model/{file}"), digest);
            }
            originals.bundles.insert(digest(path.join(format!("{model}.sig"))));
        }
        originals
    }

    /// That outbound does not hold more than it may.
    ///
    /// # Errors
    /// When it does.
    pub(crate) fn check_quota(&self) -> Result<(), Violation> {
        let outbound = &self.scene.station.outbound;
        let size = |file: String| fs::metadata(outbound.join(file)).map_or(0, |found| found.len());
        let held: u64 = oms_tests::entry::files(outbound).into_iter().map(size).sum();
        if self.has_quota && held > QUOTA + BESIDE {
            return Err(Violation::Quota { held, quota: QUOTA });
        }
        Ok(())
    }

    /// A run for this carrier that nothing comes between. Gives its status, which is the one that
    /// is due, or that of a full outbound.
    ///
    /// # Errors
    /// When it ends otherwise.
    pub(crate) fn recover(&self, carrier: &Carrier) -> Result<i32, Violation> {
        let mut running = Running::start(self, carrier)?;
        let status = running.wait()?.unwrap_or(-1);
        let is_due = status == carrier.status || self.has_quota && status == UNDECIDED;
        if is_due { Ok(status) } else { Err(running.ended_with(status)) }
    }
}

impl Carrier {
    fn at(path: Option<PathBuf>, models: &'static [&'static str], status: i32) -> Carrier {
        let (calls, processes) = (Vec::new(), Vec::new());
        Carrier { path, models, status, whole: Duration::ZERO, steps: 0, calls, processes }
    }

    /// Where it is, if it is ingested.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Whether it is ingested.
    pub(crate) fn is_ingested(&self) -> bool {
        self.path.is_some()
    }

    /// The models that pass, and where they are.
    fn good(&self) -> impl Iterator<Item = (&Path, &str)> {
        let good = self.models.iter().filter(|model| **model != BROKEN);
        self.path
            .iter()
            .flat_map(move |path| good.clone().map(move |model| (path.as_path(), *model)))
    }

    /// Ingests it, and sees what that takes.
    fn measure(&mut self, stage: &Stage) -> Result<(), Violation> {
        let start = Instant::now();
        let mut steps = Steps::of(&stage.scene.station);
        let mut running = Running::start(stage, self)?;
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
        if calls::are_told() {
            let told = stage.scene.path("calls");
            Running::with(stage, self, calls::told(&told))?.expect(self.status)?;
            self.calls = calls::listed(&told);
        }
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
    /// Starts the ingest of a carrier, or sends a model again.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub(crate) fn start(stage: &Stage, carrier: &Carrier) -> Result<Running, Violation> {
        Running::with(stage, carrier, run::command())
    }

    /// The same with this command, which stands for the appliance.
    ///
    /// # Errors
    /// As [`Running::start`].
    pub(crate) fn with(
        stage: &Stage,
        carrier: &Carrier,
        mut command: Command,
    ) -> Result<Running, Violation> {
        match &carrier.path {
            Some(path) => command.arg("ingest").arg(path),
            None => command.arg("resend").arg(to_be_sent_again(&stage.scene)?),
        };
        command.arg("--json");
        Ok(Running::of(&stage.scene, command))
    }

    /// Starts what this command does with a station.
    pub(crate) fn of(scene: &Scene, mut command: Command) -> Running {
        let (stdout, stderr) = (scene.path("stdout"), scene.path("stderr"));
        let to = |path: &Path| Stdio::from(fs::File::create(path).unwrap());
        command.arg("--config").arg(&scene.station.config);
        command.stdin(Stdio::null()).stdout(to(&stdout)).stderr(to(&stderr));
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
