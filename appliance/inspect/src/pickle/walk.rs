//! The walk over the opcodes of a pickle.

use std::io::{self, Read, Seek};

use super::opcode::{self, Argument, Effect};
use crate::budget::Budget;
use crate::malformed::{Fault, Malformed};
use crate::source::Scan;

/// What a walk found.
pub(super) struct Walk {
    pub(super) outcome: Outcome,
    /// A module and a name in it were given.
    pub(super) imported: bool,
    /// After that something was called.
    pub(super) called: bool,
}

/// How a walk ended.
pub(super) enum Outcome {
    /// With STOP, `at` bytes from the start.
    Stopped { at: u64 },
    /// With something that no pickle has there.
    Broken(Malformed),
}

impl Walk {
    /// Walks from the next byte of `scan` to STOP, or as far as it goes.
    pub(super) fn run<R: Read + Seek>(mut scan: Scan<'_, R>, budget: &Budget) -> io::Result<Walk> {
        let mut stack = Stack { height: 0, below: Vec::new(), marks: budget.pickle_marks };
        let stopped = Outcome::Stopped { at: 0 };
        let mut walk = Walk { outcome: stopped, imported: false, called: false };
        walk.outcome = match walk.steps(&mut scan, &mut stack, budget) {
            Ok(()) => Outcome::Stopped { at: scan.at() },
            Err(Fault::Broken(cause)) => Outcome::Broken(cause),
            Err(Fault::Read(cause)) => return Err(cause),
        };
        Ok(walk)
    }

    fn steps<R: Read + Seek>(
        &mut self,
        scan: &mut Scan<'_, R>,
        stack: &mut Stack,
        budget: &Budget,
    ) -> Result<(), Fault> {
        for _ in 0..budget.pickle_opcodes {
            let at = scan.at();
            let byte = scan.byte()?;
            let wrong = Malformed::PickleOpcode { at, opcode: byte };
            let Some(opcode) = opcode::of(byte) else {
                return Err(wrong.into());
            };
            match argument(scan, opcode.argument)? {
                Given::Import => self.imported = true,
                Given::Other => {}
                Given::Wrong => return Err(wrong.into()),
            }
            stack.apply(opcode.effect, at)?;
            if opcode.effect == Effect::Stop {
                return Ok(());
            }
            self.imported |= opcode.imports;
            self.called |= opcode.calls && self.imported;
        }
        Err(Malformed::PickleBudget { at: scan.at() }.into())
    }
}

/// The height of the stack above the last mark, and between the marks below.
struct Stack {
    height: usize,
    below: Vec<usize>,
    marks: usize,
}

impl Stack {
    fn apply(&mut self, effect: Effect, at: u64) -> Result<(), Malformed> {
        match effect {
            Effect::Mark => {
                if self.below.len() >= self.marks {
                    return Err(Malformed::PickleBudget { at });
                }
                self.below.push(std::mem::take(&mut self.height));
                Ok(())
            }
            Effect::Change(needs, leaves) => self.change(needs, leaves, at),
            Effect::ToMark(needs, leaves) => {
                self.height = self.below.pop().ok_or(Malformed::PickleStack { at })?;
                self.change(needs, leaves, at)
            }
            Effect::Pop if self.height == 0 => {
                self.height = self.below.pop().ok_or(Malformed::PickleStack { at })?;
                Ok(())
            }
            Effect::Pop | Effect::Stop => self.change(1, 0, at),
        }
    }

    fn change(&mut self, needs: usize, leaves: usize, at: u64) -> Result<(), Malformed> {
        let rest = self.height.checked_sub(needs).ok_or(Malformed::PickleStack { at })?;
        self.height = rest.saturating_add(leaves);
        Ok(())
    }
}

/// What an argument turned out to be.
enum Given {
    /// The names of a module and of something in it.
    Import,
    /// Something that does not matter here.
    Other,
    /// Not what the opcode requires.
    Wrong,
}

fn argument<R: Read + Seek>(scan: &mut Scan<'_, R>, kind: Argument) -> Result<Given, Fault> {
    let fits = match kind {
        Argument::Fixed(bytes) => {
            scan.skip(bytes)?;
            true
        }
        Argument::Counted(width) => {
            let mut length = 0_u64;
            for place in 0..u32::from(width) {
                length |= u64::from(scan.byte()?) << (8 * place);
            }
            scan.skip(length)?;
            true
        }
        Argument::Integer => is_integer(&line(scan)?),
        Argument::Float => is_float(&line(scan)?),
        Argument::Quoted => is_quoted(&line(scan)?),
        Argument::Line => {
            line(scan)?;
            true
        }
        Argument::Import => {
            let (module, name) = (line(scan)?, line(scan)?);
            if is_name(&module) && is_name(&name) {
                return Ok(Given::Import);
            }
            true
        }
    };
    Ok(if fits { Given::Other } else { Given::Wrong })
}

/// The start of a line, and whether that is all of it.
struct Line {
    start: Vec<u8>,
    whole: bool,
}

/// As much of a line as is kept; a number or a name is shorter.
const KEPT: usize = 1024;

fn line<R: Read + Seek>(scan: &mut Scan<'_, R>) -> Result<Line, Fault> {
    let mut line = Line { start: Vec::new(), whole: true };
    loop {
        match scan.byte()? {
            b'\n' => return Ok(line),
            byte if line.start.len() < KEPT => line.start.push(byte),
            _ => line.whole = false,
        }
    }
}

/// Python reads spaces around numbers, underscores in them, and any base.
fn is_integer(line: &Line) -> bool {
    let digits = line.start.trim_ascii();
    let allowed = |byte: &u8| byte.is_ascii_hexdigit() || b"+-_xXoOL".contains(byte);
    !digits.is_empty() && digits.iter().all(allowed)
}

fn is_float(line: &Line) -> bool {
    let text = String::from_utf8_lossy(&line.start).replace('_', "");
    !line.whole || text.trim().parse::<f64>().is_ok()
}

/// The two ends are the same quote.
fn is_quoted(line: &Line) -> bool {
    match line.start.trim_ascii() {
        [first @ (b'\'' | b'"'), .., last] => !line.whole || first == last,
        _ => false,
    }
}

/// A dotted name, as far as to tell one from a line of prose.
fn is_name(line: &Line) -> bool {
    let spaced = |name: &str| name.chars().any(|c| c.is_whitespace() || c.is_control());
    line.whole
        && std::str::from_utf8(&line.start).is_ok_and(|name| !name.is_empty() && !spaced(name))
}
