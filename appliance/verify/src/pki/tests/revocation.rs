//! Revocation in every mode.

use der::Encode;
use der::asn1::Ia5String;
use rcgen::{
    CrlDistributionPoint, CrlIssuingDistributionPoint, CrlScope, CustomExtension, KeyUsagePurpose,
    SerialNumber, date_time_ymd,
};
use x509_cert::ext::pkix::CrlDistributionPoints;
use x509_cert::ext::pkix::crl::dp::{DistributionPoint, Reasons};
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};

use super::maker::{DAY, Entity, NOW, Question, ThreeTiers, ca, extension, leaf};
use crate::pki::{
    Crl, CrlFloors, CrlSet, PathError, RevocationMode, RevocationReason, RevocationStatus,
    Unsupported, WhyUnknown,
};
use crate::reason::Code;
use crate::time::{Span, UnixTime};

fn question(pki: &ThreeTiers, mode: RevocationMode, crls: Vec<Crl>) -> Question {
    let mut question = pki.question();
    question.revocation.mode = mode;
    question.crls = crls;
    question
}

fn why(question: &Question) -> WhyUnknown {
    match question.refusal() {
        PathError::RevocationUnknown { why, .. } => why,
        other => panic!("{other}"),
    }
}

#[test]
fn fresh_crls_make_every_certificate_good() {
    let pki = ThreeTiers::new();
    let crls = vec![pki.root.crl(&[], |_| ()), pki.middle.crl(&[], |_| ())];
    let path = question(&pki, RevocationMode::Require, crls.clone()).ask().unwrap();
    let good =
        |crl: &Crl| RevocationStatus::Good { crl: crl.sha256(), this_update: crl.this_update() };
    assert_eq!(path.revocation(), [good(&crls[1]), good(&crls[0]), RevocationStatus::Anchor]);
}

#[test]
fn a_revoked_leaf_or_intermediate_is_refused() {
    let pki = ThreeTiers::new();
    for (name, crls) in [
        ("Signer", vec![pki.root.crl(&[], |_| ()), pki.middle.crl(&[&pki.leaf], |_| ())]),
        ("Middle", vec![pki.root.crl(&[&pki.middle], |_| ()), pki.middle.crl(&[], |_| ())]),
    ] {
        for mode in [RevocationMode::Require, RevocationMode::IfAvailable] {
            let question = question(&pki, mode, crls.clone());
            assert_eq!(question.code(), Code::RevocationRevoked);
            match question.refusal() {
                PathError::Revoked { subject, date, reason } => {
                    assert!(subject.starts_with(&format!("CN={name},")), "{subject}");
                    assert_eq!(date.to_string(), "2029-06-01T00:00:00Z");
                    assert_eq!(reason, RevocationReason::KeyCompromise);
                }
                other => panic!("{other}"),
            }
        }
        let path = question(&pki, RevocationMode::Off, crls).ask().unwrap();
        assert_eq!(path.revocation()[0], RevocationStatus::Off);
    }
}

#[test]
fn a_revocation_in_the_future_counts() {
    let pki = ThreeTiers::new();
    let crl = pki
        .middle
        .crl(&[&pki.leaf], |p| p.revoked_certs[0].revocation_time = date_time_ymd(2030, 6, 1));
    assert_eq!(
        question(&pki, RevocationMode::IfAvailable, vec![crl]).code(),
        Code::RevocationRevoked
    );
}

#[test]
fn a_missing_crl_is_unknown() {
    let pki = ThreeTiers::new();
    let only_root = vec![pki.root.crl(&[], |_| ())];
    let required = question(&pki, RevocationMode::Require, only_root.clone());
    assert_eq!(why(&required), WhyUnknown::NoCrl);
    assert_eq!(required.code(), Code::RevocationCrlMissing);
    let path = question(&pki, RevocationMode::IfAvailable, only_root).ask().unwrap();
    assert_eq!(path.revocation()[0], RevocationStatus::NotChecked(WhyUnknown::NoCrl));
    assert!(matches!(path.revocation()[1], RevocationStatus::Good { .. }));
}

