//! Runs a pickle without running anything: all opcodes of protocols 0 to 5 on values that are known
//! only as far as they matter (Python's `pickletools` lists the opcodes).
//!
//! Python has two unpicklers, `pickle.py` and `_pickle.c`, and they differ at the edges: where one of
//! them would go on, the machine goes on, so that all is seen that either would import or call. What
//! no pickler writes is a break of the format all the same: the first is kept and raised at the end.

use std::io::{Read, Seek};

use super::Loader;
use super::calls::is_array;
use super::input::{self, Line};
use super::stack::{Memo, Stack};
use super::torch::Storages;
use super::value::{self, Keeper, Value};
use crate::budget::Budget;
use crate::finding::{Kind, Place};
use crate::malformed::{Fault, Malformed, shown};
use crate::notes::Notes;
use crate::source::Scan;

/// One unpickler at work.
pub(super) struct Machine<'n> {
    pub(super) budget: &'n Budget,
    pub(super) notes: &'n mut Notes,
    pub(super) loader: Loader,
    pub(super) keeper: Keeper,
    pub(super) stack: Stack,
    memo: Memo,
    pub(super) protocol: u8,
    /// Where the pickle starts.
    start: u64,
    /// Where the frame that the walk is in ends.
    pub(super) frame_end: Option<u64>,
    /// The first thing that no pickler writes, though an unpickler goes on.
    wrong: Option<Malformed>,
    /// Something was imported by a name that can be one.
    pub(super) imported: bool,
    /// After that something was called.
    pub(super) called: bool,
    /// An array of joblib was met.
    pub(super) joblib: bool,
    pub(super) storages: Storages,
    /// Texts that were put in lists, where somebody asks for them.
    pub(super) listed: Option<Vec<String>>,
}

impl<'n> Machine<'n> {
    pub(super) fn new(loader: Loader, budget: &'n Budget, notes: &'n mut Notes) -> Self {
        Machine {
            budget,
            notes,
            loader,
            keeper: Keeper::new(budget.pickle_kept),
            stack: Stack::new(budget),
            memo: Memo::new(budget),
            protocol: 0,
            start: 0,
            frame_end: None,
            wrong: None,
            imported: false,
            called: false,
            joblib: false,
            storages: Storages::default(),
            listed: None,
        }
    }

    /// Runs from the next byte of `scan` to STOP, and gives what the pickle is.
    pub(super) fn run<R: Read + Seek>(&mut self, scan: &mut Scan<'_, R>) -> Result<Value, Fault> {
        self.start = scan.at();
        for _ in 0..self.budget.pickle_opcodes {
            let at = scan.at();
            self.frame(at);
            let opcode = scan.byte()?;
            if opcode == b'.' {
                return self.stop(at, scan.at());
            }
            self.step(opcode, at, scan)?;
        }
        Err(Malformed::PickleBudget { at: scan.at() }.into())
    }

    /// What was wrong though the walk went on.
    pub(super) fn wrong(&mut self) -> Option<Malformed> {
        self.wrong.take()
    }

    /// Notes what no pickler writes.
    pub(super) fn odd(&mut self, at: u64, detail: impl Into<String>) {
        if self.wrong.is_none() {
            self.wrong = Some(Malformed::Rule { place: Place::Offset(at), detail: detail.into() });
        }
    }

    pub(super) fn call_finding(&mut self, at: u64, detail: String) {
        self.notes.add(Kind::PickleCall, "", Place::Offset(at), detail);
    }

    fn stop(&mut self, at: u64, after: u64) -> Result<Value, Fault> {
        let value = self.stack.pop(at)?;
        if !self.stack.is_empty() {
            self.odd(at, "the pickle stops and leaves values behind on its stack");
        }
        if self.frame_end.is_some_and(|end| end != after) {
            self.odd(at, "the pickle stops before its frame ends");
        }
        Ok(value)
    }

    /// Frames end where an operation ends. Only `pickle.py` looks at them as it reads.
    fn frame(&mut self, at: u64) {
        let Some(end) = self.frame_end.filter(|&end| at >= end) else { return };
        self.frame_end = None;
        if at > end {
            self.odd(at, "an operation crosses the end of its frame");
        }
    }

