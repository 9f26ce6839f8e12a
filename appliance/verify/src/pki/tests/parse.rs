//! Reading certificates and CRLs.

use const_oid::ObjectIdentifier;
use der::{Any, Decode, Encode, Tag};
use rcgen::{CustomExtension, SanType};

use super::maker::{Entity, ThreeTiers, ca, extension, leaf, utc};
use crate::hash::Sha256Digest;
use crate::pki::{
    Certificate, CertificateError, Crl, CrlError, CrlNumber, RevocationReason, Unsupported,
};
use crate::time::UnixTime;

fn pem(label: &str, der: &[u8]) -> String {
    der::pem::encode_string(label, der::pem::LineEnding::CRLF, der).unwrap()
}

#[test]
fn trailing_and_missing_bytes_are_refused() {
    let der = Entity::self_signed(leaf("Signer")).certificate.der().to_vec();
    let mut longer = der.clone();
    longer.push(0);
    assert_eq!(Certificate::from_der(&longer), Err(CertificateError::Der));
    for end in 0..der.len() {
        assert!(Certificate::from_der(&der[..end]).is_err(), "{end}");
    }
}

#[test]
fn no_changed_byte_makes_reading_panic() {
    let der = Entity::self_signed(leaf("Signer")).certificate.der().to_vec();
    for at in 0..der.len() {
        for value in [0, 0x30, 0x7f, 0x80, 0xff] {
            let mut changed = der.clone();
            changed[at] = value;
            let _ = Certificate::from_der(&changed);
            let _ = Crl::parse(&changed);
        }
    }
}

#[test]
fn an_explicit_default_is_not_der() {
    let mut params = leaf("Signer");
    let mut odd = CustomExtension::from_oid_content(&[1, 2, 3], vec![5, 0]);
    odd.set_criticality(true);
    params.custom_extensions = vec![odd];
    let mut der = Entity::self_signed(params).certificate.der().to_vec();
    let pattern = [0x06, 0x02, 0x2a, 0x03, 0x01, 0x01, 0xff];
    let at = der.windows(pattern.len()).position(|window| window == pattern).unwrap();
    der[at + pattern.len() - 1] = 0;
    assert_eq!(Certificate::from_der(&der), Err(CertificateError::NotCanonical));
}

#[test]
fn an_extension_may_be_there_once() {
    let mut params = leaf("Signer");
    let odd = |content| CustomExtension::from_oid_content(&[1, 2, 3], content);
    params.custom_extensions =
        vec![odd(vec![5, 0]), CustomExtension::from_oid_content(&[1, 2, 4], vec![5, 0])];
    let mut der = Entity::self_signed(params).certificate.der().to_vec();
    let pattern = [0x06, 0x02, 0x2a, 0x04];
    let at = der.windows(pattern.len()).position(|window| window == pattern).unwrap();
    der[at + 3] = 0x03;
    let twice = ObjectIdentifier::new_unwrap("1.2.3");
    let error = Certificate::from_der(&der).unwrap_err();
    assert_eq!(error, CertificateError::DuplicateExtension(twice));
    assert_eq!(error.code().id(), "signature.duplicate-extension");
}

#[test]
fn a_malformed_extension_is_refused() {
    let mut params = leaf("Signer");
    params.key_usages.clear();
    params.custom_extensions =
        vec![CustomExtension::from_oid_content(&[2, 5, 29, 15], vec![0x03, 0x00])];
    let made = params.self_signed(&super::maker::new_key()).unwrap();
    let usage = ObjectIdentifier::new_unwrap("2.5.29.15");
    assert_eq!(Certificate::from_der(made.der()), Err(CertificateError::Extension(usage)));
}

#[test]
fn only_version_three_is_read() {
    let mut der = Entity::self_signed(leaf("Signer")).certificate.der().to_vec();
    let pattern = [0xa0, 0x03, 0x02, 0x01, 0x02];
    let at = der.windows(pattern.len()).position(|window| window == pattern).unwrap();
    der[at + 4] = 1;
    assert_eq!(Certificate::from_der(&der), Err(CertificateError::Version));
}

