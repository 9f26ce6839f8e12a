//! Signing keys on real PKCS#11 tokens: SoftHSM2, and NSS softokn and tpm2-pkcs11 in their modules.
//!
//! A PKCS#11 module reads its settings from the environment when it is loaded, and keeps its logins
//! for the whole process. So every case runs in a process of its own: the test makes tokens in a
//! temporary folder and starts this executable again, with the environment set, for itself alone.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "these helpers are part of the tests"
)]

mod fixture;
mod recovery;
mod softokn;
mod tpm;

use std::fs;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::thread;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::object::{Attribute, ObjectClass};
use cryptoki::session::UserType;
use cryptoki::slot::Slot;
use fixture::{Hsm, MODULE, PIN, spy};
use oms_station::keys::{
    self, KeyError, KeyRef, PinFault, PinState, Protection, SigningKey, Unfit,
};
use oms_verify::key::{KeyType, PublicKey};

/// Defines a test: `prepare` runs in the test's process and makes the tokens, `inside` in a child.
macro_rules! case {
    ($name:ident, $prepare:expr, $inside:expr) => {
        #[test]
        fn $name() {
            $crate::fixture::run_case(
                concat!(module_path!(), "::", stringify!($name)),
                $prepare,
                $inside,
            );
        }
    };
}
pub(crate) use case;

fn one_key(hsm: &Hsm) {
    hsm.token("corp");
    hsm.key("corp", "oms", "01", "secp256r1");
}

case!(
    signs_on_each_curve,
    |hsm| {
        hsm.token("corp");
        hsm.key("corp", "a", "01", "secp256r1");
        hsm.key("corp", "b", "02", "secp384r1");
        hsm.key("corp", "c", "03", "secp521r1");
    },
    |hsm| {
        for (path, key_type) in [
            ("token=corp;object=a", KeyType::P256),
            ("token=corp;object=b;type=private", KeyType::P384),
            ("token=corp;id=%03;manufacturer=SoftHSM%20project", KeyType::P521),
        ] {
            let key = hsm.open(path).unwrap();
            assert_eq!(key.public_key().key_type(), key_type);
            // Often enough that numbers with leading zeros and leading ones turn up.
            for message in 0..64u8 {
                let signature = key.sign(&[message]).unwrap();
                key.public_key().verify(&[message], &signature).unwrap();
            }
            let signature = key.sign(b"message").unwrap();
            assert!(key.public_key().verify(b"massage", &signature).is_err());
            fs::write(hsm.path("public.pem"), key.public_key().to_pem()).unwrap();
            fs::write(hsm.path("message"), b"message").unwrap();
            fs::write(hsm.path("signature"), signature).unwrap();
            let hash = match key_type {
                KeyType::P256 => "-sha256",
                KeyType::P384 => "-sha384",
                _ => "-sha512",
            };
            let args =
                ["dgst", hash, "-verify", "public.pem", "-signature", "signature", "message"];
            hsm.run("openssl", &args);
        }
    }
);

case!(check_reports_token_key_and_mechanism, one_key, |hsm| {
    let check = keys::check(&hsm.key_ref("token=corp;object=oms")).unwrap();
    assert_eq!(check.key_type, KeyType::P256);
    assert_eq!(check.mechanism, Some("CKM_ECDSA"));
    let key = check.key.unwrap();
    assert_eq!((key.label.as_str(), key.id.as_slice()), ("oms", &[1][..]));
    let Protection::Pkcs11 { token, exportable } = check.protection else {
        panic!("not on a token");
    };
    assert_eq!((token.label.as_str(), token.model.as_str()), ("corp", "SoftHSM v2"));
    assert_eq!(token.manufacturer, "SoftHSM project");
    assert_eq!(token.serial.len(), 16);
    assert!(!exportable);
});

case!(
    check_works_for_a_file,
    |hsm| hsm.run("openssl", &["ecparam", "-genkey", "-name", "secp384r1", "-out", "key.pem"]),
    |hsm| {
        let check = keys::check(&KeyRef::parse("key.pem", &hsm.folder).unwrap()).unwrap();
        assert_eq!(check.key_type, KeyType::P384);
        assert_eq!(check.protection, Protection::File);
        assert_eq!((check.key, check.mechanism), (None, None));
    }
);

