//! Finding a path and RFC 5280 about it.

use rcgen::{
    BasicConstraints, CustomExtension, DnType, GeneralSubtree, IsCa, KeyPair, KeyUsagePurpose,
    NameConstraints, SanType, date_time_ymd,
};

use super::maker::{Entity, Question, ThreeTiers, ca, leaf, new_key, same_key};
use crate::pki::{Certificate, PathError, Violation};
use crate::reason::Code;
use crate::time::UnixTime;

/// The rule that is broken, whose code is that rule's own.
fn rule(error: PathError) -> (String, Violation) {
    let code = error.code();
    match error {
        PathError::Rfc5280 { subject, violation } => {
            let expected = match violation {
                Violation::NotCa => Code::SignatureIssuerNotCa,
                Violation::PathLength => Code::SignaturePathLength,
                Violation::KeyUsage => Code::SignatureCertificateKeyUsage,
                Violation::NameConstraints => Code::SignatureNameConstraints,
                Violation::CriticalExtension => Code::SignatureCriticalExtension,
                other => panic!("{other}"),
            };
            assert_eq!(code, expected);
            (subject, violation)
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_path_validates_for_every_key_type() {
    use rcgen::{
        PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ECDSA_P521_SHA512, PKCS_ED25519,
    };
    for algorithm in
        [&PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P384_SHA384, &PKCS_ECDSA_P521_SHA512, &PKCS_ED25519]
    {
        let key = || KeyPair::generate_for(algorithm).unwrap();
        let root = Entity::self_signed_with(ca("Root"), key());
        let middle = root.issue_with(ca("Middle"), key());
        let signer = middle.issue_with(leaf("Signer"), key());
        let path = Question::new(&[&signer, &middle], &[&root]).ask().unwrap();
        assert_eq!(path.leaf(), &signer.certificate);
        assert_eq!(path.key(), signer.certificate.public_key().unwrap());
        assert_eq!(path.anchor().certificate, root.certificate);
        let certificates = [&signer, &middle, &root].map(|entity| entity.certificate.clone());
        assert_eq!(path.certificates(), certificates);
        assert_eq!(path.revocation().len(), 3);
    }
}

#[test]
fn order_and_strangers_in_the_chain_do_not_matter() {
    let pki = ThreeTiers::new();
    let upper = Entity::self_signed(ca("Top"));
    let second = upper.issue(ca("Second"));
    let third = second.issue(ca("Third"));
    let signer = third.issue(leaf("Signer"));
    let chain = [&signer, &pki.root, &upper, &second, &pki.middle, &third, &third];
    let path = Question::new(&chain, &[&pki.root, &upper]).ask().unwrap();
    assert_eq!(path.anchor().certificate, upper.certificate);
    assert_eq!(path.certificates().len(), 4);
}

#[test]
fn an_intermediate_can_be_the_anchor() {
    let pki = ThreeTiers::new();
    let path = Question::new(&[&pki.leaf, &pki.middle], &[&pki.middle]).ask().unwrap();
    assert_eq!(path.certificates().len(), 2);
}

#[test]
fn without_the_intermediate_there_is_no_path() {
    let pki = ThreeTiers::new();
    let error = Question::new(&[&pki.leaf], &[&pki.root]).refusal();
    assert!(matches!(error, PathError::NoPath { .. }), "{error}");
    assert_eq!(error.code(), Code::SignatureNoPath);
    assert_eq!(Question::new(&[], &[&pki.root]).refusal(), PathError::Empty);
    assert_eq!(Question::new(&[&pki.leaf, &pki.middle], &[]).code(), Code::SignatureNoPath);
}

#[test]
fn a_root_of_the_same_name_with_another_key_is_not_trusted() {
    let pki = ThreeTiers::new();
    let impostor = Entity::self_signed(ca("Root"));
    let mut question = Question::new(&[&pki.leaf, &pki.middle, &pki.root], &[&impostor]);
    assert_eq!(question.code(), Code::SignatureUntrustedAnchor);
    question.anchors.push(pki.root.anchor());
    assert_eq!(question.ask().unwrap().anchor().certificate, pki.root.certificate);
}

#[test]
fn a_ca_may_take_a_new_name_and_keep_its_key() {
    let old = Entity::self_signed(ca("Old"));
    let new = old.issue_with(ca("New"), same_key(&old.key));
    let signer = new.issue(leaf("Signer"));
    assert!(Question::new(&[&signer, &new], &[&old]).ask().is_ok());
}

#[test]
fn issuer_names_compare_without_case_and_spaces() {
    let key = new_key();
    let root = Entity::self_signed_with(ca("Root  One"), same_key(&key));
    let alias = Entity::self_signed_with(ca("root one"), key);
    let signer = alias.issue(leaf("Signer"));
    assert!(Question::new(&[&signer], &[&root]).ask().is_ok());
}

#[test]
fn each_validity_period_holds() {
    let expired = |mut params: rcgen::CertificateParams| {
        params.not_after = date_time_ymd(2029, 12, 31);
        params
    };
    let future = |mut params: rcgen::CertificateParams| {
        params.not_before = date_time_ymd(2030, 1, 2);
        params
    };
    let (root, middle, signer) = (|| ca("Root"), || ca("Middle"), || leaf("Signer"));
    for (name, pki) in [
        ("Root", ThreeTiers::with(expired(root()), middle(), signer())),
        ("Middle", ThreeTiers::with(root(), expired(middle()), signer())),
        ("Signer", ThreeTiers::with(root(), middle(), expired(signer()))),
    ] {
        match pki.question().refusal() {
            error @ PathError::Expired { .. } => {
                assert_eq!(error.code(), Code::SignatureCertificateExpired);
                assert!(error.to_string().starts_with(&format!("CN={name},")), "{error}");
            }
            other => panic!("{name}: {other}"),
        }
    }
    for (name, pki) in [
        ("Root", ThreeTiers::with(future(root()), middle(), signer())),
        ("Middle", ThreeTiers::with(root(), future(middle()), signer())),
        ("Signer", ThreeTiers::with(root(), middle(), future(signer()))),
    ] {
        match pki.question().refusal() {
            error @ PathError::NotYetValid { .. } => {
                assert_eq!(error.code(), Code::SignatureCertificateNotYetValid);
                assert!(error.to_string().starts_with(&format!("CN={name},")), "{error}");
            }
            other => panic!("{name}: {other}"),
        }
    }
}

#[test]
fn both_ends_of_a_validity_period_are_inside() {
    let pki = ThreeTiers::new();
    let mut question = pki.question();
    let (first, last) = (pki.leaf.certificate.not_before(), pki.leaf.certificate.not_after());
    for (time, good) in [
        (first.0, true),
        (last.0, true),
        (first.0 - 1, false),
        (last.0 + 1, false),
        (0, false),
        (-1, false),
    ] {
        question.time = UnixTime(time);
        assert_eq!(question.ask().is_ok(), good, "{time}");
    }
}

#[test]
fn an_expired_alternative_does_not_hide_a_good_path() {
    let root = Entity::self_signed(ca("Root"));
    let good = root.issue(ca("Middle"));
    let mut old = ca("Middle");
    old.not_after = date_time_ymd(2029, 6, 1);
    let old = root.issue_with(old, same_key(&good.key));
    let signer = good.issue(leaf("Signer"));
    assert!(Question::new(&[&signer, &old, &good], &[&root]).ask().is_ok());
    // And when no path is good, the candidate that came furthest is the one to hear about.
    let stranger = Entity::self_signed(ca("Middle"));
    let code = Question::new(&[&signer, &stranger, &old], &[&root]).code();
    assert_eq!(code, Code::SignatureCertificateExpired);
}

#[test]
fn issuers_are_cas_with_keycertsign() {
    let mut plain = leaf("Middle");
    plain.key_usages.push(KeyUsagePurpose::KeyCertSign);
    let pki = ThreeTiers::with(ca("Root"), plain, leaf("Signer"));
    let (subject, violation) = rule(pki.question().refusal());
    assert!(subject.starts_with("CN=Middle,"), "{subject}");
    assert_eq!(violation, Violation::NotCa);

    let mut no_usage = ca("Middle");
    no_usage.key_usages = vec![KeyUsagePurpose::CrlSign];
    let pki = ThreeTiers::with(ca("Root"), no_usage, leaf("Signer"));
    assert_eq!(rule(pki.question().refusal()).1, Violation::KeyUsage);
}

#[test]
fn an_anchor_that_issues_is_a_ca_with_keycertsign() {
    let mut plain = leaf("Root");
    plain.key_usages.push(KeyUsagePurpose::KeyCertSign);
    let root = Entity::self_signed(plain);
    let signer = root.issue(leaf("Signer"));
    let (subject, violation) = rule(Question::new(&[&signer], &[&root]).refusal());
    assert!(subject.starts_with("CN=Root,"), "{subject}");
    assert_eq!(violation, Violation::NotCa);

    let mut no_usage = ca("Root");
    no_usage.key_usages = vec![KeyUsagePurpose::CrlSign];
    let root = Entity::self_signed(no_usage);
    let signer = root.issue(leaf("Signer"));
    assert_eq!(rule(Question::new(&[&signer], &[&root]).refusal()).1, Violation::KeyUsage);
}

#[test]
fn path_lengths_hold_in_intermediates_and_in_the_anchor() {
    let short = |name| {
        let mut params = ca(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params
    };
    let below = |root: &Entity, first| {
        let first = root.issue(first);
        let second = first.issue(ca("Second"));
        let signer = second.issue(leaf("Signer"));
        Question::new(&[&signer, &second, &first], &[root])
    };
    let root = Entity::self_signed(ca("Root"));
    assert!(below(&root, ca("First")).ask().is_ok());
    assert_eq!(rule(below(&root, short("First")).refusal()).1, Violation::PathLength);
    let root = Entity::self_signed(short("Root"));
    let question = below(&root, ca("First"));
    assert_eq!(question.code(), Code::SignaturePathLength);
    assert_eq!(rule(question.refusal()).1, Violation::PathLength);
    let direct = root.issue(leaf("Signer"));
    assert!(Question::new(&[&direct], &[&root]).ask().is_ok());
}

#[test]
fn name_constraints_hold_in_intermediates_and_in_the_anchor() {
    let constrained = |name, permitted, excluded| {
        let mut params = ca(name);
        params.name_constraints =
            Some(NameConstraints { permitted_subtrees: permitted, excluded_subtrees: excluded });
        params
    };
    let mail = |address: &str| {
        let mut params = leaf("Signer");
        params.subject_alt_names = vec![SanType::Rfc822Name(address.try_into().unwrap())];
        params
    };
    let permitted = || vec![GeneralSubtree::Rfc822Name("ml.example".to_owned())];
    let excluded = || vec![GeneralSubtree::Rfc822Name("evil.example".to_owned())];
    for (good, address) in [(true, "a@ml.example"), (false, "a@evil.example")] {
        for (root, middle) in [
            (ca("Root"), constrained("Middle", permitted(), vec![])),
            (constrained("Root", permitted(), vec![]), ca("Middle")),
            (ca("Root"), constrained("Middle", vec![], excluded())),
            (constrained("Root", vec![], excluded()), ca("Middle")),
        ] {
            let question = ThreeTiers::with(root, middle, mail(address)).question();
            match question.ask() {
                Ok(_) => assert!(good, "{address}"),
                Err(error) => {
                    assert!(!good, "{address}: {error}");
                    assert_eq!(rule(error).1, Violation::NameConstraints);
                }
            }
        }
    }
}

#[test]
fn directory_name_constraints_of_an_anchor_hold() {
    let mut subtree = rcgen::DistinguishedName::new();
    subtree.push(DnType::OrganizationName, "Other");
    let mut params = ca("Root");
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DirectoryName(subtree)],
        excluded_subtrees: vec![],
    });
    let pki = ThreeTiers::with(params, ca("Middle"), leaf("Signer"));
    assert_eq!(rule(pki.question().refusal()).1, Violation::NameConstraints);

    let mut subtree = rcgen::DistinguishedName::new();
    subtree.push(DnType::OrganizationName, "Example");
    let mut params = ca("Root");
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DirectoryName(subtree)],
        excluded_subtrees: vec![],
    });
    let pki = ThreeTiers::with(params, ca("Middle"), leaf("Signer"));
    pki.question().ask().unwrap();
}

