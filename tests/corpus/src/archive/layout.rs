//! Members and the directory that lie elsewhere than one after the other.

use super::build::{Member, zip, zip_with};
use super::{RUNS, in_array, npz, pytorch};
use crate::Case;

const MALFORMED: &str = "malformed";

pub(super) fn cases() -> Vec<Case> {
    let end = |name, says, change: fn(&mut super::build::End)| {
        let hostile = zip_with(&npz(), change);
        Case::one(name, (MALFORMED, says), "model.npz", hostile, zip(&npz()))
    };
    let whole = zip(&npz());
    let around = |name, says, hostile: Vec<u8>| {
        Case::one(name, (MALFORMED, says), "model.npz", hostile, zip(&npz()))
    };
    vec![
        in_array("npz-pickle-lies-between-members", (MALFORMED, "a gap or an overlap"), |member| {
            // After the first member, where a descriptor would stand.
            member.descriptor = RUNS.to_vec();
        }),
        Case::one(
            "npz-two-members-share-their-data",
            (MALFORMED, "a gap or an overlap"),
            "model.npz",
            zip(&[npz()[0].clone(), npz()[1].clone().with(|member| member.offset = Some(0))]),
            zip(&npz()),
        ),
        Case::one(
            "npz-member-lies-inside-another",
            (MALFORMED, "a gap or an overlap"),
            "model.npz",
            nested(),
            zip(&npz()),
        ),
        Case::one(
            "pytorch-pickle-lies-before-the-first-member",
            (MALFORMED, "bytes stand before the zip"),
            "model.pt",
            [&[0; 64][..], &zip(&pytorch())].concat(),
            zip(&pytorch()),
        ),
        end("npz-pickle-lies-before-the-directory", "the last member ends here", |end| {
            end.around[0] = RUNS.to_vec();
        }),
        end("npz-pickle-lies-at-the-end-of-the-directory", "follow the last entry", |end| {
            end.around[1] = RUNS.to_vec();
        }),
        end("npz-directory-has-more-members-than-the-end-counts", "follow the last entry", |end| {
            end.entries = [1, 1];
        }),
        end("npz-end-counts-more-members-than-there-are", "are needed at offset", |end| {
            end.entries = [3, 3];
        }),
        end("npz-comment-is-a-pickle", "it has a comment", |end| end.comment = RUNS.to_vec()),
        // The first end, to readers that begin at the file's last bytes; the archive is empty there.
        end("npz-second-end-in-the-comment", "bytes stand before the zip", |end| {
            end.comment = zip(&[]);
        }),
        end("npz-end-tells-of-another-disk", "several disks", |end| end.disks = [1, 1]),
        end("npz-end-tells-of-members-on-other-disks", "several disks", |end| {
            end.entries = [1, 2];
        }),
        end("npz-end-asks-for-a-zip64-end", "asks for a zip64 end, and there is none", |end| {
            end.entries = [u16::MAX; 2];
        }),
        around("npz-bytes-follow-the-end", "1 bytes follow the zip", [&whole[..], &[0]].concat()),
        around("npz-is-cut-off", "no valid end", whole[..whole.len() - 1].to_vec()),
        around("npz-behind-another-zip", "bytes stand before the zip", {
            [zip(&[Member::stored("a", b"a")]), whole.clone()].concat()
        }),
    ]
}

/// A member that holds another in its data, to which the directory leads as well.
fn nested() -> Vec<u8> {
    let inner = Member::stored("bias.npy", &super::array(2));
    let bytes = zip(std::slice::from_ref(&inner));
    let header = "weight.npy".len() + 30;
    let outer = Member::stored("weight.npy", &bytes);
    zip(&[outer, inner.with(|member| member.offset = Some(header as u32))])
}