case!(
    tells_a_key_that_the_token_would_give_away,
    |hsm| {
        one_key(hsm);
        let args =
            ["--keypairgen", "--key-type", "EC:secp256r1", "--extractable", "--label", "open"];
        hsm.tool("corp", &args);
    },
    |hsm| {
        let exportable = |path| match hsm.open(path).unwrap().protection() {
            Protection::Pkcs11 { exportable, .. } => exportable,
            Protection::File => panic!("not on a token"),
        };
        assert!(!exportable("token=corp;object=oms"));
        assert!(exportable("token=corp;object=open"));
    }
);

case!(lists_slots_without_login, one_key, |hsm| {
    let slots = keys::list(&spy(), None).unwrap();
    let tokens: Vec<_> = slots.iter().filter_map(|slot| slot.token.as_ref()).collect();
    let token = tokens.iter().find(|token| token.name.label == "corp").unwrap();
    assert!(token.initialized);
    assert_eq!(token.pin, PinState::Good);
    let ecdsa = token.ecdsa.unwrap();
    assert!(ecdsa.min_bits <= 256 && ecdsa.max_bits >= 521 && !ecdsa.hardware);
    // SoftHSM2 always shows one more slot, with a token that is not initialised.
    assert!(tokens.iter().any(|token| !token.initialized && token.pin == PinState::NotSet));
    assert_eq!(hsm.logins(), 0);
});

case!(
    a_wrong_pin_is_tried_once,
    |hsm| {
        one_key(hsm);
        hsm.key("corp", "other", "02", "secp256r1");
        hsm.secret("pin", "9999", 0o600);
    },
    |hsm| {
        let query = format!("module-path={}&pin-source=file:pin", spy().display());
        let open = |key| SigningKey::open(&hsm.key_ref_with(key, &query)).unwrap_err();
        let error = open("token=corp;object=oms");
        assert!(matches!(error, KeyError::PinWrong { .. }), "{error}");
        assert_eq!(error.code().id(), "hsm.locked");
        assert!(!error.to_string().contains("9999"));
        assert_eq!(hsm.logins(), 1);

        // Neither the same key nor another one of the token tries again, not even with a new PIN.
        hsm.secret("pin", PIN, 0o600);
        for key in ["token=corp;object=oms", "token=corp;object=other"] {
            assert!(matches!(open(key), KeyError::PinWrongBefore { .. }));
        }
        assert_eq!(hsm.logins(), 1);
        let slots = keys::list(&spy(), None).unwrap();
        let pins: Vec<_> = slots.iter().filter_map(|slot| Some(slot.token.as_ref()?.pin)).collect();
        assert!(pins.contains(&PinState::CountLow));
    }
);

case!(
    a_wrong_pin_of_an_earlier_process_is_not_tried_again,
    |hsm| {
        one_key(hsm);
        hsm.wrong_pin("corp");
    },
    |hsm| {
        let error = refused_without_login(hsm);
        assert!(matches!(error, KeyError::PinCountLow { .. }), "{error}");
        // Once a person has logged in, so may the station.
        hsm.tool("corp", &["--list-objects"]);
        hsm.open("token=corp;object=oms").unwrap();
    }
);

case!(
    a_key_is_named_by_every_uri_that_fits_it,
    |hsm| {
        one_key(hsm);
        hsm.key("corp", "other", "02", "secp256r1");
        hsm.run("openssl", &["ecparam", "-genkey", "-name", "secp384r1", "-out", "key.pem"]);
    },
    |hsm| {
        let key = hsm.open("token=corp;object=oms").unwrap();
        let uri = |path: &str| match hsm.key_ref_with(path, "module-path=/another/module.so") {
            KeyRef::Pkcs11(uri) => uri,
            KeyRef::Pem(_) => panic!("not a URI"),
        };
        for named in ["token=corp;object=oms", "token=corp;id=%01", "token=corp", "object=oms"] {
            assert!(key.is_named_by(&uri(named)), "{named}");
        }
        for other in ["token=none;object=oms", "object=other", "object=oms;id=%02", "serial=0"] {
            assert!(!key.is_named_by(&uri(other)), "{other}");
        }
        let file = SigningKey::open(&KeyRef::parse("key.pem", &hsm.folder).unwrap()).unwrap();
        assert!(!file.is_named_by(&uri("token=corp")));
    }
);

