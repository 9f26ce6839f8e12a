//! Intake: each listed file is read once, hashed, and, for an ingest, copied into quarantine.
//!
//! ```text
//!  carrier ──statx──▶ sizes ──room?──▶ engine ──▶ pieces ──────────────────▶ Observed
//!          ──getdents──▶ unlisted         └─────▶ copies in the Quarantine
//! ```
//!
//! Before the first byte every size is known: a file of the wrong size is not read, and a model
//! that the spool has no room for is not begun.
//!
//! What is hashed is what is copied; nothing afterwards looks at the carrier again. A file that
//! cannot be read because of what it is becomes a problem of the model ([`Observed::problems`]);
//! an I/O error is not a fact about the model and ends the intake without a decision.

mod attend;
mod engine;
mod hash;
mod measure;
mod quarantine;
mod settings;
mod source;
#[cfg(test)]
pub(crate) mod tests;
mod tree;

pub use attend::Pulse;
pub(crate) use attend::alone;
pub use hash::{PieceHasher, wrong_algorithms};
pub use quarantine::Quarantine;
pub(crate) use quarantine::{ATTESTATIONS, MODEL, SOURCE};
pub use settings::{Memory, Reader, Reading, Settings, WrongMemory, WrongReader};
pub use source::{Source, absent_or_unreadable};
pub use tree::{Tree, entries_of_a_folder, survey};

use std::io::{self, Read as _};
use std::num::NonZero;
use std::sync::Arc;
use std::thread::available_parallelism;

use oms_sys::beneath::{BeneathError, RegularFile};
use oms_verify::budget::Budget;
use oms_verify::hash::HashAlgorithm;
use oms_verify::name::ResourcePath;
use oms_verify::observe::{Observed, ObservedFile, Unlisted};
use oms_verify::reason::{Code, Reason, Reasons};
use oms_verify::statement::{Manifest, Method, Pieces};
use rustix::io::Errno;

use self::attend::{Terms, attend};
use self::measure::{Measured, measure, within_budget};
use crate::inspection::Inspected;
use crate::progress::Progress;

/// Bytes that are read at once.
const CHUNK: usize = 1 << 20;

/// Files that make a thread worth its while that measures them.
const MEASURED_BY_ONE: usize = 4096;

/// Reads every file that `manifest` lists from `source`, and copies it to `copies` if given.
/// Paths at or below one of `ignored` count as if the signer had ignored them.
///
/// # Errors
/// When carrier or station fail, so that nothing can be said about the model.
pub fn read(
    source: &Source,
    manifest: &Arc<Manifest>,
    ignored: &[String],
    budget: &Budget,
    copies: Option<&Quarantine>,
    reading: &Reading<'_>,
) -> Result<Observed, Reason> {
    take(source, manifest, ignored, budget, Wish::Copies(copies), reading).map(|(seen, _)| seen)
}

/// Reads as [`read`] does, makes no copies, and looks into every small file whose bytes are the
/// signed ones while they are in memory: what is looked into is what was hashed.
///
/// # Errors
/// As [`read`].
pub fn read_in_place(
    source: &Source,
    manifest: &Arc<Manifest>,
    ignored: &[String],
    budget: &Budget,
    reading: &Reading<'_>,
) -> Result<(Observed, Inspected), Reason> {
    take(source, manifest, ignored, budget, Wish::Inspection, reading)
}

/// Reads copies that another process made as [`read_in_place`] does. They are on their way to the
/// disk meanwhile, so that the sync that comes after has less to wait for.
///
/// # Errors
/// As [`read`].
pub fn read_again(
    copies: &Source,
    manifest: &Arc<Manifest>,
    budget: &Budget,
    reading: &Reading<'_>,
) -> Result<(Observed, Inspected), Reason> {
    take(copies, manifest, &[], budget, Wish::Again, reading)
}

/// What is to be done with a model besides hashing it.
enum Wish<'a> {
    /// Copies, if there is a place for them.
    Copies(Option<&'a Quarantine>),
    /// Small files are looked into.
    Inspection,
    /// The same, in copies.
    Again,
}

