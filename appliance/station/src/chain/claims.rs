//! What a decider claims, held against what the supervisor has read itself or heard from others.
//! Nothing is made of a decision before.
//!
//! ```text
//!  supervisor: time, policy, floors, candidate ─┐
//!  inspector:  which files the copies are      ─┼─▶ check ─▶ Decision, CrlFloors
//!  decider:    decision, files, floors, kept   ─┘
//! ```
//!
//! What is left to the decider is the decision itself: whether a model passes whose files, names and
//! digests are those of the copies.

use oms_sys::sealed::Sealed;
use oms_verify::hash::Sha256Digest;
use oms_verify::pki::CrlFloors;
use oms_verify::policy::Policy;
use oms_verify::reason::{Code, Reason};
use oms_verify::time::UnixTime;
use oms_verify::verdict::{Decision, InputDetail, Mode};

use super::messages::Copies;
use crate::handover::{files_from_json, written};
use crate::media::Candidate;
use crate::outbound::SOURCE;

/// What the decider handed over.
pub(super) struct Claims {
    /// The decision.
    pub(super) decision: Sealed,
    /// The files that were read and are as signed.
    pub(super) files: Sealed,
    /// What CRLs rule out from now on.
    pub(super) floors: Sealed,
    /// The place of the model, when it is not at home.
    pub(super) elsewhere: Option<usize>,
    /// What goes out beside the model, by its name.
    pub(super) kept: Vec<(String, Sealed)>,
}

/// What the supervisor knows without it.
pub(super) struct Known<'a> {
    /// The policy.
    pub(super) policy: &'a Policy,
    /// The time of the decision.
    pub(super) time: UnixTime,
    /// What CRLs ruled out before.
    pub(super) floors: &'a CrlFloors,
    /// What the decision is about.
    pub(super) candidate: &'a Candidate,
    /// What the inspector found the copies to be.
    pub(super) copies: Option<Copies>,
    /// The virus scanner that the inspector could ask.
    pub(super) scanner: Option<String>,
}

/// The decision and what CRLs rule out with it.
///
/// # Errors
/// When the claims are not of their structure, contradict each other, or what is known.
pub(super) fn check(claims: &Claims, known: &Known<'_>) -> Result<(Decision, CrlFloors), Reason> {
    let malformed = |what: &str, error: &dyn std::fmt::Display| wrong(&format!("{what}: {error}"));
    let decision = Decision::read(claims.decision.as_slice())
        .map_err(|error| malformed("its decision", &error))?;
    check_terms(&decision, known)?;
    if claims.elsewhere.is_some_and(|place| place >= known.candidate.others.len()) {
        return Err(wrong("it names a place of the model that there is not"));
    }
    let floors = CrlFloors::parse(claims.floors.as_slice())
        .map_err(|error| malformed("what CRLs rule out", &error))?;
    if !floors.raise_all_of(known.floors) {
        return Err(wrong("it forgets what CRLs rule out"));
    }
    // The signer could make no verdict of other files, and the record would wait for it for ever.
    let files = files_from_json(claims.files.as_slice(), &decision)
        .map_err(|error| malformed("its files", &error))?;
    decision
        .released(&files, &written())
        .map_err(|error| malformed("the files of its decision", &error))?;
    drop(files);
    if decision.passed() {
        check_copies(&decision, &claims.files, known.copies)?;
        if decision.scanner != known.scanner {
            return Err(wrong("another virus scanner was asked than it says"));
        }
        check_kept(&decision, &claims.kept)?;
    }
    Ok((decision, floors))
}

fn wrong(detail: &str) -> Reason {
    Reason::new(Code::ProcessProtocol, format!("what the decider says: {detail}"))
}

/// It was asked at this time, for an ingest, and by this policy.
fn check_terms(decision: &Decision, known: &Known<'_>) -> Result<(), Reason> {
    let Known { policy, time, candidate, .. } = known;
    let inputs = policy.inputs.iter().map(|input| InputDetail {
        kind: input.kind.to_owned(),
        name: input.name.clone(),
        sha256: input.sha256.to_hex(),
    });
    let said = &decision.policy;
    let is_by_it = said.sha256 == policy.digest.to_hex()
        && (said.id.as_str(), said.version) == (policy.id.as_str(), policy.version)
        && said.inputs.iter().cloned().eq(inputs)
        && decision.revocation == policy.revocation.mode.to_string()
        && decision.annotations == policy.resign.annotations;
    let holds = [
        (is_by_it, "it decided by another policy"),
        (decision.time == *time, "it decided as of another time"),
        (decision.mode == Mode::Ingest && decision.resend_of.is_none(), "it did not decide that"),
        (decision.bundles.len() <= candidate.bundles.len(), "there are not so many bundles"),
    ];
    match holds.into_iter().find(|(holds, _)| !holds) {
        Some((_, detail)) => Err(wrong(detail)),
        None => Ok(()),
    }
}

/// What passes is what the inspector found in the copies: these names, sizes and digests, and no
/// other file.
fn check_copies(decision: &Decision, files: &Sealed, copies: Option<Copies>) -> Result<(), Reason> {
    let claimed =
        decision.root.map(|root| Copies { root, files: Sha256Digest::of(files.as_slice()) });
    if claimed.is_some() && claimed == copies {
        return Ok(());
    }
    let detail = match copies {
        None => "nobody has found the copies to be whole",
        Some(_) => "the inspector has found other copies than were decided about",
    };
    Err(Reason::new(Code::ProcessCopies, detail))
}

/// What goes out beside a model is what was decided about, under the names that are the station's to
/// give: whoever hands it over must not choose where anything is written.
fn check_kept(decision: &Decision, kept: &[(String, Sealed)]) -> Result<(), Reason> {
    let source = decision.admitted_bundle.map(|digest| (SOURCE.to_owned(), digest.to_hex()));
    let attestations = decision.attestations.iter().enumerate().filter_map(|(at, one)| {
        let named = one.clone().numbered(Some(at.saturating_add(1)));
        named.published.map(|name| (name, named.sha256))
    });
    let due: Vec<(String, String)> = source.into_iter().chain(attestations).collect();
    let found = kept
        .iter()
        .map(|(name, bytes)| (name.clone(), Sha256Digest::of(bytes.as_slice()).to_hex()));
    if found.eq(due) {
        return Ok(());
    }
    Err(wrong("it hands over other bundles than it decided about"))
}
