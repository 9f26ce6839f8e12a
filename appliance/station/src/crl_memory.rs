//! The newest CRLs that the station has used, kept over restarts: an old CRL that is put back could
//! hide a revocation.

use std::path::{Path, PathBuf};

use oms_verify::pki::CrlFloors;
use oms_verify::reason::Reason;

use crate::clock::Past;
use crate::record::{self, damaged};

const FILE: &str = "crl-floors.json";
/// Bytes of the memory: some 300 for each of 16,384 issuers.
const LIMIT: u64 = 16 << 20;

/// What is kept in the station's state about CRLs.
#[derive(Debug)]
pub struct CrlMemory {
    path: PathBuf,
    /// What is on disk; `None` before the first decision.
    kept: Option<CrlFloors>,
}

impl CrlMemory {
    /// Opens the memory in the folder `state`, whose lock the caller holds. A new station has
    /// none yet.
    ///
    /// # Errors
    /// When it cannot be read, is damaged, or is missing although `past` tells of decisions.
    pub fn open(state: &Path, past: Past) -> Result<Self, Reason> {
        let path = state.join(FILE);
        let kept = match (record::read_bytes(&path, LIMIT)?, past) {
            (Some(bytes), _) => {
                Some(CrlFloors::parse(&bytes).map_err(|error| damaged(&error.to_string(), &path))?)
            }
            (None, Past::None) => None,
            (None, Past::Decided(_)) => {
                return Err(damaged("which CRLs the station has used is lost", &path));
            }
        };
        Ok(CrlMemory { path, kept })
    }

    /// Below what no CRL counts.
    pub fn floors(&self) -> CrlFloors {
        self.kept.clone().unwrap_or_default()
    }

    /// Keeps what a decision has `raised` beside what is kept: another decision may have been made
    /// meanwhile. To be called before the decision goes out, passed or refused.
    ///
    /// # Errors
    /// When it cannot be made durable.
    pub fn keep(&mut self, raised: CrlFloors) -> Result<(), Reason> {
        let mut kept = self.floors();
        kept.join(raised);
        if self.kept.as_ref() != Some(&kept) {
            record::write_bytes(&self.path, &kept.to_json())?;
            self.kept = Some(kept);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use oms_verify::reason::Code;

    use super::*;

    #[test]
    fn what_a_decision_raised_is_there_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let mut memory = CrlMemory::open(dir.path(), Past::None).unwrap();
        assert!(memory.floors().is_empty());
        memory.keep(CrlFloors::default()).unwrap();
        assert!(CrlMemory::open(dir.path(), Past::Decided(None)).is_ok(), "kept even if empty");
    }

    #[test]
    fn a_memory_that_is_larger_than_it_can_be_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let file = std::fs::File::create(dir.path().join(FILE)).unwrap();
        file.set_len(LIMIT + 1).unwrap();
        let error = CrlMemory::open(dir.path(), Past::None).unwrap_err();
        assert_eq!(error.code, Code::StateDamaged);
    }

    #[test]
    fn a_memory_that_is_lost_or_damaged_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let code = |past| CrlMemory::open(dir.path(), past).unwrap_err().code;
        assert_eq!(code(Past::Decided(None)), Code::StateDamaged);
        for text in ["", "{}", "{\"floors\":[{}]}"] {
            std::fs::write(dir.path().join(FILE), text).unwrap();
            assert_eq!(code(Past::None), Code::StateDamaged, "{text}");
        }
    }
}
