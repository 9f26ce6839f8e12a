//! With a proven time of the signature.

use der::Encode;
use rcgen::{RevocationReason, date_time_ymd};

use super::{Scene, dated, entry, of_day};
use crate::pki::tests::maker::{DAY, Entity, NOW, ThreeTiers, ca, extension, leaf};
use crate::pki::{Crl, Proof, RevocationMode, RevocationStatus};
use crate::time::UnixTime;

fn time(text: &str) -> UnixTime {
    UnixTime::parse_rfc3339(&format!("{text}T00:00:00Z")).unwrap()
}

fn proven(day: &str) -> Option<Proof> {
    Some(Proof { time: time(day), excuses_expiry: true, excuses_revocation: true })
}

#[test]
fn a_later_revocation_for_a_harmless_reason_is_excused() {
    use RevocationReason as R;
    let pki = ThreeTiers::new();
    let mut scene = Scene::new([&pki.leaf, &pki.middle, &pki.root]);
    scene.proof = proven("2029-05-31");
    let revoked = |reason| {
        pki.middle.crl(&[], |crl| {
            dated(crl, 20);
            crl.revoked_certs.push(entry(&pki.leaf, reason));
        })
    };
    for reason in
        [R::AffiliationChanged, R::Superseded, R::CessationOfOperation, R::PrivilegeWithdrawn]
    {
        let status = scene.status(&[&revoked(reason)]);
        assert!(matches!(status, Ok(RevocationStatus::RevokedSince { .. })), "{status:?}");
    }
    for reason in [
        R::Unspecified,
        R::KeyCompromise,
        R::CaCompromise,
        R::CertificateHold,
        R::RemoveFromCrl,
        R::AaCompromise,
    ] {
        assert_eq!(scene.code(&[&revoked(reason)]), "revocation.revoked", "{reason:?}");
    }
    let superseded = revoked(R::Superseded);
    // The moment of the revocation itself is too late.
    scene.proof = proven("2029-06-01");
    assert_eq!(scene.code(&[&superseded]), "revocation.revoked");
    scene.proof = proven("2029-05-31").map(|p| Proof { excuses_revocation: false, ..p });
    assert_eq!(scene.code(&[&superseded]), "revocation.revoked");
    scene.proof = None;
    assert_eq!(scene.code(&[&superseded]), "revocation.revoked");
}

#[test]
fn an_invalidity_date_counts_as_well() {
    let pki = ThreeTiers::new();
    let mut scene = Scene::new([&pki.leaf, &pki.middle, &pki.root]);
    scene.proof = proven("2029-05-01");
    let invalid_since = |month, day| {
        pki.middle.crl(&[], |crl| {
            let mut entry = entry(&pki.leaf, RevocationReason::Superseded);
            entry.invalidity_date = Some(date_time_ymd(2029, month, day));
            crl.revoked_certs.push(entry);
        })
    };
    assert!(scene.status(&[&invalid_since(5, 2)]).is_ok());
    assert_eq!(scene.code(&[&invalid_since(5, 1)]), "revocation.revoked");
    assert_eq!(scene.code(&[&invalid_since(4, 1)]), "revocation.revoked");
}

#[test]
fn an_excused_revocation_needs_a_fresh_crl_all_the_same() {
    let pki = ThreeTiers::new();
    let mut scene = Scene::new([&pki.leaf, &pki.middle, &pki.root]);
    scene.proof = proven("2029-05-01");
    scene.time = UnixTime(NOW.0 + 30 * DAY);
    let stale = pki
        .middle
        .crl(&[], |p| p.revoked_certs = vec![entry(&pki.leaf, RevocationReason::Superseded)]);
    assert_eq!(scene.code(&[&stale]), "revocation.stale");
    scene.mode = RevocationMode::IfAvailable;
    assert!(matches!(scene.status(&[&stale]), Ok(RevocationStatus::RevokedSince { .. })));
}

/// A leaf that expired on 2029-12-15, under a CA that did not.
struct Expired {
    root: Entity,
    middle: Entity,
    leaf: Entity,
}

impl Expired {
    fn new() -> Self {
        let root = Entity::self_signed(ca("Root"));
        let middle = root.issue(ca("Middle"));
        let mut params = leaf("Signer");
        params.not_after = date_time_ymd(2029, 12, 15);
        let leaf = middle.issue(params);
        Expired { root, middle, leaf }
    }

    fn scene(&self) -> Scene<'_> {
        let mut scene = Scene::new([&self.leaf, &self.middle, &self.root]);
        scene.proof = proven("2029-12-10");
        scene
    }

    /// A CRL with expiredCertsOnCRL.
    fn keeping_since(&self, since: &str) -> Crl {
        let value = [&[0x18, 15], since.as_bytes()].concat();
        let der = self.middle.odd_crl(vec![extension("2.5.29.60", false, &value)], vec![]);
        Crl::parse(&der).unwrap().remove(0)
    }
}

