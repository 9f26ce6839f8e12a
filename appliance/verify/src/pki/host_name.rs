//! Names of hosts and mailboxes: whether a certificate has the one that is expected (RFC 9525,
//! RFC 5280, section 4.2.1.6), and whether they are well-formed.

use core::net::IpAddr;

use x509_cert::ext::pkix::name::GeneralName;

use super::Certificate;

const MOST_HOST_BYTES: usize = 253;
const MOST_LABEL_BYTES: usize = 63;
const MOST_LOCAL_PART_BYTES: usize = 64;

impl Certificate {
    /// Whether subjectAltName has `name`: a mailbox when it holds an `@`, an IP address when it
    /// is one, else a host. The subject's common name does not count.
    pub fn has_name(&self, name: &str) -> bool {
        if name.contains('@') {
            self.has_email(name)
        } else if let Ok(address) = name.parse() {
            self.has_ip_address(address)
        } else {
            self.has_dns_name(name)
        }
    }

    /// Whether a `dNSName` is `host`, or stands for it by a wildcard as its whole leftmost label.
    pub fn has_dns_name(&self, host: &str) -> bool {
        self.general_names().iter().any(|own| match own {
            GeneralName::DnsName(own) => dns_name_matches(own.as_str(), host),
            _ => false,
        })
    }

    /// Whether an `rfc822Name` is `address`: the local part exactly, the host in any case.
    pub fn has_email(&self, address: &str) -> bool {
        self.general_names().iter().any(|own| match own {
            GeneralName::Rfc822Name(own) => mailboxes_match(own.as_str(), address),
            _ => false,
        })
    }

    fn has_ip_address(&self, address: IpAddr) -> bool {
        let octets = match address {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        self.general_names().iter().any(|own| match own {
            GeneralName::IpAddress(own) => own.as_bytes() == octets,
            _ => false,
        })
    }
}

fn dns_name_matches(own: &str, host: &str) -> bool {
    if !is_well_formed(own, true) || !is_well_formed(host, false) {
        return false;
    }
    match own.strip_prefix("*.") {
        None => own.eq_ignore_ascii_case(host),
        Some(parent) => {
            let above = host.split_once('.').map(|(_, above)| above);
            above.is_some_and(|above| above.eq_ignore_ascii_case(parent))
        }
    }
}

fn mailboxes_match(own: &str, address: &str) -> bool {
    let (Some(own), Some(address)) = (parts(own), parts(address)) else { return false };
    own.0 == address.0 && own.1.eq_ignore_ascii_case(address.1)
}

/// Whether `name` is a host name in the preferred syntax (RFC 1034, section 3.5; RFC 1123,
/// section 2.1), with a wildcard for its leftmost label where that may be.
///
/// A last label of digits alone would read as an IP address.
pub(super) fn is_well_formed(name: &str, wildcard: bool) -> bool {
    let plain = match name.strip_prefix("*.") {
        Some(parent) if wildcard && parent.contains('.') => parent,
        _ => name,
    };
    let last_is_number =
        plain.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    name.len() <= MOST_HOST_BYTES && !last_is_number && plain.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    (1..=MOST_LABEL_BYTES).contains(&label.len())
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// Whether `address` is one mailbox `local-part@host` (RFC 5321, section 4.1.2), without quoted
/// strings and address literals.
pub(super) fn is_mailbox(address: &str) -> bool {
    parts(address).is_some()
}

/// Local part and host of a mailbox.
fn parts(address: &str) -> Option<(&str, &str)> {
    let (local, host) = address.split_once('@')?;
    let atoms = local.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(is_atom_text));
    (atoms && local.len() <= MOST_LOCAL_PART_BYTES && is_well_formed(host, false))
        .then_some((local, host))
}

/// `atext` of RFC 5322, section 3.2.3.
fn is_atom_text(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_stands_for_one_whole_label_on_the_left() {
        for (own, host, matches) in [
            ("a.example.com", "A.example.COM", true),
            ("*.example.com", "a.example.com", true),
            ("*.example.com", "a.b.example.com", false),
            ("*.example.com", "example.com", false),
            ("a*.example.com", "ab.example.com", false),
            ("b.*.example.com", "b.a.example.com", false),
            ("*.com", "example.com", false),
            ("*", "com", false),
            ("*.example.com", "*.example.com", false),
            ("a.example.com", "a.example.com.", false),
        ] {
            assert_eq!(dns_name_matches(own, host), matches, "{own} {host}");
        }
    }

    #[test]
    fn mailboxes_compare_with_the_case_of_the_local_part() {
        for (own, address, matches) in [
            ("a@example.com", "a@EXAMPLE.com", true),
            ("a@example.com", "A@example.com", false),
            ("*@example.com", "a@example.com", false),
            ("*@example.com", "*@example.com", true),
            ("a@b@example.com", "a@b@example.com", false),
            ("example.com", "example.com", false),
        ] {
            assert_eq!(mailboxes_match(own, address), matches, "{own} {address}");
        }
    }

    #[test]
    fn host_names_have_the_preferred_syntax() {
        for good in ["a", "a-b.example.com", "xn--abc.example", "1.example", "*.example.com"] {
            assert!(is_well_formed(good, true), "{good}");
        }
        let long = "a".repeat(64);
        for bad in
            ["", ".", "a.", ".a", "a..b", "a_b.c", "-a.b", "a-.b", "127.0.0.1", "a b", "ä.c", &long]
        {
            assert!(!is_well_formed(bad, true), "{bad}");
        }
        assert!(!is_well_formed("*.example.com", false));
    }
}
