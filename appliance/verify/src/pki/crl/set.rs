//! The CRLs that a decision may use, and what is known about earlier ones.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::floors::Series;
use super::{Crl, CrlFloors};
use crate::pki::canonical::CanonicalName;
use crate::time::UnixTime;

/// CRLs of any issuer, found by their issuer's name, and the floors below which none counts.
///
/// A set is shared by every decision of a run. It collects which CRLs were verified: what
/// [`CrlSet::raised`] gives belongs into the state of whoever made the set.
#[derive(Debug, Default)]
pub struct CrlSet {
    /// The newest of each issuer first.
    by_issuer: BTreeMap<CanonicalName, Vec<Crl>>,
    floors: CrlFloors,
    raised: Mutex<CrlFloors>,
}

impl CrlSet {
    /// A set of these, without any memory of earlier ones.
    pub fn new(crls: Vec<Crl>) -> Self {
        Self::with_floors(crls, CrlFloors::default())
    }

    /// A set of these, of which none counts that is older than `floors` say.
    pub fn with_floors(crls: Vec<Crl>, floors: CrlFloors) -> Self {
        let mut by_issuer: BTreeMap<CanonicalName, Vec<Crl>> = BTreeMap::new();
        for crl in crls {
            by_issuer.entry(crl.issuer_name().clone()).or_default().push(crl);
        }
        for crls in by_issuer.values_mut() {
            crls.sort_by(|a, b| (b.this_update(), b.number()).cmp(&(a.this_update(), a.number())));
        }
        let raised = Mutex::new(floors.clone());
        CrlSet { by_issuer, floors, raised }
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Crl> {
        self.by_issuer.values().flatten()
    }

    /// The floors that the set was made with, raised by every CRL since then whose signature was
    /// verified in a path to an anchor, whether the path was accepted or refused.
    pub fn raised(&self) -> CrlFloors {
        self.lock().clone()
    }

    /// Those of one issuer, the newest first.
    pub(in crate::pki) fn of_issuer(&self, issuer: &CanonicalName) -> &[Crl] {
        self.by_issuer.get(issuer).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether a newer CRL of the series was verified before this set was made; with `until`, one
    /// that was issued by then.
    ///
    /// What was verified since does not count: otherwise an answer would depend on the order of
    /// the questions.
    pub(in crate::pki) fn has_fallen_behind(
        &self,
        series: &Series,
        crl: &Crl,
        until: Option<UnixTime>,
    ) -> bool {
        self.floors.has_newer(series, crl, until)
    }

    /// Notes that `crl` is of its issuer beyond doubt.
    pub(in crate::pki) fn raise(&self, series: Series, crl: &Crl) {
        self.lock().raise(series, crl);
    }

    fn lock(&self) -> MutexGuard<'_, CrlFloors> {
        self.raised.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
