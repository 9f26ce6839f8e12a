//! The bounded search for candidate paths, from the leaf towards the anchors.
//!
//! Names and key identifiers say where to look first; only a signature that verifies makes a
//! step. Every step that is tried counts against the budget.

use std::collections::{BTreeMap, BTreeSet};

use super::comparisons::Comparisons;
use super::error::{Limit, PathError, Rank};
use super::explain::{CheckName, Record};
use super::issued::{self, Issued, key_ids_match};
use super::path::{PathInput, VerifiedPath};
use super::signature::{SignatureChecks, SignatureError};
use super::{Anchor, Certificate, canonical::CanonicalName, judge};

/// A search in progress.
pub(super) struct Search<'a> {
    input: &'a PathInput<'a>,
    issuers: BTreeMap<&'a CanonicalName, Vec<&'a Certificate>>,
    anchors: BTreeMap<&'a CanonicalName, Vec<&'a Anchor>>,
    issued: Issued,
    comparisons: Comparisons,
    /// Paths that led to an anchor or to a dead end.
    candidates: usize,
    /// The most telling failure so far.
    best: Option<Failure>,
}

/// Why a candidate failed, and how far it came.
struct Failure {
    error: PathError,
    depth: usize,
    record: Record,
}

/// How one branch of the search ended; an `Err` ends the whole search.
type Outcome = Result<Option<(VerifiedPath, Record)>, Failure>;

impl<'a> Search<'a> {
    /// Tries candidates until one validates.
    pub(super) fn run(input: &'a PathInput<'a>) -> (Result<VerifiedPath, PathError>, Record) {
        let Some(leaf) = input.chain.first() else {
            return (Err(PathError::Empty), Record::default());
        };
        let failure = match check_sizes(input) {
            Err(error) => Failure::of(&[leaf], error),
            Ok(()) => {
                let mut search = Search::new(input);
                match search.all(leaf) {
                    Ok(Some((path, record))) => return (Ok(path), record),
                    Ok(None) => search.best.unwrap_or_else(|| {
                        let (subject, issuer) = (leaf.subject(), leaf.issuer());
                        Failure::of(&[leaf], PathError::UntrustedAnchor { subject, issuer })
                    }),
                    Err(failure) => failure,
                }
            }
        };
        (Err(failure.error), failure.record)
    }

    fn new(input: &'a PathInput<'a>) -> Self {
        // By name, so that a step does not look at every certificate there is.
        let mut issuers: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for certificate in input.chain.iter().chain(input.intermediates) {
            if seen.insert(certificate.der()) {
                issuers.entry(certificate.subject_name()).or_default().push(certificate);
            }
        }
        let mut anchors: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for anchor in input.anchors {
            anchors.entry(anchor.certificate.subject_name()).or_default().push(anchor);
        }
        Search {
            input,
            issuers,
            anchors,
            issued: Issued::new(SignatureChecks::new(input.budget.signature_checks)),
            comparisons: Comparisons::new(),
            candidates: 0,
            best: None,
        }
    }

    fn all(&mut self, leaf: &'a Certificate) -> Outcome {
        if let Some(found) = self.pinned_leaf(leaf)? {
            return Ok(Some(found));
        }
        self.extend(&mut vec![leaf])
    }

    /// A self-signed leaf that is itself an anchor.
    fn pinned_leaf(&mut self, leaf: &'a Certificate) -> Outcome {
        let same_name = self.anchors.get(leaf.subject_name());
        let anchor =
            same_name.and_then(|all| all.iter().find(|anchor| anchor.certificate == *leaf));
        let Some(&anchor) = anchor else { return Ok(None) };
        if !leaf.is_self_issued() || !self.is_issued_by(&[leaf], leaf)? {
            return Ok(None);
        }
        self.judge(&[leaf], anchor)
    }

    /// Goes on from the last certificate of `path`.
    fn extend(&mut self, path: &mut Vec<&'a Certificate>) -> Outcome {
        let Some(&last) = path.last() else { return Ok(None) };
        if path.len() >= self.input.budget.path_depth {
            self.note(Rank::Budget, path.len(), || {
                Failure::of(path, PathError::Budget(Limit::Depth))
            });
            self.count_candidate(path)?;
            return Ok(None);
        }
        let mut dead_end = true;
        for anchor in self.anchors_for(last, path) {
            if self.is_issued_by(path, &anchor.certificate)? {
                dead_end = false;
                path.push(&anchor.certificate);
                let found = self.judge(path, anchor);
                path.pop();
                if let Some(found) = found? {
                    return Ok(Some(found));
                }
            }
        }
        for issuer in self.issuers_for(last, path) {
            if self.is_issued_by(path, issuer)? {
                dead_end = false;
                path.push(issuer);
                let found = self.extend(path);
                path.pop();
                if let Some(found) = found? {
                    return Ok(Some(found));
                }
            }
        }
        if dead_end {
            let error = self.dead_end(last);
            self.note(Rank::DeadEnd, path.len(), || Failure::of(path, error()));
            self.count_candidate(path)?;
        }
        Ok(None)
    }

