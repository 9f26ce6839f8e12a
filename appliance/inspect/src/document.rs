//! Documents of office programs: which of their parts are macros, or programs that are embedded.
//!
//! ```text
//!   compound file [MS-CFB]:  header | sectors
//!                              └─▶ DIFAT ─▶ FAT ─▶ chain of the directory's sectors ─▶ names
//! ```
//!
//! A package of OOXML or OpenDocument is a zip, whose reader knows where macros lie in it.
//!
//! Names of parts are looked at; what the parts hold is not. Excel's macros of before VBA lie among
//! the cells and are not told from them.

use std::io::{Read, Seek};

use crate::budget::Budget;
use crate::finding::{Kind, Place};
use crate::malformed::{Fault, Malformed, broken, shown};
use crate::notes::Notes;
use crate::source::Source;

/// Reads a document that is one file.
pub(crate) fn read<R: Read + Seek>(
    source: &mut Source<'_, R>,
    budget: &Budget,
    notes: &mut Notes,
) -> Result<(), Fault> {
    let head = source.head();
    if head.starts_with(&[0xd0, 0xcf, 0x11, 0xe0]) {
        let header = head.first_chunk().copied();
        let header = header.ok_or(Malformed::Truncated { at: 0, needed: HEADER as u64 })?;
        return Compound::new(source, &header)?.directory(budget, notes);
    }
    Ok(())
}

/// Bytes of a compound file's header.
const HEADER: usize = 512;
/// Entries of the DIFAT that the header holds.
const IN_HEADER: usize = 109;
/// The largest number of a sector ([MS-CFB], 2.1).
const MAX_SECTOR: u32 = 0xffff_fffa;
/// Bytes of a directory entry ([MS-CFB], 2.6.1).
const ENTRY: u64 = 128;

/// A compound file, as far as it is needed to walk through its directory.
struct Compound<'s, 'r, R> {
    source: &'s mut Source<'r, R>,
    /// Bytes of a sector, as a power of two.
    shift: u32,
    /// The first sectors of the FAT.
    in_header: [u32; IN_HEADER],
    /// The first sector of the rest of the DIFAT.
    difat: u32,
    /// The sector of the DIFAT that was read last: which one in the chain, and its number.
    last: (u32, u32),
    /// The first sector of the directory.
    first: u32,
}

impl<'s, 'r, R: Read + Seek> Compound<'s, 'r, R> {
    fn new(source: &'s mut Source<'r, R>, header: &[u8; HEADER]) -> Result<Self, Fault> {
        let number = |at: usize| {
            let field = header.get(at..).and_then(|field| field.first_chunk());
            field.map_or(u32::MAX, |field| u32::from_le_bytes(*field))
        };
        let (byte_order, shift) = (number(28) & 0xffff, number(30) & 0xffff);
        let version = number(26) & 0xffff;
        if byte_order != 0xfffe || !matches!((version, shift), (3, 9) | (4, 12)) {
            return Err(broken(
                Place::Offset(26),
                "version, byte order and sector size do not fit",
            ));
        }
        let mut in_header = [u32::MAX; IN_HEADER];
        for (entry, at) in in_header.iter_mut().zip((76..).step_by(4)) {
            *entry = number(at);
        }
        let (first, difat) = (number(48), number(68));
        Ok(Compound { source, shift, in_header, difat, last: (0, difat), first })
    }

    /// Reports the names in the directory that stand for macros.
    fn directory(&mut self, budget: &Budget, notes: &mut Notes) -> Result<(), Fault> {
        let mut entries = 0_u64;
        let mut sector = self.first;
        while sector <= MAX_SECTOR {
            let start = self.offset(sector);
            for entry in 0..(1_u64 << self.shift) / ENTRY {
                let at = start.saturating_add(entry.saturating_mul(ENTRY));
                let field: Option<[u8; ENTRY as usize]> = self.source.peek(at)?;
                let field = field.ok_or(Malformed::Truncated { at, needed: ENTRY })?;
                entries = entries.saturating_add(1);
                if entries > budget.document_entries {
                    let detail =
                        format!("the directory has more than {} entries", budget.document_entries);
                    return Err(broken(Place::Offset(at), detail));
                }
                let name = field.first_chunk().and_then(name).ok_or_else(|| {
                    broken(Place::Offset(at), "the directory entry's name is not possible")
                })?;
                notes.show(|contents| {
                    if !name.is_empty() {
                        let (key, value) = ("part".to_owned(), shown(&name));
                        contents.metadata.push(crate::Entry { key, value });
                    }
                });
                if let Some(what) = macros(&name) {
                    notes.add(Kind::Macro, &shown(&name), Place::Offset(at), what.to_owned());
                }
            }
            sector = self.next(sector)?;
        }
        Ok(())
    }

    fn offset(&self, sector: u32) -> u64 {
        u64::from(sector).saturating_add(1) << self.shift
    }

