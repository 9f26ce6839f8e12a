//! Tests of the whole of path validation on PKIs that they make themselves.
