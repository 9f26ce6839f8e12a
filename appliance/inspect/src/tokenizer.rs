//! SentencePiece models: the protocol buffer `ModelProto` of sentencepiece_model.proto.
//!
//! Field 1 repeats, once a piece: a string (1), a score (2, float) and a kind (3). Fields 2 to 5
//! are the settings of training and normalisation; extensions start at 200.

use std::io::{self, Read, Seek};

use crate::budget::Budget;
use crate::claim::Claim;
use crate::format::Format;
use crate::malformed::{Fault, Malformed};
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
            Some((2..=5 | 200.., wire @ Wire::Bytes)) => protobuf::skip(scan, wire)?,
            _ => return Err(Malformed::TokenizerField { at: scan.at() }.into()),
        }
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
