//! The policy of the adapter: what the public suite presumes of a verifier, as data, and nothing
//! more. The suite has no policies; every setting here that is weaker than a station's is one that
//! some of its cases need.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use oms_station::bounded;
use oms_station::signer::read_chain;
use oms_station::trust::{Anchors, Trust};

use oms_verify::hash::Sha256Digest;
use oms_verify::pki::{Anchor, Profile, Purpose};
use oms_verify::policy::{Inputs, PolicyError, RawPolicy, Vocabulary};
use oms_verify::reason::{Code, Reason};

/// The policy without its signer. `unsigned-files` may follow, since `[manifest]` is the last
/// table.
const POLICY: &str = r#"
[policy]
id = "conformance"
version = 1

# The suite has no CRLs.
[revocation]
mode = "off"

# The suite says nothing about what is inside a file.
[content]
allow = "any"
remote-code = "allow"

[manifest]
hashes = ["sha256", "blake2b", "blake3"]
ignored-paths = "leave-behind"
symlinks = "reject"
# The historical cases begin with version 0.2.0.
legacy = true
"#;

/// What `--ignore-unsigned-files` adds to [`POLICY`].
const IGNORE_UNSIGNED_FILES: &str = "unsigned-files = \"leave-behind\"\n";

/// The leaf of the public certificate cases is also a CA. Its extended key usage and its digital
/// signature usage are asked for, and so is every validity period, the anchor's too.
pub(crate) const PROFILE: Profile = Profile::CONFORMANCE_SUITE;

/// The key's file as the policy calls it.
const KEY: &str = "key.pem";
/// Bytes of a file with a public key.
const KEY_LIMIT: u64 = 64 << 10;

/// Whom to believe.
pub(crate) enum Signer<'a> {
    /// The key in this PEM file.
    Key(&'a PathBuf),
    /// Certificates under the anchors in these PEM files.
    Certificate(&'a [PathBuf]),
    /// This identity, vouched for by this issuer, under this trusted root.
    Sigstore { trusted_root: &'a str, identity: &'a str, issuer: &'a str },
}

/// The trust that the command line asks for.
///
/// # Errors
/// When a key or an anchor cannot be used.
pub(crate) fn trust(signer: &Signer<'_>, ignore_unsigned: bool) -> Result<Trust, Reason> {
    let unsigned = if ignore_unsigned { IGNORE_UNSIGNED_FILES } else { "" };
    let (mut anchors, mut trusted_roots) = (Vec::new(), Vec::new());
    let mut keys = BTreeMap::new();
    let rule = match signer {
        Signer::Key(file) => {
            let bytes = bounded::read(file, KEY_LIMIT).map_err(|error| {
                let shown = file.display().to_string();
                Reason::new(Code::PolicyKey, error.to_string()).about(shown)
            })?;
            keys.insert(KEY.to_owned(), bytes);
            format!("method = \"key\"\nkey = {}\n", quoted(KEY))
        }
        Signer::Certificate(files) => {
            for file in *files {
                anchors.extend(read_anchors(file, anchors.len())?);
            }
            let names: Vec<_> = anchors.iter().map(|anchor| quoted(&anchor.name)).collect();
            format!("method = \"certificate\"\nanchors = [{}]\n", names.join(", "))
        }
        Signer::Sigstore { trusted_root, identity, issuer } => {
            trusted_roots = Anchors::built_in()?.trusted_roots;
            format!(
                "method = \"sigstore\"\ntrusted-root = {}\nidentity = {}\nissuer = {}\n",
                quoted(trusted_root),
                quoted(identity),
                quoted(issuer)
            )
        }
    };
    let text = format!("{POLICY}{unsigned}\n[[signer]]\n{rule}");
    let policy = RawPolicy::parse(&text, &Vocabulary { formats: &[] })
        .and_then(|raw| {
            raw.resolve(&Inputs { anchors: &anchors, keys: &keys, trusted_roots: &trusted_roots })
        })
        .map_err(|error: PolicyError| Reason::new(error.code(), error.to_string()))?;
    Ok(Trust { policy, crls: Default::default(), crl_digests: Vec::new() })
}

/// The certificates of a PEM file as anchors; `count` anchors are there already.
fn read_anchors(file: &Path, count: usize) -> Result<Vec<Anchor>, Reason> {
    let certificates = read_chain(file)?;
    let anchors = certificates.into_iter().zip(count..).map(|(certificate, number)| Anchor {
        name: format!("anchor-{number}"),
        purposes: BTreeSet::from([Purpose::CodeSigning]),
        provenance: file.display().to_string(),
        file_sha256: Sha256Digest::of(certificate.der()),
        certificate,
    });
    Ok(anchors.collect())
}

/// A TOML string.
fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use oms_verify::pki::RevocationMode;
    use oms_verify::policy::UnsignedFiles;

    use super::*;

    const SIGSTORE: Signer<'_> = Signer::Sigstore {
        trusted_root: "sigstore-public-good",
        identity: "a@b.example",
        issuer: "https://c",
    };

    #[test]
    fn the_settings_are_the_ones_that_the_suite_presumes_and_no_others() {
        let policy = trust(&SIGSTORE, false).unwrap().policy;
        assert_eq!(policy.revocation.mode, RevocationMode::Off);
        assert!(policy.manifest.legacy);
        assert_eq!(policy.manifest.hashes.len(), 3);
        assert_eq!(policy.manifest.unsigned_files, UnsignedFiles::Reject);
        assert_eq!(policy.content.allow, None);
        assert_eq!((policy.require, policy.signers.len()), (1, 1));
    }

    #[test]
    fn unsigned_files_are_left_behind_only_when_asked_for() {
        let policy = trust(&SIGSTORE, true).unwrap().policy;
        assert_eq!(policy.manifest.unsigned_files, UnsignedFiles::LeaveBehind);
    }

    #[test]
    fn a_key_that_is_absent_is_an_error_of_configuration() {
        let error = trust(&Signer::Key(&PathBuf::from("/nonexistent.pem")), false).unwrap_err();
        assert_eq!(error.code, Code::PolicyKey);
    }
}
