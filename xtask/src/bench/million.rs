//! A bundle for a million files, which `sign` would refuse: its budget is the default one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use oms_testkit::files;
use oms_testkit::pki::Key;
use oms_verify::budget::Budget;
use oms_verify::bundle::{NewMaterial, assemble};
use oms_verify::dsse::{PAYLOAD_TYPE_IN_TOTO, pae};
use oms_verify::hash::{Digest, HashAlgorithm};
use oms_verify::key::PublicKey;
use oms_verify::name::ResourcePath;
use oms_verify::statement::{Manifest, ManifestFile, Method, Pieces, compose};

use crate::failure::Failure;

/// Files of the model.
pub(super) const FILES: u64 = 1_000_000;
/// Bytes of each name, so that the manifest has 300 MB.
pub(super) const NAME_BYTES: usize = 150;
/// What a policy says so that they pass.
pub(super) const LIMITS: &str = "max-files = 1_000_000\nmax-bundle-bytes = \"1GiB\"\n";

/// Writes the bundle of a model with these files and their SHA-256.
pub(super) fn sign(
    key: &Key,
    made: &[(String, [u8; 32])],
    bundle: &Path,
) -> Result<PathBuf, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::Bench {
        what: format!("cannot make a bundle of {} files: {error}", made.len()),
    };
    let budget = Budget { resources: made.len(), ..Budget::default() };
    let hash = HashAlgorithm::Sha256;
    let mut listed = Vec::new();
    for (path, digest) in made {
        let path = ResourcePath::parse(path, &budget).map_err(|error| failed(&error))?;
        let digest = Digest::new(hash, digest).map_err(|error| failed(&error))?;
        listed.push(ManifestFile { path, pieces: Pieces::Whole(digest) });
    }
    let manifest = Manifest::new(hash, Method::Files, Vec::new(), listed, &budget)
        .map_err(|error| failed(&error))?;
    let payload = compose("million", &BTreeMap::new(), &manifest);
    let signature = key.sign(&pae(PAYLOAD_TYPE_IN_TOTO, &payload));
    let public = PublicKey::from_spki_der(&key.public_der()).map_err(|error| failed(&error))?;
    Ok(files::public(bundle, assemble(&payload, &signature, &NewMaterial::Key(&public))))
}
