//! PKCS#11 URIs (RFC 7512), the part of them that names a signing key.
//!
//! Stricter than the RFC where it leaves a choice: unknown attributes are refused, the module is
//! always named by its absolute path, and a PIN never stands in the URI or comes from a command.
//! One attribute of its own, `x-init-reserved`, is named as p11-kit names it in its configuration.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::fmt;
use std::path::{Path, PathBuf};

use super::pin::PinSource;

const SCHEME: &str = "pkcs11:";

/// A parsed PKCS#11 URI. An attribute that is absent fits everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pkcs11Uri {
    /// The URI as it was written, without its query: for messages.
    text: String,
    pub(super) token: Option<String>,
    pub(super) manufacturer: Option<String>,
    pub(super) model: Option<String>,
    pub(super) serial: Option<String>,
    pub(super) slot_id: Option<u64>,
    pub(super) library: Library,
    pub(super) object: Option<String>,
    pub(super) id: Option<Vec<u8>>,
    pub(super) pin_source: Option<PinSource>,
    module_path: PathBuf,
    init_reserved: Option<CString>,
}

/// What the URI says about the module itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Library {
    pub(super) manufacturer: Option<String>,
    pub(super) description: Option<String>,
    pub(super) version: Option<(u8, u8)>,
}

/// Why a PKCS#11 URI is refused. Values are never repeated: one of them might be a PIN.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UriError {
    /// It does not begin with `pkcs11:`.
    #[error("it does not begin with `pkcs11:`")]
    Scheme,
    /// An attribute has no `=`, or there is an empty one.
    #[error("each attribute is written name=value; see number {0}")]
    NoValue(usize),
    /// An attribute stands twice.
    #[error("the attribute {0:?} stands twice")]
    Duplicate(String),
    /// The part before `?` has an attribute that is not known here.
    #[error("the path attribute {0:?} is not known")]
    UnknownPath(String),
    /// The part after `?` has an attribute that is not known here.
    #[error("the query attribute {0:?} is not known")]
    UnknownQuery(String),
    /// A value has a character that must be percent-encoded.
    #[error("the value of {0:?} has a character that must be written as %XX")]
    Character(String),
    /// A `%` is not followed by two hexadecimal digits.
    #[error("the value of {0:?} has a `%` without two hexadecimal digits")]
    Percent(String),
    /// A text is not UTF-8.
    #[error("the value of {0:?} is not UTF-8")]
    NotUtf8(&'static str),
    /// `type` is not `private`.
    #[error("the type must be private")]
    Type,
    /// `slot-id` is not a decimal number.
    #[error("slot-id is not a decimal number")]
    SlotId,
    /// `library-version` is not a number, or two with a point.
    #[error("library-version is not a version such as 2.6")]
    LibraryVersion,
    /// `module-path` is absent.
    #[error("module-path is required")]
    NoModulePath,
    /// `module-path` is not absolute: the loader would search for it.
    #[error("module-path must be an absolute path")]
    RelativeModulePath,
    /// `x-init-reserved` is empty or has a NUL byte.
    #[error("x-init-reserved must be a text without a NUL byte")]
    InitReserved,
    /// `module-name` is used.
    #[error("module-name is not supported: name the file with module-path")]
    ModuleName,
    /// `pin-value` is used.
    #[error("a PIN must not stand in the URI: use pin-source")]
    PinValue,
    /// `pin-source` names a command.
    #[error("pin-source must not name a command")]
    PinCommand,
    /// `pin-source` is not of a supported form.
    #[error("pin-source must be file:PATH, fd:N or credential:NAME")]
    PinSource,
}

/// True if `text` claims to be a PKCS#11 URI. Schemes know no case (RFC 3986, section 3.1).
pub(super) fn has_scheme(text: &str) -> bool {
    text.get(..SCHEME.len()).is_some_and(|scheme| scheme.eq_ignore_ascii_case(SCHEME))
}

