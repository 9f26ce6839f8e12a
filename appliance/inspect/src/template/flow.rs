//! What a template puts together out of pieces, and where that goes.
//!
//! A subscript that is not found among the items of a value is looked up among its attributes. So a
//! subscript is ordinary only if its text is written out or comes from outside, and never if the
//! template may have put it together: `m['_' ~ '_class_' ~ '_']`. In the same way, the end of a range
//! must not be a number that grows by itself.

use std::collections::BTreeSet;

use super::lexer::Token;
use super::words::{PLAIN_FILTERS, PLAIN_METHODS};

/// What holds a value: a name, or an attribute of whatever object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Holder<'t> {
    Name(&'t str),
    Attribute(&'t str),
}

/// What is done with an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Subscript,
    Range,
}

/// The longest range that is written out.
const RANGE: u64 = 1024;
/// Times that values are followed from one holder to the next.
const LONGEST_CHAIN: usize = 16;

/// Who is assigned what, and which expressions must not be put together.
#[derive(Default)]
pub(super) struct Flow<'t> {
    assigned: Vec<(Holder<'t>, &'t [Token<'t>])>,
    /// Holders of what blocks and macros lay out.
    laid_out: BTreeSet<Holder<'t>>,
    used: Vec<(Use, usize, &'t [Token<'t>])>,
    macros: BTreeSet<&'t str>,
}

impl<'t> Flow<'t> {
    pub(super) fn new(macros: impl IntoIterator<Item = &'t str>) -> Self {
        Flow { macros: macros.into_iter().collect(), ..Flow::default() }
    }

    pub(super) fn assign(&mut self, holder: Holder<'t>, value: &'t [Token<'t>]) {
        self.assigned.push((holder, value));
    }

    /// `holder` is assigned what a block lays out.
    pub(super) fn lay_out(&mut self, holder: Holder<'t>) {
        self.laid_out.insert(holder);
    }

    pub(super) fn used(&mut self, how: Use, line: usize, value: &'t [Token<'t>]) {
        self.used.push((how, line, value));
    }

    /// The uses of what is put together, with their lines.
    pub(super) fn put_together(&self) -> Vec<(Use, usize)> {
        let texts = self.reached(self.laid_out.clone(), |value, held| self.builds(value, held));
        let numbers = self.reached(self.laid_out.clone(), |value, held| self.grows(value, held));
        let bad = |(how, _, value): &&(Use, usize, &'t [Token<'t>])| match (how, &texts, &numbers) {
            (Use::Subscript, Some(held), _) => self.builds(value, held),
            (Use::Range, _, Some(held)) => self.grows(value, held),
            // The values go through too many hands.
            _ => true,
        };
        self.used.iter().filter(bad).map(|&(how, line, _)| (how, line)).collect()
    }

    /// All holders that a value out of `held`, or one that `spoils`, gets to.
    fn reached(
        &self,
        mut held: BTreeSet<Holder<'t>>,
        spoils: impl Fn(&'t [Token<'t>], &BTreeSet<Holder<'t>>) -> bool,
    ) -> Option<BTreeSet<Holder<'t>>> {
        for _ in 0..LONGEST_CHAIN {
            let count = held.len();
            for (holder, value) in &self.assigned {
                if !held.contains(holder) && spoils(value, &held) {
                    held.insert(*holder);
                }
            }
            if held.len() == count {
                return Some(held);
            }
        }
        None
    }

    /// Whether the value may be a text that is nowhere written out.
    fn builds(&self, value: &[Token<'t>], held: &BTreeSet<Holder<'t>>) -> bool {
        self.any(value, held, |before, token, after| match token {
            Token::Operator("~") => true,
            Token::Operator("+") => adds_texts(before, after),
            Token::Text(text) => text.starts_with('_'),
            Token::Name(name) => {
                let is_call = after.is_some_and(|after| after.is("("));
                match before {
                    Some(Token::Operator("|")) => !PLAIN_FILTERS.contains(name),
                    Some(Token::Operator(".")) => is_call && !PLAIN_METHODS.contains(name),
                    _ => is_call && (self.macros.contains(name) || *name == "strftime_now"),
                }
            }
            _ => false,
        })
    }

    /// Whether the value may be a number that is not near one that is written out or counted.
    fn grows(&self, value: &[Token<'t>], held: &BTreeSet<Holder<'t>>) -> bool {
        self.any(value, held, |before, token, after| match token {
            Token::Operator("+") => adds_texts(before, after),
            Token::Integer(value) => *value > RANGE,
            Token::Name("int" | "float" | "sum" | "from_json" | "round") => {
                before.is_some_and(|before| before.is("|"))
            }
            Token::Name(name) => {
                let is_call = after.is_some_and(|after| after.is("("));
                is_call && self.macros.contains(name)
            }
            _ => false,
        })
    }

    /// Whether any token, with the ones before and after it, is `bad`, or names one of `held`.
    fn any(
        &self,
        value: &[Token<'t>],
        held: &BTreeSet<Holder<'t>>,
        bad: impl Fn(Option<&Token<'t>>, &Token<'t>, Option<&Token<'t>>) -> bool,
    ) -> bool {
        let mut before = None;
        value.iter().enumerate().any(|(at, token)| {
            let after = value.get(at.saturating_add(1));
            let previous = before.replace(token);
            let counted = matches!(after, Some(Token::Operator("|")))
                && value
                    .get(at.saturating_add(2))
                    .is_some_and(|filter| filter.is_name("length") || filter.is_name("count"));
            let named = match (previous, token) {
                // A length is a number, whatever it is the length of.
                _ if counted => false,
                (Some(Token::Operator(".")), Token::Name(name)) => {
                    held.contains(&Holder::Attribute(name))
                }
                (Some(Token::Operator("|")), _) => false,
                (_, Token::Name(name)) => held.contains(&Holder::Name(name)),
                _ => false,
            };
            named || bad(previous, token, after)
        })
    }
}

/// Whether `+` between these may join texts, or add up more than a number that is written out. A list
/// is joined to another, and what is in them stays what it is.
fn adds_texts(before: Option<&Token<'_>>, after: Option<&Token<'_>>) -> bool {
    !matches!(before, Some(Token::Integer(_)))
        && !matches!(after, Some(Token::Integer(_) | Token::Operator("[")))
}
