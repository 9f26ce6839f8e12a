//! The decider: it has the policy, the anchors and the CRLs, and no file of a carrier.

use std::os::fd::AsFd as _;

use oms_verify::pki::{CrlFloors, Profile};
use oms_verify::reason::{Code, Reason};
use oms_verify::verdict::Mode;

use super::messages::{MOST_FLOORS, Order, Word};
use super::remote::Remote;
use super::worker::Link;
use crate::handover::{files_to_json, sealed_copy, sealed_with};
use crate::intake::Settings;
use crate::pipeline::{Terms, examine_with};
use crate::trust::Trust;

/// Decides about one model, and tells the supervisor.
///
/// # Errors
/// When nothing could be decided.
pub(crate) fn serve(supervisor: &Link, trust: Trust) -> Result<(), Reason> {
    let (order, mut with) = supervisor.receive::<Order>()?;
    let Order::Decide { name, bundles, time, policy } = order else {
        let detail = "the order is not one for a decider";
        return Err(Reason::new(Code::ProcessProtocol, detail));
    };
    let copier = with.link()?;
    let floors = with.sealed(MOST_FLOORS)?;
    with.end()?;
    let floors = CrlFloors::parse(floors.as_slice()).map_err(|error| {
        Reason::new(Code::ProcessProtocol, format!("what CRLs rule out: {error}"))
    })?;
    let trust = &trust.remembering(floors);
    if trust.policy.digest != policy {
        let detail = "the policy was changed while the station ran";
        return Err(Reason::new(Code::StateUnfinished, detail));
    }
    let terms = Terms {
        scanner: None,
        trust,
        time,
        profile: Profile::CODE_SIGNING,
        ignored: &[],
        intake: Settings::default(),
    };
    let mut remote = Remote {
        supervisor,
        copier: Some(copier),
        budget: &trust.policy.budget,
        bundles,
        asked: 0,
        last: None,
        elsewhere: None,
    };
    let verdict = examine_with(&mut remote, &name, Mode::Ingest, terms)?;
    let elsewhere = remote.elsewhere;
    drop(remote);
    let decision = sealed_copy(&verdict.decision(&trust.crl_digests).to_vec())?;
    let files = sealed_with(|writer| files_to_json(verdict.files(), writer))?;
    let floors = sealed_copy(&trust.crls.raised().to_json())?;
    let with = [decision.as_fd(), files.as_fd(), floors.as_fd()];
    supervisor.send(&Word::Decided { elsewhere }, &with)
}
