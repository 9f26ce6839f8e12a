//! Python pickles, protocols 0 to 5, told by walking their opcodes.
//!
//! Nothing is built and nothing is run: the walk keeps the height of the stack and the open marks,
//! as Python's `pickle.py` and `_pickle.c` do, and whether a name was imported and then called.
//! Where the two differ, the walk follows the laxer one: what either would run is a pickle here.

mod opcode;
mod walk;

use std::io::{self, Read, Seek};

use crate::budget::Budget;
use crate::claim::Claim;
use crate::format::Format;
use crate::malformed::Malformed;
use crate::source::Source;
use walk::{Outcome, Walk};

/// Looks whether the file is a pickle.
///
/// With the opcode PROTO in front a file is a pickle if the walk comes to STOP or calls something.
/// Without it, as protocols 0 and 1 are written, ordinary text could start the same way. So STOP
/// must be the last byte, or the stream must import a name and then call it or stop. Python runs a
/// pickle before it sees what follows, so what follows does not matter.
pub(crate) fn claim<R: Read + Seek>(
    source: &mut Source<'_, R>,
    budget: &Budget,
) -> io::Result<Option<Claim>> {
    let protocol = matches!(source.head(), [PROTO, 0..=5, ..]);
    let length = source.length();
    let walk = Walk::run(source.scan(0)?, budget)?;

    let after = match walk.outcome {
        Outcome::Stopped { at } => Some(length.saturating_sub(at)),
        Outcome::Broken(_) => None,
    };
    let exhausted = matches!(walk.outcome, Outcome::Broken(Malformed::PickleBudget { .. }));
    let stops = after.is_some();
    let sure = walk.called
        || exhausted
        || (protocol && stops)
        || (walk.imported && stops)
        || after == Some(0);
    // The two bytes alone are a hint, if an opcode follows them.
    let hint = protocol && source.head().get(2).is_some_and(|&byte| opcode::of(byte).is_some());
    if !sure && !hint {
        return Ok(None);
    }
    let malformed = match walk.outcome {
        Outcome::Broken(cause) => Some(cause),
        Outcome::Stopped { .. } => {
            after.filter(|&bytes| bytes > 0).map(|bytes| Malformed::PickleTrailing { bytes })
        }
    };
    Ok(Some(Claim { format: Format::Pickle, sure, malformed }))
}

const PROTO: u8 = 0x80;

#[cfg(test)]
mod tests {
    use crate::sample::{look, look_within};
    use crate::{Budget, Format, Identified, Malformed};

    fn wrong(bytes: &[u8]) -> Option<Malformed> {
        let found = look(bytes);
        assert_eq!(found.format, Identified::One(Format::Pickle), "{}", bytes.escape_ascii());
        found.malformed
    }

    #[test]
    fn streams_of_all_protocols_are_recognised() {
        for bytes in [
            // {'a': [1, 2.5, None, True]}, as Python writes it.
            &b"(dp0\nVa\np1\n(lp2\nI1\naF2.5\naNaI01\nas."[..],
            b"}q\x00X\x01\x00\x00\x00aq\x01]q\x02(K\x01G@\x04\x00\x00\x00\x00\x00\x00NI01\nes.",
            b"\x80\x02}q\x00X\x01\x00\x00\x00aq\x01]q\x02(K\x01G@\x04\x00\x00\x00\x00\x00\x00N\x88es.",
            b"\x80\x04\x95\x18\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x01a\x94]\x94(K\x01G@\x04\x00\x00\x00\x00\x00\x00N\x88es.",
            b"\x80\x05\x96\x02\x00\x00\x00\x00\x00\x00\x00ab\x94.",
            // os.system by REDUCE, INST, OBJ and STACK_GLOBAL
            b"cos\nsystem\n(S'id'\ntR.",
            b"(S'id'\nios\nsystem\n.",
            b"(cos\nsystem\nS'id'\no.",
            b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02id\x85R.",
        ] {
            assert_eq!(wrong(bytes), None);
        }
    }

    #[test]
    fn what_runs_before_a_break_is_a_pickle() {
        let run = b"cos\nsystem\n(S'id'\ntR";
        let text = [&run[..], b"\nand so on\n"].concat();
        assert_eq!(wrong(&text), Some(Malformed::PickleOpcode { at: 20, opcode: b'\n' }));
        let followed = [&run[..], b".\n# a comment\n"].concat();
        assert_eq!(wrong(&followed), Some(Malformed::PickleTrailing { bytes: 13 }));
    }

    #[test]
    fn ordinary_text_is_no_pickle() {
        for text in [
            "N.B. this is text",
            "I am.",
            "In the beginning\n.",
            "(see below).",
            ".",
            "a.",
            "Very well.\n",
            "Paris.",
            "could\nbe\n and more",
        ] {
            let found = look(text.as_bytes());
            assert_eq!(found.format, Identified::One(Format::Text), "{text}");
        }
    }

    #[test]
    fn breaks_are_named() {
        let opcode = |at, opcode| Some(Malformed::PickleOpcode { at, opcode });
        assert_eq!(wrong(b"\x80\x02}\xff."), opcode(3, 0xff));
        assert_eq!(wrong(b"\x80\x02IZ\n."), opcode(2, b'I'));
        assert_eq!(wrong(b"\x80\x02FX\n."), opcode(2, b'F'));
        assert_eq!(wrong(b"\x80\x02SX\n."), opcode(2, b'S'));
        let stack = |at| Some(Malformed::PickleStack { at });
        for operation in [&b"."[..], b"]R.", b"]a.", b"(.", b"](0R.", b"\x85."] {
            let found = wrong(&[b"\x80\x02", operation].concat());
            assert!(
                matches!(found, Some(Malformed::PickleStack { .. })),
                "{operation:?} {found:?}"
            );
        }
        assert_eq!(wrong(b"\x80\x02]u."), stack(3));
        let cut = |at, needed| Some(Malformed::Truncated { at, needed });
        assert_eq!(wrong(b"\x80\x02]"), cut(3, 1));
        assert_eq!(wrong(b"\x80\x02X\xff\xff\xff\x7fa."), cut(7, 0x7fff_ffff));
        assert_eq!(wrong(b"\x80\x02\x8e\xff\xff\xff\xff\xff\xff\xff\xff"), cut(11, u64::MAX));
        assert_eq!(wrong(b"\x80\x02Vabc"), cut(6, 1));
        assert_eq!(wrong(b"\x80\x02N.\0"), Some(Malformed::PickleTrailing { bytes: 1 }));
    }

    #[test]
    fn operations_and_marks_are_bounded() {
        let budget = Budget { pickle_opcodes: 3, ..Budget::default() };
        let found = look_within(b"\x80\x02NN.", &budget);
        assert_eq!(found.format, Identified::One(Format::Pickle));
        assert_eq!(found.malformed, Some(Malformed::PickleBudget { at: 4 }));
        let budget = Budget { pickle_marks: 2, ..Budget::default() };
        let found = look_within(b"(((ttt.", &budget);
        assert_eq!(found.format, Identified::One(Format::Pickle));
        assert_eq!(found.malformed, Some(Malformed::PickleBudget { at: 2 }));
    }

    #[test]
    fn the_two_first_bytes_alone_are_not_enough() {
        assert_eq!(look(b"\x80\x02\0").format, Identified::Unknown);
        assert_eq!(look(b"\x80\x07N").format, Identified::Unknown);
    }
}