    fn step<R: Read + Seek>(
        &mut self,
        opcode: u8,
        at: u64,
        scan: &mut Scan<'_, R>,
    ) -> Result<(), Fault> {
        match opcode {
            b'(' => self.stack.mark(at)?,
            b'0' => self.stack.pop_any(at)?,
            b'1' => drop(self.stack.pop_mark(at)?),
            b'2' => {
                let top = self.stack.top(at)?.clone();
                self.stack.push(top, at)?;
            }
            b'c' | b'i' => self.import_lines(opcode, at, scan)?,
            b'R' | b'o' | b'b' | 0x81 | 0x92 | 0x93 => self.act(opcode, at, scan)?,
            b'P' | b'Q' => self.persistent(opcode, at, scan)?,
            0x82..=0x84 => {
                let width = 1 << opcode.saturating_sub(0x82);
                let code = input::length(scan, width)?;
                self.imported = true;
                self.call_finding(at, format!("imports extension {code} of the loader's registry"));
                self.stack.push(Value::Unknown, at)?;
            }
            b'p' | b'q' | b'r' | 0x94 => self.put(opcode, at, scan)?,
            b'g' | b'h' | b'j' => self.get(opcode, at, scan)?,
            b'a' | b'e' | b's' | b'u' | 0x90 => self.fill(opcode, at)?,
            b't' | 0x85..=0x87 | b'l' | b'd' | 0x91 => self.gather(opcode, at)?,
            0x80 => {
                self.protocol = scan.byte()?;
                if self.protocol > 5 {
                    return Err(super::broken_at(at, "the protocol is none of 0 to 5"));
                }
                if at != self.start {
                    self.odd(at, "the protocol is told again");
                }
            }
            0x95 => {
                let length = input::length(scan, 8)?;
                if self.frame_end.is_some() {
                    self.odd(at, "a frame starts inside another");
                }
                if length > scan.remaining() {
                    self.odd(at, "a frame is longer than what is left of the file");
                }
                self.frame_end = Some(scan.at().saturating_add(length));
            }
            0x97 => {
                self.odd(at, "a buffer lies outside of the file");
                self.stack.push(Value::Data, at)?;
            }
            0x98 => _ = self.stack.top(at)?,
            _ => {
                let value = self.literal(opcode, at, scan)?;
                self.stack.push(value, at)?;
            }
        }
        Ok(())
    }

    /// What stands for itself.
    fn literal<R: Read + Seek>(
        &mut self,
        opcode: u8,
        at: u64,
        scan: &mut Scan<'_, R>,
    ) -> Result<Value, Fault> {
        let wrong = || Fault::Broken(Malformed::PickleOpcode { at, opcode });
        Ok(match opcode {
            b'N' => Value::None,
            0x88 => Value::Bool(true),
            0x89 => Value::Bool(false),
            b')' => self.keeper.tuple(&[]),
            b']' => Value::List(0),
            b'}' => self.keeper.dict(),
            0x8f => Value::Set,
            b'I' | b'L' => self.integer(input::whole_line(scan)?).ok_or_else(wrong)?,
            b'F' if input::is_float(&input::whole_line(scan)?) => Value::Data,
            b'K' => Value::Int(i64::from(scan.byte()?)),
            b'M' => Value::Int(i64::from(u16::from_le_bytes(scan.array()?))),
            b'J' => Value::Int(i64::from(i32::from_le_bytes(scan.array()?))),
            b'G' => {
                scan.skip(8)?;
                Value::Data
            }
            0x8a => {
                let count = input::length(scan, 1)?;
                long(&scan.vec(count)?)
            }
            0x8b => {
                let count = self.signed(at, scan)?;
                scan.skip(count)?;
                Value::Data
            }
            b'S' => {
                let line = input::whole_line(scan)?;
                match input::quoted(&line.start) {
                    Some(bytes) if line.whole => self.text(&bytes),
                    _ if !line.whole => Value::LongText,
                    _ => return Err(wrong()),
                }
            }
            b'V' => {
                let line = input::whole_line(scan)?;
                match input::unicode(&line.start).filter(|_| line.whole) {
                    Some(text) => self.keeper.text(&text),
                    None => Value::LongText,
                }
            }
            b'U' | 0x8c => self.counted(1, scan)?,
            b'X' => self.counted(4, scan)?,
            0x8d => self.counted(8, scan)?,
            b'T' => {
                let count = self.signed(at, scan)?;
                let bytes = input::short(scan, count)?;
                bytes.map_or(Value::LongText, |bytes| self.text(&bytes))
            }
            b'C' => self.bytes(1, scan)?,
            b'B' => self.bytes(4, scan)?,
            0x8e => self.bytes(8, scan)?,
            0x96 => {
                let count = input::length(scan, 8)?;
                scan.skip(count)?;
                Value::Data
            }
            _ => return Err(wrong()),
        })
    }

