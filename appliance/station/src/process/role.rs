//! The roles that the work on a carrier is divided into, each a process of its own.

use std::fmt;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// What a process is for. The supervisor, which starts them, is none of these.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Mounts a device and passes the mount on. The only one with the right to.
    Mounter,
    /// Reads the carrier, hashes it, and writes the copies.
    Copier,
    /// Reads bundles, certificates and the policy, and decides.
    Decider,
    /// Looks into the copies. It can add findings and never an accept.
    Inspector,
    /// Holds the PIN, loads the PKCS#11 module, and signs.
    Signer,
}

impl Role {
    /// All of them.
    pub const ALL: [Role; 5] =
        [Role::Mounter, Role::Copier, Role::Decider, Role::Inspector, Role::Signer];

    /// The name, as on the command line and in messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Role::Mounter => "mounter",
            Role::Copier => "copier",
            Role::Decider => "decider",
            Role::Inspector => "inspector",
            Role::Signer => "signer",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
