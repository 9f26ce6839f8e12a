//! Signing: in a process of its own, the only one that has the keys.
//!
//! ```text
//!  supervisor                                   signer
//!   journal: decided(n, made)
//!   RemoteSigner::sign(n, made) ──── Made ────▶ is it the journal's decision n, by today's policy?
//!                                               record: n follows, or is the same decision
//!                                               re-signed bundle and payload, made from it
//!                                               record: n, decision, payload         synced
//!   journal: composed(payload) ◀── payload, verdict, bundle ── signed
//! ```
//!
//! The signer never signs bytes that it is handed: it gets a decision and writes the payload itself.
//! What it has signed under a number it signs again, after a crash, and nothing else.

mod messages;
mod office;
mod record;
mod remote;

pub(crate) use self::office::{Office, serve};
pub use self::remote::{RemoteSigner, Signed};
