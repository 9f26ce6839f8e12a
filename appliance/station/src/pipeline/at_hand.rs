//! A model that is read in this process, where it lies.

use std::sync::Arc;

use oms_verify::attestation::AttestationSource;
use oms_verify::observe::Observed;
use oms_verify::policy::Policy;
use oms_verify::reason::Reason;
use oms_verify::statement::Manifest;

use super::{Access, BundleFile};
use crate::attestations;
use crate::inspection::{Findings, Place, look_inside};
use crate::intake::{self, Pulse, Reading, alone};
use crate::media::{InPlace, Location, Lying};
use crate::scanner::{self, Scanner, Scanning};

/// A model at hand, with what lies about it.
pub(super) struct AtHand<'a, I> {
    pub(super) location: &'a Location,
    pub(super) bundles: I,
    pub(super) attestations: &'a InPlace,
    pub(super) policy: &'a Policy,
    pub(super) reading: Reading<'a>,
    /// The other place that holds the model, when it is not at home.
    elsewhere: Option<usize>,
    /// What the model's files are, once that is known.
    manifest: Option<Arc<Manifest>>,
    /// The attestations that were asked for.
    lying: Vec<Lying<'a>>,
    scanner: Option<Arc<Scanner>>,
}

impl<'a, I> AtHand<'a, I> {
    pub(super) fn new(
        location: &'a Location,
        bundles: I,
        attestations: &'a InPlace,
        policy: &'a Policy,
        reading: Reading<'a>,
    ) -> Self {
        AtHand {
            location,
            bundles,
            attestations,
            policy,
            reading,
            elsewhere: None,
            manifest: None,
            lying: Vec::new(),
            scanner: None,
        }
    }

    /// With the virus scanner that is there.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub(super) fn scanned_by(self, scanner: Option<&scanner::Settings>) -> Result<Self, Reason> {
        let Some(settings) = scanner else { return Ok(self) };
        let connected = settings.connect()?;
        let what = Scanning::new(settings, &connected, &self.policy.content.scanner);
        let scanner = Some(Arc::new(Scanner::new(what, connected.sessions)));
        Ok(AtHand { scanner, ..self })
    }
}

impl<I: Iterator<Item = Result<BundleFile, Reason>>> Access for AtHand<'_, I> {
    type Bytes = Vec<u8>;

    fn next_bundle(&mut self) -> Option<Result<BundleFile, Reason>> {
        self.bundles.next()
    }

    fn keep_source(&mut self) -> Result<(), Reason> {
        Ok(())
    }

    fn locate(&mut self, manifest: &Arc<Manifest>) -> Result<bool, Reason> {
        self.elsewhere = self.location.of(manifest, &self.reading)?;
        self.manifest = Some(Arc::clone(manifest));
        Ok(self.elsewhere.is_some())
    }

    fn attestations(
        &mut self,
        _beside: bool,
        most: usize,
    ) -> Result<(Vec<AttestationSource>, usize), Reason> {
        let (mut lying, left) = self.attestations.first(most);
        if let Some(manifest) = &self.manifest {
            let source = self.location.source(self.elsewhere);
            lying.retain(|one| !one.is_listed(source, manifest));
        }
        self.lying = lying;
        Ok((self.lying.iter().map(Lying::source).collect(), left))
    }

    fn attestation(
        &mut self,
        number: usize,
        limit: u64,
    ) -> Result<Result<Vec<u8>, Reason>, Reason> {
        let Some(lying) = self.lying.get(number) else { return Ok(Ok(Vec::new())) };
        attestations::read(lying, limit, &self.reading)
    }

    fn keep_attestation(&mut self, _name: &str, _bytes: Vec<u8>) -> Result<(), Reason> {
        Ok(())
    }

    fn observe(
        &mut self,
        manifest: &Arc<Manifest>,
        ignored: &[String],
    ) -> Result<(Observed, Findings), Reason> {
        let source = self.location.source(self.elsewhere);
        let (reading, budget) = (&self.reading, &self.policy.budget);
        let (seen, inspected) = intake::read_in_place(source, manifest, ignored, budget, reading)?;
        let (source, manifest) = (source.clone(), Arc::clone(manifest));
        let aside = reading.progress.aside();
        let (scanner, limits) = (self.scanner.clone(), self.policy.content.limits);
        let look = move |pulse: &Pulse| {
            let place = Place::InPlace(&source, pulse);
            look_inside(place, &manifest, &seen, inspected, limits, scanner.as_deref(), &aside)
                .map(|found| (seen, found))
        };
        alone(reading, look)
    }
}
