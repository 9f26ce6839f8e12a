//! This side: the appliance's own command.

use oms_testkit::run::{Outcome, appliance};

use super::cases::Case;
use super::credentials::{Credentials, Trust};
use std::ffi::OsString;
use std::path::Path;

/// Signs a model with `oms-appliance sign`.
pub(crate) fn sign(case: &Case, model: &Path, bundle: &Path, signer: &Credentials) -> Outcome {
    let mut arguments: Vec<OsString> = vec!["sign".into(), model.into()];
    let mut option = |name: &str, value: OsString| arguments.extend([name.into(), value]);
    option("--bundle", bundle.into());
    option("--key", signer.key.clone().into());
    option("--hash", case.hash.into());
    if let Some(certificate) = &signer.certificate {
        option("--certificate", certificate.into());
    }
    for certificate in &signer.chain {
        option("--chain", certificate.into());
    }
    if let Some(size) = case.shard_size {
        option("--shard-size", size.to_string().into());
    }
    for path in case.ignore {
        option("--ignore", model.join(path).into());
    }
    for annotation in case.annotations {
        option("--annotation", annotation.into());
    }
    appliance(arguments)
}

/// Verifies a model with `oms-appliance verify --json`.
pub(crate) fn verify(model: &Path, bundle: &Path, trust: &Trust) -> Outcome {
    let mut arguments: Vec<OsString> = vec!["verify".into(), model.into(), "--json".into()];
    let mut option = |name: &str, value: &Path| arguments.extend([name.into(), value.into()]);
    option("--bundle", bundle);
    option("--policy", &trust.policy);
    option("--roots", &trust.roots);
    option("--crls", &trust.crls);
    appliance(arguments)
}