#[test]
fn names_and_dates_can_be_read() {
    let mut params = leaf("Signer");
    params.subject_alt_names = vec![
        SanType::Rfc822Name("a@ml.example".try_into().unwrap()),
        SanType::DnsName("ml.example".try_into().unwrap()),
        SanType::URI("https://ml.example/x".try_into().unwrap()),
    ];
    let root = Entity::self_signed(ca("Root"));
    let certificate = root.issue(params).certificate;
    assert_eq!(certificate.subject(), "CN=Signer,O=Example");
    assert_eq!(certificate.issuer(), "CN=Root,O=Example");
    assert_eq!(certificate.san_emails(), ["a@ml.example"]);
    assert_eq!(certificate.san_dns(), ["ml.example"]);
    assert_eq!(certificate.san_uris(), ["https://ml.example/x"]);
    assert_eq!(certificate.not_before().to_string(), "2029-01-01T00:00:00Z");
    assert_eq!(certificate.not_after().to_string(), "2031-01-01T00:00:00Z");
    assert!(!certificate.is_self_issued() && root.certificate.is_self_issued());
    assert!(!certificate.is_ca() && root.certificate.is_ca());
}

#[test]
fn a_pem_text_holds_one_certificate_or_more() {
    let pki = ThreeTiers::new();
    let one = pem("CERTIFICATE", pki.leaf.certificate.der());
    let two = pem("CERTIFICATE", pki.middle.certificate.der());
    let text = format!("subject=x\n{one}junk\n{two}");
    let read = Certificate::many_from_pem(text.as_bytes()).unwrap();
    assert_eq!(read, [pki.leaf.certificate.clone(), pki.middle.certificate.clone()]);
    let read = |text: &str| Certificate::many_from_pem(text.as_bytes());
    assert_eq!(read(""), Err(CertificateError::NoPemBlock));
    assert_eq!(read(&one.replace("CERTIFICATE", "X509 CRL")), Err(CertificateError::NoPemBlock));
    assert_eq!(read(&one.replace("-----END", "-----FIN")), Err(CertificateError::Pem));
    assert_eq!(read(&one.replacen('M', "*", 1)), Err(CertificateError::Pem));
    assert_eq!(read(&one.repeat(64)).unwrap().len(), 64);
    assert_eq!(read(&one.repeat(65)), Err(CertificateError::TooMany));
}

#[test]
fn crls_are_read_from_der_and_pem() {
    let root = Entity::self_signed(ca("Root"));
    let entry = x509_cert::crl::RevokedCert {
        serial_number: x509_cert::serial_number::SerialNumber::new(&[5, 6]).unwrap(),
        revocation_date: utc("290601000000Z"),
        crl_entry_extensions: Some(vec![extension("2.5.29.21", false, &[0x0a, 0x01, 0x01])]),
    };
    let der =
        root.odd_crl(vec![extension("2.5.29.20", false, &[0x02, 0x02, 0x01, 0x00])], vec![entry]);
    let crl = Crl::parse(&der).unwrap().remove(0);
    assert_eq!(crl.issuer(), "CN=Root,O=Example");
    assert_eq!(crl.number(), Some(&CrlNumber::from_be_bytes(&[0, 1, 0])));
    assert!(CrlNumber::from_be_bytes(&[1, 0]) > CrlNumber::from_be_bytes(&[255]));
    assert_eq!(crl.this_update().to_string(), "2029-12-31T00:00:00Z");
    assert_eq!(crl.next_update().unwrap().to_string(), "2030-01-08T00:00:00Z");
    assert_eq!((crl.len(), crl.unsupported()), (1, None));
    let found = crl.entry(&[5, 6]).unwrap();
    assert_eq!(found.reason, RevocationReason::KeyCompromise);
    assert_eq!(found.date, UnixTime::parse_rfc3339("2029-06-01T00:00:00Z").unwrap());
    assert_eq!(crl.entry(&[5]), None);

    let text = pem("X509 CRL", &der).repeat(2);
    assert_eq!(Crl::parse(text.as_bytes()).unwrap().len(), 2);
    assert_eq!(Crl::parse(b"").unwrap_err(), CrlError::NoPemBlock);
    assert_eq!(Crl::parse(b"-----BEGIN X509 CRL-----").unwrap_err(), CrlError::Pem);
    assert!(Crl::parse(&der[..der.len() - 1]).is_err());
    let mut longer = der.clone();
    longer.push(0);
    assert_eq!(Crl::parse(&longer).unwrap_err(), CrlError::Der);
}

