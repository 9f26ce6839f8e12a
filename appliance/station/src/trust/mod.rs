//! Reads what officers installed: the policy, the anchors and the CRLs.
//!
//! Everything here is read from places that neither a carrier nor another user can change, or not
//! at all (see [`Guard`]).

mod carrier;
mod location;
mod roots;
mod walk;

pub use location::{Guard, guarded_read};
pub use roots::{Anchors, Content, FileFault, Installed, Origin, site_folder, survey, unpinned};

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use oms_inspect::Format;
use oms_verify::budget::Budget;
use oms_verify::hash::Sha256Digest;
use oms_verify::pki::{Crl, CrlFloors, CrlSet};
use oms_verify::policy::{Inputs, Policy, PolicyError, RawPolicy, TEXT_LIMIT, Vocabulary};
use oms_verify::reason::{Code, Reason};

/// Where policies with a bare name are.
pub const POLICIES: &str = "/etc/oms-appliance/policies";
/// Where the site's anchors are, unless a command or a configuration names another folder.
pub const ROOTS: &str = "/etc/oms-appliance/roots";
/// Where the site's CRLs are, unless a command or a configuration names another folder.
pub const CRLS: &str = "/etc/oms-appliance/crls";

/// The most CRL files that are read.
const MAX_CRL_FILES: usize = 1024;
/// Bytes of a file with a public key.
const KEY_LIMIT: u64 = 64 << 10;

/// What decides whom to believe.
#[derive(Debug)]
pub struct Trust {
    /// The policy.
    pub policy: Policy,
    /// The CRLs.
    pub crls: CrlSet,
    /// SHA-256 of each CRL file.
    pub crl_digests: Vec<Sha256Digest>,
}

/// Where to read trust from.
#[derive(Debug, Clone)]
pub struct TrustPaths {
    /// The policy: a bare name, or a path that contains a `/`.
    pub policy: PathBuf,
    /// The folder of anchors; the default one may be absent.
    pub roots: Option<PathBuf>,
    /// The folder of CRLs; the default one may be absent.
    pub crls: Option<PathBuf>,
}

impl Trust {
    /// Reads policy, anchors and CRLs, none of them from a place that `guard` forbids.
    ///
    /// # Errors
    /// A reason of class configuration: nothing can be decided without trust.
    pub fn load(paths: &TrustPaths, guard: &Guard) -> Result<Trust, Reason> {
        let anchors = Anchors::load(paths.roots.as_deref(), guard)?;
        let policy = load_policy(&paths.policy, &anchors, guard)?;
        let (crls, crl_digests) = load_crls(paths.crls.as_deref(), &policy.budget, guard)?;
        Ok(Trust { policy, crls, crl_digests })
    }

    /// The same with a memory of the CRLs that were used before.
    pub fn remembering(self, floors: CrlFloors) -> Trust {
        let crls = self.crls.iter().cloned().collect();
        Trust { crls: CrlSet::with_floors(crls, floors), ..self }
    }
}

/// The path that a policy's name stands for.
pub fn policy_path(name: &Path) -> PathBuf {
    if name.components().count() == 1 && !name.as_os_str().as_encoded_bytes().contains(&b'/') {
        Path::new(POLICIES).join(name)
    } else {
        name.to_owned()
    }
}

/// Reads a policy, and the key files that it names.
///
/// # Errors
/// When it cannot be read, is not well-formed, or names what is not there.
pub fn load_policy(name: &Path, anchors: &Anchors, guard: &Guard) -> Result<Policy, Reason> {
    let path = policy_path(name);
    let shown = path.display().to_string();
    let raw = read_policy(&path, guard)?;
    let mut keys = BTreeMap::new();
    for file in raw.key_files() {
        let key = path.with_file_name("").join(file);
        keys.insert(file.to_owned(), guarded_read(&key, KEY_LIMIT, guard, Code::PolicyKey)?);
    }
    let Anchors { certificates, trusted_roots, .. } = anchors;
    let inputs = Inputs { anchors: certificates, keys: &keys, trusted_roots };
    raw.resolve(&inputs).map_err(|error| {
        let mut reason = describe(&error, &shown);
        if matches!(reason.code, Code::PolicyUnknownAnchor | Code::PolicyTrustedRoot) {
            reason.detail.extend(anchors.hint());
        }
        reason
    })
}

