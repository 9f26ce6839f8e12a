//! PKCS#11 modules and what stands in their slots.
//!
//! A module keeps state for the whole process (its initialisation, the login to each token), so
//! there is one [`Module`] for each library file, and it is never unloaded.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Function, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::MechanismType;
use cryptoki::slot::{Slot, TokenInfo};
use oms_verify::reason::Printable;

use super::error::KeyError;
use super::uri::Pkcs11Uri;

/// A slot of a PKCS#11 module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HsmSlot {
    /// The slot's number. It may change when the machine starts again.
    pub id: u64,
    /// What the module calls the slot.
    pub description: String,
    /// The token in it, if there is one.
    pub token: Option<HsmToken>,
}

/// A token in a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HsmToken {
    /// What the token is called.
    pub name: TokenName,
    /// Whether it was ever initialised. If not, it holds no keys.
    pub initialized: bool,
    /// How its user PIN stands.
    pub pin: PinState,
    /// How it signs with ECDSA, if it does.
    pub ecdsa: Option<EcdsaSupport>,
}

/// What a token is called. Two tokens can have one label; serial numbers tell them apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenName {
    /// The label that was given to it.
    pub label: String,
    /// Who made it.
    pub manufacturer: String,
    /// Its model.
    pub model: String,
    /// Its serial number.
    pub serial: String,
}

impl fmt::Display for TokenName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} (serial {})", self.label, Printable(&self.serial))
    }
}

/// How a token's user PIN stands (the flags of CK_TOKEN_INFO).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinState {
    /// No user PIN was set.
    NotSet,
    /// Set, and no wrong try since the last right one, as far as the token tells.
    Good,
    /// Somebody tried a wrong PIN since the last right one.
    CountLow,
    /// One more wrong try locks the token.
    LastTry,
    /// Locked.
    Locked,
}

/// How a token signs with the mechanism CKM_ECDSA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EcdsaSupport {
    /// The smallest key, in bits.
    pub min_bits: usize,
    /// The largest key, in bits.
    pub max_bits: usize,
    /// Whether hardware does it.
    pub hardware: bool,
}

/// Lists the slots of a module, without login.
///
/// # Errors
/// [`KeyError::Module`] when the module cannot be loaded, [`KeyError::Operation`] when it fails.
pub fn list(module: &Path) -> Result<Vec<HsmSlot>, KeyError> {
    let module = Module::load(module)?;
    let context = module.context();
    let mut slots = Vec::new();
    for slot in context.get_all_slots()? {
        let info = context.get_slot_info(slot)?;
        let token = match module.token_info(slot)? {
            Some(token) => Some(HsmToken {
                name: TokenName::from_info(&token),
                initialized: token.token_initialized(),
                pin: PinState::from_info(&token),
                ecdsa: module.ecdsa_support(slot)?,
            }),
            None => None,
        };
        let description = info.slot_description().to_owned();
        slots.push(HsmSlot { id: slot.id(), description, token });
    }
    Ok(slots)
}

impl TokenName {
    fn from_info(info: &TokenInfo) -> Self {
        TokenName {
            label: info.label().to_owned(),
            manufacturer: info.manufacturer_id().to_owned(),
            model: info.model().to_owned(),
            serial: info.serial_number().to_owned(),
        }
    }
}

impl PinState {
    pub(super) fn from_info(info: &TokenInfo) -> Self {
        if info.user_pin_locked() {
            PinState::Locked
        } else if info.user_pin_final_try() {
            PinState::LastTry
        } else if !info.user_pin_initialized() {
            PinState::NotSet
        } else if info.user_pin_count_low() {
            PinState::CountLow
        } else {
            PinState::Good
        }
    }
}

/// A loaded and initialised module.
pub(super) struct Module {
    context: Pkcs11,
    /// Held during a login. Lists the tokens to which this process gave a wrong PIN.
    wrong_pins: Mutex<BTreeSet<TokenName>>,
}

