//! The peer's side: jobs for its Python interface.

use std::path::{Path, PathBuf};

use oms_testkit::peer::{Hashing, Job};

use super::{Direction, Prepared};

/// Signs the sound model of a case.
pub(crate) fn sign(one: &Prepared<'_>) -> Job {
    Job::Sign {
        model: one.models.sound.clone(),
        bundle: one.models.bundle.clone(),
        key: one.signer.key.clone(),
        certificate: one.signer.certificate.clone(),
        chain: one.signer.chain.clone(),
        hashing: hashing(one),
    }
}

/// Verifies `model` with the bundle of a case.
pub(crate) fn verify(
    one: &Prepared<'_>,
    model: &Path,
    as_stranger: bool,
    direction: Direction,
) -> Job {
    let trust = if as_stranger { &one.signer.stranger } else { &one.signer.trust };
    Job::Verify {
        model: model.to_owned(),
        bundle: one.models.bundle.clone(),
        key: trust.public_key.clone(),
        chain: trust.anchors.clone(),
        hashing: hashing(one),
        guess: direction != Direction::HereThereTold,
    }
}

fn hashing(one: &Prepared<'_>) -> Hashing {
    let mut ignore: Vec<PathBuf> = one.case.ignore.iter().map(PathBuf::from).collect();
    // The peer's command does the same with `--signature`.
    if one.case.bundle_inside {
        ignore.extend(one.models.bundle.file_name().map(PathBuf::from));
    }
    Hashing { hash: one.case.hash.to_owned(), shard_size: one.case.shard_size, ignore }
}
