//! Runs that end early: when asked to, when a carrier gives no answer any more; and runs that go on
//! after an error because the policy lets them read again.

use std::time::Duration;

use oms_tests::entry;
use oms_tests::fuse::{Cache, Errno, Fault, Lie, Lying, Op};
use oms_tests::mounts::{Need, privately};
use oms_tests::scene::any_content;
use oms_tests::watch::Running;
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
