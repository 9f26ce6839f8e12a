//! The workloads of the design, and how each is built.

use std::fs;
use std::path::{Path, PathBuf};

use oms_testkit::files;
use rustix::process::geteuid;

use super::peers::Peers;
use super::rounds::Work;
use super::scene::Scene;
use super::side::{Bench, Line, Proof, Side};
use super::size::Size;
use super::{Options, data};
use crate::demo::site::{STATION_ID, Site};
use crate::failure::Failure;
use crate::process::{run as run_command, succeeds};

/// As the tables call the appliance.
pub(super) const OURS: &str = "oms-appliance";
/// As the tables call the Python implementation.
const PYTHON: &str = "model_signing verify key";
/// Bytes of a small file.
const SMALL: u64 = 4 << 10;
/// Bytes of each name in the model of a million files, so that its manifest has 300 MB.
const LONG_NAME: usize = 150;
/// How many times the time of `cp` and `sync` an ingest may take.
const INGEST: f64 = 1.2;

/// Something to measure.
pub(super) struct Workload {
    /// As the command line calls it.
    pub(super) name: &'static str,
    /// What it is.
    pub(super) kind: Kind,
    /// Bytes of disk that it needs at most.
    pub(super) space: fn(&Options) -> u64,
    /// Whether it is run when none is named.
    pub(super) by_default: bool,
}