#[test]
fn every_entry_of_a_long_crl_is_found() {
    let root = Entity::self_signed(ca("Root"));
    let entries = (1..=5000_u32)
        .rev()
        .map(|serial| x509_cert::crl::RevokedCert {
            serial_number: x509_cert::serial_number::SerialNumber::new(&(serial * 3).to_be_bytes())
                .unwrap(),
            revocation_date: utc("290601000000Z"),
            crl_entry_extensions: None,
        })
        .collect();
    let crl = Crl::parse(&root.odd_crl(vec![], entries)).unwrap().remove(0);
    for serial in 1..=5000_u32 {
        let bytes = |n: u32| {
            x509_cert::serial_number::SerialNumber::<x509_cert::certificate::Rfc5280>::new(
                &n.to_be_bytes(),
            )
            .unwrap()
            .as_bytes()
            .to_vec()
        };
        assert!(crl.entry(&bytes(serial * 3)).is_some(), "{serial}");
        assert!(crl.entry(&bytes(serial * 3 + 1)).is_none(), "{serial}");
    }
}

#[test]
fn crls_that_are_not_supported_say_why() {
    let root = Entity::self_signed(ca("Root"));
    let odd = |oid: &str, critical, value: &[u8]| {
        Crl::parse(&root.odd_crl(vec![extension(oid, critical, value)], vec![]))
            .unwrap()
            .remove(0)
            .unsupported()
    };
    assert_eq!(odd("2.5.29.27", true, &[0x02, 0x01, 0x01]), Some(Unsupported::Delta));
    assert_eq!(
        odd("2.5.29.28", true, &[0x30, 0x03, 0x84, 0x01, 0xff]),
        Some(Unsupported::Indirect)
    );
    assert_eq!(
        odd("2.5.29.28", true, &[0x30, 0x04, 0x83, 0x02, 0x06, 0x40]),
        Some(Unsupported::SomeReasons)
    );
    assert_eq!(
        odd("2.5.29.28", true, &[0x30, 0x03, 0x85, 0x01, 0xff]),
        Some(Unsupported::AttributeCertificates)
    );
    let oid = ObjectIdentifier::new_unwrap("1.2.3");
    assert_eq!(odd("1.2.3", true, &[5, 0]), Some(Unsupported::CriticalExtension(oid)));
    assert_eq!(odd("1.2.3", false, &[5, 0]), None);

    let entry = |ext| x509_cert::crl::RevokedCert {
        serial_number: x509_cert::serial_number::SerialNumber::new(&[5]).unwrap(),
        revocation_date: utc("290601000000Z"),
        crl_entry_extensions: Some(vec![ext]),
    };
    let with =
        |ext| Crl::parse(&root.odd_crl(vec![], vec![entry(ext)])).unwrap().remove(0).unsupported();
    assert_eq!(with(extension("2.5.29.29", true, &[0x30, 0])), Some(Unsupported::Indirect));
    assert_eq!(
        with(extension("1.2.3", true, &[5, 0])),
        Some(Unsupported::CriticalEntryExtension(oid))
    );
    assert_eq!(with(extension("1.2.3", false, &[5, 0])), None);
    let twice = vec![extension("1.2.3", false, &[5, 0]), extension("1.2.3", false, &[5, 0])];
    assert_eq!(
        Crl::parse(&root.odd_crl(twice, vec![])).unwrap_err(),
        CrlError::DuplicateExtension(oid)
    );
}