    fn integer(&self, line: Line) -> Option<Value> {
        let digits = line.start.strip_suffix(b"L").unwrap_or(&line.start);
        match (digits, input::number(digits)) {
            (b"00", _) => Some(Value::Bool(false)),
            (b"01", _) => Some(Value::Bool(true)),
            (_, Some(number)) => Some(Value::Int(number)),
            (_, None) => input::is_integer(&line).then_some(Value::Data),
        }
    }

    /// A length that must not be negative as 32 bits with a sign.
    fn signed<R: Read + Seek>(&mut self, at: u64, scan: &mut Scan<'_, R>) -> Result<u64, Fault> {
        let count = i32::from_le_bytes(scan.array()?);
        u64::try_from(count).map_err(|_| super::broken_at(at, "a length is negative"))
    }

    /// A text, or one of Python 2, which is taken as UTF-8.
    fn text(&self, bytes: &[u8]) -> Value {
        std::str::from_utf8(bytes).map_or(Value::LongText, |text| self.keeper.text(text))
    }

    fn counted<R: Read + Seek>(
        &mut self,
        width: u32,
        scan: &mut Scan<'_, R>,
    ) -> Result<Value, Fault> {
        let count = input::length(scan, width)?;
        let bytes = input::short(scan, count)?;
        Ok(bytes.map_or(Value::LongText, |bytes| self.text(&bytes)))
    }

    fn bytes<R: Read + Seek>(
        &mut self,
        width: u32,
        scan: &mut Scan<'_, R>,
    ) -> Result<Value, Fault> {
        let count = input::length(scan, width)?;
        let bytes = input::short(scan, count)?.unwrap_or_default();
        let text = std::str::from_utf8(&bytes).ok().filter(|text| !text.is_empty());
        Ok(text.map_or(Value::Data, |text| self.keeper.bytes(text)))
    }

    /// The key of a line. Both unpicklers read more than picklers write, and not the same.
    fn key<R: Read + Seek>(
        &mut self,
        opcode: u8,
        at: u64,
        scan: &mut Scan<'_, R>,
    ) -> Result<u64, Fault> {
        let line = input::whole_line(scan)?;
        if let Some(key) = input::number(&line.start).and_then(|key| u64::try_from(key).ok()) {
            return Ok(key);
        }
        self.odd(at, "a key of the memo is not written as a plain number");
        let wrong = Malformed::PickleOpcode { at, opcode };
        input::lax_number(&line.start).ok_or_else(|| wrong.into())
    }

    fn put<R: Read + Seek>(
        &mut self,
        opcode: u8,
        at: u64,
        scan: &mut Scan<'_, R>,
    ) -> Result<(), Fault> {
        let key = match opcode {
            b'p' => self.key(opcode, at, scan)?,
            b'q' => input::length(scan, 1)?,
            b'r' => input::length(scan, 4)?,
            _ => self.memo.filled(),
        };
        let top = match self.stack.top(at)? {
            // A pickler writes each tuple into the memo, and hardly ever takes one out.
            Value::Tuple(Some(_)) if self.keeper.is_crowded() => Value::Tuple(None),
            top => top.clone(),
        };
        if !self.memo.put(key, top, at)? {
            self.odd(at, format!("memo key {key} is not the next one"));
        }
        Ok(())
    }

