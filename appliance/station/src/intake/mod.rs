//! Intake: each listed file is read once, hashed, and, for an ingest, copied into quarantine.
//!
//! ```text
//!  carrier ──openat2──▶ RegularFile ──one pass──▶ hash  ──▶ Observed
//!                                        └──────▶ copy  ──▶ Quarantine
//! ```
//!
//! What is hashed is what is copied; nothing afterwards looks at the carrier again. A file that
//! cannot be read because of what it is becomes a problem of the model ([`Observed::problems`]);
//! an I/O error is not a fact about the model and ends the intake without a decision.

mod hash;
mod quarantine;
mod source;
mod tree;

pub use hash::PieceHasher;
pub use quarantine::Quarantine;
pub use source::Source;
pub use tree::{Tree, survey};

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::sync::Mutex;

use oms_sys::beneath::{BeneathError, RegularFile};
use oms_verify::budget::Budget;
use oms_verify::name::ResourcePath;
use oms_verify::observe::{Observed, ObservedFile, Unlisted};
use oms_verify::reason::{Class, Code, Reason};
use oms_verify::statement::{Manifest, Method};
use rayon::prelude::*;

use crate::progress::Progress;

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
    progress: &Progress,
) -> Result<Observed, Reason> {
    let tree =
        survey(source, budget, |path| manifest.ignores(path) || is_at_or_below(path, ignored))?;
    let mut observed = Observed { problems: tree.problems.into(), ..Observed::default() };
    observed.unlisted = tree
        .files
        .into_iter()
        .filter(|path| !source.lists(manifest, path))
        .map(|path| Unlisted { path, ignored: false })
        .chain(tree.ignored.into_iter().map(|path| Unlisted { path, ignored: true }))
        .filter(|unlisted| !covers_listed(manifest, &unlisted.path))
        .collect();
    observed.unlisted.sort();

    let room = Mutex::new(budget.total_bytes);
    let outcomes: Vec<_> = manifest
        .files()
        .par_iter()
        .map(|file| {
            let open = source.open(manifest, &file.path);
            let outcome = open
                .map_err(|error| refusal_or_failure(error, file.path.as_str()))
                .and_then(|file| match file {
                    Some(file) => Ok(file),
                    None => {
                        Err(Reason::new(Code::ManifestMissingFile, "the listed file is absent"))
                    }
                })
                .and_then(|input| {
                    reserve(&room, &input, budget)?;
                    let copy = copies.map(|copies| copies.create_file(&file.path)).transpose()?;
                    one_pass(&input, manifest, copy, progress)
                });
            (&file.path, outcome.map_err(|reason| about(reason, &file.path)))
        })
        .collect();
    for (path, outcome) in outcomes {
        match outcome {
            Ok(file) => {
                observed.files.insert(path.clone(), file);
            }
            Err(reason) if reason.code.class() == Class::Refusal => observed.problems.push(reason),
            Err(failure) => return Err(failure),
        }
    }
    Ok(observed)
}

