//! Tokens in a temporary folder, and a process that uses them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use oms_station::keys::{KeyError, KeyRef, SigningKey};

/// SoftHSM2, where Debian puts it.
pub(crate) const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
/// How a TPM is reached: by the broker on the bus.
const TCTI: &str = "tabrmd:bus_type=session";
/// Tells a child where the folder is.
const FOLDER: &str = "OMS_TEST_HSM_FOLDER";
/// The user PIN of every token.
pub(crate) const PIN: &str = "4711";

/// Runs one case, `name` with the path of its module: makes its tokens, then starts this executable
/// again for `inside` alone. In that child, runs `inside`.
pub(crate) fn run_case(name: &str, prepare: fn(&Hsm), inside: fn(&Hsm)) {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return inside(&Hsm { folder: folder.into() });
    }
    let missing = "run `cargo xtask setup`, which installs SoftHSM2 and OpenSC";
    assert!(Path::new(MODULE).exists(), "{MODULE} is missing: {missing}");
    for tool in ["softhsm2-util", "pkcs11-tool"] {
        assert!(Command::new(tool).arg("--help").output().is_ok(), "{tool} is missing: {missing}");
    }

    let folder = tempfile::tempdir().unwrap();
    let hsm = Hsm { folder: folder.path().to_owned() };
    fs::create_dir(hsm.path("tokens")).unwrap();
    let settings = format!("directories.tokendir = {}\n", hsm.path("tokens").display());
    fs::write(hsm.path("softhsm2.conf"), settings).unwrap();
    hsm.secret("pin", PIN, 0o600);
    prepare(&hsm);

    let output = hsm
        .command(std::env::current_exe().unwrap())
        .args(["--exact", name.split_once("::").unwrap().1, "--nocapture"])
        .env(FOLDER, folder.path())
        .env("CREDENTIALS_DIRECTORY", folder.path())
        .env("PKCS11SPY", MODULE)
        .env("PKCS11SPY_OUTPUT", hsm.path("spy.log"))
        .output()
        .unwrap();
    let shown = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success() && shown.contains("1 passed"), "inside: {shown}");
}

/// A folder with SoftHSM2's settings and tokens, and files with PINs.
pub(crate) struct Hsm {
    pub(crate) folder: PathBuf,
}