fn take(
    source: &Source,
    manifest: &Arc<Manifest>,
    ignored: &[String],
    budget: &Budget,
    wish: Wish<'_>,
    reading: &Reading<'_>,
) -> Result<(Observed, Inspected), Reason> {
    let Looked { measured, tree, unlisted } = look(source, manifest, ignored, budget, reading)?;
    let mut observed = Observed { problems: tree, unlisted, ..Observed::default() };
    observed.problems.append(measured.problems);

    let readable = || measured.sizes.iter().zip(manifest.files()).filter(|(s, _)| s.is_some());
    let bytes = measured.sizes.iter().flatten().copied().fold(0, u64::saturating_add);
    reading.progress.expect(bytes, readable().count() as u64);
    let copies = match wish {
        Wish::Inspection | Wish::Again | Wish::Copies(None) => None,
        Wish::Copies(Some(copies)) => {
            copies.reserve(bytes, readable().count())?;
            Some(copies.prepare(readable().map(|(_, file)| &file.path))?)
        }
    };

    let order = engine::Order {
        source: source.clone(),
        names: engine::Names::Listed(Arc::clone(manifest)),
        sizes: measured.sizes,
        hash: manifest.hash(),
        method: manifest.method(),
        copies,
        is_of_copies: matches!(wish, Wish::Again),
        inspect: matches!(wish, Wish::Inspection | Wish::Again),
    };
    let gathered = engine::run(order, reading)?;
    reading.progress.all_read();
    observed.retries = gathered.retries;
    observed.problems.append(gathered.problems);
    for (number, size, pieces) in gathered.files {
        if let Some(file) = manifest.files().get(number) {
            observed.files.insert(file.path.clone(), ObservedFile { size, pieces });
        }
    }
    Ok((observed, gathered.inspected))
}

/// What was seen of a model without opening a file.
struct Looked {
    measured: Measured,
    /// What is wrong with the tree.
    tree: Reasons,
    /// In order.
    unlisted: Vec<Unlisted>,
}

/// What one thread found out of it.
enum Part {
    Tree(Reasons, Vec<Unlisted>),
    Files(Measured),
}

/// Surveys the tree and measures the listed files, at the same time.
fn look(
    source: &Source,
    manifest: &Arc<Manifest>,
    ignored: &[String],
    budget: &Budget,
    reading: &Reading<'_>,
) -> Result<Looked, Reason> {
    type Work = Box<dyn FnOnce(&Pulse) -> Result<Part, Reason> + Send>;
    let own = || (source.clone(), Arc::clone(manifest), budget.clone());
    let mut works: Vec<Work> = Vec::new();
    let (files, cores) = (manifest.files().len(), available_parallelism().map_or(1, NonZero::get));
    let each = files.div_ceil(files.div_ceil(MEASURED_BY_ONE).clamp(1, cores)).max(1);
    for start in (0..files).step_by(each) {
        let (source, manifest, budget) = own();
        let range = start..start.saturating_add(each).min(files);
        works.push(Box::new(move |pulse| {
            measure(&source, &manifest, range, &budget, pulse).map(Part::Files)
        }));
    }
    let (source, own_manifest, own_budget) = own();
    let ignored = ignored.to_vec();
    works.push(Box::new(move |pulse| {
        unlisted(&source, &own_manifest, &ignored, &own_budget, pulse)
            .map(|(tree, unlisted)| Part::Tree(tree, unlisted))
    }));
    let terms = Terms { stall: reading.stall(), progress: reading.progress };
    let mut looked =
        Looked { measured: Measured::default(), tree: Reasons::default(), unlisted: Vec::new() };
    for part in attend(works, terms)? {
        match part {
            Part::Files(measured) => {
                looked.measured.sizes.extend(measured.sizes);
                looked.measured.problems.append(measured.problems);
            }
            Part::Tree(tree, unlisted) => (looked.tree, looked.unlisted) = (tree, unlisted),
        }
    }
    within_budget(&mut looked.measured, manifest, budget);
    Ok(looked)
}

