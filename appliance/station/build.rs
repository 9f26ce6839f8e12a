//! Checks the anchors that are built in, and generates the table of their files for
//! `station::trust`. A fault ends the build.

#![expect(unreachable_pub, reason = "what is compiled in here is public in oms-verify")]

#[path = "build/firmware.rs"]
mod firmware;
#[path = "../verify/src/pki/manifest.rs"]
mod manifest;
#[path = "../verify/src/pki/purpose.rs"]
mod purpose;

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use manifest::Entry;
use purpose::Purpose;

/// The folder of the anchors, from this package's.
const FOLDER: &str = "../../firmware-roots";
/// What is generated, in the folder that cargo gives.
const TABLE: &str = "firmware_roots.rs";

fn main() {
    println!("cargo::rerun-if-changed={FOLDER}");
    let Some(out) = env::var_os("OUT_DIR").map(PathBuf::from) else {
        return println!("cargo::error=cargo gives no OUT_DIR");
    };
    match firmware::check(Path::new(FOLDER)) {
        Ok(entries) => {
            if let Err(error) = write_table(&entries, &out.join(TABLE)) {
                println!("cargo::error={TABLE}: {error}");
            }
        }
        Err(faults) => {
            for fault in faults {
                println!("cargo::error=firmware-roots: {fault}");
            }
        }
    }
}

/// Writes the table: the manifest's text, and each file's name and bytes.
fn write_table(entries: &[Entry], path: &Path) -> std::io::Result<()> {
    let folder = Path::new(FOLDER).canonicalize()?;
    let place = |file: &str| folder.join(file).display().to_string();
    let mut files = String::new();
    for Entry { file, .. } in entries {
        let _ = writeln!(files, "    ({file:?}, include_bytes!({:?})),", place(file));
    }
    let manifest = place(manifest::FILE_NAME);
    fs::write(
        path,
        format!("Firmware {{ manifest: include_str!({manifest:?}), files: &[\n{files}] }}\n"),
    )
}