/// What is measured.
pub(super) enum Kind {
    /// The appliance and others in turn.
    Contest(fn(&Bench<'_>) -> Result<Built, Failure>),
    /// The appliance's memory on models of different sizes.
    Memory,
}

/// A contest that can be run, or why not here.
pub(super) enum Built {
    /// It can be run.
    Ready(Box<Work>),
    /// It is left out, for this reason.
    LeftOut(&'static str),
}

impl Built {
    fn ready(work: Work) -> Built {
        Built::Ready(Box::new(work))
    }
}

const ALL: [Workload; 14] = [
    contest("files-of-32m", |bench| hashing(bench, "files-of-32m", 64, Some(2.0), Some(2.5)), once),
    contest(
        "files-of-256m",
        |bench| hashing(bench, "files-of-256m", 8, Some(1.35), Some(2.5)),
        once,
    ),
    contest("one-file", |bench| hashing(bench, "one-file", 1, Some(1.0), None), once),
    contest("shards", shards, once),
    contest("small-files", small_files, |options| options.files * 2 * SMALL),
    contest("tiny", tiny, |_| 0),
    contest("ingest", |bench| ingest(bench, "ingest", false), thrice),
    contest("ingest-cold", |bench| ingest(bench, "ingest-cold", true), thrice),
    contest("blake3", with_blake3, once),
    contest("readers", readers, once),
    Workload { name: "memory", kind: Kind::Memory, space: |_| 0, by_default: true },
    Workload {
        by_default: false,
        ..contest("million", million, |options| million_files(options) * 2 * SMALL)
    },
    Workload {
        by_default: false,
        ..contest("million-ingest", million_ingest, |options| million_files(options) * 4 * SMALL)
    },
    Workload {
        by_default: false,
        ..contest("million-verdict", million_verdict, |options| million_files(options) * 4 * SMALL)
    },
];

const fn contest(
    name: &'static str,
    build: fn(&Bench<'_>) -> Result<Built, Failure>,
    space: fn(&Options) -> u64,
) -> Workload {
    Workload { name, kind: Kind::Contest(build), space, by_default: true }
}

fn once(options: &Options) -> u64 {
    options.size.0
}

/// The carrier, what came into outbound, and the copy to compare with.
fn thrice(options: &Options) -> u64 {
    options.size.0.saturating_mul(3)
}

/// The names that `--only` takes.
pub(super) fn names() -> Vec<&'static str> {
    ALL.iter().map(|workload| workload.name).collect()
}

/// Those that are named, or else those that are run by default.
pub(super) fn chosen(only: &[String]) -> Vec<Workload> {
    let is_chosen = |workload: &Workload| match only {
        [] => workload.by_default,
        named => named.iter().any(|name| name == workload.name),
    };
    ALL.into_iter().filter(is_chosen).collect()
}

/// `count` files that are one model together: hashed whole.
fn hashing(
    bench: &Bench<'_>,
    name: &'static str,
    count: u64,
    openssl: Option<f64>,
    python: Option<f64>,
) -> Result<Built, Failure> {
    let made = Large::make(bench, name, count, &[])?;
    let all = Side::that_digests(
        if count == 1 { "openssl dgst" } else { "openssl dgst on all cores" },
        match made.files.as_slice() {
            [file] => Peers::openssl(file),
            _ => Peers::openssl_on_all_cores(&made.model),
        },
        made.files.len(),
    );
    let all = Side { one_process: count == 1, ..all };
    let mut others = vec![(all, openssl)];
    others.extend(made.python(bench).map(|side| (side, python)));
    made.into_work(bench, name, "", others)
}

/// One file in 32 shards.
fn shards(bench: &Bench<'_>) -> Result<Built, Failure> {
    let size = (bench.options.size.0 / 32).to_string();
    let made = Large::make(bench, "shards", 1, &["--shard-size", &size])?;
    let openssl = made
        .files
        .iter()
        .map(|file| (Side::that_digests("openssl dgst", Peers::openssl(file), 1), Some(3.0)));
    let others = openssl.collect();
    made.into_work(bench, "shards", " in 32 shards", others)
}

/// The same through BLAKE3.
fn with_blake3(bench: &Bench<'_>) -> Result<Built, Failure> {
    let made = Large::make(bench, "blake3", 64, &["--hash", "blake3"])?;
    let digest =
        Line::new(&bench.program, ["digest", "--hash", "blake3"]).argument(made.model.as_path());
    let mut others = vec![(Side::that_digests("oms-appliance digest", digest, 1), None)];
    let b3sum = bench.peers.b3sum(&made.files);
    others.extend(b3sum.map(|line| (Side::that_digests("b3sum", line, made.files.len()), None)));
    made.into_work(bench, "blake3", ", BLAKE3", others)
}

/// io_uring beside threads.
fn readers(bench: &Bench<'_>) -> Result<Built, Failure> {
    let help = bench.program.to_string_lossy().into_owned();
    if !succeeds("sh", &["-c", "\"$1\" verify --help | grep -q -e --reader", "sh", &help]) {
        return Ok(Built::LeftOut("`verify` has no --reader"));
    }
    let made = Large::make(bench, "readers", 64, &[])?;
    let verify = |reader| made.verify(bench).option("--reader", reader);
    let threads = Side::that_refuses("oms-appliance --reader threads", verify("threads"));
    let ours = Side::that_refuses("oms-appliance --reader io-uring", verify("io-uring"));
    if let Err(failure) = ours.timed() {
        eprintln!("bench: {failure}");
        return Ok(Built::LeftOut("`verify --reader io-uring` does not work here"));
    }
    match made.into_work(bench, "readers", "", vec![(threads, None)])? {
        Built::Ready(work) => Ok(Built::ready(Work { ours, ..*work })),
        left_out => Ok(left_out),
    }
}

/// A large model and its bundle.
struct Large {
    dir: tempfile::TempDir,
    scene: Scene,
    model: PathBuf,
    files: Vec<PathBuf>,
    bundle: PathBuf,
    /// Bytes of each file.
    each: u64,
}

impl Large {
    /// Makes and signs `count` files.
    fn make(bench: &Bench<'_>, name: &str, count: u64, options: &[&str]) -> Result<Large, Failure> {
        let dir = bench.folder.make(name)?;
        let scene = Scene::new(dir.path(), "");
        let model = dir.path().join("model");
        let each = bench.options.size.0 / count;
        let files = data::large_files(&model, count, each)?;
        let bundle = scene.sign(bench, &model, options)?;
        Ok(Large { dir, scene, model, files, bundle, each })
    }

    fn verify(&self, bench: &Bench<'_>) -> Line {
        self.scene.verify(bench, &self.model, &self.bundle)
    }

    fn python(&self, bench: &Bench<'_>) -> Option<Side> {
        let line = bench.peers.python(&self.model, &self.bundle, self.scene.public_key())?;
        Some(Side::that_refuses(PYTHON, line))
    }

    fn into_work(
        self,
        bench: &Bench<'_>,
        name: &'static str,
        how: &str,
        others: Vec<(Side, Option<f64>)>,
    ) -> Result<Built, Failure> {
        let ours = Side::that_refuses(OURS, self.verify(bench));
        let each = Size(self.each);
        let count = self.files.len() as u64;
        let files = if count == 1 { "one file".to_owned() } else { format!("{count} files") };
        Ok(Built::ready(Work {
            name,
            what: format!("verify, {files} of {each}{how}, warm"),
            bytes: self.each * count,
            ours,
            others,
            flip: (last(&self.files)?, self.each - self.each / 4),
            data: self.dir,
        }))
    }
}

/// Many files of 4 KiB.
fn small_files(bench: &Bench<'_>) -> Result<Built, Failure> {
    let name = "small-files";
    few_bytes(bench, name, bench.options.files, Some(20.0))
}

/// A model with a single small file: what starting costs.
fn tiny(bench: &Bench<'_>) -> Result<Built, Failure> {
    few_bytes(bench, "tiny", 1, Some(50.0))
}

fn few_bytes(
    bench: &Bench<'_>,
    name: &'static str,
    count: u64,
    python: Option<f64>,
) -> Result<Built, Failure> {
    let dir = bench.folder.make(name)?;
    let scene = Scene::new(dir.path(), "");
    let model = files::folder(dir.path().join("model"));
    let made = data::small_files(&model, count, SMALL, 0)?;
    let bundle = scene.sign(bench, &model, &[])?;
    let ours = Side::that_refuses(OURS, scene.verify(bench, &model, &bundle));
    let line = bench.peers.python(&model, &bundle, scene.public_key());
    let others = line.map(|line| (Side::that_refuses(PYTHON, line), python));
    Ok(Built::ready(Work {
        name,
        what: match count {
            1 => "start and verify one file of 4 KiB".to_owned(),
            _ => format!("verify, {count} files of 4 KiB, warm"),
        },
        bytes: count * SMALL,
        ours,
        others: others.into_iter().collect(),
        flip: (last(&made)?, SMALL / 2),
        data: dir,
    }))
}

/// Files of the model of a million files.
fn million_files(options: &Options) -> u64 {
    options.files * 10
}

/// A million files whose manifest has 300 MB: the appliance alone.
fn million(bench: &Bench<'_>) -> Result<Built, Failure> {
    let dir = bench.folder.make("million")?;
    let count = million_files(bench.options);
    let scene = Scene::new(dir.path(), &million_limits(count));
    let model = files::folder(dir.path().join("model"));
    let made = data::small_files(&model, count, SMALL, LONG_NAME)?;
    let bundle = scene.sign(bench, &model, &["--max-files", &count.to_string()])?;
    let bundle_bytes = fs::metadata(&bundle).map_or(0, |metadata| metadata.len());
    let ours = Side::that_refuses(OURS, scene.verify(bench, &model, &bundle));
    Ok(Built::ready(Work {
        name: "million",
        what: format!(
            "verify, {count} files of 4 KiB, bundle of {} MB, warm",
            bundle_bytes / 1_000_000
        ),
        bytes: count * SMALL,
        ours,
        others: Vec::new(),
        flip: (last(&made)?, SMALL / 2),
        data: dir,
    }))
}

/// What a policy's `[manifest]` must allow for a million files.
fn million_limits(count: u64) -> String {
    format!("max-files = {count}\nmax-bundle-bytes = \"1GiB\"\n")
}

/// The same million files, the whole way into outbound.
fn million_ingest(bench: &Bench<'_>) -> Result<Built, Failure> {
    let (made, count) = Incoming::of_many(bench, "million-ingest")?;
    let ours = made.ingest(bench);
    Ok(Built::ready(Work {
        name: "million-ingest",
        what: format!("ingest, {count} files of 4 KiB, warm, all synced"),
        bytes: count * SMALL,
        ours,
        others: Vec::new(),
        flip: (last(&made.files)?, SMALL / 2),
        data: made.dir,
    }))
}

/// What comes out of it, as the receiving side checks it.
fn million_verdict(bench: &Bench<'_>) -> Result<Built, Failure> {
    let (made, count) = Incoming::of_many(bench, "million-verdict")?;
    made.ingest(bench).timed()?;
    let outbound = &made.site.station.outbound;
    let entry = fs::read_dir(outbound).ok().and_then(|mut all| all.next()?.ok());
    let none = || Failure::Bench { what: "an ingest that published nothing".to_owned() };
    let entry = entry.ok_or_else(none)?.path();
    let copied = last(&made.files)?;
    let copied = copied.strip_prefix(&made.model).unwrap_or(&copied);
    let line = Line::new(&bench.program, ["verdict", "verify"])
        .argument(&entry)
        .option("--roots", &made.site.station.roots)
        .option("--verifier", STATION_ID);
    Ok(Built::ready(Work {
        name: "million-verdict",
        what: format!("verdict verify, {count} files of 4 KiB, warm"),
        bytes: count * SMALL,
        ours: Side::that_refuses(OURS, line),
        others: Vec::new(),
        flip: (entry.join("model").join(copied), SMALL / 2),
        data: made.dir,
    }))
}

/// A site, and a signed model on its carrier.
struct Incoming {
    dir: tempfile::TempDir,
    site: Site,
    carrier: PathBuf,
    model: PathBuf,
    files: Vec<PathBuf>,
}

impl Incoming {
    /// Makes the model by `fill`, and has the vendor sign it with these options.
    fn make(
        bench: &Bench<'_>,
        name: &str,
        options: &[&str],
        fill: impl FnOnce(&Path) -> Result<Vec<PathBuf>, Failure>,
    ) -> Result<Incoming, Failure> {
        let dir = bench.folder.make(name)?;
        let site = Site::new(&dir.path().join("site"));
        let carrier = files::folder(dir.path().join("carrier"));
        let model = carrier.join("model");
        let files = fill(&model)?;
        let vendor = &site.vendor;
        let sign = Line::new(&bench.program, ["sign"])
            .argument(model.as_path())
            .option("--bundle", model.join("model.sig"))
            .option("--key", &vendor.key)
            .option("--certificate", &vendor.certificate)
            .option("--chain", &vendor.chain);
        run_command(sign.command().args(options).stdout(std::process::Stdio::null()))?;
        Ok(Incoming { dir, site, carrier, model, files })
    }

    /// A million small files, and a policy that takes them; gives how many there are.
    fn of_many(bench: &Bench<'_>, name: &str) -> Result<(Incoming, u64), Failure> {
        let count = million_files(bench.options);
        let options = ["--max-files", &count.to_string()];
        let made = Incoming::make(bench, name, &options, |model| {
            data::small_files(&files::folder(model), count, SMALL, LONG_NAME)
        })?;
        let path = &made.site.station.policy;
        let plain = fs::read_to_string(path)
            .map_err(|source| Failure::Read { path: path.clone(), source })?;
        let limits = format!("[manifest]\n{}", million_limits(count));
        files::public(path, plain.replace("[manifest]\n", &limits));
        Ok((made, count))
    }

    /// `ingest`, into an empty outbound.
    fn ingest(&self, bench: &Bench<'_>) -> Side {
        let (variable, value) = self.site.hsm.env();
        let line = Line::new(&bench.program, ["ingest"])
            .argument(self.carrier.as_path())
            .option("--config", &self.site.station.config)
            .variable(variable, value);
        let empties = vec![self.site.station.outbound.clone()];
        Side { empties, ..Side::that_refuses(OURS, line) }
    }
}

/// The whole way into outbound beside a copy; `cold` when nothing is in the page cache.
fn ingest(bench: &Bench<'_>, name: &'static str, cold: bool) -> Result<Built, Failure> {
    if cold && !geteuid().is_root() {
        return Ok(Built::LeftOut("only root can drop the page cache"));
    }
    let each = bench.options.size.0 / 8;
    let made = Incoming::make(bench, name, &[], |model| data::large_files(model, 8, each))?;
    let ours = Side { cold, ..made.ingest(bench) };
    let last = last(&made.files)?;
    let copies = files::folder(made.dir.path().join("copies"));
    let copied = last.strip_prefix(&made.carrier).map(|path| copies.join("carrier").join(path));
    let copy = Side {
        proof: Proof::Copy(copied.unwrap_or_default()),
        empties: vec![copies.clone()],
        cold,
        one_process: false,
        ..Side::that_refuses("cp -r and sync", Peers::copy(&made.carrier, &copies))
    };
    let state = if cold { "cold" } else { "warm" };
    Ok(Built::ready(Work {
        name,
        what: format!("ingest, 8 files of {}, {state}, all synced", Size(each)),
        bytes: each * 8,
        ours,
        others: vec![(copy, Some(1.0 / INGEST))],
        flip: (last, each - each / 4),
        data: made.dir,
    }))
}

/// The last file, whose bit is flipped.
fn last(files: &[PathBuf]) -> Result<PathBuf, Failure> {
    let none = || Failure::Bench { what: "a model without files".to_owned() };
    files.last().cloned().ok_or_else(none)
}
