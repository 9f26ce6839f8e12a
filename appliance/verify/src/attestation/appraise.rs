//! What the rules of a policy make of one attestation.

use super::Attestation;
use crate::appraise::{self, Signer, Timestamps, TrustContext};
use crate::budget::Budget;
use crate::bundle::{Bundle, OpenError};
use crate::hash::Sha256Digest;
use crate::policy::{AttestationRule, Policy};
use crate::reason::{Code, NAME_CHARS, Reason, Reasons, shorten};

/// Where an attestation was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttestationSource {
    /// Its file name.
    pub file: String,
    /// Its path inside the model's folder, where it lies there.
    pub in_model: Option<String>,
}

/// What became of one attestation.
#[derive(Clone, Debug)]
pub struct AttestationOutcome {
    pub(crate) source: AttestationSource,
    pub(crate) digest: Option<Sha256Digest>,
    pub(crate) accepted: Option<AcceptedAttestation>,
    /// A signer that a rule names made it about something else.
    pub(crate) about_another: bool,
    /// How it falls short of each rule that does not accept it.
    pub(crate) shortfalls: Vec<Shortfall>,
}

/// An attestation that does what a rule asks for. Only [`AttestationOutcome::of`] makes one.
#[derive(Clone, Debug)]
pub struct AcceptedAttestation {
    pub(crate) source: AttestationSource,
    pub(crate) digest: Sha256Digest,
    pub(crate) size: u64,
    pub(crate) predicate_type: String,
    pub(crate) subject_name: Option<String>,
    /// The numbers of the rules that accept it.
    pub(crate) rules: Vec<usize>,
    pub(crate) signers: Vec<Signer>,
}

impl AcceptedAttestation {
    /// Its file name.
    pub fn file(&self) -> &str {
        &self.source.file
    }

    /// SHA-256 of its bundle.
    pub fn digest(&self) -> Sha256Digest {
        self.digest
    }

    /// Bytes of its bundle.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Its predicate type.
    pub fn predicate_type(&self) -> &str {
        &self.predicate_type
    }

    /// The name that it gives the model, where it gives one.
    pub fn subject_name(&self) -> Option<&str> {
        self.subject_name.as_deref()
    }

    /// Who signed it: once for each rule that accepts it, at least once.
    pub fn signers(&self) -> &[Signer] {
        &self.signers
    }
}

/// How an attestation falls short of a rule.
#[derive(Clone, Debug)]
pub(crate) struct Shortfall {
    /// The number of the rule in the policy.
    pub(crate) rule: usize,
    pub(crate) closeness: Closeness,
    pub(crate) reasons: Vec<Reason>,
}

/// How far an attestation came with a rule: the reasons of the one that came furthest tell most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Closeness {
    /// It could not be read, or its signer is not the rule's.
    NotOpened(appraise::Closeness),
    /// The rule's signer made it, of another predicate type.
    OtherType,
    /// The rule's signer made it, of the right type, about something else.
    OtherSubject,
    /// It does not say what the rule asks for.
    Condition,
}

impl AttestationOutcome {
    /// An attestation whose bytes are not at hand, and why. Like one that cannot be read or verified,
    /// it refuses nothing unless an attestation that the policy requires is missing.
    pub fn unread(policy: &Policy, source: AttestationSource, reason: Reason) -> Self {
        AttestationOutcome::unopened(policy, source, None, reason)
    }

    /// What the rules of `policy` make of these bytes, for the model whose signed manifest gives
    /// `root`. Under a policy without rules they are not read: nobody can say who made them.
    pub fn of(
        policy: &Policy,
        root: Sha256Digest,
        bytes: &[u8],
        source: AttestationSource,
        context: &TrustContext<'_>,
    ) -> Self {
        let mut outcome = AttestationOutcome {
            source,
            digest: Some(Sha256Digest::of(bytes)),
            accepted: None,
            about_another: false,
            shortfalls: Vec::new(),
        };
        if policy.attestations.is_empty() {
            return outcome;
        }
        let budget =
            Budget { bundle_bytes: policy.budget.attestation_bytes, ..policy.budget.clone() };
        let bundle = match Bundle::parse(bytes, &budget) {
            Ok(bundle) => bundle,
            Err(error) => {
                let reason = Reason::new(Code::AttestationInvalid, error.to_string());
                let AttestationOutcome { source, digest, .. } = outcome;
                return AttestationOutcome::unopened(policy, source, digest, reason);
            }
        };
        let timestamps = Timestamps::of(policy, &bundle, context);
        for (number, rule) in policy.attestations.iter().enumerate() {
            match judge(policy, rule, root, (&bundle, &timestamps), context) {
                Ok((attestation, signer)) => {
                    outcome.accept(number, &attestation, signer, root, &bundle);
                }
                Err((closeness, reasons)) => {
                    outcome.about_another |= closeness == Closeness::OtherSubject;
                    let file = &outcome.source.file;
                    let reasons = reasons.into_iter().map(|reason| reason.about(file)).collect();
                    outcome.shortfalls.push(Shortfall { rule: number, closeness, reasons });
                }
            }
        }
        outcome
    }