impl Pkcs11Uri {
    /// Parses `text`; the path of a PIN file starts at `base`.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn parse(text: &str, base: &Path) -> Result<Self, UriError> {
        if !has_scheme(text) {
            return Err(UriError::Scheme);
        }
        let rest = text.get(SCHEME.len()..).unwrap_or_default();
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (rest, None),
        };

        let mut attributes = Attributes::default();
        if !path.is_empty() {
            attributes.read(path, ';', "&")?;
        }
        let library = Library {
            manufacturer: attributes.text("library-manufacturer")?,
            description: attributes.text("library-description")?,
            version: attributes
                .text("library-version")?
                .map(|v| library_version(&v))
                .transpose()?,
        };
        if attributes.text("type")?.is_some_and(|kind| kind != "private") {
            return Err(UriError::Type);
        }
        let token = attributes.text("token")?;
        let manufacturer = attributes.text("manufacturer")?;
        let model = attributes.text("model")?;
        let serial = attributes.text("serial")?;
        let slot_id = attributes.text("slot-id")?.map(|id| slot_id(&id)).transpose()?;
        let object = attributes.text("object")?;
        let id = attributes.take("id");
        attributes.finish().map_err(UriError::UnknownPath)?;

        if let Some(query) = query {
            attributes.read(query, '&', "/?|")?;
        }
        if attributes.take("pin-value").is_some() {
            return Err(UriError::PinValue);
        }
        if attributes.take("module-name").is_some() {
            return Err(UriError::ModuleName);
        }
        let pin_source = attributes
            .text("pin-source")?
            .map(|source| PinSource::parse(&source, base))
            .transpose()?;
        let module_path = attributes.text("module-path")?.ok_or(UriError::NoModulePath)?;
        if !module_path.starts_with('/') {
            return Err(UriError::RelativeModulePath);
        }
        let init_reserved = attributes.take("x-init-reserved").map(init_text).transpose()?;
        attributes.finish().map_err(UriError::UnknownQuery)?;

        Ok(Pkcs11Uri {
            text: format!("{SCHEME}{path}"),
            token,
            manufacturer,
            model,
            serial,
            slot_id,
            library,
            object,
            id,
            pin_source,
            module_path: module_path.into(),
            init_reserved,
        })
    }

    /// The shared library of the PKCS#11 module: an absolute path.
    pub fn module_path(&self) -> &Path {
        &self.module_path
    }

    /// The text that the module is initialised with, in the reserved field of C_Initialize's
    /// arguments: for modules that want one, such as NSS softokn.
    pub fn init_reserved(&self) -> Option<&CStr> {
        self.init_reserved.as_deref()
    }

    /// Where the PIN comes from, if the URI says so.
    pub fn pin_source(&self) -> Option<&PinSource> {
        self.pin_source.as_ref()
    }
}

/// The URI without its query, which may tell where the PIN is.
impl fmt::Display for Pkcs11Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The attributes of one half of the URI that nobody has asked for yet, percent-decoded.
#[derive(Default)]
struct Attributes(BTreeMap<String, Vec<u8>>);

impl Attributes {
    fn read(&mut self, text: &str, separator: char, also: &str) -> Result<(), UriError> {
        for (index, attribute) in text.split(separator).enumerate() {
            let number = index.saturating_add(1);
            let (name, value) = attribute.split_once('=').ok_or(UriError::NoValue(number))?;
            let value = decode(name, value, also)?;
            if self.0.insert(name.to_owned(), value).is_some() {
                return Err(UriError::Duplicate(name.to_owned()));
            }
        }
        Ok(())
    }

    fn take(&mut self, name: &str) -> Option<Vec<u8>> {
        self.0.remove(name)
    }

    fn text(&mut self, name: &'static str) -> Result<Option<String>, UriError> {
        self.take(name)
            .map(|bytes| String::from_utf8(bytes).map_err(|_| UriError::NotUtf8(name)))
            .transpose()
    }

    /// The name of an attribute that nobody asked for is an error.
    fn finish(&mut self) -> Result<(), String> {
        self.0.pop_first().map_or(Ok(()), |(name, _)| Err(name))
    }
}

/// Percent-decodes a value. `also` holds the characters that the half of the URI allows beside
/// the common ones (RFC 7512, section 2.3).
fn decode(name: &str, value: &str, also: &str) -> Result<Vec<u8>, UriError> {
    const COMMON: &str = "-._~:[]@!$'()*+,=";
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.chars();
    while let Some(c) = rest.next() {
        if c == '%' {
            let mut digit = || rest.next().and_then(|c| c.to_digit(16));
            let (Some(high), Some(low)) = (digit(), digit()) else {
                return Err(UriError::Percent(name.to_owned()));
            };
            bytes.extend(u8::try_from(high * 16 + low));
        } else if c.is_ascii_alphanumeric() || COMMON.contains(c) || also.contains(c) {
            bytes.extend(u8::try_from(c));
        } else {
            return Err(UriError::Character(name.to_owned()));
        }
    }
    Ok(bytes)
}

