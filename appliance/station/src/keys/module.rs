//! A loaded PKCS#11 module, and its restart.
//!
//! ```text
//!  load ──▶ Module ──running()──▶ Running: calls, shared by all keys
//!               └───restart(round)──▶ alone: sessions end, C_Finalize, C_Initialize, next round
//! ```
//!
//! A module keeps state for the whole process (its initialisation, the login to each token), so
//! there is one [`Module`] for each library file, and it is never unloaded.

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard, Weak};

use cryptoki::context::{Function, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::MechanismType;
use cryptoki::slot::{Slot, TokenInfo};

use super::error::KeyError;
use super::login::Logins;
use super::pkcs11::{EcdsaSupport, TokenName};
use super::pool::Pool;
use super::uri::Pkcs11Uri;

/// A loaded module.
pub(super) struct Module {
    path: PathBuf,
    /// What it is initialised with.
    reserved: Option<&'static CStr>,
    /// Shared by those who call the module, held alone by who restarts it.
    running: RwLock<Running>,
    /// The sessions of each key. They end before the module is restarted: a handle from before
    /// could be another session's afterwards.
    pools: Mutex<Vec<Weak<Pool>>>,
    logins: Logins,
}

/// A module that is initialised. As long as this is borrowed, it is not restarted.
pub(super) struct Running {
    context: Pkcs11,
    /// Counts the restarts.
    round: u64,
    /// False if another part of the process initialised it: then it is theirs to finalise.
    ours: bool,
}

impl Module {
    /// The module of a library file; loads and initialises it at the first call. True with it if
    /// this was that call. `reserved` goes with C_Initialize.
    pub(super) fn load(
        path: &Path,
        reserved: Option<&CStr>,
    ) -> Result<(Arc<Module>, bool), KeyError> {
        static MODULES: OnceLock<Mutex<BTreeMap<PathBuf, Arc<Module>>>> = OnceLock::new();
        // Two names of one file are one module. What cannot be resolved, the loader will refuse.
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let mut modules = lock(MODULES.get_or_init(Mutex::default));
        if let Some(module) = modules.get(&path) {
            if module.reserved != reserved {
                return Err(KeyError::InitReserved { path });
            }
            return Ok((Arc::clone(module), false));
        }
        // A module lives as long as the process, and may keep the text as long.
        let reserved = reserved.map(|text| &*Box::leak(Box::from(text)));
        let start = || -> Result<Running, Error> {
            let context = Pkcs11::new(&path)?;
            let ours = initialise(&context, reserved)?;
            Ok(Running { context, round: 0, ours })
        };
        let running = start().map_err(|cause| KeyError::Module { path: path.clone(), cause })?;
        let module = Arc::new(Module {
            path: path.clone(),
            reserved,
            running: RwLock::new(running),
            pools: Mutex::default(),
            logins: Logins::default(),
        });
        modules.insert(path, Arc::clone(&module));
        Ok((module, true))
    }

    /// The module, not to be restarted meanwhile. A thread must not ask for it twice at a time.
    pub(super) fn running(&self) -> RwLockReadGuard<'_, Running> {
        self.running.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was found out about the PINs of its tokens. It outlives restarts.
    pub(super) fn logins(&self) -> &Logins {
        &self.logins
    }

    /// Sessions that are to end before the module is restarted.
    pub(super) fn register(&self, pool: &Arc<Pool>) {
        let mut pools = lock(&self.pools);
        pools.retain(|pool| pool.strong_count() > 0);
        pools.push(Arc::downgrade(pool));
    }

    /// Ends every session and initialises the module anew, unless another thread has done so since
    /// `round`. All logins end with it.
    ///
    /// # Errors
    /// [`KeyError::Module`] when it cannot be initialised. The next call tries again.
    pub(super) fn restart(&self, round: u64) -> Result<(), KeyError> {
        let mut running = self.running.write().unwrap_or_else(PoisonError::into_inner);
        if running.round != round {
            return Ok(());
        }
        running.round = round.wrapping_add(1);
        for pool in lock(&self.pools).iter().filter_map(Weak::upgrade) {
            pool.clear();
        }
        if !running.ours {
            return Ok(());
        }
        // A module whose device is gone may fail at this. Whether it is of use again, the next
        // call tells.
        let _ = running.context.clone().finalize();
        initialise(&running.context, self.reserved)
            .map(drop)
            .map_err(|cause| KeyError::Module { path: self.path.clone(), cause })
    }
}

impl Running {
    pub(super) fn context(&self) -> &Pkcs11 {
        &self.context
    }

    /// Which initialisation of the module this is.
    pub(super) fn round(&self) -> u64 {
        self.round
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

    fn library_fits(&self, uri: &Pkcs11Uri) -> Result<bool, KeyError> {
        let wanted = &uri.library;
        let info = self.context.get_library_info()?;
        let version = info.library_version();
        Ok(is_absent_or(&wanted.manufacturer, info.manufacturer_id())
            && is_absent_or(&wanted.description, info.library_description())
            && wanted.version.is_none_or(|wanted| wanted == (version.major(), version.minor())))
    }
}

/// Initialises a module. False if another part of the process did, which serves as well.
fn initialise(context: &Pkcs11, reserved: Option<&'static CStr>) -> Result<bool, Error> {
    match oms_sys::pkcs11::initialize(context, reserved) {
        Ok(()) => Ok(true),
        Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, Function::Initialize)) => Ok(false),
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