#[test]
fn a_stale_crl_is_not_enough_but_still_lists() {
    let pki = ThreeTiers::new();
    let root = || pki.root.crl(&[], |_| ());
    let old = |revoked: &[&Entity]| {
        pki.middle.crl(revoked, |p| {
            p.this_update = date_time_ymd(2029, 11, 1);
            p.next_update = date_time_ymd(2029, 12, 1);
        })
    };
    let required = question(&pki, RevocationMode::Require, vec![root(), old(&[])]);
    assert!(matches!(required.refusal(), PathError::RevocationStale { .. }));
    assert_eq!(required.code(), Code::RevocationStale);
    let path = question(&pki, RevocationMode::IfAvailable, vec![root(), old(&[])]).ask().unwrap();
    assert!(matches!(path.revocation()[0], RevocationStatus::Stale { .. }));
    for mode in [RevocationMode::Require, RevocationMode::IfAvailable] {
        let listed = question(&pki, mode, vec![root(), old(&[&pki.leaf])]);
        assert_eq!(listed.code(), Code::RevocationRevoked);
    }
}

#[test]
fn the_policy_limits_the_age_of_crls() {
    let pki = ThreeTiers::new();
    let mut question = question(
        &pki,
        RevocationMode::Require,
        vec![pki.root.crl(&[], |_| ()), pki.middle.crl(&[], |_| ())],
    );
    question.revocation.max_crl_age = Some(Span { seconds: DAY });
    assert!(question.ask().is_ok());
    question.revocation.max_crl_age = Some(Span { seconds: DAY - 1 });
    assert_eq!(question.code(), Code::RevocationStale);
    // nextUpdate itself is still inside.
    question.revocation.max_crl_age = None;
    question.time = UnixTime(NOW.0 + 7 * DAY);
    assert!(question.ask().is_ok());
    question.time = UnixTime(NOW.0 + 7 * DAY + 1);
    assert_eq!(question.code(), Code::RevocationStale);
}

#[test]
fn a_crl_from_the_future_is_not_used() {
    let pki = ThreeTiers::new();
    let tomorrow = pki.middle.crl(&[], |p| p.this_update = date_time_ymd(2030, 1, 2));
    let question =
        question(&pki, RevocationMode::Require, vec![pki.root.crl(&[], |_| ()), tomorrow]);
    assert_eq!(why(&question), WhyUnknown::NotYetValid);
}

#[test]
fn the_newest_crl_decides() {
    let pki = ThreeTiers::new();
    let older = pki.middle.crl(&[], |p| p.this_update = date_time_ymd(2029, 12, 30));
    let newer = pki.middle.crl(&[&pki.leaf], |_| ());
    for crls in [vec![older.clone(), newer.clone()], vec![newer, older]] {
        assert_eq!(
            question(&pki, RevocationMode::IfAvailable, crls).code(),
            Code::RevocationRevoked
        );
    }
}

#[test]
fn a_crl_of_another_key_is_not_used() {
    let pki = ThreeTiers::new();
    let impostor = Entity::self_signed(ca("Middle"));
    let crls = vec![pki.root.crl(&[], |_| ()), impostor.crl(&[], |_| ())];
    assert_eq!(why(&question(&pki, RevocationMode::Require, crls)), WhyUnknown::BadSignature);
}

#[test]
fn an_issuer_without_crlsign_signs_no_crls() {
    let mut middle = ca("Middle");
    middle.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let pki = ThreeTiers::with(ca("Root"), middle, leaf("Signer"));
    let crl = Crl::parse(&pki.middle.odd_crl(vec![], vec![])).unwrap().remove(0);
    let question = question(&pki, RevocationMode::Require, vec![pki.root.crl(&[], |_| ()), crl]);
    assert_eq!(why(&question), WhyUnknown::IssuerMayNotSignCrls);
}

