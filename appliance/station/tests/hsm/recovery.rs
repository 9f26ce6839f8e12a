//! A token that goes away and comes back, and modules that fail.

use std::fs;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::thread;

use oms_station::keys::{self, KeyError, KeyRef, PinState, SigningKey, Unfit};

use crate::fixture::{Hsm, PIN};
use crate::{case, one_key};

/// The key `oms`, through the module that fails as it is told to.
fn reference(hsm: &Hsm) -> KeyRef {
    let query = format!("module-path={}&pin-source=file:pin", hsm.path("faulty.so").display());
    hsm.key_ref_with("token=corp;object=oms", &query)
}

fn open(hsm: &Hsm) -> SigningKey {
    SigningKey::open(&reference(hsm)).unwrap()
}

fn one_key_behind_a_faulty_module(hsm: &Hsm) {
    one_key(hsm);
    hsm.faulty_module();
}

fn signs(key: &SigningKey) {
    key.public_key().verify(b"message", &key.sign(b"message").unwrap()).unwrap();
}

fn fails(key: &SigningKey, code: &str) -> KeyError {
    let error = key.sign(b"message").unwrap_err();
    assert_eq!(error.code().id(), code, "{error}");
    error
}

case!(a_token_that_was_away_signs_again, one_key_behind_a_faulty_module, |hsm| {
    let key = open(hsm);
    signs(&key);
    fs::rename(hsm.path("tokens"), hsm.path("away")).unwrap();
    fs::create_dir(hsm.path("tokens")).unwrap();
    for _ in 0..3 {
        let error = fails(&key, "hsm.token");
        assert!(matches!(error, KeyError::Token { matches: 0, .. }), "{error}");
    }
    let error = SigningKey::open(&reference(hsm)).unwrap_err();
    assert_eq!(error.code().id(), "hsm.token");
    assert_eq!(hsm.calls("C_Login"), 1);

    fs::remove_dir(hsm.path("tokens")).unwrap();
    fs::rename(hsm.path("away"), hsm.path("tokens")).unwrap();
    signs(&key);
    key.probe().unwrap();
    assert_eq!(hsm.calls("C_Login"), 2);
    // A key that is opened now needs neither a restart nor a login.
    let initialised = hsm.calls("C_Initialize");
    signs(&open(hsm));
    assert_eq!((hsm.calls("C_Login"), hsm.calls("C_Initialize")), (2, initialised));
});

case!(
    a_key_opens_once_its_token_is_there,
    |hsm| {
        one_key_behind_a_faulty_module(hsm);
        fs::rename(hsm.path("tokens"), hsm.path("away")).unwrap();
        fs::create_dir(hsm.path("tokens")).unwrap();
    },
    |hsm| {
        let error = SigningKey::open(&reference(hsm)).unwrap_err();
        assert_eq!(error.code().id(), "hsm.token");
        fs::remove_dir(hsm.path("tokens")).unwrap();
        fs::rename(hsm.path("away"), hsm.path("tokens")).unwrap();
        signs(&open(hsm));
    }
);

case!(a_failed_call_is_repeated_after_one_restart, one_key_behind_a_faulty_module, |hsm| {
    for fault in ["once", "logout"] {
        let key = open(hsm);
        let (initialised, logins) = (hsm.calls("C_Initialize"), hsm.calls("C_Login"));
        hsm.fault(fault);
        signs(&key);
        assert_eq!(hsm.calls("C_Initialize"), initialised + 1, "{fault}");
        assert_eq!(hsm.calls("C_Login"), logins + 1, "{fault}");
        signs(&key);
        assert_eq!(hsm.calls("C_Initialize"), initialised + 1, "{fault}");
        hsm.fault("");
    }
});

case!(a_token_that_describes_itself_may_be_unable_to_sign, one_key_behind_a_faulty_module, |hsm| {
    let key = open(hsm);
    hsm.fault("always");
    let error = key.probe().unwrap_err();
    assert!(matches!(error, KeyError::Operation(_)), "{error}");
    assert_eq!(error.code().id(), "hsm.operation");
    assert_eq!(keys::check(&reference(hsm)).unwrap_err().code().id(), "hsm.operation");
    let slots = keys::list(&hsm.path("faulty.so"), None).unwrap();
    let token = slots.iter().filter_map(|slot| slot.token.as_ref());
    assert!(token.into_iter().any(|t| t.name.label == "corp" && t.pin == PinState::Good));
    // Two calls that failed, each with one restart, and a login before it and one after it.
    assert_eq!((hsm.calls("C_Initialize"), hsm.calls("C_Login")), (3, 4));
    hsm.fault("");
    signs(&key);
    assert_eq!(hsm.calls("C_Initialize"), 3);
});

