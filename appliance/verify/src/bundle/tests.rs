//! Bundles that a carrier may bring: which are read, which are refused, and as what.

mod legacy;
pub(crate) mod maker;
mod properties;
mod timestamps;

use serde_json::{Value, json};

use super::{Bundle, BundleError, KeyIdentifier, MEDIA_TYPES, Material, OpenError, TrustedKey};
use super::{NewMaterial, TrustedSigner, assemble};
use crate::budget::Budget;
use crate::dsse::{encode, pae};
use crate::reason::{Code, Reason};
use crate::sigstore::tests::hollow_entry;
use crate::statement::Legacy;
use maker::{Authority, FILES, KEY, Key, bundle, bundle_json, statement, to_bytes};

fn read(bytes: &[u8]) -> Result<Bundle, BundleError> {
    Bundle::parse(bytes, &Budget::default())
}

#[track_caller]
fn refusal(bytes: &[u8]) -> Code {
    Reason::from(&read(bytes).expect_err("the bundle must be refused")).code
}

/// The code for a right bundle after `change`, or `None` when it is still read.
#[track_caller]
fn changed(change: impl FnOnce(&mut Value)) -> Option<Code> {
    let mut value = bundle_json();
    change(&mut value);
    read(&to_bytes(&value)).err().map(|error| error.code())
}

fn material_of(value: Value) -> Result<Material, BundleError> {
    let mut bundle = bundle_json();
    bundle["verificationMaterial"] = value;
    read(&to_bytes(&bundle)).map(|bundle| bundle.material().clone())
}

fn authority() -> (Authority, Key) {
    (Authority::new("Root"), Key::p256())
}

#[test]
fn size_and_depth_are_bounded_before_anything_is_read() {
    assert_eq!(refusal(b""), Code::BundleEmpty);
    let bytes = bundle(b"{}", &KEY);
    let budget = |bundle_bytes| Budget { bundle_bytes, ..Budget::default() };
    assert!(Bundle::parse(&bytes, &budget(bytes.len() as u64)).is_ok());
    let error = Bundle::parse(&bytes, &budget(bytes.len() as u64 - 1)).unwrap_err();
    assert_eq!(error.code(), Code::BundleTooLarge);
    assert_eq!(Reason::from(&error).rule.as_deref(), Some("manifest.max-bundle-bytes"));

    for open in ["[", "{\"a\":"] {
        assert_eq!(refusal(open.repeat(100_000).as_bytes()), Code::BundleTooDeep);
    }
    let deep = format!("{{\"tlogEntries\":{}{}}}", "[".repeat(40), "]".repeat(40));
    let material = changed(|b| b["verificationMaterial"] = serde_json::from_str(&deep).unwrap());
    assert_eq!(material, Some(Code::BundleTooDeep));
}

#[test]
fn a_hint_is_bounded() {
    let hint = |length: usize| {
        changed(|b| {
            b["verificationMaterial"]["publicKey"]["hint"] = json!("h".repeat(length));
        })
    };
    assert_eq!(hint(1024), None);
    assert_eq!(hint(1025), Some(Code::BundleMaterial));
}

#[test]
fn a_bundle_is_one_json_object_and_nothing_after_it() {
    let bytes = bundle(b"{}", &KEY);
    assert!(read(&[&bytes[..], b" \n"].concat()).is_ok());
    for tail in ["{}", "x", "\0", ","] {
        assert_eq!(refusal(&[&bytes[..], tail.as_bytes()].concat()), Code::BundleJson);
    }
    for bad in ["[]", "null", "\"x\"", "0", "{}"] {
        assert_eq!(refusal(bad.as_bytes()), Code::BundleSchema, "{bad}");
    }
    for bad in ["{", "nul", "\u{feff}{}", "{'mediaType':1}", "\u{0}"] {
        assert_eq!(refusal(bad.as_bytes()), Code::BundleJson, "{bad:?}");
    }
}

#[test]
fn a_repeated_key_is_found_at_every_level() {
    let text = String::from_utf8(bundle(b"{}", &KEY)).unwrap();
    assert!(read(text.as_bytes()).is_ok());
    for (at, twice) in [
        ("{\"mediaType\"", "{\"mediaType\":\"x\",\"mediaType\""),
        ("{\"mediaType\"", "{\"media\\u0054ype\":\"x\",\"mediaType\""),
        ("{\"publicKey\"", "{\"publicKey\":{},\"publicKey\""),
        ("{\"publicKey\"", "{\"extra\":{\"a\":1,\"a\":1},\"publicKey\""),
        ("{\"hint\"", "{\"hint\":\"\",\"hint\""),
        ("{\"payload\"", "{\"payload\":\"\",\"payload\""),
        ("{\"sig\"", "{\"sig\":\"\",\"s\\u0069g\""),
    ] {
        let bad = text.replacen(at, twice, 1);
        assert_ne!(bad, text);
        assert_eq!(refusal(bad.as_bytes()), Code::BundleDuplicateKey, "{twice}");
    }
}

