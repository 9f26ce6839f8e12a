//! `cargo xtask demo`: the whole way of a model, from its signer over a carrier and the station to
//! the receiving side; and then the same model with one bit changed, which must not pass.

mod carrier;
pub(crate) mod site;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use oms_testkit::run::target;
use oms_testkit::{files, model};

use self::carrier::Carrier;
use self::site::{STATION_ID, Site, VENDOR_EMAIL};
use crate::failure::Failure;
use crate::process::{cargo, run as run_command};
use crate::setup;

/// The exit code when all is well.
const PASSED: i32 = 0;
/// The exit code of a refusal.
const REFUSED: i32 = 1;
/// What a refusal of a given model means.
const DECISION: &str = "that is a decision, not a fault of the demo.";
/// The usual name of a bundle.
const BUNDLE: &str = "model.sig";
/// How long the weights are of the model that the demo makes.
const WEIGHT_BYTES: u64 = 32 << 20;

/// Shows it all; anything that comes out other than it must is a failure. A model that was given
/// may be refused: then the demo ends there.
pub(crate) fn run(given: Option<&Path>) -> Result<(), Failure> {
    let given = given.map(existing).transpose()?;
    setup::run()?;
    run_command(&mut cargo(&[
        "build",
        "--locked",
        "--release",
        "--package",
        "oms-station",
        "--bin",
        "oms-appliance",
    ]))?;
    let start = Instant::now();

    let dir = target().join("demo");
    if let Some(path) = given.clone().filter(|path| path.starts_with(&dir)) {
        let problem = "lies in the folder that the demo empties: copy it elsewhere";
        return Err(Failure::DemoModel { path, problem });
    }
    if dir.exists() {
        fs::remove_dir_all(&dir).map_err(|source| Failure::Write { path: dir.clone(), source })?;
    }
    let dir = files::folder(dir);

    step("A corporate PKI, an HSM token with two keys that were born in it, and a station");
    let site = Site::new(&dir);
    let appliance = Appliance { site: &site };
    println!("   station   {}", shown(&site.station.config));
    println!("   To repeat these commands: {}", appliance.exports());
    appliance.run("hsm check", &["hsm", "check", &site.hsm.uri("oms-signing")], PASSED)?;

    step(&format!("The vendor, {VENDOR_EMAIL}, signs a model"));
    let model = match &given {
        Some(path) if path.join(BUNDLE).is_file() => {
            println!("   its {BUNDLE} is an old bundle: the demo takes a copy without it");
            carrier::copy_unsigned(path, &dir.join("given"))?
        }
        Some(path) => path.clone(),
        None => model::write(dir.join("demo-model"), WEIGHT_BYTES),
    };
    let bundle = dir.join("vendor/model.sig");
    let vendor = &site.vendor;
    let sign = ["sign", text(&model), "--bundle", text(&bundle), "--key", text(&vendor.key)];
    let certificate = ["--certificate", text(&vendor.certificate), "--chain", text(&vendor.chain)];
    let status = appliance.status("sign", &[&sign[..], &certificate[..]].concat())?;
    if status == REFUSED && given.is_some() {
        println!("\nYour model was refused by the signer, for the reasons above: {DECISION}");
        return Ok(());
    }
    expect_status("sign", status, PASSED)?;

    step("It travels on a carrier, and the station ingests it");
    let carrier = Carrier::load(&dir.join("carrier"), &model, &bundle)?;
    let (status, passed) = appliance.ingest(&carrier)?;
    if status == REFUSED && given.is_some() {
        appliance.verify_verdict(&passed, REFUSED)?;
        let policy = shown(&site.station.policy);
        println!(
            "\nYour model was refused by the demo's policy ({policy}), for the reasons above: \
             {DECISION}"
        );
        return Ok(());
    }
    expect_status("ingest", status, PASSED)?;
    expect(passed.join("model").is_dir(), "the entry holds no model")?;

    step("Behind the diode, the receiving side checks the entry with nothing but a root");
    appliance.verify_verdict(&passed, PASSED)?;

    step("The same model on another carrier, with one bit of a weight flipped");
    let carrier = Carrier::load(&dir.join("carrier-2"), &model, &bundle)?;
    let (file, offset) = carrier.flip_one_bit()?;
    println!("   flipped   bit 0 of byte {offset} of {}", shown(&file));
    let (status, refused) = appliance.ingest(&carrier)?;
    expect_status("ingest", status, REFUSED)?;
    expect(!refused.join("model").exists(), "a refused model is in outbound")?;
    appliance.verify_verdict(&refused, REFUSED)?;

    println!(
        "\nAs expected: one model passed, one was refused ({:.1} s).",
        start.elapsed().as_secs_f32()
    );
    println!("Look around in {}", shown(&site.station.outbound));
    Ok(())
}