impl Module {
    /// The module of a library file; loads and initialises it at the first call.
    pub(super) fn load(path: &Path) -> Result<Arc<Module>, KeyError> {
        static MODULES: OnceLock<Mutex<BTreeMap<PathBuf, Arc<Module>>>> = OnceLock::new();
        // Two names of one file are one module. What cannot be resolved, the loader will refuse.
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let mut modules = lock(MODULES.get_or_init(Mutex::default));
        if let Some(module) = modules.get(&path) {
            return Ok(Arc::clone(module));
        }
        let context =
            initialise(&path).map_err(|cause| KeyError::Module { path: path.clone(), cause })?;
        let module = Arc::new(Module { context, wrong_pins: Mutex::default() });
        modules.insert(path, Arc::clone(&module));
        Ok(module)
    }

    pub(super) fn context(&self) -> &Pkcs11 {
        &self.context
    }

    /// The one token that fits the URI.
    pub(super) fn find_token(&self, uri: &Pkcs11Uri) -> Result<(Slot, TokenName), KeyError> {
        let mut present = Vec::new();
        let mut matching = Vec::new();
        let library_fits = self.library_fits(uri)?;
        for slot in self.context.get_slots_with_token()? {
            let Some(info) = self.token_info(slot)?.filter(TokenInfo::token_initialized) else {
                continue;
            };
            let name = TokenName::from_info(&info);
            let slot_fits = uri.slot_id.is_none_or(|id| id == slot.id());
            if library_fits && slot_fits && uri.fits_token(&name) {
                matching.push((slot, name.clone()));
            }
            present.push(name);
        }
        match (matching.pop(), matching.len()) {
            (Some(found), 0) => Ok(found),
            (found, more) => Err(KeyError::Token {
                wanted: uri.to_string(),
                matches: more.saturating_add(usize::from(found.is_some())),
                present,
            }),
        }
    }

    /// What the token in a slot says about itself; None if it was pulled out.
    pub(super) fn token_info(&self, slot: Slot) -> Result<Option<TokenInfo>, KeyError> {
        match self.context.get_token_info(slot) {
            Ok(info) => Ok(Some(info)),
            Err(Error::Pkcs11(RvError::TokenNotPresent | RvError::TokenNotRecognized, _)) => {
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// How the token in a slot signs with CKM_ECDSA, if it does.
    pub(super) fn ecdsa_support(&self, slot: Slot) -> Result<Option<EcdsaSupport>, KeyError> {
        if !self.context.get_mechanism_list(slot)?.contains(&MechanismType::ECDSA) {
            return Ok(None);
        }
        let info = self.context.get_mechanism_info(slot, MechanismType::ECDSA)?;
        Ok(info.sign().then(|| EcdsaSupport {
            min_bits: info.min_key_size(),
            max_bits: info.max_key_size(),
            hardware: info.hardware(),
        }))
    }

    /// The lock of the logins, with the tokens to which a wrong PIN was given.
    pub(super) fn logins(&self) -> MutexGuard<'_, BTreeSet<TokenName>> {
        lock(&self.wrong_pins)
    }

    fn library_fits(&self, uri: &Pkcs11Uri) -> Result<bool, KeyError> {
        let wanted = &uri.library;
        let info = self.context.get_library_info()?;
        let version = info.library_version();
        Ok(is_absent_or(&wanted.manufacturer, info.manufacturer_id())
            && is_absent_or(&wanted.description, info.library_description())
            && wanted.version.is_none_or(|wanted| wanted == (version.major(), version.minor())))
    }
}

fn initialise(path: &Path) -> Result<Pkcs11, Error> {
    let context = Pkcs11::new(path)?;
    match context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) => Ok(context),
        // Another part of the process did it, which serves as well.
        Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, Function::Initialize)) => {
            Ok(context)
        }
        Err(error) => Err(error),
    }
}

impl Pkcs11Uri {
    /// Whether the URI fits what a token is called.
    pub(super) fn fits_token(&self, name: &TokenName) -> bool {
        is_absent_or(&self.token, &name.label)
            && is_absent_or(&self.manufacturer, &name.manufacturer)
            && is_absent_or(&self.model, &name.model)
            && is_absent_or(&self.serial, &name.serial)
    }
}

fn is_absent_or(wanted: &Option<String>, found: &str) -> bool {
    wanted.as_deref().is_none_or(|wanted| wanted == found)
}

/// Locks; a thread that panicked with the lock left data that is whole at every moment.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
