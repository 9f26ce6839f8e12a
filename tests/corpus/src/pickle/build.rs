//! Writes pickles, opcode by opcode.

/// What to call: module, name, and a text to give it.
pub(super) type Target = (&'static str, &'static str, &'static str);

/// What hostile pickles call, unless the case is about that.
pub(super) const SYSTEM: Target = ("os", "system", "id");
/// What their twins call instead.
pub(super) const HARMLESS: Target = ("collections", "OrderedDict", "");

/// A pickle in the making. The opcodes have the names that Python's `pickletools` gives them.
#[derive(Debug, Clone, Default)]
pub(super) struct Pickle(Vec<u8>);

impl Pickle {
    /// Protocols 0 and 1 have no opcode that says so.
    pub(super) fn old() -> Pickle {
        Pickle::default()
    }

    pub(super) fn new(protocol: u8) -> Pickle {
        Pickle(vec![0x80, protocol])
    }

    /// The bytes as they are: opcodes without arguments, for one.
    pub(super) fn raw(mut self, bytes: &[u8]) -> Pickle {
        self.0.extend(bytes);
        self
    }

    pub(super) fn global(self, module: &str, name: &str) -> Pickle {
        self.raw(format!("c{module}\n{name}\n").as_bytes())
    }

    pub(super) fn inst(self, module: &str, name: &str) -> Pickle {
        self.raw(format!("i{module}\n{name}\n").as_bytes())
    }

    /// BINUNICODE.
    pub(super) fn text(self, text: &str) -> Pickle {
        self.raw(b"X").raw(&(text.len() as u32).to_le_bytes()).raw(text.as_bytes())
    }

    /// SHORT_BINUNICODE, of protocol 4.
    pub(super) fn short(self, text: &str) -> Pickle {
        self.raw(&[0x8c, text.len() as u8]).raw(text.as_bytes())
    }

    pub(super) fn int(self, number: u8) -> Pickle {
        self.raw(&[b'K', number])
    }

    /// A tuple of one text, or none where it is empty: what [`Target`]s are given.
    pub(super) fn argument(self, text: &str) -> Pickle {
        if text.is_empty() { self.raw(b")") } else { self.text(text).raw(TUPLE1) }
    }

    pub(super) fn put(self, key: u8) -> Pickle {
        self.raw(&[b'q', key])
    }

    pub(super) fn get(self, key: u8) -> Pickle {
        self.raw(&[b'h', key])
    }

    /// GLOBAL and REDUCE.
    pub(super) fn call(self, (module, name, text): Target) -> Pickle {
        self.global(module, name).argument(text).raw(REDUCE)
    }

    /// STOP, and the bytes.
    pub(super) fn stop(self) -> Vec<u8> {
        self.raw(b".").0
    }

    pub(super) fn bytes(self) -> Vec<u8> {
        self.0
    }
}

pub(super) const TUPLE1: &[u8] = b"\x85";
pub(super) const TUPLE2: &[u8] = b"\x86";
pub(super) const TUPLE3: &[u8] = b"\x87";
pub(super) const NEWOBJ: &[u8] = b"\x81";
pub(super) const STACK_GLOBAL: &[u8] = b"\x93";
pub(super) const MEMOIZE: &[u8] = b"\x94";
pub(super) const REDUCE: &[u8] = b"R";
pub(super) const BUILD: &[u8] = b"b";
pub(super) const FRAME: &[u8] = b"\x95";
