//! The lexical grammar of Jinja 2 with its default delimiters, read more strictly than Jinja does.
//!
//! Text outside of tags is passed over, comments and raw blocks too. What Jinja takes and an ordinary
//! template does not have (names beyond ASCII, numbers with a base, escapes that hide a letter) is
//! refused, so that nothing depends on how an engine reads it.

use std::borrow::Cow;

use super::Construct;

/// One token inside of a tag.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token<'t> {
    /// A name or keyword.
    Name(&'t str),
    /// A string constant without its quotes, escapes resolved.
    Text(Cow<'t, str>),
    /// A whole number.
    Integer(u64),
    /// A number with a fraction.
    Float,
    /// An operator or bracket.
    Operator(&'static str),
}

impl Token<'_> {
    pub(super) fn is(&self, operator: &str) -> bool {
        matches!(self, Token::Operator(this) if *this == operator)
    }

    pub(super) fn is_name(&self, name: &str) -> bool {
        matches!(self, Token::Name(this) if *this == name)
    }
}

/// One tag, `{{ ... }}` or `{% ... %}`.
#[derive(Debug)]
pub(super) struct Tag<'t> {
    pub(super) statement: bool,
    /// The line that it starts in, from 1.
    pub(super) line: usize,
    pub(super) tokens: Vec<Token<'t>>,
}

/// Brackets that are open at once.
const DEEPEST: usize = 32;

/// Two characters before one: the longer operator stands.
const OPERATORS: [&str; 25] = [
    "==", "!=", ">=", "<=", "//", "**", "+", "-", "*", "/", "%", "~", "[", "]", "(", ")", "{", "}",
    "<", ">", "=", ".", ":", "|", ",",
];

/// Takes the template apart.
pub(super) fn tags(text: &str) -> Result<Vec<Tag<'_>>, Construct> {
    let mut lexer = Lexer { text, at: 0, line: 1 };
    let mut tags = Vec::new();
    while let Some(opening) = lexer.next_opening() {
        let line = lexer.line;
        match opening {
            Opening::Comment => lexer.pass("#}").ok_or_else(|| lexer.wrong("an open comment"))?,
            Opening::Tag { statement } => {
                if matches!(lexer.rest().as_bytes().first(), Some(b'-' | b'+')) {
                    lexer.step(1);
                }
                let tokens = lexer.tokens(statement)?;
                if statement && matches!(tokens.as_slice(), [Token::Name("raw")]) {
                    lexer.raw()?;
                    continue;
                }
                tags.push(Tag { statement, line, tokens });
            }
        }
    }
    Ok(tags)
}

