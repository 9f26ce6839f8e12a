//! The decision.

use std::collections::BTreeSet;

use crate::appraise::{Admitted, Signer};
use crate::hash::Sha256Digest;
use crate::observe::{Finding, Observed, ObservedFile};
use crate::policy::{IgnoredPaths, Policy, RemoteCode, UnsignedFiles};
use crate::reason::{Code, Reason};
use crate::statement::{Manifest, ManifestFile, Pieces};
use crate::time::UnixTime;

/// In which mode a decision was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A station copied the files and decided about the copies.
    Ingest,
    /// The files were read where they lie and may have changed since.
    InPlace,
}

impl Mode {
    /// The word for the mode in a verdict.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Ingest => "ingest",
            Mode::InPlace => "in-place",
        }
    }
}

/// What became of one bundle of a model.
#[derive(Clone, Debug)]
pub struct BundleOutcome {
    /// The bundle's file name.
    pub file: String,
    /// Its path inside the model's folder, where it lies there.
    pub in_model: Option<String>,
    /// SHA-256 of the bytes that were read of it; `None` when it was too large to be read.
    pub digest: Option<Sha256Digest>,
    /// The admitted signer, or every reason against it.
    pub result: Result<Admitted, Vec<Reason>>,
}

/// All that a decision is made from.
#[derive(Debug)]
pub struct Case<'a> {
    /// The policy.
    pub policy: &'a Policy,
    /// The time of the decision.
    pub time: UnixTime,
    /// The mode.
    pub mode: Mode,
    /// The name to use when no bundle could be opened: unsigned, for people to find the model.
    pub alleged_name: String,
    /// The model's bundles.
    pub bundles: Vec<BundleOutcome>,
    /// What was observed of the files; `None` when no bundle was admitted and none was read.
    pub observed: Option<Observed>,
    /// What content inspection found; every file with the signed digest must
    /// have a finding when content is restricted.
    pub findings: Vec<Finding>,
    /// The checks that content inspection ran.
    pub checks: Vec<String>,
}

/// A decision about a model. Only [`decide`] makes one.
#[derive(Clone, Debug)]
pub struct Verdict {
    pub(super) time: UnixTime,
    pub(super) mode: Mode,
    pub(super) policy: Policy,
    pub(super) subject_name: String,
    pub(super) bundles: Vec<(String, Option<Sha256Digest>)>,
    pub(super) admitted: Vec<Admitted>,
    pub(super) files: Vec<(ManifestFile, u64)>,
    pub(super) reasons: Vec<Reason>,
    pub(super) warnings: Vec<Reason>,
    pub(super) checks: Vec<String>,
}

impl Verdict {
    /// Whether the model passes.
    pub fn passed(&self) -> bool {
        self.reasons.is_empty()
    }

    /// Every reason for the refusal; empty when the model passes.
    pub fn reasons(&self) -> &[Reason] {
        &self.reasons
    }

    /// What does not refuse and should be known.
    pub fn warnings(&self) -> &[Reason] {
        &self.warnings
    }

    /// The model's signed name, or the alleged one when no bundle could be opened.
    pub fn subject_name(&self) -> &str {
        &self.subject_name
    }

    /// The time of the decision.
    pub fn time(&self) -> UnixTime {
        self.time
    }

    /// The mode of the decision.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The policy that decided.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The bundles that were found: file names and digests.
    pub fn bundles(&self) -> &[(String, Option<Sha256Digest>)] {
        &self.bundles
    }

    /// The signers that were admitted.
    pub fn signers(&self) -> impl Iterator<Item = &Signer> {
        self.admitted.iter().map(Admitted::signer)
    }

    /// The manifest that was decided about, when a bundle was admitted.
    pub fn manifest(&self) -> Option<&Manifest> {
        self.admitted.first().map(|admitted| admitted.statement().manifest())
    }

    /// The files that were read and have the signed digests, with their sizes in bytes.
    pub fn files(&self) -> &[(ManifestFile, u64)] {
        &self.files
    }

    /// The checks that content inspection ran.
    pub fn checks(&self) -> &[String] {
        &self.checks
    }

    /// SHA-256 of the bundle whose manifest was decided about, when one was admitted.
    pub fn admitted_bundle(&self) -> Option<Sha256Digest> {
        self.admitted.first().map(Admitted::digest)
    }

    /// The root digest of the first admitted bundle as its signer listed the resources.
    pub fn source_root(&self) -> Option<Sha256Digest> {
        self.admitted.first().map(|admitted| admitted.statement().root())
    }
}

