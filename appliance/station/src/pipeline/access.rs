//! Whoever may touch the files of a model, as seen by what decides about it.
//!
//! Deciding is the same wherever the files are read: in this process, where they lie
//! ([`AtHand`](super::AtHand)), or by others, which were given the carrier and nothing else.

use std::sync::Arc;

use oms_verify::attestation::AttestationSource;
use oms_verify::observe::Observed;
use oms_verify::reason::Reason;
use oms_verify::statement::Manifest;

use super::BundleFile;
use crate::inspection::Findings;

/// What is asked for, in this order, to decide about one model.
pub trait Access {
    /// The bytes of a bundle or an attestation.
    type Bytes: AsRef<[u8]>;

    /// The next bundle of the model, while there is one. Of several one at a time is held, since
    /// each may be large.
    fn next_bundle(&mut self) -> Option<Result<BundleFile<Self::Bytes>, Reason>>;

    /// Hears that the bundle that was given last is the first one whose signer is admitted.
    ///
    /// # Errors
    /// When it cannot be kept.
    fn keep_source(&mut self) -> Result<(), Reason>;

    /// Finds the place of the model that `manifest` lists, and says whether it is another than the
    /// one that its bundle lies in or beside.
    ///
    /// # Errors
    /// When that cannot be told.
    fn locate(&mut self, manifest: &Arc<Manifest>) -> Result<bool, Reason>;

    /// At most `most` of the model's attestations and how many more there are. Those `beside` it
    /// are left out unless they are asked for, and so is what the manifest lists: it is a file of
    /// the model, whatever its name.
    ///
    /// # Errors
    /// When that cannot be told.
    fn attestations(
        &mut self,
        beside: bool,
        most: usize,
    ) -> Result<(Vec<AttestationSource>, usize), Reason>;

    /// The bytes of the attestation of this number, or why the model has none there.
    ///
    /// # Errors
    /// When it cannot be read.
    fn attestation(
        &mut self,
        number: usize,
        limit: u64,
    ) -> Result<Result<Self::Bytes, Reason>, Reason>;

    /// Hears that a rule accepts these bytes, which are published under this name.
    ///
    /// # Errors
    /// When they cannot be kept.
    fn keep_attestation(&mut self, name: &str, bytes: Self::Bytes) -> Result<(), Reason>;

    /// Reads every file that `manifest` lists, once, and looks inside those that are as signed.
    /// Paths at or below one of `ignored` count as if the signer had ignored them.
    ///
    /// # Errors
    /// When they cannot be read, so that nothing can be said about the model.
    fn observe(
        &mut self,
        manifest: &Arc<Manifest>,
        ignored: &[String],
    ) -> Result<(Observed, Findings), Reason>;
}
