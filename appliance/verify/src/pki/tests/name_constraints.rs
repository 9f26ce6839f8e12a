//! Name constraints (RFC 5280, section 4.2.1.10) on every form of name, permitted and excluded.

use std::net::IpAddr;
use std::str::FromStr;

use der::asn1::{Ia5String, OctetString};
use der::{Any, Encode, Tag};
use rcgen::{CertificateParams, CustomExtension, DnType, DnValue};
use x509_cert::ext::pkix::constraints::name::GeneralSubtree;
use x509_cert::ext::pkix::name::{GeneralName, OtherName};
use x509_cert::ext::pkix::{NameConstraints, SubjectAltName};
use x509_cert::name::Name;

use super::maker::{Entity, ThreeTiers, ca, leaf};
use crate::reason::Code;

fn ia5(text: &str) -> Ia5String {
    Ia5String::new(text).unwrap()
}

fn dns(name: &str) -> GeneralName {
    GeneralName::DnsName(ia5(name))
}

fn mail(name: &str) -> GeneralName {
    GeneralName::Rfc822Name(ia5(name))
}

fn uri(name: &str) -> GeneralName {
    GeneralName::UniformResourceIdentifier(ia5(name))
}

fn ip(address: &str) -> GeneralName {
    GeneralName::from(address.parse::<IpAddr>().unwrap())
}

/// An address and its mask, as constraints have it.
fn network(bytes: &[u8]) -> GeneralName {
    GeneralName::IpAddress(OctetString::new(bytes).unwrap())
}

fn directory(name: &str) -> GeneralName {
    GeneralName::DirectoryName(Name::from_str(name).unwrap())
}

fn other(oid: &str) -> GeneralName {
    let value = Any::new(Tag::Utf8String, "ä@ml.example".as_bytes()).unwrap();
    GeneralName::OtherName(OtherName { type_id: oid.parse().unwrap(), value })
}

fn registered(oid: &str) -> GeneralName {
    GeneralName::RegisteredId(oid.parse().unwrap())
}

const SMTP_UTF8: &str = "1.3.6.1.5.5.7.8.9";

/// The parameters with an extension of `id-ce` that is critical.
fn with(mut params: CertificateParams, last_arc: u64, value: &impl Encode) -> CertificateParams {
    let oid = [2, 5, 29, last_arc];
    let mut extension = CustomExtension::from_oid_content(&oid, value.to_der().unwrap());
    extension.set_criticality(true);
    params.custom_extensions.push(extension);
    params
}

fn constrained(
    params: CertificateParams,
    permitted: &[GeneralName],
    excluded: &[GeneralName],
) -> CertificateParams {
    let subtrees = |names: &[GeneralName]| {
        let subtree =
            |base: &GeneralName| GeneralSubtree { base: base.clone(), minimum: 0, maximum: None };
        (!names.is_empty()).then(|| names.iter().map(subtree).collect())
    };
    let value = NameConstraints {
        permitted_subtrees: subtrees(permitted),
        excluded_subtrees: subtrees(excluded),
    };
    with(params, 30, &value)
}

fn named(name: &GeneralName) -> CertificateParams {
    with(leaf("Signer"), 17, &SubjectAltName(vec![name.clone()]))
}

/// Whether a leaf passes under an intermediate with these constraints, and under an anchor with
/// them, which must agree.
#[track_caller]
fn passes(permitted: &[GeneralName], excluded: &[GeneralName], leaf: &CertificateParams) -> bool {
    let constrained = |params| constrained(params, permitted, excluded);
    let outcomes =
        [(ca("Root"), constrained(ca("Middle"))), (constrained(ca("Root")), ca("Middle"))]
            .map(|(root, middle)| ThreeTiers::with(root, middle, leaf.clone()).question().ask())
            .map(|outcome| match outcome {
                Ok(_) => true,
                Err(error) => {
                    assert_eq!(error.code(), Code::SignatureNameConstraints, "{error}");
                    false
                }
            });
    assert_eq!(outcomes[0], outcomes[1], "of the intermediate, of the anchor");
    outcomes[0]
}

