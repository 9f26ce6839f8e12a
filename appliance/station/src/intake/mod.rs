//! Intake: each listed file is read once, hashed, and, for an ingest, copied into quarantine.
//!
//! ```text
//!  carrier ──openat2──▶ sizes ──room?──▶ RegularFile ──one pass──▶ hash  ──▶ Observed
//!                                                         └──────▶ copy  ──▶ Quarantine
//! ```
//!
//! Before the first byte every size is known: a file of the wrong size is not read, and a model
//! that the spool has no room for is not begun.
//!
//! What is hashed is what is copied; nothing afterwards looks at the carrier again. A file that
//! cannot be read because of what it is becomes a problem of the model ([`Observed::problems`]);
//! an I/O error is not a fact about the model and ends the intake without a decision.

mod hash;
mod measure;
mod quarantine;
mod settings;
mod source;
#[cfg(test)]
pub(crate) mod tests;
mod tree;

pub use hash::PieceHasher;
pub(crate) use quarantine::ATTESTATIONS;
pub use quarantine::Quarantine;
pub use settings::{Memory, Reader, Reading, Settings, WrongMemory, WrongReader};
pub use source::Source;
pub use tree::{Tree, entries_of_a_folder, survey};

use std::fs::File;
use std::io::{self, Read as _, Write as _};

use oms_sys::beneath::{BeneathError, RegularFile};
use oms_verify::budget::Budget;
use oms_verify::name::ResourcePath;
use oms_verify::observe::{Observed, ObservedFile, Unlisted};
use oms_verify::reason::{Class, Code, Reason};
use oms_verify::statement::{Manifest, ManifestFile, Method};
use rayon::prelude::*;
use rustix::io::Errno;

use self::measure::measure;
use crate::progress::{Engine, Progress};

/// Bytes that are read at once.
const CHUNK: usize = 1 << 20;

/// Reads every file that `manifest` lists from `source`, and copies it to `copies` if given.
/// Paths at or below one of `ignored` count as if the signer had ignored them.
///
/// # Errors
/// When carrier or station fail, so that nothing can be said about the model.
pub fn read(
    source: &Source,
    manifest: &Manifest,
    ignored: &[String],
    budget: &Budget,
    copies: Option<&Quarantine>,
    reading: &Reading<'_>,
) -> Result<Observed, Reason> {
    let progress = reading.progress;
    let is_ignored = |path: &str| manifest.ignores(path) || is_at_or_below(path, ignored);
    // A listed file may lie below a path that its signer ignored: it is signed all the same, so
    // the folders above it are looked into like any other.
    let tree = survey(source, budget, progress, |path| {
        is_ignored(path) && !leads_to_listed(manifest, path)
    })?;
    let mut observed = Observed { problems: tree.problems, ..Observed::default() };
    observed.unlisted = tree
        .files
        .into_iter()
        .filter(|path| !source.lists(manifest, path))
        .map(|path| Unlisted { ignored: is_ignored(&path), path })
        .chain(tree.ignored.into_iter().map(|path| Unlisted { path, ignored: true }))
        .collect();
    observed.unlisted.sort();

    let sizes = measure(source, manifest, budget, progress)?;
    let readable = sizes.iter().flatten().copied().fold(0, u64::saturating_add);
    progress.describe(Engine {
        reader: "threads",
        because: "there is no other".to_owned(),
        kernels: vec!["single".to_owned()],
        direct: false,
        workers: rayon::current_num_threads(),
    });
    progress.expect(readable, sizes.iter().flatten().count() as u64);
    if let Some(copies) = copies {
        copies.reserve(readable, sizes.iter().flatten().count())?;
    }
    // Ends at the first failure: nothing is copied in vain.
    let outcomes: Vec<_> = manifest
        .files()
        .par_iter()
        .zip(sizes)
        .map(|(file, size)| {
            let outcome = size.and_then(|size| {
                let input = open(source, manifest, file)?;
                if input.size() != size {
                    let detail = format!("had {size} bytes a moment ago, has {}", input.size());
                    return Err(Reason::new(Code::MediaChanged, detail));
                }
                let copy = copies.map(|copies| copies.create_file(&file.path)).transpose()?;
                one_pass(&input, manifest, copy, progress)
            });
            match outcome.map_err(|reason| about(reason, &file.path)) {
                Err(failure) if failure.code.class() != Class::Refusal => Err(failure),
                seen => Ok((&file.path, seen)),
            }
        })
        .collect::<Result<_, _>>()?;
    progress.all_read();
    for (path, outcome) in outcomes {
        match outcome {
            Ok(file) => {
                observed.files.insert(path.clone(), file);
            }
            Err(reason) => observed.problems.push(reason),
        }
    }
    Ok(observed)
}

/// Opens a listed file.
fn open(source: &Source, manifest: &Manifest, file: &ManifestFile) -> Result<RegularFile, Reason> {
    source
        .open(manifest, &file.path)
        .map_err(|error| refusal_or_failure(error, file.path.as_str()))?
        .ok_or_else(|| Reason::new(Code::ManifestMissingFile, "the listed file is absent"))
}

