//! How files are read: on the station's means, and on the policy's terms.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use oms_verify::policy::{MediaRules, parse_size};
use serde::{Deserialize, Serialize};

use crate::progress::Progress;

/// Bytes of buffers: less leaves no room for the streams of one core.
const LEAST_MEMORY: u64 = 4 << 20;
/// Bytes of buffers: more gains nothing on any device.
const MOST_MEMORY: u64 = 16 << 30;

/// The means of reading: `[intake]` of station.toml, `--reader` and `--memory`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Bytes of buffers of all workers together.
    pub memory: Memory,
    /// How files are read.
    pub reader: Reader,
}

impl Default for Settings {
    /// 64 MiB, and io_uring where there is any.
    fn default() -> Self {
        Settings { memory: Memory { bytes: 64 << 20 }, reader: Reader::Auto }
    }
}

/// A number of bytes for buffers, within what makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    bytes: u64,
}

impl Memory {
    /// The bytes.
    pub fn bytes(self) -> u64 {
        self.bytes
    }
}

/// Reads `64MiB` and the like, from 4 MiB to 16 GiB.
impl FromStr for Memory {
    type Err = WrongMemory;

    fn from_str(text: &str) -> Result<Self, WrongMemory> {
        let bytes = parse_size(text).filter(|bytes| (LEAST_MEMORY..=MOST_MEMORY).contains(bytes));
        bytes.map(|bytes| Memory { bytes }).ok_or(WrongMemory)
    }
}

/// A text that is no [`Memory`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a size from 4MiB to 16GiB, such as 64MiB")]
pub struct WrongMemory;

/// How files are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reader {
    /// With io_uring where the kernel lets this process use it, else on threads.
    #[default]
    Auto,
    /// With io_uring, or not at all.
    IoUring,
    /// On threads, with `pread`.
    Threads,
}

impl Reader {
    /// Every reader.
    pub const ALL: [Reader; 3] = [Reader::Auto, Reader::IoUring, Reader::Threads];

    /// The word for it in settings.
    pub fn name(self) -> &'static str {
        match self {
            Reader::Auto => "auto",
            Reader::IoUring => "io-uring",
            Reader::Threads => "threads",
        }
    }
}

impl fmt::Display for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Reader {
    type Err = WrongReader;

    fn from_str(text: &str) -> Result<Self, WrongReader> {
        Reader::ALL.into_iter().find(|reader| reader.name() == text).ok_or(WrongReader)
    }
}

/// A text that is no [`Reader`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected auto, io-uring or threads")]
pub struct WrongReader;

/// How one model is read.
#[derive(Clone, Copy, Debug)]
pub struct Reading<'a> {
    /// The station's means.
    pub settings: Settings,
    /// The policy's terms; the default ones where no policy is at hand.
    pub rules: MediaRules,
    /// Where the reading is counted, and cancelled.
    pub progress: &'a Progress,
}

impl<'a> Reading<'a> {
    /// With the default means and terms.
    pub fn plain(progress: &'a Progress) -> Self {
        Reading { settings: Settings::default(), rules: MediaRules::default(), progress }
    }

    /// How long the carrier may give no answer.
    pub(super) fn stall(&self) -> Duration {
        Duration::from_secs(self.rules.stall.seconds.unsigned_abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_a_size_between_what_one_core_needs_and_what_no_device_profits_from() {
        let bytes = |text: &str| text.parse::<Memory>().map(Memory::bytes);
        assert_eq!(bytes("4MiB"), Ok(4 << 20));
        assert_eq!(bytes("16GiB"), Ok(16 << 30));
        for bad in ["", "0MiB", "4095KiB", "17GiB", "64", "64MB", "-64MiB", "99999999999TiB"] {
            assert_eq!(bytes(bad), Err(WrongMemory), "{bad}");
        }
        assert_eq!(Settings::default().memory.bytes(), 64 << 20);
    }

    #[test]
    fn a_reader_is_one_of_three_words() {
        for reader in Reader::ALL {
            assert_eq!(reader.to_string().parse(), Ok(reader));
        }
        for bad in ["", "Auto", "io_uring", "uring", "thread"] {
            assert_eq!(bad.parse::<Reader>(), Err(WrongReader), "{bad}");
        }
    }
}