#[test]
fn a_name_is_inside_the_permitted_and_outside_the_excluded_names_of_its_form() {
    let v4 = network(&[192, 0, 2, 0, 255, 255, 255, 0]);
    let v6 = network(
        &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
            .into_iter()
            .chain([0xff; 4])
            .chain([0; 12])
            .collect::<Vec<u8>>(),
    );
    for (base, inside, outside) in [
        (dns("ml.example"), vec![dns("ml.example"), dns("A.b.ML.example")], dns("xml.example")),
        (mail("ml.example"), vec![mail("a@ML.example")], mail("a@sub.ml.example")),
        (mail(".ml.example"), vec![mail("a@sub.ml.example")], mail("a@ml.example")),
        (mail("a@ml.example"), vec![mail("a@ml.EXAMPLE")], mail("A@ml.example")),
        (
            uri("ml.example"),
            vec![uri("https://ml.example/x"), uri("spiffe://u@ML.example:7/x")],
            uri("https://sub.ml.example/x"),
        ),
        (
            uri(".ml.example"),
            vec![uri("https://sub.ml.example")],
            uri("https://other.example/?https://sub.ml.example"),
        ),
        (v4, vec![ip("192.0.2.7")], ip("192.0.3.7")),
        (v6, vec![ip("2001:db8::7")], ip("2001:db9::7")),
        (
            directory("OU=ML,O=Example"),
            vec![directory("CN=a,OU=ml,O=EXAMPLE"), directory("OU=ML,O=Example")],
            directory("CN=a,OU=HR,O=Example"),
        ),
    ] {
        // Directory names hold for the subject too, which is in O=Example.
        let mut permitted = vec![base.clone()];
        if matches!(base, GeneralName::DirectoryName(_)) {
            permitted.push(directory("CN=Signer,O=Example"));
            permitted.push(directory("CN=Middle,O=Example"));
        }
        let excluded = [base];
        for name in &inside {
            assert!(passes(&permitted, &[], &named(name)), "{name:?} in {permitted:?}");
            assert!(!passes(&[], &excluded, &named(name)), "{name:?} not in {excluded:?}");
            assert!(!passes(&permitted, &excluded, &named(name)), "excluded wins: {name:?}");
        }
        assert!(!passes(&permitted, &[], &named(&outside)), "{outside:?} in {permitted:?}");
        assert!(passes(&[], &excluded, &named(&outside)), "{outside:?} not in {excluded:?}");
        // Each form is judged by itself.
        let unrelated = registered("1.2.3");
        assert!(passes(&permitted, &excluded, &named(&unrelated)), "{permitted:?}");
    }
}

#[test]
fn the_mail_address_of_a_subject_counts_as_one() {
    let mut params = leaf("Signer");
    let email = DnType::CustomDnType(vec![1, 2, 840, 113_549, 1, 9, 1]);
    let address = DnValue::Ia5String("a@evil.example".try_into().unwrap());
    params.distinguished_name.push(email, address);
    assert!(!passes(&[], &[mail("evil.example")], &params));
    assert!(!passes(&[mail("ml.example")], &[], &params));
    assert!(passes(&[mail("evil.example")], &[], &params));
}

#[test]
fn mailboxes_of_other_characters_fall_under_constraints_on_mailboxes() {
    let mailbox = named(&other(SMTP_UTF8));
    assert!(passes(&[dns("ml.example")], &[dns("evil.example")], &mailbox));
    assert!(!passes(&[mail("ml.example")], &[], &mailbox));
    assert!(!passes(&[], &[mail("evil.example")], &mailbox));
    // Other names of the form have nothing to do with them.
    assert!(passes(&[mail("ml.example")], &[], &named(&other("1.3.6.1.4.1.311.20.2.3"))));
}

#[test]
fn forms_that_are_not_understood_fail_where_both_sides_have_them() {
    for (name, constraint) in [
        (other(SMTP_UTF8), other(SMTP_UTF8)),
        (other("1.2.3"), other("1.2.4")),
        (registered("1.2.3"), registered("1.2.3")),
        (registered("1.2.3"), registered("1.2.4")),
    ] {
        assert!(!passes(std::slice::from_ref(&constraint), &[], &named(&name)), "{name:?}");
        assert!(!passes(&[], std::slice::from_ref(&constraint), &named(&name)), "{name:?}");
        let both = [constraint];
        assert!(passes(&both, &both, &named(&dns("a.example"))));
    }
}

