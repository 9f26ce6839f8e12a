//! The same faults of the bundle itself: it is read before anything is trusted.

use oms_tests::fuse::{Errno, Fault, Lie, Op};

use crate::matrix::{Case, all};
use crate::stand::{Expect, Method, Stand};

const BUNDLE: &str = "demo/model.sig";

fn offsets() -> [u64; 3] {
    let stand = Stand::on_disk(Method::Files);
    // A signature in DER is now and then some bytes shorter, and with it the bundle.
    let end = stand.tree.bytes(BUNDLE).len() as u64 - 40;
    [0, end / 2, end]
}

#[test]
fn a_bundle_that_cannot_be_read() {
    let may = [Expect::Undecided("media.unreadable"), Expect::Undecided("bundle.unreadable")];
    let mut cases = Vec::new();
    for error in [Errno::EIO, Errno::ENODEV, Errno::EACCES].map(Lie::Error) {
        for offset in offsets() {
            cases.push(Case::new(Fault::read(BUNDLE, offset, error.clone()), &may));
        }
        for op in [Op::Open, Op::Lookup, Op::Attributes] {
            for look in 1..=4 {
                let fault = Fault::on(op, BUNDLE, error.clone()).times(look..=u64::MAX);
                cases.push(Case::new(fault, &may).perhaps());
            }
        }
    }
    for offset in offsets() {
        cases.push(Case::new(Fault::read(BUNDLE, offset, Lie::Vanish), &may));
    }
    all(cases);
}

#[test]
fn a_bundle_that_changes() {
    let may = [Expect::Refused(""), Expect::Undecided("media.unreadable")];
    let mut cases = Vec::new();
    for offset in offsets() {
        for lie in [Lie::Flip, Lie::Resize(0), Lie::Resize(100), Lie::Resize(1 << 30)] {
            cases.push(Case::new(Fault::read(BUNDLE, offset, lie), &may));
        }
        let end = Fault::read(BUNDLE, offset, Lie::Short(0));
        cases.push(Case::new(end, &may));
    }
    for size in [1, -1, 1 << 40] {
        for look in 1..=4 {
            let fault = Fault::on(Op::Attributes, BUNDLE, Lie::Size(size)).times(look..=u64::MAX);
            // The bundle that was read is whole, or its signature does not hold.
            let may = [&may[..], &[Expect::Passes]].concat();
            cases.push(Case::new(fault, &may).perhaps());
        }
    }
    all(cases);
}
