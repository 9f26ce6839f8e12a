//! What a rule asks of a leaf certificate's identity.

use std::collections::BTreeSet;
use std::fmt;
use std::slice;

use der::Decode;
use x509_cert::name::Name;

use super::dn::DistinguishedName;
use super::names::{DnsPattern, EmailPattern};
use crate::hash::Sha256Digest;
use crate::pki::Certificate;
use crate::reason::Printable;

/// Names and patterns that a leaf must fit: one of each list that is not empty.
///
/// A rule whose lists are all empty admits every leaf under its anchors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdentityRule {
    /// `san-email`.
    pub(super) san_email: Vec<EmailPattern>,
    /// `san-uri`, matched exactly.
    pub(super) san_uri: Vec<String>,
    /// `san-dns`.
    pub(super) san_dns: Vec<DnsPattern>,
    /// `subject`.
    pub(super) subject: Vec<DistinguishedName>,
    /// `issuer`.
    pub(super) issuer: Vec<DistinguishedName>,
    /// `fingerprint`: SHA-256 of the certificate in DER.
    pub(super) fingerprint: Vec<Sha256Digest>,
}

/// Who a leaf is, once a rule has admitted it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptedIdentity {
    /// What fitted, one for each list of the rule, such as `san-email:build@ml.corp.example`.
    /// For a rule without lists, the subject as `subject:...`.
    pub matched: Vec<String>,
    /// Every name that the leaf bears, whether the rule asked for it or not.
    names: BTreeSet<String>,
}

impl AcceptedIdentity {
    /// Whether both bear a common name, so that they may be one signer. `signatures.require`
    /// counts only signers that share none.
    pub fn may_be_same(&self, other: &AcceptedIdentity) -> bool {
        !self.names.is_disjoint(&other.names)
    }
}

/// What fitted, separated by commas.
impl fmt::Display for AcceptedIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Printable(&self.matched.join(", ")))
    }
}

/// The leaf does not fit one of the rule's lists.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the certificate's {key} is {}, the policy admits {}", Printable(&any_of(.found)), any_of(.admitted))]
pub struct IdentityMismatch {
    /// The key of the policy, such as `san-email`.
    pub key: &'static str,
    /// What the certificate has there; may be nothing.
    pub found: Vec<String>,
    /// What the policy admits there.
    pub admitted: Vec<String>,
}

impl IdentityRule {
    /// Whether the rule asks for nothing, and so admits every leaf under its anchors.
    pub fn is_empty(&self) -> bool {
        self.lists().next().is_none()
    }

    /// The keys that the rule has and what each admits, in the order of the design.
    pub fn lists(&self) -> impl Iterator<Item = (&'static str, Vec<String>)> {
        [
            ("san-email", shown(&self.san_email)),
            ("san-uri", shown(&self.san_uri)),
            ("san-dns", shown(&self.san_dns)),
            ("subject", shown(&self.subject)),
            ("issuer", shown(&self.issuer)),
            ("fingerprint", shown(&self.fingerprint)),
        ]
        .into_iter()
        .filter(|(_, admitted)| !admitted.is_empty())
    }

    /// Judges a leaf certificate. That it leads to an anchor of the rule is for
    /// [`crate::pki::validate`] to say.
    ///
    /// # Errors
    /// The first list that the leaf does not fit.
    pub fn admits(&self, leaf: &Certificate) -> Result<AcceptedIdentity, IdentityMismatch> {
        let names = subject_and_issuer(leaf);
        let is = |name: &DistinguishedName, own: &Option<Name>| {
            own.as_ref().is_some_and(|own| name.matches(own))
        };
        let (emails, uris, hosts) = (leaf.san_emails(), leaf.san_uris(), leaf.san_dns());
        let (subject, issuer) = (leaf.subject(), leaf.issuer());
        let fingerprint = leaf.fingerprint().to_hex();
        let mut matched: Vec<String> = [
            ask("san-email", &self.san_email, &emails, |p, name| p.matches(name))?,
            ask("san-uri", &self.san_uri, &uris, |p, name| p == name)?,
            ask("san-dns", &self.san_dns, &hosts, |p, name| p.matches(name))?,
            ask("subject", &self.subject, slice::from_ref(&subject), |p, _| is(p, &names.0))?,
            ask("issuer", &self.issuer, slice::from_ref(&issuer), |p, _| is(p, &names.1))?,
            ask("fingerprint", &self.fingerprint, slice::from_ref(&fingerprint), |p, own| {
                p.to_hex() == own
            })?,
        ]
        .into_iter()
        .flatten()
        .collect();
        if matched.is_empty() {
            matched.push(format!("subject:{subject}"));
        }

        let fold = |key: &str, name: &String| format!("{key}:{}", name.to_ascii_lowercase());
        let mut names: BTreeSet<String> = BTreeSet::new();
        names.extend(emails.iter().map(|name| fold("email", name)));
        names.extend(uris.iter().map(|name| fold("uri", name)));
        names.extend(hosts.iter().map(|name| fold("dns", name)));
        if !subject.is_empty() {
            names.insert(fold("subject", &subject));
        }
        names.insert(format!("fingerprint:{fingerprint}"));
        Ok(AcceptedIdentity { matched, names })
    }
}

/// The first name of a certificate that fits a list of the rule; nothing when the list is empty.
fn ask<P: ToString>(
    key: &'static str,
    patterns: &[P],
    names: &[String],
    fits: impl Fn(&P, &str) -> bool,
) -> Result<Option<String>, IdentityMismatch> {
    if patterns.is_empty() {
        return Ok(None);
    }
    match names.iter().find(|name| patterns.iter().any(|pattern| fits(pattern, name))) {
        Some(name) => Ok(Some(format!("{key}:{name}"))),
        None => Err(IdentityMismatch { key, found: names.to_vec(), admitted: shown(patterns) }),
    }
}

/// The names as DER has them, since their text form may lose a difference.
fn subject_and_issuer(leaf: &Certificate) -> (Option<Name>, Option<Name>) {
    let decoded = x509_cert::Certificate::from_der(leaf.der()).ok();
    let tbs = decoded.as_ref().map(x509_cert::Certificate::tbs_certificate);
    (tbs.map(|tbs| tbs.subject().clone()), tbs.map(|tbs| tbs.issuer().clone()))
}

fn shown(list: &[impl ToString]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

fn any_of(list: &[String]) -> String {
    if list.is_empty() { "absent".to_owned() } else { list.join(" or ") }
}
