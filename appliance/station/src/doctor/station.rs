//! What a station needs beside the machine: its policy, its spool, its clock, its keys.

use std::io;
use std::path::Path;

use oms_verify::observe::Scan;
use oms_verify::pki::RevocationMode;
use oms_verify::reason::{Code, Reason};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;

use super::Check;
use crate::clock::{Clock, system_time};
use crate::config::Config;
use crate::journal::Journal;
use crate::keys::{self, HsmCheck, KeyRef, Protection};
use crate::scanner::{Scanner, Scanning, unavailable};
use crate::signing::RemoteSigner;
use crate::trust::{Guard, Trust};

/// Bytes below which a spool is called small: many models are larger.
const SMALL: u64 = 64 << 30;
/// Bytes of the block that is shared to see whether blocks can be.
const BLOCK: usize = 4096;

/// Every check of a station whose configuration can be read, but those of its keys. That spool and
/// outbound are on one file system, and who may write where, was seen when it was read.
pub fn checks(config: &Config, guard: &Guard) -> Vec<Check> {
    vec![
        Check::ok("configuration", format!("{}; spool and outbound on one file system", config.id)),
        trust(config, guard),
        free_space(&config.spool),
        direct_io(&config.spool),
        shared_blocks(&config.spool),
        clock(&config.state),
        scanner(config, guard),
    ]
}

/// Whether the keys can sign. They are opened in this process, which the daemon leaves to its signer.
pub fn keys(config: &Config) -> Vec<Check> {
    let keys = [("key-verdict", &config.verdict), ("key-resign", &config.resign)];
    keys.map(|(name, key)| can_sign(name, &key.key)).into()
}

/// Whether the station's signer, a process of its own in its sandbox, can use the keys and
/// certificates that the configuration at `path` names.
pub fn signer(path: &Path) -> Check {
    const NAME: &str = "signer";
    match RemoteSigner::start(path, None, true, system_time()) {
        Ok(_) => Check::ok(NAME, "opens both keys in its sandbox; their certificates fit"),
        Err(reason) => Check::refused(NAME, &reason),
    }
}

/// The key signs a probe, and its signature verifies.
fn can_sign(name: &'static str, key: &KeyRef) -> Check {
    match keys::check(key) {
        Err(error) => Check::refused(name, &Reason::from(&error)),
        Ok(checked) => signed(name, &checked),
    }
}

fn signed(name: &'static str, checked: &HsmCheck) -> Check {
    let HsmCheck { key_type, sign_time, .. } = checked;
    let found =
        format!("a probe was signed and verified: {key_type}, {} ms", sign_time.as_millis());
    match &checked.protection {
        Protection::File => Check::warning(
            name,
            format!("{found}, kept in a file"),
            "For laboratories only. Keep it in an HSM.",
        ),
        Protection::Pkcs11 { token, exportable: true } => Check::warning(
            name,
            format!("{found}, on {token}, which would give it away"),
            "Make a key that is sensitive and cannot be extracted.",
        ),
        Protection::Pkcs11 { token, .. } => Check::ok(name, format!("{found}, on {token}")),
    }
}

/// Policy, roots and CRLs can be read and fit together.
fn trust(config: &Config, guard: &Guard) -> Check {
    const NAME: &str = "trust";
    match Trust::load(&config.trust, guard) {
        Ok(trust) => {
            let (policy, crls) = (&trust.policy, trust.crl_digests.len());
            let found = format!("policy {} version {}, {crls} CRLs", policy.id, policy.version);
            if crls == 0 && policy.revocation.mode == RevocationMode::Require {
                let remedy = "The policy requires CRLs: without them no certificate passes. Put a \
                              current one of each issuer into the folder of CRLs.";
                return Check::warning(NAME, found, remedy);
            }
            Check::ok(NAME, found)
        }
        Err(reason) => Check::refused(NAME, &reason),
    }
}

/// The virus scanner answers, takes files as large as the configuration says, and knows the file that
/// all scanners know.
fn scanner(config: &Config, guard: &Guard) -> Check {
    const NAME: &str = "scanner";
    let rules = Trust::load(&config.trust, guard).map(|trust| trust.policy.content.scanner);
    let rules = rules.unwrap_or_default();
    let Some(settings) = &config.scanner else {
        return match rules.required {
            false => Check::ok(NAME, "none, and the policy asks for none"),
            true => Check::failed(
                NAME,
                "none, and the policy asks for one",
                "Without one nothing passes. Add [scanner] with its socket, or change the policy.",
            ),
        };
    };
    let ask = || -> Result<Check, Reason> {
        let connected = settings.connect()?;
        let engine = connected.engine.clone();
        let scanning = Scanning::new(settings, &connected, &rules);
        let scanner = Scanner::new(scanning, connected.sessions);
        let scan = |file: &mut dyn io::Read, size| {
            scanner.scan(&mut &mut *file, size, &|| {}).map_err(|error| unavailable(&error))
        };
        let most = settings.max_file_bytes;
        if let Scan::NotScanned(why) = scan(&mut io::repeat(0), most)? {
            let remedy = "Set max-file-bytes of [scanner] to what it reads in full: the least of \
                          its MaxFileSize, MaxScanSize and StreamMaxLength.";
            let found = format!("{engine} does not take {most} bytes: {why}");
            return Ok(Check::failed(NAME, found, remedy));
        }
        let test = eicar();
        Ok(match scan(&mut test.as_bytes(), test.len() as u64)? {
            Scan::Found(_) => Check::ok(NAME, format!("{engine} finds the EICAR test file")),
            _ => Check::warning(
                NAME,
                format!("{engine} does not find the EICAR test file"),
                "Check that its signatures are installed and current.",
            ),
        })
    };
    ask().unwrap_or_else(|reason| Check::refused(NAME, &reason))
}