    fn get<R: Read + Seek>(
        &mut self,
        opcode: u8,
        at: u64,
        scan: &mut Scan<'_, R>,
    ) -> Result<(), Fault> {
        let key = match opcode {
            b'g' => self.key(opcode, at, scan)?,
            b'h' => input::length(scan, 1)?,
            _ => input::length(scan, 4)?,
        };
        let Some(value) = self.memo.get(key).cloned() else {
            return Err(super::broken_at(at, format!("memo key {key} was never set")));
        };
        Ok(self.stack.push(value, at)?)
    }

    /// Tuples, lists, dictionaries and sets of what is on the stack.
    fn gather(&mut self, opcode: u8, at: u64) -> Result<(), Fault> {
        let items = match opcode {
            0x85..=0x87 => {
                let count = opcode.saturating_sub(0x84);
                let mut items = Vec::new();
                for _ in 0..count {
                    items.push(self.stack.pop(at)?);
                }
                items.reverse();
                items
            }
            _ => self.stack.pop_mark(at)?,
        };
        let value = match opcode {
            b'l' => {
                self.list(&items);
                Value::List(items.len() as u64)
            }
            b'd' => {
                let dict = self.keeper.dict();
                self.set_items(&dict, &items, at);
                dict
            }
            0x91 => Value::Set,
            _ => self.keeper.tuple(&items),
        };
        Ok(self.stack.push(value, at)?)
    }

    /// Puts values into a container. On an instance that calls its methods, which harm no more than
    /// a call of its class; on anything else it can call whatever there is.
    fn fill(&mut self, opcode: u8, at: u64) -> Result<(), Fault> {
        let items = match opcode {
            b'a' => vec![self.stack.pop(at)?],
            b's' => {
                let value = self.stack.pop(at)?;
                vec![self.stack.pop(at)?, value]
            }
            _ => self.stack.pop_mark(at)?,
        };
        let target = self.stack.top(at)?.clone();
        match (opcode, &target) {
            (b'a' | b'e', &Value::List(count)) => {
                self.list(&items);
                let count = count.saturating_add(items.len() as u64);
                self.stack.replace_top(Value::List(count));
            }
            (b's' | b'u', Value::Dict(_)) => self.set_items(&target, &items, at),
            // An array takes what it is given for the description of memory, wherever that lies, if it
            // has the attribute `__array_interface__`, and BUILD sets attributes.
            (_, Value::Tensor(_)) => {
                self.call_finding(at, "puts values into a tensor".to_owned());
            }
            (_, Value::Instance(name)) if is_array(&name.text) => {
                self.call_finding(at, format!("puts values into what {} gave", shown(&name.text)));
            }
            (b's' | b'u', Value::Instance(_)) => self.set_items(&target, &items, at),
            (0x90, Value::Set) | (_, Value::Instance(_)) => {}
            (_, Value::Global(_) | Value::Unknown | Value::Storage(_) | Value::Dtype(_)) => {
                self.called |= self.imported;
                self.call_finding(at, format!("puts values into {}", target.words()));
            }
            _ => self.odd(at, "values are put into what does not take them"),
        }
        Ok(())
    }

    fn list(&mut self, items: &[Value]) {
        let most = self.budget.pickle_storages;
        if let Some(listed) = &mut self.listed {
            let room = most.saturating_sub(listed.len());
            let texts = items.iter().map(|item| item.text().unwrap_or_default().to_owned());
            listed.extend(texts.take(room));
        }
    }

    fn set_items(&mut self, target: &Value, items: &[Value], at: u64) {
        let (pairs, rest) = items.as_chunks::<2>();
        if !rest.is_empty() {
            self.odd(at, "a key has no value");
        }
        for [key, value] in pairs {
            if let Value::Dict(Some(dict)) = target {
                value::set(dict, key, value);
            }
            self.name_tensor(key, value);
        }
    }
}