#[test]
fn a_crl_names_one_algorithm_and_ends_where_it_ends() {
    let root = Entity::self_signed(ca("Root"));
    let der = root.odd_crl(vec![], vec![]);
    let ecdsa_with_sha256 = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
    let mut two_algorithms = der.clone();
    let outer = der.windows(10).rposition(|window| window == ecdsa_with_sha256).unwrap();
    two_algorithms[outer + 9] = 0x03;
    assert_eq!(Crl::parse(&two_algorithms).unwrap_err(), CrlError::AlgorithmMismatch);

    // A NULL after the last field of TBSCertList.
    let parts = Vec::<Any>::from_der(&der).unwrap();
    let mut inner = parts[0].value().to_vec();
    inner.extend([5, 0]);
    let (algorithm, signature) = (parts[1].clone(), parts[2].clone());
    let longer = vec![Any::new(Tag::Sequence, inner).unwrap(), algorithm, signature];
    assert_eq!(Crl::parse(&longer.to_der().unwrap()).unwrap_err(), CrlError::Der);

    // A NULL after the signature.
    let mut outer = parts.clone();
    outer.push(Any::null());
    assert_eq!(Crl::parse(&outer.to_der().unwrap()).unwrap_err(), CrlError::Der);

    let version_two = der.windows(3).position(|window| window == [2, 1, 1]).unwrap();
    let mut version_one = der.clone();
    version_one[version_two + 2] = 0;
    assert!(Crl::parse(&version_one).is_err());
    // Version 1 is the absence of the field, and knows no extensions.
    let fields = parts[0].value().strip_prefix(&[2, 1, 1]).unwrap();
    let (algorithm, signature) = (parts[1].clone(), parts[2].clone());
    let version_one = vec![Any::new(Tag::Sequence, fields).unwrap(), algorithm, signature];
    assert_eq!(Crl::parse(&version_one.to_der().unwrap()).unwrap_err(), CrlError::Version);
    let with_extension = x509_cert::crl::RevokedCert {
        serial_number: x509_cert::serial_number::SerialNumber::new(&[5]).unwrap(),
        revocation_date: utc("290601000000Z"),
        crl_entry_extensions: Some(vec![extension("2.5.29.21", false, &[0x0a, 1, 1])]),
    };
    let version_one = root.crl_of_version_1(vec![with_extension]);
    assert_eq!(Crl::parse(&version_one).unwrap_err(), CrlError::Version);
}

#[test]
fn a_crl_that_is_too_large_is_not_looked_at() {
    let bytes = vec![0x30; Crl::MOST_BYTES + 1];
    assert_eq!(Crl::parse(&bytes).unwrap_err(), CrlError::TooLarge(bytes.len()));
}

#[test]
fn the_worst_of_two_entries_for_one_serial_number_counts() {
    let root = Entity::self_signed(ca("Root"));
    let entry = |date: &str, reason| x509_cert::crl::RevokedCert {
        serial_number: x509_cert::serial_number::SerialNumber::new(&[5]).unwrap(),
        revocation_date: utc(date),
        crl_entry_extensions: Some(vec![extension("2.5.29.21", false, &[0x0a, 1, reason])]),
    };
    let superseded = entry("290601000000Z", 4);
    let compromised = entry("290701000000Z", 1);
    for entries in [
        vec![superseded.clone(), compromised.clone()],
        vec![compromised.clone(), superseded.clone()],
    ] {
        let crl = Crl::parse(&root.odd_crl(vec![], entries)).unwrap().remove(0);
        let found = crl.entry(&[5]).unwrap();
        assert_eq!(found.date.to_string(), "2029-06-01T00:00:00Z");
        assert_eq!(found.reason, RevocationReason::KeyCompromise);
    }
}

