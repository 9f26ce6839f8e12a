//! Hostile chains: loops, many ways, long ways, large certificates.

use super::maker::{Entity, Question, ca, leaf, same_key};
use crate::pki::{Limit, PathError};
use crate::reason::Code;

#[test]
fn cross_certificates_in_a_loop_end() {
    let a = Entity::self_signed(ca("A"));
    let b = Entity::self_signed(ca("B"));
    let a_by_b = b.issue_with(ca("A"), same_key(&a.key));
    let b_by_a = a.issue_with(ca("B"), same_key(&b.key));
    let signer = a.issue(leaf("Signer"));
    let chain = [&signer, &a, &a_by_b, &b, &b_by_a];
    let stranger = Entity::self_signed(ca("Root"));
    assert_eq!(Question::new(&chain, &[&stranger]).code(), Code::SignatureUntrustedAnchor);
    assert!(Question::new(&chain, &[&b]).ask().is_ok());
}

#[test]
fn many_ways_that_lead_nowhere_use_up_the_candidates() {
    // With six levels every way is a dead end, with seven it is too long as well.
    for levels in [6, 7] {
        // Two certificates for each CA: 64 and 128 ways through equal names and keys.
        let mut chain = Vec::new();
        let mut above = Entity::self_signed(ca("Top"));
        for level in 0..levels {
            let name = format!("Level {level}");
            let first = above.issue(ca(&name));
            let mut second = ca(&name);
            second.serial_number = Some(rcgen::SerialNumber::from(1000_u64 + level));
            chain.push(above.issue_with(second, same_key(&first.key)).certificate);
            chain.push(first.certificate.clone());
            above = first;
        }
        chain.insert(0, above.issue(leaf("Signer")).certificate);
        let question = Question::about(chain, vec![Entity::self_signed(ca("Root")).anchor()]);
        assert_eq!(question.refusal(), PathError::Budget(Limit::Candidates));
        assert_eq!(question.code(), Code::SignaturePathBudget);
    }
}

#[test]
fn copies_of_a_certificate_are_one_step() {
    let upper = Entity::self_signed(ca("Top")).issue(ca("Upper"));
    let lower = upper.issue(ca("Lower"));
    let signer = lower.issue(leaf("Signer"));
    let mut chain = vec![&signer];
    chain.extend([&lower; 7]);
    chain.extend([&upper; 7]);
    let stranger = Entity::self_signed(ca("Root"));
    assert_eq!(Question::new(&chain, &[&stranger]).code(), Code::SignatureNoPath);
}

#[test]
fn sixteen_certificates_of_one_name_and_key_are_one_step() {
    let first = Entity::self_signed(ca("Middle"));
    let mut chain = vec![first.issue(leaf("Signer")).certificate];
    for serial in 0..15_u64 {
        let mut params = ca("Middle");
        params.serial_number = Some(rcgen::SerialNumber::from(serial + 1));
        chain.push(first.issue_with(params, same_key(&first.key)).certificate);
    }
    let question = Question::about(chain, vec![Entity::self_signed(ca("Root")).anchor()]);
    assert_eq!(question.code(), Code::SignatureUntrustedAnchor);
}

#[test]
fn many_keys_of_one_name_use_up_the_signature_checks() {
    let hidden = Entity::self_signed(ca("Root"));
    let signer = hidden.issue(leaf("Signer"));
    let mut question = Question::new(&[&signer], &[]);
    let impostor = Entity::self_signed(ca("Root"));
    for _ in 0..65 {
        question.anchors.push(Entity::self_signed(ca("Root")).anchor());
    }
    assert_eq!(question.refusal(), PathError::Budget(Limit::SignatureChecks));
    assert_eq!(question.code(), Code::SignaturePathBudget);
    // The key that the certificate names is tried first, whatever else is there.
    question.anchors.push(hidden.anchor());
    assert!(question.ask().is_ok());
    // One impostor, tried again and again, costs one check.
    question.anchors = vec![impostor.anchor(); 65];
    assert_eq!(question.code(), Code::SignatureUntrustedAnchor);
}

