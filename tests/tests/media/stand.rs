//! A station, a signed model on a carrier that lies, and what must hold after each run whatever the
//! carrier said.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use oms_testkit::run::Outcome;
use oms_testkit::{files, model, run};
use oms_tests::fuse::{Cache, Fault, Lying, Tree};
use oms_tests::mounts;
use oms_tests::scene::{Scene, any_content};
use oms_tests::watch::{self, Ended, Running};
use oms_tests::{entry, journal, json};
use serde_json::Value;

/// How long a run may take that is not stalled. A debug build on a busy machine needs a second.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// The largest file of the model, several buffers long.
pub(crate) const LARGE: &str = "model.safetensors";

/// A file in a folder of the model.
pub(crate) const NESTED: &str = "sub/part.bin";

/// Which command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Does {
    Verify,
    Ingest,
}

/// How the program reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    IoUring,
    Threads,
}

/// One way to run the appliance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    pub(crate) does: Does,
    pub(crate) reader: Reader,
    pub(crate) memory: Buffers,
    pub(crate) cache: Cache,
}

/// How much memory the buffers may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Buffers {
    Tiny,
    Usual,
}

/// How a model is hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Files,
    Shards,
}

/// What a run said about the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Passed,
    /// Refused, for these codes.
    Refused(Vec<String>),
    /// Not decided, for these codes.
    Undecided(Vec<String>),
}

/// A station, and the true content of a carrier with a signed model in `demo`.
pub(crate) struct Stand {
    pub(crate) scene: Scene,
    pub(crate) tree: Arc<Tree>,
    /// Where the carrier that lies is mounted.
    pub(crate) at: PathBuf,
    pub(crate) method: Method,
    /// What the scene is in, unless it is on the disk.
    _memory: Option<mounts::Memory>,
}

/// A run and what it said.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) told: Told,
    pub(crate) document: Value,
    /// Answers of the carrier that were no truth.
    pub(crate) lies: u64,
    pub(crate) requests: u64,
    /// Everything, for the message of a test that fails.
    pub(crate) story: String,
}

impl Stand {
    /// A model of about 900 KB in seven files, and a station that takes it; all in memory.
    pub(crate) fn new(method: Method) -> Stand {
        Stand::with_policy(method, &any_content())
    }

    /// The same with another policy.
    pub(crate) fn with_policy(method: Method, policy: &str) -> Stand {
        let memory = mounts::Memory::new();
        let stand = Stand::within(memory.path(), method, policy);
        Stand { _memory: Some(memory), ..stand }
    }

    /// The same on the disk, which needs no mount.
    pub(crate) fn on_disk(method: Method) -> Stand {
        Stand::within(&std::env::temp_dir(), method, &any_content())
    }

    pub(crate) fn within(parent: &Path, method: Method, policy: &str) -> Stand {
        let scene = Scene::within(parent, policy);
        model::write(&scene.model, 600_000);
        files::folder(scene.model.join("sub"));
        let part: Vec<u8> = (0..300_000u32).map(|n| (n / 7) as u8).collect();
        files::public(scene.model.join(NESTED), part);
        let shards: &[&str] = match method {
            Method::Files => &[],
            Method::Shards => &["--shard-size", "100000"],
        };
        scene.sign(&scene.model, &scene.bundle(), shards);
        let tree = Arc::new(Tree::of(&scene.carrier));
        let at = files::folder(scene.path("lying"));
        for way in ways() {
            let plain = fs::read_to_string(&scene.station.config).unwrap();
            let (reader, memory) = (way.reader.name(), way.memory.size());
            let intake = format!("\n[intake]\nreader = \"{reader}\"\nmemory = \"{memory}\"\n");
            files::public(config_of(&scene, &way), plain + &intake);
        }
        Stand { scene, tree, at, method, _memory: None }
    }

    /// The bytes of a file of the model.
    pub(crate) fn truth(&self, file: &str) -> &[u8] {
        self.tree.bytes(&format!("demo/{file}"))
    }

