//! Properties of every bundle: reading never panics, and no changed byte goes unnoticed.

use proptest::prelude::*;

use super::maker::{self, FILES, KEY, bundle_json, statement, to_bytes};
use super::read;
use crate::budget::Budget;
use crate::bundle::{NewMaterial, OpenError, assemble};
use crate::dsse::{PAYLOAD_TYPE_IN_TOTO, pae};
use crate::statement::Legacy;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_mutation_of_a_bundle_panics(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..8)
    ) {
        let mut bytes = to_bytes(&bundle_json());
        for (at, byte, kind) in edits {
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => bytes.truncate(at.max(1)),
            }
        }
        let _ = read(&bytes);
    }

    #[test]
    fn any_changed_byte_of_payload_or_signature_is_noticed(
        at in any::<prop::sample::Index>(),
        flip in 1..=255_u8,
        in_payload in any::<bool>(),
    ) {
        let mut payload = to_bytes(&statement(&FILES));
        let mut signature = KEY.sign(&pae(PAYLOAD_TYPE_IN_TOTO, &payload));
        let changed = if in_payload { &mut payload } else { &mut signature };
        let at = at.index(changed.len());
        changed[at] ^= flip;
        let bundle = maker::parse(&assemble(&payload, &signature, &NewMaterial::Key(&KEY.public())));
        for legacy in [Legacy::Refuse, Legacy::Allow] {
            let error = bundle.open(&KEY.trusted(), legacy, &Budget::default()).unwrap_err();
            prop_assert!(matches!(error, OpenError::Signature(_)), "{}", error);
        }
    }
}
