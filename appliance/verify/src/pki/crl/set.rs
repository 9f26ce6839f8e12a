//! The CRLs that a decision may use.

use super::Crl;

/// CRLs of any issuer.
#[derive(Debug, Default)]
pub struct CrlSet {
    crls: Vec<Crl>,
}

impl CrlSet {
    /// A set of these.
    pub fn new(crls: Vec<Crl>) -> Self {
        CrlSet { crls }
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Crl> {
        self.crls.iter()
    }
}