#[test]
fn unknown_fields_are_refused_where_the_schema_forbids_them() {
    assert_eq!(changed(|b| b["extra"] = json!(1)), Some(Code::BundleSchema));
    assert_eq!(changed(|b| b["dsseEnvelope"]["extra"] = json!(1)), Some(Code::BundleSchema));
    let signature = |b: &mut Value| b["dsseEnvelope"]["signatures"][0]["extra"] = json!(1);
    assert_eq!(changed(signature), Some(Code::BundleSchema));
    assert_eq!(changed(|b| b["messageSignature"] = json!({})), Some(Code::BundleSchema));

    let material =
        |b: &mut Value| b["verificationMaterial"]["timestampVerificationData"] = json!({});
    assert_eq!(changed(material), None);
    let key = |b: &mut Value| b["verificationMaterial"]["publicKey"]["keyDetails"] = json!("x");
    assert_eq!(changed(key), None);
}

#[test]
fn missing_fields_and_arrays_in_place_of_objects_are_refused() {
    for field in ["mediaType", "verificationMaterial", "dsseEnvelope"] {
        let remove = |b: &mut Value| drop(b.as_object_mut().unwrap().remove(field));
        assert_eq!(changed(remove), Some(Code::BundleSchema), "{field}");
    }
    let array = |b: &mut Value| {
        let envelope = &b["dsseEnvelope"];
        let list = json!([envelope["payload"], envelope["payloadType"], envelope["signatures"]]);
        b["dsseEnvelope"] = list;
    };
    assert_eq!(changed(array), Some(Code::BundleSchema));
    let array = |b: &mut Value| {
        let signature = b["dsseEnvelope"]["signatures"][0]["sig"].clone();
        b["dsseEnvelope"]["signatures"] = json!([[signature, null]]);
    };
    assert_eq!(changed(array), Some(Code::BundleSchema));
}

#[test]
fn only_the_four_media_types_are_read() {
    for right in MEDIA_TYPES {
        assert_eq!(changed(|b| b["mediaType"] = json!(right)), None, "{right}");
    }
    for wrong in [
        "",
        "application/json",
        "application/vnd.dev.sigstore.bundle+json",
        "application/vnd.dev.sigstore.bundle+json;version=0.4",
        "application/vnd.dev.sigstore.bundle+json; version=0.3",
        "application/vnd.dev.sigstore.bundle.v0.2+json",
        "application/vnd.dev.sigstore.bundle.v0.3+json ",
        "Application/vnd.dev.sigstore.bundle.v0.3+json",
    ] {
        let code = changed(|b| b["mediaType"] = json!(wrong));
        assert_eq!(code, Some(Code::BundleMediaType), "{wrong}");
    }
}

#[test]
fn the_envelope_has_one_signature_in_padded_base64() {
    for count in [0, 2] {
        let code = changed(|b| {
            let one = b["dsseEnvelope"]["signatures"][0].clone();
            b["dsseEnvelope"]["signatures"] = Value::Array(vec![one; count]);
        });
        assert_eq!(code, Some(Code::BundleSignatureCount));
    }
    // Counted to the end only while that costs little.
    let many = changed(|b| {
        let one = b["dsseEnvelope"]["signatures"][0].clone();
        b["dsseEnvelope"]["signatures"] = Value::Array(vec![one; 65]);
    });
    assert_eq!(many, Some(Code::BundleSchema));
    for keyid in [Value::Null, json!(""), json!("anything")] {
        let set = |b: &mut Value| b["dsseEnvelope"]["signatures"][0]["keyid"] = keyid;
        assert_eq!(changed(set), None);
    }
    let remove = |b: &mut Value| {
        let signature = &mut b["dsseEnvelope"]["signatures"][0];
        signature.as_object_mut().unwrap().remove("keyid").unwrap();
    };
    assert_eq!(changed(remove), None);
    let number = |b: &mut Value| b["dsseEnvelope"]["signatures"][0]["keyid"] = json!(1);
    assert_eq!(changed(number), Some(Code::BundleSchema));

    for bad in ["", "AAA", "AA=", "A A=", "AA\n==", "-_-_", "AB==", "AAAA="] {
        let signature = |b: &mut Value| b["dsseEnvelope"]["signatures"][0]["sig"] = json!(bad);
        assert_eq!(changed(signature), Some(Code::BundleSchema), "{bad:?}");
        let payload = |b: &mut Value| b["dsseEnvelope"]["payload"] = json!(bad);
        assert_eq!(changed(payload), Some(Code::BundleSchema), "{bad:?}");
    }
}