impl Hsm {
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A command that finds the tokens, the TPM and its bus in this folder.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env("SOFTHSM2_CONF", self.path("softhsm2.conf"))
            .env("DBUS_SESSION_BUS_ADDRESS", self.bus())
            .env("TPM2_PKCS11_STORE", self.path("store"))
            .env("TPM2_PKCS11_TCTI", TCTI)
            .env("TPM2TOOLS_TCTI", TCTI)
            .current_dir(&self.folder);
        command
    }

    /// Where the bus of the TPM's broker is.
    pub(crate) fn bus(&self) -> String {
        format!("unix:path={}", self.path("bus").display())
    }

    pub(crate) fn run(&self, program: &str, args: &[&str]) {
        let output = self.command(program).args(args).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {args:?}: {said}");
    }

    pub(crate) fn secret(&self, name: &str, text: &str, mode: u32) {
        fs::write(self.path(name), text).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    pub(crate) fn token(&self, label: &str) {
        let args =
            ["--init-token", "--free", "--label", label, "--so-pin", "12345678", "--pin", PIN];
        self.run("softhsm2-util", &args);
    }

    /// Runs pkcs11-tool, logged in to a token.
    pub(crate) fn tool(&self, token: &str, args: &[&str]) {
        let login = ["--module", MODULE, "--login", "--pin", PIN, "--token-label", token];
        self.run("pkcs11-tool", &[&login, args].concat());
    }

    /// Tries a wrong PIN, as a process before this one may have.
    pub(crate) fn wrong_pin(&self, token: &str) {
        let args = ["--module", MODULE, "--login", "--pin", "9999", "--token-label", token, "-O"];
        let output = self.command("pkcs11-tool").args(args).output().unwrap();
        assert!(String::from_utf8_lossy(&output.stderr).contains("CKR_PIN_INCORRECT"));
    }

    pub(crate) fn key(&self, token: &str, label: &str, id: &str, curve: &str) {
        let kind = format!("EC:{curve}");
        let args =
            ["--keypairgen", "--key-type", &kind, "--usage-sign", "--label", label, "--id", id];
        self.tool(token, &args);
    }

    /// Sets flags of the only token's CK_TOKEN_INFO, which SoftHSM2 keeps in a file: after the
    /// attribute's number and type (2 for a number), both of 8 bytes, come the flags.
    pub(crate) fn set_flags(&self, flags: u64) {
        let attribute = [0, 0, 0, 0, 0x80, 0, 0x53, 0x4b, 0, 0, 0, 0, 0, 0, 0, 2];
        let token = fs::read_dir(self.path("tokens")).unwrap().next().unwrap().unwrap();
        let path = token.path().join("token.object");
        let mut bytes = fs::read(&path).unwrap();
        let at = bytes.windows(16).position(|window| window == attribute).unwrap() + 16;
        let old = u64::from_be_bytes(bytes[at..at + 8].try_into().unwrap());
        bytes[at..at + 8].copy_from_slice(&(old | flags).to_be_bytes());
        fs::write(&path, bytes).unwrap();
    }

    /// How often the module was asked to log in, when it was used through the spy.
    pub(crate) fn logins(&self) -> usize {
        let log = fs::read_to_string(self.path("spy.log")).unwrap_or_default();
        assert!(log.contains("C_Initialize"), "the spy saw nothing: {log}");
        log.lines().filter(|line| line.ends_with(": C_Login")).count()
    }

    /// Builds the module that fails as it is told to, as `faulty.so`.
    pub(crate) fn faulty_module(&self) {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hsm/faulty.cpp");
        let module = self.path("faulty.so");
        fs::write(self.path("module"), MODULE).unwrap();
        let (source, module) = (source.to_str().unwrap(), module.to_str().unwrap());
        self.run("g++", &["-shared", "-fPIC", "-o", module, source]);
    }

    /// Says how the module fails from now on: a word of `faulty.cpp`, or none.
    pub(crate) fn fault(&self, word: &str) {
        fs::write(self.path("fault"), word).unwrap();
    }

    /// How often the module that may fail was called so.
    pub(crate) fn calls(&self, name: &str) -> usize {
        let calls = fs::read_to_string(self.path("calls")).unwrap();
        calls.lines().filter(|call| *call == name).count()
    }

    /// A key by the path part of its URI; the PIN comes from the file `pin`.
    pub(crate) fn key_ref(&self, path: &str) -> KeyRef {
        self.key_ref_with(path, &format!("module-path={MODULE}&pin-source=file:pin"))
    }

    pub(crate) fn key_ref_with(&self, path: &str, query: &str) -> KeyRef {
        KeyRef::parse(&format!("pkcs11:{path}?{query}"), &self.folder).unwrap()
    }

    pub(crate) fn open(&self, path: &str) -> Result<SigningKey, KeyError> {
        SigningKey::open(&self.key_ref(path))
    }

    pub(crate) fn refused(&self, path: &str) -> KeyError {
        self.open(path).expect_err(path)
    }
}

/// A library where Debian puts it, `package` being what brings it.
pub(crate) fn library(name: &str, package: &str) -> PathBuf {
    let places = ["x86_64-linux-gnu", "aarch64-linux-gnu"]
        .map(|folder| Path::new("/usr/lib").join(folder).join(name));
    let found = places.into_iter().find(|path| path.exists());
    found.unwrap_or_else(|| panic!("{name} of {package} is missing: run `cargo xtask setup`"))
}

/// OpenSC's module that logs every call and hands it on; it comes with pkcs11-tool.
pub(crate) fn spy() -> PathBuf {
    let libraries = fs::read_dir("/usr/lib").unwrap().map(|entry| entry.unwrap().path());
    libraries
        .map(|folder| folder.join("pkcs11-spy.so"))
        .find(|path| path.exists())
        .expect("pkcs11-spy.so is missing: run `cargo xtask setup`")
}
