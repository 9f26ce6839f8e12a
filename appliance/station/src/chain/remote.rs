//! A model that others read: what the decider asks is what the copier and the inspector answer.

use std::os::fd::AsFd as _;
use std::sync::Arc;

use oms_sys::sealed::Sealed;
use oms_verify::attestation::AttestationSource;
use oms_verify::budget::Budget;
use oms_verify::observe::Observed;
use oms_verify::reason::{Code, Reason};
use oms_verify::statement::Manifest;

use super::messages::{Answer, Ask, Order, Place, Word};
use super::worker::{Attached, Link};
use crate::handover::{MOST_SEALED, Sight, manifest_to_json, sealed_with};
use crate::inspection::Findings;
use crate::pipeline::{Access, BundleFile};

/// The decider's access to one model.
pub(super) struct Remote<'a> {
    pub(super) supervisor: &'a Link,
    /// Given up when the copies are made: then the copier ends.
    pub(super) copier: Option<Link>,
    pub(super) budget: &'a Budget,
    /// Bundles that the model has.
    pub(super) bundles: usize,
    /// Bundles that were asked for.
    pub(super) asked: usize,
    /// The bundle that was given last.
    pub(super) last: Option<Arc<Sealed>>,
    /// The other place that holds the model, when it is not at home.
    pub(super) elsewhere: Option<usize>,
}

impl Remote<'_> {
    fn ask(&self, ask: &Ask, with: Option<&Sealed>) -> Result<(Answer, Attached), Reason> {
        let copier = self.copier.as_ref().ok_or_else(|| nonsense("copier"))?;
        question(copier, ask, with)
    }

    /// Has the copies looked at, by a process that never saw the carrier.
    fn inspect(&mut self, manifest: &Sealed) -> Result<Sight, Reason> {
        // The copier ends when nobody can ask it any more.
        self.copier = None;
        self.supervisor.send(&Word::Copied, &[])?;
        let (order, mut with) = self.supervisor.receive::<Order>()?;
        let Order::Inspector = order else { return Err(nonsense("supervisor")) };
        let inspector = with.link()?;
        with.end()?;
        let (answer, with) = question(&inspector, &Ask::Look, Some(manifest))?;
        seen(answer, with, self.budget, "inspector")
    }
}

fn question(other: &Link, ask: &Ask, with: Option<&Sealed>) -> Result<(Answer, Attached), Reason> {
    let with: Vec<_> = with.into_iter().map(Sealed::as_fd).collect();
    other.send(ask, &with)?;
    match other.receive()? {
        (Answer::Failed(reason), _) => Err(reason.0),
        answer => Ok(answer),
    }
}

fn seen(
    answer: Answer,
    mut with: Attached,
    budget: &Budget,
    who: &'static str,
) -> Result<Sight, Reason> {
    let Answer::Seen = answer else { return Err(nonsense(who)) };
    let sight = with.sealed(MOST_SEALED)?;
    with.end()?;
    Ok(Sight::from_json(sight.as_slice(), budget)?)
}

fn nonsense(who: &'static str) -> Reason {
    Reason::new(Code::ProcessProtocol, format!("the {who} answered what was not asked"))
}

/// Bytes that another process read.
pub(super) struct Bytes(Arc<Sealed>);

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        self.0.as_slice()
    }
}