/// The program that the demo shows.
struct Appliance<'a> {
    site: &'a Site,
}

impl Appliance<'_> {
    /// Ingests a carrier with one model; gives the exit code, which says that it passed or was
    /// refused, and the entry that appeared in outbound.
    fn ingest(&self, carrier: &Carrier) -> Result<(i32, PathBuf), Failure> {
        let station = &self.site.station;
        let before = station.entries();
        let config = text(&station.config);
        let status = self.status("ingest", &["ingest", text(carrier.dir()), "--config", config])?;
        let outcome = match status {
            PASSED => "passed",
            REFUSED => "refused",
            _ => return Err(Failure::Demo { what: format!("`ingest` decided nothing: {status}") }),
        };

        let new: Vec<String> =
            station.entries().into_iter().filter(|name| !before.contains(name)).collect();
        let [name] = new.as_slice() else {
            return Err(Failure::Demo {
                what: format!("outbound got {} new entries instead of one", new.len()),
            });
        };
        expect(
            name.ends_with(&format!("-{outcome}")),
            &format!("the entry {name} does not end in -{outcome}"),
        )?;
        let entry = station.outbound.join(name);
        println!("   outbound  {}", shown(&entry));
        for file in carrier::contents(&entry)? {
            println!("             {file}");
        }
        expect(entry.join("verdict.sigstore.json").is_file(), "the entry holds no verdict")?;
        Ok((status, entry))
    }

    /// Checks an entry as the receiving side does.
    fn verify_verdict(&self, entry: &Path, status: i32) -> Result<(), Failure> {
        let roots = text(&self.site.station.roots);
        self.run(
            "verdict verify",
            &["verdict", "verify", text(entry), "--roots", roots, "--verifier", STATION_ID],
            status,
        )
    }

    /// Runs the appliance and expects an exit code.
    fn run(&self, what: &str, arguments: &[&str], status: i32) -> Result<(), Failure> {
        expect_status(what, self.status(what, arguments)?, status)
    }

    /// What a shell needs to run the commands that are shown, at the top of the workspace.
    fn exports(&self) -> String {
        let (name, value) = self.site.hsm.env();
        let (value, programs) = (quoted(text(value)), target().join("release"));
        format!("export {name}={value} PATH={}:\"$PATH\"", quoted(text(&programs)))
    }

    /// Runs the appliance, which speaks for itself, and gives its exit code.
    fn status(&self, what: &str, arguments: &[&str]) -> Result<i32, Failure> {
        let program = target().join("release/oms-appliance");
        let words = arguments.iter().map(|word| quoted(&shown(Path::new(word))));
        println!("   $ oms-appliance {}", words.collect::<Vec<_>>().join(" "));
        let mut command = Command::new(program);
        let (name, value) = self.site.hsm.env();
        command.args(arguments).env(name, value);
        let ended = command
            .status()
            .map_err(|source| Failure::Spawn { command: "oms-appliance".to_owned(), source })?;
        ended.code().ok_or_else(|| Failure::Demo { what: format!("`{what}` ended with {ended}") })
    }
}

/// The model that was given, if there is one: told before anything is built.
fn existing(model: &Path) -> Result<PathBuf, Failure> {
    model.canonicalize().map_err(|source| Failure::Read { path: model.to_owned(), source })
}

fn expect_status(what: &str, status: i32, expected: i32) -> Result<(), Failure> {
    expect(
        status == expected,
        &format!("`{what}` ended with exit code {status} instead of {expected}"),
    )
}

fn expect(fact: bool, otherwise: &str) -> Result<(), Failure> {
    if fact { Ok(()) } else { Err(Failure::Demo { what: otherwise.to_owned() }) }
}

fn step(title: &str) {
    println!("\n== {title}");
}

/// A path as a person at the top of the workspace would write it.
fn shown(path: &Path) -> String {
    let current = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(current).unwrap_or(path).display().to_string()
}

/// A word as a shell would take it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._/:=,@%+".contains(c);
    if word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// A path as an argument; those of the demo are made from text.
fn text(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}