/// Decides.
pub fn decide(case: Case<'_>) -> Verdict {
    let Case { policy, time, mode, alleged_name, bundles, observed, findings, checks } = case;
    let mut judge = Judge { policy, reasons: Vec::new(), warnings: Vec::new() };
    let found = bundles.iter().map(|bundle| (bundle.file.clone(), bundle.digest)).collect();
    // A bundle whose signer is admitted is no unsigned file; a refused one is.
    let counted: BTreeSet<String> = bundles
        .iter()
        .filter(|bundle| bundle.result.is_ok())
        .filter_map(|bundle| bundle.in_model.clone())
        .collect();
    let (admitted, refused) = split(bundles);

    judge.signatures(&admitted, refused);
    let mut files = Vec::new();
    match (admitted.first(), observed) {
        (Some(first), Some(observed)) => {
            let manifest = first.statement().manifest();
            files = judge.files(manifest, &observed);
            judge.unlisted(&observed, &counted);
            judge.content(&files, &findings);
            judge.reasons.extend(observed.problems);
        }
        // Deny by default: a decision without an observation is a refusal, whatever was admitted.
        (Some(first), None) if judge.reasons.is_empty() => {
            let detail = "no file of the model was read";
            judge.reasons.push(Reason::new(Code::ManifestMissingFile, detail).about(first.file()));
        }
        _ => {}
    }
    // An admitted model is named after signed data or, in the legacy format, which signs no name,
    // by a constant: never after the carrier's folder.
    let subject_name = match admitted.first() {
        Some(admitted) => admitted.statement().subject_name().unwrap_or("model").to_owned(),
        None => alleged_name,
    };
    let Judge { mut reasons, mut warnings, .. } = judge;
    reasons.sort();
    reasons.dedup();
    warnings.sort();
    warnings.dedup();
    Verdict {
        time,
        mode,
        policy: policy.clone(),
        subject_name,
        bundles: found,
        admitted,
        files,
        reasons,
        warnings,
        checks,
    }
}

fn split(bundles: Vec<BundleOutcome>) -> (Vec<Admitted>, Vec<Vec<Reason>>) {
    let mut admitted = Vec::new();
    let mut refused = Vec::new();
    for bundle in bundles {
        match bundle.result {
            Ok(one) => admitted.push(one),
            Err(reasons) => refused.push(reasons),
        }
    }
    (admitted, refused)
}

struct Judge<'a> {
    policy: &'a Policy,
    reasons: Vec<Reason>,
    warnings: Vec<Reason>,
}

