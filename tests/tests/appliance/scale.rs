//! The memory of a model with many files stays within what `policy explain` says.
//!
//! The usual number of files is one that every run of the tests can afford. To try more:
//!
//! ```text
//! cargo build --release -p oms-station --bin oms-appliance
//! OMS_SCALE_FILES=1000000 OMS_APPLIANCE_BIN=$PWD/target/release/oms-appliance \
//!     cargo test -p oms-tests --test appliance scale -- --nocapture
//! ```

use std::fs;
use std::path::Path;
use std::process::Command;

use oms_testkit::run;
use oms_tests::peak::watched;
use oms_tests::scene::{POLICY, Scene};
use oms_verify::budget::Budget;

/// Files of the model, unless the environment says otherwise.
const FILES: usize = 20_000;

/// Bytes of buffers for reading.
const BUFFERS: &str = "4MiB";

/// Files of a folder.
const OF_A_FOLDER: usize = 1_000;

/// Writes a data set of small files with long names, as a manifest of 300 bytes for each.
fn write_files(model: &Path, files: usize) {
    for folder in 0..files.div_ceil(OF_A_FOLDER) {
        let part = model.join(format!("part-{:04}/{folder:06}-{}", folder / 32, "d".repeat(60)));
        fs::create_dir_all(&part).unwrap();
        for at in (folder * OF_A_FOLDER..files).take(OF_A_FOLDER) {
            let name = format!("{at:09}-{}.json", "n".repeat(80));
            fs::write(part.join(name), format!("{{\"n\":{at}}}")).unwrap();
        }
    }
}

#[test]
fn a_model_of_many_files_takes_the_memory_that_its_bundle_and_its_files_may() {
    let files = std::env::var("OMS_SCALE_FILES").map_or(FILES, |files| files.parse().unwrap());
    let limits = format!("[manifest]\nmax-files = {files}\nmax-bundle-bytes = \"1GiB\"");
    let scene = Scene::with_policy(&POLICY.replacen("[manifest]", &limits, 1));
    write_files(&scene.model, files);
    let bundle = scene.bundle();
    let max_files = files.to_string();

    let mut sign = run::command();
    sign.arg("sign").arg(&scene.model).arg("--bundle").arg(&bundle);
    sign.arg("--key").arg(scene.path("vendor.key"));
    sign.arg("--certificate").arg(scene.path("vendor.chain"));
    sign.args(["--max-files", &max_files, "--memory", BUFFERS]);
    let mut digest = run::command();
    digest.arg("digest").arg(&scene.model).args(["--max-files", &max_files, "--memory", BUFFERS]);
    let station = fs::read_to_string(&scene.station.config).unwrap();
    let station = format!("{station}\n[intake]\nmemory = \"{BUFFERS}\"\n");
    oms_testkit::files::public(&scene.station.config, station);

    let within = |what: &str, command: &mut Command, is_station: bool| {
        let (time, peak, code) = watched(command);
        assert_eq!(code, Some(0), "{what}");
        let bundle_bytes = fs::metadata(&bundle).unwrap().len();
        let budget = Budget { resources: files, bundle_bytes, ..Budget::default() };
        let allowed = if is_station { budget.station_memory() } else { budget.memory() };
        let allowed = (allowed + (4 << 20)) >> 10;
        let (largest, together) = (peak.largest >> 10, peak.together >> 10);
        println!(
            "{what}: {files} files, bundle {bundle_bytes} bytes, {time:?}, \
             {largest} KiB ({together} KiB together) of {allowed}"
        );
        let taken = if is_station { together } else { largest };
        assert!(taken <= allowed, "{what}: {taken} KiB, {allowed} were told");
    };
    within("sign", &mut sign, false);
    within("digest", &mut digest, false);
    within("verify", scene.verify().args(["--memory", BUFFERS]), false);
    within("ingest", &mut scene.ingest(), true);
    let entries = scene.station.entries();
    let [entry] = entries.as_slice() else { panic!("not one entry: {entries:?}") };
    let entry = scene.station.outbound.join(entry);
    within("verdict verify", scene.receive(&entry).args(["--memory", BUFFERS]), false);
}
