//! The Python implementation of OMS as a peer: it signs what the appliance verifies, and verifies
//! what the appliance signed.
//!
//! Starting Python takes a second, so that one process carries out a list of jobs.

use std::env;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::run::target;

const SCRIPT: &str = include_str!("peer.py");

/// The virtual environment that `cargo xtask peer` makes.
#[derive(Clone, Debug)]
pub struct Peer {
    environment: PathBuf,
}

/// Something for the peer to do.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "action", rename_all = "lowercase")]
pub enum Job {
    /// Sign a model.
    Sign {
        /// The model's folder or file.
        model: PathBuf,
        /// The bundle to write.
        bundle: PathBuf,
        /// The private key in PEM.
        key: PathBuf,
        /// The key's certificate, for the method `certificate`.
        certificate: Option<PathBuf>,
        /// The other certificates to put into the bundle.
        chain: Vec<PathBuf>,
        /// How to hash.
        #[serde(flatten)]
        hashing: Hashing,
    },
    /// Verify a model.
    Verify {
        /// The model's folder or file.
        model: PathBuf,
        /// The bundle to read.
        bundle: PathBuf,
        /// The public key in PEM, for the method `key`.
        key: Option<PathBuf>,
        /// The certificates to trust, for the method `certificate`.
        chain: Vec<PathBuf>,
        /// How to hash, for a peer that is told.
        #[serde(flatten)]
        hashing: Hashing,
        /// Whether the peer finds in the bundle how to hash. If not, it is told, and also to name
        /// the algorithm of a shard as the specification does.
        guess: bool,
    },
}

/// How a model is hashed.
#[derive(Clone, Debug, Serialize)]
pub struct Hashing {
    /// `sha256`, `blake2b` or `blake3`.
    pub hash: String,
    /// The size of shards in bytes; whole files when there is none.
    pub shard_size: Option<u64>,
    /// What to leave out, relative to the model; the paths of git are left out in any case.
    pub ignore: Vec<PathBuf>,
}

/// What became of a job.
#[derive(Clone, Debug, Deserialize)]
pub struct Answer {
    /// The exception that ended the job; none when it was done, and a verification accepted.
    pub error: Option<String>,
}

impl Peer {
    /// The peer in the folder that `OMS_PEER` names, or else in `target/peer`.
    ///
    /// # Panics
    /// When it is not there: a test of interoperability must not pass by skipping.
    pub fn installed() -> Peer {
        let environment =
            env::var_os("OMS_PEER").map_or_else(|| target().join("peer"), PathBuf::from);
        let peer = Peer { environment };
        for program in ["python", "model_signing"] {
            assert!(
                peer.program(program).is_file(),
                "no Python peer in {}: run `cargo xtask peer`, or set OMS_PEER to a virtual \
                 environment that has model_signing and pyopenssl",
                peer.environment.display()
            );
        }
        peer
    }

    /// The peer's own command, `model_signing`, to add arguments to.
    pub fn command(&self) -> Command {
        Command::new(self.program("model_signing"))
    }

    /// Carries out the jobs one after the other; the answers are in the same order.
    ///
    /// # Panics
    /// When Python fails otherwise than in a job.
    pub fn run(&self, jobs: &[Job]) -> Vec<Answer> {
        let mut child = Command::new(self.program("python"))
            .args(["-I", "-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start the peer's Python: {error}"));
        let input = serde_json::to_vec(jobs).expect("jobs as JSON");
        // The script reads all of its input before it says anything, so this cannot block.
        child.stdin.take().expect("a pipe").write_all(&input).expect("a peer that reads its jobs");
        let output = child.wait_with_output().expect("a peer that ends");
        let answers: Vec<Answer> = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
            panic!("the peer gave no answers ({error}): {}", said(&output.stderr))
        });
        assert_eq!(answers.len(), jobs.len(), "the peer must answer each job");
        answers
    }

    fn program(&self, name: &str) -> PathBuf {
        self.environment.join(Path::new("bin").join(name))
    }
}

fn said(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
