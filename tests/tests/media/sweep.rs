//! Each request of a whole run fails once, whatever it is for, and for each the device is gone from
//! there on: what the other tests do not think of.

use oms_tests::fuse::{Errno, Fault, Lie};
use oms_tests::mounts::{Need, privately};

use crate::matrix::is_exhaustive;
use crate::stand::{Expect, Method, Stand, ways};

/// Requests between two that fail, unless all are tried.
const STEP: usize = 3;

fn each_request(lie: &Lie, method: Method) {
    privately(&[Need::Fuse], || {
        let stand = Stand::new(method);
        let mut runs = 0;
        for (number, way) in ways().iter().enumerate() {
            // The first four are both commands with both readers.
            if number >= 4 && !is_exhaustive() {
                break;
            }
            let clean = stand.run(way, &[]);
            clean.expect(&[Expect::Passes]);
            let step = if is_exhaustive() { 1 } else { STEP };
            // Readers run into different requests, so that all four together leave none out.
            for request in (1 + number as u64 % step as u64..=clean.requests).step_by(step) {
                let run = stand.run(way, &[Fault::nth(request, lie.clone())]);
                // What does not matter may fail: then the model passes, with the signed bytes.
                run.expect(&[Expect::Passes, Expect::Undecided("")]);
                runs += 1;
            }
        }
        println!("{runs} runs");
        stand.run(&ways()[1], &[]).expect(&[Expect::Passes]);
    });
}

#[test]
fn each_request_fails_once() {
    each_request(&Lie::Error(Errno::EIO), Method::Files);
}

#[test]
fn each_request_is_the_last() {
    each_request(&Lie::Vanish, Method::Shards);
}
