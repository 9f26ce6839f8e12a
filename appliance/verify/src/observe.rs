//! What was seen of a model's files, in the terms in which it is decided about.
//!
//! The station fills these types while it reads; nothing here is trusted to be complete. A file
//! that nobody observed counts as missing.

use std::collections::BTreeMap;

use crate::name::ResourcePath;
use crate::reason::{Code, Reasons};
use crate::statement::Pieces;

/// What was observed of one model.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// The listed files that could be read, with the digests of the bytes that were read.
    pub files: BTreeMap<ResourcePath, ObservedFile>,
    /// Why listed files could not be read, or what is wrong with the tree. Collect them with
    /// [`Reasons::push`] from the start: a carrier decides how many there are.
    pub problems: Reasons,
    /// What is in the model's folder and not in the manifest.
    pub unlisted: Vec<Unlisted>,
    /// How many reads failed and were repeated, as `media.retries` of the policy allows.
    pub retries: u32,
}

/// A file that was read from its first to its last byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedFile {
    /// Bytes that were read.
    pub size: u64,
    /// Digests of the bytes that were read, divided as the manifest divides the file.
    pub pieces: Pieces,
}

/// A path that is not in the manifest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unlisted {
    /// The path inside the model. A folder that is ignored stands for all that is in it.
    pub path: String,
    /// Whether the signer, or OMS by default, ignores it.
    pub ignored: bool,
}

/// What content inspection found in one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file.
    pub path: ResourcePath,
    /// The formats that its bytes have: none that is known, one, or several at once.
    pub formats: Vec<&'static str>,
    /// What is inside that a policy may refuse.
    pub marks: Vec<Mark>,
    /// What a virus scanner said.
    pub scan: Scan,
}

/// What a virus scanner said of a file. There is no state between these: what was not read from its
/// first to its last byte was not scanned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scan {
    /// It read the whole file and found nothing.
    Clean,
    /// It found this.
    Found(String),
    /// It was not asked, could not be asked, or did not read the whole file: why.
    NotScanned(String),
}

impl Default for Scan {
    fn default() -> Self {
        Scan::NotScanned("no scanner was asked".to_owned())
    }
}

/// One thing that is inside a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The code of the reason, where the policy refuses it: one of `content.*`.
    pub code: Code,
    /// What an allow-list of the policy would have to name; empty where there is no such list.
    pub subject: String,
    /// Where it is: an offset, a key, a tensor, a member of an archive.
    pub place: String,
    /// What it is, as the end of a sentence that may begin with the subject.
    pub detail: String,
}

impl Mark {
    /// What it is, in words that name the subject.
    pub fn sentence(&self) -> String {
        match self.detail.contains(&self.subject) {
            true => self.detail.clone(),
            false => format!("{} {}", self.subject, self.detail),
        }
    }
}

impl Finding {
    /// The first break of the format's structure, if there is one.
    pub fn malformed(&self) -> Option<&Mark> {
        self.marks.iter().find(|mark| mark.code == Code::ContentMalformed)
    }
}
