//! What `[time]`, `[[attestation]]` and the keys about trust say, and what they must not.

use super::*;
use crate::key::KeyType;
use crate::policy::{
    Afterwards, FieldPath, KeySet, Method, PolicyInput, Scalar, SigstoreIdentity, Test,
};
use crate::reason::Code;

const SIGSTORE: &str = "[[signer]]\nmethod = \"sigstore\"\ntrusted-root = \"public\"\n\
                        identity = \"*@vendor.example\"\nissuer = \"https://id.vendor.example\"\n";
const TIME: &str = "[time]\ntimestamp-anchors = [\"tsa\"]\n";
const ATTESTATION: &str = "[[attestation]]\npredicate-type = \"https://slsa.dev/provenance/v1\"\n\
                           [attestation.signer]\nmethod = \"certificate\"\nanchors = \"root\"\n";

fn anchors() -> [Anchor; 2] {
    [anchor("root", &[Purpose::CodeSigning]), anchor("tsa", &[Purpose::Timestamping])]
}

fn with(tables: &str) -> Result<Policy, PolicyError> {
    resolve(&format!("{SMALLEST}{tables}"), &anchors())
}

/// [`SMALLEST`] with `lines` in its signer.
fn with_signer(lines: &str) -> Result<Policy, PolicyError> {
    resolve(&SMALLEST.replace("[content]", &format!("{lines}\n[content]")), &anchors())
}

/// The message of the error of these tables, which has this code; line 9 is their first.
#[track_caller]
fn fault(tables: &str, code: Code) -> String {
    let error = with(tables).expect_err(tables);
    assert_eq!(error.code(), code, "{error}");
    error.to_string()
}

#[track_caller]
fn assert_starts(error: &str, start: &str) {
    assert!(error.starts_with(start), "\n{error}\ndoes not start with\n{start}");
}

#[test]
fn times_say_which_authorities_count_and_what_for() {
    let nothing = with("").unwrap().time;
    assert!(nothing.timestamp_anchors.is_empty() && !nothing.require_timestamp);
    assert_eq!(nothing.expired_certificates, Afterwards::Refuse);
    assert_eq!(nothing.revoked_certificates, Afterwards::Refuse);
    assert_eq!(nothing.max_signature_age, None);

    let policy = with(&format!(
        "{TIME}require-timestamp = true\nexpired-certificates = \"with-timestamp\"\n\
         revoked-certificates = \"with-timestamp\"\nmax-signature-age = \"30d\"\n"
    ))
    .unwrap();
    let time = &policy.time;
    assert_eq!(time.timestamp_anchors[0].name, "tsa");
    assert!(time.require_timestamp && time.expired_certificates.is_excused());
    assert!(time.revoked_certificates.is_excused());
    assert_eq!(time.max_signature_age.unwrap().to_string(), "30d");
    let sha256 = Sha256Digest::of(b"tsa");
    let input = PolicyInput { kind: "anchor", name: "tsa".to_owned(), sha256 };
    assert!(policy.inputs.contains(&input), "{:?}", policy.inputs);
}

#[test]
fn times_have_their_words_and_types() {
    for (line, column, rule) in [
        ("timestamp-anchors = []", 21, "timestamp-anchors"),
        ("timestamp-anchors = [1]", 22, "timestamp-anchors[0]"),
        ("timestamp-anchors = [\"tsa\", \"tsa\"]", 29, "timestamp-anchors[1]"),
        ("require-timestamp = \"yes\"", 21, "require-timestamp"),
        ("expired-certificates = \"accept\"", 24, "expired-certificates"),
        ("expired-certificates = true", 24, "expired-certificates"),
        ("revoked-certificates = \"with-time\"", 24, "revoked-certificates"),
        ("max-signature-age = \"0d\"", 21, "max-signature-age"),
        ("max-signature-age = 30", 21, "max-signature-age"),
    ] {
        let error = fault(&format!("[time]\n{line}"), Code::PolicySyntax);
        assert_starts(&error, &format!("line 10, column {column}: time.{rule}: "));
        assert!(error.contains("expected"), "{error}");
    }
    let unknown = fault("[time]\ntimestamps = []", Code::PolicySyntax);
    assert_starts(&unknown, "line 10, column 1: time: unknown key `timestamps`");
}

