//! Bundles of an instance made here: good ones of each kind, and each thing that can be wrong.

use rcgen::SanType;
use serde_json::{Value, json};

use super::instance::{DAY, Entry, Instance, Recipe, SIGNED, Sct, b64};
use crate::budget::Budget;
use crate::bundle::Bundle;
use crate::reason::Code;
use crate::sigstore::{Identity, SigstoreError, SigstoreSigner, TimeSource, TrustedRoot, verify};
use crate::time::UnixTime;

const ENTRIES: [Entry; 3] = [Entry::Dsse, Entry::Intoto, Entry::HashedRekordV2];
/// 2026-01-01T00:00:00Z.
const LATER: UnixTime = UnixTime(1_767_225_600);

fn ask(root: &Value, bundle: &Value) -> Result<SigstoreSigner, SigstoreError> {
    ask_within(&Budget::default(), root, bundle)
}

fn ask_within(
    budget: &Budget,
    root: &Value,
    bundle: &Value,
) -> Result<SigstoreSigner, SigstoreError> {
    let root = TrustedRoot::parse("private", &serde_json::to_vec(root).unwrap()).unwrap();
    let bundle = Bundle::parse(&serde_json::to_vec(bundle).unwrap(), budget).unwrap();
    verify(&bundle, &root, LATER, budget)
}

/// The code of a bundle that is made as `change` has the recipe.
#[track_caller]
fn made(entry: Entry, change: impl FnOnce(&mut Recipe)) -> Code {
    let instance = Instance::new();
    let mut recipe = Recipe::new(entry);
    change(&mut recipe);
    ask(&instance.trusted_root(), &instance.bundle(&recipe)).expect_err("refused").code()
}

/// The code of a good bundle under a root that is changed.
#[track_caller]
fn under(entry: Entry, change: impl FnOnce(&mut Value)) -> Code {
    let instance = Instance::new();
    let mut root = instance.trusted_root();
    change(&mut root);
    ask(&root, &instance.bundle(&Recipe::new(entry))).expect_err("refused").code()
}

/// The code of a good bundle whose log entry is changed afterwards.
#[track_caller]
fn spoilt(entry: Entry, change: impl FnOnce(&mut Value)) -> Code {
    let instance = Instance::new();
    let mut bundle = instance.bundle(&Recipe::new(entry));
    change(&mut bundle["verificationMaterial"]["tlogEntries"][0]);
    ask(&instance.trusted_root(), &bundle).expect_err("refused").code()
}

#[test]
fn good_bundles_of_every_kind_verify() {
    let instance = Instance::new();
    for entry in ENTRIES {
        let signer = ask(&instance.trusted_root(), &instance.bundle(&Recipe::new(entry))).unwrap();
        assert_eq!(signer.identity(), &Identity::Email("release@vendor.example".to_owned()));
        assert_eq!(signer.issuer(), "https://accounts.vendor.example");
        assert_eq!(signer.signed_at(), UnixTime(SIGNED));
        let source = match entry {
            Entry::HashedRekordV2 => TimeSource::TimestampAuthority,
            Entry::Dsse | Entry::Intoto => TimeSource::Log,
        };
        assert_eq!(signer.times().iter().map(|t| t.source).collect::<Vec<_>>(), [source]);
        assert_eq!(signer.root(), "private");
    }
}

#[test]
fn the_intermediates_of_the_root_do_not_count_as_the_carriers() {
    let instance = Instance::new();
    let bundle = instance.bundle(&Recipe::new(Entry::Dsse));
    let budget = Budget { certificates: 1, ..Budget::default() };
    ask_within(&budget, &instance.trusted_root(), &bundle).unwrap();
}

#[test]
fn stamps_and_several_entries_count_together() {
    let instance = Instance::new();
    let mut recipe = Recipe::new(Entry::Dsse);
    recipe.stamps = vec![SIGNED - 1, SIGNED + 2];
    let mut bundle = instance.bundle(&recipe);
    let entries = &mut bundle["verificationMaterial"]["tlogEntries"];
    *entries = json!([entries[0], entries[0]]);
    let signer = ask(&instance.trusted_root(), &bundle).unwrap();
    assert_eq!(signer.times().len(), 4);
    assert_eq!(signer.signed_at(), UnixTime(SIGNED - 1));
    // Every one of them must be good.
    bundle["verificationMaterial"]["tlogEntries"][1]["logIndex"] = json!("7");
    let error = ask(&instance.trusted_root(), &bundle).unwrap_err();
    assert_eq!(error.code(), Code::SigstoreTime);
}

