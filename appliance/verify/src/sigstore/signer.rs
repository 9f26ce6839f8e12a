//! From a bundle to the signer whom a trusted root vouches for.

use super::names::{Identity, issuer};
use super::{Evidence, SigstoreError, TrustedRoot, TrustedTime, library, times};
use crate::budget::Budget;
use crate::bundle::{Bundle, Material};
use crate::hash::Sha256Digest;
use crate::key::PublicKey;
use crate::pki::{
    self, Anchor, Certificate, CrlSet, PathInput, Profile, Revocation, RevocationMode,
};
use crate::time::UnixTime;

/// Whoever signed one bundle, as a Sigstore instance vouches. Only [`verify`] makes one.
#[derive(Clone, Debug)]
pub struct SigstoreSigner {
    leaf: Certificate,
    key: PublicKey,
    identity: Identity,
    issuer: String,
    times: Vec<TrustedTime>,
    root: String,
    bundle: Sha256Digest,
}

impl SigstoreSigner {
    /// The certificate that Fulcio issued.
    pub fn leaf(&self) -> &Certificate {
        &self.leaf
    }

    /// The leaf's key.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// Who signed, as the leaf has it. Whether that one may sign is for the policy to say.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The OIDC issuer that vouched for the identity, as the leaf has it.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// When the signature was there, by each of the time stamps and log entries. Never empty.
    pub fn times(&self) -> &[TrustedTime] {
        &self.times
    }

    /// The earliest of [`SigstoreSigner::times`]: the signature is at least this old.
    pub fn signed_at(&self) -> UnixTime {
        self.times.iter().map(|trusted| trusted.time).min().unwrap_or(UnixTime(i64::MIN))
    }

    /// The name of the trusted root.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// The bundle whose signature this is about: the evidence says nothing about another one.
    pub(crate) fn bundle(&self) -> Sha256Digest {
        self.bundle
    }
}

/// Verifies the certificate, the log entries and the time stamps of `bundle` against `root`, at
/// the time of validation `time`. Identity and issuer are given back, not judged.
///
/// # Errors
/// The first thing that does not hold, each with a code of its own.
pub fn verify(
    bundle: &Bundle,
    root: &TrustedRoot,
    time: UnixTime,
    budget: &Budget,
) -> Result<SigstoreSigner, SigstoreError> {
    let Material::Sigstore(evidence) = bundle.material() else {
        return Err(SigstoreError::OtherMethod);
    };
    let leaf = evidence.certificates().first().ok_or(SigstoreError::OtherMethod)?;
    let (identity, issuer) = (Identity::of(leaf)?, issuer(leaf)?);
    let key = leaf.public_key().map_err(SigstoreError::Key)?;
    key.verify(bundle.signed_message(), bundle.signature_bytes())
        .map_err(|_| SigstoreError::Signature)?;
    for entry in evidence.entries() {
        entry.check_inclusion(root)?;
        entry.check_certificate(leaf)?;
    }
    let times =
        times::collect(evidence, bundle.timestamps(), bundle.signature_bytes(), root, time)?;
    check_log_keys(evidence, root, &times)?;
    for trusted in &times {
        check_leaf_validity(leaf, trusted.time)?;
        check_path(evidence, root, trusted.time, budget)?;
    }
    library::verify(bundle, evidence, root, &times, budget.json_depth)?;
    Ok(SigstoreSigner {
        leaf: leaf.clone(),
        key: key.clone(),
        identity,
        issuer,
        times,
        root: root.name.clone(),
        bundle: bundle.digest(),
    })
}

/// A log's key must have been valid when the log took the entry in; where it has not signed the
/// time of the entry, whenever the signature was there.
fn check_log_keys(
    evidence: &Evidence,
    root: &TrustedRoot,
    times: &[TrustedTime],
) -> Result<(), SigstoreError> {
    for entry in evidence.entries() {
        match entry.promised_time() {
            Some(integrated) => entry.check_log_key(root, integrated)?,
            None => {
                for trusted in times {
                    entry.check_log_key(root, trusted.time)?;
                }
            }
        }
    }
    Ok(())
}

/// Fulcio's certificates live for minutes: the signature must be of that time.
fn check_leaf_validity(leaf: &Certificate, found: UnixTime) -> Result<(), SigstoreError> {
    let (not_before, not_after) = (leaf.not_before(), leaf.not_after());
    if (not_before..=not_after).contains(&found) {
        return Ok(());
    }
    Err(SigstoreError::LeafValidity { not_before, not_after, found })
}

/// Validates the path with the profile of every signer, the authorities' own validity included,
/// which the library does not look at. Fulcio revokes nothing and publishes no CRL.
fn check_path(
    evidence: &Evidence,
    root: &TrustedRoot,
    time: UnixTime,
    budget: &Budget,
) -> Result<(), SigstoreError> {
    let authorities = || root.authorities().iter().filter(|authority| authority.is_valid_at(time));
    let anchors: Vec<Anchor> = authorities().map(|authority| authority.anchor.clone()).collect();
    let intermediates: Vec<Certificate> =
        authorities().flat_map(|authority| authority.intermediates.iter().cloned()).collect();
    let input = PathInput {
        chain: evidence.certificates(),
        intermediates: &intermediates,
        anchors: &anchors,
        crls: &CrlSet::default(),
        revocation: &Revocation { mode: RevocationMode::Off, max_crl_age: None },
        time,
        proof: None,
        budget,
        profile: Profile::CODE_SIGNING,
        policies: None,
    };
    match pki::validate(&input) {
        Ok(_) => Ok(()),
        Err(error) => Err(SigstoreError::Path { root: root.name.clone(), time, error }),
    }
}