#[test]
fn an_authority_must_be_installed_for_timestamping() {
    let error = fault("[time]\ntimestamp-anchors = \"root\"", Code::PolicyAnchorPurpose);
    assert_eq!(
        error,
        "line 10, column 21: time.timestamp-anchors: the anchor \"root\" is installed for \
         code-signing, expected the purpose timestamping"
    );
    let error = fault("[time]\ntimestamp-anchors = [\"other\"]", Code::PolicyUnknownAnchor);
    assert!(error.ends_with("expected one of: tsa"), "{error}");
    let signer = resolve(&SMALLEST.replace("\"root\"", "\"tsa\""), &anchors()).unwrap_err();
    assert_eq!(signer.code(), Code::PolicyAnchorPurpose);
    assert!(signer.to_string().ends_with("expected the purpose code-signing"), "{signer}");
}

#[test]
fn what_needs_a_timestamp_needs_an_authority() {
    for line in [
        "require-timestamp = true",
        "expired-certificates = \"with-timestamp\"",
        "revoked-certificates = \"with-timestamp\"",
    ] {
        let error = fault(&format!("[time]\n{line}\n"), Code::PolicyContradiction);
        assert_starts(&error, "line 10, column 2");
        assert!(error.ends_with("expected time.timestamp-anchors as well"), "{error}");
        // Sigstore's own time is no help to the signer with a certificate.
        fault(&format!("{SIGSTORE}[time]\n{line}\n"), Code::PolicyContradiction);
        with(&format!("{TIME}{line}\n")).unwrap();
        let only = SMALLEST
            .replace("[[signer]]\nmethod = \"certificate\"\nanchors = [\"root\"]\n", SIGSTORE);
        resolve(&format!("{only}[time]\n{line}\n"), &[]).unwrap();
    }
    with("[time]\nrequire-timestamp = false\nexpired-certificates = \"refuse\"\n").unwrap();
}

#[test]
fn a_bare_key_has_an_age_only_by_timestamps() {
    let key = |line: &str, time: &str| {
        let signer = format!("method = \"key\"\nkey = \"v.pem\"\n{line}");
        let text = SMALLEST.replace("method = \"certificate\"\nanchors = [\"root\"]\n", &signer);
        let keys =
            BTreeMap::from([("v.pem".to_owned(), public_key_pem(&rcgen::PKCS_ECDSA_P256_SHA256))]);
        let inputs = Inputs { anchors: &anchors(), keys: &keys, trusted_roots: &[] };
        parse(&format!("{text}{time}"))?.resolve(&inputs)
    };
    let age = "max-signature-age = \"30d\"\n";
    let error = key(age, "").unwrap_err();
    assert_eq!((error.code(), error.line, error.column), (Code::PolicyContradiction, 7, 21));
    let error = key("", &format!("[time]\n{age}")).unwrap_err();
    assert_eq!(
        (error.code(), error.rule.as_str()),
        (Code::PolicyContradiction, "time.max-signature-age")
    );
    key(age, TIME).unwrap();
    key("", &format!("{TIME}{age}")).unwrap();
    with(&format!("[time]\n{age}")).unwrap();
}

