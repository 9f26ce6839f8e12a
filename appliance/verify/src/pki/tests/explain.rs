//! The account of a validation says what the validation did.

use rcgen::{IsCa, date_time_ymd};

use super::maker::{Entity, Question, ThreeTiers, ca, leaf};
use crate::pki::{CheckName, Explanation, Outcome, Role};

fn outcome(explanation: &Explanation, at: usize, name: CheckName) -> Outcome {
    let checks = explanation.certificates()[at].checks();
    checks.iter().find(|check| check.name == name).unwrap().outcome
}

#[test]
fn an_accepted_path_passed_everything_that_was_asked() {
    let pki = ThreeTiers::new();
    let explanation = pki.question().explain();
    assert!(explanation.result().is_ok());
    let roles: Vec<_> = explanation.certificates().iter().map(|one| one.role().name()).collect();
    assert_eq!(roles, ["leaf", "intermediate", "anchor"]);
    let anchor = explanation.certificates()[2].role().anchor_name();
    assert_eq!(anchor, Some(pki.root.anchor().name.as_str()));
    for (at, one) in explanation.certificates().iter().enumerate() {
        assert_eq!(one.checks().iter().map(|check| check.name).collect::<Vec<_>>(), CheckName::ALL);
        for check in one.checks() {
            let not_asked = matches!(check.name, CheckName::Form | CheckName::Revocation)
                || (at == 2 && check.name == CheckName::Signature);
            let expected = if not_asked { Outcome::NotRun } else { Outcome::Passed };
            assert_eq!(check.outcome, expected, "{at} {} {}", check.name, check.sentence);
        }
    }
}

#[test]
fn a_refused_path_names_the_check_that_failed() {
    let mut old = ca("Middle");
    old.not_after = date_time_ymd(2029, 6, 1);
    let explanation = ThreeTiers::with(ca("Root"), old, leaf("Signer")).question().explain();
    assert_eq!(outcome(&explanation, 0, CheckName::Validity), Outcome::Passed);
    assert_eq!(outcome(&explanation, 1, CheckName::Validity), Outcome::Failed);
    assert_eq!(outcome(&explanation, 2, CheckName::Validity), Outcome::NotRun);
    assert_eq!(outcome(&explanation, 0, CheckName::KeyUsage), Outcome::NotRun);
    let failed = explanation.certificates()[1].checks();
    let sentence = &failed.iter().find(|check| check.outcome == Outcome::Failed).unwrap().sentence;
    assert_eq!(*sentence, explanation.result().unwrap_err().to_string());

    let mut plain = ca("Middle");
    plain.is_ca = IsCa::ExplicitNoCa;
    let explanation = ThreeTiers::with(ca("Root"), plain, leaf("Signer")).question().explain();
    assert_eq!(outcome(&explanation, 1, CheckName::BasicConstraints), Outcome::Failed);
    assert_eq!(outcome(&explanation, 2, CheckName::BasicConstraints), Outcome::Passed);
}

#[test]
fn without_a_path_the_account_is_as_far_as_the_search_came() {
    let pki = ThreeTiers::new();
    let stranger = Entity::self_signed(ca("Stranger"));
    let explanation = Question::new(&[&pki.leaf, &pki.middle], &[&stranger]).explain();
    assert!(explanation.result().is_err());
    let roles: Vec<_> = explanation.certificates().iter().map(|one| one.role().clone()).collect();
    assert_eq!(roles, [Role::Leaf, Role::Intermediate]);

    let pinned = Entity::self_signed(leaf("Signer"));
    let explanation = Question::new(&[&pinned], &[&pinned]).explain();
    assert_eq!(explanation.certificates().len(), 1);
    assert_eq!(explanation.certificates()[0].role().name(), "anchor");
    assert_eq!(outcome(&explanation, 0, CheckName::Signature), Outcome::Passed);
}
