//! From a bundle to what a policy makes of its signer: trust first, then the signed statement.
//!
//! Nothing here needs the model's files, so a bad signature is refused before the first weight
//! is read.

mod establish;
mod times;

pub use times::SignatureTime;

use self::establish::establish;
pub(crate) use self::times::Timestamps;
use crate::bundle::{Bundle, TrustedSigner};
use crate::hash::Sha256Digest;
use crate::key::PublicKey;
use crate::pki::{CrlSet, Profile, VerifiedPath};
use crate::policy::{BorneNames, Policy, SignerRule};
use crate::reason::{Code, Reason};
use crate::statement::{Legacy, Statement};
use crate::time::UnixTime;

/// What trust is decided with, apart from the policy.
#[derive(Clone, Copy, Debug)]
pub struct TrustContext<'a> {
    /// The CRLs that the site imported.
    pub crls: &'a CrlSet,
    /// The time of validation.
    pub time: UnixTime,
    /// The profile of signing certificates: strict everywhere but in the conformance adapter.
    pub profile: Profile,
}

/// A bundle whose signer a rule of the policy admits, with the statement that it signed.
///
/// Only [`appraise`] makes one.
#[derive(Clone, Debug)]
pub struct Admitted {
    file: String,
    digest: Sha256Digest,
    size: u64,
    statement: Statement,
    signer: Signer,
    /// Why timestamps of the bundle do not count.
    discounted: Vec<Reason>,
}

/// A signer as a rule of the policy admitted it.
#[derive(Clone, Debug)]
pub struct Signer {
    /// The rule, such as `signer[0]`.
    pub rule: String,
    /// The method: `key`, `certificate` or `sigstore`.
    pub method: &'static str,
    /// Who signed, in the words that the rule matched, such as `san-email:build@ml.corp.example`.
    pub identity: String,
    /// The public key.
    pub key: PublicKey,
    /// The certification path, for the method `certificate`.
    pub path: Option<Box<VerifiedPath>>,
    /// When the signature existed, by the earliest word that the policy trusts.
    pub time: Option<SignatureTime>,
    /// The names of its certificate; none for the method `key`.
    names: BorneNames,
}

impl Signer {
    /// Whether both have a key or a name in common, so that they may be one signer.
    pub fn may_be_same(&self, other: &Signer) -> bool {
        self.key.is_same_key(&other.key) || self.names.may_be_same(&other.names)
    }

    /// Whether the other one has this key and these names, and so tells nothing new.
    pub(crate) fn repeats(&self, other: &Signer) -> bool {
        self.key == other.key && self.names == other.names
    }
}

impl Admitted {
    /// The bundle's file name.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// SHA-256 of the bundle.
    pub fn digest(&self) -> Sha256Digest {
        self.digest
    }

    /// Bytes of the bundle.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// What was signed.
    pub fn statement(&self) -> &Statement {
        &self.statement
    }

    /// Who signed it.
    pub fn signer(&self) -> &Signer {
        &self.signer
    }

    /// Why timestamps of the bundle do not count, under a policy that names authorities. None was
    /// needed, so that nothing here speaks against the model.
    pub fn discounted_timestamps(&self) -> &[Reason] {
        &self.discounted
    }
}

/// Opens `bundle`, which was read from `file`, with the first signer rule of `policy` that admits
/// it, and checks the statement against the policy.
///
/// # Errors
/// Every reason found. When no rule admits the signer, those are the reasons of the rules that
/// came closest.
pub fn appraise(
    policy: &Policy,
    bundle: &Bundle,
    file: &str,
    context: &TrustContext<'_>,
) -> Result<Admitted, Vec<Reason>> {
    let legacy = if policy.manifest.legacy { Legacy::Allow } else { Legacy::Refuse };
    let timestamps = Timestamps::of(policy, bundle, context);
    let mut refusals = Vec::new();
    for rule in &policy.signers {
        let signer = match establish(policy, rule, bundle, &timestamps, context) {
            Ok(signer) => signer,
            Err(refusal) => {
                refusals.push(refusal);
                continue;
            }
        };
        let statement = match bundle.open(&signer.trusted, legacy, &policy.budget) {
            Ok(statement) => statement,
            Err(error) => {
                let reason = Reason::from(&error).by_default_about(file);
                refusals.push(Refusal { closeness: Closeness::Opened, reasons: vec![reason] });
                continue;
            }
        };
        let reasons = signer
            .check_age(policy, rule, &timestamps, context)
            .into_iter()
            .chain(check_model_name(rule, &statement))
            .collect::<Vec<_>>();
        if !reasons.is_empty() {
            refusals.push(Refusal { closeness: Closeness::Named, reasons });
            continue;
        }
        let reasons = check_statement(policy, &statement);
        if !reasons.is_empty() {
            return Err(reasons.into_iter().map(|r| r.by_default_about(file)).collect());
        }
        return Ok(Admitted {
            file: file.to_owned(),
            digest: bundle.digest(),
            size: bundle.size(),
            statement,
            signer: signer.describe(rule),
            discounted: timestamps.refused(file),
        });
    }
    Err(closest(refusals, bundle, file))
}

