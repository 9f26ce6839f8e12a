//! The second step: from names to anchors, keys and trusted roots.

use std::collections::{BTreeMap, BTreeSet};

use super::error::{Place, PolicyError, PolicyErrorKind};
use super::keys::KeySet;
use super::raw::{Located, RawAttestation, RawMethod, RawPolicy, RawSigner, RawTime};
use super::{AttestationRule, Method, Policy, PolicyInput, SignerRule, TimeRules, coherence};
use crate::hash::Sha256Digest;
use crate::key::PublicKey;
use crate::pki::{Anchor, Purpose};
use crate::sigstore::TrustedRoot;

/// What the names of a policy may stand for.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// The installed anchors.
    pub anchors: &'a [Anchor],
    /// The bytes of the files that [`RawPolicy::key_files`] names.
    pub keys: &'a BTreeMap<String, Vec<u8>>,
    /// The installed trusted roots of Sigstore instances.
    pub trusted_roots: &'a [TrustedRoot],
}

impl RawPolicy {
    /// Puts anchors, keys and trusted roots in the place of their names.
    ///
    /// # Errors
    /// The first name that stands for nothing usable: an anchor that is not installed, that is
    /// installed twice or not for its use; a trusted root that is not installed; a key file that
    /// is not given, not a public key, or of a type that its own rule does not admit. Two
    /// installed anchors or trusted roots of one name are an error even when the policy names
    /// neither. More required signers than the rules could ever admit.
    pub fn resolve(self, inputs: &Inputs<'_>) -> Result<Policy, PolicyError> {
        self.refuse_duplicates(inputs)?;
        let mut resolver = Resolver { inputs, drawn_in: BTreeSet::new() };
        let mut signers = Vec::with_capacity(self.signers.len());
        for (index, signer) in self.signers.into_iter().enumerate() {
            signers.push(resolver.signer(format!("signer[{index}]"), signer)?);
        }
        let time = resolver.time(self.time)?;
        let mut attestations = Vec::with_capacity(self.attestations.len());
        for (index, attestation) in self.attestations.into_iter().enumerate() {
            attestations.push(resolver.attestation(format!("attestation[{index}]"), attestation)?);
        }
        coherence::check_threshold(&self.require, &signers)?;
        Ok(Policy {
            id: self.id,
            version: self.version,
            digest: self.digest,
            signers,
            require: self.require.value,
            revocation: self.revocation,
            time,
            attestations,
            manifest: self.manifest,
            media: self.media,
            content: self.content,
            resign: self.resign,
            budget: self.budget,
            inputs: resolver.drawn_in.into_iter().collect(),
        })
    }

    fn refuse_duplicates(&self, inputs: &Inputs<'_>) -> Result<(), PolicyError> {
        if let Some(name) = named_twice(inputs.anchors.iter().map(|anchor| &anchor.name)) {
            let place = place_of(&name, self.named_anchors());
            return Err(place.error(PolicyErrorKind::DuplicateAnchor { name }));
        }
        if let Some(name) = named_twice(inputs.trusted_roots.iter().map(|root| &root.name)) {
            let place = place_of(&name, self.named_trusted_roots());
            return Err(place.error(PolicyErrorKind::DuplicateTrustedRoot { name }));
        }
        Ok(())
    }

    fn named_anchors(&self) -> impl Iterator<Item = &Located<String>> {
        let of_signers = self.all_signers().flat_map(|signer| match &signer.method {
            RawMethod::Certificate { anchors, .. } => anchors.as_slice(),
            _ => &[],
        });
        of_signers.chain(&self.time.timestamp_anchors)
    }

    fn named_trusted_roots(&self) -> impl Iterator<Item = &Located<String>> {
        self.all_signers().filter_map(|signer| match &signer.method {
            RawMethod::Sigstore { trusted_root, .. } => Some(trusted_root),
            _ => None,
        })
    }
}

fn named_twice<'a>(mut names: impl Iterator<Item = &'a String>) -> Option<String> {
    let mut seen = BTreeSet::new();
    names.find(|name| !seen.insert(*name)).cloned()
}

/// Where the policy gives `name`; the start of the text when it does not.
fn place_of<'a>(name: &str, mut named: impl Iterator<Item = &'a Located<String>>) -> Place {
    let found = named.find(|located| located.value == name);
    found.map_or_else(Place::start, |located| located.place.clone())
}

