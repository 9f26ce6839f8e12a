//! Which bytes are a trusted root.

use serde_json::{Value, json};

use super::instance::{Instance, b64};
use super::public_good;
use crate::sigstore::{TrustedRoot, TrustedRootError};

fn parse(root: &Value) -> Result<TrustedRoot, TrustedRootError> {
    TrustedRoot::parse("r", &serde_json::to_vec(root).unwrap())
}

#[test]
fn the_shipped_root_is_the_one_that_is_pinned() {
    let pinned = include_str!("../../../../../firmware-roots/roots.toml");
    assert!(pinned.contains(&public_good("r").sha256.to_hex()));
}

#[test]
fn versions_0_1_and_0_2_are_read() {
    let mut root = Instance::new().trusted_root();
    for version in [
        "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
        "application/vnd.dev.sigstore.trustedroot+json;version=0.2",
        "application/vnd.dev.sigstore.trustedroot.v0.2+json",
    ] {
        root["mediaType"] = json!(version);
        assert!(parse(&root).is_ok(), "{version}");
    }
    for version in ["", "application/json", "application/vnd.dev.sigstore.trustedroot.v0.3+json"] {
        root["mediaType"] = json!(version);
        assert!(matches!(parse(&root), Err(TrustedRootError::MediaType(_))), "{version}");
    }
}

#[test]
fn a_root_without_authority_or_log_is_none() {
    for list in ["certificateAuthorities", "tlogs"] {
        let mut root = Instance::new().trusted_root();
        root[list] = json!([]);
        assert!(matches!(parse(&root), Err(TrustedRootError::Nothing(_))), "{list}");
    }
    let mut root = Instance::new().trusted_root();
    root["certificateAuthorities"][0]["certChain"]["certificates"] = json!([]);
    assert!(matches!(parse(&root), Err(TrustedRootError::Nothing(_))));
}

#[test]
fn what_cannot_be_used_is_found_when_the_root_is_read() {
    let good = Instance::new().trusted_root();
    let spoil = |change: &dyn Fn(&mut Value)| {
        let mut root = good.clone();
        change(&mut root);
        parse(&root).unwrap_err()
    };
    let errors = [
        spoil(&|root| root["tlogs"][0]["publicKey"]["rawBytes"] = json!(b64("key"))),
        spoil(&|root| root["tlogs"][0]["logId"]["keyId"] = json!(b64("short"))),
        spoil(&|root| root["tlogs"][1] = root["tlogs"][0].clone()),
        spoil(&|root| {
            let window = json!({"start": "2025-01-01T00:00:00Z", "end": "2024-01-01T00:00:00Z"});
            root["tlogs"][0]["publicKey"]["validFor"] = window;
        }),
        spoil(&|root| {
            let chain = &mut root["timestampAuthorities"][0]["certChain"]["certificates"];
            chain[0]["rawBytes"] = json!(b64("certificate"));
        }),
    ];
    assert!(
        errors.iter().all(|error| matches!(error, TrustedRootError::Unusable(_))),
        "{errors:?}"
    );
    let error = spoil(&|root| {
        let chain = &mut root["certificateAuthorities"][0]["certChain"]["certificates"];
        chain[0]["rawBytes"] = json!(b64("certificate"));
    });
    assert!(matches!(error, TrustedRootError::Certificate(_)));
}

#[test]
fn a_root_is_strict_json_of_bounded_size() {
    let text = serde_json::to_string(&Instance::new().trusted_root()).unwrap();
    let doubled = text.replacen('{', "{\"tlogs\":[],", 1);
    assert!(matches!(TrustedRoot::parse("r", doubled.as_bytes()), Err(TrustedRootError::Json(_))));
    let padded = text + &" ".repeat(1 << 20);
    assert!(matches!(
        TrustedRoot::parse("r", padded.as_bytes()),
        Err(TrustedRootError::TooLarge { .. })
    ));
}
