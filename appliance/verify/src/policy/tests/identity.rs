//! What rules ask of certificates, by whole policies.

use rcgen::ExtendedKeyUsagePurpose;
use rcgen::string::Ia5String;

use super::*;
use crate::policy::{AcceptedIdentity, BorneNames, IdentityMismatch, Method};

/// Judges `leaf` by a rule with these lines.
fn admits(lines: &str, leaf: &Certificate) -> Result<AcceptedIdentity, IdentityMismatch> {
    let text = SMALLEST.replace("[content]", &format!("{lines}\n[content]"));
    let policy = resolve(&text, &[anchor("root", &[Purpose::CodeSigning])]).unwrap();
    match &policy.signers[0].method {
        Method::Certificate { identity, .. } => identity.admits(leaf),
        other => panic!("{other:?}"),
    }
}

fn email(text: &str) -> SanType {
    SanType::Rfc822Name(Ia5String::try_from(text).unwrap())
}

fn dns(text: &str) -> SanType {
    SanType::DnsName(Ia5String::try_from(text).unwrap())
}

fn uri(text: &str) -> SanType {
    SanType::URI(Ia5String::try_from(text).unwrap())
}

fn signer() -> Certificate {
    certificate(
        &[
            (DnType::CountryName, "DE"),
            (DnType::OrganizationName, "Corp"),
            (DnType::CommonName, "ML Signer"),
        ],
        vec![
            email("other@corp.example"),
            email("build@ml.corp.example"),
            dns("build.corp.example"),
            uri("spiffe://corp.example/build"),
        ],
    )
}

#[test]
fn each_key_names_the_identity_that_fitted() {
    let leaf = signer();
    let fingerprint = leaf.fingerprint().to_hex();
    let key = leaf.public_key().unwrap().fingerprint().to_hex();
    for (line, matched) in [
        ("san-email = \"*@ml.corp.example\"", "san-email:build@ml.corp.example"),
        ("san-email = [\"x@y\", \"other@corp.example\"]", "san-email:other@corp.example"),
        ("san-dns = [\"*.corp.example\"]", "san-dns:build.corp.example"),
        ("san-uri = \"spiffe://corp.example/build\"", "san-uri:spiffe://corp.example/build"),
        ("subject = \"CN=ml signer,O=Corp,C=DE\"", "subject:CN=ML Signer,O=Corp,C=DE"),
        ("issuer = [\"CN=b\", \"CN=ML CA, O=Corp\"]", "issuer:CN=ML CA,O=Corp"),
        (&format!("fingerprint = \"{fingerprint}\""), &format!("fingerprint:{fingerprint}")),
        (&format!("key-fingerprint = \"{key}\""), &format!("key-fingerprint:{key}")),
        ("san-uri = \"spiffe://*.example/build\"", "san-uri:spiffe://corp.example/build"),
        ("", "subject:CN=ML Signer,O=Corp,C=DE"),
    ] {
        assert_eq!(admits(line, &leaf).unwrap().to_string(), matched, "{line}");
    }
}

#[test]
fn each_key_refuses_what_does_not_fit() {
    let leaf = signer();
    for (line, key) in [
        ("san-email = \"*@corp.test\"", "san-email"),
        ("san-email = \"build.corp.example@x\"", "san-email"),
        ("san-dns = [\"corp.example\"]", "san-dns"),
        ("san-uri = \"spiffe://corp.example/build/\"", "san-uri"),
        ("subject = \"CN=ML Signer,O=Corp\"", "subject"),
        ("issuer = \"CN=ML Signer,O=Corp,C=DE\"", "issuer"),
        ("subject = \"CN=ML CA,O=Corp\"", "subject"),
        (&format!("fingerprint = \"{}\"", "00".repeat(32)), "fingerprint"),
        (&format!("key-fingerprint = \"{}\"", "00".repeat(32)), "key-fingerprint"),
        (&format!("key-fingerprint = \"{}\"", leaf.fingerprint()), "key-fingerprint"),
        ("san-uri = \"spiffe://*.corp.example/build\"", "san-uri"),
    ] {
        assert_eq!(admits(line, &leaf).unwrap_err().key, key, "{line}");
    }
    let error = admits("san-email = [\"a@corp.test\", \"*@b.test\"]", &leaf).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the certificate's san-email is other@corp.example or build@ml.corp.example, the policy \
         admits a@corp.test or *@b.test"
    );
}

#[test]
fn every_key_that_is_given_must_fit() {
    let leaf = signer();
    let both = "san-email = \"*@ml.corp.example\"\nsan-dns = \"*.corp.example\"";
    assert_eq!(
        admits(both, &leaf).unwrap().matched,
        ["san-email:build@ml.corp.example", "san-dns:build.corp.example"]
    );
    let one = "san-email = \"*@ml.corp.example\"\nsan-dns = \"*.other.example\"";
    assert_eq!(admits(one, &leaf).unwrap_err().key, "san-dns");
}