    /// The command for the carrier at `carrier`.
    pub(crate) fn command(&self, way: &Way, carrier: &Path) -> Command {
        let mut command = run::command();
        match way.does {
            Does::Verify => {
                command.arg("verify").arg(carrier.join("demo"));
                command.arg("--policy").arg(&self.scene.station.policy);
                command.arg("--roots").arg(&self.scene.station.roots);
                command.args(["--reader", way.reader.name(), "--memory", way.memory.size()]);
            }
            Does::Ingest => {
                command.arg("ingest").arg(carrier).arg("--config").arg(config_of(&self.scene, way));
            }
        }
        command.arg("--json");
        command
    }

    /// Runs it once on the carrier that lies, with these faults, and checks what must always hold.
    pub(crate) fn run(&self, way: &Way, faults: &[Fault]) -> Run {
        let lying = Lying::mount(&self.tree, &self.at, way.cache, faults);
        let mut run = self.run_and(way, &self.at, |_| false, || lying.log());
        (run.lies, run.requests) = (lying.lies(), lying.requests());
        run.story = format!("{faults:?} {}", run.story);
        run
    }

    /// Runs it once on the carrier at `carrier`, and checks what must always hold. While it runs,
    /// `look` is asked until it says true; `log` tells what happened for a test that fails.
    pub(crate) fn run_and(
        &self,
        way: &Way,
        carrier: &Path,
        look: impl FnMut(&Running) -> bool,
        log: impl Fn() -> String,
    ) -> Run {
        self.run_command(way, &mut self.command(way, carrier), look, log)
    }

    /// The same with a command of the caller's.
    pub(crate) fn run_command(
        &self,
        way: &Way,
        command: &mut Command,
        look: impl FnMut(&Running) -> bool,
        log: impl Fn() -> String,
    ) -> Run {
        let before = self.scene.station.entries();
        let ended = watch::run(command, LIMIT, look);
        let story = format!("{way:?} {:?}\n{}\n{ended:?}", self.method, log());
        let Ended::Itself(outcome) = ended else { panic!("it hangs: {story}") };
        let (told, document) = self.check(way.does, &outcome, &before, &story);
        Run { told, document, lies: 0, requests: 0, story }
    }

    /// What must hold after every run: no signal, no panic, nothing left behind, a document that
    /// agrees with the exit code, and nothing but the truth in what was accepted.
    fn check(
        &self,
        does: Does,
        outcome: &Outcome,
        before: &[String],
        story: &str,
    ) -> (Told, Value) {
        assert!(!outcome.stderr.contains("panicked"), "{story}");
        assert!(matches!(outcome.status, 0 | 1 | 3), "status {}: {story}", outcome.status);
        let document = outcome.json();
        let spooled = fs::read_dir(&self.scene.station.spool).unwrap().count();
        // What the station itself failed to finish after it had decided waits for the next run.
        let begun = journal::is_unfinished(&self.scene.station.state);
        let own_failure = outcome.stdout.contains("\"outbound.write\"");
        assert!(spooled == 0 || own_failure && begun, "left in the spool: {story}");
        let told = match does {
            Does::Verify => {
                let document = json::conforming(&json::VERIFY, document.clone());
                let codes = json::codes(&document["reasons"]);
                told(outcome.status, codes)
            }
            Does::Ingest => {
                let document = json::conforming(&json::INGEST, document.clone());
                let mut codes = json::codes(&document["reasons"]);
                for model in document["models"].as_array().unwrap() {
                    codes.extend(json::codes(&model["reasons"]));
                }
                self.check_outbound(before, story);
                told(outcome.status, codes)
            }
        };
        (told, document)
    }

