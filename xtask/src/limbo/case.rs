//! The cases of x509-limbo, as its `limbo.json` describes them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::failure::Failure;

/// The whole file.
#[derive(Deserialize)]
pub(super) struct Suite {
    #[serde(rename = "testcases")]
    pub(super) cases: Vec<Case>,
}

/// One case: certificates, a question, and the answer that is expected.
#[derive(Debug, Deserialize)]
pub(crate) struct Case {
    /// `group::name`, or `group::subgroup::name`.
    pub(super) id: String,
    /// Names of what not every implementation has.
    #[serde(default)]
    pub(super) features: Vec<String>,
    trusted_certs: Vec<String>,
    untrusted_intermediates: Vec<String>,
    peer_certificate: String,
    validation_time: Option<String>,
    pub(super) expected_result: Expected,
    expected_peer_name: Option<PeerName>,
    expected_peer_names: Vec<PeerName>,
    max_chain_depth: Option<u32>,
    #[serde(default)]
    crls: Vec<String>,
}

/// How a case is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Expected {
    Success,
    Failure,
}

#[derive(Debug, Deserialize)]
struct PeerName {
    value: String,
}

impl Case {
    /// The group that the case belongs to.
    pub(super) fn group(&self) -> &str {
        self.id.split("::").next().unwrap_or(&self.id)
    }

    /// Writes the case's files into `folder`; gives the arguments of `cert verify` for it.
    ///
    /// `now` is the time for a case that names none.
    pub(super) fn prepare(&self, folder: &Path, now: &str) -> Result<Vec<String>, Failure> {
        let file = |name: &str, texts: &[String]| -> Result<String, Failure> {
            let path = folder.join(name);
            fs::write(&path, texts.join("\n"))
                .map_err(|source| Failure::Write { path: path.clone(), source })?;
            Ok(path.display().to_string())
        };
        let mut arguments = vec![
            file("chain.pem", std::slice::from_ref(&self.peer_certificate))?,
            "--roots".to_owned(),
            file("roots.pem", &self.trusted_certs)?,
            "--at".to_owned(),
            self.validation_time.clone().unwrap_or_else(|| now.to_owned()),
        ];
        let mut option = |name: &str, value: String| arguments.extend([name.to_owned(), value]);
        if !self.untrusted_intermediates.is_empty() {
            option("--intermediates", file("untrusted.pem", &self.untrusted_intermediates)?);
        }
        if !self.crls.is_empty() {
            option("--crls", file("crls.pem", &self.crls)?);
        }
        let names = self.expected_peer_name.iter().chain(&self.expected_peer_names);
        for name in names.map(|name| &name.value).collect::<BTreeSet<_>>() {
            option("--name", name.clone());
        }
        if let Some(depth) = self.max_chain_depth {
            option("--max-path-length", depth.to_string());
        }
        Ok(arguments)
    }

    /// The certificates in DER: the peer's, the intermediates, the roots.
    pub(crate) fn chain_der(&self) -> Vec<Vec<u8>> {
        let peer = std::slice::from_ref(&self.peer_certificate);
        [peer, &self.untrusted_intermediates, &self.trusted_certs]
            .into_iter()
            .flatten()
            .filter_map(|pem| der(pem))
            .collect()
    }

    /// The CRLs in DER.
    pub(crate) fn crls_der(&self) -> Vec<Vec<u8>> {
        self.crls.iter().filter_map(|pem| der(pem)).collect()
    }
}

/// Every case of the file.
pub(super) fn all(file: &Path) -> Result<Vec<Case>, Failure> {
    let text = crate::process::read(file)?;
    let suite: Suite = serde_json::from_str(&text)
        .map_err(|source| Failure::Json { path: PathBuf::from(file), source })?;
    Ok(suite.cases)
}

/// The first block of a PEM text.
fn der(pem: &str) -> Option<Vec<u8>> {
    let body = pem.lines().skip_while(|line| !line.starts_with("-----BEGIN")).skip(1);
    let body: String = body.take_while(|line| !line.starts_with("-----END")).collect();
    STANDARD.decode(body.trim()).ok()
}

#[cfg(test)]
impl Case {
    /// A case without certificates, and with this expectation as the file has it.
    pub(super) fn example(id: &str, expected: &str) -> Self {
        let text = format!(
            r#"{{"id": "{id}", "trusted_certs": [], "untrusted_intermediates": [],
                "peer_certificate": "", "expected_result": "{expected}",
                "expected_peer_names": []}}"#
        );
        serde_json::from_str(&text).unwrap()
    }
}