#[test]
fn attestations_say_what_and_by_whom() {
    let policy = with(&format!(
        "{}where = [\n\
         {{ field = \"predicate.a.0.b\", equals = \"x\" }},\n\
         {{ field = \"predicate.n\", one-of = [1, true, \"t\"] }},\n\
         {{ field = \"predicate.p\", present = true }},\n\
         {{ field = \"predicate.l\", at-least = -3 }},\n]\n{}",
        ATTESTATION
            .replace("[attestation.signer]\nmethod = \"certificate\"\nanchors = \"root\"\n", ""),
        "[attestation.signer]\nmethod = \"certificate\"\nanchors = \"root\"\nsubject = \"CN=CI\"\n"
    ))
    .unwrap();
    let [rule] = policy.attestations.as_slice() else { panic!() };
    assert_eq!(
        (rule.name.as_str(), rule.signer.name.as_str()),
        ("attestation[0]", "attestation[0].signer")
    );
    assert_eq!(rule.predicate_type, "https://slsa.dev/provenance/v1");
    assert!(matches!(rule.signer.method, Method::Certificate { .. }));
    let tests: Vec<_> = rule.conditions.iter().map(|condition| condition.test.clone()).collect();
    let text = |text: &str| Scalar::Text(text.to_owned());
    assert_eq!(
        tests,
        [
            Test::Equals(text("x")),
            Test::OneOf(vec![Scalar::Integer(1), Scalar::Boolean(true), text("t")]),
            Test::Present(true),
            Test::AtLeast(-3)
        ]
    );
    assert_eq!(rule.conditions[0].field, FieldPath::parse("predicate.a.0.b").unwrap());
    assert!(with("").unwrap().attestations.is_empty());
    let two = with(&ATTESTATION.repeat(2)).unwrap();
    assert_eq!(two.attestations[1].signer.name, "attestation[1].signer");
}

#[test]
fn attestations_have_their_keys_and_types() {
    let head = "[[attestation]]\npredicate-type = \"a:b\"\n";
    let signer = "[attestation.signer]\nmethod = \"certificate\"\nanchors = \"root\"\n";
    for (tables, start) in [
        (
            format!("[[attestation]]\n{signer}"),
            "line 9, column 1: attestation[0]: the key `predicate-type` is missing",
        ),
        (head.to_owned(), "line 9, column 1: attestation[0]: the key `signer` is missing"),
        (
            format!("{head}signer = \"ci\"\n"),
            "line 11, column 10: attestation[0].signer: found \"ci\", expected a table",
        ),
        (
            format!("{head}wher = []\n{signer}"),
            "line 11, column 1: attestation[0]: unknown key `wher`",
        ),
        (
            format!("{head}{signer}models = \"a\"\n"),
            "line 14, column 10: attestation[0].signer.models: the key `models` does not belong",
        ),
        (format!("{head}{signer}method = \"x\"\n"), "line 14, column 1: duplicate key"),
        (
            format!("{head}[attestation.signer]\nmethod = \"key\"\n"),
            "line 11, column 1: attestation[0].signer: the key `key` is missing",
        ),
        (
            "[[attestation]]\npredicate-type = \"not a uri\"\n".to_owned() + signer,
            "line 10, column 18: attestation[0].predicate-type: found",
        ),
        ("[attestation]\nx = 1\n".to_owned(), "line 9, column 1: attestation: found a table"),
    ] {
        assert_starts(&fault(&tables, Code::PolicySyntax), start);
    }
    for (condition, says) in [
        ("{ field = \"a\" }", "a condition asks one thing"),
        ("{ field = \"a\", equals = 1, present = true }", "a condition asks one thing"),
        ("{ equals = 1 }", "the key `field` is missing"),
        ("{ field = \"a..b\", equals = 1 }", "found \"a..b\", expected a path"),
        ("{ field = 1, equals = 1 }", "found 1, expected a path"),
        ("{ field = \"a\", equals = 1.5 }", "expected a string, a whole number, true or false"),
        ("{ field = \"a\", equals = [] }", "expected a string, a whole number, true or false"),
        ("{ field = \"a\", equals = 9223372036854775808 }", "a whole number of at most 64 bits"),
        ("{ field = \"a\", one-of = [] }", "found an empty list"),
        ("{ field = \"a\", one-of = [1, 1] }", "stands here twice"),
        ("{ field = \"a\", one-of = \"a\" }", "expected a list"),
        ("{ field = \"a\", present = \"yes\" }", "expected true or false"),
        ("{ field = \"a\", at-least = \"3\" }", "expected a whole number"),
        ("{ field = \"a\", at-most = 3 }", "unknown key `at-most`"),
        ("1", "found 1, expected a table"),
    ] {
        let error = fault(&format!("{head}where = [{condition}]\n{signer}"), Code::PolicySyntax);
        assert_starts(&error, "line 11, column ");
        assert!(error.contains(says), "{error}\nlacks {says}");
    }
    let many = "{ field = \"a\", present = true },".repeat(65);
    let error = fault(&format!("{head}where = [{many}]\n{signer}"), Code::PolicySyntax);
    assert!(error.contains("found 65 entries, expected at most 64"), "{error}");
    let error = fault(&ATTESTATION.repeat(65), Code::PolicySyntax);
    assert!(error.contains("found 65 entries, expected at most 64"), "{error}");
}