/// SHA-256 of the text of a policy.
///
/// # Errors
/// When it cannot be read.
pub fn policy_digest(name: &Path) -> Result<Sha256Digest, Reason> {
    let limit = u64::try_from(TEXT_LIMIT).unwrap_or(u64::MAX);
    let path = policy_path(name);
    let bytes = guarded_read(&path, limit, &Guard::default(), Code::PolicyUnreadable)?;
    Ok(Sha256Digest::of(&bytes))
}

/// Reads a policy's text, without looking for the anchors and keys that it names.
///
/// # Errors
/// When it cannot be read or is not well-formed.
pub fn read_policy(path: &Path, guard: &Guard) -> Result<RawPolicy, Reason> {
    let shown = path.display().to_string();
    let limit = u64::try_from(TEXT_LIMIT).unwrap_or(u64::MAX);
    let bytes = guarded_read(path, limit, guard, Code::PolicyUnreadable)?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Reason::new(Code::PolicySyntax, "the policy is not UTF-8").about(&shown))?;
    let formats: Vec<&str> = Format::ALL.iter().map(|format| format.name()).collect();
    RawPolicy::parse(&text, &Vocabulary { formats: &formats })
        .map_err(|error| describe(&error, &shown))
}

fn describe(error: &PolicyError, file: &str) -> Reason {
    let detail = format!("line {}, column {}: {}", error.line, error.column, error.kind);
    let reason = Reason::new(error.code(), detail).about(file);
    if error.rule.is_empty() { reason } else { reason.by_rule(&error.rule) }
}

/// Whether there is something at a default path. Only what certainly does not exist is absent:
/// what cannot be looked at is an error.
fn is_installed(default: &Path, code: Code) -> Result<bool, Reason> {
    match default.symlink_metadata() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => {
            Err(Reason::new(code, error.to_string()).about(default.display().to_string()))
        }
    }
}

/// Reads every CRL in a folder, in PEM or DER.
///
/// # Errors
/// When a file is not a CRL: a typing error must not look like a missing one.
pub fn load_crls(
    folder: Option<&Path>,
    budget: &Budget,
    guard: &Guard,
) -> Result<(CrlSet, Vec<Sha256Digest>), Reason> {
    let folder = match folder {
        Some(folder) => folder,
        None if is_installed(Path::new(CRLS), Code::TrustCrl)? => Path::new(CRLS),
        None => return Ok((CrlSet::default(), Vec::new())),
    };
    let shown = folder.display().to_string();
    let unreadable =
        |error: io::Error| Reason::new(Code::TrustCrl, error.to_string()).about(&shown);
    guard.check_folder(folder, Code::TrustCrl)?;
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        files.push(entry.path());
        if files.len() > MAX_CRL_FILES {
            let detail = format!("more than {MAX_CRL_FILES} files");
            return Err(Reason::new(Code::TrustCrl, detail).about(shown));
        }
    }
    files.sort();
    let mut crls = Vec::new();
    let mut digests = Vec::new();
    for file in files {
        let bytes = guarded_read(&file, budget.crl_bytes, guard, Code::TrustCrl)?;
        let parsed = Crl::parse(&bytes).map_err(|error| {
            Reason::new(Code::TrustCrl, error.to_string()).about(file.display().to_string())
        })?;
        crls.extend(parsed);
        digests.push(Sha256Digest::of(&bytes));
    }
    Ok((CrlSet::new(crls), digests))
}

#[cfg(test)]
mod tests;
