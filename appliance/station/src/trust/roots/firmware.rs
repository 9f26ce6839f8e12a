//! The anchors that are built into the binary.
//!
//! The build script checked them; what is in the binary is checked again before it is used.

use std::borrow::Cow;

use oms_verify::reason::{Code, Reason};

/// The folder as people know it.
const SHOWN: &str = "built-in firmware-roots";

/// The anchors of this binary.
pub(super) const FIRMWARE: Firmware = include!(concat!(env!("OUT_DIR"), "/firmware_roots.rs"));

/// A manifest and its files, as the build script writes them down.
#[derive(Debug)]
pub(super) struct Firmware {
    /// The text of the manifest.
    pub(super) manifest: &'static str,
    /// Each file: its path in the manifest, and its bytes.
    pub(super) files: &'static [(&'static str, &'static [u8])],
}

impl Firmware {
    /// The bytes of a file.
    ///
    /// # Errors
    /// [`Code::TrustAnchor`] when it is not there.
    pub(super) fn read(&self, file: &str) -> Result<Cow<'static, [u8]>, Reason> {
        let found = self.files.iter().find(|(name, _)| *name == file);
        found.map(|(_, bytes)| Cow::Borrowed(*bytes)).ok_or_else(|| {
            Reason::new(Code::TrustAnchor, "the file is not in the binary").about(shown(file))
        })
    }
}

/// A file of the folder as people know it.
pub(super) fn shown(file: &str) -> String {
    format!("{SHOWN}/{file}")
}
