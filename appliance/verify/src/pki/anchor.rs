//! Trust anchors and what each may vouch for.

use std::collections::BTreeSet;
use std::fmt;

use super::Certificate;
use crate::hash::Sha256Digest;

/// What an anchor may vouch for, as `purpose` in `roots.toml` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// Signers of models.
    CodeSigning,
    /// Signers of verdicts.
    Verdict,
    /// Time stamping authorities (RFC 3161).
    Timestamping,
    /// Certificates of a Sigstore instance.
    Sigstore,
    /// Officers of the station.
    Officer,
}

impl Purpose {
    /// Every purpose.
    pub const ALL: [Purpose; 5] = [
        Purpose::CodeSigning,
        Purpose::Verdict,
        Purpose::Timestamping,
        Purpose::Sigstore,
        Purpose::Officer,
    ];

    /// The name in `roots.toml`, such as `code-signing`.
    pub fn name(self) -> &'static str {
        match self {
            Purpose::CodeSigning => "code-signing",
            Purpose::Verdict => "verdict",
            Purpose::Timestamping => "timestamping",
            Purpose::Sigstore => "sigstore",
            Purpose::Officer => "officer",
        }
    }

    /// The purpose that `roots.toml` calls `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.name() == name)
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purposes_have_the_names_of_roots_toml() {
        let names = Purpose::ALL.map(Purpose::name);
        assert_eq!(names, ["code-signing", "verdict", "timestamping", "sigstore", "officer"]);
        assert_eq!(names.map(Purpose::from_name), Purpose::ALL.map(Some));
        assert_eq!(Purpose::from_name("CodeSigning"), None);
    }
}
