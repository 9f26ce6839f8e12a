//! Regular expressions of tokenizers (`Split`, `Replace`), which engines match by backtracking, on
//! whatever a user sends. They are read and never compiled: an expression that may take time without
//! bound is reported, and so is one that is not understood.
//!
//! What is bounded: in how many ways the same text can be divided between repetitions. One in another
//! divides it in exponentially many, unless each next character tells which of them goes on; some
//! side by side in as many as their number is a power of. Tokenizers have two side by side.

use std::iter::Peekable;
use std::str::Chars;

use crate::finding::{Kind, Place};
use crate::malformed::shown;
use crate::notes::Notes;

/// Bytes of an expression. Those of large models have some hundred.
const LONGEST: usize = 8192;
/// Groups that are open at once.
const DEEPEST: usize = 16;
/// Look-arounds within one another.
const LOOKS: usize = 2;
/// Repetitions without an end side by side.
const SIDE_BY_SIDE: u64 = 4;
/// Repetitions that are counted, multiplied where one lies in another.
const COUNTED: u64 = 1000;

/// Reads the expression `text` that stands at `place`.
pub(crate) fn read(text: &str, place: Place, notes: &mut Notes) {
    if let Err(why) = check(text) {
        notes.add(Kind::Regex, &shown(text), place, why.to_owned());
    }
}

type Checked<T> = Result<T, &'static str>;

fn check(text: &str) -> Checked<()> {
    if text.len() > LONGEST {
        return Err("is longer than any tokenizer needs");
    }
    let mut parser = Parser { rest: text.chars().peekable(), depth: 0, looks: 0 };
    parser.alternatives()?;
    if parser.rest.next().is_some() { Err("has brackets that do not match") } else { Ok(()) }
}

/// Characters, as far as to tell that two sets have none in common: each of ASCII for itself, all
/// others by the first letter of their general category. A set may hold more than what it stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Set {
    ascii: u128,
    others: u8,
}

const LETTER: u8 = 1;
const MARK: u8 = 2;
const NUMBER: u8 = 4;
const PUNCTUATION: u8 = 8;
const SYMBOL: u8 = 16;
const SEPARATOR: u8 = 32;
const CONTROL: u8 = 64;

impl Set {
    const NONE: Set = Set { ascii: 0, others: 0 };
    const ALL: Set = Set { ascii: u128::MAX, others: u8::MAX };

    fn of(ascii: impl Fn(u8) -> bool, others: u8) -> Set {
        let ascii =
            (0..128_u8).filter(|&byte| ascii(byte)).fold(0, |set, byte| set | 1_u128 << byte);
        Set { ascii, others }
    }

    /// A character; a letter in either case. Of ASCII's, only K and S have a case beyond (the Kelvin
    /// sign, the long s).
    fn one(character: char) -> Set {
        match u8::try_from(character).ok().filter(u8::is_ascii) {
            Some(letter) if letter.is_ascii_alphabetic() => {
                let others = if matches!(letter, b'k' | b'K' | b's' | b'S') { LETTER } else { 0 };
                Set::of(|byte| byte.eq_ignore_ascii_case(&letter), others)
            }
            Some(byte) => Set { ascii: 1 << byte, others: 0 },
            None => Set { ascii: 0, others: u8::MAX },
        }
    }

    /// The characters from `first` to `last`.
    fn range(first: char, last: char) -> Set {
        if !last.is_ascii() {
            return Set::ALL;
        }
        let within = |byte: u8| (first..=last).contains(&char::from(byte));
        let cased =
            |byte: u8| within(byte.to_ascii_lowercase()) || within(byte.to_ascii_uppercase());
        let set = Set::of(|byte| within(byte) || cased(byte), 0);
        let beyond = set.meets(Set::of(|byte| matches!(byte, b'k' | b's'), 0));
        Set { others: if beyond { LETTER } else { 0 }, ..set }
    }

    /// The general category `name`.
    fn category(name: &str) -> Set {
        let mut letters = name.chars();
        let group = letters.next();
        if name.len() > 2 || letters.any(|letter| !letter.is_ascii_lowercase()) {
            return Set::ALL;
        }
        match group {
            Some('L') => Set::of(|byte| byte.is_ascii_alphabetic(), LETTER),
            Some('M') => Set { ascii: 0, others: MARK },
            Some('N') => Set::of(|byte| byte.is_ascii_digit(), NUMBER),
            Some('P') => Set::of(|byte| byte.is_ascii_punctuation(), PUNCTUATION),
            Some('S') => Set::of(|byte| byte.is_ascii_punctuation(), SYMBOL),
            Some('Z') => Set::of(|byte| byte == b' ', SEPARATOR),
            Some('C') => Set::of(|byte| byte.is_ascii_control(), CONTROL | u8::MAX << 7),
            _ => Set::ALL,
        }
    }