/// The text of `x-init-reserved`, which a module reads up to its first NUL byte.
pub(super) fn init_text(bytes: Vec<u8>) -> Result<CString, UriError> {
    CString::new(bytes).ok().filter(|text| !text.is_empty()).ok_or(UriError::InitReserved)
}

fn slot_id(text: &str) -> Result<u64, UriError> {
    decimal(text).ok_or(UriError::SlotId)
}

/// `major` or `major.minor`; the minor version is 0 when it is absent (RFC 7512, section 2.3).
fn library_version(text: &str) -> Result<(u8, u8), UriError> {
    let (major, minor) = text.split_once('.').unwrap_or((text, "0"));
    match (decimal(major), decimal(minor)) {
        (Some(major), Some(minor)) => Ok((major, minor)),
        _ => Err(UriError::LibraryVersion),
    }
}

/// A number of decimal digits only: `parse` alone would take a sign too.
pub(super) fn decimal<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Pkcs11Uri, UriError> {
        Pkcs11Uri::parse(text, Path::new("/base"))
    }

    fn refused(text: &str) -> UriError {
        parse(text).expect_err(text)
    }

    #[test]
    fn reads_every_attribute() {
        let uri = parse(
            "pkcs11:token=My%20token;manufacturer=ACME;model=M-1;serial=00ff;object=oms;id=%01%fE%3b;\
             type=private;slot-id=42;library-manufacturer=L;library-description=D;library-version=2.6\
             ?module-path=/usr/lib/m.so&pin-source=file:pin",
        )
        .unwrap();
        assert_eq!(uri.token.as_deref(), Some("My token"));
        assert_eq!(uri.manufacturer.as_deref(), Some("ACME"));
        assert_eq!(uri.model.as_deref(), Some("M-1"));
        assert_eq!(uri.serial.as_deref(), Some("00ff"));
        assert_eq!(uri.object.as_deref(), Some("oms"));
        assert_eq!(uri.id.as_deref(), Some(&[1, 0xfe, b';'][..]));
        assert_eq!(uri.slot_id, Some(42));
        assert_eq!(uri.library.manufacturer.as_deref(), Some("L"));
        assert_eq!(uri.library.description.as_deref(), Some("D"));
        assert_eq!(uri.library.version, Some((2, 6)));
        assert_eq!(uri.module_path(), Path::new("/usr/lib/m.so"));
        assert_eq!(uri.pin_source(), Some(&PinSource::File("/base/pin".into())));
    }

    #[test]
    fn a_module_is_initialised_with_a_text() {
        let uri =
            parse("pkcs11:?module-path=/m&x-init-reserved=configdir='sql:/a%20b'%20c").unwrap();
        assert_eq!(uri.init_reserved(), Some(c"configdir='sql:/a b' c"));
        assert_eq!(parse("pkcs11:?module-path=/m").unwrap().init_reserved(), None);
        for text in ["", "a%00b"] {
            let text = format!("pkcs11:?module-path=/m&x-init-reserved={text}");
            assert_eq!(refused(&text), UriError::InitReserved);
        }
    }

    #[test]
    fn an_absent_attribute_fits_everything() {
        let uri = parse("pkcs11:?module-path=/m.so").unwrap();
        assert_eq!((uri.token, uri.object, uri.id), (None, None, None));
        assert_eq!(
            parse("pkcs11:library-version=3?module-path=/m").unwrap().library.version,
            Some((3, 0))
        );
    }

    #[test]
    fn separators_belong_to_their_half() {
        // `&` may stand in a path value, and `/`, `?` and `|` in a query value.
        let uri = parse("pkcs11:token=a&b?module-path=/x?y|z").unwrap();
        assert_eq!(uri.token.as_deref(), Some("a&b"));
        assert_eq!(uri.module_path(), Path::new("/x?y|z"));
        assert_eq!(refused("pkcs11:token=a/b?module-path=/m"), UriError::Character("token".into()));
        assert_eq!(
            refused("pkcs11:token=a?module-path=/m;pin-source=fd:3"),
            UriError::Character("module-path".into())
        );
        // A separator that is percent-encoded is part of the value.
        assert_eq!(
            parse("pkcs11:token=a%3Bb%3Fc?module-path=/m").unwrap().token.as_deref(),
            Some("a;b?c")
        );
    }

    #[test]
    fn refuses_what_is_not_well_formed() {
        assert_eq!(refused("pkcs12:token=a"), UriError::Scheme);
        assert_eq!(refused("pkcs11:token?module-path=/m"), UriError::NoValue(1));
        assert_eq!(refused("pkcs11:token=a;?module-path=/m"), UriError::NoValue(2));
        assert_eq!(refused("pkcs11:token=a;;object=b?module-path=/m"), UriError::NoValue(2));
        assert_eq!(refused("pkcs11:token=a?"), UriError::NoValue(1));
        for bad in ["%", "%4", "%4g", "%g4", "a%", "%+1", "%é0"] {
            let text = format!("pkcs11:token={bad}?module-path=/m");
            assert_eq!(refused(&text), UriError::Percent("token".into()), "{text}");
        }
        for bad in ["a b", "é", "a#b", "a\"", "a\n", "a\\"] {
            let text = format!("pkcs11:token={bad}?module-path=/m");
            assert_eq!(refused(&text), UriError::Character("token".into()), "{text}");
        }
        assert_eq!(refused("pkcs11:token=%ff?module-path=/m"), UriError::NotUtf8("token"));
    }

    #[test]
    fn refuses_duplicates_and_unknown_attributes() {
        assert_eq!(
            refused("pkcs11:token=a;token=a?module-path=/m"),
            UriError::Duplicate("token".into())
        );
        assert_eq!(
            refused("pkcs11:token=a?module-path=/m&module-path=/m"),
            UriError::Duplicate("module-path".into())
        );
        assert_eq!(
            refused("pkcs11:vendor-x=a?module-path=/m"),
            UriError::UnknownPath("vendor-x".into())
        );
        assert_eq!(
            refused("pkcs11:token=a?module-path=/m&vendor-x=1"),
            UriError::UnknownQuery("vendor-x".into())
        );
        // An attribute of the one half is unknown in the other.
        assert_eq!(refused("pkcs11:module-path=/m"), UriError::Character("module-path".into()));
        assert_eq!(
            refused("pkcs11:pin-source=fd:3?module-path=/m"),
            UriError::UnknownPath("pin-source".into())
        );
        assert_eq!(
            refused("pkcs11:?module-path=/m&token=a"),
            UriError::UnknownQuery("token".into())
        );
    }

    #[test]
    fn refuses_values_that_name_no_signing_key() {
        for kind in ["public", "cert", "secret-key", "data", "Private", ""] {
            assert_eq!(refused(&format!("pkcs11:type={kind}?module-path=/m")), UriError::Type);
        }
        for id in ["", "x", "-1", "+1", "0x1", "99999999999999999999"] {
            assert_eq!(refused(&format!("pkcs11:slot-id={id}?module-path=/m")), UriError::SlotId);
        }
        for version in ["", "2.", ".6", "2.6.1", "256", "+2"] {
            assert_eq!(
                refused(&format!("pkcs11:library-version={version}?module-path=/m")),
                UriError::LibraryVersion
            );
        }
    }

    #[test]
    fn refuses_modules_that_the_loader_would_search_for() {
        assert_eq!(refused("pkcs11:token=a"), UriError::NoModulePath);
        assert_eq!(refused("pkcs11:token=a?module-path=m.so"), UriError::RelativeModulePath);
        assert_eq!(refused("pkcs11:token=a?module-path="), UriError::RelativeModulePath);
        assert_eq!(refused("pkcs11:token=a?module-path=/m&module-name=m"), UriError::ModuleName);
    }

    #[test]
    fn refuses_pins_in_the_uri_and_from_commands_and_never_repeats_them() {
        let error = refused("pkcs11:token=a?module-path=/m&pin-value=9173");
        assert_eq!(error, UriError::PinValue);
        for source in ["|cat%20pin", "%7Ccat%20pin"] {
            assert_eq!(
                refused(&format!("pkcs11:token=a?module-path=/m&pin-source={source}")),
                UriError::PinCommand
            );
        }
        for text in [
            "pkcs11:token=a?module-path=/m&pin-value:9173",
            "pkcs11:token=a?module-path=/m&pin=9173",
            "pkcs11:token=a?module-path=/m&pin-source=9173",
            "pkcs11:token=a?module-path=/m&pin-value=9173%",
        ] {
            assert!(!refused(text).to_string().contains("9173"), "{text}");
        }
    }

    #[test]
    fn shows_itself_without_the_query() {
        let uri = parse("pkcs11:token=a%20b?module-path=/m&pin-source=file:/secret").unwrap();
        assert_eq!(uri.to_string(), "pkcs11:token=a%20b");
    }
}