    /// What came to outbound is complete: a refusal without a byte of the carrier, or the signed
    /// files with the signed bytes.
    fn check_outbound(&self, before: &[String], story: &str) {
        for name in self.scene.station.entries() {
            if before.contains(&name) {
                continue;
            }
            let entry = self.scene.station.outbound.join(&name);
            if name.ends_with("-refused") {
                let files = entry::files(&entry);
                assert_eq!(files, ["report.html", "verdict.sigstore.json"], "{story}");
                continue;
            }
            assert!(name.ends_with("-passed"), "{name}: {story}");
            let model = entry.join("model");
            let bundle = "demo/model.sig";
            let signed: Vec<_> = self.tree.files().filter(|(path, _)| *path != bundle).collect();
            assert_eq!(entry::files(&model).len(), signed.len(), "{story}");
            for (path, bytes) in signed {
                let copy = fs::read(model.join(path.strip_prefix("demo/").unwrap())).unwrap();
                assert!(copy == bytes, "{path} is not what was signed: {story}");
            }
        }
    }
}

/// The configuration of a station that reads in this way.
fn config_of(scene: &Scene, way: &Way) -> PathBuf {
    let name = format!("station-{}-{}.toml", way.reader.name(), way.memory.size());
    scene.station.config.with_file_name(name)
}

impl Reader {
    fn name(self) -> &'static str {
        match self {
            Reader::IoUring => "io-uring",
            Reader::Threads => "threads",
        }
    }
}

impl Buffers {
    fn size(self) -> &'static str {
        match self {
            Buffers::Tiny => "4MiB",
            Buffers::Usual => "64MiB",
        }
    }
}

impl Run {
    /// Nothing else was told than one of these.
    pub(crate) fn expect(&self, allowed: &[Expect]) {
        let Run { told, story, .. } = self;
        let any = |is: &dyn Fn(&Expect) -> bool| allowed.iter().any(is);
        let each = |codes: &[String], is: &dyn Fn(&Expect, &str) -> bool| {
            !codes.is_empty() && codes.iter().all(|code| any(&|expect| is(expect, code)))
        };
        let may_be = |expected: &str, code: &str| expected.is_empty() || expected == code;
        let is_allowed = match told {
            Told::Passed => any(&|expect| matches!(expect, Expect::Passes)),
            Told::Refused(codes) => each(
                codes,
                &|expect, code| matches!(expect, Expect::Refused(expected) if may_be(expected, code)),
            ),
            Told::Undecided(codes) => each(
                codes,
                &|expect, code| matches!(expect, Expect::Undecided(expected) if may_be(expected, code)),
            ),
        };
        assert!(is_allowed, "{told:?}, not {allowed:?}: {story}");
    }

    /// All reasons of the document, of the model and of the carrier.
    pub(crate) fn reasons(&self) -> Vec<&Value> {
        let models = self.document["models"].as_array().into_iter().flatten();
        std::iter::once(&self.document)
            .chain(models)
            .flat_map(|part| part["reasons"].as_array().into_iter().flatten())
            .collect()
    }

    /// There is a reason with this code that names the file.
    pub(crate) fn names(&self, code: &str, file: &str) -> &Value {
        let reason = self.reasons().into_iter().find(|reason| {
            reason["code"] == code && reason["file"].as_str().is_some_and(|at| at.ends_with(file))
        });
        reason.unwrap_or_else(|| panic!("no {code} for {file}: {}", self.story))
    }
}

/// What a run may tell.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Expect {
    /// It passes: the carrier did no harm.
    Passes,
    /// It is refused for this code; for any when it is empty.
    Refused(&'static str),
    /// It is not decided because of this code; of any when it is empty.
    Undecided(&'static str),
}

fn told(status: i32, codes: Vec<String>) -> Told {
    match status {
        0 => Told::Passed,
        1 => Told::Refused(codes),
        _ => Told::Undecided(codes),
    }
}

/// Every way, in an order in which neighbours differ in command and reader: four in a row are all
/// of these.
pub(crate) fn ways() -> Vec<Way> {
    let mut ways = Vec::new();
    for cache in [Cache::Off, Cache::On] {
        for memory in [Buffers::Tiny, Buffers::Usual] {
            for reader in [Reader::IoUring, Reader::Threads] {
                for does in [Does::Verify, Does::Ingest] {
                    ways.push(Way { does, reader, memory, cache });
                }
            }
        }
    }
    ways
}
