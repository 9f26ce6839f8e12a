//! The grammar: from text to a [`RawPolicy`], whose names are not resolved yet.

mod attestation;
mod content;
mod media;
mod sections;
mod signer;
mod time;

use toml::de::DeTable;

pub(super) use attestation::RawAttestation;
pub(super) use signer::{Located, RawMethod, RawSigner};
pub(super) use time::RawTime;

use super::error::{PolicyError, PolicyErrorKind};
use super::reader::{Table, Text, Value};
use super::{ContentRules, ManifestRules, MediaRules, ResignRules, coherence};
use crate::budget::Budget;
use crate::hash::Sha256Digest;
use crate::pki::Revocation;
use crate::time::Span;

/// Bytes of a policy's text, at most.
pub const TEXT_LIMIT: usize = 1 << 20;

/// Words of a policy that other parts of the appliance define.
#[derive(Clone, Copy, Debug)]
pub struct Vocabulary<'a> {
    /// The names of formats that `content.allow` may use.
    pub formats: &'a [&'a str],
}

/// A policy whose grammar is right. Its anchors and key files are only names so far.
#[derive(Clone, Debug)]
pub struct RawPolicy {
    pub(super) id: String,
    pub(super) version: u64,
    pub(super) digest: Sha256Digest,
    pub(super) signers: Vec<RawSigner>,
    pub(super) require: Located<usize>,
    pub(super) revocation: Revocation,
    pub(super) time: RawTime,
    pub(super) attestations: Vec<RawAttestation>,
    pub(super) manifest: ManifestRules,
    pub(super) media: MediaRules,
    pub(super) content: ContentRules,
    pub(super) resign: ResignRules,
    pub(super) budget: Budget,
}

impl RawPolicy {
    /// Reads a policy's text.
    ///
    /// # Errors
    /// The first fault, with line and column: text that is too long or not TOML, keys that are
    /// unknown, missing or of another method, values of a wrong type or out of range, no signer,
    /// rules that contradict each other.
    pub fn parse(text: &str, vocabulary: &Vocabulary<'_>) -> Result<Self, PolicyError> {
        let source = Text(text);
        if text.len() > TEXT_LIMIT {
            let kind = PolicyErrorKind::TooLong { bytes: text.len(), limit: TEXT_LIMIT };
            return Err(source.place(0, String::new()).error(kind));
        }
        let document = DeTable::parse(text).map_err(|error| {
            let offset = error.span().map_or(0, |span| span.start);
            let kind = PolicyErrorKind::Syntax(error.message().to_owned());
            source.place(offset, String::new()).error(kind)
        })?;
        let policy = document_of(&Table::root(source, document.get_ref()), text, vocabulary)?;
        coherence::check_times(&policy)?;
        Ok(policy)
    }

    /// The key files that the policy names, as it names them: relative to the policy's folder.
    pub fn key_files(&self) -> impl Iterator<Item = &str> {
        self.all_signers().filter_map(|signer| match &signer.method {
            RawMethod::Key { file } => Some(file.value.as_str()),
            _ => None,
        })
    }

    /// Those of the model, and those of attestations.
    pub(super) fn all_signers(&self) -> impl Iterator<Item = &RawSigner> {
        self.signers.iter().chain(self.attestations.iter().map(|attestation| &attestation.signer))
    }
}

fn document_of(
    root: &Table<'_>,
    text: &str,
    vocabulary: &Vocabulary<'_>,
) -> Result<RawPolicy, PolicyError> {
    root.allow_only(&[
        "policy",
        "signer",
        "signatures",
        "revocation",
        "time",
        "attestation",
        "manifest",
        "media",
        "content",
        "resign",
    ])?;
    let head = root.required("policy", "a table [policy] with id and version")?.table()?;
    head.allow_only(&["id", "version"])?;
    let id = head.required("id", ID)?.parsed(ID, |text| is_id(text).then(|| text.to_owned()))?;
    let version =
        head.required("version", "a whole number from 1")?.integer(1..=i64::MAX as u64)?;
    let mut budget = Budget::default();
    Ok(RawPolicy {
        id,
        version,
        digest: Sha256Digest::of(text.as_bytes()),
        signers: signer::signers(root)?,
        require: sections::require(root)?,
        revocation: sections::revocation(root)?,
        time: time::time(root)?,
        attestations: attestation::attestations(root)?,
        manifest: sections::manifest(root, &mut budget)?,
        media: media::media(root)?,
        content: content::content(root, vocabulary)?,
        resign: sections::resign(root)?,
        budget,
    })
}

const ID: &str = "1 to 64 characters of a-z, 0-9, `-`, `.` and `_`";

fn is_id(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-._".contains(&b);
    (1..=64).contains(&text.len()) && text.bytes().all(fits)
}

const SPAN: &str = "a span above zero such as \"400d\", \"12h\", \"30m\" or \"90s\"";

/// A span of time above zero, if the key is given.
fn span(table: &Table<'_>, key: &'static str) -> Result<Option<Located<Span>>, PolicyError> {
    let read = |text: &str| Span::parse(text).filter(|span| span.seconds > 0);
    let located =
        |value: Value<'_>| Ok(Located { value: value.parsed(SPAN, read)?, place: value.place() });
    table.optional(key).map(located).transpose()
}
