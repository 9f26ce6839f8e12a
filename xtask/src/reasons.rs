//! x
pub(crate) fn run(_check: bool) -> Result<(), crate::failure::Failure> { Ok(()) }