#[test]
fn the_signers_of_attestations_are_resolved_like_others() {
    let error = fault(&ATTESTATION.replace("\"root\"", "\"tsa\""), Code::PolicyAnchorPurpose);
    assert_starts(&error, "line 13, column 11: attestation[0].signer.anchors: the anchor \"tsa\"");
    let by_key = ATTESTATION.replace(
        "method = \"certificate\"\nanchors = \"root\"\n",
        "method = \"key\"\nkey = \"ci.pem\"\n",
    );
    let raw = parse(&format!("{SMALLEST}{by_key}")).unwrap();
    assert_eq!(raw.key_files().collect::<Vec<_>>(), ["ci.pem"]);
    let error = fault(&by_key, Code::PolicyKey);
    assert_starts(&error, "line 13, column 7: attestation[0].signer.key: ");
    let timed = format!("{by_key}max-signature-age = \"1d\"\n");
    assert_starts(&fault(&timed, Code::PolicyContradiction), "line 14, column 21: attestation[0]");
}

#[test]
fn sigstore_signers_have_a_trusted_root_and_patterns() {
    let policy = with(SIGSTORE).unwrap();
    let Method::Sigstore { trusted_root, identity, issuer } = &policy.signers[1].method else {
        panic!()
    };
    assert_eq!(trusted_root.name, "public");
    assert!(matches!(identity, SigstoreIdentity::Email(_)));
    assert!(issuer.matches("https://id.vendor.example"));
    let kinds: Vec<_> = policy.inputs.iter().map(|i| (i.kind, i.name.as_str())).collect();
    assert_eq!(kinds, [("anchor", "root"), ("trusted-root", "public")]);

    for (from, to, code, says) in [
        (
            "\"public\"",
            "\"private\"",
            Code::PolicyTrustedRoot,
            "line 11, column 16: signer[1].trusted-root: no trusted root \"private\" is installed, expected one of: public",
        ),
        (
            "\"public\"",
            "1",
            Code::PolicySyntax,
            "line 11, column 16: signer[1].trusted-root: found 1",
        ),
        (
            "\"*@vendor.example\"",
            "\"a*@vendor.example\"",
            Code::PolicySyntax,
            "line 12, column 12: signer[1].identity: found",
        ),
        (
            "\"*@vendor.example\"",
            "[\"a@b\"]",
            Code::PolicySyntax,
            "line 12, column 12: signer[1].identity: found a list",
        ),
        (
            "\"https://id.vendor.example\"",
            "\"vendor\"",
            Code::PolicySyntax,
            "line 13, column 10: signer[1].issuer: found \"vendor\"",
        ),
        (
            "\"https://id.vendor.example\"",
            "\"https://*\"",
            Code::PolicySyntax,
            "line 13, column 10: signer[1].issuer: found",
        ),
    ] {
        assert_starts(&fault(&SIGSTORE.replace(from, to), code), says);
    }
    let twice = &[trusted_root.clone(), trusted_root.clone()];
    let inputs = Inputs { anchors: &anchors(), keys: &BTreeMap::new(), trusted_roots: twice };
    let error = parse(&format!("{SMALLEST}{SIGSTORE}")).unwrap().resolve(&inputs).unwrap_err();
    assert_eq!((error.code(), error.line), (Code::PolicyTrustedRoot, 11));
    let error = parse(SMALLEST).unwrap().resolve(&inputs).unwrap_err();
    assert_eq!((error.code(), error.line, error.column), (Code::PolicyTrustedRoot, 1, 1));
}