/// A number of up to eight bytes, little-endian, in two's complement.
fn long(bytes: &[u8]) -> Value {
    let Some(last) = bytes.last() else { return Value::Int(0) };
    if bytes.len() > 8 {
        return Value::Data;
    }
    let mut number = [if last & 0x80 == 0 { 0 } else { 0xff }; 8];
    for (to, from) in number.iter_mut().zip(bytes) {
        *to = *from;
    }
    Value::Int(i64::from_le_bytes(number))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::finding::Finding;
    use crate::source::Source;

    /// What a loader's pickle is found to do, and how it breaks.
    fn run(loader: Loader, bytes: &[u8]) -> (Vec<Finding>, Option<String>) {
        let (budget, mut notes) = (Budget::default(), Notes::default());
        let mut reader = Cursor::new(bytes);
        let mut source = Source::open(&mut reader, bytes.len() as u64).unwrap();
        let mut scan = source.scan(0).unwrap();
        let broken = match super::super::from(&mut scan, &budget, &mut notes, loader) {
            Ok(_) => None,
            Err(Fault::Broken(cause)) => Some(cause.to_string()),
            Err(Fault::Read(error)) => panic!("{error}"),
        };
        (notes.finish().0, broken)
    }

    fn globals(bytes: &[u8]) -> Vec<String> {
        let (findings, _) = run(Loader::Python, bytes);
        let imports = findings.into_iter().filter(|one| one.kind == Kind::PickleGlobal);
        imports.map(|one| one.subject).collect()
    }

    fn calls(loader: Loader, bytes: &[u8]) -> Vec<String> {
        let (findings, _) = run(loader, bytes);
        let calls = findings.into_iter().filter(|one| one.kind == Kind::PickleCall);
        calls.map(|one| one.detail).collect()
    }

    #[test]
    fn names_are_translated_up_to_protocol_2_and_only_there() {
        for (bytes, both) in [
            (&b"c__builtin__\neval\n."[..], &["__builtin__.eval", "builtins.eval"][..]),
            (b"\x80\x02ccopy_reg\nx\n.", &["copy_reg.x", "copyreg.x"]),
            (
                b"\x80\x02cexceptions\nStandardError\n.",
                &["exceptions.StandardError", "builtins.Exception"],
            ),
            (b"\x80\x02citertools\nimap\n.", &["itertools.imap", "builtins.map"]),
            (b"\x80\x03c__builtin__\neval\n.", &["__builtin__.eval"]),
            (
                b"\x80\x02X\x0b\0\0\0__builtin__X\x04\0\0\0eval\x93.",
                &["__builtin__.eval", "builtins.eval"],
            ),
        ] {
            assert_eq!(globals(bytes), both, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn names_are_found_whatever_way_they_come() {
        for bytes in [
            &b"\x80\x04\x8c\x02os\x8c\x06system\x93."[..],
            b"\x80\x04\x8c\x02os\x94\x8c\x06system\x940h\0h\x01\x93\x86.",
            b"\x80\x04Vos\nV\\u0073ystem\n\x93.",
            b"\x80\x04S'\\157s'\nS\"s\\x79stem\"\n\x93.",
            b"\x80\x04U\x02osT\x06\0\0\0system\x93.",
            b"\x80\x04\x8d\x02\0\0\0\0\0\0\0osX\x06\0\0\0system\x93.",
            b"\x80\x04C\x02osB\x06\0\0\0system\x93.",
            b"\x80\x04\x8e\x02\0\0\0\0\0\0\0os\x8c\x06system\x93.",
            b"(cos\nsystem\no.",
            b"(ios\nsystem\n.",
            b"(ios\nsystem!",
            b"cos\nsystem!",
        ] {
            assert_eq!(globals(bytes), ["os.system"], "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn what_cannot_be_told_is_a_call() {
        for bytes in [
            // A text from a call, an extension, a text that is too long to be kept.
            &b"\x80\x04\x8c\x02osca\nb\n)R\x93."[..],
            b"\x82\x01.",
            b"\x83\x01\0.",
            b"\x84\x01\0\0\0.",
            b"Px\n.",
            b"NQ.",
            b"ca\nb\n)R)R.",
            b"ca\nb\n)R)\x81.",
            b"ca\nb\n)R)}\x92.",
            b"(ca\nb\n)Ro.",
            b"ca\nb\nNb.",
            b"ca\nb\nNa.",
            b"(ca\nb\nNNs1N.",
            b"NQ(Ne.",
            b"\x82\x01(N\x90.",
            b"ca\n\xff\n.",
        ] {
            assert_eq!(calls(Loader::Python, bytes).len(), 1, "{}", bytes.escape_ascii());
        }
        let long = [&b"\x80\x04X\xff\xff\0\0"[..], &[b'x'; 65_535], b"\x8c\x01a\x93."].concat();
        assert_eq!(calls(Loader::Python, &long).len(), 1);
    }

    #[test]
    fn only_storages_are_ids_that_pytorch_knows() {
        let id = |kind: &str, view: &[u8]| {
            let mut bytes = b"\x80\x02(X\x07\0\0\0".to_vec();
            bytes.extend(kind.bytes());
            bytes.extend(b"ctorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x02");
            bytes.extend([view, b"tQ."].concat());
            bytes
        };
        let known = |loader, bytes: &[u8]| calls(loader, bytes).is_empty();
        assert!(known(Loader::Torch, &id("storage", b"")));
        assert!(!known(Loader::Torch, &id("storage", b"N")));
        assert!(!known(Loader::Torch, &id("module_", b"")));
        assert!(!known(Loader::Python, &id("storage", b"")));
        assert!(known(Loader::TorchLegacy, &id("storage", b"N")));
        assert!(known(Loader::TorchLegacy, &id("storage", b"X\x01\0\0\x001K\0K\x01\x87")));
        assert!(!known(Loader::TorchLegacy, &id("storage", b"K\0K\0K\x01\x87")));
        assert!(!known(Loader::TorchLegacy, &id("storage", b"")));
    }

    #[test]
    fn what_no_pickler_writes_is_a_break_though_the_walk_goes_on() {
        for (bytes, says) in [
            (&b"\x80\x02\x80\x02N."[..], "told again"),
            (b"NN.", "leaves values behind"),
            (b"(N.", "leaves values behind"),
            (b"Np\x31\x20\n.", "plain number"),
            (b"Np01\n.", "plain number"),
            (b"Nq\x02.", "memo key 2 is not the next"),
            (b"]}b.", "a state is set"),
            (b"}(Ne.", "does not take them"),
            (b"](Nu.", "does not take them"),
            (b"}(NNNu.", "a key has no value"),
            (b"(NNNd.", "a key has no value"),
            (b"\x97.", "outside of the file"),
        ] {
            let (_, broken) = run(Loader::Python, bytes);
            assert!(
                broken.as_ref().is_some_and(|said| said.contains(says)),
                "{} {broken:?}",
                bytes.escape_ascii()
            );
        }
    }

    #[test]
    fn what_surely_stops_both_unpicklers_stops_the_walk() {
        for bytes in [
            &b"K\x01)R."[..],
            b"]]\x93.",
            b"Nh\0.",
            b"(o.",
            b"\x80\x06N.",
            b"T\xff\xff\xff\xff.",
            b"\x8b\xff\xff\xff\xff.",
            b"Ip\n.",
        ] {
            let (findings, broken) = run(Loader::Python, bytes);
            assert!(broken.is_some() && findings.is_empty(), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn every_cut_of_a_pickle_is_broken() {
        let whole = b"\x80\x02ctorch._utils\n_rebuild_parameter\n(X\x01\0\0\0aK\x01J\0\0\0\0\
            \x8a\x01\x05G\0\0\0\0\0\0\0\0]q\0(I1\nF1.5\nS'a'\nVb\neh\0}(NNutR.";
        assert_eq!(run(Loader::Torch, whole).1, None);
        for end in 0..whole.len() {
            assert!(run(Loader::Torch, &whole[..end]).1.is_some(), "{end}");
        }
    }
}
