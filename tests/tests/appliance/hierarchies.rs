//! The PKIs that enterprises have, from the signature of a model to the verdict about it.

use std::path::PathBuf;
use std::process::Command;

use oms_testkit::pki::{
    Authority, Certificate, CrlProfile, ExtendedKeyUsage, KeyType, Leaf, Profile,
};
use oms_testkit::roots::{self, Anchor};
use oms_testkit::{files, model, run};
use oms_tests::forge::Forger;
use oms_tests::scene::Scene;
use oms_tests::{entry, json};

/// A station that trusts the scene's root, asks for `revocation`, and has `more` in its rule.
fn scene(revocation: &str, more: &str) -> Scene {
    let policy = format!(
        r#"
        [policy]
        id = "station"
        version = 1
        [revocation]
        mode = "{revocation}"
        [[signer]]
        method = "certificate"
        anchors = ["corp-root"]
        san-email = ["*@vendor.example"]
        {more}
        [content]
        allow = "any"
        "#
    );
    let scene = Scene::with_policy(&policy);
    model::write(&scene.model, 4_000);
    scene
}

/// The codes of `verify`; none when the model passes.
fn verify(scene: &Scene) -> Vec<String> {
    let mut command = scene.verify();
    let outcome = run::outcome(command.arg("--crls").arg(&scene.station.crls));
    let document = json::conforming(&json::VERIFY, outcome.json());
    let codes = json::codes(&document["reasons"]);
    assert_eq!(outcome.status, i32::from(!codes.is_empty()), "{document:#}");
    codes
}

const PASSES: [&str; 0] = [];

fn signer() -> Profile {
    Profile::code_signing("Release").email("release@vendor.example")
}

/// The outcome for a model that `leaf` signed, with these certificates above it.
fn outcome(scene: &Scene, leaf: &Leaf, above: &[&Certificate]) -> Vec<String> {
    scene.sign_through(leaf, above);
    verify(scene)
}

/// Puts CRLs into the station's folder, in the place of those of the same names.
fn import<const N: usize>(scene: &Scene, crls: [(&str, &Authority, CrlProfile); N]) {
    for (name, issuer, profile) in crls {
        scene.station.install_crl(name, &issuer.crl(profile).pem);
    }
}

#[test]
fn the_root_itself_may_issue() {
    let scene = scene("off", "");
    let leaf = scene.root.issue(signer(), KeyType::P384);
    assert_eq!(outcome(&scene, &leaf, &[]), PASSES);
}

#[test]
fn a_cross_certificate_leads_to_the_root_that_the_station_knows() {
    let scene = scene("require", "");
    let other = Authority::root(Profile::ca("Other Root"), KeyType::P384);
    let issuer = other.intermediate(Profile::ca("Other Issuing"), KeyType::P256);
    let leaf = issuer.issue(signer(), KeyType::P256);
    let crossed = scene.root.certify_authority(Profile::ca("Other Root"), &other);
    let back = other.certify_authority(Profile::ca("Corp Root"), &scene.root);
    let crl = || CrlProfile::new(1);
    import(
        &scene,
        [("root", &scene.root, crl()), ("other", &other, crl()), ("issuer", &issuer, crl())],
    );
    let above = &issuer.certificate;
    assert_eq!(outcome(&scene, &leaf, &[above]), ["signature.no-path"]);
    assert_eq!(outcome(&scene, &leaf, &[above, &crossed]), PASSES);
    // In any order, and in a loop.
    assert_eq!(outcome(&scene, &leaf, &[&back, &crossed, above]), PASSES);
    assert_eq!(outcome(&scene, &leaf, &[above, &back]), ["signature.no-path"]);

    import(&scene, [("root", &scene.root, CrlProfile::new(2).revoke(&crossed))]);
    assert_eq!(outcome(&scene, &leaf, &[above, &crossed]), ["revocation.revoked"]);
}

