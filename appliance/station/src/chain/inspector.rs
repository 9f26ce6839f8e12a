//! The inspector: it has the copies in quarantine, read-only. It hashes them once more, so that a
//! copier which lied about what it wrote is found out, and looks inside. What the copies are it tells
//! the decider and the supervisor; to the decision it can only add reasons against a model.

use std::os::fd::AsFd as _;
use std::path::Path;
use std::sync::Arc;

use oms_verify::hash::Sha256Digest;
use oms_verify::observe::Observed;
use oms_verify::reason::{Class, Code, Reason};
use oms_verify::statement::Manifest;

use super::heartbeat::Heartbeat;
use super::messages::{Answer, Ask, Copies, Means, Order, Word};
use super::worker::Link;
use crate::handover::{MOST_SEALED, Sight, files_to_json, manifest_from_json, sealed_with};
use crate::inspection::{Place, look_inside};
use crate::intake::{self, Pulse, Source, alone};
use crate::process::wire::WireReason;
use crate::progress::Progress;
use crate::scanner::Scanner;

/// Serves until the decider hangs up. The copies are in the folder `model`.
///
/// # Errors
/// When it cannot, for reasons other than the copies.
pub(crate) fn serve(supervisor: &Arc<Link>, model: &Path) -> Result<(), Reason> {
    let (order, mut with) = supervisor.receive::<Order>()?;
    let Order::Inspect { means, scanning } = order else { return Err(unasked()) };
    let decider = with.link()?;
    let scanner = match scanning {
        Some(scanning) => Some(Arc::new(Scanner::new(scanning, with.rest()))),
        None => {
            with.end()?;
            None
        }
    };
    let progress = Arc::new(Progress::hidden());
    let _heartbeat = Heartbeat::start(Arc::clone(supervisor), Arc::clone(&progress))?;
    while let Some((ask, mut with)) = decider.next::<Ask>()? {
        let Ask::Look = ask else { return Err(unasked()) };
        let manifest = with.sealed(MOST_SEALED)?;
        with.end()?;
        let manifest = Arc::new(manifest_from_json(manifest.as_slice(), &means.budget)?);
        match look(model, &manifest, &means, scanner.as_ref(), &progress) {
            Ok(sight) => {
                // Whoever decides is not the one who says what is there.
                if let Some(copies) = whole(&manifest, &sight.observed)? {
                    supervisor.send(&Word::Copies(copies), &[])?;
                }
                let how = (manifest.hash(), manifest.method());
                let sealed = sealed_with(|writer| sight.to_json(how, writer))?;
                decider.send(&Answer::Seen, &[sealed.as_fd()])?;
            }
            Err(reason) => {
                decider.send(&Answer::Failed(WireReason(own(reason))), &[])?;
                return Ok(());
            }
        }
    }
    Ok(())
}

fn unasked() -> Reason {
    Reason::new(Code::ProcessProtocol, "the order is not one for an inspector")
}

fn look(
    model: &Path,
    manifest: &Arc<Manifest>,
    means: &Means,
    scanner: Option<&Arc<Scanner>>,
    progress: &Progress,
) -> Result<Sight, Reason> {
    let source = Source::at(model)?;
    let reading = means.reading(progress);
    let budget = &means.budget;
    let (observed, inspected) = intake::read_again(&source, manifest, budget, &reading)?;
    let work = {
        let (source, manifest) = (source.clone(), Arc::clone(manifest));
        let aside = progress.aside();
        let (scanner, limits) = (scanner.cloned(), means.content);
        move |pulse: &Pulse| {
            let place = Place::InPlace(&source, pulse);
            let found = look_inside(
                place,
                &manifest,
                &observed,
                inspected,
                limits,
                scanner.as_deref(),
                &aside,
            );
            found.map(|findings| Sight { observed, findings })
        }
    };
    alone(&reading, work)
}

/// What the copies are, when they are all of the manifest and nothing else.
fn whole(manifest: &Manifest, observed: &Observed) -> Result<Option<Copies>, Reason> {
    if !observed.unlisted.is_empty() || observed.files.len() != manifest.files().len() {
        return Ok(None);
    }
    let seen = manifest.files().iter().map(|file| {
        let seen = observed.files.get(&file.path).filter(|seen| seen.pieces == file.pieces);
        seen.map(|seen| (file.clone(), seen.size))
    });
    let Some(files) = seen.collect::<Option<Vec<_>>>() else { return Ok(None) };
    let listed = sealed_with(|writer| files_to_json(&files, writer))?;
    Ok(Some(Copies { root: manifest.root(), files: Sha256Digest::of(listed.as_slice()) }))
}

/// What cannot be read in the spool is the station's own failure and not the carrier's.
fn own(reason: Reason) -> Reason {
    if reason.code.class() == Class::Configuration {
        return reason;
    }
    let detail = format!("reading the copies: {}", reason.detail);
    Reason { code: Code::OutboundWrite, detail, ..reason }
}
