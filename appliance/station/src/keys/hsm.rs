//! A signing key on a PKCS#11 token: found, logged in to, and used with CKM_ECDSA only.
//!
//! The digest is made here and the token signs the digest: CKM_ECDSA is what every token has,
//! while the mechanisms that hash on the token differ from one to the next.
//!
//! Tokens are pulled out, modules and their brokers are restarted. A call that fails is followed by
//! one restart of the module, at most one login and one more call; then the error is told.
//! Whoever asks later gets the same again, so that a key works as soon as its HSM does.

use std::fmt;
use std::sync::Arc;

use cryptoki::mechanism::Mechanism;
use oms_verify::key::PublicKey;

use super::ecdsa::Curve;
use super::error::{KeyError, Unfit};
use super::login::Login;
use super::module::{Module, Running};
use super::object::{Found, KeyName};
use super::pkcs11::TokenName;
use super::pool::{Pool, Seat};
use super::quirks::Quirks;
use super::uri::Pkcs11Uri;

/// The name of the one mechanism that is used.
pub(super) const MECHANISM: &str = "CKM_ECDSA";

/// A private key on a token, ready to sign.
pub(super) struct HsmKey {
    module: Arc<Module>,
    uri: Pkcs11Uri,
    pool: Arc<Pool>,
    /// Held for the PIN in it, which may be one that can be read only once.
    _login: Arc<Login>,
    curve: &'static Curve,
    public: PublicKey,
    token: TokenName,
    name: KeyName,
    exportable: bool,
}

impl HsmKey {
    /// Finds the token, logs in to it if it asks for that, and finds the key and its public key.
    pub(super) fn open(uri: &Pkcs11Uri) -> Result<Self, KeyError> {
        let (module, fresh) = Module::load(uri.module_path(), uri.init_reserved())?;
        let round = module.running().round();
        match Self::open_once(&module, uri) {
            // Some modules look for tokens only when they are initialised.
            Err(error) if !fresh && error.may_pass() => {
                module.restart(round)?;
                Self::open_once(&module, uri)
            }
            opened => opened,
        }
    }

    fn open_once(module: &Arc<Module>, uri: &Pkcs11Uri) -> Result<Self, KeyError> {
        let running = module.running();
        let Opened { seat, found, token, login } = Opened::open(module, &running, uri)?;
        let pool = Arc::new(Pool::new(Quirks::of(uri.module_path()).sessions, seat));
        module.register(&pool);
        Ok(HsmKey {
            module: Arc::clone(module),
            uri: uri.clone(),
            pool,
            _login: login,
            curve: found.curve,
            public: found.public,
            token,
            name: found.name,
            exportable: found.exportable,
        })
    }

    pub(super) fn public_key(&self) -> &PublicKey {
        &self.public
    }

    pub(super) fn token(&self) -> &TokenName {
        &self.token
    }

    pub(super) fn name(&self) -> &KeyName {
        &self.name
    }

    /// Whether `uri` fits this key, wherever it says that the token's module is.
    pub(super) fn fits(&self, uri: &Pkcs11Uri) -> bool {
        uri.fits_token(&self.token)
            && uri.object.as_ref().is_none_or(|label| *label == self.name.label)
            && uri.id.as_ref().is_none_or(|id| *id == self.name.id)
    }

    pub(super) fn quirks(&self) -> &'static Quirks {
        Quirks::of(self.uri.module_path())
    }

    pub(super) fn is_exportable(&self) -> bool {
        self.exportable
    }

    /// A signature that the caller has yet to verify.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let digest = self.curve.digest(message);
        let round = self.module.running().round();
        let raw = match self.sign_once(&digest) {
            Err(error) if error.may_pass() => {
                self.module.restart(round)?;
                self.sign_once(&digest)?
            }
            signed => signed?,
        };
        self.curve.signature_to_der(&raw).ok_or(KeyError::BadSignature)
    }

    fn sign_once(&self, digest: &[u8]) -> Result<Vec<u8>, KeyError> {
        let running = self.module.running();
        let (place, seat) = self.pool.take(|| self.another_seat(&running))?;
        let raw = seat.session.sign(&Mechanism::Ecdsa, seat.object, digest)?;
        place.keep(seat);
        Ok(raw)
    }

    /// One more session, in which the key is still the same one.
    fn another_seat(&self, running: &Running) -> Result<Seat, KeyError> {
        let Opened { seat, found, token, .. } = Opened::open(&self.module, running, &self.uri)?;
        if found.public != self.public {
            return Err(KeyError::KeyUnfit {
                token: Box::new(token),
                key: found.name,
                why: Unfit::Another,
            });
        }
        Ok(seat)
    }
}

/// A session that is logged in, and the key that was found in it.
struct Opened {
    seat: Seat,
    found: Found,
    token: TokenName,
    login: Arc<Login>,
}

impl Opened {
    fn open(module: &Module, running: &Running, uri: &Pkcs11Uri) -> Result<Self, KeyError> {
        let (slot, token) = running.find_token(uri)?;
        let session = running.context().open_ro_session(slot)?;
        let source = uri.pin_source();
        let login = module.logins().log_in(running, &session, (slot, &token), source)?;
        let found = Found::find(&session, uri, &token)?;
        if running.ecdsa_support(slot)?.is_none() {
            let (token, why) = (Box::new(token), Unfit::Mechanism);
            return Err(KeyError::KeyUnfit { token, key: found.name, why });
        }
        Ok(Opened { seat: Seat { session, object: found.object }, found, token, login })
    }
}

impl Drop for HsmKey {
    /// Its sessions end while the module is not being restarted.
    fn drop(&mut self) {
        let _running = self.module.running();
        self.pool.clear();
    }
}

impl fmt::Debug for HsmKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HsmKey({} on {}, {:?})", self.name, self.token, self.public)
    }
}
