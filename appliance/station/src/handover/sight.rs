//! What was seen of a model's files: by the copier while it copied them, by the inspector in the
//! copies.

use std::io::Write;

use oms_inspect::Format;
use oms_verify::budget::Budget;
use oms_verify::hash::HashAlgorithm;
use oms_verify::name::ResourcePath;
use oms_verify::observe::{Finding, Mark, Observed, ObservedFile, Scan, Unlisted};
use oms_verify::reason::{Code, Reasons};
use oms_verify::statement::Method;
use oms_verify::verdict::{FileEntry, Serialization, VerdictError};
use serde::{Deserialize, Serialize, Serializer};

use super::HandoverError;
use crate::inspection::Findings;
use crate::process::wire::WireReason;

/// What was observed, and found inside.
#[derive(Debug, Default)]
pub struct Sight {
    /// What was observed of the files.
    pub observed: Observed,
    /// What is inside; the copier does not look.
    pub findings: Findings,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    serialization: Serialization,
    problems: Vec<WireReason>,
    unlisted: Vec<UnlistedNote<'a>>,
    retries: u32,
    files: Seen<'a>,
    findings: Found<'a>,
    checks: &'a [String],
    scanner: Option<&'a str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Read<'a> {
    serialization: Serialization,
    problems: Vec<WireReason>,
    #[serde(borrow)]
    unlisted: Vec<UnlistedNote<'a>>,
    retries: u32,
    #[serde(borrow)]
    files: Vec<FileEntry<'a>>,
    #[serde(borrow)]
    findings: Vec<FindingNote<'a>>,
    checks: Vec<String>,
    scanner: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct UnlistedNote<'a> {
    #[serde(borrow)]
    path: std::borrow::Cow<'a, str>,
    ignored: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FindingNote<'a> {
    #[serde(borrow)]
    path: std::borrow::Cow<'a, str>,
    formats: Vec<String>,
    marks: Vec<MarkNote>,
    scan: ScanNote,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
enum ScanNote {
    Clean,
    Found(String),
    NotScanned(String),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MarkNote {
    code: String,
    subject: String,
    place: String,
    detail: String,
}

struct Seen<'a>(&'a Observed);

impl Serialize for Seen<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let files = self.0.files.iter();
        serializer
            .collect_seq(files.map(|(path, seen)| FileEntry::of(path, &seen.pieces, seen.size)))
    }
}

struct Found<'a>(&'a [Finding]);

impl Serialize for Found<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|finding| FindingNote {
            path: finding.path.as_str().into(),
            formats: finding.formats.iter().map(|format| (*format).to_owned()).collect(),
            marks: finding.marks.iter().map(MarkNote::of).collect(),
            scan: match &finding.scan {
                Scan::Clean => ScanNote::Clean,
                Scan::Found(name) => ScanNote::Found(name.clone()),
                Scan::NotScanned(why) => ScanNote::NotScanned(why.clone()),
            },
        }))
    }
}

impl Sight {
    /// Writes it as JSON, for files that are hashed like this.
    ///
    /// # Errors
    /// Those of `writer`.
    pub fn to_json(
        self,
        (hash, method): (HashAlgorithm, Method),
        writer: impl Write,
    ) -> Result<(), HandoverError> {
        let Sight { mut observed, findings } = self;
        let problems = std::mem::take(&mut observed.problems).into_vec();
        let unlisted = observed.unlisted.iter();
        let written = Written {
            serialization: Serialization::new(method, hash),
            problems: problems.into_iter().map(WireReason).collect(),
            unlisted: unlisted
                .map(|one| UnlistedNote { path: one.path.as_str().into(), ignored: one.ignored })
                .collect(),
            retries: observed.retries,
            files: Seen(&observed),
            findings: Found(&findings.findings),
            checks: &findings.checks,
            scanner: findings.scanner.as_deref(),
        };
        Ok(serde_json::to_writer(writer, &written)?)
    }

    /// Reads what another process saw.
    ///
    /// # Errors
    /// When it is not of the structure.
    pub fn from_json(bytes: &[u8], budget: &Budget) -> Result<Self, HandoverError> {
        let read: Read<'_> = serde_json::from_slice(bytes)?;
        let (method, hash) = read.serialization.read()?;
        let file = |entry: &FileEntry<'_>| {
            let (file, size) = entry.read(method, hash, budget)?;
            Ok((file.path, ObservedFile { size, pieces: file.pieces }))
        };
        let files = read.files.iter().map(file).collect::<Result<_, VerdictError>>()?;
        let unlisted = read.unlisted.into_iter();
        let observed = Observed {
            files,
            problems: read.problems.into_iter().map(|reason| reason.0).collect::<Reasons>(),
            unlisted: unlisted
                .map(|one| Unlisted { path: one.path.into_owned(), ignored: one.ignored })
                .collect(),
            retries: read.retries,
        };
        let findings = read.findings.into_iter().map(|note| note.read(budget));
        let findings = findings.collect::<Result<_, _>>()?;
        let findings = Findings { findings, checks: read.checks, scanner: read.scanner };
        Ok(Sight { observed, findings })
    }
}

impl FindingNote<'_> {
    fn read(self, budget: &Budget) -> Result<Finding, HandoverError> {
        let path = ResourcePath::parse(&self.path, budget)
            .map_err(|_| HandoverError::Files(VerdictError::Field("findings")))?;
        let format = |name: String| {
            let known = Format::ALL.iter().find(|format| format.name() == name);
            known.map(|format| format.name()).ok_or(HandoverError::Format(name))
        };
        Ok(Finding {
            path,
            formats: self.formats.into_iter().map(format).collect::<Result<_, _>>()?,
            marks: self.marks.into_iter().map(MarkNote::read).collect::<Result<_, _>>()?,
            scan: match self.scan {
                ScanNote::Clean => Scan::Clean,
                ScanNote::Found(name) => Scan::Found(name),
                ScanNote::NotScanned(why) => Scan::NotScanned(why),
            },
        })
    }
}

impl MarkNote {
    fn of(mark: &Mark) -> Self {
        MarkNote {
            code: mark.code.id().to_owned(),
            subject: mark.subject.clone(),
            place: mark.place.clone(),
            detail: mark.detail.clone(),
        }
    }

    fn read(self) -> Result<Mark, HandoverError> {
        let code = Code::from_id(&self.code).filter(|code| code.is_about_content());
        let code = code.ok_or(HandoverError::Code(self.code))?;
        Ok(Mark { code, subject: self.subject, place: self.place, detail: self.detail })
    }
}