    fn space() -> Set {
        Set::of(|byte| byte.is_ascii_whitespace() || byte == 0x0b, SEPARATOR | CONTROL)
    }

    fn and(self, other: Set) -> Set {
        Set { ascii: self.ascii | other.ascii, others: self.others | other.others }
    }

    fn meets(self, other: Set) -> bool {
        self.ascii & other.ascii != 0 || self.others & other.others != 0
    }
}

/// What matching a part may cost.
#[derive(Clone, Copy)]
struct Part {
    /// The most repetitions without an end that lie side by side.
    endless: u64,
    /// The most that counted repetitions multiply to.
    counted: u64,
    /// Whether it may match without taking a character.
    empty: bool,
    /// Whether the next character may leave open how the part goes on.
    ambiguous: bool,
    /// What it may start with.
    first: Set,
    /// What may go on with it where it could end, or start it where it could be left out.
    tail: Set,
}

impl Part {
    /// What matches between characters.
    const NONE: Part = Part {
        endless: 0,
        counted: 1,
        empty: true,
        ambiguous: false,
        first: Set::NONE,
        tail: Set::NONE,
    };

    /// One character out of a set.
    fn one(first: Set) -> Part {
        Part { empty: false, first, ..Part::NONE }
    }

    fn then(self, next: Part) -> Part {
        Part {
            endless: self.endless.saturating_add(next.endless),
            counted: self.counted.max(next.counted),
            empty: self.empty && next.empty,
            ambiguous: self.ambiguous || next.ambiguous || self.tail.meets(next.first),
            first: if self.empty { self.first.and(next.first) } else { self.first },
            tail: if next.empty { self.tail.and(next.tail) } else { next.tail },
        }
    }

    fn or(self, other: Part) -> Part {
        let part = Part {
            endless: self.endless.max(other.endless),
            counted: self.counted.max(other.counted),
            empty: self.empty || other.empty,
            ambiguous: self.ambiguous || other.ambiguous || self.first.meets(other.first),
            first: self.first.and(other.first),
            tail: self.tail.and(other.tail),
        };
        if part.empty { part.open() } else { part }
    }

    /// The same where it may also go on, or be left out.
    fn open(self) -> Part {
        Part { tail: self.tail.and(self.first), ..self }
    }
}

struct Parser<'t> {
    rest: Peekable<Chars<'t>>,
    depth: usize,
    looks: usize,
}

