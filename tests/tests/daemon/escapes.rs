//! Names that a terminal would obey, wherever a carrier can put them: nothing that the daemon says
//! has them as they are.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use oms_station::daemon::ask;
use oms_testkit::{files, model, run};
use oms_tests::forge::statement;
use oms_tests::scene::{Scene, any_content};
use serde_json::{Value, json};

use crate::station::{Daemon, bring, with_hot_folder};

/// Clears the screen, sets its title, ends the line, goes back to its start, and turns the direction
/// of writing around.
const OBEYED: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\n\r\u{9b}31m\u{202e}";

fn place(folder: &Path, parts: &[&[u8]]) -> std::path::PathBuf {
    folder.join(OsStr::from_bytes(&parts.concat()))
}

/// A carrier with such names, and broken ones, for everything that has a name.
fn fill(scene: &Scene) {
    let (carrier, obeyed) = (&scene.carrier, OBEYED.as_bytes());
    // A folder that looks like a model.
    let odd = model::write(place(carrier, &[b"model", obeyed]), 20_000);
    files::public(odd.join("model.sig"), "{}");
    // A model with a file that is signed, and one that is not.
    let folder = model::write(carrier.join("second"), 20_000);
    let config = files::sha256_hex(&fs::read(folder.join("config.json")).unwrap());
    let signed = format!("{OBEYED}.json");
    fs::copy(folder.join("config.json"), folder.join(&signed)).unwrap();
    files::public(place(&folder, &[b"other\xff", obeyed]), "");
    let sign = |payload: &Value, to: &Path| {
        let bundle = scene.forger().bundle(payload.to_string().as_bytes()).to_string();
        files::public(to.join("model.sig"), bundle);
    };
    sign(&statement(&[(&signed, config.clone())]), &folder);
    // One whose statement has such names, and names no such file.
    let folder = model::write(carrier.join("third"), 20_000);
    let mut payload = statement(&[("config.json", config)]);
    payload["subject"][0]["name"] = OBEYED.into();
    payload["subject"][0]["annotations"] = json!({ OBEYED: OBEYED });
    sign(&payload, &folder);
    // Bundles that are none, folders whose name is none, and what no bundle names.
    let text = json!({ "mediaType": OBEYED, OBEYED: OBEYED }).to_string();
    files::public(place(carrier, &[obeyed, b".sig"]), &text);
    files::public(place(carrier, &[b"bad\xff", obeyed, b".sig"]), &text);
    files::folder(place(carrier, &[b"folder\xff", obeyed]));
    files::public(place(carrier, &[b"unclaimed", obeyed]), "");
}

/// Whether a terminal shows it as it is; only whitespace is let through that ends or indents lines
/// which the program makes.
fn is_harmless(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let is_format = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !text.chars().any(|c| (c.is_control() && c != '\n') || is_format(c))
}

fn checked(what: &str, bytes: &[u8]) {
    assert!(!bytes.is_empty(), "{what} is empty");
    assert!(is_harmless(bytes), "{what}: {:?}", String::from_utf8_lossy(bytes));
}

#[test]
fn nothing_that_the_daemon_says_has_them() {
    for shape in ["json", "text"] {
        let scene = Scene::with_policy(&any_content());
        model::write(&scene.model, 20_000);
        scene.sign(&scene.model, &scene.bundle(), &[]);
        fill(&scene);
        let hot = with_hot_folder(&scene);
        if shape == "text" {
            scene.configure("log = \"json\"", "log = \"text\"");
        }
        let said = scene.path("said");
        let mut command = run::command();
        command.stderr(File::create(&said).unwrap());
        let daemon = Daemon::start_with(&scene, command);
        let name = OsStr::from_bytes(b"carrier\xff").to_string_lossy().into_owned() + OBEYED;
        let told = daemon.served(&bring(&scene.carrier, &hot, &name));
        assert_eq!(told["passed"], 1, "{told:#}");
        assert_eq!(told["models"].as_u64(), Some(3), "{told:#}");

        let socket = scene.path("status.sock");
        checked("the status", &ask(&socket).unwrap());
        let text = run::appliance(["status", "--socket", socket.to_str().unwrap()]);
        checked("the status for people", text.stdout.as_bytes());
        daemon.stop();
        for file in ["log", "metrics.prom"] {
            checked(file, &fs::read(scene.path(file)).unwrap());
        }
        assert!(is_harmless(&fs::read(&said).unwrap()), "what it says on standard error");
        let entries = scene.station.entries();
        assert_eq!(entries.len(), 3, "{entries:?}");
        for entry in entries {
            let report = scene.station.outbound.join(entry).join("report.html");
            checked("the report", &fs::read(report).unwrap());
        }
        let out = scene.path("ledger");
        let mut export = run::command();
        export.args(["ledger", "export", "--config"]).arg(&scene.station.config);
        let outcome = run::outcome(export.arg("--out").arg(&out)).expect_status(0);
        checked("the ledger's summary", outcome.stdout.as_bytes());
        checked("the ledger", &fs::read(out).unwrap());
    }
}
