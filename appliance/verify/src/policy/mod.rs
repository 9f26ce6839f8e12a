//! The policy: what may pass, written by a security officer in TOML.
//!
//! ```text
//!  text ──RawPolicy::parse──▶ RawPolicy ──resolve(anchors, key files)──▶ Policy ──explain──▶ words
//! ```
//!
//! Deny by default: what no rule admits is refused, and a key that the grammar does not have is
//! an error with its line and column. Reading a file is the caller's: [`RawPolicy::key_files`]
//! says which ones a policy needs.

mod attestation;
mod coherence;
mod content;
mod dn;
mod error;
mod explain;
mod identity;
mod keys;
mod media;
mod names;
mod pattern;
mod raw;
mod reader;
mod resolve;
mod sigstore;
mod sizes;
mod time;
mod uri;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use attestation::{AttestationRule, Condition, FieldPath, Scalar, Test};
pub use content::{ContentLimits, ContentRules, Names, RemoteCode, ScannerRules};
pub use dn::DistinguishedName;
pub use error::{PolicyError, PolicyErrorKind};
pub use explain::explain;
pub use identity::{AcceptedIdentity, BorneNames, IdentityMismatch, IdentityRule};
pub use keys::KeySet;
pub use media::{MOST_RETRIES, MediaRules};
pub use names::{DnsPattern, EmailPattern};
pub use pattern::Pattern;
pub use raw::{RawPolicy, TEXT_LIMIT, Vocabulary};
pub use resolve::Inputs;
pub use sigstore::SigstoreIdentity;
pub use sizes::{SIZE, parse_size};
pub use time::{Afterwards, TimeRules};
pub use uri::UriPattern;

use crate::budget::Budget;
use crate::hash::{HashAlgorithm, Sha256Digest};
use crate::key::PublicKey;
use crate::pki::{Anchor, InitialPolicies, Revocation};
use crate::sigstore::TrustedRoot;
use crate::time::Span;

/// A policy that is complete: every name in it stands for something that is there.
///
/// Comes only out of [`RawPolicy::resolve`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Policy {
    /// The policy's name, for verdicts.
    pub id: String,
    /// The policy's version, from 1.
    pub version: u64,
    /// SHA-256 of the policy's text.
    pub digest: Sha256Digest,
    /// The rules for signers, at least one. Any one of them admits a signature.
    pub signers: Vec<SignerRule>,
    /// How many signers, differing in key and in identity, must have signed the same files.
    pub require: usize,
    /// How revocation of certificates is checked.
    pub revocation: Revocation,
    /// What the times of signatures are judged by.
    pub time: TimeRules,
    /// The attestations that must be there, each of them.
    pub attestations: Vec<AttestationRule>,
    /// What a manifest may hold and what may lie beside its files.
    pub manifest: ManifestRules,
    /// How a carrier is read.
    pub media: MediaRules,
    /// What may be inside the files.
    pub content: ContentRules,
    /// What the re-signed bundle carries.
    pub resign: ResignRules,
    /// The limits on what is read.
    pub budget: Budget,
    /// Every key, anchor and trusted root that the policy drew in, each once, sorted.
    pub inputs: Vec<PolicyInput>,
}

/// A file outside the policy that the policy's meaning depends on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PolicyInput {
    /// `anchor`, `key` or `trusted-root`.
    pub kind: &'static str,
    /// The name of the anchor or the trusted root, or the key's file as the policy names it.
    pub name: String,
    /// SHA-256 of the file.
    pub sha256: Sha256Digest,
}

/// One `[[signer]]`: who may sign what.
#[derive(Clone, Debug)]
pub struct SignerRule {
    /// The rule as verdicts call it: `signer[0]` is the first one.
    pub name: String,
    /// How the signer proves who it is.
    pub method: Method,
    /// The types of keys it may use.
    pub keys: KeySet,
    /// What is asked of the path's certificate policies, for the method `certificate`.
    pub policies: Option<InitialPolicies>,
    /// Patterns on the names of the models it may sign; any model when empty.
    pub models: Vec<Pattern>,
    /// How old a signature may be, by a trusted time, or else by the certificate's notBefore. A
    /// signature with neither is not admitted when this is set.
    pub max_signature_age: Option<Span>,
}

impl SignerRule {
    /// Whether this signer may sign a model of this name.
    pub fn admits_model(&self, name: &str) -> bool {
        self.models.is_empty() || self.models.iter().any(|pattern| pattern.matches(name))
    }
}

/// How a signer proves who it is.
#[derive(Clone, Debug)]
pub enum Method {
    /// By a certificate under one of these anchors.
    Certificate {
        /// The anchors, at least one, all for code signing.
        anchors: Vec<Anchor>,
        /// What the leaf must say about its holder.
        identity: IdentityRule,
    },
    /// By this very key.
    Key {
        /// The file, as the policy names it.
        file: String,
        /// The key.
        key: PublicKey,
    },
    /// By a Sigstore bundle.
    Sigstore {
        /// The trusted root.
        trusted_root: TrustedRoot,
        /// The identity in the Fulcio certificate.
        identity: SigstoreIdentity,
        /// The OIDC issuer in the Fulcio certificate.
        issuer: UriPattern,
    },
}

impl Method {
    /// The word for the method in a policy.
    pub fn name(&self) -> &'static str {
        match self {
            Method::Certificate { .. } => "certificate",
            Method::Key { .. } => "key",
            Method::Sigstore { .. } => "sigstore",
        }
    }
}

/// `[manifest]`. Symbolic links are always refused; the limits are in [`Policy::budget`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestRules {
    /// The hash algorithms a manifest may use, at least one.
    pub hashes: Vec<HashAlgorithm>,
    /// What happens when a file is neither listed nor ignored by the signer.
    pub unsigned_files: UnsignedFiles,
    /// What happens when the signer ignored paths.
    pub ignored_paths: IgnoredPaths,
    /// Whether bundles of version 0.2 are admitted.
    pub legacy: bool,
}

/// What happens when a file is neither in the manifest nor among the ignored paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnsignedFiles {
    /// The model is refused.
    Reject,
    /// The file is not copied, and listed in the verdict.
    LeaveBehind,
}

/// What happens when the signer ignored paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IgnoredPaths {
    /// The paths are not copied, and listed in the verdict.
    LeaveBehind,
    /// The model is refused.
    Reject,
}

/// `[resign]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResignRules {
    /// Annotations of the re-signed bundle's subject.
    pub annotations: BTreeMap<String, String>,
}