case!(a_faulty_signature_never_leaves, one_key_behind_a_faulty_module, |hsm| {
    let key = open(hsm);
    hsm.fault("flip");
    let error = fails(&key, "hsm.operation");
    assert!(matches!(error, KeyError::BadSignature), "{error}");
    assert!(matches!(key.probe(), Err(KeyError::BadSignature)));
    // What signs falsely is not asked again in the hope of better.
    assert_eq!(hsm.calls("C_Initialize"), 1);
});

case!(a_pin_that_is_wrong_after_a_restart_is_tried_once, one_key_behind_a_faulty_module, |hsm| {
    let key = open(hsm);
    hsm.secret("pin", "9999", 0o600);
    hsm.fault("once");
    assert!(matches!(fails(&key, "hsm.locked"), KeyError::PinWrong { .. }));
    assert_eq!(hsm.calls("C_Login"), 2);

    // Not by the same key, not by another one, not after more restarts, not with a right PIN.
    hsm.secret("pin", PIN, 0o600);
    for fault in ["once", "", "always"] {
        hsm.fault(fault);
        assert!(matches!(fails(&key, "hsm.locked"), KeyError::PinWrongBefore { .. }));
        let error = SigningKey::open(&reference(hsm)).unwrap_err();
        assert!(matches!(error, KeyError::PinWrongBefore { .. }), "{error}");
    }
    assert_eq!(hsm.calls("C_Login"), 2);
});

case!(a_module_that_cannot_start_again_is_told, one_key_behind_a_faulty_module, |hsm| {
    let key = open(hsm);
    hsm.fault("once");
    signs(&key);
    hsm.fault("always");
    fails(&key, "hsm.operation");
    // From here on the module is down.
    hsm.fault("dead");
    fs::rename(hsm.path("tokens"), hsm.path("away")).unwrap();
    assert!(matches!(fails(&key, "hsm.module"), KeyError::Module { .. }));
    fails(&key, "hsm.module");
    assert_eq!(keys::list(&hsm.path("faulty.so"), None).unwrap_err().code().id(), "hsm.module");
    fs::rename(hsm.path("away"), hsm.path("tokens")).unwrap();
    hsm.fault("");
    signs(&key);
});

case!(a_pin_from_a_descriptor_serves_after_a_restart, one_key_behind_a_faulty_module, |hsm| {
    let (reader, mut writer) = std::io::pipe().unwrap();
    writeln!(writer, "{PIN}").unwrap();
    drop(writer);
    let module = hsm.path("faulty.so");
    let query = format!("module-path={}&pin-source=fd:{}", module.display(), reader.as_raw_fd());
    let key = SigningKey::open(&hsm.key_ref_with("token=corp;object=oms", &query)).unwrap();
    hsm.fault("once");
    signs(&key);
    assert_eq!(hsm.calls("C_Login"), 2);
});

case!(
    another_key_in_its_place_does_not_sign,
    |hsm| {
        one_key(hsm);
        fs::rename(hsm.path("tokens"), hsm.path("other")).unwrap();
        fs::create_dir(hsm.path("tokens")).unwrap();
        one_key_behind_a_faulty_module(hsm);
    },
    |hsm| {
        let key = open(hsm);
        fs::rename(hsm.path("tokens"), hsm.path("away")).unwrap();
        fs::rename(hsm.path("other"), hsm.path("tokens")).unwrap();
        let error = fails(&key, "hsm.key");
        assert!(matches!(error, KeyError::KeyUnfit { why: Unfit::Another, .. }), "{error}");
        // As a key of its own it may be opened.
        signs(&open(hsm));
    }
);

case!(threads_share_one_restart, one_key_behind_a_faulty_module, |hsm| {
    let key = open(hsm);
    hsm.fault("once");
    let all_sign = || {
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..16).for_each(|_| signs(&key)));
            }
        });
    };
    all_sign();
    assert_eq!(hsm.calls("C_Initialize"), 2);

    // Now that all is well, nobody logs in, and there are never more sessions than four.
    let (logins, sessions) = (hsm.calls("C_Login"), hsm.calls("C_OpenSession"));
    all_sign();
    assert_eq!((hsm.calls("C_Initialize"), hsm.calls("C_Login")), (2, logins));
    assert!(hsm.calls("C_OpenSession") <= sessions + 3, "{}", hsm.calls("C_OpenSession"));
});
