//! NSS softokn: a module that is initialised with a text.

use std::ffi::CString;
use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use cryptoki::context::Pkcs11;
use cryptoki::mechanism::Mechanism;
use cryptoki::object::Attribute;
use cryptoki::session::UserType;
use oms_station::keys::{self, KeyError, KeyRef, SigningKey};

use crate::case;
use crate::fixture::{Hsm, PIN, library};

/// The module, where Debian puts it.
fn module() -> PathBuf {
    library("libsoftokn3.so", "libnss3")
}

fn parameters(hsm: &Hsm, flags: &str) -> CString {
    CString::new(format!("configdir='sql:{}'{flags}", hsm.path("nss").display())).unwrap()
}

fn reference(hsm: &Hsm) -> KeyRef {
    let parameters = parameters(hsm, " flags=readOnly");
    let parameters = parameters.to_str().unwrap().replace(' ', "%20");
    let module = module();
    let query = format!(
        "module-path={}&pin-source=file:pin&x-init-reserved={parameters}",
        module.display()
    );
    hsm.key_ref_with("token=NSS%20Certificate%20DB;object=oms", &query)
}

/// Makes a database with a PIN and a key, as `certutil` would.
fn one_key(hsm: &Hsm) {
    // A process has the module once, and tests prepare side by side.
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    fs::create_dir(hsm.path("nss")).unwrap();
    let context = Pkcs11::new(module()).unwrap();
    let parameters = Box::leak(parameters(hsm, "").into_boxed_c_str());
    oms_sys::pkcs11::initialize(&context, Some(parameters)).unwrap();
    let slots = context.get_slots_with_token().unwrap();
    let label = |slot| context.get_token_info(slot).unwrap().label().to_owned();
    let slot = slots.into_iter().find(|slot| label(*slot) == "NSS Certificate DB").unwrap();
    let session = context.open_rw_session(slot).unwrap();
    session.login(UserType::So, Some(&"".into())).unwrap();
    session.init_pin(&PIN.into()).unwrap();
    session.logout().unwrap();
    session.login(UserType::User, Some(&PIN.into())).unwrap();
    let name = [Attribute::Token(true), Attribute::Label(b"oms".into()), Attribute::Id(vec![1])];
    let p256 = Attribute::EcParams(b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07".into());
    let public = [&name[..], &[p256, Attribute::Verify(true)]].concat();
    let private = [Attribute::Sign(true), Attribute::Sensitive(true), Attribute::Private(true)];
    let private = [&name[..], &private, &[Attribute::Extractable(false)]].concat();
    session.generate_key_pair(&Mechanism::EccKeyPairGen, &public, &private).unwrap();
    drop(session);
    context.finalize().unwrap();
}

case!(signs_and_comes_back, one_key, |hsm| {
    let check = keys::check(&reference(hsm)).unwrap();
    assert_eq!(check.quirks.unwrap().module, "NSS softokn");
    let key = SigningKey::open(&reference(hsm)).unwrap();
    for message in 0..64u8 {
        key.sign(&[message]).unwrap();
    }
    // Another key's name leads to a restart, which ends the sessions of this one.
    let other = reference_to_none(hsm);
    assert_eq!(SigningKey::open(&other).unwrap_err().code().id(), "hsm.token");
    key.probe().unwrap();
});

fn reference_to_none(hsm: &Hsm) -> KeyRef {
    let KeyRef::Pkcs11(uri) = reference(hsm) else { panic!("not a URI") };
    let parameters = uri.init_reserved().unwrap().to_str().unwrap().replace(' ', "%20");
    let query = format!("module-path={}&x-init-reserved={parameters}", module().display());
    hsm.key_ref_with("token=none", &query)
}

case!(a_wrong_pin_is_tried_once, one_key, |hsm| {
    hsm.secret("pin", "9999", 0o600);
    let refused = || SigningKey::open(&reference(hsm)).unwrap_err();
    assert!(matches!(refused(), KeyError::PinWrong { .. }));
    hsm.secret("pin", PIN, 0o600);
    assert!(matches!(refused(), KeyError::PinWrongBefore { .. }));
});

case!(it_says_what_it_wants, one_key, |hsm| {
    let query = format!("module-path={}", module().display());
    let error = SigningKey::open(&hsm.key_ref_with("token=none", &query)).unwrap_err();
    assert_eq!(error.code().id(), "hsm.module", "{error}");
    assert!(error.to_string().contains("x-init-reserved"), "{error}");
    // Once it runs with one text, it does not with another.
    SigningKey::open(&reference(hsm)).unwrap();
    let error = SigningKey::open(&hsm.key_ref_with("token=none", &query)).unwrap_err();
    assert!(matches!(error, KeyError::InitReserved { .. }), "{error}");
});
