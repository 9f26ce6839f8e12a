//! Every limit on what a carrier may make this appliance do, in one table.

use serde::{Deserialize, Serialize};

/// Limits for reading a bundle, its certificates and its statement. All are inclusive.
///
/// The defaults are the design's; a policy raises or lowers only the ones that it names under
/// `[manifest]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Bytes of a bundle file.
    pub bundle_bytes: u64,
    /// Nesting of JSON arrays and objects.
    pub json_depth: usize,
    /// Certificates in a bundle.
    pub certificates: usize,
    /// Bytes of one certificate in DER.
    pub certificate_bytes: usize,
    /// Entries of transparency logs in a bundle.
    pub log_entries: usize,
    /// Certificates of one path, leaf and anchor included.
    pub path_depth: usize,
    /// Candidate paths that are tried.
    pub path_candidates: usize,
    /// Signatures on certificates and CRLs that are checked for one path search.
    pub signature_checks: usize,
    /// RFC 3161 time stamps in a bundle.
    pub timestamps: usize,
    /// Bytes of one time stamp.
    pub timestamp_bytes: usize,
    /// Entries of a manifest.
    pub resources: usize,
    /// Bytes of a resource's path.
    pub name_bytes: usize,
    /// Bytes of one component of a path.
    pub component_bytes: usize,
    /// Components of a path.
    pub path_components: usize,
    /// Bytes of one file.
    pub file_bytes: u64,
    /// Bytes of all files of a model.
    pub total_bytes: u64,
    /// Attestations of one model.
    pub attestations: usize,
    /// Bytes of one attestation.
    pub attestation_bytes: u64,
    /// Bytes of the attestations of one model together: a further one is looked at while those
    /// before it have less.
    pub attestations_bytes: u64,
    /// Bytes of one CRL.
    pub crl_bytes: u64,
}

impl Budget {
    /// The memory in bytes that verifying a model of this size in place may take, and signing and
    /// receiving it, beside the buffers for reading (`[intake] memory`), the CRLs, the
    /// attestations and what a hostile file takes that is looked into: twice the bundle, one half KiB for each of its files, and the program itself.
    ///
    /// A bundle is held twice while its payload is decoded, then the payload with the list of what
    /// it names; a verdict takes the place of the bundle. For each further admitted bundle of one
    /// model its list comes on top.
    pub fn memory(&self) -> u64 {
        self.share(2, 512, 1)
    }

    /// The memory in bytes that all processes of a station together may take for a model of this
    /// size, beside the same: five times the bundle, one KiB for each of its files, and five times
    /// the program.
    ///
    /// The supervisor, the decider and the inspector, or the signer, hold the list of files at the
    /// same time, each in its own form, and what they pass one another besides.
    pub fn station_memory(&self) -> u64 {
        self.share(5, 1024, 5)
    }

    fn share(&self, bundles: u64, file: u64, programs: u64) -> u64 {
        const PROGRAM: u64 = 32 << 20;
        let bundles = self.bundle_bytes.saturating_mul(bundles);
        let files = file.saturating_mul(self.resources as u64);
        bundles.saturating_add(files).saturating_add(PROGRAM.saturating_mul(programs))
    }
}

impl Default for Budget {
    fn default() -> Self {
        const MIB: u64 = 1 << 20;
        const TIB: u64 = 1 << 40;
        Budget {
            bundle_bytes: 64 * MIB,
            json_depth: 32,
            certificates: 16,
            certificate_bytes: 64 << 10,
            log_entries: 8,
            path_depth: 8,
            path_candidates: 32,
            signature_checks: 64,
            timestamps: 8,
            timestamp_bytes: 64 << 10,
            resources: 100_000,
            name_bytes: 1024,
            component_bytes: 255,
            path_components: 64,
            file_bytes: 2 * TIB,
            total_bytes: 4 * TIB,
            attestations: 64,
            attestation_bytes: 16 * MIB,
            attestations_bytes: 64 * MIB,
            crl_bytes: 256 * MIB,
        }
    }
}
