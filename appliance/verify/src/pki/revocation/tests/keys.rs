//! CRLs that another key of the issuer signed.

use rcgen::KeyUsagePurpose;

use super::{Scene, of_day};
use crate::pki::tests::maker::{Entity, ca, leaf, same_key};
use crate::pki::{Crl, RevocationMode};

/// A root, an intermediate with its old and its new key, and a leaf under the old one.
struct Renewed {
    root: Entity,
    old: Entity,
    new: Entity,
    leaf: Entity,
}

impl Renewed {
    fn new() -> Self {
        let root = Entity::self_signed(ca("Root"));
        let (old, new) = (root.issue(ca("Middle")), root.issue(ca("Middle")));
        let leaf = old.issue(leaf("Signer"));
        Renewed { root, old, new, leaf }
    }

    fn scene(&self) -> Scene<'_> {
        let mut scene = Scene::new([&self.leaf, &self.old, &self.root]);
        scene.chain.push(&self.new);
        scene
    }
}

#[test]
fn a_crl_by_the_new_key_is_followed_to_the_anchor() {
    let pki = Renewed::new();
    let of_root = of_day(&pki.root, 20, &[]);
    let by_new = of_day(&pki.new, 20, &[]);
    assert!(pki.scene().is_good(&[&of_root, &by_new]));
    let revoking = of_day(&pki.new, 20, &[&pki.leaf]);
    assert_eq!(pki.scene().code(&[&of_root, &revoking]), "revocation.revoked");
    // Nobody knows the new key.
    let mut without = pki.scene();
    without.chain.pop();
    assert_eq!(without.code(&[&of_root, &by_new]), "revocation.crl-signature");
}

#[test]
fn the_signer_of_a_crl_is_checked_like_any_issuer() {
    let pki = Renewed::new();
    let by_new = of_day(&pki.new, 20, &[]);
    // Its own status: unknown, and revoked.
    assert_eq!(pki.scene().code(&[&by_new]), "revocation.crl-signature");
    let revoked = of_day(&pki.root, 20, &[&pki.new]);
    assert_eq!(pki.scene().code(&[&revoked, &by_new]), "revocation.crl-signature");
    let mut lax = pki.scene();
    lax.mode = RevocationMode::IfAvailable;
    assert!(lax.is_good(&[&by_new]));
    assert!(matches!(
        lax.status(&[&revoked, &by_new]),
        Ok(crate::pki::RevocationStatus::NotChecked(_))
    ));

    // Without cRLSign; expired; under another root; a leaf of the same name.
    let of_root = of_day(&pki.root, 20, &[]);
    let mut no_crl_sign = ca("Middle");
    no_crl_sign.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let mut expired = ca("Middle");
    expired.not_after = rcgen::date_time_ymd(2029, 12, 25);
    let stranger = Entity::self_signed(ca("Stranger"));
    for odd in [
        pki.root.issue_with(no_crl_sign, same_key(&pki.new.key)),
        pki.root.issue_with(expired, same_key(&pki.new.key)),
        stranger.issue_with(ca("Middle"), same_key(&pki.new.key)),
        Entity::self_signed_with(ca("Middle"), same_key(&pki.new.key)),
    ] {
        let mut scene = pki.scene();
        scene.chain.pop();
        scene.chain.extend([&odd, &stranger]);
        let of_stranger = of_day(&stranger, 20, &[]);
        let code = scene.code(&[&of_root, &of_stranger, &by_new]);
        assert_eq!(code, "revocation.crl-signature");
        // Even where another policy's anchor would vouch for it.
        scene.anchors.push(&stranger);
        let code = scene.code(&[&of_root, &of_stranger, &by_new]);
        assert_eq!(code, "revocation.crl-signature");
    }
}

