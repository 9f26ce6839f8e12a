//! SentencePiece models: the protocol buffer `ModelProto` of sentencepiece_model.proto.
//!
//! Field 1 repeats, once a piece: a string (1), a score (2, float) and a kind (3). Fields 2 to 5
//! are the settings of training and normalisation; extensions start at 200.

use std::io::{self, Read, Seek};

use crate::budget::Budget;
use crate::claim::Claim;
use crate::finding::Place;
use crate::format::Format;
use crate::malformed::{Fault, Malformed, broken};
use crate::protobuf::{self, Wire};
use crate::source::{Scan, Source};

/// Walks over the file if it starts with a piece. The first piece has a score, whose tag is a
/// control character, so no text comes this far.
pub(crate) fn claim<R: Read + Seek>(
    source: &mut Source<'_, R>,
    budget: &Budget,
) -> io::Result<Option<Claim>> {
    if source.head().first() != Some(&PIECE_TAG) {
        return Ok(None);
    }
    let mut scan = source.scan(0)?;
    let mut pieces = 0;
    match walk(&mut scan, &mut pieces, budget) {
        Ok(()) => Ok(Some(Claim::sure(Format::Tokenizer))),
        Err(Fault::Read(cause)) => Err(cause),
        Err(Fault::Broken(_)) if pieces == 0 => Ok(None),
        Err(Fault::Broken(cause)) => {
            Ok(Some(Claim { malformed: Some(cause), ..Claim::weak(Format::Tokenizer) }))
        }
    }
}

/// Field 1, length-delimited. It is also a line feed.
const PIECE_TAG: u8 = 0x0a;

fn walk<R: Read + Seek>(
    scan: &mut Scan<'_, R>,
    pieces: &mut u64,
    budget: &Budget,
) -> Result<(), Fault> {
    let mut settings = Vec::new();
    while scan.remaining() > 0 {
        match protobuf::tag(scan)? {
            Some((1, Wire::Bytes)) => {
                if *pieces >= budget.tokenizer_pieces {
                    let limit = budget.tokenizer_pieces;
                    return Err(Malformed::TokenizerPieces { limit }.into());
                }
                piece(scan)?;
                *pieces = pieces.saturating_add(1);
            }
            Some((field @ 2..=5, wire @ Wire::Bytes)) => {
                // Readers merge the two, or take the last.
                if settings.contains(&field) {
                    return Err(broken(Place::Offset(scan.at()), "its settings are there twice"));
                }
                settings.push(field);
                match field {
                    NORMALIZER | DENORMALIZER => normalizer(scan, budget)?,
                    _ => protobuf::skip(scan, wire)?,
                }
            }
            Some((200.., wire @ Wire::Bytes)) => protobuf::skip(scan, wire)?,
            _ => return Err(Malformed::TokenizerField { at: scan.at() }.into()),
        }
    }
    Ok(())
}

const NORMALIZER: u64 = 3;
const DENORMALIZER: u64 = 5;

/// A `NormalizerSpec`: a name (1), the compiled map of characters (2), switches (3 to 5) and the rules
/// that the map was made of (6).
fn normalizer<R: Read + Seek>(scan: &mut Scan<'_, R>, budget: &Budget) -> Result<(), Fault> {
    let length = protobuf::varint(scan)?;
    scan.need(length)?;
    let end = scan.at().saturating_add(length);
    let mut mapped = false;
    while scan.at() < end {
        match protobuf::tag(scan)? {
            Some((2, Wire::Bytes)) if !mapped => {
                mapped = true;
                characters(scan, budget)?;
            }
            Some((1 | 6, wire @ Wire::Bytes)) => protobuf::skip(scan, wire)?,
            Some((3..=5, wire @ Wire::Varint)) => protobuf::skip(scan, wire)?,
            Some((200.., wire)) => protobuf::skip(scan, wire)?,
            _ => return Err(Malformed::TokenizerField { at: scan.at() }.into()),
        }
    }
    if scan.at() != end {
        return Err(Malformed::TokenizerField { at: scan.at() }.into());
    }
    Ok(())
}

/// A `precompiled_charsmap`: the length of a double-array trie, the trie in units of four bytes, and
/// the texts that it leads to, each ended by a zero.
fn characters<R: Read + Seek>(scan: &mut Scan<'_, R>, budget: &Budget) -> Result<(), Fault> {
    let length = protobuf::varint(scan)?;
    scan.need(length)?;
    let at = Place::Offset(scan.at());
    if length == 0 {
        return Ok(());
    }
    if length > budget.tokenizer_characters {
        let limit = budget.tokenizer_characters;
        return Err(broken(at, format!("the map of characters is larger than {limit} bytes")));
    }
    let end = scan.at().saturating_add(length);
    let trie = u64::from(u32::from_le_bytes(scan.array()?));
    let room = end.saturating_sub(scan.at());
    if length <= 4 || trie == 0 || trie % 4 != 0 || trie >= room {
        return Err(broken(at, "the map of characters has no trie that fits into it"));
    }
    scan.skip(room.saturating_sub(1))?;
    if scan.byte()? != 0 {
        return Err(broken(at, "the last text of the map of characters has no end"));
    }
    Ok(())
}

