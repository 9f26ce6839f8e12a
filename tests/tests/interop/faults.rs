//! Known faults of the peer, `model_signing` 1.1.1. One that is gone fails the test, so that this
//! table stays true.

use super::Direction;

/// Something sound that the peer refuses or cannot do.
pub(crate) struct Fault {
    /// The name of the case in the matrix.
    pub(crate) case: &'static str,
    /// Who signs.
    pub(crate) direction: Direction,
    /// What the peer says; the end of it may vary.
    pub(crate) says: &'static str,
    /// Why.
    pub(crate) reason: &'static str,
}

pub(crate) const FAULTS: &[Fault] = &[];