#[test]
fn exactly_one_kind_of_material_is_there() {
    let (root, key) = authority();
    let der = json!({"rawBytes": encode(root.issue("leaf", vec![], &key).der())});
    let public_key = json!({"hint": ""});
    for bad in [
        json!({}),
        json!({"publicKey": null}),
        json!({"publicKey": public_key, "certificate": der}),
        json!({"publicKey": public_key, "x509CertificateChain": {"certificates": [der]}}),
        json!({"certificate": der, "x509CertificateChain": {"certificates": [der]}}),
        json!({"x509CertificateChain": {"certificates": []}}),
        json!({"x509CertificateChain": {"certificates": [{"rawBytes": "%"}]}}),
        json!({"x509CertificateChain": {"certificates": [{"rawBytes": ""}]}}),
        json!({"publicKey": {"rawBytes": "%"}}),
    ] {
        assert_eq!(material_of(bad.clone()).unwrap_err().code(), Code::BundleMaterial, "{bad}");
    }
    let not_x509 = json!({"certificate": {"rawBytes": "MAA="}});
    let code = material_of(not_x509).unwrap_err().code();
    assert_eq!(code, Code::SignatureCertificateMalformed);
}

#[test]
fn certificates_are_bounded_in_number_and_size() {
    let (root, key) = authority();
    let der = encode(root.issue("leaf", vec![], &key).der());
    let chain = |count: usize| {
        let list = vec![json!({"rawBytes": der}); count];
        material_of(json!({"x509CertificateChain": {"certificates": list}}))
    };
    assert!(matches!(chain(16), Ok(Material::Certificates(list)) if list.len() == 16));
    assert_eq!(chain(17).unwrap_err().code(), Code::BundleMaterial);
    let large = json!({"certificate": {"rawBytes": encode(&vec![0x30; (64 << 10) + 1])}});
    let error = material_of(large).unwrap_err();
    assert!(matches!(error, BundleError::CertificateTooLarge { .. }), "{error}");
    assert_eq!(error.code(), Code::BundleMaterial);
}

#[test]
fn a_single_certificate_is_sigstore_only_with_log_entries() {
    let (root, key) = authority();
    let leaf = json!({"rawBytes": encode(root.issue("leaf", vec![], &key).der())});
    let method = |value| material_of(value).unwrap().method();
    assert_eq!(method(json!({"certificate": leaf})), "certificate");
    assert_eq!(method(json!({"certificate": leaf, "tlogEntries": []})), "certificate");
    assert_eq!(method(json!({"certificate": leaf, "tlogEntries": null})), "certificate");
    let entries = [hollow_entry()];
    assert_eq!(method(json!({"certificate": leaf, "tlogEntries": entries})), "sigstore");
    let error = material_of(json!({"certificate": leaf, "tlogEntries": [{}]})).unwrap_err();
    assert_eq!(error.code(), Code::SigstoreMalformed);
    let chain = json!({"x509CertificateChain": {"certificates": [leaf]}, "tlogEntries": [{}]});
    assert_eq!(method(chain), "certificate");
}

#[test]
fn a_hint_or_raw_key_that_names_another_key_is_not_trusted() {
    let key = Key::p256();
    let public = key.public();
    let hint = public.hint().to_hex();
    let pem = encode(public.to_pem().as_bytes());
    let der = encode(public.spki_der());
    let other = Key::p256().public();
    let names = |value: Value| {
        let Material::PublicKey(identifier) = material_of(json!({"publicKey": value})).unwrap()
        else {
            unreachable!("the material is a key")
        };
        TrustedKey::new(public.clone(), &identifier).is_ok()
    };
    for right in [
        json!({}),
        json!({"hint": null}),
        json!({"hint": ""}),
        json!({"hint": hint}),
        json!({"rawBytes": pem}),
        json!({"rawBytes": der}),
        json!({"hint": hint, "rawBytes": der}),
    ] {
        assert!(names(right.clone()), "{right}");
    }
    for wrong in [
        json!({"hint": hint.to_uppercase()}),
        json!({"hint": format!("{hint} ")}),
        json!({"hint": other.hint().to_hex()}),
        json!({"hint": public.fingerprint().to_hex()}),
        json!({"rawBytes": encode(other.to_pem().as_bytes())}),
        json!({"rawBytes": encode(other.spki_der())}),
        json!({"rawBytes": encode(b"x")}),
        json!({"hint": hint, "rawBytes": encode(other.spki_der())}),
        json!({"hint": other.hint().to_hex(), "rawBytes": der}),
    ] {
        assert!(!names(wrong.clone()), "{wrong}");
    }
}

