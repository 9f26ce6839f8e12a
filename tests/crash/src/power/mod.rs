//! The power fails: what was not flushed to the drive is lost, or some of it, in any order.
//!
//! Each run ingests on a drive that keeps a log. Then a moment of it is chosen, and what the drive
//! holds after a power cut at that moment is the drive of the next run, which recovers. So the cut
//! may also be in a recovery.

mod drive;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use oms_testkit::{files, run};
use oms_tests::mounts::{Need, privately};

use self::drive::Drive;
use crate::dice::Dice;
use crate::record::Record;
use crate::report::Report;
use crate::stage::{Running, Stage};
use crate::violation::Violation;

/// Power cuts that one station goes through.
const A_STATION: u32 = 25;
/// Bytes of a drive.
const BYTES: u64 = 48 << 20;
/// How the file system treats its drive.
const OPTIONS: &[&str] = &["data=ordered", "data=writeback", "nodelalloc"];

/// Cuts the power, at most `runs` times, and begins nothing new after `within`. Nothing where that
/// cannot be done.
pub(crate) fn cut(runs: u32, within: Duration, seed: u64) -> Option<Report> {
    let mut report = None;
    privately(&[Need::Fuse, Need::Ext4], || {
        let start = Instant::now();
        let mut found = Report::new("power", seed);
        let mut dice = Dice::new(seed);
        while found.runs < runs && start.elapsed() < within && found.violations.is_empty() {
            let folder = tempfile::Builder::new().prefix("oms-crash-").tempdir().expect("a folder");
            let last = found.runs.saturating_add(A_STATION).min(runs);
            let done = one_station(folder.path(), &mut dice, &mut found, last, || {
                start.elapsed() < within
            });
            found.check(done, || folder.path().to_owned());
            if !found.violations.is_empty() {
                let _ = folder.keep();
            }
        }
        found.took = start.elapsed();
        report = Some(found);
    });
    report
}

fn one_station(
    folder: &Path,
    dice: &mut Dice,
    report: &mut Report,
    last: u32,
    goes_on: impl Fn() -> bool,
) -> Result<(), Violation> {
    let profile = *dice.one_of(&["tree", "tree", "tar"]);
    // Nobody takes anything from it, so that a quota would only end it.
    let stage = Stage::new(folder, profile, dice.once_in(2), false)?;
    let mut record = Record::of(&stage);
    record.after_recovery(&stage.scene)?;
    let at = stage.scene.station.config.parent().expect("the station's folder").to_owned();
    let mut bytes = image(&at, &folder.join("image"));
    let drive = files::folder(folder.join("drive"));
    while report.runs < last && goes_on() {
        report.runs += 1;
        let options: &&str = dice.one_of(OPTIONS);
        let mounted = Drive::mount(bytes, &drive, &at, options);
        // As it is found when the power has come back.
        if let Err(violation) = record.after_crash(&stage.scene) {
            fs::write(folder.join("violation.img"), mounted.cut(0, dice)).expect("room");
            return Err(violation);
        }
        let mut visible = BTreeMap::new();
        let carrier = dice.one_of(&stage.carriers);
        let mut running = Running::start(&stage, carrier)?;
        while !running.has_ended() {
            let there = stage.scene.station.entries();
            // All of it was there before anything else came.
            let came = mounted.came();
            for name in there {
                visible.entry(name).or_insert(came);
            }
            std::thread::sleep(Duration::from_micros(300));
        }
        let done = running.expect(carrier.status);
        let done = done.and_then(|()| record.after_recovery(&stage.scene));
        if let Err(violation) = done {
            fs::write(folder.join("violation.img"), mounted.cut(0, dice)).expect("room");
            return Err(violation);
        }
        report.flushes += mounted.flushes();
        let moment = dice.below(mounted.came() + 1);
        report.struck(Some("power".to_owned()));
        bytes = mounted.cut(moment, dice);
        let before = record.entries();
        let was_seen = |name: &str| visible.get(name).is_some_and(|came| *came <= moment);
        let lasts =
            |name: &str| visible.get(name).is_some_and(|came| mounted.is_synced(*came, moment));
        record.only(lasts, was_seen);
        report.undone += before - record.entries();
    }
    report.entries += record.entries();
    Ok(())
}

/// The bytes of an ext4 with everything that is in `folder`.
fn image(folder: &Path, path: &Path) -> Vec<u8> {
    fs::File::create(path).and_then(|file| file.set_len(BYTES)).expect("room for an image");
    let mut make = Command::new("mkfs.ext4");
    make.args(["-q", "-b", "4096", "-J", "size=4", "-E", "lazy_itable_init=0,lazy_journal_init=0"]);
    let _ = run::outcome(make.arg("-d").arg(folder).arg(path)).expect_status(0);
    let bytes = fs::read(path).expect("the image");
    fs::remove_file(path).expect("the image");
    bytes
}