/// Whether `path` is one of `folders`, or inside one.
pub(crate) fn is_at_or_below(path: &str, folders: &[impl AsRef<str>]) -> bool {
    folders.iter().any(|folder| {
        path.strip_prefix(folder.as_ref())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// A listed file may lie below a path that its signer ignored: it is signed all the same, and the
/// ignored folder above it then is no path of its own.
fn covers_listed(manifest: &Manifest, path: &str) -> bool {
    manifest.file(path).is_some()
}

/// Takes a file's size from what the model may still have, before its first byte is read.
fn reserve(room: &Mutex<u64>, input: &RegularFile, budget: &Budget) -> Result<(), Reason> {
    let size = input.size();
    if size > budget.file_bytes {
        let detail = format!("has {size} bytes, the limit is {}", budget.file_bytes);
        let reason = Reason::new(Code::ManifestFileTooLarge, detail);
        return Err(reason.by_rule("manifest.max-file-bytes"));
    }
    let mut room = room.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    match room.checked_sub(size) {
        Some(left) => {
            *room = left;
            Ok(())
        }
        None => {
            let detail = format!("the model has more than {} bytes", budget.total_bytes);
            let reason = Reason::new(Code::ManifestTotalTooLarge, detail);
            Err(reason.by_rule("manifest.max-total-bytes"))
        }
    }
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
    let expected = input.size();
    let mut position = 0u64;
    let mut buffer = vec![0; CHUNK.min(usize::try_from(expected).unwrap_or(CHUNK).max(1))];
    // One byte past the expected end is asked for, so that a file that grew is seen to have grown.
    let mut reader = input.as_file().take(expected.saturating_add(1));
    loop {
        let read = match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
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
        hasher.update(bytes);
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
    hasher.finish().ok_or_else(|| Reason::new(Code::MediaUnreadable, "hashing failed"))
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
        BeneathError::Io(_) => Code::MediaUnreadable,
    };
    let reason = Reason::new(code, error.to_string()).about(path);
    if code == Code::MediaSymlink { reason.by_rule("manifest.symlinks") } else { reason }
}

fn about(mut reason: Reason, path: &ResourcePath) -> Reason {
    reason.file.get_or_insert_with(|| path.to_string());
    reason
}

#[cfg(test)]
mod tests {
    use super::*;
    use oms_sys::beneath::Root;
    use oms_verify::hash::HashAlgorithm;
    use std::fs::OpenOptions;

    /// Hashes a file of three chunks while `meddle` does something to it after the first.
    fn hash_while(meddle: impl Fn(&std::path::Path)) -> Result<u64, Code> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("weights");
        std::fs::write(&path, vec![7; 3 * CHUNK]).unwrap();
        let file = Root::open(dir.path()).unwrap().file("weights").unwrap();
        let mut first = true;
        let progress = Progress::hidden();
        hash_file(&file, HashAlgorithm::Sha256, Method::Files, &progress, |_| {
            if std::mem::take(&mut first) {
                meddle(&path);
            }
            Ok(())
        })
        .map(|(size, _)| size)
        .map_err(|reason| reason.code)
    }

    #[test]
    fn a_folder_covers_what_is_in_it_and_not_what_begins_like_it() {
        let covered = |path| is_at_or_below(path, &["a", "b/c"]);
        assert!(["a", "a/x", "a/x/y", "b/c", "b/c/x"].into_iter().all(covered));
        assert!(!["ab", "b", "b/cd", "x/a", "", "A"].into_iter().any(covered));
    }

    #[test]
    fn a_file_that_changes_while_it_is_read_is_refused() {
        assert_eq!(hash_while(|_| ()), Ok(3 * CHUNK as u64));
        let open = |path: &std::path::Path| OpenOptions::new().write(true).open(path).unwrap();
        let grows = hash_while(|path| open(path).set_len(4 * CHUNK as u64).unwrap());
        assert_eq!(grows, Err(Code::MediaChanged));
        let shrinks = hash_while(|path| open(path).set_len(2 * CHUNK as u64).unwrap());
        assert_eq!(shrinks, Err(Code::MediaChanged));
        // Bytes that were read already: only the time stamps tell.
        let rewritten = hash_while(|path| open(path).write_all(&[8]).unwrap());
        assert_eq!(rewritten, Err(Code::MediaChanged));
    }

    #[test]
    fn a_sink_that_fails_ends_the_pass() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("weights"), "bytes").unwrap();
        let file = Root::open(dir.path()).unwrap().file("weights").unwrap();
        let full = || Reason::new(Code::OutboundWrite, "no space");
        let outcome =
            hash_file(&file, HashAlgorithm::Sha256, Method::Files, &Progress::hidden(), |_| {
                Err(full())
            });
        assert_eq!(outcome.unwrap_err(), full());
    }
}
