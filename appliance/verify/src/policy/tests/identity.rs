//! What rules ask of certificates, by whole policies.

use rcgen::string::Ia5String;

use super::*;
use crate::policy::{AcceptedIdentity, IdentityMismatch, Method};

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
    for (line, matched) in [
        ("san-email = \"*@ml.corp.example\"", "san-email:build@ml.corp.example"),
        ("san-email = [\"x@y\", \"other@corp.example\"]", "san-email:other@corp.example"),
        ("san-dns = [\"*.corp.example\"]", "san-dns:build.corp.example"),
        ("san-uri = \"spiffe://corp.example/build\"", "san-uri:spiffe://corp.example/build"),
        ("subject = \"CN=ml signer,O=Corp,C=DE\"", "subject:CN=ML Signer,O=Corp,C=DE"),
        ("issuer = [\"CN=b\", \"CN=ML CA, O=Corp\"]", "issuer:CN=ML CA,O=Corp"),
        (&format!("fingerprint = \"{fingerprint}\""), &format!("fingerprint:{fingerprint}")),
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
    let of = |subject: &str, names| {
        admits("", &certificate(&[(DnType::CommonName, subject)], names)).unwrap()
    };
    let anna = of("Anna", vec![email("anna@corp.example"), email("build@corp.example")]);
    let also_anna = of("Anna 2", vec![email("Build@corp.example")]);
    let same_subject = of("anna", Vec::new());
    let berta = of("Berta", vec![email("berta@corp.example")]);
    assert!(anna.may_be_same(&also_anna));
    assert!(anna.may_be_same(&same_subject));
    assert!(!anna.may_be_same(&berta));
    let nameless = admits("", &certificate(&[], vec![email("x@y")])).unwrap();
    let other = admits("", &certificate(&[], vec![email("z@y")])).unwrap();
    assert!(!nameless.may_be_same(&other), "an empty subject is no name");
}