#[test]
fn scopes_must_fit() {
    let point = |uri: &str| CrlDistributionPoint { uris: vec![uri.to_owned()] };
    let mut with_point = leaf("Signer");
    with_point.crl_distribution_points = vec![point("http://crl.example/users")];
    let pki = ThreeTiers::with(ca("Root"), ca("Middle"), with_point);
    let ask = |uri: &str, scope| {
        let crl = pki.middle.crl(&[], |p| {
            p.issuing_distribution_point =
                Some(CrlIssuingDistributionPoint { distribution_point: point(uri), scope });
        });
        question(&pki, RevocationMode::Require, vec![pki.root.crl(&[], |_| ()), crl])
    };
    assert!(ask("http://crl.example/users", None).ask().is_ok());
    assert!(ask("http://crl.example/users", Some(CrlScope::UserCertsOnly)).ask().is_ok());
    assert_eq!(
        why(&ask("http://crl.example/users", Some(CrlScope::CaCertsOnly))),
        WhyUnknown::Scope
    );
    assert_eq!(why(&ask("http://crl.example/others", None)), WhyUnknown::Scope);

    // Without a distribution point: only the kind of certificate counts.
    let users_only = extension("2.5.29.28", true, &[0x30, 0x03, 0x81, 0x01, 0xff]);
    let crl_of = |issuer: &Entity| {
        Crl::parse(&issuer.odd_crl(vec![users_only.clone()], vec![])).unwrap().remove(0)
    };
    let good = question(
        &pki,
        RevocationMode::Require,
        vec![pki.root.crl(&[], |_| ()), crl_of(&pki.middle)],
    );
    assert!(good.ask().is_ok());
    let bad = question(
        &pki,
        RevocationMode::Require,
        vec![crl_of(&pki.root), pki.middle.crl(&[], |_| ())],
    );
    assert_eq!(why(&bad), WhyUnknown::Scope);
}

#[test]
fn a_distribution_point_for_some_reasons_or_another_issuer_does_not_fit() {
    const URI: &str = "http://crl.example/users";
    let full_name = |uri: &str| {
        let uri = GeneralName::UniformResourceIdentifier(Ia5String::new(uri).unwrap());
        Some(DistributionPointName::FullName(vec![uri]))
    };
    let reasons = Some(Reasons::KeyCompromise.into());
    let crl_issuer = Some(vec![GeneralName::DnsName(Ia5String::new("other").unwrap())]);
    for (reasons, crl_issuer, good) in
        [(None, None, true), (reasons, None, false), (None, crl_issuer, false)]
    {
        let point = DistributionPoint { distribution_point: full_name(URI), reasons, crl_issuer };
        let points = CrlDistributionPoints(vec![point]).to_der().unwrap();
        let mut params = leaf("Signer");
        params.custom_extensions = vec![CustomExtension::from_oid_content(&[2, 5, 29, 31], points)];
        let pki = ThreeTiers::with(ca("Root"), ca("Middle"), params);
        let crl = pki.middle.crl(&[], |p| {
            let distribution_point = CrlDistributionPoint { uris: vec![URI.to_owned()] };
            p.issuing_distribution_point =
                Some(CrlIssuingDistributionPoint { distribution_point, scope: None });
        });
        let crls = vec![pki.root.crl(&[], |_| ()), crl];
        let question = question(&pki, RevocationMode::Require, crls);
        assert_eq!(question.ask().is_ok(), good);
        if !good {
            assert_eq!(why(&question), WhyUnknown::Scope);
        }
    }
}

#[test]
fn an_unsupported_crl_leaves_the_status_unknown() {
    let pki = ThreeTiers::new();
    let delta = pki.middle.odd_crl(vec![extension("2.5.29.27", true, &[0x02, 0x01, 0x01])], vec![]);
    let crls = vec![pki.root.crl(&[], |_| ()), Crl::parse(&delta).unwrap().remove(0)];
    let required = question(&pki, RevocationMode::Require, crls.clone());
    assert_eq!(why(&required), WhyUnknown::Unsupported(Unsupported::Delta));
    assert_eq!(required.code(), Code::RevocationUnsupported);
    assert!(question(&pki, RevocationMode::IfAvailable, crls).ask().is_ok());
}

#[test]
fn crls_count_against_the_signature_budget() {
    let pki = ThreeTiers::new();
    let mut question = question(
        &pki,
        RevocationMode::Require,
        vec![pki.root.crl(&[], |_| ()), pki.middle.crl(&[], |_| ())],
    );
    question.budget.signature_checks = 4;
    assert!(question.ask().is_ok());
    question.budget.signature_checks = 3;
    assert_eq!(question.code(), Code::SignaturePathBudget);
}

