//! The targets themselves: good inputs reach what is behind the parsers, and cut ones end well.

use std::fs;

use oms_testkit::pki::{Authority, CrlProfile, KeyType, Profile};
use oms_testkit::vectors::workspace;
use oms_verify::pki::{Certificate, Crl};

use super::*;

/// A root, an authority below it, a leaf, and a CRL of the root.
fn pki() -> Vec<Vec<u8>> {
    let root = Authority::root(Profile::ca("Root"), KeyType::P256);
    let signing = root.intermediate(Profile::ca("Signing"), KeyType::P256);
    let leaf = signing.issue(Profile::code_signing("Leaf").email("a@b.example"), KeyType::P256);
    let crl = root.crl(CrlProfile::new(1).revoke(&signing.certificate));
    vec![leaf.certificate.der, signing.certificate.der, root.certificate.der, crl.der]
}

#[test]
fn every_target_comes_back_from_good_and_cut_inputs() {
    let chain = join(pki());
    let policy = fs::read(workspace().join("policies/prod.toml")).unwrap();
    let crl = pki().pop().unwrap();
    assert!(Crl::parse(&crl).is_ok());
    for (_, target) in TARGETS {
        for input in [&chain, &policy, &crl] {
            for end in (0..input.len()).step_by(97).chain([input.len()]) {
                target(&input[..end]);
            }
        }
    }
}

#[test]
fn a_chain_is_signed_anew_as_it_was() {
    let chain = pki();
    let pieces: Vec<_> = chain.iter().take(3).map(|der| path::Fields::of(der).unwrap()).collect();
    let leaf = pieces[0].signed(0, (1, &pieces[1])).unwrap();
    let leaf = Certificate::from_der(&leaf).unwrap();
    let before = Certificate::from_der(&chain[0]).unwrap();
    assert_eq!((leaf.subject(), leaf.issuer()), (before.subject(), before.issuer()));
    assert_eq!(leaf.san_emails(), before.san_emails());
    assert_ne!(leaf.public_key().unwrap(), before.public_key().unwrap());
}
