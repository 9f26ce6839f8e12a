//! Initialising a PKCS#11 module that wants a text where the standard has a reserved field.
//!
//! NSS softokn, for one, takes the place of its database from there. RFC 7512 has no word for it;
//! p11-kit calls it `x-init-reserved`.

use std::ffi::CStr;
use std::ptr::NonNull;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::Error;

/// Calls C_Initialize; the module is to use the system's locks. With `reserved` the reserved field
/// of its arguments (PKCS#11, section 5.4) points to that text: for modules that read one there.
///
/// # Errors
/// What the module answers.
pub fn initialize(context: &Pkcs11, reserved: Option<&'static CStr>) -> Result<(), Error> {
    let flags = CInitializeFlags::OS_LOCKING_OK;
    let arguments = match reserved {
        None => CInitializeArgs::new(flags),
        Some(text) => {
            let text = NonNull::from(text).cast();
            // SAFETY: the pointer is to a text that ends with a NUL byte and lives as long as the
            // process, so also longer than any module that keeps the pointer. What the reserved
            // field is to a module cannot be seen from here: whoever names the text with the
            // module vouches for both, as for the module's code itself.
            unsafe { CInitializeArgs::new_with_reserved(flags, text) }
        }
    };
    context.initialize(arguments)
}
