//! Why a signing key cannot be used.

use std::path::{Path, PathBuf};

use cryptoki::error::{Error, RvError};
use oms_verify::reason::{Code, Printable};

use super::object::KeyName;
use super::pem::PemFault;
use super::pin::{PinFault, PinSource};
use super::pkcs11::TokenName;
use super::private_file::FileFault;
use super::quirks::Quirks;
use super::uri::UriError;

/// What to do after a wrong PIN.
const BY_HAND: &str = "check the PIN, log in once by hand, for example with `pkcs11-tool --module \
                       MODULE --token-label LABEL --login --test`, then start again";

/// Why a signing key cannot be used. No variant holds a PIN or key bytes.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The PKCS#11 URI is not valid or not allowed.
    #[error("the PKCS#11 URI is refused: {0}")]
    Uri(#[from] UriError),
    /// The private key file cannot be read, or others may read it.
    #[error("the private key file {path:?} cannot be used: {fault}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        fault: FileFault,
    },
    /// The private key file does not hold one supported key.
    #[error("the private key file {path:?} cannot be used: {fault}")]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong with its text.
        #[source]
        fault: PemFault,
    },
    /// The PIN cannot be read.
    #[error("the PIN cannot be read from {pin_source}: {fault}")]
    Pin {
        /// Where it should come from.
        pin_source: PinSource,
        /// What is wrong.
        #[source]
        fault: PinFault,
    },
    /// The token asks for a PIN and the URI has no pin-source.
    #[error("the token {token} asks for a PIN; the URI has no pin-source")]
    PinMissing {
        /// The token.
        token: TokenName,
    },
    /// The module cannot be loaded or initialised.
    #[error("the PKCS#11 module {path:?} cannot be loaded: {cause}{}", hint(path, cause))]
    Module {
        /// The shared library.
        path: PathBuf,
        /// What the loader or the module said.
        cause: Error,
    },
    /// The module is initialised already, with another text.
    #[error("the PKCS#11 module {path:?} is in use with another x-init-reserved")]
    InitReserved {
        /// The shared library.
        path: PathBuf,
    },
    /// Not exactly one token fits the URI.
    #[error("{matches} tokens fit {wanted}; present are: {}", Listed(present))]
    Token {
        /// The URI, without its query.
        wanted: String,
        /// How many tokens fit.
        matches: usize,
        /// All tokens that are present.
        present: Vec<TokenName>,
    },
    /// The token was given a wrong PIN. It is not tried again.
    #[error("the PIN for the token {token} is wrong; it is not tried again: {}", BY_HAND)]
    PinWrong {
        /// The token.
        token: TokenName,
    },
    /// An earlier try of this process had a wrong PIN.
    #[error(
        "this process gave the token {token} a wrong PIN before and does not try again; {}",
        BY_HAND
    )]
    PinWrongBefore {
        /// The token.
        token: TokenName,
    },
    /// The token says that a wrong PIN was tried since the last login. Were it tried at each start,
    /// a wrong one in a file would lock the token.
    #[error("a wrong PIN was tried at the token {token} since its last login; {}", BY_HAND)]
    PinCountLow {
        /// The token.
        token: TokenName,
    },
    /// One more wrong PIN would lock the token, so none is tried.
    #[error("the token {token} allows one last try of the PIN; it is left to its officer")]
    PinLastTry {
        /// The token.
        token: TokenName,
    },
    /// The user PIN is locked or was never set.
    #[error("the user PIN of the token {token} is locked or not set")]
    PinLocked {
        /// The token.
        token: TokenName,
    },
    /// Not exactly one private key fits the URI.
    #[error("{matches} signing keys of the token {token} fit {wanted}; found: {}", Listed(found))]
    Key {
        /// The token.
        token: Box<TokenName>,
        /// The URI, without its query.
        wanted: String,
        /// How many private keys that may sign fit.
        matches: usize,
        /// The keys that fit, or when none does, the token's signing keys (16 at most).
        found: Vec<KeyName>,
    },
    /// The private key was found and cannot serve here.
    #[error("the key {key} of the token {token} cannot be used: {why}")]
    KeyUnfit {
        /// The token.
        token: Box<TokenName>,
        /// The key.
        key: KeyName,
        /// What is missing.
        why: Unfit,
    },
    /// The HSM answered a call with an error.
    #[error("the HSM answered with an error: {0}")]
    Operation(#[from] Error),
    /// A signature was made that is malformed or does not verify under the key's public key.
    #[error("the key gave a signature that does not verify under its public key")]
    BadSignature,
    /// The cryptographic library failed at an operation that does not depend on its input.
    #[error("the cryptographic library failed")]
    Software,
}

/// Why a private key on a token cannot serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It is not an elliptic curve key.
    #[error("it is not an elliptic curve key")]
    NotEc,
    /// Its curve is not supported.
    #[error("its curve is not P-256, P-384 or P-521")]
    Curve,
    /// Its public key is not on the token.
    #[error("its public key is not on the token, neither by id nor by label")]
    NoPublicKey,
    /// More than one public key goes by its id or label.
    #[error("different public keys have its id or label")]
    SeveralPublicKeys,
    /// Its public key is not an uncompressed point of its curve.
    #[error("its public key is not an uncompressed point of its curve")]
    Point,
    /// The token does not sign with the mechanism CKM_ECDSA.
    #[error("the token does not sign with CKM_ECDSA")]
    Mechanism,
    /// It asks for the PIN at each signature.
    #[error("it asks for the PIN at each signature (CKA_ALWAYS_AUTHENTICATE)")]
    AlwaysAuthenticate,
    /// It is not the key that was opened before under this name.
    #[error("it is another key than the one that had its name before")]
    Another,
}

impl KeyError {
    /// Whether the module may do better once it is restarted: it failed at a call, or the token is
    /// not to be seen. A wrong PIN, a wrong key and a wrong signature are wrong for good.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self, KeyError::Operation(_) | KeyError::Token { matches: 0, .. })
    }

    /// The reason code of the error.
    pub fn code(&self) -> Code {
        match self {
            KeyError::Uri(_) => Code::KeyUri,
            KeyError::File { .. } | KeyError::Pem { .. } => Code::KeyFile,
            KeyError::Pin { .. } | KeyError::PinMissing { .. } => Code::KeyPin,
            KeyError::Module { .. } | KeyError::InitReserved { .. } => Code::HsmModule,
            KeyError::Token { .. } => Code::HsmToken,
            KeyError::PinWrong { .. }
            | KeyError::PinWrongBefore { .. }
            | KeyError::PinCountLow { .. }
            | KeyError::PinLastTry { .. }
            | KeyError::PinLocked { .. } => Code::HsmLocked,
            KeyError::Key { .. } | KeyError::KeyUnfit { .. } => Code::HsmKey,
            KeyError::Operation(_) | KeyError::BadSignature | KeyError::Software => {
                Code::HsmOperation
            }
        }
    }
}

/// What to do where a module is known to refuse how it was initialised.
fn hint(path: &Path, cause: &Error) -> String {
    match (cause, Quirks::of(path).init_reserved) {
        (Error::Pkcs11(RvError::ArgumentsBad, _), Some(example)) => {
            format!("; it wants a text in x-init-reserved, such as {example}")
        }
        _ => String::new(),
    }
}

/// Shows a list in one line; an empty one as `none`.
struct Listed<'a, T>(&'a [T]);

impl<T: std::fmt::Display> std::fmt::Display for Listed<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        for (index, item) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{}", Printable(&item.to_string()))?;
        }
        Ok(())
    }
}
