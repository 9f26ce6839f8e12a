//! The whole way of one model, as the design's data flow tells it.
//!
//! ```text
//!  find ▶ parse ▶ trust ▶ open ▶ read once ▶ look inside ▶ decide ▶ sign ▶ publish
//! ```

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use oms_sys::beneath::{RegularFile, Root};
use oms_verify::appraise::{TrustContext, appraise};
use oms_verify::budget::Budget;
use oms_verify::bundle::{Bundle, BundleError};
use oms_verify::hash::{HashAlgorithm, Sha256Digest};
use oms_verify::pki::LeafProfile;
use oms_verify::reason::{Class, Code, Reason};
use oms_verify::statement::{Method, Pieces};
use oms_verify::time::UnixTime;
use oms_verify::verdict::{BundleOutcome, Case, Mode, Verdict, decide};

use crate::inspection::{Findings, Place, look_inside};
use crate::intake::{self, Quarantine, refusal_or_failure};
use crate::media::{Candidate, Location};
use crate::outbound::{Circumstances, Outbound, Published};
use crate::progress::Progress;
use crate::trust::Trust;

/// The largest bundle file whose digest is taken although it is too large to be read.
const MAX_HASHED_BUNDLE: u64 = 1 << 30;

/// A bundle file as it was read.
#[derive(Debug)]
pub struct BundleFile {
    /// Its name, for people and for the verdict.
    pub name: String,
    /// Its path inside the model's folder, where it lies there.
    pub in_model: Option<String>,
    /// Its bytes, or why they are not at hand; with the digest when it is known.
    pub content: Result<Vec<u8>, (Option<Sha256Digest>, Reason)>,
}

impl BundleFile {
    /// Reads the bundle at `path` for the model at `model`. The bundle's folder is the operator's
    /// choice; the file itself is opened like anything that a carrier holds.
    ///
    /// # Errors
    /// When there is no such file, or it cannot be read.
    pub fn at(path: &Path, model: &Path, budget: &Budget) -> Result<BundleFile, Reason> {
        let shown = path.display().to_string();
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let (Some(name), Ok(folder)) =
            (path.file_name().and_then(|n| n.to_str()), folder.canonicalize())
        else {
            return Err(Reason::new(Code::MediaNotFound, "there is no such bundle").about(shown));
        };
        let unreadable = |error: std::io::Error| {
            Reason::new(Code::BundleUnreadable, error.to_string()).about(&shown)
        };
        let root = Root::open(&folder).map_err(unreadable)?;
        let content = match root.file(name) {
            Ok(file) => read_bundle(&file, name, budget)?,
            Err(error) => {
                let reason = refusal_or_failure(error, name);
                match reason.code {
                    Code::ManifestMissingFile => {
                        let detail = "there is no such bundle";
                        return Err(Reason::new(Code::MediaNotFound, detail).about(shown));
                    }
                    code if code.class() == Class::Refusal => Err((None, reason)),
                    _ => return Err(reason),
                }
            }
        };
        let in_model = model.canonicalize().ok().filter(|model| model.is_dir()).and_then(|model| {
            let full = folder.join(name);
            full.strip_prefix(model).ok().and_then(|inside| inside.to_str()).map(str::to_owned)
        });
        Ok(BundleFile { name: name.to_owned(), in_model, content })
    }
}

/// How trust is decided for one model.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// Policy and CRLs.
    pub trust: &'a Trust,
    /// The time of the decision.
    pub time: UnixTime,
    /// The profile of signing certificates: strict everywhere but in the conformance adapter.
    pub leaf: LeafProfile,
    /// Paths inside the model that are ignored besides those that its signer ignores. They count
    /// as ignored, never as checked: a listed file below one must still be there and be right.
    /// None everywhere but in the conformance adapter: what to ignore is for signer and policy.
    pub ignored: &'a [String],
}

