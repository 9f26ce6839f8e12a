//! Points in time and spans. This crate never looks at a clock: time is an argument.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Seconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixTime(pub i64);

impl UnixTime {
    /// Reads an RFC 3339 date and time with an offset, such as `2026-03-01T12:00:00Z`.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        text.parse::<Timestamp>().ok().map(|t| UnixTime(t.as_second()))
    }

    /// Seconds from `earlier` until this time; negative when it is later.
    pub fn since(self, earlier: UnixTime) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// RFC 3339 in UTC, to the second.
impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Timestamp::from_second(self.0) {
            Ok(t) => write!(f, "{t}"),
            Err(_) => write!(f, "@{}", self.0),
        }
    }
}

/// A span of time as a policy writes it: a whole number and one of `s`, `m`, `h`, `d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// The length in seconds.
    pub seconds: i64,
}

impl Span {
    /// Reads `400d`, `12h`, `30m` or `90s`; `None` for anything else and for what overflows.
    pub fn parse(text: &str) -> Option<Self> {
        let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let scale = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 86_400,
            _ => return None,
        };
        number.parse::<i64>().ok()?.checked_mul(scale).map(|seconds| Span { seconds })
    }
}

/// In the largest unit that gives a whole number.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scale, unit) = [(86_400, 'd'), (3600, 'h'), (60, 'm')]
            .into_iter()
            .find(|(scale, _)| self.seconds % scale == 0)
            .unwrap_or((1, 's'));
        write!(f, "{}{unit}", self.seconds / scale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_whole_numbers_with_one_unit() {
        assert_eq!(Span::parse("400d"), Some(Span { seconds: 34_560_000 }));
        assert_eq!(Span::parse("90s").unwrap().to_string(), "90s");
        assert_eq!(Span::parse("48h").unwrap().to_string(), "2d");
        for bad in [
            "",
            "d",
            "-1d",
            "1.5h",
            "1w",
            "1 d",
            "99999999999999999999s",
            "9223372036854775807d",
            "5é",
        ] {
            assert_eq!(Span::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn times_read_and_show_rfc_3339() {
        let t = UnixTime::parse_rfc3339("2026-03-01T12:00:00+01:00").unwrap();
        assert_eq!(t.to_string(), "2026-03-01T11:00:00Z");
        assert_eq!(UnixTime::parse_rfc3339("2026-03-01"), None);
    }
}
