//! A signing key on a PKCS#11 token: found, logged in to, and used with CKM_ECDSA only.
//!
//! The digest is made here and the token signs the digest: CKM_ECDSA is what every token has,
//! while the mechanisms that hash on the token differ from one to the next.

use std::fmt;
use std::sync::Mutex;

use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, SessionState, UserType};
use cryptoki::slot::Slot;
use oms_verify::key::PublicKey;
use oms_verify::reason::Printable;

use super::ecdsa::Curve;
use super::error::{KeyError, Unfit};
use super::pin::PinSource;
use super::pkcs11::{Module, PinState, TokenName, lock};
use super::uri::Pkcs11Uri;

/// The name of the one mechanism that is used.
pub(super) const MECHANISM: &str = "CKM_ECDSA";

/// How many keys an error names at most.
const MAX_NAMED: usize = 16;

/// What a key object is called on its token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyName {
    /// CKA_LABEL; may be empty.
    pub label: String,
    /// CKA_ID; may be empty.
    pub id: Vec<u8>,
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} (id ", Printable(&self.label).to_string())?;
        self.id.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

/// A private key on a token, ready to sign.
pub(super) struct HsmKey {
    /// A session may be used by one thread at a time.
    session: Mutex<Session>,
    object: ObjectHandle,
    curve: &'static Curve,
    public: PublicKey,
    token: TokenName,
    name: KeyName,
    exportable: bool,
}

impl HsmKey {
    /// Finds the token, logs in to it if it asks for that, and finds the key and its public key.
    pub(super) fn open(uri: &Pkcs11Uri) -> Result<Self, KeyError> {
        let module = Module::load(uri.module_path())?;
        let (slot, token) = module.find_token(uri)?;
        let session = module.context().open_ro_session(slot)?;
        log_in(&module, &session, slot, &token, uri.pin_source())?;

        let object = find_private_key(&session, uri, &token)?;
        let key = KeyAttributes::read(&session, object)?;
        let unfit =
            |why| KeyError::KeyUnfit { token: Box::new(token.clone()), key: key.name.clone(), why };
        if key.key_type != Some(KeyType::EC) {
            return Err(unfit(Unfit::NotEc));
        }
        if key.always_authenticate {
            return Err(unfit(Unfit::AlwaysAuthenticate));
        }
        if module.ecdsa_support(slot)?.is_none() {
            return Err(unfit(Unfit::Mechanism));
        }
        let (curve, public) = public_key(&session, &key)?.map_err(unfit)?;

        Ok(HsmKey {
            session: Mutex::new(session),
            object,
            curve,
            public,
            token,
            exportable: key.exportable,
            name: key.name,
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

    pub(super) fn is_exportable(&self) -> bool {
        self.exportable
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let digest = self.curve.digest(message);
        let raw = lock(&self.session).sign(&Mechanism::Ecdsa, self.object, &digest)?;
        let signature = self.curve.signature_to_der(&raw).ok_or(KeyError::BadSignature)?;
        // A fault in the token, or a public key object of another key, shows here and not at the
        // receiving side.
        self.public.verify(message, &signature).map_err(|_| KeyError::BadSignature)?;
        Ok(signature)
    }
}

impl fmt::Debug for HsmKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HsmKey({} on {}, {:?})", self.name, self.token, self.public)
    }
}

/// Logs in as the user, unless this process is logged in already. Wrong tries lock a token, so
/// there is never a second one, and never the last one.
fn log_in(
    module: &Module,
    session: &Session,
    slot: Slot,
    token: &TokenName,
    source: Option<&PinSource>,
) -> Result<(), KeyError> {
    let mut wrong_pins = module.logins();
    let state = session.get_session_info()?.session_state();
    if matches!(state, SessionState::RoUser | SessionState::RwUser) {
        return Ok(());
    }
    let info = module.context().get_token_info(slot)?;
    if !info.login_required() {
        return Ok(());
    }
    if wrong_pins.contains(token) {
        return Err(KeyError::PinWrongBefore { token: token.clone() });
    }
    check_tries(PinState::from_info(&info), token)?;
    let source = source.ok_or_else(|| KeyError::PinMissing { token: token.clone() })?;
    let pin = source.read().map_err(|fault| KeyError::Pin { pin_source: source.clone(), fault })?;

    match session.login(UserType::User, Some(&pin)) {
        Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
        Err(Error::Pkcs11(
            RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange,
            _,
        )) => {
            wrong_pins.insert(token.clone());
            Err(KeyError::PinWrong { token: token.clone() })
        }
        Err(Error::Pkcs11(RvError::PinLocked, _)) => {
            Err(KeyError::PinLocked { token: token.clone() })
        }
        Err(error) => Err(error.into()),
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

/// The one private key that fits the URI and may sign.
fn find_private_key(
    session: &Session,
    uri: &Pkcs11Uri,
    token: &TokenName,
) -> Result<ObjectHandle, KeyError> {
    let signing = vec![Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Sign(true)];
    let mut wanted = signing.clone();
    wanted.extend(uri.object.iter().map(|label| Attribute::Label(label.clone().into_bytes())));
    wanted.extend(uri.id.iter().map(|id| Attribute::Id(id.clone())));

    let matching = session.find_objects(&wanted)?;
    if let [object] = matching.as_slice() {
        return Ok(*object);
    }
    let shown =
        if matching.is_empty() { session.find_objects(&signing)? } else { matching.clone() };
    let found = shown
        .into_iter()
        .take(MAX_NAMED)
        .map(|object| KeyAttributes::read(session, object).map(|key| key.name))
        .collect::<Result<_, _>>()?;
    Err(KeyError::Key {
        token: Box::new(token.clone()),
        wanted: uri.to_string(),
        matches: matching.len(),
        found,
    })
}

/// The attributes of a key object that matter here.
struct KeyAttributes {
    name: KeyName,
    key_type: Option<KeyType>,
    params: Option<Vec<u8>>,
    point: Option<Vec<u8>>,
    always_authenticate: bool,
    exportable: bool,
}

impl KeyAttributes {
    fn read(session: &Session, object: ObjectHandle) -> Result<Self, KeyError> {
        let wanted = [
            AttributeType::Label,
            AttributeType::Id,
            AttributeType::KeyType,
            AttributeType::EcParams,
            AttributeType::EcPoint,
            AttributeType::AlwaysAuthenticate,
            AttributeType::Extractable,
            AttributeType::Sensitive,
        ];
        let mut key = KeyAttributes {
            name: KeyName { label: String::new(), id: Vec::new() },
            key_type: None,
            params: None,
            point: None,
            always_authenticate: false,
            exportable: true,
        };
        let (mut extractable, mut sensitive) = (true, false);
        for attribute in session.get_attributes(object, &wanted)? {
            match attribute {
                Attribute::Label(label) => {
                    key.name.label = String::from_utf8_lossy(&label).into_owned();
                }
                Attribute::Id(id) => key.name.id = id,
                Attribute::KeyType(key_type) => key.key_type = Some(key_type),
                Attribute::EcParams(params) => key.params = Some(params),
                Attribute::EcPoint(point) => key.point = Some(point).filter(|p| !p.is_empty()),
                Attribute::AlwaysAuthenticate(always) => key.always_authenticate = always,
                Attribute::Extractable(value) => extractable = value,
                Attribute::Sensitive(value) => sensitive = value,
                _ => {}
            }
        }
        key.exportable = extractable || !sensitive;
        Ok(key)
    }
}

/// The public key of a private key: of the object with its id, or its label if it has no id, or
/// else of the private key object, where some tokens keep the point too.
fn public_key(
    session: &Session,
    private: &KeyAttributes,
) -> Result<Result<(&'static Curve, PublicKey), Unfit>, KeyError> {
    let mut template =
        vec![Attribute::Class(ObjectClass::PUBLIC_KEY), Attribute::KeyType(KeyType::EC)];
    if private.name.id.is_empty() {
        template.push(Attribute::Label(private.name.label.clone().into_bytes()));
    } else {
        template.push(Attribute::Id(private.name.id.clone()));
    }
    let mut points = Vec::new();
    for object in session.find_objects(&template)? {
        let public = KeyAttributes::read(session, object)?;
        let params = public.params.or_else(|| private.params.clone());
        points.extend(params.zip(public.point));
    }
    if points.is_empty() {
        points.extend(private.params.clone().zip(private.point.clone()));
    }
    points.sort();
    points.dedup();
    Ok(match points.as_slice() {
        [] => Err(Unfit::NoPublicKey),
        [(params, point)] => from_point(params, point),
        _ => Err(Unfit::SeveralPublicKeys),
    })
}

fn from_point(params: &[u8], point: &[u8]) -> Result<(&'static Curve, PublicKey), Unfit> {
    let curve = Curve::from_params(params).ok_or(Unfit::Curve)?;
    let spki = curve.spki(point).ok_or(Unfit::Point)?;
    let public = PublicKey::from_spki_der(&spki).map_err(|_| Unfit::Point)?;
    Ok((curve, public))
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