#[test]
fn identities_are_of_three_kinds_and_one_at_a_time() {
    let instance = Instance::new();
    let ask = |name: SanType, more: Vec<SanType>| {
        let mut recipe = Recipe::new(Entry::Dsse);
        (recipe.name, recipe.more_names) = (name, more);
        ask(&instance.trusted_root(), &instance.bundle(&recipe))
            .map(|signer| signer.identity().clone())
            .map_err(|error| error.code())
    };
    let uri = "https://ci.vendor.example/build";
    let name = || SanType::URI(uri.try_into().unwrap());
    assert_eq!(ask(name(), vec![]), Ok(Identity::Uri(uri.to_owned())));
    let dns = SanType::DnsName("ci.vendor.example".try_into().unwrap());
    assert_eq!(ask(dns.clone(), vec![]), Ok(Identity::Dns("ci.vendor.example".to_owned())));
    assert_eq!(ask(name(), vec![dns]), Err(Code::SigstoreIdentity));
    let address = SanType::IpAddress([127, 0, 0, 1].into());
    assert_eq!(ask(address.clone(), vec![]), Err(Code::SigstoreIdentity));
    assert_eq!(ask(name(), vec![address]), Err(Code::SigstoreIdentity));
}

#[test]
fn both_forms_of_the_issuer_must_agree() {
    let instance = Instance::new();
    let ask = |first, second| {
        let mut recipe = Recipe::new(Entry::Dsse);
        (recipe.issuer_v1, recipe.issuer_v2) = (first, second);
        ask(&instance.trusted_root(), &instance.bundle(&recipe))
            .map(|signer| signer.issuer().to_owned())
            .map_err(|error| error.code())
    };
    let (one, other) = (Some("https://one.example"), Some("https://other.example"));
    assert_eq!(ask(one, None), Ok("https://one.example".to_owned()));
    assert_eq!(ask(None, one), Ok("https://one.example".to_owned()));
    assert_eq!(ask(one, other), Err(Code::SigstoreIssuer));
    assert_eq!(ask(None, None), Err(Code::SigstoreIssuer));
    assert_eq!(ask(Some(""), None), Err(Code::SigstoreIssuer));
}

#[test]
fn certificates_of_others_are_refused() {
    let (instance, other) = (Instance::new(), Instance::new());
    // Everything but Fulcio is of the same instance.
    let mut root = instance.trusted_root();
    root["certificateAuthorities"] = other.trusted_root()["certificateAuthorities"].clone();
    for entry in ENTRIES {
        let error = ask(&root, &instance.bundle(&Recipe::new(entry))).unwrap_err();
        assert_eq!(error.code(), Code::SigstoreCertificate, "{entry:?}");
        assert_eq!(made(entry, |recipe| recipe.code_signing = false), Code::SigstoreCertificate);
    }
    let p521 = made(Entry::Dsse, |recipe| recipe.key = &rcgen::PKCS_ECDSA_P521_SHA512);
    assert_eq!(p521, Code::SigstoreCertificate);
}

#[test]
fn an_authority_counts_only_in_its_time() {
    let window = |start: &str, end: &str| json!({"start": start, "end": end});
    let early = window("2025-01-01T00:00:00Z", "2025-05-31T23:59:59Z");
    let late = window("2025-06-02T00:00:00Z", "2025-07-01T00:00:00Z");
    for other in [early, late] {
        let change = |list: &'static str| {
            let other = other.clone();
            move |root: &mut Value| root[list][0]["validFor"] = other
        };
        let code = under(Entry::Dsse, change("certificateAuthorities"));
        assert_eq!(code, Code::SigstoreCertificate);
        let code = under(Entry::HashedRekordV2, change("timestampAuthorities"));
        assert_eq!(code, Code::SigstoreTime);
        for (entry, index) in [(Entry::Dsse, 0), (Entry::Intoto, 0), (Entry::HashedRekordV2, 1)] {
            let other = other.clone();
            let code = under(entry, |root| root["tlogs"][index]["publicKey"]["validFor"] = other);
            assert_eq!(code, Code::SigstoreLogKey, "{entry:?}");
        }
        let other = other.clone();
        let code = under(Entry::Dsse, |root| root["ctlogs"][0]["publicKey"]["validFor"] = other);
        assert_eq!(code, Code::SigstoreCertificateTransparency);
    }
}

#[test]
fn a_log_key_out_of_its_validity_gains_nothing_from_a_time_that_nobody_signed() {
    // The log's key was given up before the signature was stamped; the entry tells an earlier time.
    let over = json!({"start": "2024-01-01T00:00:00Z", "end": "2025-05-31T23:59:59Z"});
    for entry in [Entry::Dsse, Entry::Intoto] {
        let instance = Instance::new();
        let mut recipe = Recipe::new(entry);
        recipe.stamps = vec![SIGNED];
        recipe.promise = false;
        recipe.integrated = DAY - 86_400;
        let mut root = instance.trusted_root();
        assert!(ask(&root, &instance.bundle(&recipe)).is_ok());
        root["tlogs"][0]["publicKey"]["validFor"] = over.clone();
        let error = ask(&root, &instance.bundle(&recipe)).unwrap_err();
        assert_eq!(error.code(), Code::SigstoreLogKey, "{entry:?}");
    }
}

