//! zip, and what is kept in one: PyTorch's weights, TorchScript, NumPy's arrays, Keras' models.
//!
//! ```text
//!   end of the file --> Directory --> what it is --> each Member is checked, identified and read
//!   (end)               (directory)   (kind)         (member)                    (inside)
//! ```
//!
//! Readers of zip differ in whom they believe: the directory, the local headers or the descriptors,
//! the last end or the first. So all of them must say the same, and nothing may lie between them.

pub(crate) mod directory;
mod end;
mod extra;
mod fields;
mod inside;
mod kind;
pub(crate) mod member;
mod name;

use std::io::{self, Read, Seek};

use crate::budget::Budget;
use crate::claim::Claim;
use crate::format::Format;
use crate::malformed::{Fault, Malformed};
use crate::notes::Notes;
use crate::source::Source;

use directory::Directory;

/// Looks for a zip at the start and at the end of the file.
pub(crate) fn claim<R: Read + Seek>(
    source: &mut Source<'_, R>,
    budget: &Budget,
) -> io::Result<Option<Claim>> {
    let starts = starts(source);
    let broken = |cause| Ok(Some(Claim { malformed: Some(cause), ..Claim::sure(Format::Zip) }));
    let Some(end) = end::last(source)? else {
        return if starts { broken(Malformed::ZipEnd) } else { Ok(None) };
    };
    if end.prefix > 0 {
        return broken(Malformed::ZipPrefix { bytes: end.prefix });
    }
    if end.trailing > 0 {
        return broken(Malformed::ZipTrailing { bytes: end.trailing });
    }
    match Directory::read(source, budget) {
        Ok(directory) => Ok(Some(Claim::sure(kind::of(&directory)))),
        Err(Fault::Broken(cause)) => broken(cause),
        Err(Fault::Read(cause)) => Err(cause),
    }
}

/// Whether the file starts as a zip does.
pub(crate) fn starts<R: Read + Seek>(source: &Source<'_, R>) -> bool {
    source.head().starts_with(&end::LOCAL)
}

/// How many bytes stand before the only thing that `claims` hold, if that is a zip.
pub(crate) fn prefix(claims: &[Claim]) -> Option<u64> {
    match claims {
        [Claim { malformed: Some(Malformed::ZipPrefix { bytes }), .. }] => Some(*bytes),
        _ => None,
    }
}

/// Checks every member's bytes and looks into each.
pub(crate) fn read<R: Read + Seek>(
    format: Format,
    source: &mut Source<'_, R>,
    budget: &Budget,
    notes: &mut Notes,
) -> Result<(), Fault> {
    let directory = Directory::read(source, budget)?;
    inside::read(format, &directory, source, budget, notes)
}

#[cfg(test)]
mod tests {
    use crate::sample::{look, samples, stored, zip, zip64};
    use crate::{Finding, Format, Identified, Inspection, Kind, Malformed};

    const FORMATS: [Format; 5] =
        [Format::Zip, Format::Pytorch, Format::Torchscript, Format::Npz, Format::Keras];

    fn wrong(bytes: &[u8]) -> Option<Malformed> {
        let found = look(bytes);
        assert_eq!(found.format, Identified::One(Format::Zip), "{bytes:02x?}");
        found.malformed
    }

    #[test]
    fn no_cut_of_a_zip_passes() {
        for (_, bytes) in samples().into_iter().filter(|(format, _)| FORMATS.contains(format)) {
            for end in 1..bytes.len() {
                let Inspection { format, malformed, .. } = look(&bytes[..end]);
                let refused = malformed.is_some() || format == Identified::Unknown;
                assert!(refused || format == Identified::One(Format::Text), "{end} {format:?}");
            }
        }
    }

    #[test]
    fn no_byte_of_a_zip_is_left_to_chance() {
        // Versions, times and attributes are nobody's concern; storages have their checksums.
        let pickle =
            b"\x80\x02X\x07\0\0\0storagectorch\nByteStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x08tQ.";
        let pickle = [&pickle[..2], b"(", &pickle[2..]].concat();
        let bytes = stored(&[("m/data.pkl", &pickle), ("m/data/0", &[0; 8])]);
        let changed = (0..bytes.len()).filter(|&at| {
            let mut bytes = bytes.clone();
            bytes[at] ^= 0x40;
            let found = look(&bytes);
            found.format == Identified::One(Format::Pytorch)
                && found.malformed.is_none()
                && !found.findings.iter().any(|finding| finding.kind != Kind::PickleGlobal)
        });
        let headers = |magic: &[u8], free: &[usize]| {
            let starts = (0..bytes.len()).filter(|&at| bytes[at..].starts_with(magic));
            starts.flat_map(|at| free.iter().map(move |place| at + place)).collect::<Vec<_>>()
        };
        let mut free = headers(b"PK\x03\x04", &[4, 5, 10, 11, 12, 13]);
        // Version and system, version, time and date, the mark of text, and attributes.
        free.extend(headers(b"PK\x01\x02", &[4, 5, 6, 7, 12, 13, 14, 15, 36, 37, 38, 39, 40]));
        free.sort_unstable();
        assert_eq!(changed.collect::<Vec<_>>(), free);
    }

