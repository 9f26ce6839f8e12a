//! An entry as one file: read once, from its first to its last byte, and never unpacked.
//!
//! ```text
//!  verdict ─▶ what is to come, in this order ─▶ each member: its name, its size, its digest ─▶ end
//! ```
//!
//! The verdict comes first and says all that may follow, so nothing but one member's header, and a
//! buffer, is held of what nobody has signed.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read};

use oms_sys::beneath::{RegularFile, Root};
use oms_verify::budget::Budget;
use oms_verify::bundle::BundleError;
use oms_verify::hash::HashAlgorithm;
use oms_verify::reason::{Class, Code, Reason, Reasons};
use oms_verify::statement::{Manifest, Method, Pieces};
use oms_verify::tar::{self, Member, TarError, padding};
use oms_verify::time::UnixTime;
use oms_verify::verdict::{ReceivedAttestation, ReceivedVerdict};

use super::resigned::check_resigned;
use super::{Checked, MODEL, ReceiverTrust, manifest_of, named_otherwise, refusal, report_warning};
use crate::intake::{ATTESTATIONS, PieceHasher};
use crate::outbound::{REPORT, RESIGNED, SOURCE, VERDICT, rank_in_tar};
use crate::progress::Progress;
use crate::report;

/// Bytes that are read at once.
const CHUNK: usize = 1 << 20;

/// Checks the entry in the tar `name` of the folder `root`, as [`super::check_entry`] checks one
/// that is a folder: each member is one that the verdict lists, in the order of a station.
pub(super) fn check_tar(
    root: &Root,
    name: &str,
    verifier: &str,
    trust: &ReceiverTrust,
    time: UnixTime,
    progress: &Progress,
    budget: &Budget,
) -> Result<Checked, Reason> {
    let file = super::open(root, name, Code::MediaNotFound)?;
    let mut archive = Archive::new(&file, progress);
    progress.expect(file.size(), 1);
    let bytes = archive.verdict(budget)?;
    let beside = super::differs_beside(root, name, &bytes, budget)?;
    let mut verdict = super::received(bytes, VERDICT, verifier, trust, time, budget)?;
    let page = report::render(std::str::from_utf8(verdict.payload()).unwrap_or_default());
    verdict.drop_payload();

    let mut reasons = Reasons::default();
    reasons.extend(beside);
    reasons.extend(named_otherwise(name, &verdict));
    if !verdict.passed {
        reasons.push(refusal(&verdict));
    }
    let entry = Entry {
        manifest: manifest_of(&verdict, budget)?,
        verdict: &verdict,
        page: page.as_bytes(),
        trust,
        time,
        budget,
    };
    let mut warnings = Vec::new();
    match entry.check(&mut archive, &mut reasons, &mut warnings) {
        Err(reason) if reason.code.class() == Class::Refusal => reasons.push(reason),
        other => other?,
    }
    let unchanged = file.is_unchanged().map_err(|error| unreadable(&error, archive.at()))?;
    if !unchanged {
        let reason = Reason::new(Code::MediaChanged, "it was written to while it was read");
        reasons.push(reason.about(name));
    }
    progress.file_done();
    progress.all_read();
    Ok(Checked { verdict, reasons: reasons.into_vec(), warnings })
}

/// The bytes of the verdict with which a tar begins.
pub(super) fn verdict_in(file: &RegularFile, budget: &Budget) -> Result<Vec<u8>, Reason> {
    Archive::new(file, &Progress::hidden()).verdict(budget)
}

/// What a verdict says is to come after it.
struct Entry<'a> {
    verdict: &'a ReceivedVerdict,
    manifest: Manifest,
    page: &'a [u8],
    trust: &'a ReceiverTrust,
    time: UnixTime,
    budget: &'a Budget,
}

/// What a member is to be.
#[derive(Clone, Copy)]
enum Part {
    Resigned,
    Source,
    /// The only one that may be absent.
    Report,
    Attestation(usize),
    File(usize),
}

