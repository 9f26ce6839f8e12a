//! Time: what the station remembers, and what a trusted time stamp proves.

use std::process::Command;

use oms_station::clock::system_time;
use oms_testkit::pki::{CrlProfile, KeyType, Leaf, Profile, RevocationReason};
use oms_testkit::roots::{self, Anchor};
use oms_testkit::{files, model, run};
use oms_tests::scene::{POLICY, Scene};
use oms_tests::tsa::{Tsa, add_token};
use oms_tests::{entry, json};
use oms_verify::time::UnixTime;
use serde_json::Value;

/// A station whose policy uses CRLs where there are some, and a carrier with a signed model.
fn scene_with_crls() -> Scene {
    let scene = Scene::with_policy(&POLICY.replace("mode = \"off\"", "mode = \"if-available\""));
    model::write(&scene.model, 4_000);
    scene.sign(&scene.model, &scene.bundle(), &[]);
    scene
}

/// Puts a CRL of the vendor's issuer in the place of the former one.
fn import(scene: &Scene, crl: CrlProfile) {
    scene.station.install_crl("issuer", &scene.issuer.crl(crl).pem);
}

#[test]
fn an_older_crl_is_not_used_again() {
    let scene = scene_with_crls();
    import(&scene, CrlProfile::new(5));
    assert_eq!(scene.ingested().len(), 1);
    import(&scene, CrlProfile::new(4));
    let _ = scene.refused_at_ingest(&["revocation.rolled-back"]);
    import(&scene, CrlProfile::new(5));
    assert_eq!(scene.ingested().len(), 1);
}

#[test]
fn a_crl_from_before_a_revocation_does_not_undo_it() {
    let scene = scene_with_crls();
    import(&scene, CrlProfile::new(4));
    assert_eq!(scene.ingested().len(), 1);
    import(&scene, CrlProfile::new(5).revoke(&scene.vendor.certificate));
    let _ = scene.refused_at_ingest(&["revocation.revoked"]);
    import(&scene, CrlProfile::new(4));
    let _ = scene.refused_at_ingest(&["revocation.rolled-back"]);
}

#[test]
fn a_memory_of_crls_that_is_lost_or_damaged() {
    let scene = scene_with_crls();
    import(&scene, CrlProfile::new(5));
    assert_eq!(scene.ingested().len(), 1);
    let memory = scene.station.state.join("crl-floors.json");
    let kept = std::fs::read(&memory).unwrap();
    files::secret(&memory, "{}");
    scene.undecided_at_ingest(3, "state.damaged");
    std::fs::remove_file(&memory).unwrap();
    scene.undecided_at_ingest(3, "state.damaged");
    files::secret(&memory, kept);
    assert_eq!(scene.ingested().len(), 1);
}

const DAY: i64 = 86_400;

/// The station's policy with these settings under `[time]`.
fn policy(revocation: &str, time: &str) -> String {
    let policy = POLICY.replace("mode = \"off\"", &format!("mode = \"{revocation}\""));
    format!("{policy}\n[time]\ntimestamp-anchors = [\"corp-tsa\"]\n{time}\n")
}

/// A model whose signer's certificate expires ten days from now, and an authority that may have
/// stamped it.
struct Stamped {
    scene: Scene,
    tsa: Tsa,
    signer: Leaf,
    now: i64,
}

impl Stamped {
    fn new(policy: &str) -> Stamped {
        let scene = Scene::with_policy(policy);
        let tsa = Tsa::new();
        let root = &scene.root.certificate.pem;
        let anchors = [
            Anchor::new("corp-root", root, &["code-signing", "verdict"]),
            Anchor::new("corp-tsa", &tsa.root.certificate.pem, &["timestamping"]),
        ];
        roots::write(&scene.station.roots, &anchors);
        model::write(&scene.model, 4_000);
        let now = system_time().0;
        let profile = Profile::code_signing("Release").email("release@vendor.example");
        let profile = profile.validity(seconds(now - 10 * DAY), seconds(now + 10 * DAY));
        let signer = scene.issuer.issue(profile, KeyType::P256);
        scene.sign_as(&signer, &scene.issuer);
        Stamped { scene, tsa, signer, now }
    }

