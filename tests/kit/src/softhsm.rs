//! A SoftHSM2 token of its own for each test, with keys that were born in it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::files;
use crate::pki::spki_of_point;

/// Where Debian and other systems install the PKCS#11 module.
pub const MODULES: [&str; 4] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
];

/// The environment variable by which SoftHSM2 finds its configuration.
pub const CONFIGURATION: &str = "SOFTHSM2_CONF";

/// The curves that keys can be generated on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    /// NIST P-256.
    P256,
    /// NIST P-384.
    P384,
    /// NIST P-521.
    P521,
}

/// A token in a folder.
#[derive(Clone, Debug)]
pub struct SoftHsm {
    configuration: PathBuf,
    module: PathBuf,
    pin_file: PathBuf,
    label: String,
    pin: String,
}

/// The PKCS#11 module of SoftHSM2, if it is installed.
pub fn module() -> Option<PathBuf> {
    MODULES.iter().map(PathBuf::from).find(|path| path.exists())
}

impl SoftHsm {
    /// Makes a token with the label `station` in the folder `dir`.
    ///
    /// # Panics
    /// When SoftHSM2 is not installed or fails.
    pub fn new(dir: impl AsRef<Path>) -> SoftHsm {
        SoftHsm::with_label(dir, "station")
    }

    /// Makes a token with this label in the folder `dir`, which is made if it is not there.
    ///
    /// # Panics
    /// When SoftHSM2 is not installed or fails.
    pub fn with_label(dir: impl AsRef<Path>, label: &str) -> SoftHsm {
        let dir = files::folder(dir.as_ref());
        let dir = dir.canonicalize().expect("a folder that was just made");
        let tokens = files::folder(dir.join("tokens"));
        let configuration = format!(
            "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n",
            tokens.display()
        );
        let hsm = SoftHsm {
            configuration: files::public(dir.join("softhsm2.conf"), configuration),
            module: module().expect("SoftHSM2 is installed (cargo xtask setup)"),
            pin_file: files::secret(dir.join("pin"), "284615"),
            label: label.to_owned(),
            pin: "284615".to_owned(),
        };
        let mut command = hsm.command("softhsm2-util");
        command.args([
            "--init-token",
            "--free",
            "--label",
            label,
            "--so-pin",
            "73910264",
            "--pin",
            &hsm.pin,
        ]);
        succeed(&mut command);
        hsm
    }

    /// Generates a key pair in the token and gives the public key as DER-encoded
    /// SubjectPublicKeyInfo. `id` is in hexadecimal digits and `label` the object's name.
    ///
    /// # Panics
    /// When the token refuses.
    pub fn generate(&self, label: &str, id: &str, curve: Curve) -> Vec<u8> {
        let curve = match curve {
            Curve::P256 => "EC:secp256r1",
            Curve::P384 => "EC:secp384r1",
            Curve::P521 => "EC:secp521r1",
        };
        let arguments =
            ["--login", "--pin", "env:OMS_TESTKIT_PIN", "--keypairgen", "--key-type", curve];
        let object = ["--usage-sign", "--label", label, "--id", id];
        succeed(self.pkcs11_tool().args(arguments).args(object).env("OMS_TESTKIT_PIN", &self.pin));
        self.public_key(label)
    }

    /// The public key with this label as DER-encoded SubjectPublicKeyInfo.
    ///
    /// It is put together from the listed point, since `pkcs11-tool --read-object` of OpenSC 0.23
    /// takes every key for one on P-256.
    ///
    /// # Panics
    /// When there is none.
    pub fn public_key(&self, label: &str) -> Vec<u8> {
        let listing = succeed(self.pkcs11_tool().args(["--list-objects", "--type", "pubkey"]));
        let field = |line: &str, name: &str| {
            line.trim().strip_prefix(name).map(|value| value.trim().to_owned())
        };
        // An object's label is listed after its point.
        let mut point = None;
        let point = listing.lines().find_map(|line| {
            point = field(line, "EC_POINT:").or_else(|| point.take());
            point.clone().filter(|_| field(line, "label:").as_deref() == Some(label))
        });
        point
            .and_then(|hex| spki_of_point(octet_string(&decode_hex(&hex)?)?))
            .unwrap_or_else(|| panic!("no ECDSA key {label} in the token: {listing}"))
    }

    /// The RFC 7512 URI of the private key with this label; its PIN comes from a file.
    pub fn uri(&self, label: &str) -> String {
        self.uri_with_pin_file(label, &self.pin_file)
    }

    /// The same with another PIN file, to try a wrong PIN.
    pub fn uri_with_pin_file(&self, label: &str, pin_file: &Path) -> String {
        format!(
            "pkcs11:token={};object={}?module-path={}&pin-source=file:{}",
            encode(&self.label),
            encode(label),
            encode(&self.module.to_string_lossy()),
            encode(&pin_file.to_string_lossy()),
        )
    }

