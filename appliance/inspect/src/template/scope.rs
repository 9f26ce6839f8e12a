//! Macros, as far as to tell whether they end. Jinja's macros may call each other, which some templates
//! need to walk down a schema; such a walk ends only if every step goes into what the last was given.

use std::collections::{BTreeMap, BTreeSet};

use super::lexer::Token;
use super::words::{CONSTANTS, KEYWORDS};

/// A macro that is open.
pub(super) struct Scope<'t> {
    pub(super) name: &'t str,
    /// Its parameters.
    pub(super) given: BTreeSet<&'t str>,
    /// Names of parts of what it was given.
    pub(super) parts: BTreeSet<&'t str>,
}

impl<'t> Scope<'t> {
    /// Whether `tokens` are made of nothing but parts of what the macro was given.
    pub(super) fn is_part(&self, tokens: &[Token<'t>]) -> bool {
        let mut mentioned = false;
        let mut before: Option<&Token<'_>> = None;
        for (at, token) in tokens.iter().enumerate() {
            if let Token::Name(name) = token
                && !before.is_some_and(|token| token.is(".") || token.is("|"))
                && !KEYWORDS.contains(name)
                && !CONSTANTS.contains(name)
            {
                let next = tokens.get(at.saturating_add(1));
                let items = tokens.get(at.saturating_add(2)).is_some_and(|t| t.is_name("items"));
                let steps = next
                    .is_some_and(|token| token.is(".") || token.is("[") || token.is("|") && items);
                if !(self.parts.contains(name) || self.given.contains(name) && steps) {
                    return false;
                }
                mentioned = true;
            }
            before = Some(token);
        }
        mentioned
    }

    /// Whether a loop over `tokens` takes out parts of what the macro was given.
    pub(super) fn gives_parts(&self, tokens: &[Token<'t>]) -> bool {
        let Some((Token::Name(first), rest)) = tokens.split_first() else { return false };
        let mut before = None;
        let again = rest.iter().any(|token| {
            let name = !before.replace(token).is_some_and(|token: &Token<'_>| token.is("."));
            name && matches!(token, Token::Name(name) if self.given.contains(name))
        });
        !again && (self.given.contains(first) || self.parts.contains(first))
    }
}

/// A macro that comes back to itself, also by way of others. `calls` are the macros that each calls with
/// anything but a part of what it was given.
pub(super) fn endless<'t>(calls: &BTreeMap<&'t str, BTreeSet<&'t str>>) -> Option<&'t str> {
    let mut ended: BTreeSet<&str> = BTreeSet::new();
    // Macros that call none but ended ones end.
    loop {
        let ends = |calls: &BTreeSet<&str>| calls.iter().all(|call| ended.contains(call));
        let more: Vec<_> = calls
            .iter()
            .filter(|(name, calls)| !ended.contains(*name) && ends(calls))
            .map(|(name, _)| *name)
            .collect();
        if more.is_empty() {
            break;
        }
        ended.extend(more);
    }
    calls.keys().copied().find(|name| !ended.contains(name))
}

/// What is between separators that lie in no bracket: arguments, parameters, the parts of a slice.
pub(super) fn between<'s, 't>(held: &'s [Token<'t>], separator: &str) -> Vec<&'s [Token<'t>]> {
    let mut depth = 0_usize;
    held.split(|token| {
        match token {
            Token::Operator("(" | "[" | "{") => depth = depth.saturating_add(1),
            Token::Operator(")" | "]" | "}") => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && token.is(separator)
    })
    .collect()
}