    /// The same, stamped.
    fn with_token(policy: &str) -> Stamped {
        let stamped = Stamped::new(policy);
        stamped.tsa.stamp_bundle(&stamped.scene.bundle());
        stamped
    }

    /// CRLs of the roots and the issuer of this many days from now, for a hundred days.
    fn import(&self, days: i64, change: impl Fn(CrlProfile) -> CrlProfile) {
        let from = self.now + days * DAY;
        let crl = || CrlProfile::new(7).validity(seconds(from), seconds(from + 100 * DAY));
        let station = &self.scene.station;
        station.install_crl("root", &self.scene.root.crl(crl()).pem);
        station.install_crl("tsa", &self.tsa.root.crl(crl()).pem);
        station.install_crl("issuer", &self.scene.issuer.crl(change(crl())).pem);
    }

    /// A CRL of the authority instead of the former one.
    fn import_tsa(&self, crl: CrlProfile) {
        self.scene.station.install_crl("tsa", &self.tsa.root.crl(crl).pem);
    }

    /// CRLs of this many days from now of the roots alone.
    fn import_roots(&self, days: i64) {
        let from = self.now + days * DAY;
        let crl = || CrlProfile::new(8).validity(seconds(from), seconds(from + 100 * DAY));
        self.scene.station.install_crl("root", &self.scene.root.crl(crl()).pem);
        self.import_tsa(crl());
    }

    /// A CRL of the issuer from day 20 to day 50 that keeps every certificate which expired this
    /// many days from now or later (expiredCertsOnCRL), by openssl.
    fn keep_expired_since(&self, days: i64) {
        let (scene, day) = (&self.scene, |days: i64| digits(UnixTime(self.now + days * DAY)));
        let since: String = day(days).bytes().map(|byte| format!("{byte:02x}")).collect();
        files::public(scene.path("issuer.pem"), &scene.issuer.certificate.pem);
        files::secret(scene.path("issuer.key"), scene.issuer.private_pem());
        files::public(scene.path("ca.cnf"), format!("{CA_CONFIG}2.5.29.60 = DER:180f{since}\n"));
        files::public(scene.path("index.txt"), "");
        files::public(scene.path("number"), "10\n");
        let mut command = Command::new("openssl");
        command.args(["ca", "-gencrl", "-config", "ca.cnf", "-out", "kept.pem"]);
        command.args(["-cert", "issuer.pem", "-keyfile", "issuer.key"]);
        command.args(["-crl_lastupdate", &day(20), "-crl_nextupdate", &day(50)]);
        let _ = run::outcome(command.current_dir(scene.path("."))).expect_status(0);
        let crl = std::fs::read_to_string(scene.path("kept.pem")).unwrap();
        scene.station.install_crl("issuer", &crl);
    }

    /// The codes of `verify` this many days from now; none when the model passes.
    fn verify(&self, days: i64) -> Vec<String> {
        json::codes(&self.decision(days)["reasons"])
    }

    /// The codes of what does not refuse the model.
    fn warnings(&self, days: i64) -> Vec<String> {
        json::codes(&self.decision(days)["warnings"])
    }

    fn decision(&self, days: i64) -> Value {
        let mut command = self.scene.verify();
        command.arg("--crls").arg(&self.scene.station.crls);
        command.arg("--at").arg(UnixTime(self.now + days * DAY).to_string());
        let outcome = run::outcome(&mut command);
        let document = json::conforming(&json::VERIFY, outcome.json());
        let codes = json::codes(&document["reasons"]);
        assert_eq!(outcome.status, i32::from(!codes.is_empty()), "{document:#}");
        document
    }
}

/// For `openssl ca -gencrl`.
const CA_CONFIG: &str = "
[ca]
default_ca = corp
[corp]
database = index.txt
crlnumber = number
default_md = sha256
crl_extensions = crl
[crl]
authorityKeyIdentifier = keyid
";

/// A time as GeneralizedTime has it.
fn digits(time: UnixTime) -> String {
    time.to_string().chars().filter(|c| !"-:T".contains(*c)).collect()
}

fn seconds(time: i64) -> u64 {
    u64::try_from(time).unwrap()
}