    /// The same through another PKCS#11 module.
    pub fn uri_by(&self, label: &str, module: &Path) -> String {
        let (own, other) = (self.module.to_string_lossy(), module.to_string_lossy());
        self.uri(label).replace(&encode(&own), &encode(&other))
    }

    /// Takes the token away, as if it were pulled out.
    ///
    /// # Panics
    /// When it is away already.
    pub fn take_away(&self) {
        for entry in std::fs::read_dir(self.tokens()).expect("a folder of tokens") {
            let token = entry.expect("a readable folder");
            std::fs::create_dir_all(self.away()).expect("room for a folder");
            std::fs::rename(token.path(), self.away().join(token.file_name())).expect("a token");
        }
    }

    /// Puts it back.
    ///
    /// # Panics
    /// When it was not taken away.
    pub fn bring_back(&self) {
        for entry in std::fs::read_dir(self.away()).expect("a token that was taken away") {
            let token = entry.expect("a readable folder");
            std::fs::rename(token.path(), self.tokens().join(token.file_name())).expect("a token");
        }
    }

    fn away(&self) -> PathBuf {
        self.configuration.with_file_name("away")
    }

    /// Logs in with the right PIN, as a person would: the token then forgets wrong tries.
    ///
    /// # Panics
    /// When the token refuses.
    pub fn log_in(&self) {
        let arguments = ["--login", "--pin", "env:OMS_TESTKIT_PIN", "--list-objects"];
        succeed(self.pkcs11_tool().args(arguments).env("OMS_TESTKIT_PIN", &self.pin));
    }

    /// The table of `station.toml` that lets a station's signer use the token.
    pub fn sandbox(&self) -> String {
        format!(
            "\n[hsm.sandbox]\nread = [{:?}]\nwrite = [{:?}]\n",
            self.configuration,
            self.tokens()
        )
    }

    /// The variable to set on every command that uses the token.
    pub fn env(&self) -> (&'static str, &Path) {
        (CONFIGURATION, &self.configuration)
    }

    /// The PKCS#11 module.
    pub fn module(&self) -> &Path {
        &self.module
    }

    /// The file that holds the user's PIN.
    pub fn pin_file(&self) -> &Path {
        &self.pin_file
    }

    /// Where SoftHSM2 keeps the token.
    pub fn tokens(&self) -> PathBuf {
        self.configuration.with_file_name("tokens")
    }

    fn pkcs11_tool(&self) -> Command {
        let mut command = self.command("pkcs11-tool");
        command.arg("--module").arg(&self.module).args(["--token-label", &self.label]);
        command
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env(CONFIGURATION, &self.configuration);
        command
    }
}

/// Percent-encodes what RFC 7512 (section 2.3) does not let stand for itself in a path or query.
fn encode(text: &str) -> String {
    text.bytes().fold(String::new(), |mut uri, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~/:".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
        uri
    })
}

fn decode_hex(hex: &str) -> Option<Vec<u8>> {
    let digit = |c: &u8| char::from(*c).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    hex.as_bytes()
        .chunks(2)
        .map(|pair| Some(digit(pair.first()?)? << 4 | digit(pair.get(1)?)?))
        .collect()
}

/// The content of a DER OCTET STRING shorter than 256 bytes.
fn octet_string(der: &[u8]) -> Option<&[u8]> {
    match der {
        [0x04, 0x81, length, content @ ..] | [0x04, length @ ..=0x7f, content @ ..] => {
            (usize::from(*length) == content.len()).then_some(content)
        }
        _ => None,
    }
}

fn succeed(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("cannot run {command:?}: {error} (cargo xtask setup)"));
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed: {stdout}{stderr}");
    stdout
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::{Authority, KeyType, Profile};

    #[test]
    fn keys_are_born_in_the_token_and_get_certificates() {
        let dir = tempfile::tempdir().unwrap();
        let hsm = SoftHsm::new(dir.path().join("an hsm"));
        let root = Authority::root(Profile::ca("Root"), KeyType::P384);
        for (label, id, curve, length) in [
            ("p256", "01", Curve::P256, 91),
            ("p384", "02", Curve::P384, 120),
            ("p521", "03", Curve::P521, 158),
        ] {
            let spki = hsm.generate(label, id, curve);
            assert_eq!(spki.len(), length, "{label}");
            root.issue_for(Profile::code_signing(label), &spki);
        }
        assert_ne!(hsm.public_key("p256"), hsm.generate("other", "04", Curve::P256));
    }

    #[test]
    fn the_uri_encodes_what_would_end_an_attribute() {
        let dir = tempfile::tempdir().unwrap();
        let hsm = SoftHsm::with_label(dir.path().join("an hsm"), "a;b");
        let uri = hsm.uri("k&y");
        assert!(uri.starts_with("pkcs11:token=a%3Bb;object=k%26y?module-path=/usr/"), "{uri}");
        assert!(uri.ends_with("an%20hsm/pin"), "{uri}");
    }
}