enum Opening {
    Comment,
    Tag { statement: bool },
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
    line: usize,
}

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Goes on by `count` bytes, which end a character.
    fn step(&mut self, count: usize) {
        let passed = self.rest().get(..count).unwrap_or_default();
        self.line = self.line.saturating_add(memchr::memchr_iter(b'\n', passed.as_bytes()).count());
        self.at = self.at.saturating_add(count);
    }

    fn wrong(&self, what: &str) -> Construct {
        Construct { line: self.line, what: format!("has {what}") }
    }

    /// Goes on behind the next two characters that open a tag or comment.
    fn next_opening(&mut self) -> Option<Opening> {
        let rest = self.rest().as_bytes();
        for found in memchr::memchr_iter(b'{', rest) {
            let opening = match rest.get(found.saturating_add(1)) {
                Some(b'#') => Opening::Comment,
                Some(b'{') => Opening::Tag { statement: false },
                Some(b'%') => Opening::Tag { statement: true },
                _ => continue,
            };
            self.step(found.saturating_add(2));
            return Some(opening);
        }
        None
    }

    /// Goes on behind the next `end`.
    fn pass(&mut self, end: &str) -> Option<()> {
        let found = memchr::memmem::find(self.rest().as_bytes(), end.as_bytes())?;
        self.step(found.saturating_add(end.len()));
        Some(())
    }

    /// Goes on behind `{% endraw %}`. Jinja takes every space of Unicode for one, and so ends a block
    /// where others see none: between the two anything could be hidden. So what may be such an end, and
    /// is not written plainly, is refused.
    fn raw(&mut self) -> Result<(), Construct> {
        let open = |lexer: &Self| lexer.wrong("an open raw block");
        let blank = |one: char| one.is_whitespace() || one.is_control();
        loop {
            self.pass("{%").ok_or_else(|| open(self))?;
            let inside = self.rest();
            let inside = inside.strip_prefix(['-', '+']).unwrap_or(inside);
            let Some(after) = inside.trim_start_matches(blank).strip_prefix("endraw") else {
                continue;
            };
            let end = after.trim_start_matches(blank);
            if !["%}", "-%}", "+%}"].iter().any(|closing| end.starts_with(closing)) {
                continue;
            }
            let spaces = |text: &str, rest: &str| {
                let count = text.len().saturating_sub(rest.len());
                text.bytes().take(count).all(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))
            };
            let word = inside.trim_start_matches(blank);
            if !spaces(inside, word) || !spaces(after, end) {
                return Err(self.wrong("a raw block whose end is hidden"));
            }
            return self.pass("%}").ok_or_else(|| open(self));
        }
    }

    /// The tokens up to the end of the tag, and goes on behind it.
    fn tokens(&mut self, statement: bool) -> Result<Vec<Token<'t>>, Construct> {
        let mut tokens = Vec::new();
        let mut brackets: Vec<&str> = Vec::new();
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_ascii_start();
            self.step(rest.len().saturating_sub(trimmed.len()));
            if brackets.is_empty()
                && let Some(length) = end_of_tag(trimmed, statement)
            {
                self.step(length);
                return Ok(tokens);
            }
            let token = match trimmed.as_bytes().first() {
                None => return Err(self.wrong("an open tag")),
                Some(b'a'..=b'z' | b'A'..=b'Z' | b'_') => self.name(trimmed),
                Some(b'0'..=b'9') => self.number(trimmed, tokens.last())?,
                Some(b'\'' | b'"') => self.string(trimmed)?,
                Some(_) => self.operator(trimmed)?,
            };
            if let Token::Operator(operator) = token {
                self.balance(&mut brackets, operator)?;
            }
            match (tokens.last_mut(), token) {
                // Strings side by side are one.
                (Some(Token::Text(text)), Token::Text(more)) => text.to_mut().push_str(&more),
                (_, token) => tokens.push(token),
            }
        }
    }

    fn balance(&self, open: &mut Vec<&str>, operator: &'static str) -> Result<(), Construct> {
        match operator {
            "(" => open.push(")"),
            "[" => open.push("]"),
            "{" => open.push("}"),
            ")" | "]" | "}" if open.pop() != Some(operator) => {
                return Err(self.wrong("brackets that do not match"));
            }
            _ => {}
        }
        if open.len() > DEEPEST {
            return Err(self.wrong(&format!("more than {DEEPEST} open brackets")));
        }
        Ok(())
    }

    fn name(&mut self, rest: &'t str) -> Token<'t> {
        let inside = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        let length = rest.bytes().take_while(|byte| inside(byte)).count();
        self.step(length);
        Token::Name(rest.get(..length).unwrap_or_default())
    }

    fn number(&mut self, rest: &str, before: Option<&Token<'_>>) -> Result<Token<'t>, Construct> {
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let whole = digits(rest);
        let after = rest.get(whole..).unwrap_or_default();
        let fraction = match after.strip_prefix('.') {
            // After a dot, a second number is the next step of a path.
            Some(fraction) if !before.is_some_and(|token| token.is(".")) => digits(fraction),
            _ => 0,
        };
        let length =
            if fraction == 0 { whole } else { whole.saturating_add(fraction).saturating_add(1) };
        let next = rest.as_bytes().get(length);
        if next.is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_') {
            return Err(self.wrong("a number that is not decimal"));
        }
        self.step(length);
        if fraction > 0 {
            return Ok(Token::Float);
        }
        let value = rest.get(..whole).and_then(|digits| digits.parse().ok());
        Ok(Token::Integer(value.unwrap_or(u64::MAX)))
    }

    fn operator(&mut self, rest: &str) -> Result<Token<'t>, Construct> {
        let Some(operator) = OPERATORS.into_iter().find(|operator| rest.starts_with(operator))
        else {
            let character = rest.chars().next().unwrap_or_default();
            return Err(self.wrong(&format!("the character {character:?} in a tag")));
        };
        self.step(operator.len());
        Ok(Token::Operator(operator))
    }

    fn string(&mut self, rest: &'t str) -> Result<Token<'t>, Construct> {
        let open = || self.wrong("an open string");
        let quote = *rest.as_bytes().first().ok_or_else(open)?;
        let inner = rest.get(1..).ok_or_else(open)?;
        let mut end = None;
        let mut escaped = None;
        for at in memchr::memchr2_iter(quote, b'\\', inner.as_bytes()) {
            if escaped == Some(at) {
                continue;
            }
            if inner.as_bytes().get(at) == Some(&quote) {
                end = Some(at);
                break;
            }
            escaped = at.checked_add(1);
        }
        let inner = end.and_then(|end| inner.get(..end)).ok_or_else(open)?;
        let text = match escaped {
            None => Cow::Borrowed(inner),
            Some(_) => Cow::Owned(self.unescape(inner)?),
        };
        self.step(inner.len().saturating_add(2));
        Ok(Token::Text(text))
    }

    /// Resolves the escapes that a template needs, and refuses those that hide what a name is.
    fn unescape(&self, inner: &str) -> Result<String, Construct> {
        let mut text = String::with_capacity(inner.len());
        let mut rest = inner;
        while let Some((before, after)) = rest.split_once('\\') {
            text.push_str(before);
            let mut characters = after.chars();
            match characters.next() {
                Some('n') => text.push('\n'),
                Some('t') => text.push('\t'),
                Some('r') => text.push('\r'),
                Some('\n') => {}
                // A backslash before anything that is no escape stays, as in Python.
                Some(kept @ ('\\' | '\'' | '"')) => text.push(kept),
                Some(kept) if !kept.is_ascii_alphanumeric() => text.extend(['\\', kept]),
                Some(kept @ ('s' | 'S' | 'd' | 'w' | 'W' | 'D' | 'p' | 'c' | 'e' | '[')) => {
                    text.extend(['\\', kept]);
                }
                Some(kind @ ('x' | 'u' | 'U')) => {
                    let digits = match kind {
                        'x' => 2,
                        'u' => 4,
                        _ => 8,
                    };
                    let hidden = after
                        .get(1..=digits)
                        .and_then(|code| u32::from_str_radix(code, 16).ok())
                        .and_then(char::from_u32)
                        .filter(|&hidden| !hidden.is_ascii_alphanumeric() && hidden != '_');
                    let hidden =
                        hidden.ok_or_else(|| self.wrong("an escape that hides a letter"))?;
                    text.push(hidden);
                    rest = after.get(digits.saturating_add(1)..).unwrap_or_default();
                    continue;
                }
                _ => return Err(self.wrong("an escape that hides a character")),
            }
            rest = characters.as_str();
        }
        text.push_str(rest);
        Ok(text)
    }
}

/// The length of the end of a tag, if `rest` starts with it.
fn end_of_tag(rest: &str, statement: bool) -> Option<usize> {
    let ends: &[&str] = if statement { &["%}", "-%}", "+%}"] } else { &["}}", "-}}"] };
    ends.iter().find(|end| rest.starts_with(**end)).map(|end| end.len())
}
