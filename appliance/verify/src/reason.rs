//! The one table of reason codes: why something was refused, could not be decided, or could not
//! start. Reference documentation is generated from this table (`cargo xtask reasons`).

mod collected;
mod printable;

pub(crate) use collected::shorten;
pub use collected::{DETAIL_CHARS, MOST_OF_A_CODE, NAME_CHARS, Reasons};
pub use printable::{Printable, printable_json};

use std::fmt;

/// What a reason means for the caller, and thereby the exit code of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// A decision: the model does not pass (exit code 1). It gets a signed verdict.
    Refusal,
    /// Wrong usage or configuration (exit code 2). Nothing was decided.
    Configuration,
    /// The appliance could not decide: I/O, HSM, resources (exit code 3). Nothing is released.
    Undecided,
}

impl Class {
    /// The exit code of a command that ends with a reason of this class.
    pub fn exit_code(self) -> u8 {
        match self {
            Class::Refusal => 1,
            Class::Configuration => 2,
            Class::Undecided => 3,
        }
    }
}

macro_rules! codes {
    ($($variant:ident = $id:literal, $class:ident, $meaning:literal, $remedy:literal;)*) => {
        /// A stable reason code. The string form never changes once released.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $meaning] $variant,)*
        }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)*];

            /// The stable identifier, such as `manifest.digest-mismatch`.
            pub fn id(self) -> &'static str {
                match self { $(Code::$variant => $id,)* }
            }

            /// What the code means for a command's outcome.
            pub fn class(self) -> Class {
                match self { $(Code::$variant => Class::$class,)* }
            }

            /// One sentence that says what is wrong.
            pub fn meaning(self) -> &'static str {
                match self { $(Code::$variant => $meaning,)* }
            }

            /// One sentence that says what to do next.
            pub fn remedy(self) -> &'static str {
                match self { $(Code::$variant => $remedy,)* }
            }
        }
    };
}

include!("reason/table.rs");

impl Code {
    /// Whether it is about what is inside a file: `content.*`.
    pub fn is_about_content(self) -> bool {
        self.id().starts_with("content.")
    }

    /// The code whose identifier is `id`, if there is one.
    pub fn from_id(id: &str) -> Option<Code> {
        Code::ALL.iter().copied().find(|code| code.id() == id)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

/// One reason, with the file and the policy rule that it concerns. A carrier may have chosen part
/// of it, so names are cut at [`NAME_CHARS`] and particulars at [`DETAIL_CHARS`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reason {
    /// What kind of reason.
    pub code: Code,
    /// The file it concerns: a path inside the model, or a bundle's or a setting's path.
    pub file: Option<String>,
    /// Where in the file: an offset, a key, a tensor, a member of an archive.
    pub place: Option<String>,
    /// The policy rule that was broken, as a path into the policy such as `manifest.symlinks`.
    pub rule: Option<String>,
    /// One sentence with the particulars.
    pub detail: String,
}

impl Reason {
    /// A reason without file, place and rule.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        let mut detail = detail.into();
        shorten(&mut detail, DETAIL_CHARS);
        Reason { code, file: None, place: None, rule: None, detail }
    }

    /// The same reason, about `file`.
    #[must_use]
    pub fn about(mut self, file: impl Into<String>) -> Self {
        let mut file = file.into();
        shorten(&mut file, NAME_CHARS);
        self.file = Some(file);
        self
    }

    /// The same reason, at `place` in its file.
    #[must_use]
    pub fn at(mut self, place: impl Into<String>) -> Self {
        let mut place = place.into();
        shorten(&mut place, NAME_CHARS);
        self.place = Some(place);
        self
    }

    /// The same reason, by the policy's `rule`.
    #[must_use]
    pub fn by_rule(mut self, rule: impl Into<String>) -> Self {
        self.rule = Some(rule.into());
        self
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.code)?;
        if let Some(file) = &self.file {
            write!(f, "{}: ", Printable(file))?;
        }
        if let Some(place) = &self.place {
            write!(f, "{}: ", Printable(place))?;
        }
        write!(f, "{}", Printable(&self.detail))?;
        if let Some(rule) = &self.rule {
            write!(f, " (rule {rule})")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn identifiers_are_unique_and_find_their_code() {
        let ids: BTreeSet<_> = Code::ALL.iter().map(|code| code.id()).collect();
        assert_eq!(ids.len(), Code::ALL.len());
        for code in Code::ALL {
            assert_eq!(Code::from_id(code.id()), Some(*code));
        }
    }

    #[test]
    fn every_code_is_in_lower_case_words_and_ends_its_sentences() {
        for code in Code::ALL {
            assert!(code.id().split('.').count() == 2, "{code}");
            assert!(
                code.id().chars().all(|c| c.is_ascii_lowercase() || "0123456789-.".contains(c)),
                "{code}"
            );
            assert!(code.meaning().ends_with('.'), "{code}");
            assert!(code.remedy().ends_with('.'), "{code}");
        }
    }
}
