//! What a rule asks of a leaf certificate's identity.

use std::collections::BTreeSet;
use std::fmt;
use std::slice;

use const_oid::ObjectIdentifier;
use der::Encode;
use x509_cert::ext::pkix::name::GeneralName;

use super::dn::{self, DistinguishedName};
use super::names::{DnsPattern, EmailPattern};
use super::uri::UriPattern;
use crate::hash::Sha256Digest;
use crate::pki::Certificate;
use crate::reason::Printable;

/// Names and patterns that a leaf must fit: one of each list that is not empty, and every
/// extended key usage.
///
/// A rule whose lists of names are all empty admits every leaf under its anchors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdentityRule {
    /// `san-email`.
    pub(super) san_email: Vec<EmailPattern>,
    /// `san-uri`.
    pub(super) san_uri: Vec<UriPattern>,
    /// `san-dns`.
    pub(super) san_dns: Vec<DnsPattern>,
    /// `subject`.
    pub(super) subject: Vec<DistinguishedName>,
    /// `issuer`.
    pub(super) issuer: Vec<DistinguishedName>,
    /// `fingerprint`: SHA-256 of the certificate in DER.
    pub(super) fingerprint: Vec<Sha256Digest>,
    /// `key-fingerprint`: SHA-256 of the SubjectPublicKeyInfo in DER.
    pub(super) key_fingerprint: Vec<Sha256Digest>,
    /// `extended-key-usage`: the leaf has all of them, beside codeSigning.
    pub(super) extended_key_usage: Vec<ObjectIdentifier>,
}

/// Who a leaf is, once a rule has admitted it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptedIdentity {
    /// What fitted, one for each list of the rule, such as `san-email:build@ml.corp.example`.
    /// For a rule without lists, the subject as `subject:...`.
    pub matched: Vec<String>,
    /// Every name that the leaf bears, whether the rule asked for it or not.
    pub names: BorneNames,
}

/// The names that a signer bears, brought into a form in which one name has one text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BorneNames(BTreeSet<String>);

impl BorneNames {
    /// The subject, the e-mail addresses in it, and every alternative name of a certificate.
    pub fn of(leaf: &Certificate) -> Self {
        let mut names = BorneNames::default();
        let subject = leaf.tbs().subject();
        dn::email_addresses(subject).for_each(|name| names.bear("email", name));
        leaf.san_emails().iter().for_each(|name| names.bear("email", name));
        leaf.san_uris().iter().for_each(|name| names.bear("uri", name));
        leaf.san_dns().iter().for_each(|name| names.bear("dns", name));
        if !subject.is_empty() {
            names.bear("subject", &dn::folded(subject));
        }
        // Names of kinds that no rule asks for are compared as they stand.
        let others = leaf.general_names().iter().filter(|name| {
            use GeneralName::{DnsName, Rfc822Name, UniformResourceIdentifier};
            !matches!(name, DnsName(_) | Rfc822Name(_) | UniformResourceIdentifier(_))
        });
        for der in others.filter_map(|name| name.to_der().ok()) {
            names.bear("other", &Sha256Digest::of(&der).to_hex());
        }
        names
    }

    fn bear(&mut self, kind: &str, name: &str) {
        self.0.insert(format!("{kind}:{}", name.to_ascii_lowercase()));
    }

    /// Whether both have a common name, so that they may be one signer. `signatures.require`
    /// counts only signers that share none.
    pub fn may_be_same(&self, other: &BorneNames) -> bool {
        !self.0.is_disjoint(&other.0)
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
            ("key-fingerprint", shown(&self.key_fingerprint)),
        ]
        .into_iter()
        .filter(|(_, admitted)| !admitted.is_empty())
    }

    /// The extended key usages that a leaf must have, all of them, beside codeSigning.
    pub fn extended_key_usages(&self) -> &[ObjectIdentifier] {
        &self.extended_key_usage
    }

    /// How many signers, who have no name and no key in common, the rule may admit at most;
    /// `None` when its names set no limit.
    pub(super) fn most_signers(&self) -> Option<usize> {
        let exact = |count: usize, wildcard: bool| (count > 0 && !wildcard).then_some(count);
        [
            exact(self.san_email.len(), self.san_email.iter().any(EmailPattern::has_wildcard)),
            exact(self.san_uri.len(), self.san_uri.iter().any(UriPattern::has_wildcard)),
            exact(self.san_dns.len(), self.san_dns.iter().any(DnsPattern::has_wildcard)),
            exact(self.subject.len(), false),
            exact(self.fingerprint.len(), false),
            exact(self.key_fingerprint.len(), false),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Judges a leaf certificate. That it leads to an anchor of the rule is for
    /// [`crate::pki::validate`] to say.
    ///
    /// # Errors
    /// The first list that the leaf does not fit.
    pub fn admits(&self, leaf: &Certificate) -> Result<AcceptedIdentity, IdentityMismatch> {
        let (emails, uris, hosts) = (leaf.san_emails(), leaf.san_uris(), leaf.san_dns());
        let (subject, issuer) = (leaf.subject(), leaf.issuer());
        let fingerprint = leaf.fingerprint().to_hex();
        let key = leaf.public_key().map(|key| key.fingerprint().to_hex()).ok();
        let is = |digest: &Sha256Digest, own: &str| digest.to_hex() == own;
        let mut matched: Vec<String> = [
            ask("san-email", &self.san_email, &emails, |p, name| p.matches(name))?,
            ask("san-uri", &self.san_uri, &uris, |p, name| p.matches(name))?,
            ask("san-dns", &self.san_dns, &hosts, |p, name| p.matches(name))?,
            // The names as DER has them, since their text may lose a difference.
            ask("subject", &self.subject, slice::from_ref(&subject), |p, _| {
                p.matches(leaf.tbs().subject())
            })?,
            ask("issuer", &self.issuer, slice::from_ref(&issuer), |p, _| {
                p.matches(leaf.tbs().issuer())
            })?,
            ask("fingerprint", &self.fingerprint, slice::from_ref(&fingerprint), is)?,
            ask("key-fingerprint", &self.key_fingerprint, key.as_slice(), is)?,
        ]
        .into_iter()
        .flatten()
        .collect();
        if matched.is_empty() {
            matched.push(format!("subject:{subject}"));
        }

        matched.extend(self.ask_usages(leaf)?);

        Ok(AcceptedIdentity { matched, names: BorneNames::of(leaf) })
    }

    /// The extended key usages that are asked for, when the leaf has all of them. One that admits
    /// any usage does not have them.
    fn ask_usages(&self, leaf: &Certificate) -> Result<Vec<String>, IdentityMismatch> {
        let usages = leaf.extended_key_usages().unwrap_or_default();
        let wanted = &self.extended_key_usage;
        if wanted.iter().all(|usage| usages.contains(usage)) {
            return Ok(wanted.iter().map(|usage| format!("extended-key-usage:{usage}")).collect());
        }
        let admitted = vec![shown(wanted).join(" with ")];
        Err(IdentityMismatch { key: "extended-key-usage", found: shown(usages), admitted })
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

fn shown(list: &[impl ToString]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

fn any_of(list: &[String]) -> String {
    if list.is_empty() { "absent".to_owned() } else { list.join(" or ") }
}
