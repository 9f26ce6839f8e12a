//! Carriers that are tar files.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use oms_testkit::{files, run};
use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::{Due, Kind, NOTHING, Templates};

pub(super) const KINDS: &[Kind] = &[
    Kind { name: "good.tar", weight: 6, make: good, due: PASSED, is_long: false },
    Kind { name: "cut.tar", weight: 3, make: cut, due: WRONG, is_long: false },
    Kind { name: "climbing.tar", weight: 3, make: climbing, due: WRONG, is_long: false },
    Kind { name: "links.tar", weight: 3, make: links, due: WRONG, is_long: false },
    Kind { name: "devices.tar", weight: 3, make: devices, due: WRONG, is_long: false },
];

const PASSED: Due = Due { passed: 1, ..NOTHING };
const WRONG: Due = Due { own: Some("carrier.archive"), ..NOTHING };

pub(super) fn templates(folder: &Path) {
    let pack = |name: &str, what: &str, more: &[&str]| {
        let mut tar = Command::new("tar");
        let tar = tar.arg("-cf").arg(folder.join(name)).args(more).arg("-C").arg(folder).arg(what);
        let _ = run::outcome(tar).expect_status(0);
    };
    pack("good.tar", "demo", &[]);
    fs::copy(folder.join("good.tar"), folder.join("cut.tar")).unwrap();
    let length = fs::metadata(folder.join("cut.tar")).unwrap().len();
    File::options().write(true).open(folder.join("cut.tar")).unwrap().set_len(length / 3).unwrap();
    pack("climbing.tar", "demo", &["-P", "--transform=s,^,../../,"]);
    let links = files::folder(folder.join("links"));
    symlink("/etc", links.join("etc")).unwrap();
    pack("links.tar", "links", &[]);
    let devices = files::folder(folder.join("devices"));
    mknodat(CWD, devices.join("fifo"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    pack("devices.tar", "devices", &[]);
}

fn good(templates: &Templates, path: &Path) {
    templates.copy("good.tar", path);
}

fn cut(templates: &Templates, path: &Path) {
    templates.copy("cut.tar", path);
}

fn climbing(templates: &Templates, path: &Path) {
    templates.copy("climbing.tar", path);
}

fn links(templates: &Templates, path: &Path) {
    templates.copy("links.tar", path);
}

fn devices(templates: &Templates, path: &Path) {
    templates.copy("devices.tar", path);
}
