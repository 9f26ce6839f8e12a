//! Regular expressions of tokenizers (`Split`, `Replace`), which engines match by backtracking, on
//! whatever a user sends. They are read and never compiled: an expression that may take time without
//! bound is reported, and so is one that is not understood.
//!
//! What is bounded: how often the same text can be divided differently between two repetitions. One
//! repetition in another divides it in exponentially many ways; some side by side in as many as their
//! number is a power of. Tokenizers have two side by side.

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

/// What matching a part may cost.
#[derive(Clone, Copy)]
struct Part {
    /// The most repetitions without an end that lie side by side.
    endless: u64,
    /// The most that counted repetitions multiply to.
    counted: u64,
    /// Whether the same part may match texts of several lengths.
    varies: bool,
    /// Whether it may match between characters.
    empty: bool,
    /// Whether two alternatives may match the same text.
    overlaps: bool,
    /// The first character, where there is only one.
    first: Option<char>,
}

impl Part {
    /// One character out of a set.
    const ONE: Part =
        Part { endless: 0, counted: 1, varies: false, empty: false, overlaps: false, first: None };
    /// What matches between characters.
    const NONE: Part = Part { empty: true, ..Part::ONE };

    fn literal(character: char) -> Part {
        Part { first: Some(character), ..Part::ONE }
    }

    fn then(self, next: Part) -> Part {
        Part {
            endless: self.endless.saturating_add(next.endless),
            counted: self.counted.max(next.counted),
            varies: self.varies || next.varies,
            empty: self.empty && next.empty,
            overlaps: self.overlaps || next.overlaps,
            first: self.first,
        }
    }

    fn or(self, other: Part) -> Part {
        let apart = matches!((self.first, other.first), (Some(a), Some(b)) if a != b);
        Part {
            endless: self.endless.max(other.endless),
            counted: self.counted.max(other.counted),
            varies: self.varies || other.varies,
            empty: self.empty || other.empty,
            overlaps: self.overlaps || other.overlaps || !apart,
            first: None,
        }
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
        let mut firsts = Vec::new();
        let mut all = self.sequence()?;
        firsts.push(all.first);
        while self.rest.next_if_eq(&'|').is_some() {
            let next = self.sequence()?;
            let apart =
                next.first.is_some() && !firsts.contains(&next.first) && !firsts.contains(&None);
            let overlaps = all.overlaps || next.overlaps || !apart;
            firsts.push(next.first);
            all = Part { overlaps, ..all.or(next) };
        }
        Ok(Part { first: if firsts.len() == 1 { all.first } else { None }, ..all })
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
            Some('[') => {
                self.class(0)?;
                Ok((Part::ONE, true))
            }
            Some('\\') => self.escape().map(|part| (part, true)),
            Some('.') => Ok((Part::ONE, true)),
            Some('^' | '$') => Ok((Part::NONE, true)),
            Some('*' | '+' | '?') | None => Err("repeats nothing"),
            Some(character) => Ok((Part::literal(character), true)),
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
        // What is looked at is not taken, however long it is.
        Ok(if look { Part { varies: false, empty: true, first: None, ..part } } else { part })
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
    fn class(&mut self, depth: usize) -> Checked<()> {
        if depth > LOOKS {
            return Err("nests classes too deep");
        }
        self.rest.next_if_eq(&'^');
        // Right at the start, the bracket is a character.
        self.rest.next_if_eq(&']');
        while let Some(character) = self.rest.next() {
            match character {
                ']' => return Ok(()),
                '[' => self.class(depth.saturating_add(1))?,
                '\\' => _ = self.escape()?,
                _ => {}
            }
        }
        Err("has an open class")
    }

    /// What follows a backslash.
    fn escape(&mut self) -> Checked<Part> {
        let character = self.rest.next().ok_or("ends in a backslash")?;
        match character {
            '1'..='9' | 'k' | 'g' => Err("refers back to what it matched"),
            'p' | 'P' | 'x' | 'u' | 'U' | 'o' | 'N' if self.rest.next_if_eq(&'{').is_some() => {
                let closed = self.rest.by_ref().take(64).any(|one| one == '}');
                if closed { Ok(Part::ONE) } else { Err("has an open escape") }
            }
            'b' | 'B' | 'A' | 'z' | 'Z' | 'G' | 'K' => Ok(Part::NONE),
            'X' | 'R' => Ok(Part { endless: 1, varies: true, ..Part::ONE }),
            _ if character.is_ascii_alphanumeric() => Ok(Part::ONE),
            _ => Ok(Part::literal(character)),
        }
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
        let several = part.varies || part.empty && !single || part.overlaps;
        if often && (part.endless > 0 || several) {
            return Err("repeats what may match the same text in several ways");
        }
        let counted = part.counted.saturating_mul(most.unwrap_or(least).max(least).max(1));
        if counted > COUNTED {
            return Err("counts to more than any tokenizer needs");
        }
        Ok(Part {
            endless: part.endless.saturating_add(u64::from(most.is_none())),
            counted,
            varies: part.varies || most != Some(least),
            empty: part.empty || least == 0,
            overlaps: part.overlaps,
            first: if least > 0 { part.first } else { None },
        })
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
