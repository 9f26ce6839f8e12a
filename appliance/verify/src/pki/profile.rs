//! What is asked of the certificates of a path, by what the leaf is used for (design, section 5).

/// What a leaf is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// It signs models and verdicts: codeSigning and digitalSignature, and nothing wider.
    CodeSigning,
    /// It signs time stamps (RFC 3161, section 2.3).
    Timestamping,
    /// Anything: no rule beyond the standard's.
    Any,
}

/// What is asked of the certificates of a path beyond RFC 5280.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// What the leaf is used for.
    pub usage: Usage,
    /// Bits that the leaf's RSA key must have at least.
    pub least_rsa_bits: u32,
    /// Whether the leaf may also be a CA: only the public conformance cases need it.
    pub leaf_may_be_ca: bool,
    /// Whether rules of RFC 5280, section 4, that bind the CA and that path validation does not
    /// rest on (key identifiers, serial numbers, form of names) are held against a certificate.
    /// Signers come from PKIs of many hands, and lose nothing by it.
    pub strict_form: bool,
}

impl Profile {
    /// The profile of the design, section 5.
    pub const CODE_SIGNING: Profile = Profile {
        usage: Usage::CodeSigning,
        least_rsa_bits: 3072,
        leaf_may_be_ca: false,
        strict_form: false,
    };
    /// The same for leaves that may also be CAs, as those of the public conformance cases are.
    pub const CONFORMANCE_SUITE: Profile =
        Profile { leaf_may_be_ca: true, ..Profile::CODE_SIGNING };
    /// Time stamping authorities.
    pub const TIMESTAMPING: Profile = Profile {
        usage: Usage::Timestamping,
        least_rsa_bits: 2048,
        leaf_may_be_ca: false,
        strict_form: false,
    };
    /// Any certificate of any PKI, by the whole of RFC 5280.
    pub const ANY: Profile =
        Profile { usage: Usage::Any, least_rsa_bits: 0, leaf_may_be_ca: true, strict_form: true };
}
