//! What a device and the kernel say of it: superblocks and uevents.

use oms_sys::superblock::{Signature, identify, signatures};
use oms_sys::uevent::{is_name, parse};

/// The beginning of a device.
pub fn superblock(data: &[u8]) {
    let found = signatures(data);
    assert_eq!(identify(data).is_ok(), matches!(found.as_slice(), [Signature::Known(_)]));
    if let Err(error) = identify(data) {
        assert!(!error.to_string().is_empty());
    }
}

/// A message about a device.
pub fn uevent(data: &[u8]) {
    if let Ok(event) = parse(data) {
        assert!(is_name(&event.name) && !event.name.contains(['/', '\0']));
    }
}
