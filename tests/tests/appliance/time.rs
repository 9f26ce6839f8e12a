//! What the station remembers over time: the newest CRLs.

use oms_testkit::pki::CrlProfile;
use oms_testkit::{files, model};
use oms_tests::scene::{POLICY, Scene};

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
