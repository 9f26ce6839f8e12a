//! Harm that is done to a station, and what the record says of it.

use super::*;
use crate::stage::{MEMORY, Stage};
use oms_testkit::files;
use oms_tests::{entry, journal};
use tempfile::TempDir;

fn folder() -> TempDir {
    let memory = Path::new(MEMORY);
    let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    tempfile::tempdir_in(place).unwrap()
}

/// What the record says of a station in which `harm` was done, after another carrier.
fn found(profile: &str, harm: impl FnOnce(&Scene, &[String])) -> Result<(), Violation> {
    let folder = folder();
    let stage = Stage::new(folder.path(), profile, true, false).unwrap();
    let mut record = Record::of(&stage);
    record.after_recovery(&stage.scene).unwrap();
    harm(&stage.scene, &stage.scene.station.entries());
    // What it says to the harm does not matter.
    let _ = stage.recover(&stage.carriers[0]);
    record.after_recovery(&stage.scene)
}

/// What it says of a station at which nobody had looked before.
fn found_at_first(profile: &str, harm: impl FnOnce(&Scene, &[String])) -> Result<(), Violation> {
    let folder = folder();
    let stage = Stage::new(folder.path(), profile, false, false).unwrap();
    harm(&stage.scene, &stage.scene.station.entries());
    Record::of(&stage).after_crash(&stage.scene)
}

fn outbound(scene: &Scene, name: &str) -> std::path::PathBuf {
    scene.station.outbound.join(name)
}

fn append(path: &Path, bytes: &[u8]) {
    use std::io::Write as _;
    fs::File::options().append(true).open(path).unwrap().write_all(bytes).unwrap();
}

#[test]
fn what_was_lost_or_changed_is_found() {
    let gone = found("tree", |scene, names| {
        fs::remove_dir_all(outbound(scene, &names[1])).unwrap();
    });
    assert!(matches!(gone, Err(Violation::Gone(_))), "{gone:?}");
    let changed = found("tree", |scene, names| {
        append(&entry::verdict(&outbound(scene, &names[1])), b"\n");
    });
    assert!(matches!(changed, Err(Violation::Changed(_))), "{changed:?}");
    let twice = found("tree", |scene, names| {
        fs::rename(outbound(scene, &names[0]), outbound(scene, &names[0]).with_extension("x"))
            .unwrap();
    });
    assert!(matches!(twice, Err(Violation::Twice(1))), "{twice:?}");
}

#[test]
fn what_lies_where_it_does_not_belong_is_found() {
    let left = found("tree", |scene, _| {
        files::folder(scene.station.spool.join("other"));
    });
    assert!(matches!(left, Err(Violation::Left(_))), "{left:?}");
    let left = found_at_first("tree", |scene, _| {
        files::folder(scene.station.spool.join("ingest-999"));
    });
    assert!(matches!(left, Err(Violation::Left(_))), "{left:?}");
    let left = found("tree", |scene, _| {
        files::public(scene.station.state.join("journal.new"), "");
    });
    assert!(matches!(left, Err(Violation::Left(_))), "{left:?}");
}

#[test]
fn an_entry_that_is_not_complete_is_found() {
    for part in ["report.html", "model/config.json"] {
        let partial = found_at_first("tree", |scene, names| {
            fs::remove_file(outbound(scene, &names[0]).join(part)).unwrap();
        });
        assert!(matches!(partial, Err(Violation::Entry { .. })), "{part}: {partial:?}");
    }
    let tar = |names: &[String]| names.iter().find(|name| name.ends_with(".tar")).unwrap().clone();
    let cut = found_at_first("tar", |scene, names| {
        let tar = fs::File::options().write(true).open(outbound(scene, &tar(names))).unwrap();
        tar.set_len(9000).unwrap();
    });
    assert!(matches!(cut, Err(Violation::Entry { .. })), "{cut:?}");
    let alone = found_at_first("tar", |scene, names| {
        fs::remove_file(outbound(scene, &beside(&tar(names)).unwrap())).unwrap();
    });
    assert!(matches!(alone, Err(Violation::Entry { .. })), "{alone:?}");
}

#[test]
fn what_the_archive_or_the_kept_models_lack_is_found() {
    let archive = |scene: &Scene, name: &str| scene.station.state.join("archive").join(&name[..36]);
    let verdict = found("tree", |scene, names| {
        fs::remove_file(entry::verdict(&archive(scene, &names[0]))).unwrap();
    });
    assert!(matches!(verdict, Err(Violation::Archive(_))), "{verdict:?}");
    let bundle = found("tree", |scene, names| {
        append(&archive(scene, &names[0]).join("model.sig"), b"\n");
    });
    assert!(matches!(bundle, Err(Violation::Archive(_))), "{bundle:?}");
    let kept = found("tree", |scene, names| {
        fs::remove_dir_all(scene.station.spool.join(KEPT).join(&names[0])).unwrap();
    });
    assert!(matches!(kept, Err(Violation::Kept(_))), "{kept:?}");
}

#[test]
fn what_the_signer_should_not_have_written_is_found() {
    let record = |scene: &Scene| scene.station.state.join("signer/record");
    let line = format!("{:012} {} {}\n", 1, "0".repeat(64), "0".repeat(64));
    let other = found("tree", |scene, _| {
        let text = fs::read_to_string(record(scene)).unwrap();
        fs::write(record(scene), text.replacen(text.lines().next().unwrap(), line.trim(), 1))
            .unwrap();
    });
    assert!(matches!(other, Err(Violation::Signer(_))), "{other:?}");
    let more = found_at_first("tree", |scene, _| append(&record(scene), line.as_bytes()));
    assert!(matches!(more, Err(Violation::Signer(_))), "{more:?}");
}

#[test]
fn what_the_journal_should_not_say_is_found() {
    let found = |statements: &str| {
        found("tree", |scene, _| journal::change(&scene.station.state, statements))
    };
    let changed = found("UPDATE decision SET result = 'passed' WHERE result = 'refused'");
    assert!(matches!(changed, Err(Violation::Result { .. })), "{changed:?}");
    let changed = found("UPDATE decision SET entry = entry || 'x' WHERE sequence = 3");
    assert!(matches!(changed, Err(Violation::Decision { sequence: 3, .. })), "{changed:?}");
    let begun = found(
        "UPDATE carrier SET state = 'present', ended = NULL
         WHERE id NOT IN (SELECT carrier FROM intake)",
    );
    assert!(begun.is_ok(), "the next run interrupts it: {begun:?}");
}

#[test]
fn an_entry_that_the_journal_has_no_signature_of_is_found() {
    let early = found_at_first("tree", |scene, _| {
        let statements = "UPDATE decision SET state = 'composed', published = NULL,
                          verdict_sha256 = NULL WHERE sequence = 4";
        journal::change(&scene.station.state, statements);
    });
    assert!(matches!(early, Err(Violation::Early(4))), "{early:?}");
}

#[test]
fn a_model_that_a_visit_left_out_is_found() {
    let folder = folder();
    let stage = Stage::new(folder.path(), "tree", false, false).unwrap();
    let mut record = Record::of(&stage);
    record.after_recovery(&stage.scene).unwrap();
    let several = stage.carriers.last().unwrap();
    record.after_visit(&stage.scene, several).unwrap();
    stage.recover(&stage.carriers[1]).unwrap();
    let missing = record.after_visit(&stage.scene, several);
    assert!(matches!(missing, Err(Violation::Visit { .. })), "{missing:?}");
}
