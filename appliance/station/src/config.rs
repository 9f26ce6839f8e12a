//! `station.toml`: what a person wrote becomes checked settings, once.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use oms_verify::policy::{SIZE, parse_size};
use oms_verify::reason::{Code, Reason};
use oms_verify::time::Span;
use rustix::fs::{Access, AtFlags, CWD, StatxFlags, accessat, statx};
use rustix::io::Errno;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::carriers::{self, RawCarriers};
use crate::daemon::{self, RawRun};
use crate::intake::{Memory, Reader, Settings};
use crate::keys::KeyRef;
use crate::scanner;
use crate::trust::{Guard, TrustPaths, guarded_read};

const CONFIG_LIMIT: u64 = 1 << 20;

/// A station's settings. Paths are absolute or relative to the current folder.
#[derive(Debug)]
pub struct Config {
    /// `verifier.id`, and a URI in the subjectAltName of the verdict certificate.
    pub id: String,
    /// The folder of the record.
    pub state: PathBuf,
    /// Policy, anchors and CRLs.
    pub trust: TrustPaths,
    /// Quarantine and staging.
    pub spool: PathBuf,
    /// What the diode empties.
    pub outbound: PathBuf,
    /// How entries look there.
    pub profile: Profile,
    /// Bytes that outbound may hold; any number when absent.
    pub quota: Option<u64>,
    /// How long models are kept after their entries went out; not at all when absent.
    pub keep: Option<Span>,
    /// The key of verdicts.
    pub verdict: KeyConfig,
    /// The key of re-signed bundles.
    pub resign: KeyConfig,
    /// The means of reading.
    pub intake: Settings,
    /// Where carriers come from.
    pub carriers: carriers::Settings,
    /// What the PKCS #11 module reads, besides itself and the system's libraries.
    pub hsm_read: Vec<PathBuf>,
    /// What it writes.
    pub hsm_write: Vec<PathBuf>,
    /// The virus scanner, where there is one.
    pub scanner: Option<scanner::Settings>,
    /// How the daemon tells of itself.
    pub run: daemon::Settings,
}