impl Access for Remote<'_> {
    type Bytes = Bytes;

    fn next_bundle(&mut self) -> Option<Result<BundleFile<Bytes>, Reason>> {
        let number = self.asked;
        (number < self.bundles).then(|| {
            self.asked = number.saturating_add(1);
            let (answer, mut with) = self.ask(&Ask::Bundle(number), None)?;
            let Answer::Bundle { name, in_model, without } = answer else {
                return Err(nonsense("copier"));
            };
            let content = match without {
                Some((digest, reason)) => Err((digest, Box::new(reason.0))),
                None => {
                    let bytes = with.sealed(MOST_SEALED)?;
                    let bytes = Arc::new(bytes);
                    self.last = Some(Arc::clone(&bytes));
                    Ok(Bytes(bytes))
                }
            };
            with.end()?;
            Ok(BundleFile { name, in_model, content })
        })
    }

    fn keep_source(&mut self) -> Result<(), Reason> {
        let source = self.last.take().ok_or_else(|| nonsense("copier"))?;
        let name = crate::outbound::SOURCE.to_owned();
        self.supervisor.send(&Word::Keep { name }, &[source.as_fd()])
    }

    fn locate(&mut self, manifest: &Arc<Manifest>) -> Result<bool, Reason> {
        let (answer, with) = self.ask(&Ask::Locate, Some(&sealed(manifest)?))?;
        let Answer::Located(elsewhere) = answer else { return Err(nonsense("copier")) };
        with.end()?;
        self.elsewhere = elsewhere;
        Ok(elsewhere.is_some())
    }

    fn attestations(
        &mut self,
        beside: bool,
        most: usize,
    ) -> Result<(Vec<AttestationSource>, usize), Reason> {
        let (answer, mut with) = self.ask(&Ask::Attestations { beside, most }, None)?;
        let Answer::Attestations(left) = answer else { return Err(nonsense("copier")) };
        let list = with.sealed(MOST_SEALED)?;
        with.end()?;
        let places: Vec<Place> =
            serde_json::from_slice(list.as_slice()).map_err(|_| nonsense("copier"))?;
        if places.len() > most {
            return Err(nonsense("copier"));
        }
        Ok((places.into_iter().map(AttestationSource::from).collect(), left))
    }

    fn attestation(&mut self, number: usize, limit: u64) -> Result<Result<Bytes, Reason>, Reason> {
        let (answer, mut with) = self.ask(&Ask::Attestation { number, limit }, None)?;
        let Answer::Attestation(without) = answer else { return Err(nonsense("copier")) };
        let bytes = match without {
            Some(reason) => Err(reason.0),
            None => {
                let most = usize::try_from(limit).unwrap_or(MOST_SEALED);
                Ok(Bytes(Arc::new(with.sealed(most)?)))
            }
        };
        with.end()?;
        Ok(bytes)
    }

    fn keep_attestation(&mut self, name: &str, Bytes(bytes): Bytes) -> Result<(), Reason> {
        self.supervisor.send(&Word::Keep { name: name.to_owned() }, &[bytes.as_fd()])
    }

    /// What the copier saw counts for the decision. What the inspector saw in the copies must be
    /// the same, file for file.
    fn observe(
        &mut self,
        manifest: &Arc<Manifest>,
        _ignored: &[String],
    ) -> Result<(Observed, Findings), Reason> {
        let sealed = sealed(manifest)?;
        let (answer, with) = self.ask(&Ask::Copy, None)?;
        let copied = seen(answer, with, self.budget, "copier")?.observed;
        let Sight { observed: found, findings } = self.inspect(&sealed)?;
        drop(sealed);
        check_same(&copied, &found)?;
        Ok((copied, findings))
    }
}

/// That the copies are what was read of the carrier, and nothing else is beside them.
fn check_same(copied: &Observed, found: &Observed) -> Result<(), Reason> {
    let differs = |detail: &str, path: &str| {
        Err(Reason::new(Code::ProcessCopies, detail).about(path.to_owned()))
    };
    for (path, seen) in &copied.files {
        match found.files.get(path) {
            Some(copy) if copy == seen => {}
            Some(_) => {
                return differs("the copy has other bytes than were reported", path.as_str());
            }
            None => return differs("there is no copy of what was reported", path.as_str()),
        }
    }
    match found.unlisted.first() {
        Some(other) => differs("it is among the copies and not in the manifest", &other.path),
        None => Ok(()),
    }
}

fn sealed(manifest: &Manifest) -> Result<Sealed, Reason> {
    sealed_with(|writer| manifest_to_json(manifest, writer))
}

#[cfg(test)]
mod tests;