#[test]
fn each_curve_opens_what_it_signed_and_nothing_else() {
    let payload = to_bytes(&statement(&FILES));
    let curves = [
        &rcgen::PKCS_ECDSA_P256_SHA256,
        &rcgen::PKCS_ECDSA_P384_SHA384,
        &rcgen::PKCS_ECDSA_P521_SHA512,
        &rcgen::PKCS_ED25519,
    ];
    for curve in curves {
        let key = Key::of(curve);
        let bundle = maker::parse(&bundle(&payload, &key));
        let open = |key: &Key| bundle.open(&key.trusted(), Legacy::Refuse, &Budget::default());
        assert_eq!(open(&key).unwrap().subject_name(), Some("model"));
        let error = open(&Key::of(curve)).unwrap_err();
        assert_eq!(Reason::from(&error).code, Code::SignatureInvalid);
    }
}

#[test]
fn another_payload_type_is_refused_though_it_is_what_was_signed() {
    let payload = to_bytes(&statement(&FILES));
    for kind in ["application/json", "", "application/vnd.in-toto+json "] {
        let signature = KEY.sign(&pae(kind, &payload));
        let mut value = bundle_json();
        value["dsseEnvelope"]["payloadType"] = json!(kind);
        value["dsseEnvelope"]["signatures"][0]["sig"] = json!(encode(&signature));
        let bundle = maker::parse(&to_bytes(&value));
        let error = bundle.open(&KEY.trusted(), Legacy::Allow, &Budget::default()).unwrap_err();
        assert_eq!(Reason::from(&error).code, Code::BundlePayloadType, "{kind:?}");
    }
    // The right type that was not signed.
    let signature = KEY.sign(&pae("text/plain", &payload));
    let bytes = assemble(&payload, &signature, &NewMaterial::Key(&KEY.public()));
    let error = maker::parse(&bytes).open(&KEY.trusted(), Legacy::Refuse, &Budget::default());
    assert_eq!(Reason::from(&error.unwrap_err()).code, Code::SignatureInvalid);
}

#[test]
fn a_certified_signer_opens_only_the_bundle_that_holds_its_leaf() {
    let (root, key) = authority();
    let chain = [root.issue("leaf", vec![], &key)];
    let again = [root.issue("leaf again", vec![], &key)];
    let path = |chain: &[crate::pki::Certificate]| {
        use crate::pki::{CrlSet, PathInput, Profile, Revocation, RevocationMode, validate};
        let path = validate(&PathInput {
            chain,
            intermediates: &[],
            anchors: &[root.anchor("root")],
            crls: &CrlSet::default(),
            revocation: &Revocation { mode: RevocationMode::Off, max_crl_age: None },
            time: maker::NOW,
            budget: &Budget::default(),
            proof: None,
            policies: None,
            profile: Profile::CODE_SIGNING,
        });
        TrustedSigner::Certificate(Box::new(path.unwrap()))
    };
    let payload = to_bytes(&statement(&FILES));
    let bundle = maker::parse(&maker::chain_bundle(&payload, &key, &chain));
    let open = |bundle: &Bundle, signer: &TrustedSigner| {
        bundle.open(signer, Legacy::Refuse, &Budget::default()).map(|_| ())
    };
    assert_eq!(open(&bundle, &path(&chain)), Ok(()));
    // The same key under another certificate, and a bundle without any certificate.
    assert_eq!(open(&bundle, &path(&again)), Err(OpenError::OtherSigner));
    let by_key = maker::parse(&maker::bundle(&payload, &key));
    assert_eq!(open(&by_key, &path(&chain)), Err(OpenError::OtherSigner));
}

#[test]
fn what_is_written_is_read_again() {
    let (root, key) = authority();
    let chain = [root.issue("leaf", vec![], &key), root.certificate.clone()];
    let payload = to_bytes(&statement(&FILES));
    let bundle = maker::parse(&maker::chain_bundle(&payload, &key, &chain));
    assert_eq!(bundle.media_type(), super::MEDIA_TYPE);
    assert_eq!(bundle.alleged_payload(), payload);
    assert!(matches!(bundle.material(), Material::Certificates(list) if list[..] == chain));
    let Material::PublicKey(identifier) = maker::parse(&maker::bundle(&payload, &key)).material
    else {
        unreachable!("the material is a key")
    };
    assert_eq!(identifier.hint(), Some(key.public().hint().to_hex().as_str()));
    let none = KeyIdentifier::default();
    assert!(TrustedKey::new(key.public(), &none).is_ok());
}
