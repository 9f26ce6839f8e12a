//! The copier: it has the carrier and one folder of the spool. It finds models, gives out bundles
//! and attestations, and copies the files of a signed manifest with the digests of what it read.

use std::os::fd::AsFd as _;
use std::path::Path;
use std::sync::Arc;

use oms_sys::beneath::Root;
use oms_sys::sealed::Sealed;
use oms_verify::reason::{Code, Reason};
use oms_verify::statement::Manifest;

use super::heartbeat::Heartbeat;
use super::messages::{Answer, Ask, Means, Order, Place, Word};
use super::worker::Link;
use crate::attestations;
use crate::handover::{
    MOST_SEALED, MOST_SURVEY, Sight, Survey, manifest_from_json, sealed_copy, sealed_json,
    sealed_with,
};
use crate::intake::{self, Quarantine, Reading, alone};
use crate::media::{Candidate, Location, Lying, find, limits};
use crate::pipeline::bundle_on;
use crate::process::wire::WireReason;
use crate::progress::Progress;

/// Serves until the supervisor, or the decider, hangs up.
///
/// # Errors
/// When it cannot, for reasons other than a model's.
pub(crate) fn serve(
    supervisor: &Arc<Link>,
    carrier: Arc<Root>,
    shown: &Path,
    into: Option<&Path>,
) -> Result<(), Reason> {
    let (order, mut with) = supervisor.receive::<Order>()?;
    match order {
        Order::Survey(means) => {
            with.end()?;
            let progress = Arc::new(Progress::hidden());
            let heartbeat = Heartbeat::start(Arc::clone(supervisor), Arc::clone(&progress))?;
            let found = find(&carrier, shown, &means.budget, &means.reading(&progress))?;
            drop(heartbeat);
            let sealed = sealed_with(|writer| Survey::from(found).to_json(writer))?;
            Ok(supervisor.send(&Word::Surveyed, &[sealed.as_fd()])?)
        }
        Order::Serve { means, candidate, room } => {
            let survey = with.sealed(MOST_SURVEY)?;
            let decider = with.link()?;
            with.end()?;
            let survey = Survey::from_json(survey.as_slice())?;
            let model = survey.candidates.into_iter().nth(candidate).ok_or_else(missing)?;
            let into = into.ok_or_else(missing)?;
            let progress = Arc::new(Progress::hidden());
            let _heartbeat = Heartbeat::start(Arc::clone(supervisor), Arc::clone(&progress))?;
            let copier = Copier {
                quarantine: Quarantine::at(into).with_room(room),
                reading: means.reading(&progress),
                means: &means,
                taken: 0,
                located: None,
                carrier,
                attestations: survey.attestations,
                lying: Vec::new(),
                model,
            };
            copier.answer(&decider)
        }
        _ => Err(missing()),
    }
}

/// What the supervisor asked for is not there: it hands out what a survey found.
fn missing() -> Reason {
    Reason::new(Code::ProcessProtocol, "the order is not one for a copier")
}

/// The copier of one model.
struct Copier<'a> {
    carrier: Arc<Root>,
    model: Candidate,
    attestations: crate::media::Attestations,
    quarantine: Quarantine,
    means: &'a Means,
    reading: Reading<'a>,
    /// Bytes of the bundles that were given out.
    taken: u64,
    /// Where the model is, once its manifest is known.
    located: Option<Located>,
    /// The attestations that were listed, by number.
    lying: Vec<(String, Option<String>)>,
}

/// A model whose signed manifest is known.
struct Located {
    location: Location,
    manifest: Arc<Manifest>,
    elsewhere: Option<usize>,
}

