//! Runs that end early: when asked to, when a carrier gives no answer any more; and runs that go on
//! after an error because the policy lets them read again.

use std::cell::Cell;
use std::thread;
use std::time::Duration;

use oms_station::intake::{Reading, Settings};
use oms_station::progress::Progress;
use oms_station::sign::{Plan, hash_model};
use oms_tests::entry;
use oms_tests::fuse::{Cache, Errno, Fault, Lie, Lying, Op};
use oms_tests::mounts::{Need, privately};
use oms_tests::scene::any_content;
use oms_tests::watch::Running;
use oms_verify::budget::Budget;
use oms_verify::hash::HashAlgorithm;
use oms_verify::policy::MediaRules;
use oms_verify::reason::Code;
use oms_verify::statement;
use oms_verify::time::Span;
use serde_json::Value;

use crate::stand::{Does, Expect, LARGE, Method, NESTED, Stand, Told, Way, ways};

/// The ways without the kernel's cache, which asks again by itself.
fn uncached() -> Vec<Way> {
    ways().into_iter().filter(|way| way.cache == Cache::Off).collect()
}

/// A policy with this about media.
fn policy(media: &str) -> String {
    format!("{}\n[media]\n{media}\n", any_content())
}

/// Runs with these faults. As soon as `look` says so, the carrier is pulled out: nobody can end a
/// process that waits for it, so what the run says must be out before.
fn run_until(
    stand: &Stand,
    way: &Way,
    faults: &[Fault],
    mut act: impl FnMut(&Lying, &Running),
) -> Told {
    let lying = Lying::mount(&stand.tree, &stand.at, way.cache, faults);
    let look = |running: &Running| {
        act(&lying, running);
        let said: Result<Value, _> = serde_json::from_str(&running.stdout());
        if said.is_ok() {
            lying.vanish();
        }
        said.is_ok()
    };
    stand.run_and(way, &stand.at, look, || lying.log()).told
}

#[test]
fn a_read_that_is_never_answered() {
    privately(&[Need::Fuse], || {
        let stand = Stand::with_policy(Method::Files, &policy("stall = \"1s\""));
        let last = stand.truth(LARGE).len() as u64 - 1;
        for (number, way) in uncached().iter().enumerate() {
            let places = [(LARGE, 0), (NESTED, 200_000), (LARGE, last), ("config.json", 0)];
            let (file, offset) = places[number / 2 % places.len()];
            let fault = Fault::read(&format!("demo/{file}"), offset, Lie::Silence);
            let told = run_until(&stand, way, &[fault], |_, _| {});
            assert_eq!(told, Told::Undecided(vec!["media.stalled".to_owned()]), "{way:?}");
        }
        stand.run(&ways()[1], &[]).expect(&[Expect::Passes]);
    });
}

/// Each look at a carrier that a command takes after it has read its policy, which says how long it
/// waits, is not answered: some of them the first time, some of them later.
#[test]
fn a_look_that_is_never_answered() {
    let files = [LARGE, NESTED, "config.json", "model.sig"].map(|file| format!("demo/{file}"));
    let of_files = files.iter().flat_map(|file| {
        let looks = [(Op::Lookup, 1), (Op::Lookup, 2), (Op::Open, 1), (Op::Attributes, 2)];
        looks.map(|(op, look)| (op, file.as_str(), look))
    });
    let of_folders = ["demo", "demo/sub"].map(|folder| (Op::List, folder, 1));
    let looks: Vec<_> = of_files.chain(of_folders).collect();
    // They wait more than they work.
    let hands = 4;
    thread::scope(|scope| {
        for hand in 0..hands {
            let of_this = looks.iter().skip(hand).step_by(hands);
            let name = thread::current().name().unwrap_or("a test").to_owned();
            let work = move || {
                privately(&[Need::Fuse], || {
                    let stand = Stand::with_policy(Method::Files, &policy("stall = \"1s\""));
                    for &(op, path, look) in of_this {
                        unanswered(&stand, op, path, look);
                    }
                });
            };
            thread::Builder::new().name(name).spawn_scoped(scope, work).unwrap();
        }
    });
}

/// Tries one look that is not answered with both commands.
fn unanswered(stand: &Stand, op: Op, path: &str, look: u64) {
    let fault = Fault::on(op, path, Lie::Silence).times(look..=u64::MAX);
    for way in uncached().iter().take(2) {
        let met = Cell::new(false);
        let told = run_until(stand, way, std::slice::from_ref(&fault), |lying, _| {
            met.set(met.get() || lying.lies() > 0);
        });
        let stalled = Told::Undecided(vec!["media.stalled".to_owned()]);
        let expected = if met.get() { stalled } else { Told::Passed };
        assert_eq!(told, expected, "{op:?} {path} {look}: {way:?}");
    }
}

