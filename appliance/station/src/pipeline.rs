//! The whole way of one model, as the design's data flow tells it.
//!
//! ```text
//!  find ▶ parse ▶ trust ▶ open ▶ attestations ▶ read once ▶ look inside ▶ decide ▶ sign ▶ publish
//! ```

use std::path::Path;
use std::sync::Arc;

use oms_sys::beneath::{RegularFile, Root};
use oms_verify::appraise::{TrustContext, appraise};
use oms_verify::budget::Budget;
use oms_verify::bundle::{Bundle, BundleError};
use oms_verify::hash::{HashAlgorithm, Sha256Digest};
use oms_verify::pki::Profile;
use oms_verify::reason::{Class, Code, Reason};
use oms_verify::statement::{Method, Pieces};
use oms_verify::time::UnixTime;
use oms_verify::verdict::{BundleOutcome, Case, Mode, Verdict, decide};

use crate::attestations::{self, Whereabouts};
use crate::inspection::{Findings, Inspected, Place, look_inside};
use crate::intake::{
    self, Pulse, Quarantine, Reading, Settings, absent_or_unreadable, alone, refusal_or_failure,
};
use crate::journal::CarrierId;
use crate::media::{Attestations, Candidate, InPlace, Location, limits};
use crate::outbound::{Intake, Outbound, Published};
use crate::progress::Progress;
use crate::trust::Trust;

/// The largest bundle file whose digest is taken although it is too large to be read.
const MAX_HASHED_BUNDLE: u64 = 1 << 30;

/// The bytes of a bundle file, or why they are not at hand; with the digest when it is known.
pub type Content = Result<Vec<u8>, (Option<Sha256Digest>, Reason)>;

/// A bundle file as it was read.
#[derive(Debug)]
pub struct BundleFile {
    /// Its name, for people and for the verdict.
    pub name: String,
    /// Its path inside the model's folder, where it lies there.
    pub in_model: Option<String>,
    /// What is in it.
    pub content: Content,
}

impl BundleFile {
    /// Reads the bundle at `path` for the model at `model`. The bundle's folder is the operator's
    /// choice; the file itself is opened like anything that a carrier holds.
    ///
    /// # Errors
    /// When there is no such file, it cannot be read, or what holds it gives no answer for as long
    /// as `reading` waits.
    pub fn at(
        path: &Path,
        model: &Path,
        budget: &Budget,
        reading: &Reading<'_>,
    ) -> Result<BundleFile, Reason> {
        let read = {
            let (path, model, budget) = (path.to_owned(), model.to_owned(), budget.clone());
            move |pulse: &Pulse| BundleFile::read(&path, &model, &budget, pulse)
        };
        alone(reading, read).map_err(|mut reason| {
            reason.file.get_or_insert_with(|| path.display().to_string());
            reason
        })
    }

    fn read(
        path: &Path,
        model: &Path,
        budget: &Budget,
        pulse: &Pulse,
    ) -> Result<BundleFile, Reason> {
        let shown = path.display().to_string();
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            return Err(Reason::new(Code::MediaNotFound, "there is no such bundle").about(shown));
        };
        let folder = folder.canonicalize().map_err(|error| absent_or_unreadable(&error, path))?;
        let unreadable = |error: std::io::Error| {
            Reason::new(Code::BundleUnreadable, error.to_string()).about(&shown)
        };
        let root = Root::open(&folder).map_err(unreadable)?;
        let content = match root.file(name) {
            Ok(file) => read_bundle(&file, name, budget, &|| pulse.go_on())?,
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
        let wrong = |error: std::io::Error| absent_or_unreadable(&error, model);
        let model = model.canonicalize().map_err(wrong)?;
        let full = folder.join(name);
        let in_model = match full.strip_prefix(&model) {
            Ok(inside) if model.metadata().map_err(wrong)?.is_dir() => inside.to_str(),
            _ => None,
        };
        let in_model = in_model.map(str::to_owned);
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
    pub profile: Profile,
    /// Paths inside the model that are ignored besides those that its signer ignores. They count
    /// as ignored, never as checked: a listed file below one must still be there and be right.
    /// None everywhere but in the conformance adapter: what to ignore is for signer and policy.
    pub ignored: &'a [String],
    /// The means of reading.
    pub intake: Settings,
}

impl Terms<'_> {
    /// How a model is read on these terms.
    fn reading<'a>(&self, progress: &'a Progress) -> Reading<'a> {
        Reading { settings: self.intake, rules: self.trust.policy.media, progress }
    }

    /// What trust in a signer is decided with.
    pub(crate) fn context(&self) -> TrustContext<'_> {
        TrustContext { crls: &self.trust.crls, time: self.time, profile: self.profile }
    }
}

/// A model that was decided about and whose verdict is out.
#[derive(Debug)]
pub struct Ingested<'a> {
    /// Where it lies on the carrier: what the signed manifest chose.
    pub path: &'a str,
    /// The decision.
    pub verdict: Verdict,
    /// Its entry.
    pub published: Published,
}

