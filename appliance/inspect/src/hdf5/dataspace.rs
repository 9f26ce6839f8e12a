//! Dataspaces (HDF5 File Format 3.0, IV.A.2.b): how many elements, in which dimensions.

use super::fields::Fields;
use crate::malformed::Fault;

/// The most dimensions that HDF5 has.
const MOST: u8 = 32;

/// The shape of a dataset or attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dataspace {
    pub(super) shape: Vec<u64>,
    /// Without any element, and not even an empty shape.
    null: bool,
}

impl Dataspace {
    pub(super) fn read(fields: &mut Fields<'_>) -> Result<Dataspace, Fault> {
        let version = fields.u8()?;
        let rank = fields.u8()?;
        let flags = fields.u8()?;
        let null = match version {
            1 => {
                fields.take(5)?;
                false
            }
            2 => match fields.u8()? {
                0 | 1 => false,
                2 => true,
                _ => return Err(fields.wrong("a dataspace of an unknown type")),
            },
            _ => return Err(fields.wrong(format!("version {version} of a dataspace is unknown"))),
        };
        if rank > MOST || flags > 1 || (null && rank > 0) {
            return Err(fields.wrong("a dataspace is not possible"));
        }
        let mut dimensions = || (0..rank).map(|_| fields.u64()).collect::<Result<Vec<_>, _>>();
        let shape = dimensions()?;
        if flags & 1 != 0 {
            let most = dimensions()?;
            if shape.iter().zip(&most).any(|(size, most)| size > most) {
                return Err(fields.wrong("a dimension is larger than its maximum"));
            }
        }
        Ok(Dataspace { shape, null })
    }

    /// How many elements, if that fits in 64 bits.
    pub(super) fn count(&self) -> Option<u64> {
        if self.null {
            return Some(0);
        }
        // A dimension of zero leaves nothing, however large the others are.
        if self.shape.contains(&0) {
            return Some(0);
        }
        self.shape.iter().try_fold(1_u64, |count, &size| count.checked_mul(size))
    }

    /// Whether it is one element without dimensions.
    pub(super) fn is_scalar(&self) -> bool {
        !self.null && self.shape.is_empty()
    }
}
