//! Runs that end early because they are asked to.

use std::time::Duration;

use oms_tests::fuse::{Cache, Fault, Lie, Lying, Op};
use oms_tests::mounts::{Need, privately};
use oms_tests::watch::Running;
use serde_json::Value;

use crate::stand::{Expect, LARGE, Method, NESTED, Stand, Told, Way, ways};

/// The ways without the kernel's cache, which asks again by itself.
fn uncached() -> Vec<Way> {
    ways().into_iter().filter(|way| way.cache == Cache::Off).collect()
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
