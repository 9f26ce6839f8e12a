//! Who signs the models that are measured, and the policy that admits the signer.

use std::fs;
use std::path::{Path, PathBuf};

use oms_testkit::files;
use oms_testkit::pki::{Key, KeyType};

use super::side::{Bench, Line};
use crate::failure::Failure;
use crate::process::run as run_command;

/// What the whole command decides by: a signature, a complete manifest, and nothing but weights.
const POLICY: &str = r#"
[policy]
id = "bench"
version = 1

[[signer]]
method = "key"
key = "vendor.pem"

[revocation]
mode = "off"

[manifest]
hashes = ["sha256", "blake3"]
unsigned-files = "reject"
LIMITS
[content]
allow = ["safetensors"]
"#;

/// A signer with a key in a file, and the policy.
pub(super) struct Scene {
    private: PathBuf,
    public: PathBuf,
    policy: PathBuf,
    roots: PathBuf,
}

impl Scene {
    /// Makes them in the folder `dir`. `limits` are lines for the policy's `[manifest]`.
    pub(super) fn new(dir: &Path, limits: &str) -> Scene {
        let dir = files::folder(dir.join("scene"));
        let key = Key::generate(KeyType::P256);
        Scene {
            private: key.write_private(dir.join("vendor.key.pem")),
            public: key.write_public(dir.join("vendor.pem")),
            policy: files::public(dir.join("policy.toml"), POLICY.replace("LIMITS", limits)),
            roots: oms_testkit::roots::write(dir.join("roots"), &[]),
        }
    }

    /// The public key in PEM.
    pub(super) fn public_key(&self) -> &Path {
        &self.public
    }

    /// Signs a model with `oms-appliance sign` and these options; gives the bundle beside it.
    pub(super) fn sign(
        &self,
        bench: &Bench<'_>,
        model: &Path,
        options: &[&str],
    ) -> Result<PathBuf, Failure> {
        let bundle = model.with_extension("sig");
        let line = Line::new(&bench.program, ["sign"])
            .argument(model)
            .option("--bundle", &bundle)
            .option("--key", &self.private);
        let mut command = line.command();
        run_command(command.args(options).stdout(std::process::Stdio::null()))?;
        fs::metadata(&bundle).map_err(|source| Failure::Read { path: bundle.clone(), source })?;
        Ok(bundle)
    }

    /// `oms-appliance verify` with the policy: the whole command.
    pub(super) fn verify(&self, bench: &Bench<'_>, model: &Path, bundle: &Path) -> Line {
        Line::new(&bench.program, ["verify"])
            .argument(model)
            .option("--bundle", bundle)
            .option("--policy", &self.policy)
            .option("--roots", &self.roots)
    }
}
