//! Name constraints where the library's own check falls short of RFC 5280, section 4.2.1.10.
//!
//! It reads an empty or malformed excluded name as one that matches nothing, a wildcard in a
//! certificate as a plain label, a URI without a host and a directory name of an old string type as
//! outside every excluded subtree, and the mailboxes of RFC 9598 as none.

use core::net::IpAddr;

use const_oid::ObjectIdentifier;
use der::{Tag, Tagged};
use x509_cert::ext::pkix::NameConstraints;
use x509_cert::ext::pkix::constraints::name::GeneralSubtree;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::name::Name;

use super::error::{PathError, Violation};
use super::rfc5280::violation;
use super::{Certificate, host_name};

/// id-on-SmtpUTF8Mailbox, to which constraints on rfc822Name apply as well (RFC 9598, section 6).
const SMTP_UTF8_MAILBOX: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.8.9");

/// The subtrees of the issuers above that this module has to look at.
#[derive(Default)]
struct Above {
    excluded_hosts: Vec<String>,
    constrains_uris: bool,
    constrains_mailboxes: bool,
    excludes_directories: bool,
}

/// Checks `path`, leaf first. The error comes with the place of the certificate at fault.
pub(super) fn check(path: &[&Certificate]) -> Result<(), (usize, PathError)> {
    let mut above = Above::default();
    for (at, certificate) in path.iter().enumerate().rev() {
        let fails = |rule| (at, violation(certificate, rule));
        // A self-issued CA is not held to the constraints above it (section 6.1.3, step b).
        let is_held = at == 0 || !certificate.is_self_issued();
        let refused = above.refuses_directory(certificate.tbs().subject())
            || certificate.general_names().iter().any(|name| above.refuses(name));
        if is_held && refused {
            return Err(fails(Violation::NameConstraints));
        }
        let constraints =
            certificate.extension::<NameConstraints>().map_err(|_| fails(Violation::Encoding))?;
        if at > 0 && constraints.is_some_and(|constraints| !above.add(&constraints)) {
            return Err(fails(Violation::NameConstraints));
        }
    }
    Ok(())
}

impl Above {
    /// Takes the subtrees of one more issuer; `false` when one of them cannot be enforced.
    fn add(&mut self, constraints: &NameConstraints) -> bool {
        for subtree in subtrees(constraints) {
            match subtree.base {
                GeneralName::UniformResourceIdentifier(_) => self.constrains_uris = true,
                GeneralName::Rfc822Name(_) => self.constrains_mailboxes = true,
                _ => {}
            }
        }
        let excluded = || constraints.excluded_subtrees.iter().flatten().map(|one| &one.base);
        for base in excluded() {
            match base {
                GeneralName::DnsName(name) => self.excluded_hosts.push(name.to_string()),
                GeneralName::DirectoryName(_) => self.excludes_directories = true,
                _ => {}
            }
        }
        excluded().all(can_exclude)
    }

    fn refuses(&self, name: &GeneralName) -> bool {
        match name {
            GeneralName::DnsName(name) => match name.as_str().strip_prefix("*.") {
                None => false,
                Some(parent) => self.excluded_hosts.iter().any(|host| is_child(host, parent)),
            },
            GeneralName::UniformResourceIdentifier(uri) => {
                self.constrains_uris && !has_host_name(uri.as_str())
            }
            GeneralName::OtherName(other) => {
                self.constrains_mailboxes && other.type_id == SMTP_UTF8_MAILBOX
            }
            GeneralName::DirectoryName(name) => self.refuses_directory(name),
            _ => false,
        }
    }

    /// The library compares old string types by their bytes, in which the same text is another.
    fn refuses_directory(&self, name: &Name) -> bool {
        let is_old = |tag| matches!(tag, Tag::TeletexString | Tag::BmpString);
        self.excludes_directories && name.iter().any(|attribute| is_old(attribute.value.tag()))
    }
}

/// Every subtree, permitted and excluded.
pub(super) fn subtrees(constraints: &NameConstraints) -> impl Iterator<Item = &GeneralSubtree> {
    let (permitted, excluded) = (&constraints.permitted_subtrees, &constraints.excluded_subtrees);
    permitted.iter().chain(excluded).flatten()
}

/// Whether an excluded name has the syntax of its form, without which it would match nothing.
fn can_exclude(base: &GeneralName) -> bool {
    let is_host = |name: &str| host_name::is_well_formed(name, false);
    let is_host_or_domain = |name: &str| is_host(name.strip_prefix('.').unwrap_or(name));
    match base {
        GeneralName::DnsName(name) => is_host(name.as_str()),
        GeneralName::Rfc822Name(name) => {
            is_host_or_domain(name.as_str()) || host_name::is_mailbox(name.as_str())
        }
        GeneralName::UniformResourceIdentifier(name) => is_host_or_domain(name.as_str()),
        _ => true,
    }
}

/// Whether `host` is one label under `parent`, so that `*.parent` stands for it too.
fn is_child(host: &str, parent: &str) -> bool {
    host.split_once('.').is_some_and(|(_, above)| above.eq_ignore_ascii_case(parent))
}

/// Whether the URI has an authority with the name of a host, as constraints on URIs need.
fn has_host_name(uri: &str) -> bool {
    let Some((_, rest)) = uri.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host_and_port = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = host_and_port.split_once(':').map_or(host_and_port, |(host, _)| host);
    host.parse::<IpAddr>().is_err() && host_name::is_well_formed(host, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_has_a_host_name_or_not() {
        for good in
            ["https://a.example", "https://u:p@a.example:443/x?y#z", "spiffe://corp.example"]
        {
            assert!(has_host_name(good), "{good}");
        }
        for bad in
            ["urn:a:b", "mailto:a@b.example", "https://127.0.0.1/", "https://[::1]/", "https:///x"]
        {
            assert!(!has_host_name(bad), "{bad}");
        }
    }
}
