//! The trusted root of a Sigstore instance.

use crate::hash::Sha256Digest;

/// Bytes of a trusted root's file, at most.
const SIZE_LIMIT: usize = 4 << 20;

/// The keys and certificates of one Sigstore instance (`trusted_root.json`), installed by an
/// officer or built in.
#[derive(Clone, Debug)]
pub struct TrustedRoot {
    /// The name by which policies refer to it.
    pub name: String,
    /// Digest of the file that it was read from.
    pub sha256: Sha256Digest,
    /// The file's text.
    pub text: String,
}

/// Why bytes are not a trusted root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustedRootError {
    /// The file is too large.
    #[error("the trusted root has more than {SIZE_LIMIT} bytes")]
    TooLarge,
    /// The file is not UTF-8.
    #[error("the trusted root is not UTF-8")]
    NotText,
}

impl TrustedRoot {
    /// Reads a trusted root.
    ///
    /// # Errors
    /// When the bytes are too many, or not text.
    pub fn parse(name: &str, bytes: &[u8]) -> Result<Self, TrustedRootError> {
        if bytes.len() > SIZE_LIMIT {
            return Err(TrustedRootError::TooLarge);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| TrustedRootError::NotText)?;
        let (name, text) = (name.to_owned(), text.to_owned());
        Ok(TrustedRoot { name, sha256: Sha256Digest::of(bytes), text })
    }
}
