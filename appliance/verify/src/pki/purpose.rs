//! What an anchor may vouch for.
//!
//! This file is compiled twice, see [`manifest`](super::manifest): it needs nothing of this crate.

use std::fmt;

/// What an anchor may vouch for, as `purpose` in `roots.toml` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// Signers of models.
    CodeSigning,
    /// Signers of verdicts.
    Verdict,
    /// Time stamping authorities (RFC 3161).
    Timestamping,
    /// A Sigstore instance: its file is a trusted root, not a certificate.
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