impl Parser<'_> {
    /// `a|b|c`, up to the end or a closing parenthesis.
    fn alternatives(&mut self) -> Checked<Part> {
        let mut all = self.sequence()?;
        while self.rest.next_if_eq(&'|').is_some() {
            all = all.or(self.sequence()?);
        }
        Ok(all)
    }

    fn sequence(&mut self) -> Checked<Part> {
        let mut all: Option<Part> = None;
        while let Some(&next) = self.rest.peek() {
            if next == '|' || next == ')' {
                break;
            }
            let (part, single) = self.atom()?;
            let part = self.repeated(part, single)?;
            let joined = all.map_or(part, |before| before.then(part));
            if joined.endless > SIDE_BY_SIDE {
                return Err("has many repetitions without an end side by side");
            }
            all = Some(joined);
        }
        Ok(all.unwrap_or(Part::NONE))
    }

    /// One thing that can be repeated, and whether it is a single character.
    fn atom(&mut self) -> Checked<(Part, bool)> {
        match self.rest.next() {
            Some('(') => Ok((self.group()?, false)),
            Some('[') => Ok((Part::one(self.class(0)?), true)),
            Some('\\') => self.escape().map(|part| (part, true)),
            Some('.') => Ok((Part::one(Set::ALL), true)),
            Some('^' | '$') => Ok((Part::NONE, true)),
            Some('*' | '+' | '?') | None => Err("repeats nothing"),
            Some(character) => Ok((Part::one(Set::one(character)), true)),
        }
    }

    fn group(&mut self) -> Checked<Part> {
        let mut look = false;
        if self.rest.peek() == Some(&'*') {
            return Err("calls out of the expression");
        }
        if self.rest.next_if_eq(&'?').is_some() {
            match self.rest.next() {
                Some(':' | '>') => {}
                Some('=' | '!') => look = true,
                Some('#') => {
                    let closed = self.rest.by_ref().any(|one| one == ')');
                    return if closed { Ok(Part::NONE) } else { Err("has an open comment") };
                }
                Some('<') if self.rest.next_if(|next| matches!(next, '=' | '!')).is_some() => {
                    look = true;
                }
                Some('<') => self.name('>')?,
                Some('\'') => self.name('\'')?,
                Some('P') if self.rest.next_if_eq(&'<').is_some() => self.name('>')?,
                Some(mut flag) => {
                    while matches!(flag, 'i' | 'm' | 's' | 'u' | '-') {
                        flag = self.rest.next().ok_or("has an open group")?;
                    }
                    match flag {
                        ':' => {}
                        ')' => return Ok(Part::NONE),
                        _ => return Err("has a group that no tokenizer needs"),
                    }
                }
                None => return Err("has an open group"),
            }
        }
        self.depth = self.depth.saturating_add(1);
        self.looks = self.looks.saturating_add(usize::from(look));
        if self.depth > DEEPEST || self.looks > LOOKS {
            return Err("nests groups or look-arounds too deep");
        }
        let part = self.alternatives()?;
        self.depth = self.depth.saturating_sub(1);
        self.looks = self.looks.saturating_sub(usize::from(look));
        self.rest.next_if_eq(&')').ok_or("has an open group")?;
        // What is looked at is not taken, but looking far again and again takes time.
        let ambiguous = part.ambiguous || part.endless > 0;
        let (endless, counted) = (part.endless, part.counted);
        Ok(if look { Part { endless, counted, ambiguous, ..Part::NONE } } else { part })
    }

    /// The name of a group, up to `end`.
    fn name(&mut self, end: char) -> Checked<()> {
        for character in self.rest.by_ref() {
            if character == end {
                return Ok(());
            }
            if !character.is_alphanumeric() && character != '_' {
                break;
            }
        }
        Err("has a group that no tokenizer needs")
    }

    /// What is between square brackets; classes may hold classes.
    fn class(&mut self, depth: usize) -> Checked<Set> {
        if depth > LOOKS {
            return Err("nests classes too deep");
        }
        let mut set = Set::NONE;
        if self.rest.next_if_eq(&'^').is_some() {
            set = Set::ALL;
        }
        let mut before = None;
        // Right at the start, the bracket is a character.
        if self.rest.next_if_eq(&']').is_some() {
            set = set.and(Set::one(']'));
        }
        while let Some(character) = self.rest.next() {
            let more = match (character, before) {
                (']', _) => return Ok(set),
                ('[', _) => self.class(depth.saturating_add(1))?,
                ('\\', _) => self.escape()?.first,
                ('-', Some(first)) => {
                    match self.rest.next_if(|&next| !matches!(next, ']' | '[' | '\\')) {
                        Some(last) => Set::range(first, last),
                        // Up to an escape, or a dash at the end.
                        None => Set::ALL,
                    }
                }
                (character, _) => Set::one(character),
            };
            before = Some(character).filter(|one| !matches!(one, '[' | '\\' | '-'));
            set = set.and(more);
        }
        Err("has an open class")
    }

    /// What follows a backslash.
    fn escape(&mut self) -> Checked<Part> {
        let character = self.rest.next().ok_or("ends in a backslash")?;
        let set = match character {
            '1'..='9' | 'k' | 'g' => return Err("refers back to what it matched"),
            'p' | 'P' | 'x' | 'u' | 'U' | 'o' | 'N' if self.rest.next_if_eq(&'{').is_some() => {
                let mut name = String::new();
                loop {
                    match self.rest.next() {
                        Some('}') => break,
                        Some(letter) if name.len() < 64 => name.push(letter),
                        _ => return Err("has an open escape"),
                    }
                }
                if character == 'p' { Set::category(&name) } else { Set::ALL }
            }
            'b' | 'B' | 'A' | 'z' | 'Z' | 'G' | 'K' => return Ok(Part::NONE),
            'X' | 'R' => return Ok(Part { endless: 1, ..Part::one(Set::ALL).open() }),
            's' | 'n' | 'r' | 't' | 'f' | 'v' => Set::space(),
            'd' => Set::category("N"),
            'w' => Set::of(
                |byte| byte.is_ascii_alphanumeric() || byte == b'_',
                LETTER | MARK | NUMBER | PUNCTUATION | SYMBOL,
            ),
            _ if character.is_ascii_alphanumeric() => Set::ALL,
            _ => Set::one(character),
        };
        Ok(Part::one(set))
    }

    /// Takes what says how often `part` is repeated.
    fn repeated(&mut self, part: Part, single: bool) -> Checked<Part> {
        let (least, most, braces) = match self.rest.peek() {
            Some('*') => (0, None, false),
            Some('+') => (1, None, false),
            Some('?') => (0, Some(1), false),
            Some('{') => match self.counts()? {
                Some((least, most)) => (least, most, true),
                // A brace that counts nothing is a character.
                None => return Ok(part),
            },
            _ => return Ok(part),
        };
        if !braces {
            self.rest.next();
        }
        // Lazy, or without a way back. Behind counts, some engines read another repetition.
        if braces {
            self.rest.next_if_eq(&'?');
        } else {
            self.rest.next_if(|next| matches!(next, '?' | '+'));
        }
        if matches!(self.rest.peek(), Some('*' | '+' | '?'))
            || self.rest.peek() == Some(&'{') && self.clone_counts()
        {
            return Err("repeats a repetition");
        }
        let often = most.is_none_or(|most| most > 1);
        let several = part.ambiguous || part.empty && !single || part.tail.meets(part.first);
        if often && several {
            return Err("repeats what may match the same text in several ways");
        }
        let counted = part.counted.saturating_mul(most.unwrap_or(least).max(least).max(1));
        if counted > COUNTED {
            return Err("counts to more than any tokenizer needs");
        }
        let endless = part.endless.saturating_add(u64::from(most.is_none()));
        let part = Part { endless, counted, empty: part.empty || least == 0, ..part };
        Ok(if most != Some(least) || part.empty { part.open() } else { part })
    }

    /// Whether counts are next.
    fn clone_counts(&self) -> bool {
        let mut copy = Parser { rest: self.rest.clone(), depth: 0, looks: 0 };
        matches!(copy.counts(), Ok(Some(_)) | Err(_))
    }

    /// `{2}`, `{2,}`, `{,3}` or `{2,3}`, and goes on behind it; otherwise stays.
    fn counts(&mut self) -> Checked<Option<(u64, Option<u64>)>> {
        let mut ahead = self.rest.clone();
        ahead.next();
        let number = |ahead: &mut Peekable<Chars<'_>>| {
            let mut value: Option<u64> = None;
            while let Some(digit) = ahead.peek().and_then(|next| next.to_digit(10)) {
                let digit = u64::from(digit);
                value = Some(value.unwrap_or(0).saturating_mul(10).saturating_add(digit));
                ahead.next();
            }
            value
        };
        let least = number(&mut ahead);
        let most = match ahead.next_if_eq(&',') {
            Some(_) => number(&mut ahead),
            None => least,
        };
        let open = ahead.next_if_eq(&'}').is_none();
        if open || least.is_none() && most.is_none() {
            return Ok(None);
        }
        self.rest = ahead;
        if most.is_some_and(|most| most < least.unwrap_or(0)) {
            return Err("counts backwards");
        }
        Ok(Some((least.unwrap_or(0), most)))
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn the_expressions_of_ordinary_tokenizers_pass() {
        for text in [
            r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
            r"(?i:'s|'t|'re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
            r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+",
            r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{M}]*[\p{Ll}\p{M}]+(?i:'s|'t)?|\p{N}{1,3}| ?[^\s\p{L}]+[\r\n/]*|\s+",
            r"\d{1,3}(?=(?:\d{3})*\b)",
            r"[!-/:-~]|[\p{Han}&&[^\p{L}]]+|[]a]",
            r"((?=[\p{L}])([^a-z]))*((?=[\p{L}])([^A-Z]))+",
            r"[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}",
            r"(?:[a-z]+[0-9])*(?:a|b\d)+",
            r"(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z",
            r" {2,}",
            "",
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_backtracks_without_bound_is_refused() {
        for text in [
            "(a+)+",
            "(?i:a|A)+",
            "(?i:s|\u{17f})+",
            "(?:[a-z]+|[m-p])+",
            "(?:a+b?)*",
            "(?:|a)+",
            "(?:\\p{L}|\\w)*",
            "(a*)*$",
            "(?:a|a)*b",
            "(a|ab)+",
            "(.|\\s)*",
            "([a-z]+\\d?)*x",
            "(a?){30}",
            "a{1,100000}",
            "(a{100}){100}",
            "(a)\\1",
            "(?<n>a)\\k<n>",
            "(?(1)a|b)",
            "(*FAIL)",
            "a{2,3}+",
            "a**",
            "(?=(?=(?=a)))",
            "(?x) a",
            "\\s*\\s*\\s*\\s*\\s*x",
            "(",
            ")",
            "[a",
            "\\",
            "a{3,2}",
            "(\\X)*",
            "(?=a)*",
            "(?:\\b|a)*",
            "((?=a*)b)*",
            "(?{x})",
        ] {
            assert!(check(text).is_err(), "{text}");
        }
    }
}