#[test]
fn a_path_is_at_most_as_deep_as_the_budget() {
    let root = Entity::self_signed(ca("Root"));
    let mut above = root.issue(ca("CA 0"));
    let mut chain = vec![above.certificate.clone()];
    for level in 1..6 {
        above = above.issue(ca(&format!("CA {level}")));
        chain.push(above.certificate.clone());
    }
    chain.push(above.issue(leaf("Signer")).certificate);
    chain.reverse();
    let mut question = Question::about(chain, vec![root.anchor()]);
    assert_eq!(question.ask().unwrap().certificates().len(), 8);
    question.budget.path_depth = 7;
    assert_eq!(question.refusal(), PathError::Budget(Limit::Depth));
    assert_eq!(question.code(), Code::SignaturePathBudget);
}

#[test]
fn counts_and_sizes_are_limited() {
    let root = Entity::self_signed(ca("Root"));
    let signer = root.issue(leaf("Signer"));
    let mut question = Question::new(&[&signer, &signer, &root], &[&root]);
    assert!(question.ask().is_ok());
    question.budget.certificates = 2;
    assert_eq!(question.refusal(), PathError::Budget(Limit::Certificates));
    question.budget.certificates = 3;
    question.budget.certificate_bytes = signer.certificate.der().len() - 1;
    assert_eq!(question.refusal(), PathError::Budget(Limit::CertificateBytes));
}

/// Generous, for builds without optimisation on busy machines; far below what the quadratic work
/// of these inputs would take.
const SOON: std::time::Duration = std::time::Duration::from_secs(3);

#[test]
fn thousands_of_cross_certificates_of_the_operator_end_soon() {
    let first = Entity::self_signed(ca("Middle"));
    let signer = first.issue(leaf("Signer"));
    let mut question = Question::new(&[&signer], &[]);
    for serial in 1..3000_u64 {
        let mut params = ca("Middle");
        params.serial_number = Some(rcgen::SerialNumber::from(serial));
        question.intermediates.push(first.issue_with(params, same_key(&first.key)).certificate);
    }
    let root = Entity::self_signed(ca("Root"));
    question.anchors = vec![root.anchor(); 3000];
    let begun = std::time::Instant::now();
    assert!(question.ask().is_err());
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
}

#[test]
fn names_and_constraints_that_multiply_are_refused_soon() {
    let host = |at: usize| format!("h{at}.example");
    let mut middle = ca("Middle");
    middle.name_constraints = Some(rcgen::NameConstraints {
        permitted_subtrees: (0..2500).map(|at| rcgen::GeneralSubtree::DnsName(host(at))).collect(),
        excluded_subtrees: Vec::new(),
    });
    let mut params = leaf("Signer");
    params.subject_alt_names = (0..2500)
        .map(|at| rcgen::SanType::DnsName(host(at).as_str().try_into().unwrap()))
        .collect();
    let root = Entity::self_signed(ca("Root"));
    let middle = root.issue(middle);
    let question = Question::new(&[&middle.issue(params), &middle], &[&root]);
    let begun = std::time::Instant::now();
    assert_eq!(question.refusal(), PathError::Budget(Limit::Comparisons));
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
}

#[test]
fn long_names_end_soon() {
    let long = |letter: &str| ca(&letter.repeat(30_000));
    let mut chain = Vec::new();
    let mut above = Entity::self_signed(long("a"));
    for letter in ["b", "c", "d", "e", "f"] {
        let first = above.issue(long(letter));
        let mut second = long(letter);
        second.serial_number = Some(rcgen::SerialNumber::from(7_u64));
        chain.push(above.issue_with(second, same_key(&first.key)).certificate);
        chain.push(first.certificate.clone());
        above = first;
    }
    chain.insert(0, above.issue(leaf("Signer")).certificate);
    let question = Question::about(chain, vec![Entity::self_signed(ca("Root")).anchor()]);
    let begun = std::time::Instant::now();
    assert!(question.ask().is_err());
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
}
