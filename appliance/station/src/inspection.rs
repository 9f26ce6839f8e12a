//! Looks inside the files whose bytes are the signed ones, several at a time.
//!
//! ```text
//!   in place: small files, where their bytes were hashed ─▶ Inspected ─┐
//!             all others, opened once more ────────────────────────────┼─▶ Findings
//!   ingest:   every copy in quarantine ────────────────────────────────┘
//! ```

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use oms_inspect::{Budget, Format, Identified, InspectError, Inspection, Kind, Link, Model};
use oms_sys::beneath::RegularFile;
use oms_verify::name::ResourcePath;
use oms_verify::observe::{Finding, Mark, Observed, Scan};
use oms_verify::policy::ContentLimits;
use oms_verify::reason::{Code, Reason};
use oms_verify::statement::{Manifest, ManifestFile};
use rayon::ThreadPoolBuilder;
use rayon::prelude::*;

use crate::intake::{Pulse, Quarantine, Source, refusal_or_failure};
use crate::progress::Progress;
use crate::scanner::{Asked, Scanner, unavailable};

/// Where to look: at the copies, or, in place, at the files themselves.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    /// The copies in quarantine.
    Copies(&'a Quarantine),
    /// The model where it lies. What is not in memory any more may have changed since it was
    /// hashed, which a verdict in place says.
    InPlace(&'a Source, &'a Pulse),
}

/// What was found, and which checks ran.
#[derive(Debug, Default)]
pub struct Findings {
    /// One finding for each file that was looked into.
    pub findings: Vec<Finding>,
    /// The names of the checks that ran, sorted.
    pub checks: Vec<String>,
    /// What the virus scanner calls itself and its signatures, where there is one.
    pub scanner: Option<String>,
}

/// What was found in files while the bytes that were hashed were in memory.
#[derive(Debug, Default)]
pub struct Inspected {
    /// By the file's number in the manifest.
    found: Vec<(usize, Found)>,
    checks: BTreeSet<&'static str>,
    kept: Kept,
}

/// Bytes that one lane has kept of what files are and say of one another.
#[derive(Debug, Default)]
struct Kept(usize);

impl Kept {
    /// The most. Files that are nothing but findings would else fill the memory, 100,000 of them.
    const MOST: usize = 8 << 20;

    /// Leaves of `found` only that it does not fit, where it does not.
    fn bound(&mut self, found: Found) -> Found {
        let marks = found.finding.marks.iter().map(weight);
        let all = marks.chain(found.links.iter().map(Link::weight)).fold(0, usize::saturating_add);
        let kept = self.0.saturating_add(all);
        if kept <= Self::MOST {
            self.0 = kept;
            return found;
        }
        let mark = Mark {
            code: Code::ContentMalformed,
            subject: String::new(),
            place: String::new(),
            detail: "there are more findings in the files of the model than are kept".to_owned(),
        };
        let finding = Finding { marks: vec![mark], ..found.finding };
        Found { finding, links: Vec::new() }
    }
}

/// Bytes that a mark takes, about.
fn weight(mark: &Mark) -> usize {
    let Mark { code: _, subject, place, detail } = mark;
    let texts = [subject, place, detail].map(String::len);
    texts.into_iter().fold(size_of::<Mark>(), usize::saturating_add)
}

/// What was found in one file, and what it says about others.
#[derive(Debug)]
struct Found {
    finding: Finding,
    links: Vec<Link>,
}

impl Inspected {
    /// Looks into `bytes`, which are all of `file`, number `number` of the manifest, and are signed.
    ///
    /// # Errors
    /// Never for what the bytes are: as [`oms_inspect::inspect`].
    pub(crate) fn look(
        &mut self,
        number: usize,
        file: &ManifestFile,
        bytes: &[u8],
    ) -> Result<(), InspectError> {
        let inspection = inspect_bytes(bytes)?;
        self.checks.extend(inspection.checks);
        self.found.push((number, self.kept.bound(found(&file.path, inspection))));
        Ok(())
    }

    /// Adds what another has found.
    pub(crate) fn append(&mut self, other: Inspected) {
        self.found.extend(other.found);
        self.checks.extend(other.checks);
    }
}

enum Opened {
    Copy(File),
    InPlace(RegularFile),
}

impl Opened {
    fn as_file(&self) -> &File {
        match self {
            Opened::Copy(file) => file,
            Opened::InPlace(file) => file.as_file(),
        }
    }
}

