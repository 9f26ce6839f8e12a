//! What stands in the slots of a PKCS#11 module.

use std::ffi::CStr;
use std::fmt;
use std::path::Path;

use cryptoki::slot::TokenInfo;
use oms_verify::reason::Printable;

use super::error::KeyError;
use super::module::{Module, Running};

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

/// Lists the slots of a module, without login. `init_reserved` is what it is initialised with, as
/// `x-init-reserved` in a URI.
///
/// # Errors
/// [`KeyError::Module`] when the module cannot be loaded, [`KeyError::Operation`] when it fails.
pub fn list(module: &Path, init_reserved: Option<&CStr>) -> Result<Vec<HsmSlot>, KeyError> {
    let (module, fresh) = Module::load(module, init_reserved)?;
    let (round, listed) = {
        let running = module.running();
        (running.round(), slots(&running))
    };
    match listed {
        Err(_) if !fresh => {
            module.restart(round)?;
            slots(&module.running())
        }
        listed => listed,
    }
}

fn slots(running: &Running) -> Result<Vec<HsmSlot>, KeyError> {
    let context = running.context();
    let mut slots = Vec::new();
    for slot in context.get_all_slots()? {
        let info = context.get_slot_info(slot)?;
        let token = match running.token_info(slot)? {
            Some(token) => Some(HsmToken {
                name: TokenName::from_info(&token),
                initialized: token.token_initialized(),
                pin: PinState::from_info(&token),
                ecdsa: running.ecdsa_support(slot)?,
            }),
            None => None,
        };
        let description = info.slot_description().to_owned();
        slots.push(HsmSlot { id: slot.id(), description, token });
    }
    Ok(slots)
}

impl TokenName {
    pub(super) fn from_info(info: &TokenInfo) -> Self {
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