#[test]
fn an_expired_certificate_needs_a_crl_of_its_last_days() {
    let pki = Expired::new();
    let scene = pki.scene();
    for (day, good) in [(9, false), (10, true), (15, true), (16, false), (31, false)] {
        assert_eq!(scene.is_good(&[&of_day(&pki.middle, day, &[])]), good, "{day}");
        if !good {
            assert_eq!(scene.code(&[&of_day(&pki.middle, day, &[])]), "revocation.unknown");
        }
    }
    // Beside a newer one, which has dropped it.
    let (last, after) = (of_day(&pki.middle, 12, &[]), of_day(&pki.middle, 20, &[]));
    assert!(scene.is_good(&[&last, &after]));
    // Any of them that lists it is enough.
    for day in [9, 12, 20] {
        let revoking = of_day(&pki.middle, day, &[&pki.leaf]);
        let code = scene.code(&[&after, &revoking]);
        assert_eq!(code, "revocation.revoked", "{day}");
    }
    let mut unproven = pki.scene();
    unproven.proof = None;
    assert_eq!(unproven.code(&[&last]), "revocation.unknown");
}

#[test]
fn a_crl_of_its_last_days_is_not_rolled_back() {
    use crate::pki::{CrlFloors, CrlSet};
    let pki = Expired::new();
    let after = of_day(&pki.middle, 20, &[]);
    let set = CrlSet::new(vec![after.clone()]);
    let key = pki.middle.certificate.public_key().unwrap().fingerprint();
    set.raise(crate::pki::crl::Series::of(&after, key), &after);
    let floors: CrlFloors = set.raised();
    assert_eq!(floors.len(), 1);
    let set = CrlSet::with_floors(vec![of_day(&pki.middle, 12, &[])], floors);
    assert!(matches!(pki.scene().status_in(&set), Ok(RevocationStatus::Good { .. })));
}

#[test]
fn a_crl_that_keeps_what_expired_must_be_fresh() {
    let pki = Expired::new();
    let mut scene = pki.scene();
    for (since, good) in
        [("20291201000000Z", true), ("20291215000000Z", true), ("20291215000001Z", false)]
    {
        assert_eq!(scene.is_good(&[&pki.keeping_since(since)]), good, "{since}");
    }
    scene.time = UnixTime(NOW.0 + 30 * DAY);
    assert_eq!(scene.code(&[&pki.keeping_since("20291201000000Z")]), "revocation.stale");
    // GeneralizedTime alone will do.
    let odd = extension("2.5.29.60", false, &5_u8.to_der().unwrap());
    assert!(Crl::parse(&pki.middle.odd_crl(vec![odd], vec![])).is_err());
}

#[test]
fn a_newer_crl_of_its_last_days_is_missed() {
    use crate::pki::CrlSet;
    let pki = Expired::new();
    let key = pki.middle.certificate.public_key().unwrap().fingerprint();
    // Its signature was followed by a revocation that the station has seen: day 13 is gone.
    let newest = of_day(&pki.middle, 13, &[&pki.leaf]);
    let seen = CrlSet::new(Vec::new());
    seen.raise(crate::pki::crl::Series::of(&newest, key), &newest);
    let status = |day| {
        let crls = vec![of_day(&pki.middle, day, &[])];
        pki.scene().status_in(&CrlSet::with_floors(crls, seen.raised()))
    };
    assert_eq!(status(12).unwrap_err().code().id(), "revocation.rolled-back");
    assert!(status(14).is_ok());
}

#[test]
fn a_proof_from_before_the_certificate_excuses_no_revocation_above_it() {
    // The authority ceased on 2029-06-01. Whoever has its key since makes a leaf for a signature
    // that was stamped before.
    let ask = |month| {
        let mut params = leaf("Signer");
        params.not_before = date_time_ymd(2029, month, 1);
        let pki = ThreeTiers::with(ca("Root"), ca("Middle"), params);
        let mut question = pki.question();
        question.revocation.mode = RevocationMode::Require;
        question.proof = proven("2029-05-31");
        let ceased = entry(&pki.middle, RevocationReason::CessationOfOperation);
        let of_root = pki.root.crl(&[], |crl| crl.revoked_certs = vec![ceased]);
        question.crls = vec![of_root, pki.middle.crl(&[], |_| ())];
        question.ask().map(|_| ()).map_err(|error| error.code().id())
    };
    assert_eq!(ask(5), Ok(()));
    assert_eq!(ask(7), Err("revocation.revoked"));
}
