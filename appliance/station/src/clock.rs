//! The station's clock, with a guard against being set back: whoever turns the clock back could
//! make expired certificates valid and old CRLs fresh.
//!
//! The highest time that the station worked at is kept in its state, and the time of the last
//! verdict in its record is a second lower bound, so that removing the one does not remove the
//! guard. A clock that ran ahead by mistake is remembered as well: nothing proves afterwards that
//! it was one. Until the true time comes, the station then decides nothing, or until officers have
//! corrected both files (SECURITY.md tells how). A time at which the station's own certificates are
//! not valid is not remembered: it could not work then.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use oms_verify::reason::{Code, Reason};
use oms_verify::time::UnixTime;
use serde::{Deserialize, Serialize};

use crate::record::{self, damaged};

const FILE: &str = "clock.json";
/// Bytes of the memory: one number.
const LIMIT: u64 = 4 << 10;
/// Seconds that the system's clock may be behind the highest time: a time service that corrects it
/// steps back by less. Meanwhile the highest time is the time, so that time stands still at most.
const TOLERANCE: i64 = 120;

/// What the system's clock shows, without a guard: for commands that keep no state.
pub fn system_time() -> UnixTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixTime(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

/// A clock that never shows a time before one that it has shown.
#[derive(Debug)]
pub struct Clock {
    path: PathBuf,
    highest: UnixTime,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Memory {
    /// Seconds since 1970-01-01T00:00:00Z.
    highest: i64,
}

/// What the record of verdicts says about time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Past {
    /// Nothing was ever decided.
    None,
    /// Verdicts were begun or are out; the time of the last one, where the record has it.
    Decided(Option<UnixTime>),
}

impl Clock {
    /// Opens the memory in the folder `state`, whose lock the caller holds. A new station has
    /// none yet.
    ///
    /// # Errors
    /// When it cannot be read, is damaged, or is missing although `past` tells of decisions.
    pub fn open(state: &Path, past: Past) -> Result<Self, Reason> {
        let path = state.join(FILE);
        let memory: Option<Memory> = record::read(&path, LIMIT)?;
        let highest = match (memory, past) {
            (Some(Memory { highest }), Past::None | Past::Decided(None)) => highest,
            (Some(Memory { highest }), Past::Decided(Some(last))) => highest.max(last.0),
            (None, Past::None) => 0,
            (None, Past::Decided(_)) => {
                return Err(damaged("the highest time that the station saw is lost", &path));
            }
        };
        Ok(Clock { path, highest: UnixTime(highest) })
    }

    /// The time, which is not remembered: nothing may be decided at it.
    ///
    /// # Errors
    /// When the system's clock is behind the highest time by more than the tolerance.
    pub fn look(&self) -> Result<UnixTime, Reason> {
        self.guard(system_time())
    }

    /// The time, after it was made durable that it has been seen.
    ///
    /// # Errors
    /// When the system's clock is behind the highest time by more than the tolerance, or the time
    /// cannot be kept.
    pub fn now(&mut self) -> Result<UnixTime, Reason> {
        self.advance(system_time())
    }

    /// The highest time that was seen.
    pub fn highest(&self) -> UnixTime {
        self.highest
    }

    fn advance(&mut self, system: UnixTime) -> Result<UnixTime, Reason> {
        let time = self.guard(system)?;
        if time > self.highest {
            record::write(&self.path, &Memory { highest: time.0 })?;
            self.highest = time;
        }
        Ok(time)
    }

    fn guard(&self, system: UnixTime) -> Result<UnixTime, Reason> {
        if self.highest.since(system) > TOLERANCE {
            let detail = format!("the clock shows {system}, the station has seen {}", self.highest);
            let reason = Reason::new(Code::ClockRolledBack, detail);
            return Err(reason.about(self.path.display().to_string()));
        }
        Ok(system.max(self.highest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: UnixTime = UnixTime(1_900_000_000);

    fn after(seconds: i64) -> UnixTime {
        UnixTime(T.0 + seconds)
    }

    #[test]
    fn time_goes_on_and_is_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let mut clock = Clock::open(dir.path(), Past::None).unwrap();
        assert_eq!(clock.advance(T).unwrap(), T);
        assert_eq!(clock.advance(after(5)).unwrap(), after(5));
        let clock = Clock::open(dir.path(), Past::None).unwrap();
        assert_eq!(clock.highest(), after(5));
    }

    #[test]
    fn a_clock_that_was_set_back_decides_nothing() {
        let dir = tempfile::tempdir().unwrap();
        Clock::open(dir.path(), Past::None).unwrap().advance(T).unwrap();
        let mut clock = Clock::open(dir.path(), Past::Decided(None)).unwrap();
        let refused = clock.advance(after(-TOLERANCE - 1)).unwrap_err();
        assert_eq!(refused.code, Code::ClockRolledBack);
        // A small step back stands still, and does not lower the bound bit by bit.
        assert_eq!(clock.advance(after(-TOLERANCE)).unwrap(), T);
        assert_eq!(clock.advance(after(-TOLERANCE - 1)).unwrap_err().code, Code::ClockRolledBack);
        assert_eq!(clock.advance(after(1)).unwrap(), after(1));
    }

    #[test]
    fn a_look_is_guarded_and_leaves_no_memory() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::open(dir.path(), Past::None).unwrap();
        assert!(clock.look().unwrap() > UnixTime(0));
        assert_eq!(clock.highest(), UnixTime(0));
        assert!(!dir.path().join(FILE).exists());
        let ahead = Past::Decided(Some(UnixTime(system_time().0 + 2 * TOLERANCE)));
        record::write(&dir.path().join(FILE), &Memory { highest: 0 }).unwrap();
        let clock = Clock::open(dir.path(), ahead).unwrap();
        assert_eq!(clock.look().unwrap_err().code, Code::ClockRolledBack);
    }

    #[test]
    fn the_last_verdict_bounds_the_clock_too() {
        let dir = tempfile::tempdir().unwrap();
        Clock::open(dir.path(), Past::None).unwrap().advance(T).unwrap();
        let mut clock = Clock::open(dir.path(), Past::Decided(Some(after(1000)))).unwrap();
        assert_eq!(clock.highest(), after(1000));
        assert_eq!(clock.advance(after(500)).unwrap_err().code, Code::ClockRolledBack);
        let clock = Clock::open(dir.path(), Past::Decided(Some(after(-1000)))).unwrap();
        assert_eq!(clock.highest(), T);
    }

    #[test]
    fn a_memory_that_is_lost_or_damaged_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        for past in [Past::Decided(None), Past::Decided(Some(T))] {
            assert_eq!(Clock::open(dir.path(), past).unwrap_err().code, Code::StateDamaged);
        }
        for text in ["", "{}", "{\"highest\":\"1\"}", "{\"highest\":1,\"more\":2}"] {
            std::fs::write(dir.path().join(FILE), text).unwrap();
            let error = Clock::open(dir.path(), Past::None).unwrap_err();
            assert_eq!(error.code, Code::StateDamaged, "{text}");
        }
    }

    #[test]
    fn a_time_that_cannot_be_kept_is_not_given() {
        let dir = tempfile::tempdir().unwrap();
        let mut clock = Clock::open(&dir.path().join("gone"), Past::None).unwrap();
        assert!(clock.advance(T).is_err());
        assert_eq!(clock.highest(), UnixTime(0));
    }
}