impl Place<'_> {
    /// What holds the files answered.
    fn beat(self) {
        if let Place::InPlace(_, pulse) = self {
            pulse.beat();
        }
    }
}

/// A file whose every answer is heard of.
struct Heard<'a> {
    file: &'a File,
    place: Place<'a>,
}

impl Read for Heard<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer);
        self.place.beat();
        read
    }
}

impl Seek for Heard<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

/// Files that are looked into at once, where there are as many processors: each may take 64 MiB.
const AT_ONCE: usize = 4;

/// Bytes of a file that is read once and looked into in memory.
const SMALL: usize = 64 << 10;

/// Inspects every observed file whose digests are the manifest's and that is not in `inspected`, and
/// has `scanner` scan it. Bytes that nobody signed are refused for that, and not parsed.
///
/// # Errors
/// When a file cannot be read any more: of a copy that is the station's own failure. When the scanner
/// gives no answer. When `progress` is cancelled.
pub fn look_inside(
    place: Place<'_>,
    manifest: &Manifest,
    observed: &Observed,
    inspected: Inspected,
    limits: ContentLimits,
    scanner: Option<&Scanner>,
    progress: &Progress,
) -> Result<Findings, Reason> {
    let budget = budget(limits);
    let look = || look(place, manifest, observed, inspected, &budget, progress);
    let Some(scanner) = scanner else { return look() };
    let mut found = scanner.awake(look)?;
    found.scanner = Some(scanner.engine().to_owned());
    scan(scanner, place, manifest, observed, &mut found.findings, progress)?;
    Ok(found)
}

