//! The unit that systemd starts the daemon by.

use std::process::Command;

use oms_testkit::run::outcome;
use oms_testkit::vectors::workspace;

#[test]
fn the_unit_is_hardened() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        eprintln!("left out: there is no systemd-analyze");
        return;
    }
    let unit = workspace().join("appliance/station/systemd/oms-appliance.service");
    // The threshold is in tenths: 2.0.
    let security = ["security", "--offline=true", "--no-pager", "--threshold=20"];
    let _ = outcome(Command::new("systemd-analyze").args(security).arg(unit)).expect_status(0);
}