/// A key with its chain.
#[derive(Debug)]
pub struct KeyConfig {
    /// Where the key is.
    pub key: KeyRef,
    /// A PEM file with its chain, leaf first; none for a bare key.
    pub certificate: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConfig {
    station: RawStation,
    keys: RawKeys,
    #[serde(default)]
    outbound: RawOutbound,
    #[serde(default)]
    intake: RawIntake,
    #[serde(default)]
    carriers: RawCarriers,
    #[serde(default)]
    hsm: RawHsm,
    scanner: Option<RawScanner>,
    #[serde(default)]
    run: RawRun,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStation {
    id: String,
    state: PathBuf,
    policy: PathBuf,
    roots: Option<PathBuf>,
    crls: Option<PathBuf>,
    spool: PathBuf,
    outbound: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawKeys {
    verdict: RawKey,
    resign: RawKey,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawKey {
    key: String,
    certificate: Option<PathBuf>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOutbound {
    #[serde(default)]
    profile: Profile,
    #[serde(default, deserialize_with = "word")]
    quota: Option<Quota>,
    #[serde(default, deserialize_with = "word")]
    keep: Option<Keep>,
}

/// A length of time that is not none.
struct Keep(Span);

impl FromStr for Keep {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let span = Span::parse(text).filter(|span| span.seconds > 0);
        span.map(Keep).ok_or("expected a length of time, such as 30d or 12h")
    }
}

/// A number of bytes with its unit.
struct Quota(u64);

impl FromStr for Quota {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_size(text).map(Quota).ok_or_else(|| format!("expected {SIZE}"))
    }
}

/// How entries look in outbound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// A folder for each entry.
    #[default]
    Tree,
    /// Single files: the verdict, and after it, with a model that passed, the whole entry as tar.
    Tar,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawIntake {
    #[serde(default, deserialize_with = "word")]
    memory: Option<Memory>,
    #[serde(default, deserialize_with = "word")]
    reader: Option<Reader>,
}

impl RawIntake {
    fn settings(&self) -> Settings {
        let plain = Settings::default();
        Settings {
            memory: self.memory.unwrap_or(plain.memory),
            reader: self.reader.unwrap_or(plain.reader),
        }
    }
}

/// A string that says a `T`, with its place when it does not.
fn word<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: FromStr<Err: Display>,
    D: Deserializer<'de>,
{
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(D::Error::custom)
}

/// A virus scanner that speaks as `clamd` does.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct RawScanner {
    socket: PathBuf,
    #[serde(default, deserialize_with = "word")]
    max_file_bytes: Option<Quota>,
}

impl RawScanner {
    fn settings(self, base: &Path) -> scanner::Settings {
        scanner::Settings {
            socket: base.join(self.socket),
            max_file_bytes: self.max_file_bytes.map_or(scanner::MAX_FILE_BYTES, |Quota(most)| most),
        }
    }
}

/// What the PKCS #11 module itself needs.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHsm {
    #[serde(default)]
    sandbox: RawSandbox,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSandbox {
    #[serde(default)]
    read: Vec<PathBuf>,
    #[serde(default)]
    write: Vec<PathBuf>,
}

impl Config {
    /// Reads the file at `path`. `outbound` and `policy` of the command line come first.
    ///
    /// # Errors
    /// A reason of class configuration.
    pub fn load(
        path: &Path,
        policy: Option<&Path>,
        outbound: Option<&Path>,
        guard: &Guard,
    ) -> Result<Self, Reason> {
        let raw = parse(path, guard)?;
        let base = folder_of(path);
        let emptied = outbound;
        let key = |raw: RawKey| -> Result<KeyConfig, Reason> {
            let key = KeyRef::parse(&raw.key, base).map_err(|error| Reason::from(&error))?;
            Ok(KeyConfig { key, certificate: raw.certificate.map(|file| base.join(file)) })
        };
        let RawConfig { station, keys, intake, carriers, outbound, hsm, scanner, run } = raw;
        let RawOutbound { profile, quota, keep } = outbound;
        let from_base = |paths: Vec<PathBuf>| paths.iter().map(|path| base.join(path)).collect();
        let config = Config {
            id: station.id,
            state: base.join(station.state),
            trust: TrustPaths {
                policy: policy.map_or_else(|| base.join(&station.policy), Path::to_owned),
                roots: station.roots.map(|folder| base.join(folder)),
                crls: station.crls.map(|folder| base.join(folder)),
            },
            spool: base.join(station.spool),
            outbound: emptied.map_or_else(|| base.join(&station.outbound), Path::to_owned),
            profile,
            quota: quota.map(|Quota(bytes)| bytes),
            keep: keep.map(|Keep(span)| span),
            verdict: key(keys.verdict)?,
            resign: key(keys.resign)?,
            intake: intake.settings(),
            carriers: carriers.settings(base),
            hsm_read: from_base(hsm.sandbox.read),
            hsm_write: from_base(hsm.sandbox.write),
            scanner: scanner.map(|raw| raw.settings(base)),
            run: run.settings(base),
        };
        config.check(guard)?;
        Ok(config)
    }

    fn check(&self, guard: &Guard) -> Result<(), Reason> {
        if !is_uri(&self.id) {
            let detail = format!("station.id is {:?}, which is not a URI", self.id);
            return Err(Reason::new(Code::ConfigSyntax, detail));
        }
        for folder in [&self.state, &self.spool, &self.outbound] {
            check_folder(folder)?;
        }
        // Whoever writes to the spool changes copies after they were hashed; whoever writes to the
        // record changes what comes next. Outbound is shared with the sender, who may delete.
        guard.check(&self.state)?;
        guard.check(&self.spool)?;
        guard.check_shared(&self.outbound)?;
        check_apart(&self.state, &self.outbound)?;
        check_apart(&self.state, &self.spool)?;
        check_apart(&self.spool, &self.outbound)?;
        check_one_file_system(&self.spool, &self.outbound)?;
        // Others write there, so that nothing of the station's own may lie in it.
        for hot in &self.carriers.hot_folders {
            if !hot.is_dir() {
                let reason = Reason::new(Code::ConfigPath, "the hot folder is not a folder");
                return Err(reason.about(hot.display().to_string()));
            }
            for own in [&self.state, &self.spool, &self.outbound] {
                check_apart(hot, own)?;
            }
        }
        Ok(())
    }
}

/// The folder that relative paths start at. Never empty, so that a policy beside the file is not
/// taken for a bare name.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn parse(path: &Path, guard: &Guard) -> Result<RawConfig, Reason> {
    let wrong =
        |detail: String| Reason::new(Code::ConfigSyntax, detail).about(path.display().to_string());
    let bytes =
        guarded_read(path, CONFIG_LIMIT, guard, Code::ConfigPath).map_err(|mut reason| {
            if !path.exists() {
                reason.detail.push_str("; check the path of the configuration");
            }
            reason
        })?;
    let text = String::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8".to_owned()))?;
    toml::from_str(&text).map_err(|error| wrong(toml_fault(&text, &error)))
}

/// What is wrong with a TOML text, and where, in one line.
pub(crate) fn toml_fault(text: &str, error: &toml::de::Error) -> String {
    let message = error.message().replace('\n', " ");
    let Some(before) = error.span().and_then(|span| text.get(..span.start)) else {
        return message;
    };
    let line = before.split('\n').count();
    let column = before.rsplit('\n').next().map_or(0, |start| start.chars().count());
    format!("line {line}, column {}: {message}", column.saturating_add(1))
}

/// An absolute URI (RFC 3986) as far as it matters here: a scheme, a colon, and something that
/// is printable ASCII.
fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
        && !rest.is_empty()
        && rest.chars().all(|c| c.is_ascii_graphic())
}