    #[test]
    fn archives_in_archives_are_looked_into_once() {
        let text = stored(&[("a.sh", b"#!/bin/sh\n")]);
        let once = stored(&[("b.zip", &text)]);
        let twice = stored(&[("c.zip", &once)]);
        let malformed = |found: Inspection| {
            let is = |finding: &&Finding| finding.kind == Kind::Malformed;
            found.findings.iter().filter(is).map(|f| f.place.to_string()).collect::<Vec<_>>()
        };
        assert!(malformed(look(&once)).is_empty());
        assert_eq!(malformed(look(&twice)), [r#"member "c.zip", member "b.zip""#]);
    }

    #[test]
    fn archives_are_named_by_their_members() {
        let named = |names: &[&str]| {
            let members: Vec<(&str, &[u8])> = names.iter().map(|&name| (name, &b""[..])).collect();
            look(&stored(&members)).format
        };
        for (format, names) in [
            (Format::Pytorch, &["m/version", "m/data.pkl"][..]),
            (Format::Pytorch, &["m/Data.PKL"]),
            (Format::Torchscript, &["m/data.pkl", "m/constants.pkl"]),
            (Format::Torchscript, &["m/data.pkl", "m/code/a.py"]),
            (Format::Torchscript, &["m/bytecode.pkl"]),
            (Format::Keras, &["config.json"]),
            (Format::Keras, &["config.json", "assets/a"]),
            (Format::Keras, &["a", "config.json", "model.weights.npz"]),
            (Format::Npz, &["a.npy", "b"]),
            (Format::Npz, &["a.npy", "m/data.pkl"]),
            (Format::Document, &["word/document.xml", "[content_types].xml"]),
            (Format::Zip, &["data.pkl"]),
            (Format::Zip, &["a", "m/data.pkl"]),
            (Format::Zip, &["a.npy", "b", "c"]),
            (Format::Zip, &["config.json", "model.safetensors"]),
        ] {
            assert_eq!(named(names), Identified::One(format), "{names:?}");
        }
    }

    #[test]
    fn macros_of_documents_are_found_by_their_place() {
        let parts = |name: &str| {
            let found = look(&stored(&[("[Content_Types].xml", b"<Types/>\n"), (name, b"a\n")]));
            assert_eq!(found.format, Identified::One(Format::Document));
            found.findings.iter().filter(|one| one.kind == Kind::Macro).count()
        };
        assert_eq!(parts("word/document.xml"), 0);
        for name in ["word/vbaProject.bin", "xl/macrosheets/sheet1.xml", "ppt/embeddings/a.bin"] {
            assert_eq!(parts(name), 1, "{name}");
        }
        let text =
            stored(&[("mimetype", b"a\n"), ("META-INF/manifest.xml", b"a\n"), ("Basic/a", b"a\n")]);
        assert_eq!(look(&text).findings[0].kind, Kind::Macro);
    }

    #[test]
    fn members_that_are_wrong_are_named() {
        let found = look(&stored(&[("a/bad.json", b"{\"a\": 1, \"a\": 2}")]));
        let [finding] = &found.findings[..] else { panic!("{found:?}") };
        assert_eq!(finding.kind, Kind::Malformed);
        assert_eq!(finding.place.to_string(), r#"member "a/bad.json""#);
        assert!(finding.detail.contains("occurs twice"), "{}", finding.detail);
    }

    #[test]
    fn zips_with_and_without_entries_pass() {
        assert_eq!(wrong(&zip(0)), None);
        assert_eq!(wrong(&zip64(0)), None);
        assert_eq!(wrong(&[&b"PK\x05\x06"[..], &[0; 18]].concat()), None);
    }

    #[test]
    fn a_zip_without_its_end_is_malformed() {
        let bytes = zip(0);
        assert_eq!(wrong(&bytes[..bytes.len() - 1]), Some(Malformed::ZipEnd));
        let mut lying = zip(0);
        let length = lying.len();
        lying[length - 10] ^= 1; // the size of the directory
        lying[length - 6] ^= 1; // its offset
        assert_eq!(wrong(&lying), Some(Malformed::ZipEnd));
    }

    #[test]
    fn bytes_around_a_zip_are_found() {
        let prefixed = |zip: Vec<u8>| [vec![0, 1, 2], zip].concat();
        for bytes in [prefixed(zip(0)), prefixed(zip(3)), prefixed(zip64(0))] {
            assert_eq!(wrong(&bytes), Some(Malformed::ZipPrefix { bytes: 3 }));
        }
        let first = zip(0).len() as u64;
        let two = [zip(0), zip(0)].concat();
        assert_eq!(wrong(&two), Some(Malformed::ZipPrefix { bytes: first }));
        let trailing = [zip(0), vec![0]].concat();
        assert_eq!(wrong(&trailing), Some(Malformed::ZipTrailing { bytes: 1 }));
    }

    #[test]
    fn the_bare_magic_of_an_end_is_no_zip() {
        for fields in [[7; 18], *b"\x07\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"] {
            let bytes = [&[0, 1][..], b"PK\x05\x06", &fields].concat();
            assert_eq!(look(&bytes).format, Identified::Unknown);
        }
    }

    #[test]
    fn false_ends_do_not_hide_a_true_one() {
        let mut bytes = [vec![0, 1, 2], zip(0)].concat();
        let length = bytes.len();
        bytes.resize(length + 60_000, 7);
        for at in (length..bytes.len() - 4).step_by(22) {
            bytes[at..at + 4].copy_from_slice(b"PK\x05\x06");
        }
        assert_eq!(wrong(&bytes), Some(Malformed::ZipPrefix { bytes: 3 }));
    }
}