/// Has every file scanned that was looked into and whose format is not skipped.
fn scan(
    scanner: &Scanner,
    place: Place<'_>,
    manifest: &Manifest,
    observed: &Observed,
    findings: &mut [Finding],
    progress: &Progress,
) -> Result<(), Reason> {
    let skipped = || Scan::NotScanned("the policy skips its format".to_owned());
    let scan_one = |finding: &mut Finding| -> Result<(), Reason> {
        progress.check()?;
        if scanner.skips(&finding.formats) {
            finding.scan = skipped();
            return Ok(());
        }
        let opened = open(place, manifest, &finding.path)?;
        let size = observed.files.get(&finding.path).map_or(0, |seen| seen.size);
        let mut file = Heard { file: opened.as_file(), place };
        let answer = scanner.scan(&mut file, size, &|| place.beat());
        finding.scan = answer.map_err(|error| match error {
            Asked::Scanner(_) => unavailable(&error).about(finding.path.as_str()),
            Asked::File(error) => unreadable(place, &error).about(finding.path.as_str()),
        })?;
        Ok(())
    };
    let left = Mutex::new(findings.iter_mut());
    let failure = Mutex::new(None);
    std::thread::scope(|scope| {
        let work = || {
            loop {
                let next = left.lock().unwrap_or_else(PoisonError::into_inner).next();
                let Some(finding) = next else { return };
                if let Err(reason) = scan_one(finding) {
                    // Nobody takes another.
                    left.lock().unwrap_or_else(PoisonError::into_inner).by_ref().for_each(drop);
                    *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
                }
            }
        };
        for _ in 1..scanner.at_once() {
            // Where there are no threads to be had, this one does it all.
            let _ = std::thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        None => Ok(()),
        Some(reason) => Err(reason),
    }
}

fn look(
    place: Place<'_>,
    manifest: &Manifest,
    observed: &Observed,
    inspected: Inspected,
    budget: &Budget,
    progress: &Progress,
) -> Result<Findings, Reason> {
    let Inspected { found: mut all, mut checks, kept: _ } = inspected;
    all.sort_unstable_by_key(|(number, _)| *number);
    let is_known = |number: &usize| all.binary_search_by_key(number, |(at, _)| *at).is_ok();
    let left: Vec<_> = (0..)
        .zip(manifest.files())
        .filter(|(number, _)| !is_known(number))
        .filter_map(|(number, file)| Some((number, file, observed.files.get(&file.path)?)))
        .filter(|(_, file, seen)| seen.pieces == file.pieces)
        .collect();
    // Whoever is free takes the next one. After a failure nobody takes another.
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let work = |_| {
        let (mut some, mut checks) = (Vec::new(), BTreeSet::<&str>::new());
        let mut kept = Kept::default();
        let mut buffer = Vec::new();
        while !failed.load(Ordering::Relaxed) {
            progress.check()?;
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some((number, file, seen)) = left.get(at) else { break };
            let inspected = inspect(place, manifest, &file.path, seen.size, budget, &mut buffer);
            let inspection = inspected.inspect_err(|_| failed.store(true, Ordering::Relaxed))?;
            checks.extend(inspection.checks);
            some.push((*number, kept.bound(found(&file.path, inspection))));
        }
        Ok((some, checks))
    };
    if left.is_empty() {
        return Ok(together(all, checks, observed));
    }
    let parts: Vec<_> = match ThreadPoolBuilder::new().build() {
        Ok(pool) => {
            let parts = || (0..AT_ONCE).into_par_iter().with_max_len(1).map(work);
            pool.install(|| parts().collect::<Result<_, Reason>>())?
        }
        // Where there are no threads to be had, this one does it all. The global pool would panic.
        Err(_) => vec![work(0)?],
    };
    for (some, ran) in parts {
        all.extend(some);
        checks.extend(ran);
    }
    all.sort_unstable_by_key(|(number, _)| *number);
    Ok(together(all, checks, observed))
}

/// Adds to what was found in each file, in the order of the manifest, what only shows when all of
/// them are known.
fn together(all: Vec<(usize, Found)>, checks: BTreeSet<&str>, observed: &Observed) -> Findings {
    let mut model = Model::default();
    let mut findings = Vec::with_capacity(all.len());
    for (_, Found { finding, links }) in all {
        let size = observed.files.get(&finding.path).map_or(0, |seen| seen.size);
        model.add(finding.path.as_str(), size, links);
        findings.push(finding);
    }
    let weights = model.weights();
    for finding in findings.iter_mut().filter(|finding| finding.formats.is_empty()) {
        if weights.contains(finding.path.as_str()) {
            finding.formats.push(Format::Onnx.name());
        }
    }
    for (path, found) in model.findings() {
        // There are few of these, and none may be lost for the order of the files.
        if let Some(finding) = findings.iter_mut().find(|one| one.path.as_str() == path) {
            finding.marks.push(mark(found));
        }
    }
    let checks = checks.into_iter().map(str::to_owned).collect();
    Findings { findings, checks, scanner: None }
}

/// Looks into one file. `buffer` is for the bytes of a small one.
fn inspect(
    place: Place<'_>,
    manifest: &Manifest,
    path: &ResourcePath,
    size: u64,
    budget: &Budget,
    buffer: &mut Vec<u8>,
) -> Result<Inspection, Reason> {
    place.beat();
    let opened = open(place, manifest, path)?;
    place.beat();
    let file = opened.as_file();
    let inspection = match usize::try_from(size) {
        Ok(length) if length <= SMALL => {
            buffer.resize(length, 0);
            file.read_exact_at(buffer, 0)
                .map_err(InspectError::from)
                .and_then(|()| inspect_bytes(buffer))
        }
        _ => oms_inspect::inspect(&mut Heard { file, place }, size, budget),
    };
    inspection.map_err(|error| unreadable(place, &error).about(path.as_str()))
}

fn unreadable(place: Place<'_>, error: &dyn std::error::Error) -> Reason {
    match place {
        Place::Copies(_) => {
            let detail = format!("reading a copy in the spool: {error}");
            Reason::new(Code::OutboundWrite, detail)
        }
        Place::InPlace(..) => Reason::new(Code::MediaUnreadable, error.to_string()),
    }
}

/// The limits of an inspection under a policy's.
fn budget(limits: ContentLimits) -> Budget {
    let ContentLimits { json_bytes, text_bytes, archive_ratio } = limits;
    Budget { json_bytes, text_bytes, zip_ratio: archive_ratio, ..Budget::default() }
}

/// Looks into a file that is in memory. It is smaller than any limit that a policy may set.
fn inspect_bytes(bytes: &[u8]) -> Result<Inspection, InspectError> {
    oms_inspect::inspect(&mut Cursor::new(bytes), bytes.len() as u64, &Budget::default())
}

fn open(place: Place<'_>, manifest: &Manifest, path: &ResourcePath) -> Result<Opened, Reason> {
    match place {
        Place::Copies(quarantine) => quarantine.open_file(path).map(Opened::Copy),
        Place::InPlace(source, _) => match source.open(manifest, path) {
            Ok(Some(file)) => Ok(Opened::InPlace(file)),
            Ok(None) => Err(gone(path)),
            Err(error) => {
                let reason = refusal_or_failure(error, path.as_str());
                if reason.code == Code::MediaUnreadable { Err(reason) } else { Err(gone(path)) }
            }
        },
    }
}

/// In place, a file that was hashed a moment ago and is no longer what it was: nothing can be
/// decided about a model that moves.
fn gone(path: &ResourcePath) -> Reason {
    Reason::new(Code::MediaUnreadable, "the file went away after it was hashed")
        .about(path.as_str())
}

fn found(path: &ResourcePath, mut inspection: Inspection) -> Found {
    let links = std::mem::take(&mut inspection.links);
    let formats = formats(&inspection.format);
    let marks = marks(path.as_str(), inspection);
    let finding = Finding { path: path.clone(), formats, marks, scan: Scan::default() };
    Found { finding, links }
}

/// The names of the formats that a file has.
pub fn formats(identified: &Identified) -> Vec<&'static str> {
    match identified {
        Identified::One(format) => vec![format.name()],
        Identified::Unknown => Vec::new(),
        Identified::Ambiguous(formats) => formats.iter().map(|f| f.name()).collect(),
    }
}

/// All that was found in the file at `path` that a policy may refuse.
pub fn marks(path: &str, inspection: Inspection) -> Vec<Mark> {
    let named = oms_inspect::named(path, &inspection);
    let malformed = inspection.malformed.map(|malformed| Mark {
        code: Code::ContentMalformed,
        subject: String::new(),
        place: String::new(),
        detail: malformed.to_string(),
    });
    let found = inspection.findings.into_iter().chain(named).map(mark);
    malformed.into_iter().chain(found).collect()
}

fn mark(finding: oms_inspect::Finding) -> Mark {
    let code = match finding.kind {
        Kind::Malformed => Code::ContentMalformed,
        Kind::Extension => Code::ContentExtension,
        Kind::PickleGlobal => Code::ContentPickleGlobal,
        Kind::PickleCall => Code::ContentPickleCall,
        Kind::ExternalData => Code::ContentExternalData,
        Kind::Index => Code::ContentIndex,
        Kind::OperatorDomain => Code::ContentOperatorDomain,
        Kind::Operator => Code::ContentOperator,
        Kind::Class => Code::ContentClass,
        Kind::Link => Code::ContentLink,
        Kind::Template => Code::ContentTemplate,
        Kind::Regex => Code::ContentRegex,
        Kind::RemoteCode => Code::ContentRemoteCode,
        Kind::Member => Code::ContentMember,
        Kind::Macro => Code::ContentMacro,
        Kind::Autorun => Code::ContentAutorun,
    };
    let place = finding.place.to_string();
    Mark { code, subject: finding.subject, place, detail: finding.detail }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::{self, tests::manifest};
    use oms_verify::hash::{Digest, HashAlgorithm};
    use oms_verify::statement::{Method, Pieces};
    use std::fs;
    use std::sync::Arc;

    /// The files of a folder, observed and then listed with the digests that they have.
    fn observed(
        source: &Source,
        names: &[&str],
        copies: Option<&Quarantine>,
    ) -> (Manifest, Observed) {
        let budget = oms_verify::budget::Budget::default();
        let progress = Progress::hidden();
        let reading = intake::Reading::plain(&progress);
        let unsigned = manifest(names);
        let observed = intake::read(source, &unsigned, &[], &budget, copies, &reading).unwrap();
        let file = |(path, seen): (&ResourcePath, &oms_verify::observe::ObservedFile)| {
            ManifestFile { path: path.clone(), pieces: seen.pieces.clone() }
        };
        let files = observed.files.iter().map(file).collect();
        let (hash, method) = (HashAlgorithm::Sha256, Method::Files);
        (Manifest::new(hash, method, Vec::new(), files, &budget).unwrap(), observed)
    }

    #[test]
    fn what_a_name_promises_is_held_against_the_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let names = ["autorun.inf", "config.json", "model.safetensors"];
        for name in names {
            fs::write(dir.path().join(name), "{}").unwrap();
        }
        let source = Source::at(dir.path()).unwrap();
        let (signed, observed) = observed(&source, &names, None);
        let pulse = Pulse::default();
        let place = Place::InPlace(&source, &pulse);
        let inspected = Inspected::default();
        let findings = look_inside(
            place,
            &signed,
            &observed,
            inspected,
            ContentLimits::default(),
            None,
            &Progress::hidden(),
        )
        .unwrap()
        .findings;
        let codes: Vec<Vec<Code>> =
            findings.iter().map(|one| one.marks.iter().map(|mark| mark.code).collect()).collect();
        assert_eq!(codes, [vec![Code::ContentAutorun], vec![], vec![Code::ContentExtension]]);
    }

    #[test]
    fn a_model_of_findings_does_not_fill_the_memory() {
        let budget = oms_verify::budget::Budget::default();
        let path = ResourcePath::parse("index.json", &budget).unwrap();
        let map: Vec<_> = (0..1000).map(|at| format!("\"{at}\":\"{at}.safetensors\"")).collect();
        let index = format!("{{\"weight_map\":{{{}}}}}", map.join(","));
        let mut kept = Kept::default();
        let mut look = || kept.bound(found(&path, inspect_bytes(index.as_bytes()).unwrap()));
        let first = look();
        assert_eq!((first.finding.marks.len(), first.links.len()), (0, 1000));
        let last = std::iter::repeat_with(look).take(100).last().unwrap();
        assert_eq!((last.finding.marks.len(), last.links.len()), (1, 0));
        assert!(kept.0 <= Kept::MOST);
    }

    #[test]
    fn findings_keep_the_order_of_the_manifest_and_leave_out_what_nobody_signed() {
        let dir = tempfile::tempdir().unwrap();
        let names: Vec<String> = (0..5 * AT_ONCE).map(|number| format!("{number:03}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        for (at, name) in names.iter().enumerate() {
            let text = if at.is_multiple_of(2) { "{}" } else { "# A text.\n" };
            fs::write(dir.path().join(name), text).unwrap();
        }
        let source = Source::at(dir.path()).unwrap();
        let (signed, observed) = observed(&source, &names, None);
        let findings = look_inside(
            Place::InPlace(&source, &Pulse::default()),
            &signed,
            &observed,
            Inspected::default(),
            ContentLimits::default(),
            None,
            &Progress::hidden(),
        )
        .unwrap()
        .findings;
        let seen: Vec<_> = findings.iter().map(|f| (f.path.as_str(), f.formats[0])).collect();
        let format = |at: usize| if at.is_multiple_of(2) { "json" } else { "text" };
        let expected: Vec<_> =
            names.iter().enumerate().map(|(at, name)| (*name, format(at))).collect();
        assert_eq!(seen, expected);
        let unsigned = manifest(&names);
        let none = look_inside(
            Place::InPlace(&source, &Pulse::default()),
            &unsigned,
            &observed,
            Inspected::default(),
            ContentLimits::default(),
            None,
            &Progress::hidden(),
        )
        .unwrap();
        assert!(none.findings.is_empty() && none.checks.is_empty());
    }

    #[test]
    fn a_file_is_found_to_be_the_same_in_memory_and_on_disk() {
        let dir = tempfile::tempdir().unwrap();
        let text = |length: usize| format!("{{\"x\":\"{}\"}}", "y".repeat(length - 8));
        let lengths = [8, SMALL - 1, SMALL, SMALL + 1, 3 * SMALL];
        let names = lengths.map(|length| format!("{length:06}"));
        for (name, length) in names.iter().zip(lengths) {
            fs::write(dir.path().join(name), text(length)).unwrap();
        }
        let source = Source::at(dir.path()).unwrap();
        let names = names.each_ref().map(String::as_str);
        let (signed, observed) = observed(&source, &names, None);
        let findings = look_inside(
            Place::InPlace(&source, &Pulse::default()),
            &signed,
            &observed,
            Inspected::default(),
            ContentLimits::default(),
            None,
            &Progress::hidden(),
        )
        .unwrap()
        .findings;
        let formats: Vec<_> = findings.iter().map(|f| f.formats.as_slice()).collect();
        assert_eq!(formats, [["json"]; 5]);
        // One that became shorter since, in memory as on disk.
        for length in [SMALL, 3 * SMALL] {
            let path = dir.path().join(format!("{length:06}"));
            let bytes = fs::read(&path).unwrap();
            fs::write(&path, &bytes[..length / 2]).unwrap();
            let failed = look_inside(
                Place::InPlace(&source, &Pulse::default()),
                &signed,
                &observed,
                Inspected::default(),
                ContentLimits::default(),
                None,
                &Progress::hidden(),
            )
            .unwrap_err();
            assert_eq!(failed.code, Code::MediaUnreadable);
            fs::write(&path, bytes).unwrap();
        }
    }

    #[test]
    fn small_files_in_place_are_looked_into_where_they_were_hashed_and_not_opened_again() {
        let dir = tempfile::tempdir().unwrap();
        let names = ["empty", "large", "other", "small"];
        let text = |length: usize| format!("{{\"x\":\"{}\"}}", "y".repeat(length - 8));
        for (name, text) in names.iter().zip([String::new(), text(SMALL + 1), text(99), text(100)])
        {
            fs::write(dir.path().join(name), text).unwrap();
        }
        let source = Source::at(dir.path()).unwrap();
        let budget = oms_verify::budget::Budget::default();
        let progress = Progress::hidden();
        let reading = intake::Reading::plain(&progress);
        for method in [Method::Files, Method::Shards { size: 64 }] {
            let paths = Arc::new(names.map(str::to_owned).to_vec());
            let how = (HashAlgorithm::Sha256, method);
            let (hashed, _) = intake::hash_found(&source, &paths, how, &reading).unwrap();
            let zeros = || Digest::new(HashAlgorithm::Sha256, &[0; 32]).unwrap();
            let file = |(number, mut pieces): (usize, Pieces)| {
                if names[number] == "other" {
                    match &mut pieces {
                        Pieces::Whole(digest) => *digest = zeros(),
                        Pieces::Shards(shards) => shards[1].digest = zeros(),
                    }
                }
                let path = ResourcePath::parse(names[number], &budget).unwrap();
                ManifestFile { path, pieces }
            };
            let files = hashed.into_iter().map(file);
            let files = files.filter(|file| file.pieces != Pieces::Shards(Vec::new())).collect();
            let manifest = Manifest::new(how.0, method, Vec::new(), files, &budget).unwrap();
            let manifest = Arc::new(manifest);
            let (seen, inspected) =
                intake::read_in_place(&source, &manifest, &[], &budget, &reading).unwrap();
            let listed = manifest.files().len();
            let expected = ["empty", "small"].into_iter().skip(4 - listed).collect::<Vec<_>>();
            let mut found: Vec<_> =
                inspected.found.iter().map(|(_, found)| found.finding.path.as_str()).collect();
            found.sort_unstable();
            assert_eq!(found, expected, "{method:?}");
            // They are not needed any more; the large one is.
            let away = tempfile::tempdir_in(dir.path().parent().unwrap()).unwrap();
            for name in ["empty", "other", "small"] {
                fs::rename(dir.path().join(name), away.path().join(name)).unwrap();
            }
            let pulse = Pulse::default();
            let place = Place::InPlace(&source, &pulse);
            let findings = look_inside(
                place,
                &manifest,
                &seen,
                inspected,
                ContentLimits::default(),
                None,
                &progress,
            )
            .unwrap();
            let found = findings.findings.iter().map(|f| (f.path.as_str(), f.formats[0]));
            let expected = [("empty", "empty"), ("large", "json"), ("small", "json")];
            assert!(found.eq(expected.into_iter().skip(4 - listed)), "{method:?}");
            let again = look_inside(
                place,
                &manifest,
                &seen,
                Inspected::default(),
                ContentLimits::default(),
                None,
                &progress,
            );
            assert_eq!(again.unwrap_err().code, Code::MediaUnreadable);
            for name in ["empty", "other", "small"] {
                fs::rename(away.path().join(name), dir.path().join(name)).unwrap();
            }
        }
    }

    #[test]
    fn a_copy_that_cannot_be_read_is_the_stations_failure_and_not_the_carriers() {
        let (dir, spool) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(dir.path().join("weights"), "{}").unwrap();
        let quarantine = Quarantine::create(spool.path(), "ingest-1").unwrap();
        let source = Source::at(dir.path()).unwrap();
        let (signed, observed) = observed(&source, &["weights"], Some(&quarantine));
        // A folder can be opened and not read.
        let copy = quarantine.model().join("weights");
        fs::remove_file(&copy).unwrap();
        fs::create_dir(&copy).unwrap();
        let failed = look_inside(
            Place::Copies(&quarantine),
            &signed,
            &observed,
            Inspected::default(),
            ContentLimits::default(),
            None,
            &Progress::hidden(),
        )
        .unwrap_err();
        assert_eq!(failed.code, Code::OutboundWrite);
        let path = dir.path().join("weights");
        fs::write(path, "").unwrap();
        let failed = look_inside(
            Place::InPlace(&source, &Pulse::default()),
            &signed,
            &observed,
            Inspected::default(),
            ContentLimits::default(),
            None,
            &Progress::hidden(),
        )
        .unwrap_err();
        assert_eq!(failed.code, Code::MediaUnreadable);
    }
}