/// Establishes trust in the signer of an attestation, as in a model's signer, by the `signer` of
/// its rule.
///
/// # Errors
/// Why this is not that signer.
pub(crate) fn attester(
    policy: &Policy,
    rule: &SignerRule,
    bundle: &Bundle,
    timestamps: &Timestamps,
    context: &TrustContext<'_>,
) -> Result<(TrustedSigner, Signer), Refusal> {
    let established = establish(policy, rule, bundle, timestamps, context)?;
    let reasons = established.check_age(policy, rule, timestamps, context);
    if !reasons.is_empty() {
        return Err(Refusal { closeness: Closeness::Named, reasons });
    }
    let trusted = established.trusted.clone();
    Ok((trusted, established.describe(rule)))
}

/// How far a bundle came with a rule: the reasons of the rule that came furthest tell most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Closeness {
    OtherMethod,
    OtherSigner,
    Trusted,
    Opened,
    Named,
}

/// Why a rule does not admit a signer.
pub(crate) struct Refusal {
    pub(crate) closeness: Closeness,
    pub(crate) reasons: Vec<Reason>,
}

impl Refusal {
    fn one(closeness: Closeness, reason: Reason) -> Self {
        Refusal { closeness, reasons: vec![reason] }
    }
}

fn closest(refusals: Vec<Refusal>, bundle: &Bundle, file: &str) -> Vec<Reason> {
    let furthest = refusals.iter().map(|refusal| refusal.closeness).max();
    match furthest {
        None | Some(Closeness::OtherMethod) => {
            let method = bundle.material().method();
            let detail = format!("no [[signer]] of the policy admits the method `{method}`");
            vec![Reason::new(Code::SignatureNoRule, detail).about(file).by_rule("signer")]
        }
        Some(furthest) => {
            let mut reasons: Vec<_> = refusals
                .into_iter()
                .filter(|refusal| refusal.closeness == furthest)
                .flat_map(|refusal| refusal.reasons)
                .map(|reason| reason.by_default_about(file))
                .collect();
            reasons.sort();
            reasons.dedup();
            reasons
        }
    }
}

impl Reason {
    /// About `file`, unless it is about something more particular already.
    fn by_default_about(mut self, file: &str) -> Self {
        self.file.get_or_insert_with(|| file.to_owned());
        self
    }
}

fn check_model_name(rule: &SignerRule, statement: &Statement) -> Option<Reason> {
    let name = statement.subject_name().unwrap_or_default();
    if rule.admits_model(name) {
        return None;
    }
    let detail = format!("the signed name of the model is {name:?}");
    Some(Reason::new(Code::SignatureModelName, detail).by_rule(format!("{}.models", rule.name)))
}

/// What the policy says about the statement itself, whoever signed it.
fn check_statement(policy: &Policy, statement: &Statement) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let manifest = statement.manifest();
    if !policy.manifest.hashes.contains(&manifest.hash()) {
        let detail = format!("the manifest's hash is {}", manifest.hash());
        reasons.push(Reason::new(Code::ManifestHash, detail).by_rule("manifest.hashes"));
    }
    if manifest.allow_symlinks() {
        let detail = "the statement says allow_symlinks";
        reasons
            .push(Reason::new(Code::ManifestSymlinksAllowed, detail).by_rule("manifest.symlinks"));
    }
    let mut total = 0u64;
    for file in manifest.files() {
        let Some(size) = file.pieces.size() else { continue };
        total = total.saturating_add(size);
        if size > policy.budget.file_bytes {
            let detail = format!("has {size} bytes, the limit is {}", policy.budget.file_bytes);
            reasons.push(
                Reason::new(Code::ManifestFileTooLarge, detail)
                    .about(file.path.as_str())
                    .by_rule("manifest.max-file-bytes"),
            );
        }
    }
    if total > policy.budget.total_bytes {
        let detail = format!("{total} bytes, the limit is {}", policy.budget.total_bytes);
        reasons.push(
            Reason::new(Code::ManifestTotalTooLarge, detail).by_rule("manifest.max-total-bytes"),
        );
    }
    reasons
}

#[cfg(test)]
pub(crate) mod tests;
