//! Tar files in a hot folder: refused, and told.
use super::Entry;
use super::carrier::{Carrier, Means};
use oms_verify::reason::{Code, Reason};
pub(super) fn unpacked(entry: &Entry, _means: &Means) -> Result<Carrier, Reason> {
    Err(Reason::new(Code::CarrierEntry, "archives cannot be read yet").about(entry.to_string()))
}
