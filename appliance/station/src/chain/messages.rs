//! What the processes of the chain say to each other. What is long goes beside a message, in sealed
//! memory; [`handover`](crate::handover) says what is in it.

use oms_verify::attestation::AttestationSource;
use oms_verify::budget::Budget;
use oms_verify::hash::Sha256Digest;
use oms_verify::policy::{ContentLimits, MediaRules};
use oms_verify::time::UnixTime;
use serde::{Deserialize, Serialize};

use crate::intake::{Reading, Settings};
use crate::process::wire::WireReason;
use crate::progress::{Progress, Report};
use crate::scanner::Scanning;

/// Bytes of what CRLs rule out.
pub(super) const MOST_FLOORS: usize = 16 << 20;

/// How the files of a model are read.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Means {
    pub(super) settings: Settings,
    pub(super) rules: MediaRules,
    pub(super) budget: Budget,
    pub(super) content: ContentLimits,
}

impl Means {
    /// How the files are read, and counted.
    pub(super) fn reading<'a>(&self, progress: &'a Progress) -> Reading<'a> {
        Reading { settings: self.settings, rules: self.rules, progress }
    }
}

/// From the supervisor: what a process is for. It is the first message, and but for the decider's
/// [`Order::Inspector`] the only one.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Order {
    /// To the copier: find the models of the carrier.
    Survey(Means),
    /// To the copier: serve the decider about the candidate of this number. With the survey and the
    /// decider's channel.
    Serve {
        /// How it is read.
        means: Means,
        /// The number in the survey.
        candidate: usize,
        /// Bytes that the copies may take, where there is a limit.
        room: Option<u64>,
    },
    /// To the decider: decide about a model. With the copier's channel, and what the CRLs that were
    /// used before rule out.
    Decide {
        /// The alleged name, for people.
        name: String,
        /// How many bundles it has.
        bundles: usize,
        /// The time of the decision.
        time: UnixTime,
        /// SHA-256 of the policy that the station has.
        policy: Sha256Digest,
    },
    /// To the decider: ask this inspector, whose channel comes with it.
    Inspector,
    /// To the inspector: serve the decider, whose channel comes with it; after it the sessions with
    /// the virus scanner, where there is one.
    Inspect {
        /// How the copies are read.
        means: Means,
        /// What the scanner is, and for what it is asked.
        scanning: Option<Scanning>,
    },
}

/// To the supervisor.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Word {
    /// What was read so far. Also a sign of life.
    Progress(Report),
    /// The survey, which comes with it.
    Surveyed,
    /// From the decider: the copies are made.
    Copied,
    /// From the inspector: what the copies are. Not said when they are not all that was signed.
    Copies(Copies),
    /// From the decider: bytes that go into the entry when the model passes, under this name.
    Keep {
        /// [`SOURCE`](crate::outbound::SOURCE), or an attestation's name.
        name: String,
    },
    /// The decision, with its JSON, its files and what the CRLs that it used rule out from now on.
    Decided {
        /// The other place that holds the model, when it is not at home.
        elsewhere: Option<usize>,
    },
    /// Nothing could be decided, for this reason.
    Failed(WireReason),
}

/// Copies that are all files of a manifest, with its digests, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Copies {
    /// The root digest of the manifest.
    pub(super) root: Sha256Digest,
    /// SHA-256 of the list of the files, with their sizes, as a decider hands it over.
    pub(super) files: Sha256Digest,
}

/// From the decider, to whoever reads.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Ask {
    /// The bundle of this number.
    Bundle(usize),
    /// Where the model of this manifest is. The manifest comes with it.
    Locate,
    /// The attestations of the model.
    Attestations {
        /// Those beside it, too.
        beside: bool,
        /// At most so many.
        most: usize,
    },
    /// The bytes of the attestation of this number.
    Attestation {
        /// Its number.
        number: usize,
        /// Its most bytes.
        limit: u64,
    },
    /// Copy the files of the manifest.
    Copy,
    /// To the inspector: look at the copies of the files of this manifest, which comes with it.
    Look,
}

/// To the decider.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Answer {
    /// A bundle. Its bytes come with it, unless there are none.
    Bundle {
        /// Its file name.
        name: String,
        /// Its path inside the model.
        in_model: Option<String>,
        /// Why its bytes are not at hand, with their digest when it is known.
        without: Option<(Option<Sha256Digest>, WireReason)>,
    },
    /// The other place that holds the model, when it is not at home.
    Located(Option<usize>),
    /// How many more attestations there are. The list comes with it.
    Attestations(usize),
    /// An attestation. Its bytes come with it, unless there is a reason against it.
    Attestation(Option<WireReason>),
    /// What was seen, which comes with it.
    Seen,
    /// It could not be done.
    Failed(WireReason),
}

/// An attestation that may be looked at.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Place {
    file: String,
    in_model: Option<String>,
}

impl From<AttestationSource> for Place {
    fn from(AttestationSource { file, in_model }: AttestationSource) -> Self {
        Place { file, in_model }
    }
}

impl From<Place> for AttestationSource {
    fn from(Place { file, in_model }: Place) -> Self {
        AttestationSource { file, in_model }
    }
}
