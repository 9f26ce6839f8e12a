//! The rules that a model is judged by, each adding its reasons: signers, files, and what nobody
//! listed. What is inside is judged in [`super::content`].

use std::collections::BTreeSet;

use super::distinct;
use crate::appraise::Admitted;
use crate::attestation::{AttestationOutcome, Closeness, Shortfall};
use crate::observe::{Observed, ObservedFile};
use crate::policy::{IgnoredPaths, Policy, UnsignedFiles};
use crate::reason::{Code, NAME_CHARS, Reason, Reasons, shorten};
use crate::statement::{Manifest, ManifestFile, Pieces};

/// Collects the reasons for one decision; it starts with none and only ever adds.
pub(super) struct Judge<'a> {
    pub(super) policy: &'a Policy,
    pub(super) reasons: Reasons,
    pub(super) warnings: Reasons,
}

impl<'a> Judge<'a> {
    pub(super) fn new(policy: &'a Policy) -> Self {
        Judge { policy, reasons: Reasons::default(), warnings: Reasons::default() }
    }

    /// Enough distinct signers, over identical files under one name. What a refused bundle was refused for
    /// refuses the model only when the others are not enough: its file then counts as unsigned.
    pub(super) fn signatures(&mut self, admitted: &[Admitted], refused: Vec<Vec<Reason>>) {
        if let Some((first, others)) = admitted.split_first() {
            for other in others {
                let differences = differences(first, other);
                self.reasons.extend(differences.map(|reason| reason.about(other.file())));
            }
        }
        for one in admitted {
            self.warnings.extend(one.discounted_timestamps().iter().cloned());
        }
        let distinct = distinct::count(admitted.iter().map(Admitted::signer));
        // Whatever the policy requires, no signer is never enough.
        let enough = distinct >= self.policy.require.max(1);
        let refused: Reasons = refused.into_iter().flatten().collect();
        if enough {
            self.warnings.append(refused);
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
        self.reasons.append(refused);
    }

    /// Every attestation that the policy requires is there. What one is refused for that no rule
    /// accepts refuses the model only when another is missing; else it just stays behind. `left`
    /// is how many were not looked at.
    pub(super) fn attestations(&mut self, found: &[AttestationOutcome], left: usize) {
        let mut complete = true;
        for (number, rule) in self.policy.attestations.iter().enumerate() {
            let mut accepted = found.iter().filter_map(AttestationOutcome::accepted);
            if accepted.any(|one| one.rules.contains(&number)) {
                continue;
            }
            complete = false;
            let shortfalls: Vec<&Shortfall> = found
                .iter()
                .filter_map(|one| one.shortfalls.iter().find(|short| short.rule == number))
                .collect();
            let closest = shortfalls.iter().map(|shortfall| shortfall.closeness).max();
            match closest {
                Some(Closeness::OtherSubject | Closeness::Condition) => {
                    let closest =
                        shortfalls.iter().filter(|short| Some(short.closeness) == closest);
                    self.reasons.extend(closest.flat_map(|short| short.reasons.iter().cloned()));
                }
                _ => {
                    let detail = format!(
                        "no attestation of the predicate type {:?} by the signer of the rule",
                        rule.predicate_type
                    );
                    let reason = Reason::new(Code::AttestationMissing, detail);
                    self.reasons.push(reason.by_rule(&rule.name));
                }
            }
        }
        for one in found.iter().filter(|one| one.accepted().is_none()) {
            let not_opened = one
                .shortfalls
                .iter()
                .all(|short| matches!(short.closeness, Closeness::NotOpened(_)));
            if !complete && not_opened && !one.shortfalls.is_empty() {
                self.reasons.append(one.closest());
            } else {
                self.leave_behind(one);
            }
        }
        if left > 0 {
            let budget = &self.policy.budget;
            let detail = format!(
                "{left} were not looked at: {} are, while those before them have less than {} bytes",
                budget.attestations, budget.attestations_bytes
            );
            let reason = Reason::new(Code::AttestationTooMany, detail);
            if complete { self.warnings.push(reason) } else { self.reasons.push(reason) }
        }
    }

    /// What should be known of an attestation that no rule accepts. One that lies beside the model
    /// and is about another belongs to that one.
    fn leave_behind(&mut self, one: &AttestationOutcome) {
        if one.found().is_none() && one.digest.is_some() {
            return;
        }
        let closest = one.closest();
        if closest.is_empty() {
            let reason = Reason::new(Code::AttestationUnasked, "no rule asks for it");
            self.warnings.push(reason.about(&one.source.file));
        }
        // What refuses the model is not told twice.
        for reason in closest.into_vec() {
            if !self.reasons.iter().any(|told| *told == reason) {
                self.warnings.push(reason);
            }
        }
    }

    /// Every listed file was read, and its bytes are the signed ones.
    pub(super) fn files(
        &mut self,
        manifest: &Manifest,
        observed: &Observed,
    ) -> Vec<(ManifestFile, u64)> {
        let budget = &self.policy.budget;
        let mut matching = Vec::with_capacity(manifest.files().len());
        let mut total = 0u64;
        // A file that could not be read has its own reason. Where there are more reasons than are
        // kept, they refuse the model, and which files they were about is not known any more.
        let problems = &observed.problems;
        let explained: BTreeSet<&str> =
            problems.iter().filter_map(|problem| problem.file.as_deref()).collect();
        let is_explained = |path: &str| {
            let mut shown = path.to_owned();
            shorten(&mut shown, NAME_CHARS);
            !problems.is_complete() || explained.contains(shown.as_str())
        };
        // Both are in the order of their paths, and gone through side by side.
        let mut observed = observed.files.iter().peekable();
        for file in manifest.files() {
            let path = file.path.as_str();
            while observed.next_if(|(before, _)| **before < file.path).is_some() {}
            let Some((_, seen)) = observed.next_if(|(other, _)| **other == file.path) else {
                if !is_explained(path) {
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
    /// `counted` are the paths of what was accepted there, `discounted` those of refused bundles.
    pub(super) fn unlisted(
        &mut self,
        observed: &Observed,
        counted: &BTreeSet<String>,
        discounted: &BTreeSet<String>,
    ) {
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
                let detail = match discounted.contains(&unlisted.path) {
                    true => "it is a bundle that does not count; it stays behind",
                    false => "nobody signed it; it stays behind",
                };
                (Code::ManifestUnsignedFile, "manifest.unsigned-files", detail, refuses)
            };
            let reason = Reason::new(code, detail).about(&unlisted.path).by_rule(rule);
            if refuses { self.reasons.push(reason) } else { self.warnings.push(reason) }
        }
    }
}

/// How two admitted bundles do not say the same of the model: whichever came first would decide
/// under which name it is published.
fn differences(first: &Admitted, other: &Admitted) -> impl Iterator<Item = Reason> {
    let (one, two) = (first.statement(), other.statement());
    let (files, others) = (one.manifest(), two.manifest());
    let detail = if files.hash() != others.hash() || files.method() != others.method() {
        Some("hashes the files in another way than")
    } else {
        (files.files() != others.files()).then_some("lists other files than")
    };
    let differ = detail.map(|detail| {
        Reason::new(Code::SignatureFilesDiffer, format!("{detail} {}", first.file()))
    });
    let named = |name: Option<&str>| name.map_or("no name".to_owned(), |name| format!("{name:?}"));
    let renamed = (one.subject_name() != two.subject_name()).then(|| {
        let (one, two) = (named(one.subject_name()), named(two.subject_name()));
        let detail = format!("signs {two}, {} signs {one}", first.file());
        Reason::new(Code::SignatureNamesDiffer, detail)
    });
    differ.into_iter().chain(renamed)
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