#[test]
fn an_excluded_name_that_could_match_nothing_is_refused() {
    let good = named(&dns("a.example"));
    for base in [
        dns(""),
        dns(".evil.example"),
        dns("evil.example."),
        dns("*.evil.example"),
        dns("evil example"),
        mail(""),
        mail("@evil.example"),
        mail("a@.evil.example"),
        mail("evil.example."),
        uri(""),
        uri("https://evil.example"),
        uri("*.evil.example"),
        uri("evil.example/"),
        uri("evil.example:443"),
    ] {
        assert!(!passes(&[], std::slice::from_ref(&base), &good), "{base:?}");
    }
    for bytes in [&[192, 0, 2, 0][..], &[192, 0, 2, 0, 255, 0, 255, 0], &[0; 9]] {
        let name = named(&ip("192.0.2.7"));
        assert!(!passes(&[], &[network(bytes)], &name), "{bytes:?}");
        assert!(!passes(&[network(bytes)], &[], &name), "{bytes:?}");
    }
}

#[test]
fn a_uri_without_the_name_of_a_host_is_outside_what_is_permitted_and_inside_what_is_excluded() {
    for name in ["urn:a:b", "https://192.0.2.7/", "https://[2001:db8::7]/", "https://a%2eb/"] {
        assert!(!passes(&[uri("ml.example")], &[], &named(&uri(name))), "{name}");
        assert!(!passes(&[], &[uri("evil.example")], &named(&uri(name))), "{name}");
        assert!(passes(&[mail("ml.example")], &[], &named(&uri(name))), "{name}");
    }
}

#[test]
fn constraints_of_several_issuers_hold_together() {
    let below = |root: CertificateParams, middle: CertificateParams, name: &GeneralName| {
        ThreeTiers::with(root, middle, named(name)).question().ask().is_ok()
    };
    let wide = || constrained(ca("Root"), &[dns("example"), dns("test")], &[dns("evil.example")]);
    let narrow = || constrained(ca("Middle"), &[dns("ml.example"), dns("evil.example")], &[]);
    assert!(below(wide(), narrow(), &dns("a.ml.example")));
    for name in ["a.example", "a.test", "a.evil.example"] {
        assert!(!below(wide(), narrow(), &dns(name)), "{name}");
    }
    // What an intermediate permits beyond its issuer stays forbidden.
    let beyond = constrained(ca("Middle"), &[dns("other")], &[]);
    assert!(!below(wide(), beyond, &dns("a.other")));
}

#[test]
fn an_intermediate_is_held_to_them_and_one_of_its_issuers_name_is_not() {
    let only_ml = |params| constrained(params, &[directory("OU=ML,O=Example")], &[]);
    let in_ml = |mut params: CertificateParams| {
        params.distinguished_name.push(DnType::OrganizationalUnitName, "ML");
        params
    };
    let mut subject = leaf("x");
    subject.distinguished_name = rcgen::DistinguishedName::new();
    subject.distinguished_name.push(DnType::OrganizationName, "Example");
    subject.distinguished_name.push(DnType::OrganizationalUnitName, "ML");
    let pki = ThreeTiers::with(only_ml(ca("Root")), ca("Middle"), subject.clone());
    assert_eq!(pki.question().code(), Code::SignatureNameConstraints);

    // A root that certifies its own new key is outside its own constraints, and may be.
    let root = Entity::self_signed(only_ml(ca("Root")));
    let renewed = root.issue(ca("Root"));
    let signer = renewed.issue(subject);
    let question = super::maker::Question::new(&[&signer, &renewed], &[&root]);
    assert!(question.ask().is_ok(), "{:?}", question.ask());
    let signer = renewed.issue(in_ml(leaf("Signer")));
    let question = super::maker::Question::new(&[&signer, &renewed], &[&root]);
    assert_eq!(question.code(), Code::SignatureNameConstraints);
}

#[test]
fn the_string_type_of_an_excluded_directory_name_does_not_matter() {
    let of = |value: DnValue| {
        let mut params = leaf("x");
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, value);
        params
    };
    let excluded = [directory("O=Evil")];
    for value in [
        DnValue::Utf8String("EVIL".to_owned()),
        DnValue::PrintableString("evil".try_into().unwrap()),
        DnValue::TeletexString("EVIL".try_into().unwrap()),
        DnValue::BmpString("Evil".try_into().unwrap()),
    ] {
        assert!(!passes(&[], &excluded, &of(value.clone())), "{value:?}");
    }
    assert!(passes(&[], &excluded, &of(DnValue::Utf8String("Good".to_owned()))));
}