/// Resolves names one by one, and keeps what they stood for.
struct Resolver<'a> {
    inputs: &'a Inputs<'a>,
    drawn_in: BTreeSet<PolicyInput>,
}

impl Resolver<'_> {
    fn signer(&mut self, name: String, signer: RawSigner) -> Result<SignerRule, PolicyError> {
        let method = match signer.method {
            RawMethod::Certificate { anchors, identity } => {
                let anchors = self.anchors(anchors, Purpose::CodeSigning)?;
                Method::Certificate { anchors, identity }
            }
            RawMethod::Key { file } => {
                let (key, sha256) = resolve_key(&file, &signer.keys, self.inputs.keys)?;
                let file = file.value;
                self.drawn_in.insert(PolicyInput { kind: "key", name: file.clone(), sha256 });
                Method::Key { file, key }
            }
            RawMethod::Sigstore { trusted_root, identity, issuer } => {
                let trusted_root = self.trusted_root(trusted_root)?;
                Method::Sigstore { trusted_root, identity, issuer }
            }
        };
        Ok(SignerRule {
            name,
            method,
            keys: signer.keys,
            policies: signer.policies,
            models: signer.models,
            max_signature_age: signer.max_signature_age.map(|age| age.value),
        })
    }

    fn time(&mut self, time: RawTime) -> Result<TimeRules, PolicyError> {
        Ok(TimeRules {
            timestamp_anchors: self.anchors(time.timestamp_anchors, Purpose::Timestamping)?,
            require_timestamp: time.require_timestamp.is_some_and(|required| required.value),
            expired_certificates: time.expired_certificates.map(|l| l.value).unwrap_or_default(),
            revoked_certificates: time.revoked_certificates.map(|l| l.value).unwrap_or_default(),
            max_signature_age: time.max_signature_age.map(|age| age.value),
        })
    }

    fn attestation(
        &mut self,
        name: String,
        raw: RawAttestation,
    ) -> Result<AttestationRule, PolicyError> {
        let signer = self.signer(format!("{name}.signer"), raw.signer)?;
        let RawAttestation { predicate_type, conditions, .. } = raw;
        Ok(AttestationRule { name, predicate_type, signer, conditions })
    }

    fn anchors(
        &mut self,
        names: Vec<Located<String>>,
        purpose: Purpose,
    ) -> Result<Vec<Anchor>, PolicyError> {
        let installed = self.inputs.anchors;
        let anchors = names
            .into_iter()
            .map(|name| resolve_anchor(name, installed, purpose))
            .collect::<Result<Vec<_>, _>>()?;
        self.drawn_in.extend(anchors.iter().map(|anchor| PolicyInput {
            kind: "anchor",
            name: anchor.name.clone(),
            sha256: anchor.file_sha256,
        }));
        Ok(anchors)
    }

    fn trusted_root(&mut self, name: Located<String>) -> Result<TrustedRoot, PolicyError> {
        let Located { value: name, place } = name;
        let installed = self.inputs.trusted_roots;
        let Some(root) = installed.iter().find(|root| root.name == name) else {
            let installed = installed.iter().map(|root| root.name.clone()).collect();
            return Err(place.error(PolicyErrorKind::UnknownTrustedRoot { name, installed }));
        };
        self.drawn_in.insert(PolicyInput { kind: "trusted-root", name, sha256: root.sha256 });
        Ok(root.clone())
    }
}

fn resolve_anchor(
    name: Located<String>,
    installed: &[Anchor],
    purpose: Purpose,
) -> Result<Anchor, PolicyError> {
    let Located { value: name, place } = name;
    let Some(anchor) = installed.iter().find(|anchor| anchor.name == name) else {
        let installed = installed.iter().filter(|a| a.purposes.contains(&purpose));
        let installed = installed.map(|anchor| anchor.name.clone()).collect();
        return Err(place.error(PolicyErrorKind::UnknownAnchor { name, installed }));
    };
    if !anchor.purposes.contains(&purpose) {
        let purposes = anchor.purposes.iter().map(ToString::to_string).collect();
        let kind = PolicyErrorKind::AnchorPurpose { name, expected: purpose, purposes };
        return Err(place.error(kind));
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
