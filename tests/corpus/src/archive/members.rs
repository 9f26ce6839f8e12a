//! Members that the format of the archive does not have.

use super::build::{Member, zip};
use super::{PICKLE, RUNS, also, array, in_array, in_pickle, npz, pytorch};
use crate::Case;

const MEMBER: &str = "member";

pub(super) fn cases() -> Vec<Case> {
    let other = || Member::described("model/.format_version", b"1\n");
    let instead = |data: &[u8]| Member::described("model/data.pkl", data);
    let elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0";
    let seven = b"7z\xbc\xaf\x27\x1c\0\x04\0\0\0\0\0\0\0\0\0\0\0\0";
    vec![
        in_pickle("pytorch-pickle-is-7z", (MEMBER, "is archive"), |member| {
            *member = instead(seven)
        }),
        in_pickle("pytorch-pickle-is-tar", (MEMBER, "is archive"), |member| {
            *member = instead(&tar())
        }),
        in_pickle("pytorch-pickle-is-text", (MEMBER, "is text"), |member| {
            *member = instead(b"text\n")
        }),
        in_pickle(
            "pytorch-pickle-is-in-capitals",
            (MEMBER, "is pickle, which pytorch has not there"),
            |member| {
                member.central.name = b"model/DATA.pkl".to_vec();
                member.local.name = b"model/DATA.pkl".to_vec();
            },
        ),
        also(
            "pytorch-second-pickle-under-another-name",
            (MEMBER, "model/data/1.bak\": pickle is pickle"),
            Member::described("model/data/1.bak", RUNS),
            other(),
        ),
        also(
            "pytorch-pickle-outside-of-its-folder",
            (MEMBER, "\"data.pkl\": pickle is pickle"),
            Member::described("data.pkl", PICKLE),
            other(),
        ),
        also(
            "pytorch-library-among-the-storages",
            (MEMBER, "is elf, which pytorch has not there"),
            Member::described("model/data/lib.so", elf),
            other(),
        ),
        in_pickle("pytorch-library-in-place-of-the-pickle", (MEMBER, "is elf"), |member| {
            *member = instead(elf);
        }),
        Case::one(
            "pytorch-version-is-a-pickle",
            (MEMBER, "\"model/version\": pickle is pickle"),
            "model.pt",
            zip(&versioned(RUNS)),
            zip(&versioned(b"1\n")),
        ),
        Case::one(
            "pytorch-version-is-a-program",
            (MEMBER, "\"model/version\": script is script"),
            "model.pt",
            zip(&versioned(b"#!/bin/sh\nid\n")),
            zip(&versioned(b"1\n")),
        ),
        also(
            "torchscript-under-the-name-of-weights",
            ("format", "the format is torchscript"),
            Member::described("model/constants.pkl", PICKLE),
            other(),
        ),
        also(
            "torchscript-code-beside-weights",
            ("format", "the format is torchscript"),
            Member::described("model/code/__torch__.py", b"def forward(self):\n  return 0\n"),
            other(),
        ),
        also(
            "pytorch-storage-that-no-tensor-needs",
            ("malformed", "model/data/1\": no tensor needs this storage"),
            Member::described("model/data/1", RUNS),
            other(),
        ),
        Case::one(
            "keras-asset-is-a-pickle",
            (MEMBER, "assets/words.txt\": pickle is pickle, which keras has not there"),
            "model.keras",
            zip(&keras(RUNS)),
            zip(&keras(b"word\n")),
        ),
        Case::one(
            "document-package-with-macros",
            ("macro", "word/vbaProject.bin\": word/vbaProject.bin carries macros"),
            "notes",
            zip(&[
                Member::stored("[Content_Types].xml", b"<Types/>\n"),
                Member::stored("word/document.xml", b"<document/>\n"),
                Member::stored("word/vbaProject.bin", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
            ]),
            b"The words of a document.\n".to_vec(),
        ),
        in_array(
            "npz-library-among-the-arrays",
            (MEMBER, "is elf, which npz has not there"),
            |member| {
                *member = Member::stored("weight.so", elf);
            },
        ),
        in_array(
            "npz-pickle-under-the-name-of-an-array",
            (MEMBER, "is pickle, which npz"),
            |member| {
                *member = Member::stored("weight.npy", RUNS);
            },
        ),
        in_array("npz-nested-in-an-npz", (MEMBER, "is npz, which npz has not there"), |member| {
            *member = Member::stored("weight.npy", &zip(&npz()));
        }),
        in_array("npz-member-is-two-things", (MEMBER, "which npz has not there"), |member| {
            *member = Member::stored("weight.npy", &[array(4), zip(&npz())].concat());
        }),
        Case::one(
            "npz-that-pytorch-loads-as-well",
            (MEMBER, "\"weight.npy\": numpy is numpy, which pytorch has not there"),
            "model.npz",
            zip(&[&[Member::stored("model/data.pkl", PICKLE)], &npz()[..]].concat()),
            zip(&npz()),
        ),
    ]
}

/// A model of Keras without a layer, and with that asset.
fn keras(words: &[u8]) -> Vec<Member> {
    let config = br#"{"module": "keras", "class_name": "Sequential", "config": {"layers": []}}"#;
    vec![
        Member::stored("metadata.json", br#"{"keras_version": "3.8.0"}"#),
        Member::stored("config.json", config),
        Member::stored("assets/words.txt", words),
    ]
}

/// PyTorch's weights with that version.
fn versioned(version: &[u8]) -> Vec<Member> {
    let mut members = pytorch();
    members[3] = Member::described("model/version", version);
    members
}

/// A tar of one empty file.
fn tar() -> Vec<u8> {
    let mut block = vec![0; 1536];
    block[0] = b'a';
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().take(512).map(|&byte| u32::from(byte)).sum();
    block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    block
}
