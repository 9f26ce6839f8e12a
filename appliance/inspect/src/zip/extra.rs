//! Extra fields (APPNOTE, section 4.5): a zip64 field, and what is known to be harmless.

use super::fields::Fields;
use crate::finding::Place;
use crate::malformed::{Fault, broken};

const ZIP64: u16 = 0x0001;
/// Padding that PyTorch writes so that storages are aligned.
const PYTORCH: u16 = u16::from_le_bytes(*b"FB");
/// Times and owners (NTFS, Unix in three versions), the mark of a jar, room that an office document
/// leaves to grow, and the alignment of Android.
const KNOWN: &[u16] = &[0x000a, 0x5455, 0x5855, 0x7855, 0x7875, 0xcafe, 0xa220, 0xd935];

/// The values of the zip64 field among `extra`, if there is one.
pub(super) fn zip64<'b>(extra: Fields<'b>, place: &Place) -> Result<Option<Fields<'b>>, Fault> {
    let wrong = |detail: String| broken(place.clone(), detail);
    let mut rest = extra;
    let mut found = None;
    while !rest.is_empty() {
        let cut = || wrong("its extra field is cut off".to_owned());
        let (Ok(kind), Ok(length)) = (rest.u16(), rest.u16()) else { return Err(cut()) };
        let part = rest.part(length).map_err(|_| cut())?;
        match kind {
            ZIP64 if found.is_some() => return Err(wrong("it has two zip64 fields".to_owned())),
            ZIP64 => found = Some(part),
            PYTORCH if part.bytes().iter().all(|&byte| byte == b'Z') => {}
            PYTORCH => return Err(wrong("its padding holds something else".to_owned())),
            _ if KNOWN.contains(&kind) => {}
            _ => {
                return Err(wrong(format!(
                    "it has an extra field of the unknown kind {kind:#06x}"
                )));
            }
        }
    }
    Ok(found)
}
