//! Carriers of an enemy, in folders. Beside what is hostile there is mostly a good model, which
//! passes all the same.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use oms_testkit::files;
use oms_tests::scene::Scene;
use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::{Due, Kind, NOTHING, Templates};

pub(super) const KINDS: &[Kind] = &[
    Kind { name: "names", weight: 5, make: names, due: NAMES, is_long: false },
    Kind { name: "names-inside", weight: 4, make: names_inside, due: INSIDE, is_long: false },
    Kind { name: "deep", weight: 4, make: deep, due: NAMES, is_long: false },
    Kind { name: "loops", weight: 4, make: loops, due: LOOPS, is_long: false },
    Kind { name: "special", weight: 4, make: special, due: SPECIAL, is_long: false },
    Kind { name: "special-inside", weight: 4, make: special_inside, due: LISTED, is_long: false },
    Kind { name: "nested", weight: 2, make: nested, due: NESTED, is_long: false },
    Kind { name: "broad", weight: 2, make: broad, due: BROAD, is_long: false },
];

const NAMES: Due = Due { passed: 1, own: Some("media.name"), ..NOTHING };
const INSIDE: Due = Due { refused: 1, codes: &["media.name"], ..NOTHING };
const LOOPS: Due = Due { passed: 1, own: Some("media.symlink"), ..NOTHING };
const SPECIAL: Due = Due { passed: 1, own: Some("media.not-regular"), ..NOTHING };
const LISTED: Due = Due { refused: 1, codes: &["media.not-regular"], ..NOTHING };
const NESTED: Due = Due { refused: 1, codes: &["bundle.too-deep"], ..NOTHING };
const BROAD: Due = Due { refused: 1, codes: &["bundle.schema"], ..NOTHING };

/// What a terminal would obey: it clears itself, and gets another title.
const ESCAPES: &[u8] = b"\x1b[2J\x1b]0;owned\x07";

/// Bytes of a bundle, as many as the policy lets through.
const BUNDLE: usize = 64 << 20;

/// Folders in each other.
const DEPTH: usize = 300;

pub(super) fn templates(_: &Scene, folder: &Path) {
    let write = |name: &str, piece: &[u8]| {
        let mut file = File::create(folder.join(name)).unwrap();
        let block: Vec<u8> = piece.iter().copied().cycle().take(1 << 20).collect();
        for _ in 0..BUNDLE / block.len() {
            file.write_all(&block).unwrap();
        }
    };
    write("nested.sig", b"[");
    // Never deeper than a parser lets through, and 64 MiB of it.
    write("broad.sig", b"[[[[[[[[]]]]]]]]");
    let file = File::options().read(true).write(true).open(folder.join("broad.sig")).unwrap();
    let text = fs::read(folder.join("broad.sig")).unwrap();
    let mut text = String::from_utf8(text).unwrap().replace("][", "],[");
    text.truncate(BUNDLE - 32);
    text.truncate(text.rfind("]]]]]]]],").unwrap() + 8);
    let text = format!("{{\"mediaType\":[{text}]}}");
    file.set_len(0).unwrap();
    fs::write(folder.join("broad.sig"), text).unwrap();
}

fn raw(folder: &Path, parts: &[&[u8]]) -> PathBuf {
    folder.join(OsStr::from_bytes(&parts.concat()))
}

fn names(templates: &Templates, path: &Path) {
    templates.with_demo(path);
    templates.copy("demo", &raw(path, &[b"bad\xff\xfe", ESCAPES]));
    files::public(raw(path, &[ESCAPES, b"\xc3.sig"]), "{}");
    files::public(raw(path, &[b"one\nline\rmore\xe2\x80\xae", ESCAPES]), "unclaimed");
}

fn names_inside(templates: &Templates, path: &Path) {
    templates.with_demo(path);
    files::public(raw(&path.join("demo"), &[b"bad\xff", ESCAPES, b".json"]), "{}");
    files::public(raw(&path.join("demo"), &[ESCAPES, b".json"]), "{}");
}

fn deep(templates: &Templates, path: &Path) {
    templates.with_demo(path);
    let mut folder = path.to_owned();
    folder.extend(vec!["d"; DEPTH]);
    files::public(files::folder(folder).join("model.sig"), "{}");
}

fn loops(templates: &Templates, path: &Path) {
    templates.with_demo(path);
    for (to, name) in [(".", "self"), ("/", "all"), ("two", "one"), ("one", "two")] {
        symlink(to, path.join(name)).unwrap();
    }
    symlink("one", path.join("loop.sig")).unwrap();
}

fn special(templates: &Templates, path: &Path) {
    templates.with_demo(path);
    fifo(&path.join("fifo.sig"));
    fifo(&path.join("fifo"));
    drop(UnixListener::bind(path.join("socket")).unwrap());
}

fn special_inside(templates: &Templates, path: &Path) {
    templates.with_demo(path);
    fs::remove_file(path.join("demo/config.json")).unwrap();
    fifo(&path.join("demo/config.json"));
}

fn nested(templates: &Templates, path: &Path) {
    templates.copy("unsigned", &files::folder(path).join("unsigned"));
    templates.copy("nested.sig", &path.join("unsigned/model.sig"));
}

fn broad(templates: &Templates, path: &Path) {
    templates.copy("unsigned", &files::folder(path).join("unsigned"));
    templates.copy("broad.sig", &path.join("unsigned/model.sig"));
}

fn fifo(path: &Path) {
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}