const WITH_TIMESTAMP: &str = "expired-certificates = \"with-timestamp\"";

#[test]
fn a_certificate_that_expired_after_a_trusted_timestamp() {
    let bare = Stamped::new(&policy("off", WITH_TIMESTAMP));
    assert_eq!(bare.verify(5), [""; 0], "valid still");
    assert_eq!(bare.verify(30), ["signature.certificate-expired"]);
    bare.tsa.stamp_bundle(&bare.scene.bundle());
    assert_eq!(bare.verify(30), [""; 0]);
    let refused = Stamped::with_token(&policy("off", ""));
    assert_eq!(refused.verify(5), [""; 0]);
    assert_eq!(refused.verify(30), ["signature.certificate-expired"]);
}

#[test]
fn a_timestamp_over_other_data_or_of_another_authority() {
    let other = Stamped::new(&policy("off", WITH_TIMESTAMP));
    add_token(&other.scene.bundle(), &other.tsa.stamp(b"another signature"));
    assert_eq!(other.verify(5), [""; 0], "it takes nothing away while none is needed");
    assert_eq!(other.warnings(5), ["timestamp.other-data"]);
    assert_eq!(other.verify(30), ["signature.certificate-expired", "timestamp.other-data"]);
    let untrusted = Stamped::new(&policy("off", WITH_TIMESTAMP));
    Tsa::new().stamp_bundle(&untrusted.scene.bundle());
    assert_eq!(untrusted.verify(30), ["signature.certificate-expired", "timestamp.untrusted"]);
    let junk = Stamped::new(&policy("off", "require-timestamp = true"));
    assert_eq!(junk.verify(5), ["timestamp.missing"]);
    add_token(&junk.scene.bundle(), b"junk");
    assert_eq!(junk.verify(5), ["timestamp.malformed"]);
    junk.tsa.stamp_bundle(&junk.scene.bundle());
    assert_eq!(junk.verify(5), [""; 0]);
    assert_eq!(junk.verify(-5), ["timestamp.future", "timestamp.malformed"]);
}

#[test]
fn what_a_revocation_after_the_timestamp_means() {
    let excused = policy("require", "revoked-certificates = \"with-timestamp\"");
    let stamped = Stamped::with_token(&excused);
    let revoked = |days: i64, reason| {
        let time = seconds(stamped.now + days * DAY);
        stamped.import(2, |crl| crl.revoke_for(&stamped.signer.certificate, time, reason));
        stamped.verify(5)
    };
    assert_eq!(revoked(1, RevocationReason::Superseded), [""; 0]);
    assert_eq!(revoked(-1, RevocationReason::Superseded), ["revocation.revoked"]);
    for reason in [
        RevocationReason::KeyCompromise,
        RevocationReason::CaCompromise,
        RevocationReason::AaCompromise,
        RevocationReason::Unspecified,
    ] {
        assert_eq!(revoked(1, reason), ["revocation.revoked"], "{reason:?}");
    }
    let strict = Stamped::with_token(&policy("require", ""));
    let time = seconds(strict.now + DAY);
    let superseded = RevocationReason::Superseded;
    strict.import(2, |crl| crl.revoke_for(&strict.signer.certificate, time, superseded));
    assert_eq!(strict.verify(5), ["revocation.revoked"]);
}

#[test]
fn an_expired_certificate_needs_a_crl_that_still_listed_it() {
    let stamped = Stamped::with_token(&policy("require", WITH_TIMESTAMP));
    stamped.import(5, |crl| crl);
    assert_eq!(stamped.verify(30), [""; 0], "of after the timestamp and before the expiry");
    stamped.import(5, |crl| crl.revoke(&stamped.signer.certificate));
    assert_eq!(stamped.verify(30), ["revocation.revoked"]);
    // Authorities drop what has expired: these tell nothing about it.
    for days in [-5, 20] {
        stamped.import(days, |crl| crl);
        let codes = stamped.verify(30);
        assert_eq!(codes.len(), 1, "{days}: {codes:?}");
        assert!(codes.iter().all(|code| code.starts_with("revocation.")), "{days}: {codes:?}");
    }
}

