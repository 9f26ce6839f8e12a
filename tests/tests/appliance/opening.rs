//! A station whose configuration would make verdicts that nobody accepts, or that lets others into
//! its folders, does not begin.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use oms_testkit::pki::{KeyType, Leaf, Profile, chain};
use oms_testkit::{files, run};
use oms_tests::scene::{STATION, Scene};

fn change(scene: &Scene, change: impl FnOnce(&mut toml::Table)) {
    let mut config: toml::Table =
        fs::read_to_string(&scene.station.config).unwrap().parse().unwrap();
    change(&mut config);
    files::public(&scene.station.config, config.to_string());
}

/// Gives the station another verdict key and certificate.
pub(crate) fn install_verdict(scene: &Scene, leaf: &Leaf) {
    let folder = scene.station.config.parent().unwrap();
    leaf.key.write_private(folder.join("verdict.key"));
    let chain = chain([&leaf.certificate, &scene.issuer.certificate]);
    files::public(folder.join("verdict-chain.pem"), chain);
}

#[test]
fn certificates_that_nobody_would_accept() {
    let station = || Profile::code_signing("Station").uri(STATION);
    for profile in [
        station().expired(),
        station().not_yet_valid(),
        station().extended_key_usages([]),
        station().with_ca(true),
        Profile::code_signing("Station").uri("https://corp.example/stations/another"),
    ] {
        let scene = Scene::signed();
        install_verdict(&scene, &scene.issuer.issue(profile, KeyType::P256));
        scene.undecided_at_ingest(2, "config.certificate");
    }
    let scene = Scene::signed();
    install_verdict(&scene, &scene.issuer.issue(station(), KeyType::P384));
    assert_eq!(scene.ingested().len(), 1, "the same with a good one");
}

#[test]
fn a_certificate_of_another_key() {
    let scene = Scene::signed();
    let folder = scene.station.config.parent().unwrap();
    fs::copy(folder.join("signing-chain.pem"), folder.join("verdict-chain.pem")).unwrap();
    scene.undecided_at_ingest(2, "config.certificate");
}

#[test]
fn one_key_for_models_and_verdicts() {
    let scene = Scene::signed();
    change(&scene, |config| {
        let verdict = config["keys"]["verdict"].clone();
        config["keys"]["resign"] = verdict;
    });
    scene.undecided_at_ingest(2, "config.certificate");
}

#[test]
fn an_unknown_key_and_an_id_that_is_no_uri() {
    let scene = Scene::signed();
    change(&scene, |config| {
        config["station"].as_table_mut().unwrap().insert("spoool".to_owned(), "x".into());
    });
    scene.undecided_at_ingest(2, "config.syntax");
    let scene = Scene::signed();
    change(&scene, |config| config["station"]["id"] = "diode-3".into());
    scene.undecided_at_ingest(2, "config.syntax");
}

#[test]
fn folders_that_lie_inside_each_other() {
    for (setting, value) in
        [("spool", "outbound/spool"), ("state", "outbound/state"), ("state", "spool/state")]
    {
        let scene = Scene::signed();
        let folder = scene.station.config.parent().unwrap().join(value);
        files::folder(&folder);
        change(&scene, |config| config["station"][setting] = folder.to_str().unwrap().into());
        let mut ingest = scene.ingest();
        let document = run::outcome(&mut ingest).expect_status(2).json();
        assert_eq!(document["reasons"][0]["code"], "config.spool", "{setting} in {value}");
    }
}

#[test]
fn folders_that_others_may_write() {
    for mode in [0o777, 0o1777] {
        for folder in ["spool", "state"] {
            let scene = Scene::signed();
            let path = scene.station.config.with_file_name(folder);
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            scene.undecided_at_ingest(2, "trust.location");
        }
    }
}

#[test]
fn an_outbound_on_the_carrier_or_open_to_everybody() {
    let scene = Scene::signed();
    fs::set_permissions(&scene.station.outbound, fs::Permissions::from_mode(0o777)).unwrap();
    scene.undecided_at_ingest(2, "trust.location");
    fs::set_permissions(&scene.station.outbound, fs::Permissions::from_mode(0o770)).unwrap();
    assert_eq!(scene.ingested().len(), 1, "its group may delete what it has sent");

    let inside = files::folder(scene.carrier.join("outbound"));
    let mut ingest = scene.ingest();
    scene.ends_undecided(ingest.arg("--outbound").arg(&inside), 2, "trust.location");
    assert_eq!(fs::read_dir(inside).unwrap().count(), 0);
}

#[test]
fn paths_are_relative_to_the_configuration_however_it_is_named() {
    let scene = Scene::signed();
    change(&scene, |config| {
        config["station"]["policy"] = "here.toml".into();
        for folder in ["state", "spool", "outbound", "roots", "crls"] {
            config["station"][folder] = folder.into();
        }
    });
    let folder = scene.station.config.parent().unwrap();
    let policy = fs::read_to_string(&scene.station.policy).unwrap();
    files::public(folder.join("here.toml"), policy);
    let key = fs::read(scene.station.policy.with_file_name("vendor.pem")).unwrap();
    files::public(folder.join("vendor.pem"), key);
    for config in [Path::new("station.toml"), Path::new("./station.toml")] {
        let mut ingest = run::command();
        ingest.current_dir(folder).arg("ingest").arg(&scene.carrier).arg("--config").arg(config);
        let _ = run::outcome(&mut ingest).expect_status(0);
    }
}

#[test]
fn what_is_published_can_be_read_by_the_senders_group_whatever_the_umask() {
    let scene = Scene::signed();
    let mut shell = std::process::Command::new("sh");
    shell
        .args(["-c", "umask 077; exec \"$0\" ingest \"$1\" --config \"$2\""])
        .arg(run::binary("oms-appliance"))
        .arg(&scene.carrier)
        .arg(&scene.station.config);
    let _ = run::outcome(&mut shell).expect_status(0);
    let entry = scene.station.outbound.join(&scene.station.entries()[0]);
    let mut paths = vec![entry.clone()];
    while let Some(path) = paths.pop() {
        let metadata = fs::metadata(&path).unwrap();
        let expected = if metadata.is_dir() { 0o750 } else { 0o640 };
        assert_eq!(metadata.permissions().mode() & 0o7777, expected, "{}", path.display());
        if metadata.is_dir() {
            paths.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
}
