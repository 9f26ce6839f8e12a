//! A case's model on disk: as it was signed, and with each of the changes that must be noticed.

use std::path::{Path, PathBuf};

use oms_testkit::{files, model};

use super::cases::Case;

/// The model of a case, and its changed copies, each under the model's own name.
pub(crate) struct Models {
    /// As it was signed.
    pub(crate) sound: PathBuf,
    /// One bit of its largest file is another.
    pub(crate) tampered: PathBuf,
    /// A file more than was signed; not for a model that is a file.
    pub(crate) with_more: Option<PathBuf>,
    /// Without its largest file; not for a model that is a file.
    pub(crate) with_less: Option<PathBuf>,
    /// Where the bundle of the sound model lies.
    pub(crate) bundle: PathBuf,
}

impl Models {
    /// Writes them into the folder `dir`.
    pub(crate) fn write(dir: &Path, case: &Case) -> Models {
        let copy = |name: &str| {
            let path = files::folder(dir.join(name)).join(case.model);
            write(&path, case);
            path
        };
        let (largest, _) = case.tree.iter().max_by_key(|(_, size)| *size).expect("a file");
        let sound = copy("sound");

        let tampered = copy("tampered");
        let changed = if case.is_single_file() { tampered.clone() } else { tampered.join(largest) };
        model::flip_bit(changed, 42);

        let is_folder = !case.is_single_file();
        let with_more = is_folder.then(|| {
            let path = copy("more");
            files::public(path.join("unsigned.txt"), "nobody signed this\n");
            path
        });
        let with_less = is_folder.then(|| {
            let path = copy("less");
            std::fs::remove_file(path.join(largest)).expect("the largest file");
            path
        });
        let bundle = if case.bundle_inside {
            sound.join("model.sig")
        } else {
            dir.join("bundle.sigstore.json")
        };
        Models { sound, tampered, with_more, with_less, bundle }
    }
}

/// Writes the model of a case: a folder, or a file.
pub(crate) fn write(path: &Path, case: &Case) {
    for (name, size) in case.tree {
        let path = if name.is_empty() { path.to_owned() } else { path.join(name) };
        files::folder(path.parent().expect("a folder"));
        // Text that differs from file to file, so that no digest is another file's.
        let line = format!("{name} of {}\n", case.name);
        let text: Vec<u8> = line.bytes().cycle().take(*size).collect();
        files::public(path, text);
    }
}
