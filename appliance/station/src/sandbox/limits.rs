//! How much of the machine a role may use.
//!
//! Not limited: processes, since the filter lets none start; addresses, since reserved ones cost
//! nothing and allocators reserve freely; locked memory, which the rings of the engine need.

use oms_sys::confine::{Limit, Resource};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// The limits of `role`.
pub(super) fn of(role: crate::process::Role) -> &'static [Limit] {
    use crate::process::Role;
    match role {
        Role::Mounter => &MOUNTER,
        Role::Copier => &COPIER,
        Role::Decider => &DECIDER,
        Role::Inspector => &INSPECTOR,
        Role::Signer => &SIGNER,
    }
}

const fn most(resource: Resource, most: u64) -> Limit {
    Limit { resource, most }
}

/// No image of the memory, whatever its mode.
const NO_CORE: Limit = most(Resource::Core, 0);
/// No message queues.
const NO_QUEUES: Limit = most(Resource::Msgqueue, 0);
/// No priority above others'.
const NO_PRIORITY: Limit = most(Resource::Rtprio, 0);

/// It opens a device and a mount.
const MOUNTER: [Limit; 6] = [
    NO_CORE,
    NO_QUEUES,
    NO_PRIORITY,
    most(Resource::Nofile, 64),
    most(Resource::Fsize, MIB),
    most(Resource::Data, 256 * MIB),
];

/// Its files are as large as the carrier's. Names, sizes and digests of a million files and the
/// buffers of the engine fit four times over.
const COPIER: [Limit; 5] = [
    NO_CORE,
    NO_QUEUES,
    NO_PRIORITY,
    most(Resource::Nofile, 16_384),
    most(Resource::Data, 8 * GIB),
];

/// It writes sealed memory only. A manifest of a million files takes a tenth of this.
const DECIDER: [Limit; 6] = [
    NO_CORE,
    NO_QUEUES,
    NO_PRIORITY,
    most(Resource::Nofile, 256),
    most(Resource::Fsize, 2 * GIB),
    most(Resource::Data, 8 * GIB),
];

/// It reads as the copier does, and writes findings.
const INSPECTOR: [Limit; 6] = [
    NO_CORE,
    NO_QUEUES,
    NO_PRIORITY,
    most(Resource::Nofile, 16_384),
    most(Resource::Fsize, 2 * GIB),
    most(Resource::Data, 8 * GIB),
];

/// Its record and the token's files are small; a payload of a million files is not.
const SIGNER: [Limit; 6] = [
    NO_CORE,
    NO_QUEUES,
    NO_PRIORITY,
    most(Resource::Nofile, 256),
    most(Resource::Fsize, 2 * GIB),
    most(Resource::Data, 8 * GIB),
];
