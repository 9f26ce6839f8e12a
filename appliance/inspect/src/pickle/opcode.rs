//! What each pickle opcode reads and does to the stack (Python's `pickletools`).

/// What follows an opcode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Argument {
    /// That many bytes.
    Fixed(u64),
    /// A length of that many bytes, little-endian, and that many bytes.
    Counted(u8),
    /// A line that holds an integer, also `00` and `01` for truth values, also with an `L`.
    Integer,
    /// A line that holds a number.
    Float,
    /// A line that holds a quoted string.
    Quoted,
    /// A line of anything.
    Line,
    /// Two lines: module and name.
    Import,
}

/// What an opcode does to the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Needs as many values as the first number, leaves as many of those as the second.
    Change(usize, usize),
    /// Opens a mark.
    Mark,
    /// Takes all down to the last mark, then does the same as `Change`.
    ToMark(usize, usize),
    /// Takes a value, or the last mark if it is on top.
    Pop,
    /// Ends the stream with the value on top.
    Stop,
}

/// One opcode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Opcode {
    pub(super) argument: Argument,
    pub(super) effect: Effect,
    /// Whether it calls what is on the stack, or what it imports.
    pub(super) calls: bool,
    /// Whether it imports by names on the stack.
    pub(super) imports: bool,
}

/// The opcode of that byte.
pub(super) fn of(byte: u8) -> Option<Opcode> {
    use Argument::{Counted, Fixed, Float, Import, Integer, Line, Quoted};
    use Effect::{Change, Mark, Pop, Stop, ToMark};
    const NONE: Argument = Fixed(0);
    const PUSH: Effect = Change(0, 1);

    let (argument, effect) = match byte {
        b'(' => (NONE, Mark),
        b'.' => (NONE, Stop),
        b'0' => (NONE, Pop),
        b'1' => (NONE, ToMark(0, 0)),
        b'2' => (NONE, Change(1, 2)),
        b'I' | b'L' => (Integer, PUSH),
        b'F' => (Float, PUSH),
        b'S' => (Quoted, PUSH),
        b'V' | b'P' | b'g' => (Line, PUSH),
        b'p' => (Line, Change(1, 1)),
        b'c' => (Import, PUSH),
        b'i' => (Import, ToMark(0, 1)),
        b'N' | b']' | b'}' | b')' | 0x88 | 0x89 | 0x8f | 0x97 => (NONE, PUSH),
        b'K' | b'h' | 0x82 => (Fixed(1), PUSH),
        b'M' | 0x83 => (Fixed(2), PUSH),
        b'J' | b'j' | 0x84 => (Fixed(4), PUSH),
        b'G' => (Fixed(8), PUSH),
        b'U' | b'C' | 0x8a | 0x8c => (Counted(1), PUSH),
        b'T' | b'X' | b'B' | 0x8b => (Counted(4), PUSH),
        0x8d | 0x8e | 0x96 => (Counted(8), PUSH),
        b'q' => (Fixed(1), Change(1, 1)),
        b'r' => (Fixed(4), Change(1, 1)),
        b'Q' | 0x85 | 0x94 | 0x98 => (NONE, Change(1, 1)),
        b'R' | b'a' | b'b' | 0x81 | 0x86 | 0x93 => (NONE, Change(2, 1)),
        b's' | 0x87 | 0x92 => (NONE, Change(3, 1)),
        b'd' | b'l' | b't' | 0x91 => (NONE, ToMark(0, 1)),
        b'o' => (NONE, ToMark(0, 1)),
        b'e' | b'u' | 0x90 => (NONE, ToMark(1, 1)),
        0x80 => (Fixed(1), Change(0, 0)),
        0x95 => (Fixed(8), Change(0, 0)),
        _ => return None,
    };
    let calls = matches!(byte, b'R' | b'i' | b'o' | b'b' | 0x81 | 0x92);
    Some(Opcode { argument, effect, calls, imports: byte == 0x93 })
}
