//! A verdict in place must not be signed with a key of the station on the same machine: whoever
//! checks it could take it for one of an ingest.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use oms_verify::reason::{Code, Reason};
use serde::Deserialize;

use crate::config::toml_fault;
use crate::keys::{KeyRef, SigningKey};
use crate::signer::read_chain;
use crate::trust::{Guard, guarded_read};

const CONFIG_LIMIT: u64 = 1 << 20;

/// The part of `station.toml` that names keys. The rest is for the station itself to judge.
#[derive(Deserialize)]
struct Station {
    keys: BTreeMap<String, StationKey>,
}

#[derive(Deserialize)]
struct StationKey {
    key: String,
    certificate: Option<PathBuf>,
}

/// Checks that `key` is none of those that the station's configuration at `path` names.
///
/// A station's key is known by its certificate, or else by its public key when it is in a file, or
/// by the names of its token and object.
///
/// # Errors
/// [`Code::ConfigStationKey`] when it is one of them. A configuration, certificate or key that
/// cannot be read is an error too; only a configuration that does not exist means that there is no
/// station.
pub(super) fn check_differs(key: &SigningKey, path: &Path) -> Result<(), Reason> {
    let shown = path.display().to_string();
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Reason::new(Code::ConfigPath, error.to_string()).about(shown)),
        Ok(_) => {}
    }
    let bytes = guarded_read(path, CONFIG_LIMIT, &Guard::default(), Code::ConfigPath)?;
    let wrong = |detail: String| Reason::new(Code::ConfigSyntax, detail).about(&shown);
    let text = String::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8".to_owned()))?;
    let station: Station =
        toml::from_str(&text).map_err(|error| wrong(toml_fault(&text, &error)))?;
    let base = path.parent().unwrap_or(Path::new("/"));
    for (name, configured) in &station.keys {
        if configured.is(key, base)? {
            let detail = format!("the key is the one of [keys.{name}]");
            return Err(Reason::new(Code::ConfigStationKey, detail).about(shown));
        }
    }
    Ok(())
}

impl StationKey {
    /// Whether this is `key`. Relative paths start at `base`.
    fn is(&self, key: &SigningKey, base: &Path) -> Result<bool, Reason> {
        let reference = KeyRef::parse(&self.key, base).map_err(|error| Reason::from(&error))?;
        if let KeyRef::Pkcs11(uri) = &reference
            && key.is_named_by(uri)
        {
            return Ok(true);
        }
        if let Some(file) = &self.certificate {
            let chain = read_chain(&base.join(file))?;
            let leaf = chain.first().map(|leaf| leaf.public_key());
            // A certificate of another kind of key is not this key's.
            return Ok(leaf.is_some_and(|public| public.is_ok_and(|p| p == key.public_key())));
        }
        match &reference {
            KeyRef::Pkcs11(_) => Ok(false),
            KeyRef::Pem(_) => SigningKey::open(&reference)
                .map(|station| station.public_key() == key.public_key())
                .map_err(|error| Reason::from(&error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;
    use std::process::Command;

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Self {
            Folder(tempfile::tempdir().unwrap())
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn openssl(&self, args: &[&str]) {
            let made = Command::new("openssl")
                .args(args)
                .current_dir(self.0.path())
                .output()
                .expect("openssl is installed (cargo xtask setup)");
            assert!(made.status.success(), "{args:?}");
        }

        fn key(&self, name: &str) -> SigningKey {
            self.openssl(&["ecparam", "-genkey", "-noout", "-name", "prime256v1", "-out", name]);
            let private = std::fs::Permissions::from_mode(0o600);
            std::fs::set_permissions(self.path(name), private).unwrap();
            SigningKey::open(&KeyRef::Pem(self.path(name))).unwrap()
        }

        fn station(&self, tables: &str) -> PathBuf {
            let path = self.path("station.toml");
            std::fs::write(&path, format!("[station]\nid = \"x\"\n{tables}")).unwrap();
            let public = std::fs::Permissions::from_mode(0o644);
            std::fs::set_permissions(&path, public).unwrap();
            path
        }
    }

    fn code(result: Result<(), Reason>) -> Option<Code> {
        result.err().map(|reason| reason.code)
    }

    #[test]
    fn a_key_in_a_file_is_known_without_a_certificate() {
        let folder = Folder::new();
        let own = folder.key("own.pem");
        let stations = folder.key("station.pem");
        let path = folder.station("[keys.verdict]\nkey = \"station.pem\"\n");
        assert_eq!(check_differs(&own, &path), Ok(()));
        let reason = check_differs(&stations, &path).unwrap_err();
        assert_eq!(reason.code, Code::ConfigStationKey);
        assert!(reason.detail.contains("[keys.verdict]"), "{reason}");
    }

    #[test]
    fn a_key_is_known_by_its_certificate() {
        let folder = Folder::new();
        let own = folder.key("own.pem");
        let stations = folder.key("station.pem");
        let request = [
            "req",
            "-x509",
            "-key",
            "station.pem",
            "-subj",
            "/CN=x",
            "-days",
            "1",
            "-out",
            "c.pem",
        ];
        folder.openssl(&request);
        let uri = "pkcs11:token=station;object=x?module-path=/m.so";
        let path =
            folder.station(&format!("[keys.resign]\nkey = \"{uri}\"\ncertificate = \"c.pem\"\n"));
        assert_eq!(check_differs(&own, &path), Ok(()));
        assert_eq!(code(check_differs(&stations, &path)), Some(Code::ConfigStationKey));
    }

    #[test]
    fn what_cannot_be_compared_is_an_error() {
        let folder = Folder::new();
        let own = folder.key("own.pem");
        let path = folder.station("[keys.verdict]\nkey = \"absent.pem\"\n");
        assert_eq!(code(check_differs(&own, &path)), Some(Code::KeyFile));
        let path = folder.station("[keys.verdict]\nkey = \"x\"\ncertificate = \"absent.pem\"\n");
        assert_eq!(code(check_differs(&own, &path)), Some(Code::ConfigCertificate));
        let path = folder.station("");
        assert_eq!(code(check_differs(&own, &path)), Some(Code::ConfigSyntax));
    }

    #[test]
    fn only_a_configuration_that_does_not_exist_means_that_there_is_no_station() {
        let folder = Folder::new();
        let own = folder.key("own.pem");
        assert_eq!(check_differs(&own, &folder.path("absent.toml")), Ok(()));
        assert_eq!(check_differs(&own, &folder.path("absent/station.toml")), Ok(()));
        // Whoever may not look gets an error too; these come even to root.
        let below_a_file = folder.path("own.pem").join("station.toml");
        assert_eq!(code(check_differs(&own, &below_a_file)), Some(Code::ConfigPath));
        let dangling = folder.path("dangling.toml");
        std::os::unix::fs::symlink("nowhere", &dangling).unwrap();
        assert_eq!(code(check_differs(&own, &dangling)), Some(Code::ConfigPath));
    }
}
