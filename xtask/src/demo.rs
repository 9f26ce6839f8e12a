//! `cargo xtask demo`: the whole way of a model, from its signer over a carrier and the station to
//! the receiving side; and then the same model with one bit changed, which must not pass.

mod carrier;
mod site;

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

/// How long the weights are of the model that the demo makes.
const WEIGHT_BYTES: u64 = 32 << 20;

/// Shows it all; anything that comes out other than it must is a failure.
pub(crate) fn run(model: Option<&Path>) -> Result<(), Failure> {
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
    if dir.exists() {
        fs::remove_dir_all(&dir).map_err(|source| Failure::Write { path: dir.clone(), source })?;
    }
    let dir = files::folder(dir);

    step("A corporate PKI, an HSM token with two keys that were born in it, and a station");
    let site = Site::new(&dir);
    let appliance = Appliance { site: &site };
    println!("   station   {}", shown(&site.station.config));
    appliance.run("hsm check", &["hsm", "check", &site.hsm.uri("oms-signing")], 0)?;

    step(&format!("The vendor, {VENDOR_EMAIL}, signs a model"));
    let model = match model {
        Some(path) => {
            path.canonicalize().map_err(|source| Failure::Read { path: path.to_owned(), source })?
        }
        None => model::write(dir.join("demo-model"), WEIGHT_BYTES),
    };
    let bundle = dir.join("vendor/model.sig");
    let vendor = &site.vendor;
    let sign = ["sign", text(&model), "--bundle", text(&bundle), "--key", text(&vendor.key)];
    let certificate = ["--certificate", text(&vendor.certificate), "--chain", text(&vendor.chain)];
    appliance.run("sign", &[&sign[..], &certificate[..]].concat(), 0)?;

    step("It travels on a carrier, and the station ingests it");
    let carrier = Carrier::load(&dir.join("carrier"), &model, &bundle)?;
    let passed = appliance.ingest(&carrier, 0, "passed")?;
    expect(passed.join("model").is_dir(), "the entry holds no model")?;

    step("Behind the diode, the receiving side checks the entry with nothing but a root");
    appliance.verify_verdict(&passed, 0)?;

    step("The same model on another carrier, with one bit of a weight flipped");
    let carrier = Carrier::load(&dir.join("carrier-2"), &model, &bundle)?;
    let (file, offset) = carrier.flip_one_bit()?;
    println!("   flipped   bit 0 of byte {offset} of {}", shown(&file));
    let refused = appliance.ingest(&carrier, 1, "refused")?;
    expect(!refused.join("model").exists(), "a refused model is in outbound")?;
    appliance.verify_verdict(&refused, 1)?;

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
    /// Ingests a carrier and gives the entry that appeared in outbound.
    fn ingest(&self, carrier: &Carrier, status: i32, outcome: &str) -> Result<PathBuf, Failure> {
        let station = &self.site.station;
        let before = station.entries();
        self.run(
            "ingest",
            &["ingest", text(carrier.dir()), "--config", text(&station.config)],
            status,
        )?;

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
        Ok(entry)
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

    /// Runs the appliance, which speaks for itself, and expects an exit code.
    fn run(&self, what: &str, arguments: &[&str], status: i32) -> Result<(), Failure> {
        let program = target().join("release/oms-appliance");
        let words = arguments.iter().map(|word| quoted(&shown(Path::new(word))));
        println!("   $ oms-appliance {}", words.collect::<Vec<_>>().join(" "));
        let mut command = Command::new(program);
        let (name, value) = self.site.hsm.env();
        command.args(arguments).env(name, value);
        let ended = command
            .status()
            .map_err(|source| Failure::Spawn { command: "oms-appliance".to_owned(), source })?;
        expect(
            ended.code() == Some(status),
            &format!("`{what}` ended with {ended} instead of exit code {status}"),
        )
    }
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
