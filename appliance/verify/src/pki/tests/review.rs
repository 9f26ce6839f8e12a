//! What is said about anchors, each remark from an anchor that deserves it and no other.

use rcgen::{CertificateParams, IsCa, KeyPair, KeyUsagePurpose, RsaKeySize};

use super::maker::{DAY, Entity, NOW, ca, leaf};
use crate::pki::manifest::{self, Entry};
use crate::pki::{Anchor, AnchorError, Remark, Severity, review};
use crate::time::{Span, UnixTime};

const AHEAD: Span = Span { seconds: 90 * DAY };

/// The names of the remarks about an anchor at a time.
fn remarks(anchor: &Anchor, time: UnixTime) -> Vec<&'static str> {
    review(anchor, time, AHEAD).iter().map(Remark::name).collect()
}

/// The same about a self-signed certificate with these parameters.
fn about(params: CertificateParams) -> Vec<&'static str> {
    remarks(&Entity::self_signed(params).anchor(), NOW)
}

fn without(usage: KeyUsagePurpose) -> CertificateParams {
    let mut params = ca("Root");
    params.key_usages.retain(|has| *has != usage);
    params
}

#[test]
fn validity_is_seen_ahead_to_the_second() {
    let anchor = Entity::self_signed(ca("Root")).anchor();
    let (from, to) = (anchor.certificate.not_before().0, anchor.certificate.not_after().0);
    for (time, expected) in [
        (from - 1, &["not-yet-valid"][..]),
        (from, &[]),
        (to - AHEAD.seconds, &[]),
        (to - AHEAD.seconds + 1, &["expires-soon"]),
        (to, &["expires-soon"]),
        (to + 1, &["expired"]),
    ] {
        assert_eq!(remarks(&anchor, UnixTime(time)), expected, "{time}");
    }
}

#[test]
fn an_anchor_is_a_ca_that_signs_certificates_and_crls() {
    assert_eq!(about(ca("Root")), [""; 0]);
    assert_eq!(about(without(KeyUsagePurpose::KeyCertSign)), ["no-cert-sign"]);
    assert_eq!(about(without(KeyUsagePurpose::CrlSign)), ["no-crl-sign"]);
    assert_eq!(about(leaf("Pinned")), ["not-a-ca"]);
    // Without the extensions: no CA, and every usage.
    let mut bare = ca("Root");
    bare.is_ca = IsCa::NoCa;
    bare.key_usages.clear();
    assert_eq!(about(bare), ["not-a-ca"]);
    let mut any_usage = ca("Root");
    any_usage.key_usages.clear();
    assert_eq!(about(any_usage), [""; 0]);
}

#[test]
fn an_rsa_key_has_3072_bits_or_is_remarked_on() {
    for (size, expected) in [(RsaKeySize::_2048, &["short-key"][..]), (RsaKeySize::_3072, &[])] {
        let key = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, size).unwrap();
        let root = Entity::self_signed_with(ca("Root"), key);
        assert_eq!(remarks(&root.anchor(), NOW), expected);
    }
}

/// A self-signed certificate in PEM, made by the openssl command.
fn openssl(arguments: &[&str]) -> Vec<u8> {
    let made = std::process::Command::new("openssl")
        .args(["req", "-x509", "-nodes", "-keyout", "/dev/null", "-subj", "/CN=Odd"])
        .args(["-days", "3650", "-addext", "keyUsage=keyCertSign,cRLSign"])
        .args(arguments)
        .output()
        .expect("openssl is installed (cargo xtask setup)");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    made.stdout
}

fn entry(file: &[u8], provenance: &str) -> Entry {
    let text = format!(
        "[[anchor]]\nname = \"root\"\nfile = \"root.pem\"\nsha256 = \"{}\"\n\
         purpose = [\"verdict\"]\nprovenance = {provenance:?}\n",
        crate::hash::Sha256Digest::of(file)
    );
    manifest::parse(&text).unwrap().remove(0)
}

/// The remarks about a file at the start of its validity.
fn about_file(file: &[u8]) -> Vec<Remark> {
    let anchor = Anchor::read(&entry(file, "minutes"), file).unwrap();
    review(&anchor, anchor.certificate.not_before(), AHEAD)
}

#[test]
fn a_short_rsa_key_and_an_unknown_curve_are_errors() {
    let [weak] = about_file(&openssl(&["-newkey", "rsa:1024", "-sha256"])).try_into().unwrap();
    assert_eq!((&weak, weak.severity()), (&Remark::WeakKey(1024), Severity::Error));
    let unknown = openssl(&["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp256k1"]);
    let [unusable] = about_file(&unknown).try_into().unwrap();
    assert_eq!((unusable.name(), unusable.severity()), ("unusable-key", Severity::Error));
}

#[test]
fn a_root_that_signed_itself_with_sha_1_is_only_noted() {
    let made = openssl(&["-newkey", "rsa:3072", "-sha1"]);
    let [noted] = about_file(&made).try_into().unwrap();
    assert_eq!((&noted, noted.severity()), (&Remark::WeakSignature("SHA-1"), Severity::Note));
}

#[test]
fn an_anchor_without_provenance_is_remarked_on() {
    let pem = openssl(&["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"]);
    let anchor = Anchor::read(&entry(&pem, " "), &pem).unwrap();
    assert_eq!(remarks(&anchor, anchor.certificate.not_before()), ["no-provenance"]);
}

#[test]
fn an_anchor_is_one_certificate_with_the_digest_that_is_pinned() {
    let pem = openssl(&["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"]);
    let der = Anchor::read(&entry(&pem, "x"), &pem).unwrap().certificate.der().to_vec();
    assert_eq!(Anchor::read(&entry(&der, "x"), &der).unwrap().certificate.der(), der);
    let two = [pem.as_slice(), pem.as_slice()].concat();
    assert_eq!(Anchor::read(&entry(&two, "x"), &two).unwrap_err(), AnchorError::Several(2));
    let other = Anchor::read(&entry(&pem, "x"), &two).unwrap_err();
    assert!(matches!(other, AnchorError::Digest { .. }), "{other}");
    for none in [&b"text"[..], b"", &[0x30, 0x82]] {
        let error = Anchor::read(&entry(none, "x"), none).unwrap_err();
        assert!(matches!(error, AnchorError::Certificate(_)), "{error}");
    }
}
