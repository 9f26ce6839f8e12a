//! A station whose keys are in an HSM.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use oms_testkit::pki::{Profile, chain};
use oms_testkit::softhsm::{Curve, SoftHsm};
use oms_testkit::vectors::workspace;
use oms_testkit::{files, run};

use crate::scene::{STATION, Scene};

/// Gives the station of a scene two keys that a token made, each by its URI and its public key
/// (DER), and `more` in its configuration.
///
/// # Panics
/// When the configuration cannot be changed.
pub fn configure(scene: &Scene, verdict: (&str, &[u8]), resign: (&str, &[u8]), more: &str) {
    let config = fs::read_to_string(&scene.station.config).unwrap();
    let mut config: toml::Table = config.parse().unwrap();
    let certificates = [
        ("verdict", verdict, Profile::code_signing("HSM").uri(STATION)),
        ("resign", resign, Profile::code_signing("ML").email("ml@corp.example")),
    ];
    for (key, (uri, spki), profile) in certificates {
        let leaf = scene.issuer.issue_for(profile, spki);
        let table = config["keys"][key].as_table_mut().unwrap();
        let file = table["certificate"].as_str().unwrap();
        let path = scene.station.config.with_file_name(file);
        files::public(path, chain([&leaf, &scene.issuer.certificate]));
        table.insert("key".to_owned(), uri.into());
    }
    files::public(&scene.station.config, config.to_string() + more);
}

/// Gives the station of a scene its keys in a SoftHSM2 token.
///
/// # Panics
/// When SoftHSM2 is not installed.
pub fn softhsm(scene: &Scene) -> SoftHsm {
    let hsm = SoftHsm::new(scene.path("hsm"));
    let verdict = hsm.generate("verdict", "01", Curve::P384);
    let resign = hsm.generate("resign", "02", Curve::P256);
    let uris = (hsm.uri("verdict"), hsm.uri("resign"));
    configure(scene, (&uris.0, &verdict), (&uris.1, &resign), &hsm.sandbox());
    hsm
}

/// A module before a token's own that fails as it is told to, and counts what it is called for.
#[derive(Debug)]
pub struct Faulty {
    folder: PathBuf,
}

impl Faulty {
    /// Puts it between the station of a scene and its token.
    ///
    /// # Panics
    /// When there is no compiler for C++.
    pub fn between(scene: &Scene, hsm: &SoftHsm) -> Faulty {
        let folder = files::folder(scene.path("faulty"));
        let source = workspace().join("appliance/station/tests/hsm/faulty.cpp");
        let module = folder.join("faulty.so");
        let mut compiler = Command::new("g++");
        compiler.args(["-shared", "-fPIC", "-o"]).arg(&module).arg(source);
        let _ = run::outcome(&mut compiler).expect_status(0);
        let pipe = Command::new("mkfifo").arg(folder.join("never")).status();
        assert!(pipe.unwrap().success());
        files::public(folder.join("module"), hsm.module().to_str().unwrap());
        for key in ["verdict", "resign"] {
            scene.configure(&hsm.uri(key), &hsm.uri_by(key, &module));
        }
        scene.configure("]\nwrite = [", &format!("]\nwrite = [{folder:?}, "));
        Faulty { folder }
    }

    /// Says how it fails from now on: a word of `faulty.cpp`, or none.
    ///
    /// # Panics
    /// When its folder is gone.
    pub fn fault(&self, word: &str) {
        // By a rename: it may read at any moment.
        let new = files::public(self.folder.join("fault.new"), word);
        fs::rename(new, self.folder.join("fault")).unwrap();
    }

    /// How often it was called so.
    pub fn calls(&self, name: &str) -> usize {
        let calls = fs::read_to_string(self.folder.join("calls")).unwrap_or_default();
        calls.lines().filter(|call| *call == name).count()
    }
}

/// The command with the variable by which the token is found.
#[must_use]
pub fn with(mut command: Command, hsm: &SoftHsm) -> Command {
    let (name, value): (_, &Path) = hsm.env();
    command.env(name, value);
    command
}