/// Opens the key through the spy, and shows that no login was tried.
fn refused_without_login(hsm: &Hsm) -> KeyError {
    let query = format!("module-path={}&pin-source=file:pin", spy().display());
    let error = SigningKey::open(&hsm.key_ref_with("token=corp;object=oms", &query)).unwrap_err();
    assert_eq!(hsm.logins(), 0);
    assert_eq!(error.code().id(), "hsm.locked");
    error
}

case!(
    a_locked_pin_is_not_tried,
    |hsm| {
        one_key(hsm);
        hsm.set_flags(0x0004_0000); // CKF_USER_PIN_LOCKED
    },
    |hsm| assert!(matches!(refused_without_login(hsm), KeyError::PinLocked { .. }))
);

case!(
    the_last_try_is_left_to_people,
    |hsm| {
        one_key(hsm);
        hsm.set_flags(0x0002_0000); // CKF_USER_PIN_FINAL_TRY
    },
    |hsm| assert!(matches!(refused_without_login(hsm), KeyError::PinLastTry { .. }))
);

case!(
    one_login_serves_every_key_and_thread,
    |hsm| {
        one_key(hsm);
        hsm.key("corp", "verdict", "02", "secp384r1");
    },
    |hsm| {
        let module = spy();
        let with_pin = format!("module-path={}&pin-source=file:pin", module.display());
        let without = format!("module-path={}", module.display());
        let resign =
            SigningKey::open(&hsm.key_ref_with("token=corp;object=oms", &with_pin)).unwrap();
        let verdict =
            SigningKey::open(&hsm.key_ref_with("token=corp;object=verdict", &without)).unwrap();
        assert_eq!(hsm.logins(), 1);
        thread::scope(|scope| {
            for key in [&resign, &verdict, &resign, &verdict] {
                scope.spawn(move || {
                    for message in 0..16u8 {
                        let signature = key.sign(&[message]).unwrap();
                        key.public_key().verify(&[message], &signature).unwrap();
                    }
                });
            }
        });
        // With the last key the login ends too; the next one needs the PIN again.
        drop((resign, verdict));
        let error =
            SigningKey::open(&hsm.key_ref_with("token=corp;object=oms", &without)).unwrap_err();
        assert!(matches!(error, KeyError::PinMissing { .. }), "{error}");
        assert_eq!(error.code().id(), "key.pin");
    }
);

case!(an_absent_token_is_named_beside_those_present, one_key, |hsm| {
    for path in [
        "token=none;object=oms",
        "token=corp;serial=0000",
        "token=corp;manufacturer=ACME",
        "token=corp;model=ACME",
        "token=corp;slot-id=99",
        "token=corp;library-manufacturer=ACME",
        "token=corp;library-description=ACME",
        "token=corp;library-version=99.1",
    ] {
        let error = hsm.refused(path);
        assert!(matches!(error, KeyError::Token { matches: 0, .. }), "{path}: {error}");
        assert_eq!(error.code().id(), "hsm.token");
        assert!(error.to_string().contains("\"corp\" (serial "), "{error}");
    }
});

case!(
    two_tokens_of_one_label_need_a_serial_number,
    |hsm| {
        one_key(hsm);
        hsm.token("corp");
    },
    |hsm| {
        let error = hsm.refused("token=corp;object=oms");
        let KeyError::Token { matches: 2, present, .. } = error else {
            panic!("{error}");
        };
        // Only one of the two holds the key.
        let found: Vec<_> = present
            .iter()
            .map(|token| hsm.open(&format!("token=corp;serial={};object=oms", token.serial)))
            .collect();
        assert_eq!(found.iter().filter(|key| key.is_ok()).count(), 1);
        assert!(found.iter().any(|key| matches!(key, Err(KeyError::Key { matches: 0, .. }))));
    }
);

case!(the_only_token_need_not_be_named, one_key, |hsm| {
    // The token that is not initialised, which SoftHSM2 always shows, does not count.
    hsm.open("object=oms").unwrap();
});

case!(an_absent_key_is_named_beside_those_present, one_key, |hsm| {
    for path in ["token=corp;object=none", "token=corp;id=%02", "token=corp;object=oms;id=%02"] {
        let error = hsm.refused(path);
        assert!(matches!(error, KeyError::Key { matches: 0, .. }), "{path}: {error}");
        assert_eq!(error.code().id(), "hsm.key");
        assert!(error.to_string().ends_with("found: \"oms\" (id 01)"), "{error}");
    }
});