#[test]
fn a_certificate_without_the_names_that_are_asked_for_is_refused() {
    let bare = certificate(&[(DnType::CommonName, "build@ml.corp.example")], Vec::new());
    for line in
        ["san-email = \"*@ml.corp.example\"", "san-dns = \"*.corp.example\"", "san-uri = \"a:b\""]
    {
        let error = admits(line, &bare).unwrap_err();
        assert!(error.to_string().contains("is absent"), "{error}");
    }
}

#[test]
fn a_mismatch_cannot_carry_terminal_escapes() {
    let leaf = certificate(&[(DnType::CommonName, "a")], vec![email("\u{1b}[2J@x")]);
    let error = admits("san-email = \"a@b\"", &leaf).unwrap_err().to_string();
    assert!(!error.contains('\u{1b}'), "{error:?}");
}

#[test]
fn certificates_that_share_a_name_may_be_one_signer() {
    let of = |subject: &[(DnType, &str)], names| BorneNames::of(&certificate(subject, names));
    let named = |subject: &str, names| of(&[(DnType::CommonName, subject)], names);
    let emails = vec![email("anna@corp.example"), email("build@corp.example")];
    let anna = named("Anna A", emails);
    let address = DnType::CustomDnType(vec![1, 2, 840, 113_549, 1, 9, 1]);
    let user = |name: &str| SanType::OtherName((vec![1, 3, 6, 1, 5], name.into()));
    for (why, other) in [
        ("an address in another case", named("Anna 2", vec![email("Build@corp.example")])),
        ("the same subject, renewed", named("Anna A", Vec::new())),
        ("the subject in another case and spacing", named("anna   a", vec![email("x@y")])),
        ("an address in the subject", of(&[(address, "anna@corp.example")], Vec::new())),
    ] {
        assert!(anna.may_be_same(&other), "{why}");
        assert!(other.may_be_same(&anna), "{why}");
    }
    let berta = named("Berta", vec![email("berta@corp.example"), user("b")]);
    assert!(!anna.may_be_same(&berta));
    assert!(berta.may_be_same(&named("B", vec![user("b")])), "a name of a kind no rule asks for");
    assert!(!berta.may_be_same(&named("B", vec![user("c")])));
    let nameless = |address| of(&[], vec![email(address)]);
    assert!(!nameless("x@y").may_be_same(&nameless("z@y")), "an empty subject is no name");
}

#[test]
fn every_extended_key_usage_is_asked_for() {
    let with = |usages: Vec<ExtendedKeyUsagePurpose>| {
        let mut params = CertificateParams::default();
        params.extended_key_usages = usages;
        let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        Certificate::from_der(made.der()).unwrap()
    };
    let other = |last| ExtendedKeyUsagePurpose::Other(vec![1, 3, 6, 1, 4, 1, 99_999, last]);
    let code = || ExtendedKeyUsagePurpose::CodeSigning;
    let line = "extended-key-usage = [\"1.3.6.1.4.1.99999.2\", \"1.3.6.1.4.1.99999.3\"]";
    let admitted = admits(line, &with(vec![code(), other(3), other(2)])).unwrap();
    assert!(admitted.to_string().ends_with(
        "extended-key-usage:1.3.6.1.4.1.99999.2, extended-key-usage:1.3.6.1.4.1.99999.3"
    ));
    for usages in [
        vec![],
        vec![code(), other(2)],
        vec![code(), other(3), other(4)],
        vec![code(), ExtendedKeyUsagePurpose::Any],
    ] {
        let error = admits(line, &with(usages)).unwrap_err();
        assert_eq!(error.key, "extended-key-usage");
        let both = "admits 1.3.6.1.4.1.99999.2 with 1.3.6.1.4.1.99999.3";
        assert!(error.to_string().ends_with(both), "{error}");
    }
}

#[test]
fn hostile_names_are_never_the_one_that_is_asked_for() {
    for name in [
        "build@ml.corp.example\0",
        "build@ml.corp.example\0.evil.example",
        "build@ml.corp.example.",
        "build@ml.corp.example\n",
        " build@ml.corp.example",
        "\"build\"@ml.corp.example",
    ] {
        let leaf = certificate(&[(DnType::CommonName, "a")], vec![email(name)]);
        for pattern in ["build@ml.corp.example", "*@ml.corp.example"] {
            let line = format!("san-email = \"{pattern}\"");
            assert_eq!(admits(&line, &leaf).unwrap_err().key, "san-email", "{name:?}");
        }
    }
    for name in
        ["ml.corp.example\0", "a\0.corp.example", "ml.corp.example.", "xn--m-lla.corp.example"]
    {
        let leaf = certificate(&[(DnType::CommonName, "a")], vec![dns(name)]);
        for pattern in ["ml.corp.example", "*.corp.example"] {
            let line = format!("san-dns = \"{pattern}\"");
            assert_eq!(admits(&line, &leaf).unwrap_err().key, "san-dns", "{name:?}");
        }
    }
    // An international address (RFC 9598) is another kind of name.
    let smtp_utf8 =
        SanType::OtherName((vec![1, 3, 6, 1, 5, 5, 7, 8, 9], "build@ml.corp.example".into()));
    let leaf = certificate(&[(DnType::CommonName, "a")], vec![smtp_utf8]);
    assert!(admits("san-email = \"*@ml.corp.example\"", &leaf).is_err());
}