/// `sign` and `digest` have no policy that says how long they wait, so this asks what they ask.
#[test]
fn a_look_of_whoever_signs_that_is_never_answered() {
    privately(&[Need::Fuse], || {
        let stand = Stand::new(Method::Files);
        let rules = MediaRules { stall: Span { seconds: 1 }, ..MediaRules::default() };
        let plan =
            Plan { hash: HashAlgorithm::Sha256, method: statement::Method::Files, ignore: vec![] };
        for (op, path) in [
            (Op::List, "demo"),
            (Op::List, "demo/sub"),
            (Op::Lookup, "demo/model.sig"),
            (Op::Open, "demo/model.sig"),
            (Op::Lookup, "demo/sub/part.bin"),
        ] {
            let faults = [Fault::on(op, path, Lie::Silence)];
            let lying = Lying::mount(&stand.tree, &stand.at, Cache::Off, &faults);
            let progress = Progress::hidden();
            let reading = Reading { settings: Settings::default(), rules, progress: &progress };
            let model = stand.at.join("demo");
            let hashed = hash_model(&model, &plan, &Budget::default(), &reading);
            let codes: Vec<_> = hashed.unwrap_err().iter().map(|reason| reason.code).collect();
            assert_eq!(codes, [Code::MediaStalled], "{op:?} {path}: {}", lying.log());
            lying.vanish();
        }
    });
}

#[test]
fn a_wish_to_end() {
    privately(&[Need::Fuse], || {
        let stand = Stand::new(Method::Files);
        for way in uncached() {
            for file in [LARGE, NESTED] {
                // Each read of the file takes long, so that the wish comes in the middle of one.
                let slow = Lie::Slow(Duration::from_millis(300));
                let fault = Fault::on(Op::Read, &format!("demo/{file}"), slow);
                let mut asked = false;
                let told = run_until(&stand, &way, &[fault], |lying, running| {
                    if !asked && lying.lies() > 0 {
                        asked = true;
                        running.terminate();
                    }
                });
                assert_eq!(told, Told::Undecided(vec!["intake.cancelled".to_owned()]), "{way:?}");
            }
        }
        stand.run(&ways()[1], &[]).expect(&[Expect::Passes]);
    });
}

#[test]
fn a_wish_to_end_while_a_read_is_not_answered() {
    privately(&[Need::Fuse], || {
        let stand = Stand::new(Method::Files);
        for way in uncached().iter().take(4) {
            let fault = Fault::read(&format!("demo/{LARGE}"), 0, Lie::Silence);
            let mut asked = false;
            let told = run_until(&stand, way, &[fault], |lying, running| {
                if !asked && lying.lies() > 0 {
                    asked = true;
                    running.terminate();
                }
            });
            assert_eq!(told, Told::Undecided(vec!["intake.cancelled".to_owned()]), "{way:?}");
        }
    });
}

#[test]
fn as_many_errors_as_the_policy_lets_through() {
    privately(&[Need::Fuse], || {
        let stand = Stand::with_policy(Method::Shards, &policy("retries = 3"));
        let middle = stand.truth(LARGE).len() as u64 / 2;
        for way in uncached() {
            for (errors, passes) in [(1, true), (3, true), (4, false)] {
                let error = Lie::Error(Errno::EIO);
                let fault = Fault::read(&format!("demo/{LARGE}"), middle, error).times(1..=errors);
                let before = stand.scene.station.entries();
                let run = stand.run(&way, &[fault]);
                if !passes {
                    run.expect(&[Expect::Undecided("media.unreadable")]);
                    continue;
                }
                run.expect(&[Expect::Passes]);
                if way.does == Does::Ingest {
                    let entries = stand.scene.station.entries();
                    let new = entries.iter().find(|name| !before.contains(name)).unwrap();
                    let payload = entry::payload(&stand.scene.station.outbound.join(new));
                    assert_eq!(entry::detail(&payload)["media"]["retries"], errors, "{payload:#}");
                }
            }
        }
    });
}

#[test]
fn errors_of_several_files_count_together() {
    privately(&[Need::Fuse], || {
        let stand = Stand::with_policy(Method::Files, &policy("retries = 2"));
        for way in uncached() {
            let fault = |file: &str, times| {
                let error = Lie::Error(Errno::EIO);
                Fault::read(&format!("demo/{file}"), 0, error).times(1..=times)
            };
            let run = stand.run(&way, &[fault(LARGE, 1), fault(NESTED, 1)]);
            run.expect(&[Expect::Passes]);
            let run =
                stand.run(&way, &[fault(LARGE, 1), fault(NESTED, 1), fault("config.json", 1)]);
            run.expect(&[Expect::Undecided("media.unreadable")]);
        }
    });
}