/// What is in the model's folder and not in the manifest, in order, and what must not be there.
fn unlisted(
    source: &Source,
    manifest: &Manifest,
    ignored: &[String],
    budget: &Budget,
    pulse: &Pulse,
) -> Result<(Reasons, Vec<Unlisted>), Reason> {
    let is_ignored = |path: &str| manifest.ignores(path) || is_at_or_below(path, ignored);
    // A listed file may lie below a path that its signer ignored: it is signed all the same, so
    // the folders above it are looked into like any other.
    let leaves_out = |path: &str| is_ignored(path) && !leads_to_listed(manifest, path);
    let tree = survey(source, budget, || pulse.go_on(), leaves_out)?;
    let found = tree.files.into_iter().filter(|path| !source.lists(manifest, path));
    let mut unlisted: Vec<_> = found
        .map(|path| Unlisted { ignored: is_ignored(&path), path })
        .chain(tree.ignored.into_iter().map(|path| Unlisted { path, ignored: true }))
        .collect();
    unlisted.sort();
    Ok((tree.problems, unlisted))
}

/// Hashes the files at `paths` in `source`, which were found there. Gives the pieces of each that
/// was read, by its place in `paths`, and what is wrong with others.
///
/// # Errors
/// When one cannot be read.
pub fn hash_found(
    source: &Source,
    paths: &Arc<Vec<String>>,
    (hash, method): (HashAlgorithm, Method),
    reading: &Reading<'_>,
) -> Result<(Vec<(usize, Pieces)>, Reasons), Reason> {
    let work = {
        let (source, paths) = (source.clone(), Arc::clone(paths));
        move |pulse: &Pulse| {
            let mut folders = source.folders();
            let mut sizes = Vec::with_capacity(paths.len());
            for path in paths.iter() {
                pulse.go_on()?;
                let look = folders.look(source.place(path));
                sizes.push(Some(look.map_err(|error| refusal_or_failure(error, path))?.size()));
            }
            Ok(sizes)
        }
    };
    let sizes: Vec<_> = alone(reading, work)?;
    let bytes = sizes.iter().flatten().copied().fold(0, u64::saturating_add);
    reading.progress.expect(bytes, sizes.len() as u64);
    let names = engine::Names::Found(Arc::clone(paths));
    let source = source.clone();
    let order = engine::Order {
        source,
        names,
        sizes,
        hash,
        method,
        copies: None,
        is_of_copies: false,
        inspect: false,
    };
    let gathered = engine::run(order, reading)?;
    reading.progress.all_read();
    let files: Vec<_> =
        gathered.files.into_iter().map(|(number, _, pieces)| (number, pieces)).collect();
    all_or_why(files.len(), paths.len(), &gathered.problems)?;
    Ok((files, gathered.problems))
}

/// A file without digests has something wrong with it. One that was lost on the way would be left
/// out of what is signed.
fn all_or_why(read: usize, found: usize, problems: &Reasons) -> Result<(), Reason> {
    if read == found || !problems.is_empty() {
        return Ok(());
    }
    let detail = format!("{read} of {found} files were read, and nothing is wrong with the others");
    Err(Reason::new(Code::MediaUnreadable, detail))
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

/// Hashes a file from its first to its last byte, and hands the bytes to `sink` on the way.
///
/// # Errors
/// When the file changed while it was read, when it cannot be read, or when `sink` fails.
pub fn hash_file(
    input: &RegularFile,
    algorithm: HashAlgorithm,
    method: Method,
    progress: &Progress,
    mut sink: impl FnMut(&[u8]) -> Result<(), Reason>,
) -> Result<(u64, Pieces), Reason> {
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
        BeneathError::Io(error) if is_about_the_station(error) => Code::IntakeResources,
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

/// What this process, or the whole machine, has used up.
fn is_about_the_station(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM))
}

fn about(mut reason: Reason, path: &ResourcePath) -> Reason {
    reason.file.get_or_insert_with(|| path.to_string());
    reason
}