#[test]
fn a_root_with_a_new_key_is_found_through_its_link() {
    let scene = scene("off", "");
    let renewed = Authority::root(Profile::ca("Corp Root"), KeyType::P384);
    let issuer = renewed.intermediate(Profile::ca("Corp Issuing 2"), KeyType::P256);
    let leaf = issuer.issue(signer(), KeyType::P256);
    let link = scene.root.certify_authority(Profile::ca("Corp Root"), &renewed);
    let above = &issuer.certificate;
    assert_eq!(outcome(&scene, &leaf, &[above, &link]), PASSES);
    assert_eq!(outcome(&scene, &leaf, &[above]).len(), 1);
    // A root of that name which nobody linked does not travel in bundles, and would not help.
    let alone = &renewed.certificate;
    assert_eq!(outcome(&scene, &leaf, &[above, alone]).len(), 1);

    let anchors = [
        Anchor::new("corp-root", &renewed.certificate.pem, &["code-signing"]),
        Anchor::new("old-root", &scene.root.certificate.pem, &["code-signing"]),
    ];
    roots::write(&scene.station.roots, &anchors);
    assert_eq!(outcome(&scene, &leaf, &[above]), PASSES);
    let old = scene.issuer.issue(signer(), KeyType::P256);
    assert_eq!(outcome(&scene, &old, &[&scene.issuer.certificate]).len(), 1);
}

#[test]
fn an_issuer_with_a_new_key_signs_crls_with_the_old_or_the_new_one() {
    let scene = scene("require", "");
    let (old, new) =
        (&scene.issuer, scene.root.intermediate(Profile::ca("Corp Issuing"), KeyType::P256));
    let before = old.issue(signer(), KeyType::P256);
    let after = new.issue(signer(), KeyType::P256);
    let both = [&old.certificate, &new.certificate];
    import(&scene, [("root", &scene.root, CrlProfile::new(1))]);

    import(&scene, [("issuer", old, CrlProfile::new(1))]);
    assert_eq!(outcome(&scene, &before, &[both[0]]), PASSES);
    assert_eq!(outcome(&scene, &after, &[both[1]]), ["revocation.crl-signature"]);
    assert_eq!(outcome(&scene, &after, &both), PASSES);

    import(&scene, [("issuer", &new, CrlProfile::new(2))]);
    assert_eq!(outcome(&scene, &after, &[both[1]]), PASSES);
    assert_eq!(outcome(&scene, &before, &both), PASSES);

    import(&scene, [("issuer", &new, CrlProfile::new(3).revoke(&before.certificate))]);
    assert_eq!(outcome(&scene, &before, &both), ["revocation.revoked"]);
    // The old key's own list says otherwise; one that lists is enough.
    import(&scene, [("old", old, CrlProfile::new(4))]);
    assert_eq!(outcome(&scene, &before, &both), ["revocation.revoked"]);
}

#[test]
fn a_revoked_intermediate_takes_what_it_issued_with_it() {
    for (mode, code) in
        [("require", "revocation.revoked"), ("if-available", "revocation.revoked"), ("off", "")]
    {
        let scene = scene(mode, "");
        let leaf = scene.issuer.issue(signer(), KeyType::P256);
        let revoking = CrlProfile::new(1).revoke(&scene.issuer.certificate);
        import(
            &scene,
            [("root", &scene.root, revoking), ("issuer", &scene.issuer, CrlProfile::new(1))],
        );
        let expected: Vec<&str> = Some(code).filter(|code| !code.is_empty()).into_iter().collect();
        assert_eq!(outcome(&scene, &leaf, &[&scene.issuer.certificate]), expected, "{mode}");
    }
}

#[test]
fn rsa_and_ed25519_sign_where_the_rule_admits_them() {
    let root = Authority::root(Profile::ca("RSA Root"), KeyType::Rsa2048);
    let issuer = root.intermediate(Profile::ca("RSA Issuing"), KeyType::Rsa2048);
    let leaves = [KeyType::Rsa2048, KeyType::Rsa3072, KeyType::Ed25519]
        .map(|key| issuer.issue(signer(), key));
    let key_type = Some("signature.key-type");
    for (keys, expected) in [
        ("", [Some("signature.weak-key"), key_type, key_type]),
        ("keys = [\"RSA\", \"Ed25519\"]", [Some("signature.weak-key"), None, None]),
        ("keys = [\"RSA-2048\"]", [None, None, key_type]),
    ] {
        let scene = scene("off", keys);
        let anchor = Anchor::new("corp-root", &root.certificate.pem, &["code-signing"]);
        roots::write(&scene.station.roots, &[anchor]);
        // `sign` has no such keys: another one signs first.
        scene.sign(&scene.model, &scene.bundle(), &[]);
        let payload = entry::signed_bytes(&scene.bundle());
        for (leaf, expected) in leaves.iter().zip(expected) {
            let chain = [leaf.certificate.der.as_slice(), &issuer.certificate.der];
            scene.place(Forger::new(&leaf.key).bundle_with_chain(&payload, &chain).to_string());
            let expected: Vec<&str> = expected.into_iter().collect();
            assert_eq!(verify(&scene), expected, "{keys}");
        }
    }
}