impl Entry<'_> {
    /// Every member after the verdict, in the order of the archive.
    fn parts(&self) -> Vec<(String, Part)> {
        let mut parts = vec![(REPORT.to_owned(), Part::Report)];
        if self.verdict.passed {
            parts.push((RESIGNED.to_owned(), Part::Resigned));
            parts.push((SOURCE.to_owned(), Part::Source));
        }
        let attestations = self.verdict.attestations.iter().enumerate();
        parts.extend(
            attestations
                .map(|(at, one)| (format!("{ATTESTATIONS}/{}", one.name), Part::Attestation(at))),
        );
        let files = self.verdict.files.iter().enumerate();
        parts.extend(
            files.map(|(at, (file, _))| (format!("{MODEL}/{}", file.path), Part::File(at))),
        );
        parts.sort_by(|(one, _), (other, _)| rank_in_tar(one).cmp(&rank_in_tar(other)));
        parts
    }

    fn check(
        &self,
        archive: &mut Archive<'_>,
        reasons: &mut Reasons,
        warnings: &mut Vec<Reason>,
    ) -> Result<(), Reason> {
        let wrong = |detail: &str, name: &str| Reason::new(Code::VerdictFiles, detail).about(name);
        let absent = |(name, part): &(String, Part)| match part {
            Part::Report => None,
            _ => Some(wrong("the file is absent, or not in its place", name)),
        };
        let parts = self.parts();
        let mut next = 0;
        while let Some(member) = archive.next()? {
            let known = parts
                .binary_search_by(|(name, _)| rank_in_tar(name).cmp(&rank_in_tar(&member.name)));
            let part = known.ok().filter(|at| *at >= next).and_then(|at| parts.get(at));
            let Some((name, part)) = part else {
                let detail = match known {
                    Ok(_) => "it is there twice, or not in its place",
                    Err(_) => "it does not belong to the entry",
                };
                reasons.push(wrong(detail, &member.name));
                archive.content(member.size, |_| {})?;
                continue;
            };
            let at = known.unwrap_or_default();
            reasons.extend(parts.get(next..at).unwrap_or_default().iter().filter_map(absent));
            next = at.saturating_add(1);
            let found = self.part(*part, member.size, archive)?;
            match part {
                Part::Report => warnings.extend(found),
                _ => reasons.extend(found.map(|reason| match reason.file {
                    None => reason.about(name),
                    Some(_) => reason,
                })),
            }
        }
        reasons.extend(parts.get(next..).unwrap_or_default().iter().filter_map(absent));
        archive.ended()
    }

    /// Reads the content of a member, and says what is wrong with it.
    fn part(
        &self,
        part: Part,
        size: u64,
        archive: &mut Archive<'_>,
    ) -> Result<Option<Reason>, Reason> {
        let other = || Reason::new(Code::VerdictFiles, "its bytes are not the verdict's");
        let whole = (HashAlgorithm::Sha256, Method::Files);
        match part {
            Part::Resigned => {
                let bytes = archive.bytes(size, self.budget, RESIGNED)?;
                let Entry { verdict, manifest, trust, time, budget, .. } = self;
                Ok(check_resigned(bytes, verdict, manifest, trust, *time, budget))
            }
            Part::Source => {
                let pieces = archive.hashed(size, whole)?;
                Ok(super::strange_source(&pieces, self.verdict))
            }
            Part::Report => {
                let mut same = size == self.page.len() as u64;
                let mut rest = self.page;
                archive.content(size, |bytes| {
                    same &= rest.starts_with(bytes);
                    rest = rest.get(bytes.len()..).unwrap_or_default();
                })?;
                Ok((!same).then(report_warning))
            }
            Part::Attestation(at) => {
                let Some(ReceivedAttestation { size: listed, digest, .. }) =
                    self.verdict.attestations.get(at)
                else {
                    return Ok(Some(other()));
                };
                let pieces = archive.hashed(size, whole)?;
                let same = matches!(&pieces, Pieces::Whole(found) if found.as_bytes() == digest.0);
                Ok((size != *listed || !same).then(other))
            }
            Part::File(at) => {
                let Some((file, listed)) = self.verdict.files.get(at) else {
                    return Ok(Some(other()));
                };
                if size != *listed {
                    archive.content(size, |_| {})?;
                    return Ok(Some(other()));
                }
                let pieces = archive.hashed(size, (self.verdict.hash, self.verdict.method))?;
                Ok((pieces != file.pieces).then(other))
            }
        }
    }
}

/// A tar that is read from its beginning.
struct Archive<'a> {
    input: BufReader<Stream<'a>>,
    size: u64,
}

/// The file behind it, with the operator's wish to end.
struct Stream<'a> {
    file: &'a File,
    progress: &'a Progress,
    position: u64,
    cancelled: Option<Reason>,
}

impl Read for Stream<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if let Err(reason) = self.progress.check() {
            self.cancelled = Some(reason);
            return Err(io::ErrorKind::Other.into());
        }
        let read = self.file.read(into)?;
        self.position = self.position.saturating_add(read as u64);
        self.progress.advance(read as u64);
        Ok(read)
    }
}

