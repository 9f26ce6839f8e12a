//! Key objects of a token: the one private key that a URI names, and its public key.

use std::fmt;

use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use oms_verify::key::PublicKey;
use oms_verify::reason::Printable;

use super::ecdsa::Curve;
use super::error::{KeyError, Unfit};
use super::pkcs11::TokenName;
use super::uri::Pkcs11Uri;

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

/// A private key that can sign here, with its public key.
pub(super) struct Found {
    pub(super) object: ObjectHandle,
    pub(super) name: KeyName,
    pub(super) curve: &'static Curve,
    pub(super) public: PublicKey,
    /// The token would give it away.
    pub(super) exportable: bool,
}

impl Found {
    /// Finds the one key of the token that the URI names, in a session that is logged in.
    pub(super) fn find(
        session: &Session,
        uri: &Pkcs11Uri,
        token: &TokenName,
    ) -> Result<Self, KeyError> {
        let object = find_private_key(session, uri, token)?;
        let key = KeyAttributes::read(session, object)?;
        let unfit =
            |why| KeyError::KeyUnfit { token: Box::new(token.clone()), key: key.name.clone(), why };
        if key.key_type != Some(KeyType::EC) {
            return Err(unfit(Unfit::NotEc));
        }
        if key.always_authenticate {
            return Err(unfit(Unfit::AlwaysAuthenticate));
        }
        let (curve, public) = public_key(session, &key)?.map_err(unfit)?;
        Ok(Found { object, curve, public, exportable: key.exportable, name: key.name })
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
