//! Trust in a bundle's signer by one rule: path or key, identity, and time.

use super::times::{self, SignatureTime, Since, Timestamps};
use super::{Closeness, Refusal, Signer, TrustContext};
use crate::bundle::{Bundle, Material, TrustedKey, TrustedSigner};
use crate::key::KeyType;
use crate::pki::{self, Anchor, Certificate, PathInput, Profile};
use crate::policy::{
    BorneNames, IdentityRule, Method, Policy, SignerRule, SigstoreIdentity, UriPattern,
};
use crate::reason::{Code, Printable, Reason};
use crate::sigstore::{self, TrustedRoot};

/// A signer whom a rule trusts. What it signed has not been looked at.
pub(super) struct Established {
    pub(super) trusted: TrustedSigner,
    identity: String,
    names: BorneNames,
    time: Option<SignatureTime>,
}

impl Established {
    pub(super) fn describe(self, rule: &SignerRule) -> Signer {
        let key = self.trusted.key().clone();
        let (method, path) = match self.trusted {
            TrustedSigner::Key(_) => ("key", None),
            TrustedSigner::Certificate(path) => ("certificate", Some(path)),
            TrustedSigner::Sigstore(_) => ("sigstore", None),
        };
        let Established { identity, names, time, .. } = self;
        Signer { rule: rule.name.clone(), method, identity, key, path, time, names }
    }

    /// Whether the signature is too old: without a trusted time it may be as old as its
    /// certificate.
    pub(super) fn check_age(
        &self,
        policy: &Policy,
        rule: &SignerRule,
        timestamps: &Timestamps,
        context: &TrustContext<'_>,
    ) -> Vec<Reason> {
        let since = match (&self.time, &self.trusted) {
            (Some(trusted), _) => Since::Trusted(trusted.time),
            (None, TrustedSigner::Certificate(path)) => {
                Since::Certificate(path.leaf().not_before())
            }
            (None, TrustedSigner::Key(_) | TrustedSigner::Sigstore(_)) => Since::Unknown,
        };
        let too_old = times::check_age(policy, rule, &since, context.time);
        too_old.map(|reason| timestamps.with(reason)).unwrap_or_default()
    }
}

/// Establishes trust in the bundle's signer by one rule.
pub(super) fn establish(
    policy: &Policy,
    rule: &SignerRule,
    bundle: &Bundle,
    timestamps: &Timestamps,
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
            Ok(Established {
                trusted: TrustedSigner::Key(key),
                identity: format!("key:{file}"),
                names: BorneNames::default(),
                time: timestamps.time(),
            })
        }
        (Method::Certificate { anchors, identity }, Material::Certificates(chain)) => {
            by_certificate(policy, rule, (anchors, identity), chain, timestamps, context)
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
    timestamps: &Timestamps,
    context: &TrustContext<'_>,
) -> Result<Established, Refusal> {
    let input = PathInput {
        chain,
        intermediates: &[],
        anchors,
        crls: context.crls,
        revocation: &policy.revocation,
        time: context.time,
        proof: timestamps.proof(policy),
        budget: &policy.budget,
        profile: Profile { least_rsa_bits: rule.keys.least_rsa_bits(), ..context.profile },
        policies: rule.policies.as_ref(),
    };
    let path = pki::validate(&input).map_err(|error| {
        let reason = Reason::new(error.code(), error.to_string()).by_rule(&rule.name);
        match error.code() {
            Code::SignatureUntrustedAnchor | Code::SignatureNoPath => {
                Refusal::one(Closeness::OtherSigner, reason)
            }
            _ => Refusal { closeness: Closeness::Trusted, reasons: timestamps.with(reason) },
        }
    })?;
    check_key_type(rule, path.key().key_type())?;
    let accepted = identity.admits(path.leaf()).map_err(|mismatch| {
        let reason = Reason::new(Code::SignatureIdentity, mismatch.to_string()).by_rule(&rule.name);
        Refusal::one(Closeness::Trusted, reason)
    })?;
    if let Some(reasons) = timestamps.missing(policy) {
        return Err(Refusal { closeness: Closeness::Trusted, reasons });
    }
    Ok(Established {
        trusted: TrustedSigner::Certificate(Box::new(path)),
        identity: accepted.to_string(),
        names: accepted.names,
        time: timestamps.time(),
    })
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
    let identity = format!("identity:{shown}, issuer:{shown_issuer}");
    let time = signer.times().iter().min_by_key(|trusted| trusted.time).map(|trusted| {
        let source = format!("sigstore:{} ({})", trusted.source, signer.root());
        SignatureTime { time: trusted.time, source }
    });
    Ok(Established {
        identity,
        names: BorneNames::of(signer.leaf()),
        time,
        trusted: TrustedSigner::Sigstore(Box::new(signer)),
    })
}

fn check_key_type(rule: &SignerRule, key_type: KeyType) -> Result<(), Refusal> {
    if rule.keys.admits(key_type) {
        return Ok(());
    }
    let detail = format!("the signer's key is {key_type}");
    let reason = Reason::new(Code::SignatureKeyType, detail).by_rule(format!("{}.keys", rule.name));
    Err(Refusal::one(Closeness::Trusted, reason))
}
