//! `cargo xtask setup`: installs the Debian packages that the tests and the demo need, and only
//! those that are missing.

use std::path::Path;

use crate::failure::Failure;
use crate::process::{command, run as run_command, succeeds};

/// Something that must be there: its name, how to see it, and the package that brings it.
type Need = (&'static str, fn() -> bool, &'static str);

/// What the demo needs, and the tests too.
const NEEDS: [Need; 15] = [
    ("SoftHSM2", has_softhsm, "softhsm2"),
    ("pkcs11-tool", || on_path("pkcs11-tool"), "opensc"),
    ("openssl", || succeeds("openssl", &["version"]), "openssl"),
    ("a C++ compiler", || on_path("g++"), "g++"),
    ("Python's venv", || succeeds("python3", &["-c", "import ensurepip, venv"]), "python3-venv"),
    ("mkfs.ext4", || on_path("mkfs.ext4") && on_path("debugfs"), "e2fsprogs"),
    ("mksquashfs", || on_path("mksquashfs"), "squashfs-tools"),
    ("mkfs.btrfs", || on_path("mkfs.btrfs"), "btrfs-progs"),
    ("mkfs.xfs", || on_path("mkfs.xfs"), "xfsprogs"),
    ("mkfs.vfat", || on_path("mkfs.vfat"), "dosfstools"),
    ("mcopy", || on_path("mcopy"), "mtools"),
    ("fusefat", || on_path("fusefat"), "fusefat"),
    ("mkfs.exfat", || on_path("mkfs.exfat"), "exfatprogs"),
    ("exfat-fuse", || on_path("mount.exfat-fuse"), "exfat-fuse"),
    ("ntfs-3g", || on_path("ntfs-3g") && on_path("mkntfs"), "ntfs-3g"),
];

/// What only the tests need: more PKCS#11 modules, a TPM for one of them, a virus scanner, and what
/// kills at a system call.
const MODULES: [Need; 10] = [
    ("NSS softokn", || has_library("libsoftokn3.so"), "libnss3"),
    ("swtpm", || on_path("swtpm"), "swtpm"),
    ("tpm2-abrmd", || Path::new("/usr/sbin/tpm2-abrmd").exists(), "tpm2-abrmd"),
    ("its TCTI", || has_library("libtss2-tcti-tabrmd.so.0"), "libtss2-tcti-tabrmd0"),
    ("dbus-daemon", || on_path("dbus-daemon") && on_path("dbus-send"), "dbus"),
    ("tpm2-pkcs11", || has_library("libtpm2_pkcs11.so.1"), "libtpm2-pkcs11-1"),
    ("tpm2_ptool", || on_path("tpm2_ptool"), "libtpm2-pkcs11-tools"),
    ("clamd", || Path::new("/usr/sbin/clamd").exists(), "clamav-daemon"),
    ("strace", || on_path("strace"), "strace"),
    ("tpm2_getcap", || on_path("tpm2_getcap"), "tpm2-tools"),
];

/// Installs what is missing for everything but the tests, or says plainly which command root has to
/// run.
pub(crate) fn run() -> Result<(), Failure> {
    provide(&NEEDS)
}

/// The same for the tests.
pub(crate) fn for_tests() -> Result<(), Failure> {
    provide(&[&NEEDS[..], &MODULES].concat())
}

fn provide(needs: &[Need]) -> Result<(), Failure> {
    let missing = missing(needs);
    if missing.is_empty() {
        return Ok(());
    }
    let packages = missing.iter().map(|(_, package)| *package).collect::<Vec<_>>();
    install(&packages)?;

    match self::missing(needs).as_slice() {
        [] => Ok(()),
        still => Err(Failure::StillMissing {
            what: still.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", "),
        }),
    }
}

fn missing(needs: &[Need]) -> Vec<(&'static str, &'static str)> {
    needs
        .iter()
        .filter(|(_, is_there, _)| !is_there())
        .map(|(name, _, package)| (*name, *package))
        .collect()
}

fn install(packages: &[&str]) -> Result<(), Failure> {
    if !on_path("apt-get") {
        return Err(Failure::NoApt { packages: packages.join(" ") });
    }
    let as_root: &[&str] = if succeeds("sh", &["-c", "test \"$(id -u)\" -eq 0"]) {
        &[]
    } else if succeeds("sudo", &["--non-interactive", "true"]) {
        &["sudo", "--non-interactive"]
    } else {
        return Err(Failure::NeedsRoot { packages: packages.join(" ") });
    };
    println!("setup: installing {}", packages.join(" "));
    let apt_get = |arguments: &[&str]| {
        let words =
            [as_root, &["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "--quiet"], arguments]
                .concat();
        let (program, rest) = words.split_first().unwrap_or((&"apt-get", &[]));
        run_command(&mut command(program, rest))
    };
    apt_get(&["update"])?;
    apt_get(&[&["install", "--yes", "--no-install-recommends"], packages].concat())
}

fn has_softhsm() -> bool {
    on_path("softhsm2-util") && oms_testkit::softhsm::module().is_some()
}

/// Whether the library is where Debian puts it.
fn has_library(name: &str) -> bool {
    ["x86_64-linux-gnu", "aarch64-linux-gnu"]
        .iter()
        .any(|folder| Path::new("/usr/lib").join(folder).join(name).exists())
}

/// Whether the shell finds this program.
fn on_path(program: &str) -> bool {
    succeeds("sh", &["-c", &format!("command -v {program}")])
}
