//! What the signer gives back, checked before anything of it is written down: a token that errs, or a
//! signer that was taken over, must not put into the record what cannot go out.

use oms_verify::budget::Budget;
use oms_verify::key::PublicKey;
use oms_verify::reason::{Code, Reason};
use oms_verify::verdict::{Ledger, ReceivedVerdict, VerdictTrust, receive};

use crate::journal::{Numbered, Origin};
use crate::receive::check_bundle;
use crate::signing::Signed;

/// Bytes of a verdict, as the receiving side takes it.
const VERDICT_BYTES: u64 = 1 << 30;

/// That the verdict is signed with the station's `key`, is about `decision` at its place in the
/// record, and has the payload and the re-signed bundle that came with it.
///
/// # Errors
/// When it is otherwise. The signer may be asked again.
pub(super) fn check(
    signed: &Signed,
    decision: &Numbered,
    position: Ledger,
    key: &PublicKey,
) -> Result<(), Reason> {
    let wrong = |detail: &str| {
        let detail = format!("what the signer gave for decision {}: {detail}", decision.sequence);
        Err(Reason::new(Code::ProcessProtocol, detail))
    };
    let budget = Budget { resources: usize::MAX, bundle_bytes: VERDICT_BYTES, ..Budget::default() };
    let bytes = signed.verdict.as_slice();
    let verdict = match receive(bytes, &decision.verifier, &VerdictTrust::Key(key), &budget) {
        Ok(verdict) => verdict,
        Err(error) => return wrong(&error.to_string()),
    };
    if verdict.payload() != signed.payload.as_str().as_bytes() {
        return wrong("the verdict has another payload");
    }
    if (verdict.sequence, verdict.previous) != (position.sequence, position.previous) {
        return wrong("the verdict has another place in the record");
    }
    if !is_about(&verdict, decision) {
        return wrong("the verdict is about another decision");
    }
    match (&signed.bundle, verdict.passed) {
        (Some(bundle), true) => check_bundle(bundle.as_slice(), &verdict, key, decision.time)
            .or_else(|reason| wrong(&reason.to_string())),
        (None, false) => Ok(()),
        _ => wrong("a re-signed bundle goes with a model that passed, and only with that"),
    }
}

fn is_about(verdict: &ReceivedVerdict, decision: &Numbered) -> bool {
    let resend_of = match decision.origin {
        Origin::ResendOf(sequence) => Some(sequence),
        Origin::Intake(_) => None,
    };
    let (name, digest) = (&verdict.subject_name, verdict.subject_digest);
    verdict.passed == decision.passed
        && (name, digest) == (&decision.subject, decision.root)
        && verdict.time == decision.time.to_string()
        && verdict.resend_of == resend_of
}
