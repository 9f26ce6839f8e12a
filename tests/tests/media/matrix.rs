//! The fault matrix: cases, and the ways of running the appliance that each is tried in.
//!
//! Each case runs with both commands, one with each reader. Which with which, and the rest of the
//! ways (how the model is hashed, how much memory there is, whether the kernel caches), takes turns
//! from case to case; of few cases each runs with both readers in both commands. With
//! `OMS_FAULTS=all` every case runs in every way.

use std::env;

use oms_tests::fuse::Fault;
use oms_tests::mounts::{Need, privately};

use crate::stand::{Does, Expect, Method, Stand, Told, Way, ways};

/// As many cases run in all four combinations of command and reader.
const FEW: usize = 8;

/// Faults, and what may come of them.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    faults: Vec<Fault>,
    may: Vec<Expect>,
    /// What may come of them besides when the model is verified in place, where its content is
    /// looked at after it was hashed.
    in_place: Vec<Expect>,
    /// The file, and an offset, that the reason names.
    names: Option<(&'static str, Option<u64>)>,
    /// Whether the appliance must run into the fault.
    certain: bool,
}

impl Case {
    /// A fault that the appliance runs into, and what may come of it.
    pub(crate) fn new(fault: Fault, may: &[Expect]) -> Case {
        Case {
            faults: vec![fault],
            may: may.to_vec(),
            in_place: Vec::new(),
            names: None,
            certain: true,
        }
    }

    /// The appliance may never come to this fault; then the model passes.
    #[must_use]
    pub(crate) fn perhaps(self) -> Case {
        Case { certain: false, ..self }
    }

    /// The same may come of it in place.
    #[must_use]
    pub(crate) fn or_in_place(mut self, may: Expect) -> Case {
        self.in_place.push(may);
        self
    }

    /// Every reason names this file of the model.
    #[must_use]
    pub(crate) fn names(self, file: &'static str) -> Case {
        Case { names: Some((file, None)), ..self }
    }

    /// Every reason names this file of the model, and a place in it at or before the offset that
    /// the fault is about, where the read began.
    #[must_use]
    pub(crate) fn names_place(self, file: &'static str) -> Case {
        let offset = self.faults.iter().find_map(Fault::offset);
        Case { names: Some((file, offset)), ..self }
    }
}

/// Tries all cases. In the end the station still takes the model when nothing fails.
pub(crate) fn all(cases: Vec<Case>) {
    assert!(!cases.is_empty());
    privately(&[Need::Fuse], || {
        let stands = [Stand::new(Method::Files), Stand::new(Method::Shards)];
        let (ways, mut runs, mut faulty) = (ways(), 0u32, 0u32);
        for (index, case) in cases.iter().enumerate() {
            for (place, stand) in stands.iter().enumerate() {
                for (number, way) in ways.iter().enumerate() {
                    // Of four ways the first and the last, or the other two.
                    let outer = matches!(number % 4, 0 | 3);
                    let in_pair = cases.len() <= FEW || outer == ((index / 2 + index / 8) % 2 == 0);
                    let is_its_turn = place == index % 2 && number / 4 == index / 2 % 4;
                    if is_its_turn && in_pair || is_exhaustive() {
                        runs += 1;
                        faulty += u32::from(tried(stand, way, case));
                    }
                }
            }
        }
        for stand in &stands {
            for way in &ways[..4] {
                let run = stand.run(way, &[]);
                run.expect(&[Expect::Passes]);
            }
        }
        println!("{runs} runs, in {faulty} of them the carrier lied");
        assert!(faulty > 0);
    });
}

/// Whether every case is tried in every way.
pub(crate) fn is_exhaustive() -> bool {
    env::var_os("OMS_FAULTS").is_some_and(|value| value == "all")
}

/// Tries a case in one way; gives whether the appliance ran into the fault.
fn tried(stand: &Stand, way: &Way, case: &Case) -> bool {
    let run = stand.run(way, &case.faults);
    if run.lies == 0 {
        assert!(!case.certain, "nothing went wrong: {}", run.story);
        run.expect(&[Expect::Passes]);
        return false;
    }
    let in_place: &[Expect] = if way.does == Does::Verify { &case.in_place } else { &[] };
    run.expect(&[&case.may, in_place].concat());
    if let (Some((file, offset)), false) = (case.names, run.told == Told::Passed) {
        for reason in run.reasons() {
            let named = reason["file"].as_str().unwrap_or_default();
            assert!(named.ends_with(file), "{named} is not {file}: {}", run.story);
            if let Some(offset) = offset {
                let at = place(reason["detail"].as_str().unwrap_or_default());
                assert!(at.is_some_and(|at| at <= offset), "no place: {}", run.story);
            }
        }
    }
    true
}

/// The number after the word `byte`.
fn place(detail: &str) -> Option<u64> {
    let (_, rest) = detail.split_once("byte ")?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..digits].parse().ok()
}