/// Ingests one candidate of the carrier that is recorded as `visit`: from the carrier to an entry in outbound.
///
/// # Errors
/// When nothing could be decided, or the decision could not be published.
pub fn ingest<'a>(
    outbound: &mut Outbound,
    visit: CarrierId,
    carrier: &Arc<Root>,
    candidate: &'a Candidate,
    attestations: &Attestations,
    terms: Terms<'_>,
    progress: &Progress,
) -> Result<Ingested<'a>, Reason> {
    let intake = outbound.begin(visit, &candidate.model)?;
    let id = intake.id;
    let ingested = into(outbound, intake, carrier, candidate, attestations, terms, progress);
    ingested.or_else(|reason| outbound.fail(id, reason))
}

/// The way of a model whose reading has been recorded.
fn into<'a>(
    outbound: &mut Outbound,
    intake: Intake,
    carrier: &Arc<Root>,
    candidate: &'a Candidate,
    attestations: &Attestations,
    terms: Terms<'_>,
    progress: &Progress,
) -> Result<Ingested<'a>, Reason> {
    let location = {
        let (carrier, candidate) = (Arc::clone(carrier), candidate.clone());
        alone(&terms.reading(progress), move |_| candidate.open(&carrier))?
    };
    let quarantine = &intake.quarantine;
    let outcomes = appraise_all(carrier, candidate, terms, progress, quarantine)?;
    let name = candidate.name();
    let whereabouts = Whereabouts::Carrier(carrier, candidate, attestations);
    let (verdict, other) =
        conclude(name, &location, outcomes, whereabouts, terms, Some(quarantine), progress)?;
    // The last moment: what was begun to be published is ended.
    progress.check()?;
    outbound.crl_memory.keep(terms.trust.crls.raised())?;
    let crls = &terms.trust.crl_digests;
    let published = outbound.publish(&verdict, intake, crls)?;
    Ok(Ingested { path: candidate.path(other), verdict, published })
}

/// Decides about a model: into `quarantine` when there is one, else in place. Of `bundles` one at a
/// time is taken and held, since each may be large.
///
/// # Errors
/// When nothing could be decided, or a bundle is an error.
pub fn examine(
    name: &str,
    location: &Location,
    bundles: impl IntoIterator<Item = Result<BundleFile, Reason>>,
    attestations: &InPlace,
    terms: Terms<'_>,
    quarantine: Option<&Quarantine>,
    progress: &Progress,
) -> Result<Verdict, Reason> {
    let outcomes = bundles.into_iter().map(|file| Ok(appraise_file(file?, terms)));
    let outcomes = outcomes.collect::<Result<_, Reason>>()?;
    let attestations = Whereabouts::InPlace(attestations);
    conclude(name, location, outcomes, attestations, terms, quarantine, progress)
        .map(|(verdict, _)| verdict)
}

/// From the appraised bundles to the verdict, with the number of the other place that holds the
/// model when it is not at home.
fn conclude(
    name: &str,
    location: &Location,
    mut outcomes: Vec<BundleOutcome>,
    whereabouts: Whereabouts<'_>,
    terms: Terms<'_>,
    quarantine: Option<&Quarantine>,
    progress: &Progress,
) -> Result<(Verdict, Option<usize>), Reason> {
    let policy = &terms.trust.policy;
    let mut attested = (Vec::new(), 0);
    let mut observed = None;
    let mut looked = Findings::default();
    let mut elsewhere = None;
    if let Some(admitted) = outcomes.iter().find_map(|outcome| outcome.result.as_ref().ok()) {
        let manifest = admitted.statement().manifest();
        let reading = terms.reading(progress);
        elsewhere = location.of(manifest, &reading)?;
        let source = location.source(elsewhere);
        attested = attestations::look_at(
            whereabouts,
            elsewhere,
            source,
            admitted,
            terms,
            quarantine,
            &reading,
        )?;
        let budget = &policy.budget;
        if let Some(copies) = quarantine {
            // The copies are looked into: they are what will be published.
            let ignored = terms.ignored;
            let seen = intake::read(source, manifest, ignored, budget, quarantine, &reading)?;
            let place = Place::Copies(copies);
            looked = look_inside(place, manifest, &seen, Inspected::default(), progress)?;
            observed = Some(seen);
        } else {
            let (seen, inspected) =
                intake::read_in_place(source, manifest, terms.ignored, budget, &reading)?;
            let (source, manifest) = (source.clone(), Arc::clone(manifest));
            let aside = progress.aside();
            let look = move |pulse: &Pulse| {
                let place = Place::InPlace(&source, pulse);
                look_inside(place, &manifest, &seen, inspected, &aside).map(|found| (found, seen))
            };
            let (found, seen) = alone(&reading, look)?;
            (looked, observed) = (found, Some(seen));
        }
    }
    if elsewhere.is_some() {
        // The bundle lies outside the model after all: a file of its name in there is not it.
        outcomes.iter_mut().for_each(|outcome| outcome.in_model = None);
    }
    let verdict = decide(Case {
        policy,
        time: terms.time,
        mode: if quarantine.is_some() { Mode::Ingest } else { Mode::InPlace },
        alleged_name: name.to_owned(),
        bundles: outcomes,
        attestations: attested.0,
        attestations_left: attested.1,
        observed,
        findings: looked.findings,
        checks: looked.checks,
    });
    Ok((verdict, elsewhere))
}