case!(
    two_keys_of_one_label_need_an_id,
    |hsm| {
        one_key(hsm);
        hsm.key("corp", "oms", "02", "secp384r1");
    },
    |hsm| {
        for path in ["token=corp;object=oms", "token=corp"] {
            let error = hsm.refused(path);
            assert!(matches!(error, KeyError::Key { matches: 2, .. }), "{error}");
            assert!(error.to_string().contains("\"oms\" (id 02)"), "{error}");
        }
        let key = hsm.open("token=corp;object=oms;id=%02").unwrap();
        assert_eq!(key.public_key().key_type(), KeyType::P384);
    }
);

case!(
    keys_that_cannot_serve_are_refused,
    |hsm| {
        hsm.token("corp");
        let generate = |args: &[&str]| hsm.tool("corp", &[&["--keypairgen"], args].concat());
        generate(&["--key-type", "rsa:2048", "--label", "rsa", "--id", "01"]);
        hsm.key("corp", "koblitz", "02", "secp256k1");
        let always = ["--always-auth", "--label", "always", "--id", "03"];
        generate(&[&["--key-type", "EC:secp256r1"], &always[..]].concat());
        hsm.key("corp", "alone", "04", "secp256r1");
        hsm.tool("corp", &["--delete-object", "--type", "pubkey", "--id", "04"]);
        // A second, different public key under the id of the first.
        hsm.key("corp", "twice", "05", "secp256r1");
        hsm.run("openssl", &["ecparam", "-genkey", "-name", "prime256v1", "-out", "key.pem"]);
        let public = ["-in", "key.pem", "-pubout", "-outform", "DER", "-out", "public.der"];
        hsm.run("openssl", &[&["ec"], &public[..]].concat());
        let write = ["--write-object", "public.der", "--type", "pubkey", "--label", "x", "--id"];
        hsm.tool("corp", &[&write[..], &["05"]].concat());
        // A public key that is not the private key's; it is there twice, which does no harm.
        hsm.key("corp", "false", "06", "secp256r1");
        hsm.tool("corp", &["--delete-object", "--type", "pubkey", "--id", "06"]);
        hsm.tool("corp", &[&write[..], &["06"]].concat());
        hsm.tool("corp", &[&write[..], &["06"]].concat());
    },
    |hsm| {
        for (label, unfit) in [
            ("rsa", Unfit::NotEc),
            ("koblitz", Unfit::Curve),
            ("always", Unfit::AlwaysAuthenticate),
            ("alone", Unfit::NoPublicKey),
            ("twice", Unfit::SeveralPublicKeys),
        ] {
            let error = hsm.refused(&format!("token=corp;object={label}"));
            assert_eq!(error.code().id(), "hsm.key");
            assert!(matches!(error, KeyError::KeyUnfit { why, .. } if why == unfit), "{error}");
        }
        // A signature that the public key does not verify never leaves.
        let key = hsm.open("token=corp;object=false").unwrap();
        let error = key.sign(b"message").unwrap_err();
        assert!(matches!(error, KeyError::BadSignature), "{error}");
        assert_eq!(error.code().id(), "hsm.operation");
        assert!(keys::check(&hsm.key_ref("token=corp;object=false")).is_err());
    }
);

case!(
    a_token_without_ecdsa_is_refused,
    |hsm| {
        one_key(hsm);
        let settings = fs::read_to_string(hsm.path("softhsm2.conf")).unwrap();
        fs::write(hsm.path("softhsm2.conf"), settings + "slots.mechanisms = CKM_RSA_PKCS\n")
            .unwrap();
    },
    |hsm| {
        let error = hsm.refused("token=corp;object=oms");
        assert!(matches!(error, KeyError::KeyUnfit { why: Unfit::Mechanism, .. }), "{error}");
        let slots = keys::list(Path::new(MODULE), None).unwrap();
        assert!(slots.iter().all(|slot| slot.token.as_ref().unwrap().ecdsa.is_none()));
    }
);

