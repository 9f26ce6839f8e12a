//! PINs: where they come from, and how they are kept out of everything else.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::str;

use secrecy::SecretString;

use super::private_file::{self, FileFault, Sharing};
use super::uri::{UriError, decimal};

/// The longest PIN that is read, in bytes, its final newline included.
const MAX_PIN: usize = 256;

/// Where a PIN comes from: the value of `pin-source` in a PKCS#11 URI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PinSource {
    /// `file:PATH`: a file that only its owner may read.
    File(PathBuf),
    /// `fd:N`: a descriptor that this process was started with. A pipe can be read once.
    Fd(u32),
    /// `credential:NAME`: a systemd credential, the file NAME in `$CREDENTIALS_DIRECTORY`.
    Credential(String),
}

/// Why a PIN cannot be read. Nothing of the PIN is in here.
#[derive(Debug, thiserror::Error)]
pub enum PinFault {
    /// The source cannot be read, or others may read it.
    #[error("{0}")]
    File(#[from] FileFault),
    /// The process was not started by systemd with credentials.
    #[error("$CREDENTIALS_DIRECTORY is not set")]
    NoCredentials,
    /// There is nothing to read.
    #[error("it is empty")]
    Empty,
    /// It is not one line of UTF-8 text. Such bytes are not tried as a PIN: a try is precious.
    #[error("it is not one line of UTF-8 text")]
    NotOneLine,
}

impl PinSource {
    /// Reads the value of `pin-source`; a relative path starts at `base`.
    pub(super) fn parse(text: &str, base: &Path) -> Result<Self, UriError> {
        if text.starts_with('|') {
            return Err(UriError::PinCommand);
        }
        let (scheme, rest) = text.split_once(':').ok_or(UriError::PinSource)?;
        match scheme {
            "file" if !rest.is_empty() => {
                // The form `file:///path` of RFC 8089; a host between the slashes is not for us.
                let path = match rest.strip_prefix("//") {
                    Some(path) if path.starts_with('/') => path,
                    Some(_) => return Err(UriError::PinSource),
                    None => rest,
                };
                Ok(PinSource::File(base.join(path)))
            }
            "fd" => decimal(rest).map(PinSource::Fd).ok_or(UriError::PinSource),
            "credential" if is_one_component(rest) => Ok(PinSource::Credential(rest.to_owned())),
            _ => Err(UriError::PinSource),
        }
    }

    /// Reads the PIN: one line; its newline is not part of it.
    pub(super) fn read(&self) -> Result<SecretString, PinFault> {
        let bytes = match self {
            PinSource::File(path) => private_file::read(path, MAX_PIN, Sharing::Nobody)?,
            PinSource::Fd(number) => {
                let file = File::open(format!("/proc/self/fd/{number}")).map_err(FileFault::Io)?;
                private_file::read_bounded(file, MAX_PIN)?
            }
            PinSource::Credential(name) => {
                let path = credential_path(env::var_os("CREDENTIALS_DIRECTORY"), name)?;
                private_file::read(&path, MAX_PIN, Sharing::AccessList)?
            }
        };
        pin_from(&bytes)
    }
}

impl fmt::Display for PinSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PinSource::File(path) => write!(f, "the file {path:?}"),
            PinSource::Fd(number) => write!(f, "the descriptor {number}"),
            PinSource::Credential(name) => write!(f, "the credential {name:?}"),
        }
    }
}

fn is_one_component(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '\0'])
}

fn credential_path(folder: Option<OsString>, name: &str) -> Result<PathBuf, PinFault> {
    let folder = folder.filter(|folder| !folder.is_empty()).ok_or(PinFault::NoCredentials)?;
    Ok(Path::new(&folder).join(name))
}

fn pin_from(bytes: &[u8]) -> Result<SecretString, PinFault> {
    let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    if line.is_empty() {
        return Err(PinFault::Empty);
    }
    let text = str::from_utf8(line).map_err(|_| PinFault::NotOneLine)?;
    if text.contains(char::is_control) {
        return Err(PinFault::NotOneLine);
    }
    Ok(SecretString::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    fn parse(text: &str) -> Result<PinSource, UriError> {
        PinSource::parse(text, Path::new("/base"))
    }

    #[test]
    fn reads_the_three_forms() {
        assert_eq!(parse("file:pin"), Ok(PinSource::File("/base/pin".into())));
        assert_eq!(parse("file:/run/pin"), Ok(PinSource::File("/run/pin".into())));
        assert_eq!(parse("file:///run/pin"), Ok(PinSource::File("/run/pin".into())));
        assert_eq!(parse("fd:3"), Ok(PinSource::Fd(3)));
        assert_eq!(parse("credential:hsm-pin"), Ok(PinSource::Credential("hsm-pin".into())));
    }

    #[test]
    fn refuses_every_other_form() {
        assert_eq!(parse("|cat pin"), Err(UriError::PinCommand));
        for text in [
            "",
            "pin",
            "/run/pin",
            "file:",
            "file://host/pin",
            "FILE:pin",
            "fd:",
            "fd:x",
            "fd:-1",
            "fd:+3",
            "fd:4294967296",
            "http://host/pin",
            "credential:",
            "credential:.",
            "credential:..",
            "credential:a/b",
            "credential:/a",
            "credential:a\0",
            "env:PIN",
        ] {
            assert_eq!(parse(text), Err(UriError::PinSource), "{text:?}");
        }
    }

    #[test]
    fn a_pin_is_one_line_without_its_newline() {
        assert_eq!(pin_from(b"1234").unwrap().expose_secret(), "1234");
        assert_eq!(pin_from(b"1234\n").unwrap().expose_secret(), "1234");
        assert_eq!(pin_from(b" 12 34 ").unwrap().expose_secret(), " 12 34 ");
        for empty in [&b""[..], b"\n"] {
            assert!(matches!(pin_from(empty), Err(PinFault::Empty)));
        }
        for other in [&b"1234\n\n"[..], b"12\n34", b"1234\r\n", b"12\x0034", b"\xff1234"] {
            assert!(matches!(pin_from(other), Err(PinFault::NotOneLine)), "{other:?}");
        }
    }

    #[test]
    fn a_credential_needs_its_folder() {
        assert!(matches!(credential_path(None, "pin"), Err(PinFault::NoCredentials)));
        assert!(matches!(credential_path(Some("".into()), "pin"), Err(PinFault::NoCredentials)));
        assert_eq!(credential_path(Some("/run/c".into()), "pin").unwrap(), Path::new("/run/c/pin"));
    }

    #[test]
    fn a_pin_is_not_shown() {
        assert!(!format!("{:?}", pin_from(b"1234").unwrap()).contains("1234"));
    }
}
