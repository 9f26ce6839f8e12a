//! The second step: from names to anchors and keys.

use std::collections::{BTreeMap, BTreeSet};

use super::error::{Place, PolicyError, PolicyErrorKind};
use super::keys::KeySet;
use super::raw::{Located, RawMethod, RawPolicy, RawSigner};
use super::{Method, Policy, PolicyInput, SignerRule};
use crate::hash::Sha256Digest;
use crate::key::PublicKey;
use crate::pki::{Anchor, Purpose};

/// What the names of a policy may stand for.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// The installed anchors.
    pub anchors: &'a [Anchor],
    /// The bytes of the files that [`RawPolicy::key_files`] names.
    pub keys: &'a BTreeMap<String, Vec<u8>>,
}

impl RawPolicy {
    /// Puts anchors and keys in the place of their names.
    ///
    /// # Errors
    /// The first name that stands for nothing usable: an anchor that is not installed, that is
    /// installed twice or not for code signing; a key file that is not given, not a public key,
    /// or of a type that its own rule does not admit. Two installed anchors of one name are an
    /// error even when the policy names neither.
    pub fn resolve(self, inputs: &Inputs<'_>) -> Result<Policy, PolicyError> {
        self.refuse_duplicate_anchors(inputs.anchors)?;
        let mut drawn_in = BTreeSet::new();
        let mut signers = Vec::with_capacity(self.signers.len());
        for (index, signer) in self.signers.into_iter().enumerate() {
            signers.push(resolve_signer(index, signer, inputs, &mut drawn_in)?);
        }
        Ok(Policy {
            id: self.id,
            version: self.version,
            digest: self.digest,
            signers,
            require: self.require,
            revocation: self.revocation,
            manifest: self.manifest,
            content: self.content,
            resign: self.resign,
            budget: self.budget,
            inputs: drawn_in.into_iter().collect(),
        })
    }

    fn refuse_duplicate_anchors(&self, anchors: &[Anchor]) -> Result<(), PolicyError> {
        let mut seen = BTreeSet::new();
        let Some(twice) = anchors.iter().find(|anchor| !seen.insert(&anchor.name)) else {
            return Ok(());
        };
        let name = twice.name.clone();
        let named = self.signers.iter().flat_map(|signer| match &signer.method {
            RawMethod::Certificate { anchors, .. } => anchors.as_slice(),
            _ => &[],
        });
        let place = named
            .into_iter()
            .find(|anchor| anchor.value == name)
            .map(|anchor| anchor.place.clone())
            .unwrap_or_else(Place::start);
        Err(place.error(PolicyErrorKind::DuplicateAnchor { name }))
    }
}

fn resolve_signer(
    index: usize,
    signer: RawSigner,
    inputs: &Inputs<'_>,
    drawn_in: &mut BTreeSet<PolicyInput>,
) -> Result<SignerRule, PolicyError> {
    let method = match signer.method {
        RawMethod::Certificate { anchors, identity } => {
            let anchors = anchors
                .into_iter()
                .map(|name| resolve_anchor(name, inputs.anchors))
                .collect::<Result<Vec<_>, _>>()?;
            drawn_in.extend(anchors.iter().map(|anchor| PolicyInput {
                kind: "anchor",
                name: anchor.name.clone(),
                sha256: anchor.file_sha256,
            }));
            Method::Certificate { anchors, identity }
        }
        RawMethod::Key { file } => {
            let (key, sha256) = resolve_key(&file, &signer.keys, inputs.keys)?;
            let file = file.value;
            drawn_in.insert(PolicyInput { kind: "key", name: file.clone(), sha256 });
            Method::Key { file, key }
        }
        RawMethod::Sigstore { trusted_root, identity, issuer } => {
            Method::Sigstore { trusted_root, identity, issuer }
        }
    };
    Ok(SignerRule {
        name: format!("signer[{index}]"),
        method,
        keys: signer.keys,
        models: signer.models,
        max_signature_age: signer.max_signature_age,
    })
}

fn resolve_anchor(name: Located<String>, installed: &[Anchor]) -> Result<Anchor, PolicyError> {
    let Located { value: name, place } = name;
    let Some(anchor) = installed.iter().find(|anchor| anchor.name == name) else {
        let installed = installed.iter().filter(|a| a.purposes.contains(&Purpose::CodeSigning));
        let installed = installed.map(|anchor| anchor.name.clone()).collect();
        return Err(place.error(PolicyErrorKind::UnknownAnchor { name, installed }));
    };
    if !anchor.purposes.contains(&Purpose::CodeSigning) {
        let purposes = anchor.purposes.iter().map(ToString::to_string).collect();
        return Err(place.error(PolicyErrorKind::AnchorPurpose { name, purposes }));
    }
    Ok(anchor.clone())
}

fn resolve_key(
    file: &Located<String>,
    admitted: &KeySet,
    files: &BTreeMap<String, Vec<u8>>,
) -> Result<(PublicKey, Sha256Digest), PolicyError> {
    let fail = |kind| Err(file.place.clone().error(kind));
    let name = file.value.clone();
    let Some(bytes) = files.get(&name) else {
        return fail(PolicyErrorKind::KeyFile { file: name });
    };
    let key = match PublicKey::from_pem(bytes) {
        Ok(key) => key,
        Err(error) => return fail(PolicyErrorKind::Key { file: name, error }),
    };
    if !admitted.admits(key.key_type()) {
        return fail(PolicyErrorKind::KeyType {
            file: name,
            found: key.key_type().to_string(),
            admitted: admitted.to_string(),
        });
    }
    Ok((key, Sha256Digest::of(bytes)))
}
