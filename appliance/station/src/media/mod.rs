//! Finding models on a carrier: every OMS bundle, with the model beside or around it.
//!
//! ```text
//!  carrier ──find──▶ Candidate ──open──▶ Location ──of(signed manifest)──▶ Source
//! ```
//!
//! A bundle is a regular file whose name ends in `.sig`. It belongs to what it is named after
//! (`NAME.sig` beside `NAME`), and otherwise to the folder that holds it, which then may hold
//! several: `model.sig`, `qa.sig`. Attestations ([`ATTESTATION_SUFFIXES`]) never make a model: they
//! lie in or beside one. A folder that holds a `model.sig` may also be the folder around
//! the model, as the Python tool leaves it: around `model`, or around the one other thing in it.
//! Then the signed manifest tells which ([`Location`]).

mod attestations;
mod find;
mod in_place;
mod location;

pub use attestations::{Attestations, InPlace, Lying, SUFFIXES as ATTESTATION_SUFFIXES};
pub use find::{Found, find};
pub use in_place::bundle_of;
pub use location::Location;

use oms_sys::beneath::Root;
use oms_verify::reason::Reason;
use serde::{Deserialize, Serialize};

/// The suffix of a bundle's name.
pub const SUFFIX: &str = ".sig";
/// The usual name of a bundle.
pub const USUAL: &str = "model.sig";
/// What the usual name is named after.
const NAMESAKE: &str = "model";

/// What a carrier may make the search for models do, apart from a policy's budget. All limits are
/// inclusive; what is past one of them is reported and left alone.
pub mod limits {
    /// Models that are taken from one carrier.
    pub const MODELS: usize = 10_000;
    /// Bundles of one model.
    pub const BUNDLES: usize = 64;
    /// How often `max-bundle-bytes` the bundles of one model may take together. A bundle is read
    /// while those before it take less.
    pub const BUNDLE_SHARE: u64 = 4;
    /// Entries of all folders of a carrier together.
    pub const ENTRIES: usize = 4_000_000;
    /// Folders of a carrier that are known and not yet looked into.
    pub const WAITING: usize = 100_000;
    /// Bundles of a carrier.
    pub const FOUND: usize = 100_000;
    /// Attestations of a carrier.
    pub const ATTESTATIONS: usize = 100_000;
    /// Names of a carrier that are told because no bundle is theirs.
    pub const UNCLAIMED: usize = 1_000;
}

/// A model that somebody says is signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Candidate {
    /// The model, relative to the carrier; empty for the carrier's own folder.
    pub model: String,
    /// Whether the model is a folder.
    pub is_folder: bool,
    /// Its bundles, relative to the carrier.
    pub bundles: Vec<String>,
    /// What lies beside a `model.sig` and may be the model instead.
    pub others: Vec<Beside>,
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// What may be the model of a bundle that lies beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Beside {
    path: String,
    is_folder: bool,
}

impl Candidate {
    /// The name for people, unsigned.
    pub fn name(&self) -> &str {
        let last = self.model.rsplit('/').next().unwrap_or_default();
        if last.is_empty() { "carrier" } else { last }
    }

    /// Where the model lies, relative to the carrier: at home, or in the other place of this
    /// number.
    pub fn path(&self, other: Option<usize>) -> &str {
        other.and_then(|other| self.others.get(other)).map_or(&self.model, |other| &other.path)
    }

    /// The place of this number, as [`Candidate::path`] gives it, and whether it is a folder.
    pub fn place(&self, other: Option<usize>) -> (&str, bool) {
        match other.and_then(|other| self.others.get(other)) {
            Some(other) => (&other.path, other.is_folder),
            None => (&self.model, self.is_folder),
        }
    }

    /// Where `bundle` lies inside the model's folder, if it does.
    pub fn inside<'a>(&self, bundle: &'a str) -> Option<&'a str> {
        if !self.is_folder {
            return None;
        }
        if self.model.is_empty() {
            return Some(bundle);
        }
        bundle.strip_prefix(self.model.as_str())?.strip_prefix('/')
    }

    /// The model, ready to be read.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(&self, carrier: &Root) -> Result<Location, Reason> {
        let home = location::source(carrier, &self.model, self.is_folder)?;
        let others = self.others.iter();
        let others = others.map(|other| location::source(carrier, &other.path, other.is_folder));
        Ok(Location { home, others: others.collect::<Result<_, _>>()? })
    }
}