impl Judge<'_> {
    /// Enough distinct signers, over identical files. What a refused bundle was refused for
    /// refuses the model only when the others are not enough: its file then counts as unsigned.
    fn signatures(&mut self, admitted: &[Admitted], refused: Vec<Vec<Reason>>) {
        if let Some((first, others)) = admitted.split_first() {
            for other in others {
                let same =
                    first.statement().manifest().files() == other.statement().manifest().files();
                if !same {
                    let detail = format!("lists other files than {}", first.file());
                    let reason = Reason::new(Code::SignatureFilesDiffer, detail);
                    self.reasons.push(reason.about(other.file()));
                }
            }
        }
        let distinct = distinct_signers(admitted);
        // Whatever the policy requires, no signer is never enough.
        let enough = distinct >= self.policy.require.max(1);
        let refused: Vec<Reason> = refused.into_iter().flatten().collect();
        if enough {
            self.warnings.extend(refused);
            return;
        }
        if !admitted.is_empty() || self.policy.require > 1 {
            let detail =
                format!("{distinct} of {} required signers have signed", self.policy.require);
            let reason = Reason::new(Code::SignatureThreshold, detail);
            self.reasons.push(reason.by_rule("signatures.require"));
        }
        if admitted.is_empty() && refused.is_empty() {
            self.reasons.push(Reason::new(Code::BundleMissing, "there is no bundle"));
        }
        self.reasons.extend(refused);
    }

    /// Every listed file was read, and its bytes are the signed ones.
    fn files(&mut self, manifest: &Manifest, observed: &Observed) -> Vec<(ManifestFile, u64)> {
        let budget = &self.policy.budget;
        let mut matching = Vec::with_capacity(manifest.files().len());
        let mut total = 0u64;
        for file in manifest.files() {
            let path = file.path.as_str();
            let Some(seen) = observed.files.get(&file.path) else {
                // A file that could not be read has its own reason.
                let explained =
                    observed.problems.iter().any(|problem| problem.file.as_deref() == Some(path));
                if !explained {
                    let reason =
                        Reason::new(Code::ManifestMissingFile, "the listed file is absent");
                    self.reasons.push(reason.about(path));
                }
                continue;
            };
            total = total.saturating_add(seen.size);
            if seen.size > budget.file_bytes {
                let detail = format!("has {} bytes, the limit is {}", seen.size, budget.file_bytes);
                let reason = Reason::new(Code::ManifestFileTooLarge, detail).about(path);
                self.reasons.push(reason.by_rule("manifest.max-file-bytes"));
            }
            match difference(file, seen) {
                Some(reason) => self.reasons.push(reason.about(path)),
                None => matching.push((file.clone(), seen.size)),
            }
        }
        if total > budget.total_bytes {
            let detail = format!("{total} bytes, the limit is {}", budget.total_bytes);
            let reason = Reason::new(Code::ManifestTotalTooLarge, detail);
            self.reasons.push(reason.by_rule("manifest.max-total-bytes"));
        }
        matching
    }

    /// What lies in the model's folder and is not listed.
    fn unlisted(&mut self, observed: &Observed, counted: &BTreeSet<String>) {
        let rules = &self.policy.manifest;
        for unlisted in &observed.unlisted {
            if counted.contains(&unlisted.path) {
                continue;
            }
            let (code, rule, detail, refuses) = if unlisted.ignored {
                let refuses = rules.ignored_paths == IgnoredPaths::Reject;
                let detail = "the signer ignored it; it stays behind";
                (Code::ManifestIgnoredPath, "manifest.ignored-paths", detail, refuses)
            } else {
                let refuses = rules.unsigned_files == UnsignedFiles::Reject;
                let detail = "nobody signed it; it stays behind";
                (Code::ManifestUnsignedFile, "manifest.unsigned-files", detail, refuses)
            };
            let reason = Reason::new(code, detail).about(&unlisted.path).by_rule(rule);
            if refuses { self.reasons.push(reason) } else { self.warnings.push(reason) }
        }
    }

    /// What is inside the files, under `[content]`. A file that is refused for its bytes needs no
    /// finding.
    fn content(&mut self, matching: &[(ManifestFile, u64)], findings: &[Finding]) {
        let rules = &self.policy.content;
        if rules.remote_code == RemoteCode::Reject {
            for finding in findings {
                for key in &finding.remote_code {
                    let detail = format!("the key {key:?} asks the loader to run code");
                    let reason = Reason::new(Code::ContentRemoteCode, detail);
                    self.reasons
                        .push(reason.about(finding.path.as_str()).by_rule("content.remote-code"));
                }
            }
        }
        let rule = match (&rules.allow, rules.remote_code) {
            (Some(_), _) => "content.allow",
            (None, RemoteCode::Reject) => "content.remote-code",
            (None, RemoteCode::Allow) => return,
        };
        let inspected: BTreeSet<&str> = findings.iter().map(|f| f.path.as_str()).collect();
        let matching = matching.iter().map(|(file, _)| file.path.as_str());
        for path in matching.filter(|path| !inspected.contains(path)) {
            let reason = Reason::new(Code::ContentUnknown, "the file was not inspected");
            self.reasons.push(reason.about(path).by_rule(rule));
        }
        let Some(allow) = &rules.allow else { return };
        for finding in findings {
            let path = finding.path.as_str();
            let reason = match finding.formats.as_slice() {
                [] => Some(Reason::new(Code::ContentUnknown, "no known format")),
                [format] if !allow.contains(format) => {
                    Some(Reason::new(Code::ContentFormat, format!("the format is {format}")))
                }
                [_] => None,
                several => Some(Reason::new(
                    Code::ContentAmbiguous,
                    format!("can be read as {}", several.join(" and as ")),
                )),
            };
            self.reasons.extend(reason.map(|r| r.about(path).by_rule("content.allow")));
            if let Some(malformed) = &finding.malformed {
                let reason = Reason::new(Code::ContentMalformed, malformed.clone());
                self.reasons.push(reason.about(path).by_rule("content.allow"));
            }
        }
    }
}

/// How many signers differ from each other both in key and in identity.
///
/// Counted in the order of the bundles: a signer counts when it has neither key nor name in common
/// with one that has counted before. That never counts more than there are.
fn distinct_signers(admitted: &[Admitted]) -> usize {
    let mut counted: Vec<&Signer> = Vec::new();
    for signer in admitted.iter().map(Admitted::signer) {
        if !counted.iter().any(|other| signer.may_be_same(other)) {
            counted.push(signer);
        }
    }
    counted.len()
}

/// How what was read differs from what was signed.
fn difference(signed: &ManifestFile, seen: &ObservedFile) -> Option<Reason> {
    if let Some(size) = signed.pieces.size()
        && size != seen.size
    {
        let detail = format!("has {} bytes, {size} are signed", seen.size);
        return Some(Reason::new(Code::ManifestSizeMismatch, detail));
    }
    if signed.pieces == seen.pieces {
        return None;
    }
    let detail = match (&signed.pieces, &seen.pieces) {
        (Pieces::Whole(signed), Pieces::Whole(seen)) => {
            format!("its digest is {seen}, {signed} is signed")
        }
        (Pieces::Shards(signed), Pieces::Shards(seen)) => {
            let wrong = signed.iter().zip(seen).find(|(signed, seen)| signed != seen);
            match wrong {
                Some((shard, _)) => format!("the shard at byte {} differs", shard.start),
                None => "its shards differ".to_owned(),
            }
        }
        _ => "it was read in other pieces than it was signed in".to_owned(),
    };
    Some(Reason::new(Code::ManifestDigestMismatch, detail))
}
