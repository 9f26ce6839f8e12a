//! Processes of the station that talk to each other and trust each other little.
//!
//! ```text
//!   supervisor ── spawn: oms-appliance role NAME, socket as standard input ──▶ role
//!        │                                                                      │ Beginning: alone,
//!        │                                                                      │ nothing inherited,
//!        │◀────────────── hello, both ways (wire) ─────────────────────────────▶│ sandbox, hello
//!        └── Child: wait, kill; dropped means killed and reaped                 ▼ work
//! ```
//!
//! [`Role`] says what there is, [`spawn`] starts one, [`Beginning`] is the first thing that one does,
//! and [`wire`] is how they speak.

mod begin;
mod child;
mod role;
mod spawn;
pub mod wire;

pub use self::begin::{BeginError, Beginning, Begun};
pub use self::child::{Child, Ended};
pub use self::role::Role;
pub use self::spawn::{SpawnError, Started, spawn};
