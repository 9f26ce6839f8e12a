//! A file system that lies: a folder's files in memory, served through `/dev/fuse` by this process,
//! with answers that a script changes.
//!
//! ```text
//!  appliance ──system calls──▶ kernel ──requests──▶ Lying ──▶ Tree     what is true
//!      ▲                         │                    └─────▶ Script   what is said instead
//!      └────────────────────────◀┴──────answers────◀──┘
//! ```
//!
//! It holds no state between mounts: a test mounts a new one for each run, so that no cache of the
//! kernel answers in its place. To be used inside [`crate::mounts::privately`].

mod script;
mod serve;
mod tree;

pub use fuser::{Errno, FileType};
pub use script::{Fault, Lie, Names, Op};

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fuser::{BackgroundSession, Config, MountOption};
use rustix::mount::MountFlags;

use self::script::Script;
use self::serve::Served;
pub use self::tree::Tree;
use crate::mounts;

/// Whether the kernel keeps the bytes that it has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cache {
    /// Each read of the program is a request (`FOPEN_DIRECT_IO`).
    Off,
    /// Reads go through the page cache, which reads ahead and asks again when a read failed.
    On,
}

/// Where the kernel lists the connections to file systems of processes.
const CONNECTIONS: &str = "/sys/fs/fuse/connections";

/// A mounted file system that lies, until it is dropped.
#[derive(Debug)]
pub struct Lying {
    at: PathBuf,
    script: Arc<Script>,
    session: Option<BackgroundSession>,
}

impl Lying {
    /// Mounts `tree` on the folder `at`, with these faults.
    ///
    /// # Panics
    /// When it cannot be mounted.
    pub fn mount(tree: &Arc<Tree>, at: &Path, cache: Cache, faults: &[Fault]) -> Lying {
        let script = Arc::new(Script::new(faults));
        let served = Served::new(Arc::clone(tree), Arc::clone(&script), cache);
        let mut config = Config::default();
        config.mount_options =
            vec![MountOption::RO, MountOption::NoDev, MountOption::FSName("lying".to_owned())];
        let session = fuser::spawn_mount(served, at, &config)
            .unwrap_or_else(|error| panic!("mounting on {}: {error}", at.display()));
        script.begin(connection(at).join("abort"));
        Lying { at: at.to_owned(), script, session: Some(session) }
    }

    /// How many requests there were that a fault could have been for.
    pub fn requests(&self) -> u64 {
        self.script.requests()
    }

    /// How many answers were not the truth.
    pub fn lies(&self) -> u64 {
        self.script.lies()
    }

    /// Every request so far, one a line, for the message of a test that fails.
    pub fn log(&self) -> String {
        self.script.log()
    }

    /// Ends the connection, as when a device is pulled out: whoever waits for an answer gets an
    /// error, as does all that follows.
    pub fn vanish(&self) {
        self.script.vanish();
    }
}

impl Drop for Lying {
    fn drop(&mut self) {
        // An answer that is still owed is never given, so the connection goes first.
        self.vanish();
        mounts::detach(&self.at);
        if let Some(session) = self.session.take() {
            // It ends by itself, as the connection is gone; how does not matter any more.
            let _ = session.join();
        }
    }
}

/// The kernel's folder for the connection behind the mount at `at`.
fn connection(at: &Path) -> PathBuf {
    let connections = Path::new(CONNECTIONS);
    if fs::read_dir(connections).is_ok_and(|mut entries| entries.next().is_none()) {
        // Nothing is listed although something is mounted: this file system is not mounted yet.
        rustix::mount::mount("fusectl", connections, "fusectl", MountFlags::empty(), None)
            .expect("the kernel's list of FUSE connections");
    }
    let device = at.metadata().expect("a mounted file system").dev();
    connections.join(rustix::fs::minor(device).to_string())
}

#[cfg(test)]
mod tests;
