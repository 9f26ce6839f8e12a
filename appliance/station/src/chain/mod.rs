//! The chain of processes that brings one model from a carrier to a decision.
//!
//! ```text
//!              Order                  Order                      Order
//!  supervisor ───────▶ copier        ───────▶ decider           ───────▶ inspector
//!      ▲                │  ▲  Ask, Answer       │  ▲   Ask, Answer          │
//!      │ Word           │  └────────────────────┘  └──────────────────────┘
//!      └────────────────┴───────────────────────┘
//!  copier:    carrier ──read once──▶ quarantine, with the digests of what it read
//!  inspector: quarantine, after the copier has exited ──▶ the digests again, and what is inside
//! ```
//!
//! The decider drives: it asks for bundles, admits their signers, hands out the signed manifest and
//! decides. It has no file of the model and no place to write to. The copier and the inspector
//! decide nothing. When the decision is there, all three have exited, so nobody alive can still
//! write to the copies, and what passes must be what the inspector found in them (`claims`).

mod claims;
pub(crate) mod copier;
pub(crate) mod decider;
mod heartbeat;
pub(crate) mod inspector;
mod messages;
mod model;
mod remote;
mod survey;
mod worker;

use oms_verify::reason::Reason;

use self::messages::Word;
pub use self::model::{Decided, Folder, Task, decide};
pub use self::survey::survey;
pub(crate) use self::worker::{Attached, Link, Worker};
use crate::process::wire::WireReason;

/// Tells the supervisor why a process could not do its work.
pub(crate) fn give_up(supervisor: &Link, reason: Reason) {
    // If nobody hears it, nobody waits for it.
    let _ = supervisor.send(&Word::Failed(WireReason(reason)), &[]);
}