impl<'a> Archive<'a> {
    fn new(file: &'a RegularFile, progress: &'a Progress) -> Self {
        let (size, file) = (file.size(), file.as_file());
        let stream = Stream { file, progress, position: 0, cancelled: None };
        Archive { input: BufReader::with_capacity(CHUNK, stream), size }
    }

    /// Bytes that were taken.
    fn at(&self) -> u64 {
        self.input.get_ref().position.saturating_sub(self.input.buffer().len() as u64)
    }

    fn next(&mut self) -> Result<Option<Member>, Reason> {
        let member = tar::next(&mut self.input).map_err(|error| self.fault(error))?;
        let left = self.size.saturating_sub(self.at());
        match member {
            Some(Member { size, .. }) if size > left => Err(self.short()),
            member => Ok(member),
        }
    }

    /// The content of the first member, which is to be the verdict.
    fn verdict(&mut self, budget: &Budget) -> Result<Vec<u8>, Reason> {
        let missing = "the tar does not begin with a verdict as a station writes it";
        let missing = || Reason::new(Code::VerdictMissing, missing).about(VERDICT);
        match self.next() {
            Ok(Some(member)) if member.name == VERDICT => self.bytes(member.size, budget, VERDICT),
            Ok(_) => Err(missing()),
            Err(reason) if reason.code == Code::VerdictFiles => Err(missing()),
            Err(failure) => Err(failure),
        }
    }

    /// A content that is held as a whole.
    fn bytes(&mut self, size: u64, budget: &Budget, name: &str) -> Result<Vec<u8>, Reason> {
        let limit = budget.bundle_bytes;
        if size > limit {
            return Err(Reason::from(&BundleError::TooLarge { size, limit }).about(name));
        }
        let mut bytes = Vec::new();
        self.content(size, |part| bytes.extend_from_slice(part))?;
        Ok(bytes)
    }

    fn hashed(
        &mut self,
        size: u64,
        (hash, method): (HashAlgorithm, Method),
    ) -> Result<Pieces, Reason> {
        let mut hasher = PieceHasher::new(hash, method);
        self.content(size, |bytes| hasher.update(bytes))?;
        let hashed = hasher.finish().map(|(_, pieces)| pieces);
        hashed.ok_or_else(|| Reason::new(Code::MediaUnreadable, "hashing failed"))
    }

    /// Hands the content of a member on, and reads the zeros that fill it up.
    fn content(&mut self, size: u64, mut sink: impl FnMut(&[u8])) -> Result<(), Reason> {
        let mut left = size;
        while left > 0 {
            let bytes = match self.input.fill_buf() {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.fault(error.into())),
            };
            let taken = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            if taken == 0 {
                return Err(self.short());
            }
            sink(bytes.get(..taken).unwrap_or_default());
            self.input.consume(taken);
            left = left.saturating_sub(taken as u64);
        }
        let mut zeros = [0; tar::BLOCK];
        let zeros = zeros.get_mut(..padding(size)).unwrap_or_default();
        match self.input.read_exact(zeros) {
            Err(error) => Err(self.fault(error.into())),
            Ok(()) if zeros.iter().any(|byte| *byte != 0) => Err(self.fault(TarError::Header)),
            Ok(()) => Ok(()),
        }
    }

    /// Nothing comes after the end.
    fn ended(&mut self) -> Result<(), Reason> {
        match self.size.saturating_sub(self.at()) {
            0 => Ok(()),
            more => {
                let detail = format!("{more} bytes come after the end of the tar");
                Err(Reason::new(Code::VerdictFiles, detail))
            }
        }
    }

    fn short(&self) -> Reason {
        let detail = format!("the tar ends too early, after {} bytes", self.size);
        Reason::new(Code::VerdictFiles, detail)
    }

    fn fault(&mut self, error: TarError) -> Reason {
        match error {
            TarError::Io(error) => match self.input.get_mut().cancelled.take() {
                Some(cancelled) => cancelled,
                None if error.kind() == io::ErrorKind::UnexpectedEof => self.short(),
                None => unreadable(&error, self.at()),
            },
            other => {
                let detail = format!("before byte {} of the tar: {other}", self.at());
                Reason::new(Code::VerdictFiles, detail)
            }
        }
    }
}

fn unreadable(error: &io::Error, at: u64) -> Reason {
    Reason::new(Code::MediaUnreadable, format!("reading at byte {at}: {error}"))
}
