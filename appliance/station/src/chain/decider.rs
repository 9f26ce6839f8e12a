//! The decider: it has the policy, the anchors and the CRLs, and no file of a carrier.

use oms_sys::sealed::{Sealed, SealedWriter};
use oms_verify::pki::Profile;
use oms_verify::reason::{Code, Reason};
use oms_verify::verdict::Mode;

use super::messages::{MOST_SEALED, Order, Word};
use super::remote::Remote;
use crate::handover::files_to_json;
use crate::intake::Settings;
use crate::pipeline::{Terms, examine_with};
use crate::process::Wire;
use crate::trust::Trust;

/// Decides about one model, and tells the supervisor.
pub(crate) fn serve(supervisor: &Wire, trust: &Trust) -> Result<(), Reason> {
    let (order, mut with) = supervisor.receive::<Order>()?;
    let Order::Decide { name, bundles, time, policy } = order else {
        let detail = "the order is not one for a decider";
        return Err(Reason::new(Code::ProcessProtocol, detail));
    };
    let copier = with.wire()?;
    with.end()?;
    if trust.policy.digest != policy {
        let detail = "the policy was changed while the station ran";
        return Err(Reason::new(Code::StateUnfinished, detail));
    }
    let terms = Terms {
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
    let decision = Sealed::copy_of(&verdict.decision(&trust.crl_digests).to_vec())?;
    let mut writer = SealedWriter::new(MOST_SEALED)?;
    files_to_json(verdict.files(), &mut writer)?;
    let files = writer.seal()?;
    let floors = Sealed::copy_of(&trust.crls.raised().to_json())?;
    supervisor.send(&Word::Decided { elsewhere }, [&decision, &files, &floors])
}