    fn unopened(
        policy: &Policy,
        source: AttestationSource,
        digest: Option<Sha256Digest>,
        reason: Reason,
    ) -> Self {
        let reason = reason.about(&source.file);
        let shortfall = |rule| Shortfall {
            rule,
            closeness: Closeness::NotOpened(appraise::Closeness::OtherMethod),
            reasons: vec![reason.clone()],
        };
        // Without a rule it counts for none, and is told all the same.
        let shortfalls = (0..policy.attestations.len().max(1)).map(shortfall).collect();
        AttestationOutcome { source, digest, accepted: None, about_another: false, shortfalls }
    }

    /// The digest to list in the model's verdict. What lies beside the model and is about another
    /// is not the model's.
    pub(crate) fn found(&self) -> Option<Sha256Digest> {
        let elsewhere =
            self.accepted.is_none() && self.about_another && self.source.in_model.is_none();
        self.digest.filter(|_| !elsewhere)
    }

    /// The attestation, when a rule accepts it.
    pub fn accepted(&self) -> Option<&AcceptedAttestation> {
        self.accepted.as_ref()
    }

    fn accept(
        &mut self,
        rule: usize,
        attestation: &Attestation<'_>,
        signer: Signer,
        root: Sha256Digest,
        bundle: &Bundle,
    ) {
        let accepted = self.accepted.get_or_insert_with(|| AcceptedAttestation {
            source: self.source.clone(),
            digest: bundle.digest(),
            size: bundle.size(),
            predicate_type: attestation.predicate_type().to_owned(),
            subject_name: attestation.subject_name(root).map(str::to_owned),
            rules: Vec::new(),
            signers: Vec::new(),
        });
        accepted.rules.push(rule);
        accepted.signers.push(signer);
    }

    /// The reasons of the rules that it came closest to.
    pub(crate) fn closest(&self) -> Reasons {
        let closest = self.shortfalls.iter().map(|shortfall| shortfall.closeness).max();
        let closest = self.shortfalls.iter().filter(|short| Some(short.closeness) == closest);
        closest.flat_map(|shortfall| shortfall.reasons.iter().cloned()).collect()
    }
}

fn judge<'b>(
    policy: &Policy,
    rule: &AttestationRule,
    root: Sha256Digest,
    (bundle, timestamps): (&'b Bundle, &Timestamps),
    context: &TrustContext<'_>,
) -> Result<(Attestation<'b>, Signer), (Closeness, Vec<Reason>)> {
    let (trusted, signer) =
        appraise::attester(policy, &rule.signer, bundle, timestamps, context)
            .map_err(|refusal| (Closeness::NotOpened(refusal.closeness), refusal.reasons))?;
    let attestation = bundle.open_attestation(&trusted, &policy.budget).map_err(|error| {
        let reason = not_opened(&error).by_rule(&rule.signer.name);
        (Closeness::NotOpened(appraise::Closeness::Opened), vec![reason])
    })?;
    if attestation.predicate_type() != rule.predicate_type {
        let mut found = attestation.predicate_type().to_owned();
        shorten(&mut found, NAME_CHARS);
        let detail = format!("no rule asks its signer for the predicate type {found:?}");
        let reason = Reason::new(Code::AttestationUnasked, detail);
        return Err((Closeness::OtherType, vec![reason]));
    }
    if !attestation.is_about(root) {
        let detail = format!("no subject has the SHA-256 {root}, the model's root digest");
        let reason = Reason::new(Code::AttestationSubject, detail).by_rule(&rule.name);
        return Err((Closeness::OtherSubject, vec![reason]));
    }
    let failing = rule.conditions.iter().enumerate().filter_map(|(at, condition)| {
        let detail = attestation.shortfall(condition)?;
        let reason = Reason::new(Code::AttestationCondition, detail);
        Some(reason.by_rule(format!("{}.where[{at}]", rule.name)))
    });
    let reasons: Vec<_> = failing.collect();
    if reasons.is_empty() {
        Ok((attestation, signer))
    } else {
        Err((Closeness::Condition, reasons))
    }
}

/// Whatever is wrong with the bundle of an attestation is one code: the codes of bundles speak of
/// the model's signature.
fn not_opened(error: &OpenError) -> Reason {
    Reason::new(Code::AttestationInvalid, error.to_string())
}