#[test]
fn an_issuer_that_expired_after_the_timestamp_as_well() {
    let mut stamped = Stamped::new(&policy("require", WITH_TIMESTAMP));
    let days = |days: i64| seconds(stamped.now + days * DAY);
    let short = Profile::ca("Corp Short").validity(days(-10), days(10));
    let issuer = stamped.scene.root.intermediate(short, KeyType::P256);
    let profile = Profile::code_signing("Release").email("release@vendor.example");
    let signer = issuer.issue(profile.validity(days(-10), days(10)), KeyType::P256);
    stamped.scene.issuer = issuer;
    stamped.scene.sign_as(&signer, &stamped.scene.issuer);
    stamped.import(5, |crl| crl);
    assert_eq!(stamped.verify(30), ["signature.certificate-expired"]);
    stamped.tsa.stamp_bundle(&stamped.scene.bundle());
    assert_eq!(stamped.verify(30), [""; 0]);
    stamped.import_roots(20);
    assert_eq!(stamped.verify(30), ["revocation.unknown"], "the root dropped it");
}

#[test]
fn a_crl_that_keeps_what_expired_tells_about_it_while_it_is_fresh() {
    let stamped = Stamped::with_token(&policy("require", WITH_TIMESTAMP));
    stamped.import(20, |crl| crl);
    assert_eq!(stamped.verify(30), ["revocation.unknown"]);
    stamped.keep_expired_since(0);
    assert_eq!(stamped.verify(30), [""; 0]);
    stamped.keep_expired_since(11);
    assert_eq!(stamped.verify(30), ["revocation.unknown"], "from after it had expired");
    stamped.keep_expired_since(0);
    stamped.import_roots(60);
    assert_eq!(stamped.verify(70), ["revocation.stale"]);
}

#[test]
fn the_age_of_a_signature_is_that_of_its_timestamp() {
    let limited = policy("off", "max-signature-age = \"12d\"");
    let bare = Stamped::new(&limited);
    assert_eq!(bare.verify(1), [""; 0]);
    assert_eq!(bare.verify(3), ["signature.too-old"], "as old as the certificate may make it");
    bare.tsa.stamp_bundle(&bare.scene.bundle());
    assert_eq!(bare.verify(9), [""; 0]);
    let limited = policy("off", &format!("max-signature-age = \"12d\"\n{WITH_TIMESTAMP}"));
    let stamped = Stamped::with_token(&limited);
    assert_eq!(stamped.verify(11), [""; 0]);
    assert_eq!(stamped.verify(13), ["signature.too-old"]);
}

#[test]
fn an_authority_that_is_revoked_or_has_no_fresh_crl_proves_nothing() {
    let stamped = Stamped::with_token(&policy("require", "require-timestamp = true"));
    stamped.import(2, |crl| crl);
    assert_eq!(stamped.verify(5), [""; 0]);
    stamped.import_tsa(CrlProfile::new(8).revoke(stamped.tsa.certificate()));
    assert_eq!(stamped.verify(5), ["timestamp.untrusted"]);
    stamped.import_tsa(
        CrlProfile::new(9).validity(seconds(stamped.now - 2 * DAY), seconds(stamped.now + 4 * DAY)),
    );
    assert_eq!(stamped.verify(3), [""; 0]);
    assert_eq!(stamped.verify(5), ["timestamp.untrusted"]);
}

#[test]
fn the_verdict_tells_the_trusted_time_and_the_clock() {
    let stamped = Stamped::with_token(&policy("off", ""));
    let [passed] = stamped.scene.ingested().try_into().unwrap();
    let payload = entry::payload(&passed);
    let detail = entry::detail(&payload);
    let signed = &detail["signers"][0]["signed"];
    let time = UnixTime::parse_rfc3339(signed["time"].as_str().unwrap()).unwrap();
    assert!((stamped.now..stamped.now + 60).contains(&time.0), "{signed}");
    assert_eq!(signed["source"], "timestamp:CN=Corp TSA (corp-tsa)");
    assert_eq!(detail["clock"], "guarded");
    assert_eq!(detail["clockHighest"], payload["predicate"]["timeVerified"]);
}
