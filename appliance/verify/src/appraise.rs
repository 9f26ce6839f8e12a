//! From a bundle to what a policy makes of its signer: trust first, then the signed statement.
//!
//! Nothing here needs the model's files, so a bad signature is refused before the first weight
//! is read.

use crate::bundle::{Bundle, Material, TrustedKey, TrustedSigner};
use crate::hash::Sha256Digest;
use crate::key::{KeyType, PublicKey};
use crate::pki::{self, Anchor, Certificate, CrlSet, PathInput, Profile, VerifiedPath};
use crate::policy::{
    AcceptedIdentity, IdentityRule, Method, Policy, SignerRule, SigstoreIdentity, UriPattern,
};
use crate::reason::{Code, Printable, Reason};
use crate::sigstore::{self, TrustedRoot};
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
    /// The names of its certificate, for the method `certificate`.
    names: Option<AcceptedIdentity>,
}

impl Signer {
    /// Whether both have a key or a name in common, so that they may be one signer.
    pub fn may_be_same(&self, other: &Signer) -> bool {
        self.key == other.key
            || match (&self.names, &other.names) {
                (Some(names), Some(others)) => names.may_be_same(others),
                _ => self.identity == other.identity,
            }
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
    let mut refusals = Vec::new();
    for rule in &policy.signers {
        let signer = match establish(policy, rule, bundle, context) {
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
        let reasons = check_signature_age(rule, &signer.trusted, context.time)
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
        });
    }
    Err(closest(refusals, bundle, file))
}

/// How far a bundle came with a rule: the reasons of the rule that came furthest tell most.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Closeness {
    OtherMethod,
    OtherSigner,
    Trusted,
    Opened,
    Named,
}

