//! A number of bytes as people write it: `2GiB`.
//!
//! None is under 1 MiB: a model of 64 files must have files with something in them.

use std::fmt;
use std::str::FromStr;

/// The units, the largest first.
const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

/// The smallest that is taken from the command line.
const LEAST: u64 = 1 << 20;

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size(pub(super) u64);

impl FromStr for Size {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unit = UNITS.iter().find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, *bytes)));
        let (number, unit) = unit.unwrap_or((text, 1));
        let number = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
        let large = number.filter(|bytes| *bytes >= LEAST);
        large.map(Size).ok_or("expected a size of 1MiB or more, such as 2GiB")
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = UNITS.iter().find(|(_, bytes)| self.0.is_multiple_of(*bytes));
        match unit {
            Some((unit, bytes)) => write!(f, "{} {unit}", self.0 / bytes),
            None => write!(f, "{} bytes", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_shown() {
        for (text, bytes, shown) in [
            ("2GiB", 2 << 30, "2 GiB"),
            ("1536MiB", 1536 << 20, "1536 MiB"),
            ("1048577", 1_048_577, "1048577 bytes"),
        ] {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
            assert_eq!(Size(bytes).to_string(), shown);
        }
        assert_eq!(Size(4096).to_string(), "4 KiB");
        for text in ["", "GiB", "4096", "0MiB", "-1", "1.5GiB", "2GB", "99999999999GiB"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }
}
