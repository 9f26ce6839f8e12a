//! A policy in plain words.

use super::sizes::show_size;
use super::{
    ContentRules, IgnoredPaths, ManifestRules, Method, Policy, RemoteCode, ResignRules, SignerRule,
    UnsignedFiles,
};
use crate::budget::Budget;
use crate::pki::{Revocation, RevocationMode};
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
        revocation(&policy.revocation),
        manifest(&policy.manifest, &policy.budget),
        content(&policy.content),
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
        let sentences = [who(&rule.method), key_types(rule), models(rule), age(rule)];
        let sentences: Vec<String> = sentences.into_iter().flatten().collect();
        text.push_str(&format!("\n- {}: {}", rule.name, sentences.join(" ")));
    }
    text
}

fn who(method: &Method) -> Option<String> {
    Some(match method {
        Method::Certificate { anchors, identity } => {
            let anchors: Vec<String> = anchors.iter().map(|a| a.name.clone()).collect();
            let path = format!(
                "A certificate whose path leads to {} {}.",
                if anchors.len() == 1 { "the anchor" } else { "one of the anchors" },
                listed(&anchors)
            );
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
            "A Sigstore bundle of {}, vouched for by {}, under the trusted root {}. This version \
             recognises such bundles and refuses them.",
            Printable(identity),
            Printable(issuer),
            Printable(trusted_root)
        ),
    })
}

fn key_types(rule: &SignerRule) -> Option<String> {
    match rule.method {
        Method::Certificate { .. } => Some(format!("Types of keys admitted: {}.", rule.keys)),
        // The one key is named already; Sigstore makes a new one for each signature.
        Method::Key { .. } | Method::Sigstore { .. } => None,
    }
}

fn models(rule: &SignerRule) -> Option<String> {
    if rule.models.is_empty() {
        return Some("It may sign any model.".to_owned());
    }
    let patterns: Vec<String> = rule.models.iter().map(ToString::to_string).collect();
    Some(format!("It may sign only models named {}.", alternatives(&patterns)))
}

fn age(rule: &SignerRule) -> Option<String> {
    rule.max_signature_age.map(|age| {
        format!(
            "A signature older than {age} is refused, counted from a trusted time stamp, or else \
             from the first moment of the certificate's validity."
        )
    })
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

fn revocation(revocation: &Revocation) -> String {
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
    match (revocation.mode, revocation.max_crl_age) {
        (RevocationMode::Off, _) | (_, None) => mode.to_owned(),
        (_, Some(age)) => format!("{mode} A CRL older than {age} does not count."),
    }
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
         Limits: {} files, {} a file, {} a model, {} a bundle.",
        hashes.join(", "),
        budget.resources,
        show_size(budget.file_bytes),
        show_size(budget.total_bytes),
        show_size(budget.bundle_bytes)
    )
}

fn content(rules: &ContentRules) -> String {
    let formats = match &rules.allow {
        None => "Content. Not restricted: files of any format pass.".to_owned(),
        Some(formats) if formats.is_empty() => {
            "Content. No format is allowed, so that no model passes.".to_owned()
        }
        Some(formats) => format!(
            "Content. Only these formats pass, told by what is inside and never by a file's name: \
             {}.",
            formats.join(", ")
        ),
    };
    let code = match rules.remote_code {
        RemoteCode::Reject => "A model that brings code to be run is refused.",
        RemoteCode::Allow => "A model that brings code to be run may pass.",
    };
    format!("{formats} {code}")
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