/// Reads and appraises the bundles of a candidate one after another. The bytes of the first
/// admitted one are kept in `quarantine` as they were found: they become `source.sig`.
fn appraise_all(
    carrier: &Arc<Root>,
    candidate: &Candidate,
    terms: Terms<'_>,
    progress: &Progress,
    quarantine: &Quarantine,
) -> Result<Vec<BundleOutcome>, Reason> {
    let budget = &terms.trust.policy.budget;
    let most = budget.bundle_bytes.saturating_mul(limits::BUNDLE_SHARE);
    let mut taken = 0u64;
    let mut outcomes: Vec<BundleOutcome> = Vec::with_capacity(candidate.bundles.len());
    let mut has_source = false;
    for path in &candidate.bundles {
        let content = if taken < most {
            let (size, content) = bundle_on(carrier, path, budget, &terms.reading(progress))?;
            taken = taken.saturating_add(size);
            content
        } else {
            let detail = format!("the bundles before it have {most} bytes or more together");
            Err((None, Reason::new(Code::BundleTooLarge, detail).about(path)))
        };
        let name = path.rsplit('/').next().unwrap_or(path).to_owned();
        let in_model = candidate.inside(path).map(str::to_owned);
        let file = BundleFile { name, in_model, content };
        // Written before it is known whether it is admitted, so that it need not be held until then.
        if let (false, Ok(bytes)) = (has_source, &file.content) {
            quarantine.keep_source(bytes)?;
        }
        let outcome = appraise_file(file, terms);
        if !has_source && outcome.result.is_err() {
            quarantine.drop_source()?;
        }
        has_source |= outcome.result.is_ok();
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

/// The size and the content of the bundle at `path` on a carrier.
fn bundle_on(
    carrier: &Arc<Root>,
    path: &str,
    budget: &Budget,
    reading: &Reading<'_>,
) -> Result<(u64, Content), Reason> {
    let read = {
        let (carrier, path, budget) = (Arc::clone(carrier), path.to_owned(), budget.clone());
        move |pulse: &Pulse| match carrier.file(&path) {
            Ok(file) => {
                let content = read_bundle(&file, &path, &budget, &|| pulse.go_on())?;
                Ok((file.size(), content))
            }
            Err(error) => match refusal_or_failure(error, &path) {
                refusal if refusal.code.class() == Class::Refusal => Ok((0, Err((None, refusal)))),
                failure => Err(failure),
            },
        }
    };
    alone(reading, read).map_err(|mut reason| {
        reason.file.get_or_insert_with(|| path.to_owned());
        reason
    })
}

/// The text of the bundle is let go before its payload is read.
fn appraise_file(file: BundleFile, terms: Terms<'_>) -> BundleOutcome {
    let policy = &terms.trust.policy;
    let context = terms.context();
    let BundleFile { name, in_model, content } = file;
    let (digest, result) = match content {
        Err((digest, reason)) => (digest, Err(vec![reason])),
        Ok(bytes) => match Bundle::parse(&bytes, &policy.budget) {
            Ok(bundle) => {
                drop(bytes);
                (Some(bundle.digest()), appraise(policy, &bundle, &name, &context))
            }
            Err(error) => {
                let reason = Reason::from(&error).about(&name);
                (Some(Sha256Digest::of(&bytes)), Err(vec![reason]))
            }
        },
    };
    BundleOutcome { file: name, in_model, digest, result }
}

/// Reads a bundle file within the budget. One that is too large is only hashed, so that a verdict
/// can name it. `go_on` hears of each answer of what holds it, and may end the reading.
///
/// # Errors
/// When it cannot be read, or `go_on` fails.
pub fn read_bundle(
    file: &RegularFile,
    path: &str,
    budget: &Budget,
    go_on: &dyn Fn() -> Result<(), Reason>,
) -> Result<Content, Reason> {
    let (size, limit) = (file.size(), budget.bundle_bytes);
    let refusal = || Reason::from(&BundleError::TooLarge { size, limit }).about(path);
    let progress = Progress::hidden();
    let content = if size <= limit {
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
        let keep = |part: &[u8]| {
            bytes.extend_from_slice(part);
            go_on()
        };
        intake::read_through(file, &progress, keep).map(|()| Ok(bytes))
    } else if size <= MAX_HASHED_BUNDLE {
        let (hash, method) = (HashAlgorithm::Sha256, Method::Files);
        intake::hash_file(file, hash, method, &progress, |_| go_on()).map(|(_, pieces)| {
            let digest = match pieces {
                Pieces::Whole(digest) => digest.as_bytes().try_into().ok().map(Sha256Digest),
                Pieces::Shards(_) => None,
            };
            Err((digest, refusal()))
        })
    } else {
        Ok(Err((None, refusal())))
    };
    match content {
        Err(reason) if reason.code == Code::MediaChanged => Ok(Err((None, reason.about(path)))),
        Err(failure) => Err(failure.about(path)),
        Ok(content) => Ok(content),
    }
}
