//! A policy in plain words.

mod content;

use super::sizes::show_size;
use super::{
    Afterwards, AttestationRule, IgnoredPaths, ManifestRules, MediaRules, Method, Policy,
    ResignRules, SignerRule, TimeRules, UnsignedFiles,
};
use crate::budget::Budget;
use crate::pki::{Anchor, InitialPolicies, Revocation, RevocationMode};
use crate::reason::Printable;

/// Tells what the policy admits and refuses, one paragraph a section, for people who will not
/// read the TOML.
pub fn explain(policy: &Policy) -> String {
    let head = format!(
        "Policy {}, version {} (SHA-256 {}). What it does not admit is refused.",
        policy.id, policy.version, policy.digest
    );
    let paragraphs = [
        head,
        signers(&policy.signers),
        signatures(policy.require),
        revocation(&policy.revocation, admits_sigstore(policy)),
        time(&policy.time, admits_sigstore(policy)),
        attestations(&policy.attestations),
        manifest(&policy.manifest, &policy.budget),
        media(policy.media),
        content::content(&policy.content),
        resign(&policy.resign),
    ];
    let mut text = paragraphs.join("\n\n");
    text.push('\n');
    text
}

fn signers(rules: &[SignerRule]) -> String {
    let mut text =
        "Signers. A signature counts only when one of these rules admits its signer:".to_owned();
    for rule in rules {
        let sentences = [signer(rule), models(rule)];
        text.push_str(&format!("\n- {}: {}", rule.name, sentences.join(" ")));
    }
    text
}

