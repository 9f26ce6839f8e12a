//! Logging in to a token: once, and never again after a refusal.
//!
//! Wrong tries lock a token. So one thread logs in at a time; a PIN that a token refused is not
//! tried again by this process, in no session and after no restart of the module; and no PIN is
//! tried where the token tells of a wrong try or of its last one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, Weak};

use cryptoki::error::{Error, RvError};
use cryptoki::session::{Session, SessionState, UserType};
use cryptoki::slot::Slot;
use secrecy::SecretString;

use super::error::KeyError;
use super::module::{Running, lock};
use super::pin::{PinFault, PinSource};
use super::pkcs11::{PinState, TokenName};

/// Who hears of each try of a PIN.
type Witness = Box<dyn Fn(bool) + Send + Sync>;

static WITNESS: OnceLock<Witness> = OnceLock::new();

/// Has `witness` told, with true, that this process is going to try a PIN, and with false, that the
/// token has answered: should the process end in between, others know that a try may have been spent.
/// Only the first call of a process counts.
pub(crate) fn witness_logins(witness: impl Fn(bool) + Send + Sync + 'static) {
    let _ = WITNESS.set(Box::new(witness));
}

fn tell_witness(begins: bool) {
    if let Some(witness) = WITNESS.get() {
        witness(begins);
    }
}

/// What this process knows about the PINs of a module's tokens.
#[derive(Default)]
pub(super) struct Logins(Mutex<BTreeMap<TokenName, Known>>);

/// What is known about one token's PIN.
#[derive(Default)]
struct Known {
    refused: Option<Refused>,
    login: Weak<Login>,
}

/// How a token refused a PIN.
#[derive(Clone, Copy)]
enum Refused {
    Wrong,
    Locked,
}

/// The login to a token. Each key of the token holds it.
#[derive(Default)]
pub(super) struct Login {
    /// A PIN that can be read only once, for the time after a restart of the module.
    once: Mutex<Option<SecretString>>,
}

impl Logins {
    /// Logs in as the user, unless this process is logged in already or the token does not ask
    /// for it.
    pub(super) fn log_in(
        &self,
        running: &Running,
        session: &Session,
        (slot, token): (Slot, &TokenName),
        source: Option<&PinSource>,
    ) -> Result<Arc<Login>, KeyError> {
        let mut tokens = lock(&self.0);
        let known = tokens.entry(token.clone()).or_default();
        let login = known.login.upgrade().unwrap_or_default();
        known.login = Arc::downgrade(&login);

        let state = session.get_session_info()?.session_state();
        if matches!(state, SessionState::RoUser | SessionState::RwUser) {
            return Ok(login);
        }
        let info = running.context().get_token_info(slot)?;
        if !info.login_required() {
            return Ok(login);
        }
        match known.refused {
            Some(Refused::Wrong) => return Err(KeyError::PinWrongBefore { token: token.clone() }),
            Some(Refused::Locked) => return Err(KeyError::PinLocked { token: token.clone() }),
            None => check_tries(PinState::from_info(&info), token)?,
        }
        let source = source.ok_or_else(|| KeyError::PinMissing { token: token.clone() })?;
        let pin = login
            .pin(source)
            .map_err(|fault| KeyError::Pin { pin_source: source.clone(), fault })?;

        tell_witness(true);
        let answered = session.login(UserType::User, Some(&pin));
        tell_witness(false);
        match answered {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(login),
            Err(Error::Pkcs11(
                RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange,
                _,
            )) => {
                known.refused = Some(Refused::Wrong);
                Err(KeyError::PinWrong { token: token.clone() })
            }
            Err(Error::Pkcs11(RvError::PinLocked | RvError::PinExpired, _)) => {
                known.refused = Some(Refused::Locked);
                Err(KeyError::PinLocked { token: token.clone() })
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl Login {
    /// The PIN. A file or a credential is read anew each time, since a person may have changed it;
    /// what a descriptor gives is kept as long as a key of the token is open.
    fn pin(&self, source: &PinSource) -> Result<SecretString, PinFault> {
        if !matches!(source, PinSource::Fd(_)) {
            return source.read();
        }
        let mut once = lock(&self.once);
        if let Some(pin) = once.as_ref() {
            return Ok(pin.clone());
        }
        let pin = source.read()?;
        *once = Some(pin.clone());
        Ok(pin)
    }
}

/// Whether a PIN may be tried at all. A wrong one would be tried again at each start, so nothing is
/// tried until a person has logged in, which sets the token's count back.
fn check_tries(pin: PinState, token: &TokenName) -> Result<(), KeyError> {
    let token = token.clone();
    match pin {
        PinState::Good => Ok(()),
        PinState::CountLow => Err(KeyError::PinCountLow { token }),
        PinState::LastTry => Err(KeyError::PinLastTry { token }),
        PinState::Locked | PinState::NotSet => Err(KeyError::PinLocked { token }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_tried_only_when_none_was_wrong_before() {
        let token = TokenName {
            label: "corp".to_owned(),
            manufacturer: String::new(),
            model: String::new(),
            serial: "1".to_owned(),
        };
        check_tries(PinState::Good, &token).unwrap();
        for pin in [PinState::CountLow, PinState::LastTry, PinState::Locked, PinState::NotSet] {
            let error = check_tries(pin, &token).unwrap_err();
            assert_eq!(error.code().id(), "hsm.locked", "{pin:?}");
        }
        let error = check_tries(PinState::CountLow, &token).unwrap_err();
        assert!(error.to_string().contains("log in once by hand"), "{error}");
    }
}
