//! Name constraints where the library's own check falls short of RFC 5280, section 4.2.1.10.
//!
//! It reads an empty excluded name as one that matches nothing, a wildcard in a certificate as a
//! plain label, and a URI without a host as outside every excluded subtree.

use core::net::IpAddr;

use x509_cert::ext::pkix::NameConstraints;
use x509_cert::ext::pkix::constraints::name::GeneralSubtree;
use x509_cert::ext::pkix::name::GeneralName;

use super::error::{PathError, Violation};
use super::rfc5280::violation;
use super::{Certificate, host_name};

/// The subtrees of the issuers above that this module has to look at.
#[derive(Default)]
struct Above {
    excluded_hosts: Vec<String>,
    constrains_uris: bool,
}

/// Checks `path`, leaf first. The error comes with the place of the certificate at fault.
pub(super) fn check(path: &[&Certificate]) -> Result<(), (usize, PathError)> {
    let mut above = Above::default();
    for (at, certificate) in path.iter().enumerate().rev() {
        let fails = |rule| (at, violation(certificate, rule));
        // A self-issued CA is not held to the constraints above it (section 6.1.3, step b).
        let is_held = at == 0 || !certificate.is_self_issued();
        if is_held && certificate.general_names().iter().any(|name| above.refuses(name)) {
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
            if matches!(subtree.base, GeneralName::UniformResourceIdentifier(_)) {
                self.constrains_uris = true;
            }
        }
        for subtree in constraints.excluded_subtrees.iter().flatten() {
            match &subtree.base {
                GeneralName::DnsName(name)
                | GeneralName::Rfc822Name(name)
                | GeneralName::UniformResourceIdentifier(name)
                    if name.as_str().is_empty() =>
                {
                    return false;
                }
                GeneralName::DnsName(name) => self.excluded_hosts.push(name.to_string()),
                _ => {}
            }
        }
        true
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
            _ => false,
        }
    }
}

/// Every subtree, permitted and excluded.
pub(super) fn subtrees(constraints: &NameConstraints) -> impl Iterator<Item = &GeneralSubtree> {
    let (permitted, excluded) = (&constraints.permitted_subtrees, &constraints.excluded_subtrees);
    permitted.iter().chain(excluded).flatten()
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