// Here the test itself plays another part of the process, which uses the same module.
case!(a_module_that_is_in_use_already_serves, one_key, |hsm| {
    let other = Pkcs11::new(MODULE).unwrap();
    other.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).unwrap();
    let slots = other.get_slots_with_token().unwrap();
    let labelled = |slot: &Slot| other.get_token_info(*slot).unwrap().label() == "corp";
    let session = other.open_rw_session(slots.into_iter().find(labelled).unwrap()).unwrap();
    session.login(UserType::User, Some(&PIN.into())).unwrap();

    // The login of the other part holds for the token, so no PIN is read.
    let reference = hsm.key_ref_with("token=corp;object=oms", &format!("module-path={MODULE}"));
    SigningKey::open(&reference).unwrap().sign(b"message").unwrap();

    // A key that may not sign does not count.
    let private = [Attribute::Class(ObjectClass::PRIVATE_KEY)];
    let [object] = session.find_objects(&private).unwrap()[..] else {
        panic!("not one key");
    };
    session.update_attributes(object, &[Attribute::Sign(false)]).unwrap();
    let error = SigningKey::open(&reference).unwrap_err();
    assert!(matches!(error, KeyError::Key { matches: 0, .. }), "{error}");
    assert!(error.to_string().ends_with("found: none"), "{error}");
});

case!(
    a_module_that_is_absent_or_no_module,
    |hsm| {
        one_key(hsm);
        fs::write(hsm.path("text.so"), "text").unwrap();
    },
    |hsm| {
        let text = hsm.path("text.so");
        for module in ["/nonexistent/module.so", text.to_str().unwrap(), "/"] {
            let key = hsm.key_ref_with("token=corp", &format!("module-path={module}"));
            let error = SigningKey::open(&key).unwrap_err();
            assert!(matches!(error, KeyError::Module { .. }), "{error}");
            assert_eq!(error.code().id(), "hsm.module");
            assert!(keys::list(Path::new(module), None).is_err());
        }
        // A module that could not be loaded does not stand in the way of another.
        hsm.open("token=corp").unwrap();
    }
);

case!(the_pin_comes_from_a_descriptor, one_key, |hsm| {
    let (reader, mut writer) = std::io::pipe().unwrap();
    writeln!(writer, "{PIN}").unwrap();
    drop(writer);
    let query = format!("module-path={MODULE}&pin-source=fd:{}", reader.as_raw_fd());
    let reference = hsm.key_ref_with("token=corp;object=oms", &query);
    let key = SigningKey::open(&reference).unwrap();
    // The pipe is empty now, and is not needed: the process is logged in.
    SigningKey::open(&reference).unwrap();
    drop(key);
    let error = SigningKey::open(&reference).unwrap_err();
    assert!(matches!(error, KeyError::Pin { fault: PinFault::Empty, .. }), "{error}");

    let query = format!("module-path={MODULE}&pin-source=fd:987");
    let error = SigningKey::open(&hsm.key_ref_with("token=corp", &query)).unwrap_err();
    assert!(matches!(error, KeyError::Pin { fault: PinFault::File(_), .. }), "{error}");
});

case!(
    the_pin_comes_from_a_credential,
    |hsm| {
        one_key(hsm);
        hsm.secret("hsm-pin", PIN, 0o400);
    },
    |hsm| {
        let reference = |name| {
            let query = format!("module-path={MODULE}&pin-source=credential:{name}");
            hsm.key_ref_with("token=corp;object=oms", &query)
        };
        let error = SigningKey::open(&reference("none")).unwrap_err();
        assert_eq!(error.code().id(), "key.pin");
        SigningKey::open(&reference("hsm-pin")).unwrap();
    }
);

case!(
    a_pin_file_that_others_may_read_is_refused,
    |hsm| {
        one_key(hsm);
        hsm.secret("pin", PIN, 0o644);
    },
    |hsm| {
        let query = format!("module-path={}&pin-source=file:pin", spy().display());
        let reference = hsm.key_ref_with("token=corp;object=oms", &query);
        let error = SigningKey::open(&reference).unwrap_err();
        assert_eq!(error.code().id(), "key.pin");
        assert!(error.to_string().contains("0644"), "{error}");
        assert!(!error.to_string().contains(PIN));
        assert_eq!(hsm.logins(), 0);
        // It was not a try: once the file is right, the key opens.
        hsm.secret("pin", PIN, 0o600);
        SigningKey::open(&reference).unwrap();
    }
);

case!(the_public_key_survives_pem, one_key, |hsm| {
    let key = hsm.open("token=corp;object=oms").unwrap();
    let read = PublicKey::from_pem(key.public_key().to_pem().as_bytes()).unwrap();
    assert_eq!(&read, key.public_key());
});
