//! The decision about one model, as the design's data flow tells it.
//!
//! ```text
//!  parse ▶ trust ▶ open ▶ attestations ▶ read once ▶ look inside ▶ decide
//! ```
//!
//! Who reads is behind [`Access`]; nothing here touches a file.

mod access;
mod at_hand;
mod bundle_file;

use oms_verify::appraise::{TrustContext, appraise};
use oms_verify::bundle::Bundle;
use oms_verify::hash::Sha256Digest;
use oms_verify::pki::Profile;
use oms_verify::reason::Reason;
use oms_verify::time::UnixTime;
use oms_verify::verdict::{BundleOutcome, Case, Mode, Verdict, decide};

pub use self::access::Access;
use self::at_hand::AtHand;
pub use self::bundle_file::{BundleFile, Content, bundle_on, read_bundle};
use crate::attestations;
use crate::inspection::Findings;
use crate::intake::{Reading, Settings};
use crate::media::{InPlace, Location};
use crate::progress::Progress;
use crate::scanner;
use crate::trust::Trust;

/// How trust is decided for one model.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// Policy and CRLs.
    pub trust: &'a Trust,
    /// The time of the decision.
    pub time: UnixTime,
    /// The profile of signing certificates: strict everywhere but in the conformance adapter.
    pub profile: Profile,
    /// Paths inside the model that are ignored besides those that its signer ignores. They count
    /// as ignored, never as checked: a listed file below one must still be there and be right.
    /// None everywhere but in the conformance adapter: what to ignore is for signer and policy.
    pub ignored: &'a [String],
    /// The means of reading.
    pub intake: Settings,
    /// The virus scanner, for a model that is read in this process.
    pub scanner: Option<&'a scanner::Settings>,
}

impl Terms<'_> {
    /// How a model is read on these terms.
    fn reading<'a>(&self, progress: &'a Progress) -> Reading<'a> {
        Reading { settings: self.intake, rules: self.trust.policy.media, progress }
    }

    /// What trust in a signer is decided with.
    pub(crate) fn context(&self) -> TrustContext<'_> {
        TrustContext { crls: &self.trust.crls, time: self.time, profile: self.profile }
    }
}

/// Decides about a model in place, which `bundles` are about.
///
/// # Errors
/// When nothing could be decided, or a bundle is an error.
pub fn examine(
    name: &str,
    location: &Location,
    bundles: impl IntoIterator<Item = Result<BundleFile, Reason>>,
    attestations: &InPlace,
    terms: Terms<'_>,
    progress: &Progress,
) -> Result<Verdict, Reason> {
    let policy = &terms.trust.policy;
    let reading = terms.reading(progress);
    let mut access = AtHand::new(location, bundles.into_iter(), attestations, policy, reading)
        .scanned_by(terms.scanner)?;
    examine_with(&mut access, name, Mode::InPlace, terms)
}

/// Decides about a model that `access` reads and people call `name`.
///
/// # Errors
/// When nothing could be decided.
pub fn examine_with(
    access: &mut impl Access,
    name: &str,
    mode: Mode,
    terms: Terms<'_>,
) -> Result<Verdict, Reason> {
    let policy = &terms.trust.policy;
    let mut outcomes = appraise_all(access, terms)?;
    let mut attested = (Vec::new(), 0);
    let mut observed = None;
    let mut looked = Findings::default();
    if let Some(admitted) = outcomes.iter().find_map(|outcome| outcome.result.as_ref().ok()) {
        let manifest = admitted.statement().manifest();
        let is_elsewhere = access.locate(manifest)?;
        attested = attestations::look_at(access, admitted, terms)?;
        let (seen, found) = access.observe(manifest, terms.ignored)?;
        (observed, looked) = (Some(seen), found);
        if is_elsewhere {
            // The bundle lies outside the model after all: a file of its name in there is not it.
            outcomes.iter_mut().for_each(|outcome| outcome.in_model = None);
        }
    }
    Ok(decide(Case {
        policy,
        time: terms.time,
        mode,
        alleged_name: name.to_owned(),
        bundles: outcomes,
        attestations: attested.0,
        attestations_left: attested.1,
        observed,
        findings: looked.findings,
        checks: looked.checks,
        scanner: looked.scanner,
    }))
}

/// Appraises the bundles of a model one after another.
fn appraise_all(access: &mut impl Access, terms: Terms<'_>) -> Result<Vec<BundleOutcome>, Reason> {
    let mut outcomes: Vec<BundleOutcome> = Vec::new();
    let mut has_source = false;
    while let Some(file) = access.next_bundle() {
        let outcome = appraise_file(file?, terms);
        if !has_source && outcome.result.is_ok() {
            access.keep_source()?;
            has_source = true;
        }
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

/// The text of the bundle is let go before its payload is read.
fn appraise_file<B: AsRef<[u8]>>(file: BundleFile<B>, terms: Terms<'_>) -> BundleOutcome {
    let policy = &terms.trust.policy;
    let context = terms.context();
    let BundleFile { name, in_model, content } = file;
    let (digest, result) = match content {
        Err((digest, reason)) => (digest, Err(vec![*reason])),
        Ok(bytes) => match Bundle::parse(bytes.as_ref(), &policy.budget) {
            Ok(bundle) => {
                drop(bytes);
                (Some(bundle.digest()), appraise(policy, &bundle, &name, &context))
            }
            Err(error) => {
                let reason = Reason::from(&error).about(&name);
                (Some(Sha256Digest::of(bytes.as_ref())), Err(vec![reason]))
            }
        },
    };
    BundleOutcome { file: name, in_model, digest, result }
}