    /// The sector behind `sector` in its chain.
    fn next(&mut self, sector: u32) -> Result<u32, Fault> {
        let per_sector = 1_u32 << (self.shift - 2);
        let (index, entry) = (sector / per_sector, sector % per_sector);
        let fat = match self.in_header.get(usize::try_from(index).unwrap_or(usize::MAX)) {
            Some(&fat) => fat,
            None => self.beyond_header(index.saturating_sub(IN_HEADER as u32), per_sector)?,
        };
        self.number(fat, entry)
    }

    /// The sector of the FAT with this number, counted from the first that is not in the header.
    fn beyond_header(&mut self, index: u32, per_sector: u32) -> Result<u32, Fault> {
        // The last number of each sector leads to the next one.
        let most = per_sector - 1;
        let (link, entry) = (index / most, index % most);
        if link < self.last.0 {
            self.last = (0, self.difat);
        }
        while self.last.0 < link {
            self.last = (self.last.0.saturating_add(1), self.number(self.last.1, most)?);
        }
        self.number(self.last.1, entry)
    }

    /// The number at `entry` of `sector`.
    fn number(&mut self, sector: u32, entry: u32) -> Result<u32, Fault> {
        let at = self.offset(sector).saturating_add(u64::from(entry) * 4);
        let bytes = self.source.peek(at)?.filter(|_| sector <= MAX_SECTOR);
        let bytes =
            bytes.ok_or_else(|| broken(Place::Offset(at), "the chain leads out of the file"))?;
        Ok(u32::from_le_bytes(bytes))
    }
}

/// The name in the first 66 bytes of a directory entry: up to 31 characters of UTF-16, a NUL, and the
/// length of both in bytes.
fn name(field: &[u8; 66]) -> Option<String> {
    let [text @ .., low, high] = field;
    let length = usize::from(u16::from_le_bytes([*low, *high]));
    let characters = length.saturating_sub(2);
    let text = text.get(..characters).filter(|_| length <= 64 && length.is_multiple_of(2))?;
    let units = text.chunks_exact(2).filter_map(|pair| pair.first_chunk());
    let name = char::decode_utf16(units.map(|pair| u16::from_le_bytes(*pair)));
    Some(name.map(|character| character.unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
}

/// What a part of that name is, if it is a macro or a program. Names do not differ by case.
fn macros(name: &str) -> Option<&'static str> {
    match name.to_ascii_lowercase().as_str() {
        "vba" | "_vba_project" | "_vba_project_cur" | "macros" => Some("carries macros"),
        "\u{1}ole10native" | "objectpool" => Some("embeds other files, which may be programs"),
        "encryptedpackage" => Some("is encrypted, so that its macros cannot be seen"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::sample::{compound, look, look_within};
    use crate::{Budget, Format, Identified, Kind};

    fn found(bytes: &[u8]) -> (Vec<String>, Option<String>) {
        let found = look(bytes);
        assert_eq!(found.format, Identified::One(Format::Document));
        assert!(found.findings.iter().all(|one| one.kind == Kind::Macro));
        let subjects = found.findings.into_iter().map(|one| one.subject);
        (subjects.collect(), found.malformed.map(|cause| cause.to_string()))
    }

    #[test]
    fn parts_that_are_macros_are_found_in_any_sector_of_the_directory() {
        assert_eq!(found(&compound(&["Root Entry", "WordDocument"])), (Vec::new(), None));
        let names = ["Root Entry", "a", "b", "c", "d", "e", "f", "Vba", "\u{1}Ole10Native"];
        let expected = vec!["Vba".to_owned(), "\u{1}Ole10Native".to_owned()];
        assert_eq!(found(&compound(&names)), (expected, None));
    }

    #[test]
    fn chains_that_lead_out_or_around_are_malformed() {
        let good = compound(&["Root Entry", "a", "b", "c", "d"]);
        // The FAT is the first sector; the directory's first sector is the second.
        let chain = |next: u32| {
            let mut bytes = good.clone();
            bytes[516..520].copy_from_slice(&next.to_le_bytes());
            bytes
        };
        assert!(found(&chain(9)).1.is_some());
        let budget = Budget { document_entries: 100, ..Budget::default() };
        let around = look_within(&chain(1), &budget).malformed.unwrap().to_string();
        assert!(around.contains("more than 100 entries"), "{around}");
        let mut lost = good.clone();
        lost[76..80].fill(0xff);
        assert!(found(&lost).1.unwrap().contains("out of the file"));
        for end in 8..good.len() {
            assert!(found(&good[..end]).1.is_some(), "cut at {end}");
        }
        let mut sectors = good.clone();
        sectors[30] = 31;
        assert!(found(&sectors).1.unwrap().contains("do not fit"));
        let mut long = good;
        long[1024 + 64] = 66;
        assert!(found(&long).1.unwrap().contains("not possible"));
    }
}
