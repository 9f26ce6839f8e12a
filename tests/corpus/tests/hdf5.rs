//! HDF5 and Keras models that are cut short or changed: refused or read, and never a panic.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails them")]

use std::io::Cursor;

use oms_corpus::{cases, reseal_hdf5};
use oms_inspect::{Budget, Identified, Inspection, describe, inspect};

fn look(bytes: &[u8]) -> Inspection {
    describe(&mut Cursor::new(bytes), bytes.len() as u64, &Budget::default()).unwrap().0
}

/// The files of the cases in these formats, and whether they are harmless.
fn files() -> Vec<(bool, Vec<u8>)> {
    let mut files = Vec::new();
    for case in cases() {
        if ["hdf5-", "keras-"].iter().any(|format| case.name.starts_with(format)) {
            files.extend(case.files.into_iter().map(|(_, bytes)| (false, bytes)));
            files.extend(case.twin.into_iter().map(|(_, bytes)| (true, bytes)));
        }
    }
    files.sort();
    files.dedup();
    files
}

#[test]
fn every_cut_of_a_good_file_is_refused() {
    for (_, bytes) in files().into_iter().filter(|(harmless, _)| *harmless) {
        // Each end of the last kilobyte, and some before it.
        let late = bytes.len().saturating_sub(256).max(8)..bytes.len();
        for length in (8..bytes.len()).step_by(37).chain(late) {
            let found = look(&bytes[..length]);
            let refused = found.format == Identified::Unknown || found.malformed.is_some();
            assert!(refused, "{length} of {} bytes: {found:?}", bytes.len());
        }
    }
}

#[test]
fn changed_files_are_inspected_without_a_panic() {
    // xorshift64*, so that every run sees the same bytes.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_f491_4f6c_dd1d) % below as u64) as usize
    };
    for (_, bytes) in files() {
        for _ in 0..300 {
            let mut changed = bytes.clone();
            for _ in 0..=random(3) {
                let at = random(changed.len());
                match random(4) {
                    0 => changed[at] = [0, 1, 0x7f, 0x80, 0xff][random(5)],
                    1 => changed[at] ^= 1 << random(8),
                    2 if at + 8 <= changed.len() => changed[at..at + 8].fill(0xff),
                    _ => changed[at] = random(256) as u8,
                }
            }
            look(&changed);
            reseal_hdf5(&mut changed);
            look(&changed);
        }
    }
}

/// What is wrong with the twin of the case `name` within a budget.
fn within(name: &str, budget: &Budget) -> Option<String> {
    let case = cases().into_iter().find(|case| case.name == name).unwrap();
    let (_, bytes) = case.twin.first().unwrap();
    let found = inspect(&mut Cursor::new(bytes), bytes.len() as u64, budget).unwrap();
    found.malformed.map(|cause| cause.to_string())
}

#[test]
fn work_and_memory_are_bounded() {
    let whole = Budget::default();
    for (says, budget) in [
        ("more links than allowed", Budget { hdf5_objects: 1, ..whole.clone() }),
        ("more parts than allowed", Budget { hdf5_ranges: 2, ..whole.clone() }),
        ("larger than allowed", Budget { hdf5_block: 64, ..whole.clone() }),
        ("longer than allowed", Budget { hdf5_names: 4, ..whole.clone() }),
        ("nested deeper than allowed", Budget { hdf5_depth: 0, ..whole.clone() }),
    ] {
        let found = within("hdf5-symbols-out-of-order", &budget).unwrap();
        assert!(found.contains(says), "{found}");
    }
    let small = Budget { keras_config: 64, ..whole.clone() };
    let found = within("keras-lambda-layer-in-hdf5", &small).unwrap();
    assert!(found.contains("configurations are larger than allowed"), "{found}");
    assert_eq!(within("hdf5-symbols-out-of-order", &whole), None);
}
