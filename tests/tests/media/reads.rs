//! Faults of reading: each at the first byte, in the middle, at the last byte of a large file, and
//! in files beside it.

use std::time::Duration;

use oms_tests::fuse::{Errno, Fault, Lie};

use crate::matrix::{Case, all};
use crate::stand::{Expect, LARGE, Method, NESTED, Stand};

/// Files of the model, each with offsets in it: the first byte, some between, the last.
fn places() -> Vec<(&'static str, Vec<u64>)> {
    let stand = Stand::on_disk(Method::Files);
    let last = |file: &str| stand.truth(file).len() as u64 - 1;
    let large = last(LARGE);
    vec![
        (LARGE, vec![0, 4096, large / 2, large]),
        (NESTED, vec![0, 150_000, last(NESTED)]),
        ("config.json", vec![0, last("config.json")]),
    ]
}

/// A case for each place.
fn everywhere(case: impl Fn(&'static str, &str, u64) -> Case) -> Vec<Case> {
    let mut cases = Vec::new();
    for (file, offsets) in places() {
        for offset in offsets {
            cases.push(case(file, &format!("demo/{file}"), offset));
        }
    }
    cases
}

#[test]
fn errors() {
    let mut cases = Vec::new();
    for error in [Errno::EIO, Errno::ENODEV, Errno::ENXIO, Errno::ENOMEM] {
        cases.extend(everywhere(|file, path, offset| {
            let fault = Fault::read(path, offset, Lie::Error(error));
            Case::new(fault, &[Expect::Undecided("media.unreadable")]).names_place(file)
        }));
    }
    all(cases);
}

#[test]
fn an_error_that_goes_away() {
    all(everywhere(|file, path, offset| {
        let fault = Fault::read(path, offset, Lie::Error(Errno::EIO)).times(1..=1);
        // The kernel asks again by itself when it has read ahead.
        let may = [Expect::Undecided("media.unreadable"), Expect::Passes];
        Case::new(fault, &may).names_place(file)
    }));
}

#[test]
fn a_device_that_vanishes() {
    all(everywhere(|file, path, offset| {
        let fault = Fault::read(path, offset, Lie::Vanish);
        // Whatever else was being read at that time fails as well.
        let _ = file;
        Case::new(fault, &[Expect::Undecided("media.unreadable")])
    }));
}

#[test]
fn fewer_bytes_than_were_asked_for() {
    let mut cases = Vec::new();
    for most in [0, 1, 511, 512, 4096] {
        cases.extend(everywhere(|file, path, offset| {
            // A file that comes byte by byte would take a million requests.
            let times = if most == 0 { u64::MAX } else { 4 };
            let fault = Fault::read(path, offset, Lie::Short(most)).times(1..=times);
            // Asked for the rest, the carrier gives it; or the kernel takes it for the end.
            // Or the kernel fills the rest of a page with zeros.
            let mut may =
                vec![Expect::Refused("media.changed"), Expect::Refused("manifest.digest-mismatch")];
            if most > 0 {
                may.push(Expect::Passes);
            }
            Case::new(fault, &may).names(file)
        }));
    }
    all(cases);
}

#[test]
fn bytes_that_are_not_the_signed_ones() {
    all(everywhere(|file, path, offset| {
        let fault = Fault::read(path, offset, Lie::Flip);
        Case::new(fault, &[Expect::Refused("manifest.digest-mismatch")]).names(file)
    }));
}

#[test]
fn bytes_that_differ_between_two_reads() {
    let mut cases = everywhere(|file, path, offset| {
        let fault = Fault::read(path, offset, Lie::Flip).times(1..=1);
        let may = [Expect::Refused("manifest.digest-mismatch"), Expect::Passes];
        Case::new(fault, &may).names(file)
    });
    // Each byte counts as it was first read: what a second read would give is never asked for.
    cases.extend(everywhere(|file, path, offset| {
        let fault = Fault::read(path, offset, Lie::Flip).times(2..=u64::MAX);
        let may = [Expect::Refused("manifest.digest-mismatch"), Expect::Passes];
        let case = Case::new(fault, &may).names(file).perhaps();
        // In place, the inspection reads again.
        case.or_in_place(Expect::Refused("content.malformed"))
    }));
    all(cases);
}

#[test]
fn files_that_grow_and_shrink() {
    let stand = Stand::on_disk(Method::Files);
    let mut cases = Vec::new();
    for by in [1, 5000, 1 << 40, -1, -5000, i64::MIN] {
        cases.extend(everywhere(|file, path, offset| {
            let size = (stand.truth(file).len() as u64).saturating_add_signed(by);
            let fault = Fault::read(path, offset, Lie::Resize(size));
            Case::new(fault, &[Expect::Refused("media.changed")]).names(file)
        }));
    }
    all(cases);
}

#[test]
fn slow_answers_are_waited_for() {
    all(everywhere(|_, path, offset| {
        let fault = Fault::read(path, offset, Lie::Slow(Duration::from_millis(20)));
        Case::new(fault, &[Expect::Passes])
    }));
}
