//! Bundles, and the statements in them.

use std::sync::LazyLock;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use oms_verify::budget::Budget;
use oms_verify::bundle::{Bundle, Material, NewMaterial, TrustedKey, TrustedSigner, assemble};
use oms_verify::key::PublicKey;
use oms_verify::pki::{CrlSet, PathInput, Profile, Revocation, RevocationMode, validate};
use oms_verify::statement::Legacy;
use oms_verify::time::UnixTime;

/// A bundle: all that can be asked of one before it is trusted, and its payload as if it were.
pub fn bundle(data: &[u8]) {
    let budget = Budget::default();
    let Ok(bundle) = Bundle::parse(data, &budget) else { return };
    let chain = match bundle.material() {
        Material::Certificates(chain) => chain.as_slice(),
        Material::Sigstore(evidence) => evidence.certificates(),
        Material::PublicKey(identifier) => {
            assert!(identifier.hint().is_none_or(|hint| hint.len() <= data.len()));
            &[]
        }
    };
    let found = validate(&PathInput {
        chain,
        intermediates: &[],
        anchors: &[],
        crls: &CrlSet::default(),
        revocation: &Revocation { mode: RevocationMode::Off, max_crl_age: None },
        time: UnixTime(1_780_000_000),
        proof: None,
        budget: &budget,
        profile: Profile::CODE_SIGNING,
        policies: None,
    });
    assert!(found.is_err(), "a path without an anchor");
    statement(bundle.alleged_payload());
}

/// A payload, signed by a key that is trusted.
pub fn statement(data: &[u8]) {
    let budget = Budget::default();
    let Some((bytes, key)) = signed(data) else { return };
    let Ok(bundle) = Bundle::parse(&bytes, &budget) else {
        // An empty payload is none, and base64 makes a large one larger than the budget.
        assert!(data.is_empty() || data.len() as u64 > budget.bundle_bytes / 2);
        return;
    };
    let Material::PublicKey(identifier) = bundle.material() else { return };
    let Ok(trusted) = TrustedKey::new(key.clone(), identifier) else { return };
    for legacy in [Legacy::Refuse, Legacy::Allow] {
        if let Ok(statement) = bundle.open(&TrustedSigner::Key(trusted.clone()), legacy, &budget) {
            let manifest = statement.manifest();
            // They differ when the resources are not listed in the order of their names.
            let _ = (manifest.root(), statement.root());
            for file in manifest.files() {
                assert!(manifest.file(file.path.as_str()).is_some());
                let _ = (manifest.ignores(file.path.as_str()), file.pieces.size());
            }
        }
    }
}

/// A bundle with this payload, and the fixed key that signed it.
pub(crate) fn signed(payload: &[u8]) -> Option<(Vec<u8>, &'static PublicKey)> {
    let (pair, key) = SIGNER.as_ref()?;
    let message = oms_verify::dsse::pae(oms_verify::dsse::PAYLOAD_TYPE_IN_TOTO, payload);
    Some((assemble(payload, pair.sign(&message).as_ref(), &NewMaterial::Key(key)), key))
}

/// A fixed key: Ed25519, since it signs fastest.
static SIGNER: LazyLock<Option<(Ed25519KeyPair, PublicKey)>> = LazyLock::new(|| {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).ok()?;
    let spki = [SPKI_ED25519, pair.public_key().as_ref()].concat();
    let key = PublicKey::from_spki_der(&spki).ok()?;
    Some((pair, key))
});

/// What stands before the 32 bytes of a key in its SubjectPublicKeyInfo (RFC 8410, section 4).
const SPKI_ED25519: &[u8] =
    &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