struct Refusal {
    closeness: Closeness,
    reasons: Vec<Reason>,
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

struct Established {
    trusted: TrustedSigner,
    identity: String,
    names: Option<AcceptedIdentity>,
}

impl Established {
    fn describe(self, rule: &SignerRule) -> Signer {
        let key = self.trusted.key().clone();
        let (method, path) = match self.trusted {
            TrustedSigner::Key(_) => ("key", None),
            TrustedSigner::Certificate(path) => ("certificate", Some(path)),
            TrustedSigner::Sigstore(_) => ("sigstore", None),
        };
        let Established { identity, names, .. } = self;
        Signer { rule: rule.name.clone(), method, identity, key, path, names }
    }
}

/// Establishes trust in the bundle's signer by one rule.
fn establish(
    policy: &Policy,
    rule: &SignerRule,
    bundle: &Bundle,
    context: &TrustContext<'_>,
) -> Result<Established, Refusal> {
    match (&rule.method, bundle.material()) {
        (Method::Key { file, key }, Material::PublicKey(identifier)) => {
            check_key_type(rule, key.key_type())?;
            let key = TrustedKey::new(key.clone(), identifier).map_err(|error| {
                let detail = format!("{error} than {file}");
                let reason = Reason::new(Code::SignatureWrongKey, detail).by_rule(&rule.name);
                Refusal::one(Closeness::OtherSigner, reason)
            })?;
            let trusted = TrustedSigner::Key(key);
            Ok(Established { trusted, identity: format!("key:{file}"), names: None })
        }
        (Method::Certificate { anchors, identity }, Material::Certificates(chain)) => {
            by_certificate(policy, rule, (anchors, identity), chain, context)
        }
        (Method::Sigstore { trusted_root, identity, issuer }, Material::Sigstore(_)) => {
            by_sigstore(policy, rule, trusted_root, (identity, issuer), bundle, context)
        }
        (method, _) => {
            let detail = format!("the rule admits the method `{}`", method.name());
            let reason = Reason::new(Code::SignatureNoRule, detail).by_rule(&rule.name);
            Err(Refusal::one(Closeness::OtherMethod, reason))
        }
    }
}

fn by_certificate(
    policy: &Policy,
    rule: &SignerRule,
    (anchors, identity): (&[Anchor], &IdentityRule),
    chain: &[Certificate],
    context: &TrustContext<'_>,
) -> Result<Established, Refusal> {
    let input = PathInput {
        chain,
        anchors,
        crls: context.crls,
        revocation: &policy.revocation,
        time: context.time,
        proof: None,
        budget: &policy.budget,
        profile: context.profile,
        policies: None,
    };
    let path = pki::validate(&input).map_err(|error| {
        let closeness = match error.code() {
            Code::SignatureUntrustedAnchor => Closeness::OtherSigner,
            _ => Closeness::Trusted,
        };
        let reason = Reason::new(error.code(), error.to_string()).by_rule(&rule.name);
        Refusal::one(closeness, reason)
    })?;
    check_key_type(rule, path.key().key_type())?;
    let names = identity.admits(path.leaf()).map_err(|mismatch| {
        let reason = Reason::new(Code::SignatureIdentity, mismatch.to_string()).by_rule(&rule.name);
        Refusal::one(Closeness::Trusted, reason)
    })?;
    let trusted = TrustedSigner::Certificate(Box::new(path));
    Ok(Established { trusted, identity: names.to_string(), names: Some(names) })
}

fn by_sigstore(
    policy: &Policy,
    rule: &SignerRule,
    trusted_root: &TrustedRoot,
    (identity, issuer): (&SigstoreIdentity, &UriPattern),
    bundle: &Bundle,
    context: &TrustContext<'_>,
) -> Result<Established, Refusal> {
    let refuse = |closeness, code, detail: String, key: &str| {
        let rule = format!("{}.{key}", rule.name);
        Refusal::one(closeness, Reason::new(code, detail).by_rule(rule))
    };
    let signer = sigstore::verify(bundle, trusted_root, context.time, &policy.budget)
        .map_err(|e| refuse(Closeness::OtherSigner, e.code(), e.to_string(), "trusted-root"))?;
    check_key_type(rule, signer.key().key_type())?;
    let (found, vouched) = (signer.identity(), signer.issuer());
    let (shown, shown_issuer) = (Printable(found.as_str()), Printable(vouched));
    if !identity.matches(found) {
        let detail = format!("the certificate is for {shown}, the policy admits {identity}");
        return Err(refuse(Closeness::Trusted, Code::SigstoreIdentity, detail, "identity"));
    }
    if !issuer.matches(vouched) {
        let detail =
            format!("the certificate's issuer is {shown_issuer}, the policy admits {issuer}");
        return Err(refuse(Closeness::Trusted, Code::SigstoreIssuer, detail, "issuer"));
    }
    let matched = vec![format!("identity:{found}"), format!("issuer:{vouched}")];
    let names = AcceptedIdentity::new(signer.leaf(), matched);
    let trusted = TrustedSigner::Sigstore(Box::new(signer));
    Ok(Established { trusted, identity: names.to_string(), names: Some(names) })
}

fn check_key_type(rule: &SignerRule, key_type: KeyType) -> Result<(), Refusal> {
    if rule.keys.admits(key_type) {
        return Ok(());
    }
    let detail = format!("the signer's key is {key_type}");
    let reason = Reason::new(Code::SignatureKeyType, detail).by_rule(format!("{}.keys", rule.name));
    Err(Refusal::one(Closeness::Trusted, reason))
}

/// Without a trusted timestamp, a signature is at most as old as its certificate.
fn check_signature_age(rule: &SignerRule, signer: &TrustedSigner, now: UnixTime) -> Option<Reason> {
    let limit = rule.max_signature_age?;
    let refuse = |detail: String| {
        let rule = format!("{}.max-signature-age", rule.name);
        Some(Reason::new(Code::SignatureTooOld, detail).by_rule(rule))
    };
    match signer {
        TrustedSigner::Key(_) => {
            refuse("a bundle of the method `key` does not tell its age".into())
        }
        TrustedSigner::Certificate(path) => {
            let since = path.leaf().not_before();
            if now.since(since) <= limit.seconds {
                return None;
            }
            refuse(format!("the certificate is valid since {since}, more than {limit} ago"))
        }
        TrustedSigner::Sigstore(signer) => {
            let since = signer.signed_at();
            if now.since(since) <= limit.seconds {
                return None;
            }
            refuse(format!("the signature is of {since}, more than {limit} ago"))
        }
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
