//! CRLs that do not list everything, and those of version 1.

use super::{Scene, of_day};
use crate::pki::tests::maker::{Entity, ThreeTiers, extension, utc};
use crate::pki::{Crl, RevocationMode, RevocationStatus};
use x509_cert::crl::RevokedCert;
use x509_cert::serial_number::SerialNumber;

/// A delta CRL, or one for some reasons, that lists `revoked` with this reason.
fn partial(issuer: &Entity, oid: &str, value: &[u8], revoked: Option<(&Entity, u8)>) -> Crl {
    let entries = revoked.into_iter().map(|(entity, reason)| RevokedCert {
        serial_number: SerialNumber::new(entity.certificate.serial()).unwrap(),
        revocation_date: utc("290601000000Z"),
        crl_entry_extensions: Some(vec![extension("2.5.29.21", false, &[0x0a, 1, reason])]),
    });
    let der = issuer.odd_crl(vec![extension(oid, true, value)], entries.collect());
    Crl::parse(&der).unwrap().remove(0)
}

#[test]
fn partial_crls_prove_revocation_and_nothing_else() {
    let pki = ThreeTiers::new();
    let mut scene = Scene::new([&pki.leaf, &pki.middle, &pki.root]);
    let complete = of_day(&pki.middle, 20, &[]);
    for (oid, value) in [("2.5.29.27", &[2, 1, 1][..]), ("2.5.29.28", &[0x30, 4, 0x83, 2, 6, 0x40])]
    {
        let of = |revoked| partial(&pki.middle, oid, value, revoked);
        let (silent, revoking) = (of(None), of(Some((&pki.leaf, 4))));
        let other = of(Some((&pki.middle, 4)));
        let ends_hold = of(Some((&pki.leaf, 8)));
        for mode in [RevocationMode::Require, RevocationMode::IfAvailable] {
            scene.mode = mode;
            assert!(scene.is_good(&[&complete, &silent]));
            assert!(scene.is_good(&[&complete, &other]));
            assert!(scene.is_good(&[&complete, &ends_hold]));
            assert_eq!(scene.code(&[&complete, &revoking]), "revocation.revoked");
            assert_eq!(scene.code(&[&revoking]), "revocation.revoked");
        }
        for alone in [&silent, &other, &ends_hold] {
            let status = scene.status(&[alone]);
            assert!(matches!(status, Ok(RevocationStatus::NotChecked(_))), "{status:?}");
        }
        scene.mode = RevocationMode::Require;
        for alone in [&silent, &other, &ends_hold] {
            assert_eq!(scene.code(&[alone]), "revocation.unsupported");
        }
    }
    // By nobody who may say so.
    let forged = partial(
        &Entity::self_signed(crate::pki::tests::maker::ca("Middle")),
        "2.5.29.27",
        &[2, 1, 1],
        Some((&pki.leaf, 1)),
    );
    assert!(scene.is_good(&[&complete, &forged]));
}

#[test]
fn a_crl_of_version_2_has_a_number_that_is_not_critical() {
    let pki = ThreeTiers::new();
    let scene = Scene::new([&pki.leaf, &pki.middle, &pki.root]);
    let parse = |der: &[u8]| Crl::parse(der).unwrap().remove(0);
    let none = parse(&pki.middle.signed_crl(|_| ()));
    let critical =
        parse(&pki.middle.odd_crl(vec![extension("2.5.29.20", true, &[2, 1, 7])], vec![]));
    for odd in [&none, &critical] {
        assert_eq!(scene.code(&[odd]), "revocation.unsupported");
    }
    let good = parse(&pki.middle.odd_crl(vec![], vec![]));
    assert!(scene.is_good(&[&good]));
}

#[test]
fn a_crl_of_version_1_counts() {
    let pki = ThreeTiers::new();
    let scene = Scene::new([&pki.leaf, &pki.middle, &pki.root]);
    let version_one = |revoked: &[&Entity]| {
        let entries: Vec<RevokedCert> = revoked
            .iter()
            .map(|entity| RevokedCert {
                serial_number: SerialNumber::new(entity.certificate.serial()).unwrap(),
                revocation_date: utc("290601000000Z"),
                crl_entry_extensions: None,
            })
            .collect();
        let der = pki.middle.crl_of_version_1(entries);
        Crl::parse(&der).unwrap().remove(0)
    };
    assert!(scene.is_good(&[&version_one(&[])]));
    assert_eq!(scene.code(&[&version_one(&[&pki.leaf])]), "revocation.revoked");
}