#[test]
fn usages_that_the_rule_asks_for_beside_code_signing() {
    let scene = scene("off", "extended-key-usage = [\"1.3.6.1.4.1.99999.2\"]");
    let other = || ExtendedKeyUsage::Other(vec![1, 3, 6, 1, 4, 1, 99_999, 2]);
    for (usages, expected) in [
        (vec![ExtendedKeyUsage::CodeSigning, other()], None),
        (vec![ExtendedKeyUsage::CodeSigning], Some("signature.identity")),
        (vec![other()], Some("signature.certificate-purpose")),
        (vec![ExtendedKeyUsage::Any], Some("signature.certificate-purpose")),
    ] {
        let leaf = scene.issuer.issue(signer().extended_key_usages(usages.clone()), KeyType::P256);
        let expected: Vec<&str> = expected.into_iter().collect();
        let codes = outcome(&scene, &leaf, &[&scene.issuer.certificate]);
        assert_eq!(codes, expected, "{usages:?}");
    }
}

/// Certificates of the openssl command, below the scene's root, for what is odd.
struct Openssl {
    scene: Scene,
}

/// A new key for `openssl req`.
const P256: [&str; 4] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
const RSA: [&str; 2] = ["-newkey", "rsa:2048"];

impl Openssl {
    fn new(more: &str) -> Openssl {
        let scene = scene("off", more);
        let made = Openssl { scene };
        files::public(made.path("root.pem"), &made.scene.root.certificate.pem);
        files::secret(made.path("root.key"), made.scene.root.private_pem());
        made
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scene.path(name)
    }

    fn run(&self, arguments: &[&str]) {
        let mut command = Command::new("openssl");
        command.args(arguments).current_dir(self.path("."));
        let _ = run::outcome(&mut command).expect_status(0);
    }

    /// Makes `name.pem` and `name.key` under `issuer.pem`, signed as `options` say.
    fn issue(&self, name: &str, issuer: &str, key: &[&str], options: &[&str], extensions: &str) {
        let file = |suffix: &str| format!("{name}.{suffix}");
        let [pem, private, request, config] = ["pem", "key", "csr", "cnf"].map(file);
        files::public(
            self.path(&config),
            format!(
                "{extensions}\nsubjectKeyIdentifier = hash\nauthorityKeyIdentifier = keyid\n[other]\nO = Other\n[corp]\nO = Corp\n"
            ),
        );
        let subject = format!("/O=Corp/CN={name}");
        let made =
            ["req", "-new", "-nodes", "-subj", &subject, "-keyout", &private, "-out", &request];
        self.run(&[&made[..], key].concat());
        let (above, signing) = (format!("{issuer}.pem"), format!("{issuer}.key"));
        let made = ["x509", "-req", "-in", &request, "-CA", &above, "-CAkey", &signing];
        let more = ["-days", "30", "-sha256", "-extfile", &config, "-out", &pem];
        self.run(&[&made[..], &more, options].concat());
    }

    fn authority(&self, name: &str, key: &[&str], more: &str) {
        let ca = "basicConstraints = critical, CA:TRUE\nkeyUsage = critical, keyCertSign, cRLSign";
        self.issue(name, "root", key, &[], &format!("{ca}\n{more}"));
    }

    /// A leaf of `issuer` with these alternative names, `more` extensions, and the outcome of its
    /// signature.
    fn outcome(&self, issuer: &str, names: &str, options: &[&str], more: &str) -> Vec<String> {
        let leaf = format!(
            "basicConstraints = critical, CA:FALSE\nkeyUsage = critical, digitalSignature\n\
             extendedKeyUsage = codeSigning\n{more}\n\
             subjectAltName = email:release@vendor.example{names}"
        );
        self.issue("leaf", issuer, &P256, options, &leaf);
        let texts = ["leaf".to_owned(), issuer.to_owned()]
            .map(|name| std::fs::read_to_string(self.path(&format!("{name}.pem"))).unwrap());
        let chain = files::public(self.path("leaf.chain"), texts.concat());
        self.scene.sign_with_files(&self.path("leaf.key"), &chain);
        verify(&self.scene)
    }
}