/// The station's clock.
pub fn now() -> UnixTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixTime(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

/// Ingests one candidate: from the carrier to an entry in outbound.
///
/// # Errors
/// When nothing could be decided, or the decision could not be published.
pub fn ingest(
    outbound: &mut Outbound,
    carrier: &Root,
    candidate: &Candidate,
    terms: Terms<'_>,
    progress: &Progress,
) -> Result<(Verdict, Published), Reason> {
    let location = candidate.open(carrier)?;
    let bundles = read_bundles(carrier, candidate, &terms.trust.policy.budget)?;
    let quarantine = outbound.quarantine()?;
    let name = candidate.name();
    let verdict = examine(name, &location, &bundles, terms, Some(&quarantine), progress)?;
    let found = bundles.iter().filter_map(|bundle| bundle.content.as_ref().ok());
    // `source.sig` is the bundle that the verdict was made from: the first admitted one.
    let admitted = verdict.admitted_bundle();
    let original = found.into_iter().find(|bytes| Some(Sha256Digest::of(bytes)) == admitted);
    let circumstances = Circumstances { crls: &terms.trust.crl_digests };
    let source_bundle = original.map(Vec::as_slice).unwrap_or_default();
    let published = outbound.publish(&verdict, quarantine, source_bundle, circumstances)?;
    Ok((verdict, published))
}

/// Decides about a model: into `quarantine` when there is one, else in place.
///
/// # Errors
/// When nothing could be decided.
pub fn examine(
    name: &str,
    location: &Location,
    bundles: &[BundleFile],
    terms: Terms<'_>,
    quarantine: Option<&Quarantine>,
    progress: &Progress,
) -> Result<Verdict, Reason> {
    let policy = &terms.trust.policy;
    let context = TrustContext { crls: &terms.trust.crls, time: terms.time, leaf: terms.leaf };
    let mut outcomes: Vec<BundleOutcome> =
        bundles.iter().map(|file| appraise_file(file, terms, &context)).collect();

    let mut observed = None;
    let mut looked = Findings::default();
    let mut is_beside = false;
    if let Some(admitted) = outcomes.iter().find_map(|outcome| outcome.result.as_ref().ok()) {
        let manifest = admitted.statement().manifest();
        let source = location.of(manifest);
        is_beside = !std::ptr::eq(source, &location.model);
        let seen =
            intake::read(source, manifest, terms.ignored, &policy.budget, quarantine, progress)?;
        let place = quarantine.map_or(Place::InPlace(source), Place::Copies);
        looked = look_inside(place, manifest, &seen)?;
        observed = Some(seen);
    }
    if is_beside {
        // The bundle lies outside the model after all: a file of its name in there is not it.
        outcomes.iter_mut().for_each(|outcome| outcome.in_model = None);
    }
    Ok(decide(Case {
        policy,
        time: terms.time,
        mode: if quarantine.is_some() { Mode::Ingest } else { Mode::InPlace },
        alleged_name: name.to_owned(),
        bundles: outcomes,
        observed,
        findings: looked.findings,
        checks: looked.checks,
    }))
}

fn appraise_file(file: &BundleFile, terms: Terms<'_>, context: &TrustContext<'_>) -> BundleOutcome {
    let policy = &terms.trust.policy;
    let (digest, result) = match &file.content {
        Err((digest, reason)) => (*digest, Err(vec![reason.clone()])),
        Ok(bytes) => {
            let result = match Bundle::parse(bytes, &policy.budget) {
                Ok(bundle) => appraise(policy, &bundle, &file.name, context),
                Err(error) => Err(vec![Reason::from(&error).about(&file.name)]),
            };
            (Some(Sha256Digest::of(bytes)), result)
        }
    };
    BundleOutcome { file: file.name.clone(), in_model: file.in_model.clone(), digest, result }
}

fn read_bundles(
    carrier: &Root,
    candidate: &Candidate,
    budget: &Budget,
) -> Result<Vec<BundleFile>, Reason> {
    candidate
        .bundles
        .iter()
        .map(|path| {
            let name = path.rsplit('/').next().unwrap_or(path).to_owned();
            let content = match carrier.file(path) {
                Ok(file) => read_bundle(&file, path, budget)?,
                Err(error) => {
                    let reason = refusal_or_failure(error, path);
                    if reason.code.class() != Class::Refusal {
                        return Err(reason);
                    }
                    Err((None, reason))
                }
            };
            let in_model = candidate.inside(path).map(str::to_owned);
            Ok(BundleFile { name, in_model, content })
        })
        .collect()
}

/// Reads a bundle file within the budget. One that is too large is only hashed, so that a verdict
/// can name it.
///
/// # Errors
/// When it cannot be read.
#[expect(clippy::type_complexity, reason = "the content of a BundleFile, or a failure")]
pub fn read_bundle(
    file: &RegularFile,
    path: &str,
    budget: &Budget,
) -> Result<Result<Vec<u8>, (Option<Sha256Digest>, Reason)>, Reason> {
    let (size, limit) = (file.size(), budget.bundle_bytes);
    let too_large = size > limit;
    let refusal = || Reason::from(&BundleError::TooLarge { size, limit }).about(path);
    if size > MAX_HASHED_BUNDLE.max(limit) {
        return Ok(Err((None, refusal())));
    }
    let mut bytes = Vec::new();
    let hashed = intake::hash_file(
        file,
        HashAlgorithm::Sha256,
        Method::Files,
        &Progress::hidden(),
        |part| {
            if !too_large {
                bytes.extend_from_slice(part);
            }
            Ok(())
        },
    );
    match hashed {
        Ok((_, Pieces::Whole(digest))) if too_large => {
            let digest = digest.as_bytes().try_into().ok().map(Sha256Digest);
            Ok(Err((digest, refusal())))
        }
        Ok(_) => Ok(Ok(bytes)),
        Err(reason) if reason.code == Code::MediaChanged => Ok(Err((None, reason.about(path)))),
        Err(failure) => Err(failure.about(path)),
    }
}