    /// Why no way leads on from `last`.
    fn dead_end(&self, last: &'a Certificate) -> impl FnOnce() -> PathError + use<'a> {
        let name = last.issuer_name();
        let nowhere = !self.issuers.contains_key(name) && !self.anchors.contains_key(name);
        move || {
            let (subject, issuer) = (last.subject(), last.issuer());
            match nowhere {
                true => PathError::NoPath { subject, issuer },
                false => PathError::UntrustedAnchor { subject, issuer },
            }
        }
    }

    fn anchors_for(&self, last: &Certificate, path: &[&Certificate]) -> Vec<&'a Anchor> {
        let named = self.anchors.get(last.issuer_name()).into_iter().flatten().copied();
        let mut found: Vec<&Anchor> =
            named.filter(|anchor| may_follow(&anchor.certificate, path)).collect();
        found.sort_by_key(|anchor| !key_ids_match(last, &anchor.certificate));
        found
    }

    fn issuers_for(&self, last: &Certificate, path: &[&Certificate]) -> Vec<&'a Certificate> {
        let named = self.issuers.get(last.issuer_name()).into_iter().flatten().copied();
        let mut found: Vec<&Certificate> =
            named.filter(|issuer| may_follow(issuer, path)).collect();
        found.sort_by_key(|issuer| !key_ids_match(last, issuer));
        found
    }

    /// Whether `issuer`'s key signed the last of `path`. Notes why not; an `Err` means the budget.
    fn is_issued_by(
        &mut self,
        path: &[&Certificate],
        issuer: &Certificate,
    ) -> Result<bool, Failure> {
        let Some(&last) = path.last() else { return Ok(false) };
        let failed = |cause| {
            let mut record = Record::of(path);
            let at = path.len().saturating_sub(1);
            let error = record.failed(at, CheckName::Signature, issued::error(last, issuer, cause));
            Failure { error, depth: path.len(), record }
        };
        match self.issued.check(last, issuer) {
            Ok(()) => return Ok(true),
            Err(cause @ SignatureError::Budget) => return Err(failed(cause)),
            // Another CA of the same name is no fault of the certificate; the very key that it
            // names is.
            Err(SignatureError::Mismatch)
                if last.signature_algorithm().is_some() && !key_ids_match(last, issuer) => {}
            Err(cause @ SignatureError::Disagreement) => {
                self.note(Rank::Disagreement, path.len(), || failed(cause));
            }
            Err(cause) => self.note(Rank::Signature, path.len(), || failed(cause)),
        }
        Ok(false)
    }

    /// Judges the path, which ends in `anchor`.
    fn judge(&mut self, path: &[&Certificate], anchor: &Anchor) -> Outcome {
        self.count_candidate(path)?;
        let mut record = Record::of(path);
        record.ends_in_anchor(&anchor.name);
        let comparisons = &mut self.comparisons;
        match judge::judge(self.input, path, anchor, &self.issued, comparisons, &mut record) {
            Ok(found) => Ok(Some((found, record))),
            Err(error) => {
                let failure = Failure { error, depth: path.len(), record };
                if matches!(failure.error, PathError::Budget(_)) {
                    return Err(failure);
                }
                self.note(failure.error.rank(), path.len(), || failure);
                Ok(None)
            }
        }
    }

    fn count_candidate(&mut self, path: &[&Certificate]) -> Result<(), Failure> {
        self.candidates = self.candidates.saturating_add(1);
        if self.candidates > self.input.budget.path_candidates {
            return Err(Failure::of(path, PathError::Budget(Limit::Candidates)));
        }
        Ok(())
    }

    /// Keeps the failure when it tells more than what is known; it is made only then.
    fn note(&mut self, rank: Rank, depth: usize, failure: impl FnOnce() -> Failure) {
        let telling = |best: &Failure| (best.error.rank(), best.depth);
        if self.best.as_ref().is_none_or(|best| (rank, depth) > telling(best)) {
            self.best = Some(failure());
        }
    }
}

impl Failure {
    fn of(path: &[&Certificate], error: PathError) -> Self {
        Failure { error, depth: path.len(), record: Record::of(path) }
    }
}

/// The limits of the chain, which comes from a carrier, and of the size of each certificate.
/// Intermediates are the operator's own, and may be many.
fn check_sizes(input: &PathInput<'_>) -> Result<(), PathError> {
    if input.chain.len() > input.budget.certificates {
        return Err(PathError::Budget(Limit::Certificates));
    }
    let mut all = input.chain.iter().chain(input.intermediates);
    if all.any(|certificate| certificate.der().len() > input.budget.certificate_bytes) {
        return Err(PathError::Budget(Limit::CertificateBytes));
    }
    Ok(())
}

/// Whether `issuer` is not in the path already.
///
/// It is when name and key are: a certificate may share its name with its issuer, and a CA may
/// have several certificates for one key.
fn may_follow(issuer: &Certificate, path: &[&Certificate]) -> bool {
    !path.iter().any(|earlier| {
        earlier.subject_name() == issuer.subject_name() && earlier.spki() == issuer.spki()
    })
}
