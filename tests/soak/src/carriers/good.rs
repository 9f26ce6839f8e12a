//! Carriers as they should be, and those with a model that is not as it was signed.

use std::path::Path;

use oms_testkit::{files, model};
use oms_tests::scene::Scene;

use super::{Due, Kind, NOTHING, Templates};

/// Models on the carrier with many.
pub(super) const MANY: usize = 500;

/// Bytes of the large model.
const LARGE: u64 = 48 << 20;

pub(super) const KINDS: &[Kind] = &[
    Kind { name: "small", weight: 20, make: small, due: PASSED, is_long: false },
    Kind { name: "large", weight: 10, make: large, due: PASSED, is_long: true },
    Kind { name: "several", weight: 8, make: several, due: SEVERAL, is_long: true },
    Kind {
        name: "many",
        weight: 0,
        make: many,
        due: Due { passed: MANY, ..NOTHING },
        is_long: true,
    },
    Kind { name: "tampered", weight: 6, make: tampered, due: TAMPERED, is_long: false },
    Kind { name: "pickle", weight: 4, make: pickle, due: PICKLE, is_long: false },
    Kind { name: "unsigned", weight: 4, make: unsigned, due: MISSING, is_long: false },
    Kind { name: "empty", weight: 4, make: empty, due: MISSING, is_long: false },
];

const PASSED: Due = Due { passed: 1, ..NOTHING };
const TAMPERED: Due = Due { refused: 1, codes: &["manifest.digest-mismatch"], ..NOTHING };
const SEVERAL: Due = Due { passed: 2, ..TAMPERED };
const PICKLE: Due = Due { refused: 1, codes: &["content.format"], ..NOTHING };
const MISSING: Due = Due { own: Some("bundle.missing"), ..NOTHING };

/// A pickle that would run `os.system("id")`.
const PICKLED: &[u8] = b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00id\x85R.";

pub(super) fn templates(scene: &Scene, folder: &Path) {
    let signed = |name: &str, bytes: u64, add: &dyn Fn(&Path)| {
        let model = model::write(folder.join(name), bytes);
        add(&model);
        scene.sign(&model, &model.join("model.sig"), &[]);
        model
    };
    signed("demo", 30_000, &|_| {});
    signed("large", LARGE, &|_| {});
    model::flip_weight_bit(signed("broken", 30_000, &|_| {}));
    signed("pickled", 30_000, &|model| {
        files::public(model.join("model.pkl"), PICKLED);
    });
    model::write(folder.join("unsigned"), 30_000);
}

fn small(templates: &Templates, path: &Path) {
    templates.with_demo(path);
}

fn large(templates: &Templates, path: &Path) {
    templates.copy("large", &files::folder(path).join("large"));
}

fn several(templates: &Templates, path: &Path) {
    templates.with_demo(path);
    templates.copy("broken", &path.join("broken"));
    templates.copy("demo", &path.join("second"));
}

fn many(templates: &Templates, path: &Path) {
    files::folder(path);
    for number in 0..MANY {
        templates.copy("demo", &path.join(format!("{number:03}")));
    }
}

fn tampered(templates: &Templates, path: &Path) {
    templates.copy("broken", &files::folder(path).join("broken"));
}

fn pickle(templates: &Templates, path: &Path) {
    templates.copy("pickled", &files::folder(path).join("pickled"));
}

fn unsigned(templates: &Templates, path: &Path) {
    templates.copy("unsigned", &files::folder(path).join("unsigned"));
}

fn empty(_: &Templates, path: &Path) {
    files::folder(path);
}
