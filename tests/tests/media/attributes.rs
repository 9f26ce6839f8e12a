//! Attributes that are not true, or not the ones of a moment ago: from each of the looks at a file
//! on, as many as the appliance takes.

use oms_tests::fuse::{Errno, Fault, FileType, Lie, Op};

use crate::matrix::{Case, all};
use crate::stand::{Expect, LARGE, NESTED};

/// More looks than the appliance takes at a file while it surveys, measures, opens and reads it.
const LOOKS: u64 = 7;

/// In place the content of files is looked at after they were hashed, when they may be gone.
const GONE: Expect = Expect::Undecided("media.unreadable");

/// A lie from each look on, about each of two files.
fn from_each_look(op: Op, lies: &[Lie], may: &[Expect]) -> Vec<Case> {
    let mut cases = Vec::new();
    for lie in lies {
        for look in 1..=LOOKS {
            let file = if look % 2 == 0 { NESTED } else { LARGE };
            let fault = Fault::on(op, &format!("demo/{file}"), lie.clone());
            cases.push(Case::new(fault.times(look..=u64::MAX), may).names(file).perhaps());
        }
    }
    cases
}

#[test]
fn sizes() {
    let sizes = [1, -1, 4096, 1 << 50].map(Lie::Size);
    let may = [
        Expect::Refused("media.changed"),
        // It has to do with how often it was looked at, which check is the first to see it.
        Expect::Refused("manifest.digest-mismatch"),
        Expect::Refused("manifest.size-mismatch"),
        Expect::Refused("manifest.file-too-large"),
        // The station has no room for it.
        Expect::Undecided("outbound.write"),
    ];
    let mut cases = from_each_look(Op::Attributes, &sizes, &may);
    cases.extend(from_each_look(Op::Lookup, &sizes, &[&may[..], &[Expect::Passes]].concat()));
    // In place, a look after the last byte was hashed is one at another moment.
    let other = |case: Case| case.or_in_place(Expect::Passes).or_in_place(GONE);
    all(cases.into_iter().map(other).collect());
}

#[test]
fn times_and_inodes() {
    let lies = [Lie::Written, Lie::Changed, Lie::Inode];
    // From the first look on, it is simply how the file is.
    let may = [Expect::Refused("media.changed"), Expect::Passes];
    let mut cases = from_each_look(Op::Attributes, &lies, &may);
    cases.extend(from_each_look(Op::Lookup, &lies, &may));
    all(cases.into_iter().map(|case| case.or_in_place(GONE)).collect());
}

#[test]
fn what_is_no_file_any_more() {
    let kinds = [
        FileType::NamedPipe,
        FileType::CharDevice,
        FileType::BlockDevice,
        FileType::Socket,
        FileType::Directory,
        FileType::Symlink,
    ];
    let may = [
        Expect::Refused("media.not-regular"),
        Expect::Refused("media.symlink"),
        Expect::Refused("media.changed"),
        // The kernel itself refuses a file that turned into something else.
        Expect::Undecided("media.unreadable"),
    ];
    let mut cases = from_each_look(Op::Lookup, &kinds.map(Lie::Kind), &may);
    cases.extend(from_each_look(Op::Attributes, &kinds.map(Lie::Kind), &may));
    all(cases);
}

#[test]
fn files_that_cannot_be_looked_at() {
    let io = [Errno::EIO, Errno::EACCES, Errno::ENODEV].map(Lie::Error);
    let may = [Expect::Undecided("media.unreadable")];
    let mut cases = from_each_look(Op::Lookup, &io, &may);
    cases.extend(from_each_look(Op::Attributes, &io, &may));
    let gone = [Lie::Error(Errno::ENOENT)];
    let may = [Expect::Refused("manifest.missing-file"), Expect::Refused("media.changed")];
    let gone = from_each_look(Op::Lookup, &gone, &may);
    cases.extend(gone.into_iter().map(|case| case.or_in_place(GONE)));
    all(cases);
}

#[test]
fn files_that_cannot_be_opened() {
    let errors = [Errno::EIO, Errno::EACCES, Errno::ENXIO].map(Lie::Error);
    let unreadable = Expect::Undecided("media.unreadable");
    let mut cases = from_each_look(Op::Open, &errors, std::slice::from_ref(&unreadable));
    // A carrier can say what the station's own limits say.
    let lies = [Lie::Error(Errno::EMFILE)];
    let may = [unreadable, Expect::Undecided("intake.resources")];
    cases.extend(from_each_look(Op::Open, &lies, &may));
    all(cases);
}

#[test]
fn files_that_are_gone_when_they_are_opened() {
    let may = [Expect::Refused("manifest.missing-file"), Expect::Refused("media.changed")];
    let cases = from_each_look(Op::Open, &[Lie::Error(Errno::ENOENT)], &may);
    all(cases.into_iter().map(|case| case.or_in_place(GONE)).collect());
}
