//! Sizes as a policy writes them: `"64MiB"`, `"123B"`, or a number of bytes.

/// What [`parse_size`] reads, in words.
pub const SIZE: &str =
    "a size above zero such as \"64MiB\" or \"2TiB\" (B, KiB, MiB, GiB, TiB), or a number of bytes";

/// Bytes in each unit, the largest first.
const UNITS: [(&str, u64); 5] =
    [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// Reads a whole number and a unit; `None` for anything else, zero, and what passes `i64`.
pub fn parse_size(text: &str) -> Option<u64> {
    let (number, scale) =
        UNITS.iter().find_map(|(unit, scale)| Some((text.strip_suffix(unit)?, *scale)))?;
    if !number.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    in_range(i128::from(number.parse::<u64>().ok()?.checked_mul(scale)?))
}

/// A number of bytes, if it is above zero and fits `i64`.
pub(super) fn in_range(bytes: i128) -> Option<u64> {
    i64::try_from(bytes).ok().filter(|bytes| *bytes > 0).and_then(|bytes| bytes.try_into().ok())
}

/// The size in the largest unit that gives a whole number.
pub(super) fn show_size(bytes: u64) -> String {
    let unit = UNITS.into_iter().find(|(_, scale)| bytes.is_multiple_of(*scale));
    let (unit, scale) = unit.unwrap_or(("B", 1));
    format!("{} {unit}", bytes / scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_a_whole_number_and_a_binary_unit() {
        let sizes = [
            ("123B", 123),
            ("100KiB", 102_400),
            ("64MiB", 67_108_864),
            ("1GiB", 1 << 30),
            ("2TiB", 1 << 41),
            ("8388607TiB", 8_388_607 << 40),
        ];
        for (text, bytes) in sizes {
            assert_eq!(parse_size(text), Some(bytes), "{text}");
        }
        let bad = [
            "",
            "B",
            "0B",
            "0MiB",
            "1",
            "1MB",
            "1 MiB",
            "-1B",
            "+1B",
            "1.5GiB",
            "1mib",
            "1MiBB",
            "8388608TiB",
            "99999999999999999999B",
        ];
        for text in bad {
            assert_eq!(parse_size(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_of_bytes_are_above_zero_and_fit_a_signed_one() {
        assert_eq!(in_range(0), None);
        assert_eq!(in_range(-1), None);
        assert_eq!(in_range(i128::from(i64::MAX)), Some(9_223_372_036_854_775_807));
        assert_eq!(in_range(i128::from(i64::MAX) + 1), None);
    }

    #[test]
    fn sizes_show_in_the_largest_whole_unit() {
        assert_eq!(show_size(1 << 41), "2 TiB");
        assert_eq!(show_size(1536 << 10), "1536 KiB");
        assert_eq!(show_size(1025), "1025 B");
    }
}