#[test]
fn certificate_policies_ask_for_an_explicit_one() {
    assert_eq!(with("").unwrap().signers[0].policies, None);
    let policy = with_signer("certificate-policies = [\"1.3.6.1.4.1.99999.1\"]").unwrap();
    let asked = policy.signers[0].policies.as_ref().unwrap();
    assert_eq!(asked.acceptable, ["1.3.6.1.4.1.99999.1".parse().unwrap()]);
    assert!(asked.require_explicit && !asked.inhibit_any && !asked.inhibit_mapping);
}

#[test]
fn short_rsa_needs_its_name() {
    let keys = |line: &str| with_signer(line).unwrap().signers[0].keys.clone();
    let admits = |keys: &KeySet, bits| keys.admits(KeyType::Rsa(bits));
    let both = keys("keys = [\"RSA\", \"RSA-2048\"]");
    assert!(admits(&both, 2048) && !admits(&both, 2047));
    let long = keys("keys = \"RSA\"");
    assert!(admits(&long, 3072) && !admits(&long, 2048));
    assert!(with_signer("keys = [\"RSA-1024\"]").is_err());
}

#[test]
fn a_threshold_that_no_signers_could_reach_is_an_error() {
    let require = |count: usize| format!("[signatures]\nrequire = {count}\n");
    let keyed = |rules: &[&str], count: usize| {
        let a = public_key_pem(&rcgen::PKCS_ECDSA_P256_SHA256);
        let b = public_key_pem(&rcgen::PKCS_ECDSA_P256_SHA256);
        let keys = [("a.pem", a.clone()), ("also-a.pem", a), ("b.pem", b)];
        let keys = keys.map(|(name, pem)| (name.to_owned(), pem)).into();
        let signers: String = rules.iter().map(|rule| format!("[[signer]]\n{rule}\n")).collect();
        let text = SMALLEST
            .replace("[[signer]]\nmethod = \"certificate\"\nanchors = [\"root\"]\n", &signers);
        let inputs = Inputs { anchors: &anchors(), keys: &keys, trusted_roots: &[] };
        parse(&format!("{text}{}", require(count))).unwrap().resolve(&inputs)
    };
    let [a, also_a, b] =
        ["a.pem", "also-a.pem", "b.pem"].map(|f| format!("method = \"key\"\nkey = \"{f}\""));
    let certificate = |line: &str| format!("method = \"certificate\"\nanchors = \"root\"\n{line}");
    let one = certificate("san-email = \"a@x.example\"");
    let two = certificate("subject = [\"CN=a\", \"CN=b\"]");
    let wide = certificate("san-email = [\"*@x.example\"]");
    let any = certificate("issuer = \"CN=a\"");
    for (rules, most) in [
        (vec![&a], 1),
        (vec![&a, &also_a], 1),
        (vec![&a, &b], 2),
        (vec![&one], 1),
        (vec![&two, &one], 3),
    ] {
        let rules: Vec<&str> = rules.into_iter().map(String::as_str).collect();
        assert!(keyed(&rules, most).is_ok(), "{rules:?}");
        let error = keyed(&rules, most + 1).unwrap_err();
        assert_eq!(
            (error.code(), error.rule.as_str()),
            (Code::PolicyContradiction, "signatures.require")
        );
        let says = format!("found {}, expected at most {most}: ", most + 1);
        assert!(error.to_string().contains(&says), "{error}");
    }
    for rule in [&wide, &any] {
        assert!(keyed(&[rule], 16).is_ok(), "{rule}");
    }
    let error = resolve(
        &format!(
            "{}{}",
            SMALLEST.replace(
                "[[signer]]\nmethod = \"certificate\"\nanchors = [\"root\"]\n",
                &SIGSTORE.replace('*', "release"),
            ),
            require(2)
        ),
        &[],
    )
    .unwrap_err();
    assert_eq!(error.code(), Code::PolicyContradiction);
}
