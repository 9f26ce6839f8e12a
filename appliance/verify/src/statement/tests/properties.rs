//! Properties of every statement and name: reading never panics, no accepted name leaves its
//! folder.

use std::path::{Component, Path};

use proptest::prelude::*;
use serde_json::json;

use super::super::{Legacy, Statement};
use crate::budget::Budget;
use crate::bundle::tests::maker::{FILES, sharded, statement, to_bytes};
use crate::name::ResourcePath;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_mutation_of_a_payload_panics(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..8),
        shards in any::<bool>(),
    ) {
        let value = match shards {
            true => sharded(&["a:0:10", "a:10:15"], json!(10)),
            false => statement(&FILES),
        };
        let mut bytes = to_bytes(&value);
        for (at, byte, kind) in edits {
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => bytes.truncate(at.max(1)),
            }
        }
        for legacy in [Legacy::Refuse, Legacy::Allow] {
            let _ = Statement::parse(&bytes, legacy, &Budget::default());
        }
    }

    #[test]
    fn any_list_of_shards_is_refused_or_tiles(
        ranges in prop::collection::vec((0..4_u64, 0..40_u64), 1..6),
        size in 1..12_u64,
    ) {
        let names: Vec<String> = ranges
            .iter()
            .map(|(at, end)| format!("a:{}:{end}", at.saturating_mul(size)))
            .collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let payload = to_bytes(&sharded(&names, json!(size)));
        if let Ok(statement) = Statement::parse(&payload, Legacy::Refuse, &Budget::default()) {
            let total = statement.manifest().files()[0].pieces.size().unwrap();
            let listed: u64 = ranges.iter().map(|(at, end)| end - at * size).sum();
            prop_assert_eq!(total, listed);
            prop_assert_eq!(total.div_ceil(size), ranges.len() as u64);
        }
    }

    #[test]
    fn an_accepted_name_never_leaves_its_folder(
        name in prop_oneof![any::<String>(), "[./\\\\a:\u{0}\u{e9}]{0,12}"],
    ) {
        let Ok(path) = ResourcePath::parse(&name, &Budget::default()) else { return Ok(()) };
        let joined = Path::new("/folder").join(path.as_str());
        let inside = joined.strip_prefix("/folder");
        prop_assert!(inside.is_ok());
        let inside: Vec<_> = inside.unwrap().components().collect();
        prop_assert!(inside.iter().all(|part| matches!(part, Component::Normal(_))));
        prop_assert_eq!(inside.len(), path.components().count());
        prop_assert_eq!(path.as_str(), name.as_str());
    }
}
