//! Licence expressions as packages state them: SPDX, and the older form with a slash for `OR`.

/// Whether the licences in `allowed` satisfy the expression.
pub(super) fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut parser = Parser { words: &words, allowed };
    parser.alternatives().unwrap_or(false) && parser.words.is_empty()
}

struct Parser<'a> {
    words: &'a [&'a str],
    allowed: &'a [String],
}

impl Parser<'_> {
    /// `A OR B`; nothing when the expression is not well-formed.
    fn alternatives(&mut self) -> Option<bool> {
        let mut satisfied = self.conjunction()?;
        while self.take("OR") {
            satisfied |= self.conjunction()?;
        }
        Some(satisfied)
    }

    /// `A AND B`, which binds closer.
    fn conjunction(&mut self) -> Option<bool> {
        let mut satisfied = self.operand()?;
        while self.take("AND") {
            satisfied &= self.operand()?;
        }
        Some(satisfied)
    }

    /// A licence, with its exception if it has one, or an expression in parentheses.
    fn operand(&mut self) -> Option<bool> {
        if self.take("(") {
            let satisfied = self.alternatives()?;
            return self.take(")").then_some(satisfied);
        }
        let mut license =
            self.next().filter(|word| !matches!(*word, ")" | "OR" | "AND" | "WITH"))?.to_owned();
        if self.take("WITH") {
            license = format!("{license} WITH {}", self.next()?);
        }
        Some(self.allowed.contains(&license))
    }

    fn take(&mut self, word: &str) -> bool {
        let is_next = self.words.first() == Some(&word);
        if is_next {
            self.next();
        }
        is_next
    }

    fn next(&mut self) -> Option<&str> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        Some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_satisfied_as_spdx_says() {
        let allowed: Vec<String> = ["MIT", "ISC"].map(str::to_owned).to_vec();
        for good in [
            "MIT",
            "GPL-3.0 OR MIT",
            "GPL-3.0/MIT",
            "MIT AND ISC",
            "ISC AND (GPL-2.0 OR MIT)",
            "GPL-2.0 AND ISC OR MIT",
        ] {
            assert!(is_allowed(good, &allowed), "{good}");
        }
        for bad in [
            "GPL-3.0",
            "MIT AND GPL-3.0",
            "(MIT OR GPL-3.0) AND GPL-3.0",
            "MIT WITH an-exception",
            "",
            "MIT OR",
            "(MIT",
            "MIT ISC",
        ] {
            assert!(!is_allowed(bad, &allowed), "{bad}");
        }
    }
}
