//! Trust anchors and how each is read.

use std::collections::BTreeSet;

use super::manifest::Entry;
use super::{Certificate, CertificateError, Purpose};
use crate::hash::Sha256Digest;

/// A certificate that was installed by an officer or built in, and is trusted as such.
///
/// It may be a self-signed root, an intermediate, or a self-signed signer that is pinned. Path
/// validation does not look at `purposes`: give it only the anchors that fit the question.
#[derive(Clone, Debug)]
pub struct Anchor {
    /// The name by which policies refer to it.
    pub name: String,
    /// The certificate.
    pub certificate: Certificate,
    /// What it may vouch for.
    pub purposes: BTreeSet<Purpose>,
    /// Where it came from and who checked it.
    pub provenance: String,
    /// Digest of the file that it was read from.
    pub file_sha256: Sha256Digest,
}

/// Why the file of a manifest's entry is not an anchor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnchorError {
    /// The file is not the one that the manifest pins.
    #[error("its SHA-256 is {found}, the manifest says {expected}")]
    Digest {
        /// The digest of the file.
        found: Sha256Digest,
        /// The digest in the manifest.
        expected: String,
    },
    /// The file is not a certificate.
    #[error("{0}")]
    Certificate(#[from] CertificateError),
    /// The file holds several certificates: which one is meant is not said.
    #[error("it holds {0} certificates instead of one")]
    Several(usize),
}

impl Anchor {
    /// Reads the anchor that a manifest's `entry` names out of its file's `bytes`: one certificate
    /// in PEM or DER.
    ///
    /// # Errors
    /// When the bytes have another digest than the entry says, or are not one certificate.
    pub fn read(entry: &Entry, bytes: &[u8]) -> Result<Anchor, AnchorError> {
        let file_sha256 = check_digest(entry, bytes)?;
        Ok(Anchor {
            name: entry.name.clone(),
            certificate: read_one(bytes)?,
            purposes: entry.purposes.clone(),
            provenance: entry.provenance.clone(),
            file_sha256,
        })
    }
}

/// Checks that `bytes` are the file that a manifest's `entry` pins, and gives their digest.
///
/// # Errors
/// [`AnchorError::Digest`].
pub fn check_digest(entry: &Entry, bytes: &[u8]) -> Result<Sha256Digest, AnchorError> {
    let found = Sha256Digest::of(bytes);
    if found.to_hex() == entry.sha256 {
        Ok(found)
    } else {
        Err(AnchorError::Digest { found, expected: entry.sha256.clone() })
    }
}

/// One certificate in PEM or DER. DER begins with the tag of a SEQUENCE and a length of several
/// bytes, which is no text.
fn read_one(bytes: &[u8]) -> Result<Certificate, AnchorError> {
    if matches!(bytes, [0x30, 0x80..=0xff, ..]) {
        return Ok(Certificate::from_der(bytes)?);
    }
    let certificates = Certificate::many_from_pem(bytes)?;
    match <[Certificate; 1]>::try_from(certificates) {
        Ok([certificate]) => Ok(certificate),
        Err(several) => Err(AnchorError::Several(several.len())),
    }
}