#[test]
fn an_unknown_critical_extension_is_refused_wherever_it_is() {
    let odd = |mut params: rcgen::CertificateParams, critical| {
        let mut extension =
            CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99999, 1], vec![5, 0]);
        extension.set_criticality(critical);
        params.custom_extensions = vec![extension];
        params
    };
    for critical in [true, false] {
        for pki in [
            ThreeTiers::with(odd(ca("Root"), critical), ca("Middle"), leaf("Signer")),
            ThreeTiers::with(ca("Root"), odd(ca("Middle"), critical), leaf("Signer")),
            ThreeTiers::with(ca("Root"), ca("Middle"), odd(leaf("Signer"), critical)),
        ] {
            match pki.question().ask() {
                Ok(_) => assert!(!critical),
                Err(error) => {
                    assert!(critical, "{error}");
                    assert_eq!(rule(error).1, Violation::CriticalExtension);
                }
            }
        }
    }
    let pinned = Entity::self_signed(odd(leaf("Signer"), true));
    let question = Question::new(&[&pinned], &[&pinned]);
    assert_eq!(rule(question.refusal()).1, Violation::CriticalExtension);
}

#[test]
fn a_tampered_certificate_is_named() {
    let pki = ThreeTiers::new();
    let tampered = |certificate: &Certificate| {
        let mut der = certificate.der().to_vec();
        let last = der.len() - 1;
        der[last] ^= 1;
        Certificate::from_der(&der).unwrap()
    };
    let mut question = pki.question();
    question.chain[0] = tampered(&pki.leaf.certificate);
    assert!(
        matches!(question.refusal(), PathError::BadSignature { subject } if subject.starts_with("CN=Signer,"))
    );
    assert_eq!(question.code(), Code::SignatureCertificateSignature);
    let mut question = pki.question();
    question.chain[1] = tampered(&pki.middle.certificate);
    assert!(
        matches!(question.refusal(), PathError::BadSignature { subject } if subject.starts_with("CN=Middle,"))
    );
}