#[test]
fn serial_numbers_that_begin_alike_are_told_apart() {
    let root = Entity::self_signed(ca("Root"));
    let serial = |last: &[u8]| [&[0x7f; 8], last].concat();
    let serials: Vec<Vec<u8>> =
        (0..=255_u8).map(|last| serial(&[last])).chain([serial(&[]), serial(&[7, 7])]).collect();
    let entries = serials.iter().rev().map(|serial| x509_cert::crl::RevokedCert {
        serial_number: x509_cert::serial_number::SerialNumber::new(serial).unwrap(),
        revocation_date: utc("290601000000Z"),
        crl_entry_extensions: None,
    });
    let crl = Crl::parse(&root.odd_crl(vec![], entries.collect())).unwrap().remove(0);
    assert_eq!(crl.len(), 258);
    assert!(serials.iter().all(|serial| crl.entry(serial).is_some()));
    for absent in [serial(&[7, 8]), vec![0x7f; 7], vec![0x7f; 7 + 3], vec![], vec![0xff; 64]] {
        let is_listed = serials.contains(&absent);
        assert_eq!(crl.entry(&absent).is_some(), is_listed, "{absent:02x?}");
    }
}

/// `cargo test --release -p oms-verify million -- --ignored --nocapture`
#[test]
#[ignore = "a measurement: a million entries"]
fn a_crl_of_a_million_entries_is_read_and_searched() {
    let root = Entity::self_signed(ca("Root"));
    let serial = |n: u32| Sha256Digest::of(&n.to_be_bytes()).0[..16].to_vec();
    let entries = (0..1_000_000).map(|n| x509_cert::crl::RevokedCert {
        serial_number: x509_cert::serial_number::SerialNumber::new(&serial(n)).unwrap(),
        revocation_date: utc("290601000000Z"),
        crl_entry_extensions: Some(vec![extension("2.5.29.21", false, &[0x0a, 1, 1])]),
    });
    let der = root.odd_crl(vec![], entries.collect());
    let start = std::time::Instant::now();
    let crl = Crl::parse(&der).unwrap().remove(0);
    println!("{} bytes, {} entries: read in {:?}", der.len(), crl.len(), start.elapsed());
    let start = std::time::Instant::now();
    let key = |n| {
        x509_cert::serial_number::SerialNumber::<x509_cert::certificate::Rfc5280>::new(&serial(n))
            .unwrap()
            .as_bytes()
            .to_vec()
    };
    assert!((0..100_000).all(|n| crl.entry(&key(n)).is_some()));
    assert!((1_000_000..1_100_000).all(|n| crl.entry(&key(n)).is_none()));
    println!("200,000 look-ups in {:?}", start.elapsed());
}

#[test]
fn a_name_has_a_bounded_number_of_attributes() {
    let made = |attributes: u32| {
        let mut params = leaf("Signer");
        params.distinguished_name = rcgen::DistinguishedName::new();
        for number in 0..attributes {
            let kind = rcgen::DnType::CustomDnType(vec![2, 25, u64::from(number)]);
            params.distinguished_name.push(kind, "x");
        }
        let made = params.self_signed(&super::maker::new_key()).unwrap();
        Certificate::from_der(made.der())
    };
    assert!(made(128).is_ok());
    assert_eq!(made(129), Err(CertificateError::LongName));
}

#[test]
fn an_issuer_has_a_name() {
    let mut params = leaf("Signer");
    params.distinguished_name = rcgen::DistinguishedName::new();
    let made = params.self_signed(&super::maker::new_key()).unwrap();
    assert_eq!(Certificate::from_der(made.der()), Err(CertificateError::NoIssuer));
}