/// Everything about a signer but what it may sign.
fn signer(rule: &SignerRule) -> String {
    let sentences = [
        Some(who(&rule.method)),
        usages(&rule.method),
        rule.policies.as_ref().map(certificate_policies),
        key_types(rule),
        age(rule),
    ];
    sentences.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn who(method: &Method) -> String {
    match method {
        Method::Certificate { anchors, identity } => {
            let path = format!("A certificate whose path leads to {}.", one_of_anchors(anchors));
            let asked: Vec<String> = identity
                .lists()
                .map(|(key, admitted)| format!("Its {key} must be {}.", alternatives(&admitted)))
                .collect();
            if asked.is_empty() {
                format!(
                    "{path} Whoever the certificate names is admitted: no identity is asked for."
                )
            } else {
                format!("{path} {}", asked.join(" "))
            }
        }
        Method::Key { file, key } => format!(
            "The public key in {} ({}, SHA-256 {}).",
            Printable(file),
            key.key_type(),
            key.fingerprint()
        ),
        Method::Sigstore { trusted_root, identity, issuer } => format!(
            "A Sigstore bundle of {identity}, vouched for by {issuer}, under the trusted root {} \
             (SHA-256 {}).",
            Printable(&trusted_root.name),
            trusted_root.sha256
        ),
    }
}

fn one_of_anchors(anchors: &[Anchor]) -> String {
    let names: Vec<String> = anchors.iter().map(|anchor| anchor.name.clone()).collect();
    let one = if anchors.len() == 1 { "the anchor" } else { "one of the anchors" };
    format!("{one} {}", listed(&names))
}

fn usages(method: &Method) -> Option<String> {
    let Method::Certificate { identity, .. } = method else { return None };
    let usages: Vec<String> =
        identity.extended_key_usages().iter().map(ToString::to_string).collect();
    (!usages.is_empty()).then(|| {
        format!("Beside code signing, it must have the extended key usages {}.", listed(&usages))
    })
}

fn certificate_policies(policies: &InitialPolicies) -> String {
    let policies: Vec<String> = policies.acceptable.iter().map(ToString::to_string).collect();
    format!("Its whole path must be valid for the certificate policy {}.", alternatives(&policies))
}

fn key_types(rule: &SignerRule) -> Option<String> {
    match rule.method {
        Method::Certificate { .. } | Method::Sigstore { .. } => {
            Some(format!("Types of keys admitted: {}.", rule.keys))
        }
        // The one key is named already.
        Method::Key { .. } => None,
    }
}

fn models(rule: &SignerRule) -> String {
    if rule.models.is_empty() {
        return "It may sign any model.".to_owned();
    }
    let patterns: Vec<String> = rule.models.iter().map(ToString::to_string).collect();
    format!("It may sign only models named {}.", alternatives(&patterns))
}

fn age(rule: &SignerRule) -> Option<String> {
    let since = match rule.method {
        Method::Certificate { .. } => {
            "a trusted timestamp, or else from the first moment of the certificate's validity"
        }
        Method::Key { .. } => "a trusted timestamp, which it then needs",
        Method::Sigstore { .. } => "its trusted time",
    };
    let age = rule.max_signature_age?;
    let caution = match rule.method {
        Method::Certificate { .. } | Method::Key { .. } => {
            " A timestamp may have been added long after the signature."
        }
        Method::Sigstore { .. } => "",
    };
    Some(format!("A signature older than {age} is refused, counted from {since}.{caution}"))
}

fn signatures(require: usize) -> String {
    if require == 1 {
        "Signatures. One admitted signer is enough.".to_owned()
    } else {
        format!(
            "Signatures. At least {require} admitted signers, who differ in key and in identity, \
             must have signed identical files."
        )
    }
}

/// Whether Sigstore signers are admitted, of the model or of an attestation.
fn admits_sigstore(policy: &Policy) -> bool {
    let attesters = policy.attestations.iter().map(|rule| &rule.signer);
    let mut signers = policy.signers.iter().chain(attesters);
    signers.any(|rule| matches!(rule.method, Method::Sigstore { .. }))
}

fn revocation(revocation: &Revocation, sigstore: bool) -> String {
    let mode = match revocation.mode {
        RevocationMode::Require => {
            "Revocation. Every certificate on a path, the anchor aside, needs a CRL that says it \
             is not revoked; without one, the signature is refused."
        }
        RevocationMode::IfAvailable => {
            "Revocation. A certificate that an imported CRL revokes is refused; where there is no \
             CRL, the certificate passes unchecked and the verdict says so."
        }
        RevocationMode::Off => {
            "Revocation. Not checked: a certificate that was revoked still passes until it \
             expires, and the verdict says so."
        }
    };
    let mut text = mode.to_owned();
    if let (true, Some(age)) = (revocation.mode != RevocationMode::Off, revocation.max_crl_age) {
        text.push_str(&format!(" A CRL older than {age} does not count."));
    }
    if sigstore {
        text.push_str(
            " Certificates of Sigstore have no CRLs: to withdraw a signer, change its rule.",
        );
    }
    text
}

fn time(rules: &TimeRules, sigstore: bool) -> String {
    let mut sentences = Vec::new();
    if rules.timestamp_anchors.is_empty() {
        sentences.push("Time. No time stamping authority counts.".to_owned());
    } else {
        sentences.push(format!(
            "Time. A timestamp (RFC 3161) counts when its authority's path leads to {}.",
            one_of_anchors(&rules.timestamp_anchors)
        ));
    }
    if rules.require_timestamp {
        sentences.push(
            "A signature by certificate without one is refused, of the model and of attestations."
                .to_owned(),
        );
    }
    sentences.push(match rules.expired_certificates {
        Afterwards::Refuse => "A certificate that has expired is refused.".to_owned(),
        Afterwards::WithTimestamp => {
            "A certificate that has expired passes when a timestamp shows that it signed before, \
             and a CRL that still knew it does not revoke it."
                .to_owned()
        }
    });
    sentences.push(match rules.revoked_certificates {
        Afterwards::Refuse => "One that is revoked is refused, whenever it signed.".to_owned(),
        Afterwards::WithTimestamp => {
            "One that is revoked passes when a timestamp shows that it signed before, unless its \
             key or its CA's may be in other hands, or no reason is given."
                .to_owned()
        }
    });
    if sigstore {
        sentences.push(
            "A Sigstore certificate counts at the trusted times of its bundle, which its trusted \
             root vouches for."
                .to_owned(),
        );
    }
    if let Some(age) = rules.max_signature_age {
        sentences.push(format!("Whoever signed, a signature older than {age} is refused."));
    }
    sentences.join(" ")
}

fn attestations(rules: &[AttestationRule]) -> String {
    if rules.is_empty() {
        return "Attestations. None is required.".to_owned();
    }
    let mut text =
        "Attestations. Each of these must be there, about the model's root digest:".to_owned();
    for rule in rules {
        let conditions: Vec<String> = rule.conditions.iter().map(|c| format!(" {c}.")).collect();
        text.push_str(&format!(
            "\n- {}: {}, signed by this: {}{}",
            rule.name,
            Printable(&rule.predicate_type),
            signer(&rule.signer),
            conditions.concat()
        ));
    }
    text
}

fn manifest(rules: &ManifestRules, budget: &Budget) -> String {
    let hashes: Vec<String> = rules.hashes.iter().map(ToString::to_string).collect();
    let unsigned = match rules.unsigned_files {
        UnsignedFiles::Reject => "A file that is not signed refuses the whole model.",
        UnsignedFiles::LeaveBehind => "A file that is not signed stays behind and is listed.",
    };
    let ignored = match rules.ignored_paths {
        IgnoredPaths::LeaveBehind => "What the signer chose to ignore stays behind and is listed.",
        IgnoredPaths::Reject => "A signer who chose to ignore anything is refused.",
    };
    let legacy = if rules.legacy {
        "Bundles of version 0.2 are admitted."
    } else {
        "Bundles of version 0.2 are refused."
    };
    format!(
        "Manifest. Hashes admitted: {}. {unsigned} {ignored} Symbolic links are refused. {legacy} \
         Limits: {} files, {} a file, {} a model, {} a bundle. A model at the limits takes {} MiB of \
         memory at most, and {} MiB in all processes of a station together, besides the buffers \
         for reading and 64 MiB for each of four files that are looked into.",
        hashes.join(", "),
        budget.resources,
        show_size(budget.file_bytes),
        show_size(budget.total_bytes),
        show_size(budget.bundle_bytes),
        budget.memory().div_ceil(1 << 20),
        budget.station_memory().div_ceil(1 << 20)
    )
}

fn media(rules: MediaRules) -> String {
    let retries = match rules.retries {
        0 => "A read that fails is not repeated".to_owned(),
        1 => "One read that fails may be repeated, and the verdict says so".to_owned(),
        most => format!(
            "Up to {most} reads that fail may be repeated for one model, and the verdict counts them"
        ),
    };
    format!(
        "Media. {retries}. A carrier that gives no answer for {} leaves the model undecided.",
        rules.stall
    )
}

fn resign(rules: &ResignRules) -> String {
    if rules.annotations.is_empty() {
        return "Re-signing. The new bundle carries no annotations.".to_owned();
    }
    let annotations: Vec<String> =
        rules.annotations.iter().map(|(key, value)| format!("{key} = {value}")).collect();
    format!("Re-signing. The new bundle carries the annotations {}.", listed(&annotations))
}

fn listed(items: &[String]) -> String {
    Printable(&items.join(", ")).to_string()
}

fn alternatives(items: &[String]) -> String {
    Printable(&items.join(" or ")).to_string()
}