fn check_folder(folder: &Path) -> Result<(), Reason> {
    let wrong = |detail: String| {
        Err(Reason::new(Code::ConfigPath, detail).about(folder.display().to_string()))
    };
    match std::fs::metadata(folder) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => return wrong("it is not a folder".to_owned()),
        Err(error) => return wrong(error.to_string()),
    }
    let access = Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK;
    match accessat(CWD, folder, access, AtFlags::EACCESS) {
        Ok(()) => Ok(()),
        // A disk that became read-only is a fault of the disk; anything else was set so.
        Err(Errno::ROFS) => {
            let reason = Reason::new(Code::OutboundWrite, "the file system is read-only");
            Err(reason.about(folder.display().to_string()))
        }
        Err(error) => wrong(format!("the station may not write there: {error}")),
    }
}

/// What is in the making or on record is never seen in outbound, and never swept with the spool.
fn check_apart(one: &Path, other: &Path) -> Result<(), Reason> {
    let apart = one
        .canonicalize()
        .ok()
        .zip(other.canonicalize().ok())
        .is_some_and(|(one, other)| !one.starts_with(&other) && !other.starts_with(&one));
    if apart {
        return Ok(());
    }
    let detail = format!("it and {} lie inside each other", other.display());
    Err(Reason::new(Code::ConfigSpool, detail).about(one.display().to_string()))
}