fn piece<R: Read + Seek>(scan: &mut Scan<'_, R>) -> Result<(), Fault> {
    let length = protobuf::varint(scan)?;
    scan.need(length)?;
    let end = scan.at().saturating_add(length);
    let (mut named, mut scored) = (false, false);
    while scan.at() < end {
        match protobuf::tag(scan)? {
            Some((1, wire @ Wire::Bytes)) => {
                protobuf::skip(scan, wire)?;
                named = true;
            }
            Some((2, wire @ Wire::Four)) => {
                protobuf::skip(scan, wire)?;
                scored = true;
            }
            Some((3, wire @ Wire::Varint)) => protobuf::skip(scan, wire)?,
            Some((200.., wire)) => protobuf::skip(scan, wire)?,
            _ => return Err(Malformed::TokenizerField { at: scan.at() }.into()),
        }
    }
    if scan.at() != end || !named || !scored {
        return Err(Malformed::TokenizerField { at: scan.at() }.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::sample::{look, look_within, tokenizer};
    use crate::{Budget, Format, Identified, Malformed};

    fn wrong(bytes: &[u8]) -> Option<Malformed> {
        let found = look(bytes);
        assert_eq!(found.format, Identified::One(Format::Tokenizer));
        found.malformed
    }

    #[test]
    fn a_model_is_walked_to_its_last_byte() {
        assert_eq!(wrong(&tokenizer()), None);
        let length = tokenizer().len() as u64;
        let cut = wrong(&tokenizer()[..tokenizer().len() - 1]);
        assert_eq!(cut, Some(Malformed::Truncated { at: length - 2, needed: 2 }));
    }

    #[test]
    fn other_fields_are_refused() {
        let length = tokenizer().len() as u64;
        for field in [[0x30, 1], [0x10, 1]] {
            let bytes = [tokenizer(), field.to_vec()].concat();
            assert_eq!(wrong(&bytes), Some(Malformed::TokenizerField { at: length + 1 }));
        }
        // A piece whose string runs past the piece, but not past the file.
        let bytes = [tokenizer(), b"\x0a\x02\x0a\x04abcd".to_vec()].concat();
        assert!(matches!(wrong(&bytes), Some(Malformed::TokenizerField { .. })));
        let unscored = [tokenizer(), b"\x0a\x03\x0a\x01a".to_vec()].concat();
        assert!(matches!(wrong(&unscored), Some(Malformed::TokenizerField { .. })));
    }

    /// A model with a normalizer whose map of characters is `map`.
    fn normalized(map: &[u8]) -> Vec<u8> {
        let map = [&[0x12, map.len() as u8][..], map, b"\x18\x01"].concat();
        [tokenizer(), vec![0x1a, map.len() as u8], map].concat()
    }

    #[test]
    fn the_map_of_characters_fits_and_is_bounded() {
        for good in [&b""[..], b"\x04\0\0\0TRIEa\0", b"\x08\0\0\0TRIETRIE\0"] {
            assert_eq!(wrong(&normalized(good)), None);
        }
        for bad in [
            &b"\x04"[..],
            b"\x04\0\0\0",
            b"\0\0\0\0TRIEa\0",
            b"\x04\0\0\0TRIE",
            b"\x06\0\0\0TRIEab\0",
            b"\xff\xff\xff\xffTRIEa\0",
            b"\x04\0\0\0TRIEab",
        ] {
            assert!(wrong(&normalized(bad)).is_some(), "{bad:?}");
        }
        let budget = Budget { tokenizer_characters: 9, ..Budget::default() };
        let found = look_within(&normalized(b"\x04\0\0\0TRIEa\0"), &budget);
        assert!(matches!(found.malformed, Some(Malformed::Rule { .. })));
    }

    #[test]
    fn settings_come_once() {
        let twice = [normalized(b""), b"\x1a\0".to_vec()].concat();
        assert!(matches!(wrong(&twice), Some(Malformed::Rule { .. })));
    }

    #[test]
    fn pieces_are_bounded() {
        let budget = Budget { tokenizer_pieces: 1, ..Budget::default() };
        let cause = Malformed::TokenizerPieces { limit: 1 };
        assert_eq!(look_within(&tokenizer(), &budget).malformed, Some(cause));
    }

    #[test]
    fn text_that_starts_with_an_empty_line_stays_text() {
        for text in ["\n", "\nabc\n", "\n\t\n\taaaaaaaa"] {
            assert_eq!(look(text.as_bytes()).format, Identified::One(Format::Text));
        }
    }
}
