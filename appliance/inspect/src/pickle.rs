//! Python pickles, protocols 0 to 5, told and judged by running their opcodes without running them.
//!
//! ```text
//!   opcodes --> machine --> imports ---> findings, for a policy to compare with its list
//!               (stack,     calls -----> findings where what is called is no imported name
//!                memo)      storages --> sizes, for PyTorch's files
//! ```
//!
//! Nothing is built and nothing is run: values on the stack are known only as far as they can end in
//! a name. Where Python's two unpicklers differ, what either would run is reported. What a pickle did
//! before it broke has been done, so findings stay when a break follows them.

mod calls;
mod input;
mod joblib;
mod legacy;
mod machine;
mod names;
mod stack;
mod torch;
mod value;

use std::io::{self, Read, Seek};

use crate::budget::Budget;
use crate::claim::Claim;
use crate::finding::Place;
use crate::format::Format;
use crate::malformed::{Fault, Malformed, broken, finding};
use crate::notes::Notes;
use crate::source::{Scan, Source};
use machine::Machine;

pub(crate) use calls::Element;
pub(crate) use torch::Storages;

/// Who will load a pickle: what a persistent id means, and whether arrays follow in the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loader {
    /// Python itself.
    Python,
    /// joblib, with arrays in the stream.
    Joblib,
    /// PyTorch, for a pickle in a zip.
    Torch,
    /// PyTorch, for the file without a zip that it wrote before 1.6.
    TorchLegacy,
}

/// Looks whether the file is a pickle.
///
/// With the opcode PROTO in front a file is a pickle if it comes to STOP or calls something. Without
/// it, as protocols 0 and 1 are written, ordinary text could start the same way. So STOP must be the
/// last byte, or the stream must import a name and then call it or stop. Python runs a pickle before
/// it sees what follows, so what follows does not matter.
///
/// What is wrong with it is found by [`read`], since what it does before it breaks counts.
pub(crate) fn claim<R: Read + Seek>(
    source: &mut Source<'_, R>,
    budget: &Budget,
) -> io::Result<Option<Claim>> {
    if source.head().starts_with(legacy::MAGIC) {
        return Ok(Some(Claim::sure(Format::TorchLegacy)));
    }
    let protocol = matches!(source.head(), [PROTO, 0..=5, ..]);
    // The two bytes alone are a hint, if an opcode follows them.
    let hint = protocol && source.head().get(2).is_some_and(|byte| OPCODES.contains(byte));
    let mut scan = source.scan(0)?;
    let mut notes = Notes::default();
    let mut machine = Machine::new(Loader::Joblib, budget, &mut notes);
    let (stops, exhausted) = match machine.run(&mut scan) {
        Ok(_) => (true, false),
        Err(Fault::Broken(cause)) => (false, matches!(cause, Malformed::PickleBudget { .. })),
        Err(Fault::Read(error)) => return Err(error),
    };
    let whole = stops && scan.remaining() == 0;
    let sure = machine.called || exhausted || (stops && (protocol || machine.imported)) || whole;
    let format = if machine.joblib { Format::Joblib } else { Format::Pickle };
    Ok(match (sure, hint) {
        (true, _) => Some(Claim::sure(format)),
        (false, true) => Some(Claim::weak(format)),
        (false, false) => None,
    })
}

const PROTO: u8 = 0x80;

/// All opcodes.
const OPCODES: &[u8] = b"(.012IJKLMNFGSTUVXBCcioRbPQpqrghjaesudlt])}\
    \x80\x81\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f\
    \x90\x91\x92\x93\x94\x95\x96\x97\x98";