#[test]
fn an_authority_whose_certificate_had_expired_is_refused() {
    // The library takes the authority's certificate as an anchor and does not look at its time.
    let instance =
        Instance::with(|fulcio| fulcio.not_after = rcgen::date_time_ymd(2025, 5, 1), |_| ());
    let bundle = instance.bundle(&Recipe::new(Entry::Dsse));
    let error = ask(&instance.trusted_root(), &bundle).unwrap_err();
    assert_eq!(error.code(), Code::SigstoreCertificate);
    let instance =
        Instance::with(|_| (), |stamper| stamper.not_after = rcgen::date_time_ymd(2025, 5, 1));
    let bundle = instance.bundle(&Recipe::new(Entry::HashedRekordV2));
    let error = ask(&instance.trusted_root(), &bundle).unwrap_err();
    assert_eq!(error.code(), Code::SigstoreTime);
}

#[test]
fn the_certificate_timestamp_must_be_there_and_right() {
    for entry in ENTRIES {
        for sct in [Sct::Absent, Sct::OtherLog, Sct::OtherCertificate] {
            let code = made(entry, |recipe| recipe.sct = sct);
            assert_eq!(code, Code::SigstoreCertificateTransparency);
        }
        let code = under(entry, |root| root["ctlogs"] = json!([]));
        assert_eq!(code, Code::SigstoreCertificateTransparency);
    }
}

#[test]
fn without_a_proof_of_inclusion_nothing_passes() {
    for entry in ENTRIES {
        let remove =
            |entry: &mut Value| drop(entry.as_object_mut().unwrap().remove("inclusionProof"));
        assert_eq!(spoilt(entry, remove), Code::SigstoreNoInclusionProof);
        let hash = |entry: &mut Value| entry["inclusionProof"]["hashes"][0] = json!(b64([7; 32]));
        assert_eq!(spoilt(entry, hash), Code::SigstoreNoInclusionProof);
        let fewer = |entry: &mut Value| {
            drop(entry["inclusionProof"]["hashes"].as_array_mut().unwrap().pop());
        };
        assert_eq!(spoilt(entry, fewer), Code::SigstoreNoInclusionProof);
        let checkpoint = |entry: &mut Value| {
            let envelope = &mut entry["inclusionProof"]["checkpoint"]["envelope"];
            *envelope = json!(envelope.as_str().unwrap().replacen("\n3\n", "\n4\n", 1));
        };
        assert_eq!(spoilt(entry, checkpoint), Code::SigstoreNoInclusionProof);
        let body = |entry: &mut Value| entry["canonicalizedBody"] = json!(b64("{}"));
        assert_eq!(spoilt(entry, body), Code::SigstoreNoInclusionProof);
    }
    // Version 1 repeats the tree head beside the checkpoint.
    let size = |entry: &mut Value| entry["inclusionProof"]["treeSize"] = json!("4");
    assert_eq!(spoilt(Entry::Dsse, size), Code::SigstoreNoInclusionProof);
    let root = |entry: &mut Value| entry["inclusionProof"]["rootHash"] = json!(b64([7; 32]));
    assert_eq!(spoilt(Entry::Dsse, root), Code::SigstoreNoInclusionProof);
    let index = |entry: &mut Value| entry["logIndex"] = json!("0");
    assert_eq!(spoilt(Entry::HashedRekordV2, index), Code::SigstoreNoInclusionProof);
}

#[test]
fn a_promise_alone_is_no_proof_even_in_the_oldest_bundles() {
    let instance = Instance::new();
    let mut bundle = instance.bundle(&Recipe::new(Entry::Dsse));
    bundle["mediaType"] = json!("application/vnd.dev.sigstore.bundle+json;version=0.1");
    let material = bundle["verificationMaterial"].as_object_mut().unwrap();
    let leaf = material.remove("certificate").unwrap();
    material.insert("x509CertificateChain".to_owned(), json!({"certificates": [leaf]}));
    ask(&instance.trusted_root(), &bundle).unwrap();
    let entry = bundle["verificationMaterial"]["tlogEntries"][0].as_object_mut().unwrap();
    entry.remove("inclusionProof").unwrap();
    let error = ask(&instance.trusted_root(), &bundle).unwrap_err();
    assert_eq!(error, SigstoreError::NoInclusionProof);
}