/// One rename publishes only within one file system.
fn check_one_file_system(spool: &Path, outbound: &Path) -> Result<(), Reason> {
    let place = |path: &Path| {
        let flags = StatxFlags::BASIC_STATS | StatxFlags::MNT_ID;
        let stat = statx(CWD, path, AtFlags::empty(), flags).ok()?;
        Some((stat.stx_mnt_id, stat.stx_dev_major, stat.stx_dev_minor))
    };
    match (place(spool), place(outbound)) {
        (Some(a), Some(b)) if a == b => Ok(()),
        _ => {
            let detail = "it lies on another file system than outbound";
            Err(Reason::new(Code::ConfigSpool, detail).about(spool.display().to_string()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::tests::as_nobody;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_folder_that_may_not_be_written_is_a_fault_of_the_configuration() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o555)).unwrap();
        let path = dir.path().to_owned();
        let reason = as_nobody(move || check_folder(&path)).unwrap_err();
        assert_eq!(reason.code, Code::ConfigPath);
        assert!(reason.detail.starts_with("the station may not write there"), "{reason}");
    }

    #[test]
    fn what_is_wrong_with_a_text_is_told_in_one_line_with_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("station.toml");
        let text = "[station]\nid = \"x\"\n\u{e4} = 1\n";
        std::fs::write(&path, text).unwrap();
        let reason = parse(&path, &Guard::default()).err().unwrap();
        assert_eq!(reason.code, Code::ConfigSyntax);
        assert!(reason.detail.starts_with("line 3, column 1: "), "{}", reason.detail);
        let text = "[station]\nid = 1\n";
        std::fs::write(&path, text).unwrap();
        let reason = parse(&path, &Guard::default()).err().unwrap();
        assert!(reason.detail.starts_with("line 2, column 6: "), "{}", reason.detail);
        assert!(!reason.detail.contains('\n'));
    }

    #[test]
    fn the_means_of_reading_are_checked_with_their_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("station.toml");
        let read = |intake: &str| {
            let text = format!(
                "[station]\nid = \"urn:x\"\nstate = \"s\"\npolicy = \"p\"\nspool = \"q\"\n\
                 outbound = \"o\"\n[keys]\nverdict = {{ key = \"a\" }}\n\
                 resign = {{ key = \"b\" }}\n{intake}"
            );
            std::fs::write(&path, text).unwrap();
            parse(&path, &Guard::default()).map(|raw| raw.intake.settings())
        };
        assert_eq!(read("").unwrap(), Settings::default());
        assert_eq!(read("[intake]").unwrap(), Settings::default());
        let both = read("[intake]\nmemory = \"128MiB\"\nreader = \"threads\"\n").unwrap();
        assert_eq!((both.memory.bytes(), both.reader), (128 << 20, Reader::Threads));
        for (wrong, place) in [
            ("[intake]\nmemory = \"1MiB\"\n", "line 11, column 10: expected a size from"),
            ("[intake]\nmemory = 64\n", "line 11, column 10: "),
            ("[intake]\nreader = \"uring\"\n", "line 11, column 10: expected auto, io-uring"),
            ("[intake]\nmemori = \"64MiB\"\n", "line 11, column 1: unknown field `memori`"),
        ] {
            let reason = read(wrong).unwrap_err();
            assert_eq!(reason.code, Code::ConfigSyntax);
            assert!(reason.detail.starts_with(place), "{reason}");
        }
    }

    #[test]
    fn how_long_models_are_kept_is_a_length_of_time() {
        for (text, seconds) in [("30d", Some(30 * 86_400)), ("90s", Some(90)), ("0d", None)] {
            let read = text.parse::<Keep>().ok().map(|Keep(span)| span.seconds);
            assert_eq!(read, seconds, "{text}");
        }
        assert!("30".parse::<Keep>().is_err() && "".parse::<Keep>().is_err());
    }

    #[test]
    fn an_absent_configuration_is_named_as_that() {
        let dir = tempfile::tempdir().unwrap();
        let reason = parse(&dir.path().join("nope.toml"), &Guard::default()).err().unwrap();
        assert_eq!(reason.code, Code::ConfigPath);
        assert!(reason.detail.ends_with("check the path of the configuration"), "{reason}");
    }
}