#[test]
fn an_older_crl_put_back_is_refused() {
    let pki = ThreeTiers::new();
    let root = pki.root.crl(&[], |_| ());
    let numbered = |number: u64, day: u8| {
        pki.middle.crl(&[], |p| {
            p.crl_number = SerialNumber::from(number);
            p.this_update = date_time_ymd(2029, 12, day);
        })
    };
    let after = |first: &Crl| {
        let asked = question(&pki, RevocationMode::Require, vec![root.clone(), first.clone()]);
        let set = CrlSet::new(asked.crls.clone());
        asked.ask_with(&set).unwrap();
        let kept = set.raised().to_json();
        CrlFloors::parse(&kept).unwrap()
    };
    let ask = |floors: &CrlFloors, crl: &Crl, mode| {
        let asked = question(&pki, mode, vec![root.clone(), crl.clone()]);
        asked.ask_with(&CrlSet::with_floors(asked.crls.clone(), floors.clone()))
    };
    let floors = after(&numbered(300, 20));
    assert_eq!(floors.len(), 2);
    for (number, day, good) in
        [(299, 25, false), (300, 19, false), (300, 20, true), (300, 21, true), (301, 15, true)]
    {
        for mode in [RevocationMode::Require, RevocationMode::IfAvailable] {
            let outcome = ask(&floors, &numbered(number, day), mode);
            assert_eq!(outcome.is_ok(), good, "{number} {day}");
            if let Err(error) = outcome {
                assert_eq!(error.code(), Code::RevocationRolledBack);
            }
        }
        assert!(ask(&floors, &numbered(number, day), RevocationMode::Off).is_ok());
    }
}

#[test]
fn a_crl_that_revokes_raises_its_floor_and_a_forged_one_does_not() {
    let pki = ThreeTiers::new();
    let crls = vec![pki.root.crl(&[], |_| ()), pki.middle.crl(&[&pki.leaf], |_| ())];
    let asked = question(&pki, RevocationMode::Require, crls);
    let set = CrlSet::new(asked.crls.clone());
    assert_eq!(asked.ask_with(&set).unwrap_err().code(), Code::RevocationRevoked);
    assert!(set.raised().len() == 1, "{:?}", set.raised());

    let impostor = Entity::self_signed(ca("Middle"));
    let asked = question(&pki, RevocationMode::Require, vec![impostor.crl(&[], |_| ())]);
    let set = CrlSet::new(asked.crls.clone());
    assert_eq!(asked.ask_with(&set).unwrap_err().code(), Code::RevocationCrlSignature);
    assert!(set.raised().is_empty());
}

#[test]
fn critical_distribution_points_are_understood_where_crls_are_looked_at() {
    let ask = |mode, value: &[u8]| {
        let mut points = CustomExtension::from_oid_content(&[2, 5, 29, 31], value.to_vec());
        points.set_criticality(true);
        let mut params = leaf("Signer");
        params.custom_extensions = vec![points];
        let pki = ThreeTiers::with(ca("Root"), ca("Middle"), params);
        let crls = vec![pki.root.crl(&[], |_| ()), pki.middle.crl(&[], |_| ())];
        question(&pki, mode, crls).ask().map(|_| ()).map_err(|error| error.code())
    };
    let uri = GeneralName::UniformResourceIdentifier(Ia5String::new("http://crl.example").unwrap());
    let full_name = Some(DistributionPointName::FullName(vec![uri]));
    let point =
        DistributionPoint { distribution_point: full_name, reasons: None, crl_issuer: None };
    let points = CrlDistributionPoints(vec![point]).to_der().unwrap();
    let refused = Err(Code::SignatureCriticalExtension);
    assert_eq!(ask(RevocationMode::Require, &points), Ok(()));
    assert_eq!(ask(RevocationMode::IfAvailable, &points), Ok(()));
    assert_eq!(ask(RevocationMode::Off, &points), refused);
    assert_eq!(ask(RevocationMode::Require, &[5, 0]), refused);
}
