//! A case of the suite: its `config.json`, strictly read. A field that is unknown here could
//! change what the case means.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::failure::Failure;
use crate::process::read;

/// Folders with cases, and what the cases in them do.
const GROUPS: [(&str, Kind); 4] = [
    ("roundtrip", Kind::Roundtrip),
    ("verify/positive", Kind::Verify),
    ("verify/negative", Kind::Verify),
    ("verify/historical", Kind::Verify),
];

/// What a case does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Sign, then verify.
    Roundtrip,
    /// Verify a bundle that the suite brings.
    Verify,
}

/// One case.
#[derive(Debug)]
pub(super) struct Case {
    /// Its folder below `test-cases`, such as `verify/negative/key-simple-wrong-key_fail`.
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) folder: PathBuf,
    pub(super) config: Config,
}

/// `config.json`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    pub(super) description: String,
    pub(super) method: String,
    pub(super) model: String,
    #[serde(default)]
    pub(super) model_relative_to: Base,
    #[serde(default)]
    expect: Expect,
    #[serde(default)]
    pub(super) sig_inside_model: bool,
    #[serde(default)]
    requires_ci: bool,
    #[serde(default)]
    pub(super) expected_signed_files: Option<Vec<String>>,
    #[serde(default)]
    pub(super) sign: Sign,
    #[serde(default)]
    pub(super) verify: Verify,
    #[serde(default)]
    pub(super) model_modifications: Modifications,
}

/// What `model` is relative to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Base {
    #[default]
    Assets,
    TestDir,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Expect {
    #[default]
    Pass,
    Fail,
}

/// What the signer is given; files are relative to `assets`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Sign {
    pub(super) private_key: Option<String>,
    pub(super) signing_cert: Option<String>,
    pub(super) cert_chain: Vec<String>,
    pub(super) use_staging: bool,
    /// The variable with a live token: such a roundtrip is not run here.
    #[serde(rename = "identity_token_env")]
    _identity_token_env: Option<String>,
}

/// What the verifier is given; files are relative to `assets`, `ignore_paths` to the model. Both
/// sides are given `ignore_paths`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Verify {
    pub(super) public_key: Option<String>,
    pub(super) cert_chain: Vec<String>,
    pub(super) ignore_paths: Vec<String>,
    pub(super) ignore_unsigned_files: bool,
    pub(super) identity: Option<String>,
    pub(super) identity_provider: Option<String>,
    pub(super) use_staging: bool,
}

/// What is done to the copy of the model: new contents of files, files that go, files that come,
/// links with their targets.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Modifications {
    pub(super) tamper: BTreeMap<String, String>,
    pub(super) delete: Vec<String>,
    pub(super) inject: BTreeMap<String, String>,
    pub(super) symlinks: BTreeMap<String, String>,
}

impl Case {
    /// Whether the case must not succeed.
    pub(super) fn must_fail(&self) -> bool {
        self.config.expect == Expect::Fail
    }

    /// Whether only a person or a CI system with an account could run it. The suite marks all of
    /// the method `sigstore` so, but verifying needs no account.
    pub(super) fn needs_live_identity(&self) -> bool {
        self.config.requires_ci && self.kind == Kind::Roundtrip
    }

    /// Whether signing twice must give the same; the suite tells by the name.
    pub(super) fn is_about_determinism(&self) -> bool {
        self.name.contains("deterministic")
    }
}

/// Every case below `folder`, sorted by name.
pub(super) fn all(folder: &Path) -> Result<Vec<Case>, Failure> {
    let mut cases = Vec::new();
    for (group, kind) in GROUPS {
        let path = folder.join(group);
        let unreadable = |source| Failure::Read { path: path.clone(), source };
        for entry in fs::read_dir(&path).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let (file, folder) = (entry.path().join("config.json"), entry.path());
            let config = serde_json::from_str(&read(&file)?)
                .map_err(|source| Failure::Json { path: file, source })?;
            let name = format!("{group}/{}", entry.file_name().to_string_lossy());
            cases.push(Case { name, kind, folder, config });
        }
    }
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(cases)
}