/// Whether `path` is listed, or a folder of what is.
fn leads_to_listed(manifest: &Manifest, path: &str) -> bool {
    let files = manifest.files();
    let inside = format!("{path}/");
    let first = files.partition_point(|file| file.path.as_str() < inside.as_str());
    manifest.file(path).is_some()
        || files.get(first).is_some_and(|file| file.path.as_str().starts_with(&inside))
}

/// Whether `path` is one of `folders`, or inside one.
pub(crate) fn is_at_or_below(path: &str, folders: &[impl AsRef<str>]) -> bool {
    folders.iter().any(|folder| {
        path.strip_prefix(folder.as_ref())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

fn one_pass(
    input: &RegularFile,
    manifest: &Manifest,
    mut copy: Option<File>,
    progress: &Progress,
) -> Result<ObservedFile, Reason> {
    let (size, pieces) =
        hash_file(input, manifest.hash(), manifest.method(), progress, |bytes| match &mut copy {
            Some(copy) => copy.write_all(bytes).map_err(|error| {
                Reason::new(Code::OutboundWrite, format!("writing to the spool: {error}"))
            }),
            None => Ok(()),
        })?;
    Ok(ObservedFile { size, pieces })
}

/// Hashes a file from its first to its last byte, and hands the bytes to `sink` on the way.
///
/// # Errors
/// When the file changed while it was read, when it cannot be read, or when `sink` fails.
pub fn hash_file(
    input: &RegularFile,
    algorithm: oms_verify::hash::HashAlgorithm,
    method: Method,
    progress: &Progress,
    mut sink: impl FnMut(&[u8]) -> Result<(), Reason>,
) -> Result<(u64, oms_verify::statement::Pieces), Reason> {
    let mut hasher = PieceHasher::new(algorithm, method);
    read_through(input, progress, |bytes| {
        hasher.update(bytes);
        sink(bytes)
    })?;
    hasher.finish().ok_or_else(|| Reason::new(Code::MediaUnreadable, "hashing failed"))
}

/// Hands every byte of a file to `sink`, once and in order.
///
/// # Errors
/// When the file changed while it was read, when it cannot be read, or when `sink` fails.
pub fn read_through(
    input: &RegularFile,
    progress: &Progress,
    mut sink: impl FnMut(&[u8]) -> Result<(), Reason>,
) -> Result<(), Reason> {
    let expected = input.size();
    let mut position = 0u64;
    let mut buffer = vec![0; CHUNK.min(usize::try_from(expected).unwrap_or(CHUNK).max(1))];
    // One byte past the expected end is asked for, so that a file that grew is seen to have grown.
    let mut reader = input.as_file().take(expected.saturating_add(1));
    loop {
        progress.check()?;
        let read = match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                let detail = format!("reading at byte {position}: {error}");
                return Err(Reason::new(Code::MediaUnreadable, detail));
            }
        };
        let bytes = buffer.get(..read).unwrap_or_default();
        position = position.saturating_add(read as u64);
        if position > expected {
            let detail = format!("it grew past {expected} bytes while it was read");
            return Err(Reason::new(Code::MediaChanged, detail));
        }
        sink(bytes)?;
        progress.advance(read as u64);
    }
    let unchanged = input.is_unchanged().map_err(|error| {
        Reason::new(Code::MediaUnreadable, format!("looking at it after reading: {error}"))
    })?;
    if position != expected || !unchanged {
        let detail = format!("it had {expected} bytes, {position} were read, or it was written to");
        return Err(Reason::new(Code::MediaChanged, detail));
    }
    progress.file_done();
    Ok(())
}

/// What an error of opening says about the model, or about the carrier.
pub fn refusal_or_failure(error: BeneathError, path: &str) -> Reason {
    let code = match &error {
        BeneathError::NotFound => Code::ManifestMissingFile,
        BeneathError::Symlink => Code::MediaSymlink,
        BeneathError::NotRegular => Code::MediaNotRegular,
        BeneathError::Crossing => Code::MediaMountCrossing,
        BeneathError::Replaced => Code::MediaChanged,
        BeneathError::TooManyEntries(_) => Code::MediaTooManyEntries,
        // A name that this file system cannot hold is a fact about the name.
        BeneathError::Io(error) if is_about_the_name(error) => Code::MediaName,
        BeneathError::Io(_) => Code::MediaUnreadable,
    };
    let reason = Reason::new(code, error.to_string()).about(path);
    if code == Code::MediaSymlink { reason.by_rule("manifest.symlinks") } else { reason }
}

/// Too long, or with characters that the file system refuses (EINVAL of FAT, EILSEQ of case
/// folding).
fn is_about_the_name(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidFilename | io::ErrorKind::InvalidInput)
        || error.raw_os_error() == Some(Errno::ILSEQ.raw_os_error())
}

fn about(mut reason: Reason, path: &ResourcePath) -> Reason {
    reason.file.get_or_insert_with(|| path.to_string());
    reason
}
