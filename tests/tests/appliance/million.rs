//! What a CRL with a million entries costs `cert verify`, as anybody can measure it:
//!
//! ```text
//! cargo build --release -p oms-station --bin oms-appliance
//! OMS_APPLIANCE_BIN=$PWD/target/release/oms-appliance \
//!     cargo test -p oms-tests --test appliance million -- --ignored --nocapture
//! ```

use std::time::Duration;

use oms_testkit::pki::{
    Authority, CrlProfile, KeyType, Leaf, Profile, RevocationReason, chain, date,
};
use oms_testkit::{files, run};
use oms_tests::peak::watched;
use tempfile::TempDir;

const ENTRIES: u32 = 1_000_000;

/// Times that each command runs; the fastest counts.
const RUNS: u32 = 5;

#[test]
#[ignore = "a measurement: a CRL with a million entries"]
fn a_million_entries() {
    let dir = tempfile::tempdir().unwrap();
    let root = Authority::root(Profile::ca("Root"), KeyType::P256);
    let issuer = root.intermediate(Profile::ca("Issuing"), KeyType::P256);
    let [good, revoked] =
        ["Good", "Revoked"].map(|name| issuer.issue(Profile::code_signing(name), KeyType::P256));
    let place = |name: &str, bytes: &[u8]| files::public(dir.path().join(name), bytes);
    place("root.pem", root.certificate.pem.as_bytes());
    place("root.crl", &root.crl(CrlProfile::new(1)).der);
    for leaf in [&good, &revoked] {
        let name = format!("{}.pem", serial(leaf));
        place(&name, chain([&leaf.certificate, &issuer.certificate]).as_bytes());
    }
    for (size, entries) in [("no", 0), ("a million", ENTRIES)] {
        let crl = CrlProfile::new(1).revoke(&revoked.certificate);
        let made = issuer.crl((0..entries).fold(crl, revoke_one_more));
        for (encoding, bytes) in [("DER", made.der.as_slice()), ("PEM", made.pem.as_bytes())] {
            place("issuer.crl", bytes);
            for (leaf, status) in [(&good, 0), (&revoked, 1)] {
                let (time, peak) = measured(&dir, leaf, status);
                println!(
                    "{size} entries more in {encoding} ({} bytes), exit {status}: \
                     {time:?}, {peak} KiB at most",
                    bytes.len()
                );
            }
        }
    }
}

fn serial(leaf: &Leaf) -> String {
    files::hex(&leaf.certificate.serial)
}

/// One more entry, with a serial number of 16 bytes in no order.
fn revoke_one_more(crl: CrlProfile, number: u32) -> CrlProfile {
    let digest = files::sha256_hex(&number.to_be_bytes());
    let bytes = (0..32).step_by(2).map(|at| u8::from_str_radix(&digest[at..at + 2], 16).unwrap());
    let mut serial: Vec<u8> = bytes.collect();
    serial[0] = serial[0] & 0x3f | 0x40;
    crl.revoke_serial(serial, date(2024, 1, 1), RevocationReason::Superseded)
}

/// The shortest time of several runs of `cert verify`, and the largest memory of any.
fn measured(dir: &TempDir, leaf: &Leaf, status: i32) -> (Duration, u64) {
    let runs = (0..RUNS).map(|_| {
        let mut command = run::command();
        command.args(["cert", "verify", &format!("{}.pem", serial(leaf)), "--roots", "root.pem"]);
        command.args(["--crls", "issuer.crl", "--crls", "root.crl"]).current_dir(dir.path());
        let (time, peak, code) = watched(&mut command);
        assert_eq!(code, Some(status));
        (time, peak)
    });
    let runs: Vec<_> = runs.collect();
    let time = runs.iter().map(|(time, _)| *time).min().unwrap();
    (time, runs.iter().map(|(_, peak)| peak.largest >> 10).max().unwrap())
}