#[test]
fn either_key_may_be_the_one_that_knows() {
    let pki = Renewed::new();
    let of_root = of_day(&pki.root, 20, &[]);
    for (by_old, by_new) in [(&[&pki.leaf][..], &[][..]), (&[], &[&pki.leaf])] {
        for (old_day, new_day) in [(10, 20), (20, 10)] {
            let old = of_day(&pki.old, old_day, by_old);
            let new = of_day(&pki.new, new_day, by_new);
            assert_eq!(pki.scene().code(&[&of_root, &old, &new]), "revocation.revoked");
        }
    }
    // Of one key, the newest alone counts.
    let (older, newer) = (of_day(&pki.old, 10, &[&pki.leaf]), of_day(&pki.old, 20, &[]));
    assert!(!pki.scene().is_good(&[&of_root, &older]));
    assert!(pki.scene().is_good(&[&of_root, &older, &newer]));
}

#[test]
fn a_renewed_root_signs_for_the_old_one_when_both_are_anchors_or_a_link_leads_there() {
    let old = Entity::self_signed(ca("Root"));
    let new = Entity::self_signed(ca("Root"));
    let leaf = old.issue(leaf("Signer"));
    let by_new = of_day(&new, 20, &[]);
    let mut scene = Scene::new([&leaf, &old, &old]);
    assert_eq!(scene.code(&[&by_new]), "revocation.crl-signature");
    scene.anchors.push(&new);
    assert!(scene.is_good(&[&by_new]));

    // The new key signed by the old one; its status is in the very CRL.
    let link = old.issue_with(ca("Root"), same_key(&new.key));
    scene.anchors.pop();
    scene.chain.push(&link);
    assert!(scene.is_good(&[&by_new]));
    let against_link = of_day(&new, 20, &[&link]);
    assert_eq!(scene.code(&[&against_link]), "revocation.crl-signature");
}

#[test]
fn certificates_of_the_same_name_cost_no_more_than_the_budget() {
    let pki = Renewed::new();
    let by_stranger = of_day(&Entity::self_signed(ca("Middle")), 20, &[]);
    let crowd: Vec<Entity> = (0..14).map(|_| Entity::self_signed(ca("Middle"))).collect();
    let mut scene = pki.scene();
    scene.chain.extend(crowd.iter());
    assert!(scene.status(&[&by_stranger]).is_err());
}

#[test]
fn another_ca_below_the_anchor_does_not_speak_for_this_one() {
    let pki = Renewed::new();
    let hostile = pki.root.issue(ca("Hostile"));
    let named_root = hostile.issue(ca("Root"));
    for (impostor, above) in
        [(hostile.issue(ca("Middle")), &hostile), (named_root.issue(ca("Middle")), &named_root)]
    {
        let mut scene = pki.scene();
        scene.chain = vec![&pki.leaf, &pki.old, &impostor, above, &hostile];
        let crls = [
            of_day(&pki.root, 20, &[]),
            of_day(&hostile, 20, &[]),
            of_day(&named_root, 20, &[]),
            of_day(&impostor, 20, &[]),
        ];
        assert_eq!(scene.code(&crls.each_ref()), "revocation.crl-signature");
        scene.mode = RevocationMode::IfAvailable;
        let revoking = of_day(&impostor, 20, &[&pki.leaf]);
        assert!(scene.status(&[&crls[0], &crls[1], &crls[2], &revoking]).is_ok());
    }
}

#[test]
fn a_certificate_of_the_name_signs_crls_when_it_is_a_ca_or_says_so() {
    let pki = Renewed::new();
    let of_root = of_day(&pki.root, 20, &[]);
    for (usages, good) in [
        (vec![], false),
        (vec![KeyUsagePurpose::DigitalSignature], false),
        (vec![KeyUsagePurpose::CrlSign], true),
    ] {
        let mut params = leaf("Middle");
        params.extended_key_usages = vec![];
        params.key_usages = usages.clone();
        let signer = pki.root.issue(params);
        let mut scene = pki.scene();
        scene.chain = vec![&pki.leaf, &pki.old, &signer];
        let crl = Crl::parse(&signer.odd_crl(vec![], vec![])).unwrap().remove(0);
        assert_eq!(scene.is_good(&[&of_root, &crl]), good, "{usages:?}");
    }
}