#[test]
fn the_log_must_be_known_and_sign_for_itself() {
    for entry in ENTRIES {
        let unknown = |entry: &mut Value| entry["logId"]["keyId"] = json!(b64([7; 32]));
        assert_eq!(spoilt(entry, unknown), Code::SigstoreLogKey, "{entry:?}");
        // The log that the root has under the identifier is another one.
        let (instance, other) = (Instance::new(), Instance::new());
        let mut root = instance.trusted_root();
        for index in 0..2 {
            root["tlogs"][index]["publicKey"] =
                other.trusted_root()["tlogs"][index]["publicKey"].clone();
        }
        let error = ask(&root, &instance.bundle(&Recipe::new(entry))).unwrap_err();
        assert_eq!(error.code(), Code::SigstoreNoInclusionProof);
    }
    // A known log cannot sign the checkpoint of another one.
    let instance = Instance::new();
    let mut bundle = instance.bundle(&Recipe::new(Entry::Dsse));
    let root = instance.trusted_root();
    bundle["verificationMaterial"]["tlogEntries"][0]["logId"] = root["tlogs"][1]["logId"].clone();
    assert_eq!(ask(&root, &bundle).unwrap_err().code(), Code::SigstoreNoInclusionProof);
}

#[test]
fn an_entry_about_another_signature_or_certificate_is_refused() {
    for entry in ENTRIES {
        assert_eq!(made(entry, |recipe| recipe.logs_another = true), Code::SigstoreLogEntry);
        let code = made(entry, |recipe| recipe.logs_other_certificate = true);
        assert_eq!(code, Code::SigstoreLogEntry, "{entry:?}");
    }
}

#[test]
fn a_signature_has_a_trusted_time_within_the_life_of_its_certificate() {
    for entry in [Entry::Dsse, Entry::Intoto] {
        for time in [DAY - 1, DAY + 601] {
            assert_eq!(made(entry, |recipe| recipe.integrated = time), Code::SigstoreTime);
        }
        // A time that nobody signed is none.
        assert_eq!(made(entry, |recipe| recipe.promise = false), Code::SigstoreTime);
        let time = |entry: &mut Value| entry["integratedTime"] = json!((SIGNED + 1).to_string());
        assert_eq!(spoilt(entry, time), Code::SigstoreTime);
        let promise = |entry: &mut Value| {
            entry["inclusionPromise"]["signedEntryTimestamp"] = json!(b64([7; 70]));
        };
        assert_eq!(spoilt(entry, promise), Code::SigstoreTime);
    }
    let stamped = |stamps: Vec<i64>| made(Entry::HashedRekordV2, |recipe| recipe.stamps = stamps);
    assert_eq!(stamped(vec![]), Code::SigstoreTime);
    assert_eq!(stamped(vec![DAY - 1]), Code::SigstoreTime);
    assert_eq!(stamped(vec![DAY + 601]), Code::SigstoreTime);
    assert_eq!(stamped(vec![SIGNED, DAY + 601]), Code::SigstoreTime);
}

#[test]
fn a_stamp_is_over_this_signature_and_by_an_authority_of_the_root() {
    let (instance, other) = (Instance::new(), Instance::new());
    let recipe = Recipe::new(Entry::HashedRekordV2);
    let stamps =
        |bundle: &Value| bundle["verificationMaterial"]["timestampVerificationData"].clone();
    let mut bundle = instance.bundle(&recipe);
    bundle["verificationMaterial"]["timestampVerificationData"] = stamps(&instance.bundle(&recipe));
    let error = ask(&instance.trusted_root(), &bundle).unwrap_err();
    assert_eq!(error.code(), Code::SigstoreTime);

    let mut root = instance.trusted_root();
    root["timestampAuthorities"] = other.trusted_root()["timestampAuthorities"].clone();
    let error = ask(&root, &instance.bundle(&recipe)).unwrap_err();
    assert_eq!(error.code(), Code::SigstoreTime);
    root["timestampAuthorities"] = json!([]);
    let error = ask(&root, &instance.bundle(&recipe)).unwrap_err();
    assert_eq!(error.code(), Code::SigstoreTime);
}

#[test]
fn the_signature_is_over_this_payload() {
    let instance = Instance::new();
    for entry in ENTRIES {
        let mut bundle = instance.bundle(&Recipe::new(entry));
        bundle["dsseEnvelope"]["payload"] = json!(b64("{}"));
        let error = ask(&instance.trusted_root(), &bundle).unwrap_err();
        assert_eq!(error, SigstoreError::Signature);
    }
}

#[test]
fn a_statement_of_too_many_values_never_becomes_a_tree() {
    let instance = Instance::new();
    let mut recipe = Recipe::new(Entry::Dsse);
    recipe.predicate = json!(vec![0; 1_000_000]);
    let error = ask(&instance.trusted_root(), &instance.bundle(&recipe)).unwrap_err();
    assert!(error.to_string().contains("more than 1000000 values"), "{error}");
    recipe.predicate = json!(vec![0; 900_000]);
    assert!(ask(&instance.trusted_root(), &instance.bundle(&recipe)).is_ok());
}