#[test]
fn name_constraints_hold_for_every_form_of_name() {
    let pki = Openssl::new("");
    let refused = ["signature.name-constraints"];
    for (number, (form, inside, outside)) in [
        ("email:vendor.example", "", ", email:a@other.example"),
        ("DNS:ml.example", ", DNS:a.ml.example", ", DNS:ml.example.other"),
        ("URI:.ml.example", ", URI:https://a.ml.example/x", ", URI:https://ml.example/x"),
        ("IP:192.0.2.0/255.255.255.0", ", IP:192.0.2.7", ", IP:192.0.3.7"),
        ("dirName:corp", ", dirName:corp", ", dirName:other"),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("ca{number}");
        pki.authority(&name, &P256, &format!("nameConstraints = critical, permitted;{form}"));
        assert_eq!(pki.outcome(&name, inside, &[], ""), PASSES, "permitted {form}");
        assert_eq!(pki.outcome(&name, outside, &[], ""), refused, "permitted {form}");
    }
    for (number, (form, inside, outside)) in [
        ("email:other.example", ", email:a@other.example", ""),
        ("DNS:evil.example", ", DNS:a.evil.example", ", DNS:evil.example.other"),
        ("URI:.evil.example", ", URI:https://a.evil.example/x", ", URI:https://evil.example/x"),
        ("IP:192.0.2.0/255.255.255.0", ", IP:192.0.2.7", ", IP:192.0.3.7"),
        ("dirName:other", ", dirName:other", ", dirName:corp"),
        ("email:other.example", ", otherName:1.3.6.1.5.5.7.8.9;UTF8:ä@other.example", ""),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("ex{number}");
        pki.authority(&name, &P256, &format!("nameConstraints = critical, excluded;{form}"));
        assert_eq!(pki.outcome(&name, inside, &[], ""), refused, "excluded {form}");
        assert_eq!(pki.outcome(&name, outside, &[], ""), PASSES, "excluded {form}");
    }
}

#[test]
fn an_issuer_with_rsa_signs_in_both_paddings() {
    let pki = Openssl::new("");
    pki.authority("rsa", &RSA, "");
    let pss = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"];
    assert_eq!(pki.outcome("rsa", "", &[], ""), PASSES);
    assert_eq!(pki.outcome("rsa", "", &pss, ""), PASSES);
    assert_eq!(pki.outcome("rsa", "", &["-sha1"], ""), ["signature.weak-hash"]);
    pki.authority("short", &["-newkey", "rsa:1024"], "");
    assert_eq!(pki.outcome("short", "", &[], ""), ["signature.weak-key"]);
}

#[test]
fn certificate_policies_that_the_rule_asks_for() {
    let pki = Openssl::new("certificate-policies = [\"1.3.6.1.4.1.99999.1\"]");
    let refused = ["signature.certificate-policies"];
    let (one, two, any) = ("1.3.6.1.4.1.99999.1", "1.3.6.1.4.1.99999.2", "2.5.29.32.0");
    for (name, policies) in [("one", one), ("two", two), ("any", any)] {
        pki.authority(name, &P256, &format!("certificatePolicies = {policies}"));
    }
    pki.authority("none", &P256, "");
    let outcome = |issuer: &str, policies: &str| {
        pki.outcome(issuer, "", &[], &format!("certificatePolicies = {policies}"))
    };
    assert_eq!(outcome("one", one), PASSES);
    assert_eq!(outcome("one", &format!("{two}, {one}")), PASSES);
    assert_eq!(outcome("any", one), PASSES);
    assert_eq!(outcome("one", any), PASSES);
    assert_eq!(outcome("one", two), refused);
    assert_eq!(outcome("two", one), refused);
    assert_eq!(outcome("none", one), refused);
    assert_eq!(pki.outcome("one", "", &[], ""), refused);
}
