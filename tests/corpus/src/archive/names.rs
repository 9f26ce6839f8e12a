//! Names that mean another file than they seem to, and entries that are no files.

use super::build::{Member, zip};
use super::{RUNS, array, in_array, pytorch};
use crate::Case;

const MALFORMED: &str = "malformed";

pub(super) fn cases() -> Vec<Case> {
    let named = |name, says, bytes: &'static str| {
        in_array(name, (MALFORMED, says), |member| *member = Member::stored(bytes, &array(4)))
    };
    let unix = |name, says, mode: u32| {
        in_array(name, (MALFORMED, says), |member| member.attributes = mode << 16)
    };
    let twice = |name, says, first: &'static str, second: &'static str, other: &'static str| {
        let two = |one, other| zip(&[one, other].map(|name| Member::stored(name, &array(4))));
        Case::one(name, (MALFORMED, says), "model.npz", two(first, second), two(first, other))
    };
    let other = || vec![Member::described("model/.format_version", b"1\n")];
    vec![
        Case::one(
            "pytorch-two-pickles-of-one-name",
            (MALFORMED, "its name is that of another member"),
            "model.pt",
            zip(&[pytorch(), vec![Member::described("model/data.pkl", RUNS)]].concat()),
            zip(&[pytorch(), other()].concat()),
        ),
        Case::one(
            "pytorch-two-pickles-whose-names-differ-in-case",
            (MALFORMED, "its name is that of another member"),
            "model.pt",
            zip(&[vec![Member::described("model/DATA.pkl", RUNS)], pytorch()].concat()),
            zip(&[other(), pytorch()].concat()),
        ),
        twice(
            "npz-two-names-of-one-normal-form",
            "another member",
            "\u{e9}.npy",
            "e\u{301}.npy",
            "e.npy",
        ),
        twice(
            "npz-two-names-that-windows-takes-for-one",
            "another member",
            "a/b.npy",
            "a./b.npy",
            "b/b.npy",
        ),
        twice(
            "npz-member-is-also-a-folder",
            "lies below another member",
            "a.npy",
            "a.npy/b.npy",
            "a/b.npy",
        ),
        named("npz-name-leads-out-of-the-archive", "leads out of the archive", "../../weight.npy"),
        named("npz-name-is-absolute", "is absolute", "/etc/weight.npy"),
        named("npz-name-has-a-drive", "is absolute", "c:weight.npy"),
        named("npz-name-has-a-backslash", "has a backslash", "..\\weight.npy"),
        named("npz-name-ends-at-a-zero-byte", "has a control character", "data.pkl\0.npy"),
        named("npz-name-turns-its-direction", "has a control character", "weight\u{202e}exe.npy"),
        named("npz-name-is-empty", "is empty", ""),
        named("npz-name-has-an-empty-part", "has an empty part", "a//weight.npy"),
        in_array(
            "npz-name-is-of-no-known-encoding",
            (MALFORMED, "neither ASCII nor marked"),
            |member| {
                *member = member.clone().both(|header| header.name[0] = 0x82);
            },
        ),
        unix("npz-member-is-a-symbolic-link", "it is a symbolic link", 0o120_777),
        unix("npz-member-is-a-device", "it is a device", 0o020_666),
        unix(
            "npz-member-is-a-folder-by-its-attributes",
            "disagree whether it is a folder",
            0o040_755,
        ),
        in_array("npz-folder-has-data", (MALFORMED, "it is a folder and has data"), |member| {
            *member = Member::stored("weights/", RUNS);
        }),
    ]
}
