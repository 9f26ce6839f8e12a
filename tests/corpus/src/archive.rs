//! Zip archives, and what PyTorch and NumPy keep in them.

pub(crate) mod build;
mod headers;
mod layout;
mod members;
mod names;

use crate::Case;
use build::{Member, zip};

pub(crate) fn cases() -> Vec<Case> {
    [headers::cases(), layout::cases(), members::cases(), names::cases()].concat()
}

/// An empty dictionary, as Python pickles it.
const PICKLE: &[u8] = b"\x80\x02}q\x00.";

/// `os.system("id")`, called when the pickle is loaded.
const RUNS: &[u8] = b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00id\x85R.";

/// A dictionary of one tensor, as PyTorch pickles it: four numbers in the storage 0.
const TENSOR: &[u8] = b"\x80\x02}X\x06\0\0\0weightctorch._utils\n_rebuild_tensor_v2\n\
    ((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x04tQ\
    K\0K\x04\x85K\x01\x85\x89ccollections\nOrderedDict\n)RtRs.";

/// The members that PyTorch writes, the pickle first.
fn pytorch() -> Vec<Member> {
    vec![
        Member::described("model/data.pkl", TENSOR),
        Member::described("model/byteorder", b"little"),
        Member::described("model/data/0", &[0; 16]),
        Member::described("model/version", b"3\n"),
    ]
}

/// An array of bytes.
fn array(bytes: usize) -> Vec<u8> {
    let header = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': ({bytes},), }}");
    let mut array = b"\x93NUMPY\x01\0v\0".to_vec();
    array.extend(format!("{header:<117}\n").bytes());
    array.extend(vec![0; bytes]);
    array
}

/// Two arrays.
fn npz() -> Vec<Member> {
    vec![Member::stored("weight.npy", &array(4)), Member::stored("bias.npy", &array(2))]
}

/// PyTorch's weights with a change to the pickle's member, and as they are.
fn in_pickle(
    name: &'static str,
    expected: (&'static str, &'static str),
    change: impl FnOnce(&mut Member),
) -> Case {
    let mut members = pytorch();
    change(&mut members[0]);
    Case::one(name, expected, "model.pt", zip(&members), zip(&pytorch()))
}

/// Two arrays with a change to the first's member, and as they are.
fn in_array(
    name: &'static str,
    expected: (&'static str, &'static str),
    change: impl FnOnce(&mut Member),
) -> Case {
    let mut members = npz();
    change(&mut members[0]);
    Case::one(name, expected, "model.npz", zip(&members), zip(&npz()))
}

/// PyTorch's weights with one more member, which is hostile, and with one that is not.
fn also(
    name: &'static str,
    expected: (&'static str, &'static str),
    hostile: Member,
    harmless: Member,
) -> Case {
    let with = |member| zip(&[pytorch(), vec![member]].concat());
    Case::one(name, expected, "model.pt", with(hostile), with(harmless))
}