impl Copier<'_> {
    /// Answers until the other end hangs up. A failure is told and ends it.
    fn answer(mut self, decider: &Link) -> Result<(), Reason> {
        while let Some((ask, mut with)) = decider.next::<Ask>()? {
            let manifest = match ask {
                Ask::Locate => {
                    let sealed = with.sealed(MOST_SEALED)?;
                    Some(manifest_from_json(sealed.as_slice(), &self.means.budget)?)
                }
                _ => None,
            };
            with.end()?;
            match self.answer_to(ask, manifest) {
                Ok((answer, bytes)) => {
                    let bytes: Vec<_> = bytes.iter().map(Sealed::as_fd).collect();
                    decider.send(&answer, &bytes)?;
                }
                Err(reason) => {
                    decider.send(&Answer::Failed(WireReason(reason)), &[])?;
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn answer_to(
        &mut self,
        ask: Ask,
        manifest: Option<Manifest>,
    ) -> Result<(Answer, Option<Sealed>), Reason> {
        match (ask, manifest) {
            (Ask::Bundle(number), _) => self.bundle(number),
            (Ask::Locate, Some(manifest)) => self.locate(Arc::new(manifest)),
            (Ask::Attestations { beside, most }, _) => self.list_attestations(beside, most),
            (Ask::Attestation { number, limit }, _) => self.attestation(number, limit),
            (Ask::Copy, _) => self.copy(),
            (Ask::Locate | Ask::Look, _) => Err(missing()),
        }
    }

    fn bundle(&mut self, number: usize) -> Result<(Answer, Option<Sealed>), Reason> {
        let path = self.model.bundles.get(number).ok_or_else(missing)?;
        let budget = &self.means.budget;
        let most = budget.bundle_bytes.saturating_mul(limits::BUNDLE_SHARE);
        let content = if self.taken < most {
            let (size, content) = bundle_on(&self.carrier, path, budget, &self.reading)?;
            self.taken = self.taken.saturating_add(size);
            content
        } else {
            let detail = format!("the bundles before it have {most} bytes or more together");
            Err((None, Box::new(Reason::new(Code::BundleTooLarge, detail).about(path))))
        };
        let name = path.rsplit('/').next().unwrap_or(path).to_owned();
        let in_model = self.model.inside(path).map(str::to_owned);
        let (bytes, without) = match content {
            Ok(bytes) => (Some(sealed_copy(&bytes)?), None),
            Err((digest, reason)) => (None, Some((digest, WireReason(*reason)))),
        };
        Ok((Answer::Bundle { name, in_model, without }, bytes))
    }

    fn locate(&mut self, manifest: Arc<Manifest>) -> Result<(Answer, Option<Sealed>), Reason> {
        let location = {
            let (carrier, model) = (Arc::clone(&self.carrier), self.model.clone());
            alone(&self.reading, move |_| model.open(&carrier))?
        };
        let elsewhere = location.of(&manifest, &self.reading)?;
        self.located = Some(Located { location, manifest, elsewhere });
        Ok((Answer::Located(elsewhere), None))
    }

    fn list_attestations(
        &mut self,
        beside: bool,
        most: usize,
    ) -> Result<(Answer, Option<Sealed>), Reason> {
        let Located { location, manifest, elsewhere } =
            self.located.as_ref().ok_or_else(missing)?;
        let place = self.model.place(*elsewhere);
        let (mut lying, left) = self.attestations.of(&self.carrier, place, beside, most);
        let source = location.source(*elsewhere);
        lying.retain(|one| !one.is_listed(source, manifest));
        let places: Vec<Place> = lying.iter().map(|one| one.source().into()).collect();
        self.lying =
            lying.into_iter().map(|Lying { path, in_model, .. }| (path, in_model)).collect();
        Ok((Answer::Attestations(left), Some(sealed_json(&places)?)))
    }

    fn attestation(
        &mut self,
        number: usize,
        limit: u64,
    ) -> Result<(Answer, Option<Sealed>), Reason> {
        let (path, in_model) = self.lying.get(number).ok_or_else(missing)?.clone();
        let lying = Lying { root: &self.carrier, path, in_model };
        match attestations::read(&lying, limit, &self.reading)? {
            Ok(bytes) => Ok((Answer::Attestation(None), Some(sealed_copy(&bytes)?))),
            Err(reason) => Ok((Answer::Attestation(Some(WireReason(reason))), None)),
        }
    }

    fn copy(&mut self) -> Result<(Answer, Option<Sealed>), Reason> {
        let Located { location, manifest, elsewhere } =
            self.located.as_ref().ok_or_else(missing)?;
        let (source, budget) = (location.source(*elsewhere), &self.means.budget);
        let copies = Some(&self.quarantine);
        let observed = intake::read(source, manifest, &[], budget, copies, &self.reading)?;
        let how = (manifest.hash(), manifest.method());
        let sight = Sight { observed, ..Sight::default() };
        Ok((Answer::Seen, Some(sealed_with(|writer| sight.to_json(how, writer))?)))
    }
}
