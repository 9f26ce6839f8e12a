//! What supervisor and signer say to each other.

use oms_verify::hash::Sha256Digest;
use oms_verify::time::UnixTime;
use serde::{Deserialize, Serialize};

use crate::process::wire::WireReason;

/// From the supervisor.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Ask {
    /// Open the keys, which must be fit as of this time.
    Open {
        /// The station's time.
        time: UnixTime,
    },
    /// Sign something with each key that is no message of any protocol.
    Probe,
    /// Make the verdict of this number. The decision comes with it.
    Sign {
        /// Its number.
        sequence: u64,
        /// SHA-256 of the payload before it.
        previous: Sha256Digest,
    },
}

/// From the signer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Answer {
    /// The keys are open and can be used.
    Open {
        /// The public key of verdicts, in PEM.
        verdict: String,
    },
    /// A PIN is going to be tried.
    LoggingIn,
    /// The token has answered to the PIN, whatever it said.
    LoggedIn,
    /// Each key has signed, and its signature verifies.
    Probed,
    /// The payload and the verdict come with it, and the re-signed bundle when the model passed.
    Signed,
    /// It could not be done.
    Failed(WireReason),
}
