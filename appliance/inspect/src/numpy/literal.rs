//! The part of Python's literals that headers of arrays are made of.
//!
//! Texts have no escapes and numbers no signs, underscores or other bases: numpy writes none.

/// A literal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Literal {
    Text(String),
    Int(u64),
    Bool(bool),
    Tuple(Vec<Literal>),
    List(Vec<Literal>),
    /// Keys in the order of the text; they may occur twice.
    Dict(Vec<(String, Literal)>),
}

/// Brackets that are open at once.
const DEPTH: usize = 16;

/// Reads a literal that fills `text`; else the byte from which nothing more can be read.
pub(super) fn parse(text: &str) -> Result<Literal, usize> {
    let mut parser = Parser { text, at: 0 };
    let value = parser.value(DEPTH)?;
    if parser.at < text.len() {
        return Err(parser.at);
    }
    Ok(value)
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Parser<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Passes over `token` and the spaces behind it.
    fn eat(&mut self, token: &str) -> bool {
        let Some(rest) = self.rest().strip_prefix(token) else { return false };
        self.at = self.text.len().saturating_sub(rest.trim_start_matches(' ').len());
        true
    }

    fn expect(&mut self, token: &str) -> Result<(), usize> {
        if self.eat(token) { Ok(()) } else { Err(self.at) }
    }

    fn value(&mut self, depth: usize) -> Result<Literal, usize> {
        let Some(depth) = depth.checked_sub(1) else { return Err(self.at) };
        if self.eat("(") {
            return self.tuple(depth);
        }
        if self.eat("[") {
            return self.items("]", depth).map(|(items, _)| Literal::List(items));
        }
        if self.eat("{") {
            return self.dict(depth);
        }
        if self.eat("True") {
            return Ok(Literal::Bool(true));
        }
        if self.eat("False") {
            return Ok(Literal::Bool(false));
        }
        match self.rest().bytes().next() {
            Some(b'0'..=b'9') => self.int(),
            _ => self.text().map(Literal::Text),
        }
    }

    /// A tuple of one ends in a comma: without it the brackets mean nothing.
    fn tuple(&mut self, depth: usize) -> Result<Literal, usize> {
        let (mut items, comma) = self.items(")", depth)?;
        match items.len() {
            1 if !comma => items.pop().ok_or(self.at),
            _ => Ok(Literal::Tuple(items)),
        }
    }

    /// What stands up to `end`, and whether a comma stands before that.
    fn items(&mut self, end: &str, depth: usize) -> Result<(Vec<Literal>, bool), usize> {
        let mut items = Vec::new();
        let mut comma = false;
        while !self.eat(end) {
            if !items.is_empty() && !comma {
                return Err(self.at);
            }
            items.push(self.value(depth)?);
            comma = self.eat(",");
        }
        Ok((items, comma))
    }

    fn dict(&mut self, depth: usize) -> Result<Literal, usize> {
        let mut entries = Vec::new();
        let mut comma = true;
        while !self.eat("}") {
            if !comma {
                return Err(self.at);
            }
            let key = self.text()?;
            self.expect(":")?;
            entries.push((key, self.value(depth)?));
            comma = self.eat(",");
        }
        Ok(Literal::Dict(entries))
    }

    fn int(&mut self) -> Result<Literal, usize> {
        let rest = self.rest();
        let end = rest.find(|character: char| !character.is_ascii_digit()).unwrap_or(rest.len());
        let digits = rest.get(..end).unwrap_or_default();
        let number: u64 = digits.parse().map_err(|_| self.at)?;
        if number.to_string() != digits {
            return Err(self.at);
        }
        self.expect(digits)?;
        Ok(Literal::Int(number))
    }

    fn text(&mut self) -> Result<String, usize> {
        let quote = match self.rest().bytes().next() {
            Some(b'\'') => "'",
            Some(b'"') => "\"",
            _ => return Err(self.at),
        };
        let inner = self.rest().strip_prefix(quote).unwrap_or_default();
        let (inner, _) = inner.split_once(quote).ok_or(self.at)?;
        if inner.chars().any(|character| character == '\\' || character.is_control()) {
            return Err(self.at.saturating_add(1));
        }
        // The token is the text with its quotes.
        let end = self.at.saturating_add(inner.len()).saturating_add(1);
        self.at = end;
        self.expect(quote)?;
        Ok(inner.to_owned())
    }
}
