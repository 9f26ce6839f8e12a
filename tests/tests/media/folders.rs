//! Folders that cannot be listed, or list what is not so.

use oms_tests::fuse::{Errno, Fault, FileType, Lie, Names, Op};

use crate::matrix::{Case, all};
use crate::stand::Expect;

/// The folders of the carrier: its top, the model, and a folder in it.
const FOLDERS: [&str; 3] = ["", "demo", "demo/sub"];

fn everywhere(lie: &Lie, may: &[Expect]) -> Vec<Case> {
    let folders = FOLDERS.into_iter();
    folders.map(|folder| Case::new(Fault::on(Op::List, folder, lie.clone()), may)).collect()
}

#[test]
fn folders_that_cannot_be_listed() {
    let mut cases = Vec::new();
    for error in [Errno::EIO, Errno::EACCES, Errno::ENODEV] {
        // In place, nobody lists the folder above the model.
        let may = [Expect::Undecided("media.unreadable")];
        let of = everywhere(&Lie::Error(error), &may);
        cases.extend(of.into_iter().map(Case::perhaps));
        for op in [Op::Lookup, Op::Attributes] {
            for folder in ["demo", "demo/sub"] {
                for look in 1..=5 {
                    let fault = Fault::on(op, folder, Lie::Error(error)).times(look..=u64::MAX);
                    cases.push(Case::new(fault, &may).perhaps());
                }
            }
        }
    }
    all(cases);
}

#[test]
fn names_of_what_is_not_there() {
    let may = [
        Expect::Passes,
        Expect::Refused("manifest.unsigned-file"),
        Expect::Refused("media.name"),
        // The kernel does not let a name through that is none.
        Expect::Undecided("media.unreadable"),
    ];
    let mut cases = Vec::new();
    for names in [Names::Ghost, Names::Twice, Names::Slash, Names::Dots, Names::Long, Names::Bytes]
    {
        cases.extend(everywhere(&Lie::Names(names), &may).into_iter().map(Case::perhaps));
    }
    all(cases);
}

#[test]
fn a_name_that_is_not_there_is_not_signed() {
    let fault = |names| Fault::on(Op::List, "demo/sub", Lie::Names(names));
    all(vec![
        Case::new(fault(Names::Ghost), &[Expect::Refused("manifest.unsigned-file")]),
        Case::new(fault(Names::Bytes), &[Expect::Refused("media.name")]),
        Case::new(fault(Names::Long), &[Expect::Refused("media.name")]),
        Case::new(fault(Names::Slash), &[Expect::Undecided("media.unreadable")]),
        Case::new(fault(Names::Twice), &[Expect::Passes]),
        Case::new(fault(Names::Dots), &[Expect::Passes]),
    ]);
}

#[test]
fn a_million_names_and_a_list_without_an_end() {
    let may = [Expect::Refused("media.too-many-entries")];
    let fault = |names| Fault::on(Op::List, "demo/sub", Lie::Names(names));
    all(vec![Case::new(fault(Names::Million), &may), Case::new(fault(Names::Endless), &may)]);
}

#[test]
fn kinds_that_are_not_the_files() {
    let mut cases = Vec::new();
    for (kind, code) in [
        (FileType::NamedPipe, "media.not-regular"),
        (FileType::CharDevice, "media.not-regular"),
        (FileType::Symlink, "media.symlink"),
        (FileType::Directory, "media.changed"),
    ] {
        let fault = Fault::on(Op::List, "demo/sub", Lie::Names(Names::Are(kind)));
        cases.push(Case::new(fault, &[Expect::Refused(code)]));
    }
    all(cases);
}
