//! This side: the appliance's own command.

use std::ffi::OsString;
use std::path::Path;

use oms_testkit::run::{Outcome, appliance};
use serde_json::Value;

use super::Prepared;
use super::credentials::Trust;

/// Signs the sound model of a case with `oms-appliance sign`.
pub(crate) fn sign(one: &Prepared<'_>) -> Outcome {
    let Prepared { case, models, signer } = one;
    let mut arguments: Vec<OsString> = vec!["sign".into(), models.sound.clone().into()];
    let mut option = |name: &str, value: OsString| arguments.extend([name.into(), value]);
    option("--bundle", models.bundle.clone().into());
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
        option("--ignore", models.sound.join(path).into());
    }
    for annotation in case.annotations {
        option("--annotation", annotation.into());
    }
    appliance(arguments)
}

/// Verifies a model with `oms-appliance verify --json`. Gives the reasons of a refusal, one a line;
/// none when the model is accepted.
pub(crate) fn verify(model: &Path, bundle: &Path, trust: &Trust) -> Option<String> {
    let mut arguments: Vec<OsString> = vec!["verify".into(), model.into(), "--json".into()];
    let mut option = |name: &str, value: &Path| arguments.extend([name.into(), value.into()]);
    option("--bundle", bundle);
    option("--policy", &trust.policy);
    option("--roots", &trust.roots);
    option("--crls", &trust.crls);
    let outcome = appliance(arguments);
    assert!(outcome.status <= 1, "no decision about {}: {outcome:?}", model.display());
    let document = outcome.json();
    let line = |reason: &Value| {
        let word = |key: &str| reason[key].as_str().unwrap_or_default().to_owned();
        format!("{} {}: {}", word("code"), word("file"), word("detail"))
    };
    let reasons = document["reasons"].as_array().expect("reasons");
    (outcome.status == 1).then(|| reasons.iter().map(line).collect::<Vec<_>>().join("\n"))
}