/// The test file of the European Institute for Computer Antivirus Research, put together here so
/// that no scanner takes this program for it.
fn eicar() -> String {
    [r"X5O!P%@AP[4\PZX54(P^)7CC)7}$", "EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$", "H+H*"].concat()
}

/// A copy of a model fits into the spool.
fn free_space(spool: &Path) -> Check {
    const NAME: &str = "free-space";
    match rustix::fs::statvfs(spool) {
        Err(error) => Check::failed(NAME, error.to_string(), Code::OutboundWrite.remedy()),
        Ok(told) => room(told.f_bavail.saturating_mul(told.f_frsize)),
    }
}

fn room(free: u64) -> Check {
    const NAME: &str = "free-space";
    let found = format!("{free} bytes are free in the spool");
    if free == 0 {
        return Check::failed(NAME, found, Code::OutboundWrite.remedy());
    }
    if free < SMALL {
        let remedy = "A model that does not fit is not begun. Make room for the largest one that is \
                      expected.";
        return Check::warning(NAME, found, remedy);
    }
    Check::ok(NAME, found)
}

/// Copies can be written past the page cache.
fn direct_io(spool: &Path) -> Check {
    const NAME: &str = "direct-io";
    match unnamed(spool, OFlags::DIRECT) {
        Ok(_) => Check::ok(NAME, "the spool's file system takes it"),
        Err(Errno::INVAL | Errno::OPNOTSUPP) => Check::warning(
            NAME,
            "the spool's file system does not take it, or no files without a name",
            "An ingest works and is slower. Put the spool on ext4, XFS or Btrfs.",
        ),
        Err(error) => Check::failed(NAME, error.to_string(), Code::OutboundWrite.remedy()),
    }
}

/// Whether a copy within the spool's file system needs no blocks of its own.
fn shared_blocks(spool: &Path) -> Check {
    const NAME: &str = "reflinks";
    let share = || {
        let (from, to) = (unnamed(spool, OFlags::empty())?, unnamed(spool, OFlags::empty())?);
        rustix::io::write(&from, &[0; BLOCK])?;
        rustix::fs::ioctl_ficlone(&to, &from)
    };
    let found = match share() {
        Ok(()) => "copies within the spool's file system share their blocks",
        Err(_) => "copies within the spool's file system are written in full",
    };
    Check::ok(NAME, found)
}

/// A file of the spool that has no name and goes when it is closed.
fn unnamed(spool: &Path, more: OFlags) -> Result<rustix::fd::OwnedFd, Errno> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC | more;
    rustix::fs::openat(CWD, spool, flags, Mode::RUSR | Mode::WUSR)
}

/// The record can be read, and the clock is not behind the highest time that the station has seen.
fn clock(state: &Path) -> Check {
    const NAME: &str = "clock";
    let look = || -> Result<String, Reason> {
        let journal = Journal::open(state)?;
        Ok(Clock::open(state, journal.past()?)?.look()?.to_string())
    };
    match look() {
        Ok(time) => Check::ok(NAME, format!("{time}, not behind the station's record")),
        Err(reason) if reason.code == Code::StateLocked => Check::warning(
            NAME,
            "not looked at: another process works with the station's state",
            "Ask again when it has ended.",
        ),
        Err(reason) => Check::refused(NAME, &reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    #[test]
    fn room_in_the_spool_is_judged() {
        assert_eq!(room(0).state, State::Failed);
        assert_eq!(room(1 << 30).state, State::Warning);
        assert_eq!(room(1 << 40).state, State::Ok);
    }

    #[test]
    fn looking_at_a_spool_leaves_nothing_in_it() {
        let spool = tempfile::tempdir().unwrap();
        for check in
            [free_space(spool.path()), direct_io(spool.path()), shared_blocks(spool.path())]
        {
            assert_ne!(check.state, State::Failed, "{check:?}");
        }
        assert_eq!(std::fs::read_dir(spool.path()).unwrap().count(), 0);
        let gone = spool.path().join("gone");
        assert_eq!(free_space(&gone).state, State::Failed);
        assert_eq!(direct_io(&gone).state, State::Failed);
    }

    #[test]
    fn a_key_that_cannot_sign_fails_and_one_in_a_file_is_warned_of() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        let check = can_sign("key-resign", &KeyRef::Pem(path.clone()));
        assert_eq!((check.name, check.state), ("key-resign", State::Failed), "{check:?}");
        let made = std::process::Command::new("openssl")
            .args(["ecparam", "-genkey", "-name", "prime256v1"])
            .output()
            .unwrap();
        std::fs::write(&path, made.stdout).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))
            .unwrap();
        let check = can_sign("key-resign", &KeyRef::Pem(path));
        assert_eq!(check.state, State::Warning, "{check:?}");
        assert!(check.found.contains("P-256"), "{check:?}");
    }

    #[test]
    fn a_state_that_is_in_use_is_left_alone() {
        let state = tempfile::tempdir().unwrap();
        assert_eq!(clock(state.path()).state, State::Ok);
        let journal = Journal::open(state.path()).unwrap();
        assert_eq!(clock(state.path()).state, State::Warning);
        drop(journal);
        std::fs::write(state.path().join("clock.json"), "{\"highest\":9000000000}").unwrap();
        let check = clock(state.path());
        assert_eq!(check.state, State::Failed, "{check:?}");
        assert!(check.found.contains("clock.rolled-back"), "{check:?}");
    }
}