/// Reads a file, or a member of an archive, that is a pickle: reports what it imports and calls.
/// For PyTorch gives the storages, which lie elsewhere.
pub(crate) fn read<R: Read + Seek>(
    source: &mut Source<'_, R>,
    budget: &Budget,
    notes: &mut Notes,
    loader: Loader,
) -> Result<Storages, Fault> {
    if loader == Loader::TorchLegacy {
        legacy::read(source, budget, notes)?;
        return Ok(Storages::default());
    }
    let read = from(&mut source.scan(0)?, budget, notes, loader);
    if loader == Loader::Joblib {
        // Python's own unpickler would take the arrays for opcodes, and that breaks at once, unless
        // somebody meant it to run.
        finding(from(&mut source.scan(0)?, budget, notes, Loader::Python).map(|_| ()))?;
    }
    read
}

/// Reads a pickle that ends where `scan` ends.
pub(crate) fn from<R: Read + Seek>(
    scan: &mut Scan<'_, R>,
    budget: &Budget,
    notes: &mut Notes,
    loader: Loader,
) -> Result<Storages, Fault> {
    let mut machine = Machine::new(loader, budget, notes);
    let ran = machine.run(scan);
    let (wrong, storages) = (machine.wrong(), std::mem::take(&mut machine.storages));
    drop(machine);
    let broken = finding(ran.map(|_| ()))?;
    let bytes = scan.remaining();
    let mut trailing = None;
    if broken.is_none() && bytes > 0 {
        rest(scan, budget, notes, loader)?;
        trailing = Some(Malformed::PickleTrailing { bytes });
    }
    match wrong.or(broken).or(trailing) {
        None => Ok(storages),
        Some(cause) => Err(cause.into()),
    }
}

/// Reads the pickles that follow another: nobody should load them, and yet somebody might.
fn rest<R: Read + Seek>(
    scan: &mut Scan<'_, R>,
    budget: &Budget,
    notes: &mut Notes,
    loader: Loader,
) -> io::Result<()> {
    let mut left = budget.pickle_streams;
    while left > 0 && scan.remaining() > 0 {
        left = left.saturating_sub(1);
        let ran = Machine::new(loader, budget, notes).run(scan);
        if finding(ran.map(|_| ()))?.is_some() {
            break;
        }
    }
    Ok(())
}

fn broken_at(at: u64, detail: impl Into<String>) -> Fault {
    broken(Place::Offset(at), detail)
}

#[cfg(test)]
mod tests {
    use crate::sample::{joblib, look, look_within, torch_legacy};
    use crate::{Budget, Format, Identified, Inspection, Kind, Malformed};

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

    #[test]
    fn no_cut_of_a_file_with_arrays_or_storages_passes() {
        for whole in [joblib(), torch_legacy()] {
            assert_eq!(look(&whole).malformed, None);
            for end in 1..whole.len() {
                let found = look(&whole[..end]);
                let unknown = found.format == Identified::Unknown;
                assert!(found.malformed.is_some() || unknown, "{end} {found:?}");
            }
        }
    }

    #[test]
    fn values_memo_and_names_are_bounded() {
        let full =
            |found: Inspection| matches!(found.malformed, Some(Malformed::PickleBudget { .. }));
        let budget = Budget { pickle_values: 2, ..Budget::default() };
        assert!(!full(look_within(b"\x80\x02NN\x86.", &budget)));
        assert!(full(look_within(b"\x80\x02NNN\x87.", &budget)));
        let budget = Budget { pickle_memo: 1, ..Budget::default() };
        assert!(!full(look_within(b"\x80\x02Nq\0.", &budget)));
        assert!(full(look_within(b"\x80\x02Nq\0q\x01.", &budget)));
        // What there is no room for cannot be told, and is refused when it is imported.
        let budget = Budget { pickle_kept: 0, ..Budget::default() };
        let found = look_within(b"\x80\x04\x8c\x01a\x8c\x01b\x93.", &budget);
        assert_eq!(found.findings.first().map(|finding| finding.kind), Some(Kind::PickleCall));
        let budget = Budget { pickle_storages: 0, ..Budget::default() };
        assert!(look_within(&torch_legacy(), &budget).malformed.is_some());
    }
}
