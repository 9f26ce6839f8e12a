//! Failures of the station's own disk.

use std::io;
use std::path::Path;

use oms_verify::reason::{Code, Reason};

/// The reason for a write, a read or a rename of the station's own that failed: what it was doing,
/// and where.
pub(crate) fn failed(what: &str, error: &io::Error, path: &Path) -> Reason {
    Reason::new(Code::OutboundWrite, format!("{what}: {error}")).about(path.display().to_string())
}
