//! Tests of the whole of path validation on PKIs that they make themselves, at a fixed time.

mod budget;
mod explain;
mod leaf;
mod limbo;
pub(super) mod maker;
mod name_constraints;
mod parse;
mod paths;
mod policies;
mod proof;
mod review;
mod revocation;
mod signatures;
mod usage;
mod vectors;
