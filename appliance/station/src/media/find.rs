//! The search for bundles: a walk through the whole carrier that no spot of it can end.
//!
//! What cannot be looked at is reported and left out; the rest of the carrier goes on. Links,
//! special files and odd names count here only where a bundle or a folder has them: inside a model
//! they are that model's own matter.

#[cfg(test)]
pub(super) mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use oms_sys::beneath::{BeneathError, Entry, Kind, Root};
use oms_verify::budget::Budget;
use oms_verify::name::ResourcePath;
use oms_verify::reason::{Class, Code, Reason, Reasons};

use super::attestations::is_named_like_one;
use super::{Attestations, Beside, Candidate, NAMESAKE, SUFFIX, USUAL, join, limits};
use crate::intake::{Reading, alone, entries_of_a_folder, refusal_or_failure};

/// What file systems put at their top by themselves.
const FURNITURE: [&str; 2] = ["lost+found", "System Volume Information"];

/// Hears of each answer of a carrier, and says when nobody waits for more.
type GoOn<'a> = dyn Fn() -> Result<(), Reason> + 'a;

/// What is on a carrier.
#[derive(Debug)]
pub struct Found {
    /// The models, in the order of their paths.
    pub candidates: Vec<Candidate>,
    /// What may be an attestation, for whichever model.
    pub attestations: Attestations,
    /// Why some of the carrier was not looked at.
    pub reasons: Vec<Reason>,
    /// What lies at the top of the carrier with no bundle for it or in it, and what would be a
    /// bundle if its suffix were in small letters: in order, at most [`limits::UNCLAIMED`].
    pub unclaimed: Vec<String>,
}

/// Finds every candidate beneath `root`, a carrier that is shown to people as `carrier`.
///
/// # Errors
/// When the carrier gives no answer for as long as `reading` waits; when the operator cancels.
pub fn find(
    root: &Arc<Root>,
    carrier: &Path,
    budget: &Budget,
    reading: &Reading<'_>,
) -> Result<Found, Reason> {
    let found = {
        let (root, carrier, budget) = (Arc::clone(root), carrier.to_owned(), budget.clone());
        alone(reading, move |pulse| search(&root, &carrier, &budget, &|| pulse.go_on()))
    };
    found.map_err(|mut reason| {
        reason.file.get_or_insert_with(|| carrier.display().to_string());
        reason
    })
}

/// The same in this thread. `go_on` hears of each answer of the carrier.
fn search(root: &Root, carrier: &Path, budget: &Budget, go_on: &GoOn<'_>) -> Result<Found, Reason> {
    let mut spots = Spots { carrier, reasons: Reasons::default() };
    let Seen { bundles, nearly, attestations } = Walk::through(root, budget, &mut spots, go_on)?;
    let mut claimed: BTreeSet<String> = bundles.iter().map(|path| top(path).to_owned()).collect();
    let mut models: BTreeMap<(String, bool), Vec<String>> = BTreeMap::new();
    for bundle in bundles {
        go_on()?;
        match model_of(root, &bundle) {
            Ok(model) => models.entry(model).or_default().push(bundle),
            Err(reason) => spots.report(reason),
        }
    }
    claimed.extend(models.keys().map(|(model, _)| top(model).to_owned()));
    let is_covered = |path: &str| {
        let is_model = |folder: &str| models.contains_key(&(folder.to_owned(), true));
        is_model("")
            || path.match_indices('/').any(|(end, _)| path.get(..end).is_some_and(is_model))
    };
    go_on()?;
    let unclaimed = unclaimed(root, budget, &claimed, nearly, is_covered);
    let mut candidates = Vec::new();
    for ((model, is_folder), mut bundles) in models {
        go_on()?;
        bundles.sort();
        if candidates.len() == limits::MODELS {
            let detail = format!("more than {} models: from here on they are left", limits::MODELS);
            spots.report(Reason::new(Code::MediaTooManyEntries, detail).about(model));
            break;
        }
        if bundles.len() > limits::BUNDLES {
            let detail = format!("more than {} bundles for one model", limits::BUNDLES);
            spots.report(Reason::new(Code::MediaTooManyEntries, detail).about(model));
            continue;
        }
        match others(root, &model, is_folder, &bundles) {
            Ok(others) => candidates.push(Candidate { model, is_folder, bundles, others }),
            Err(reason) => spots.report(reason),
        }
    }
    Ok(Found { candidates, attestations, reasons: spots.reasons.into_vec(), unclaimed })
}

/// What no model covers of the entries at the top that are not `claimed`, and of the paths that
/// are `nearly` bundles. That the top cannot be listed was reported by the walk.
fn unclaimed(
    root: &Root,
    budget: &Budget,
    claimed: &BTreeSet<String>,
    nearly: Vec<String>,
    is_covered: impl Fn(&str) -> bool,
) -> Vec<String> {
    let entries = root.entries(entries_of_a_folder(budget)).unwrap_or_default();
    let names = entries.iter().map(|entry| String::from_utf8_lossy(&entry.name).into_owned());
    let tops = names.filter(|name| !claimed.contains(name) && !FURNITURE.contains(&name.as_str()));
    let all: BTreeSet<String> = tops.chain(nearly).filter(|path| !is_covered(path)).collect();
    all.into_iter().take(limits::UNCLAIMED).collect()
}

/// The first name of a path.
fn top(path: &str) -> &str {
    path.split('/').next().unwrap_or_default()
}

/// The spots of a carrier that could not be looked at.
struct Spots<'a> {
    carrier: &'a Path,
    reasons: Reasons,
}

impl Spots<'_> {
    /// Takes a reason about a path on the carrier, and says which carrier.
    fn report(&mut self, reason: Reason) {
        let path = self.carrier.join(reason.file.as_deref().unwrap_or_default());
        self.reasons.push(reason.about(path.display().to_string()));
    }
}

/// The walk: folders that wait, and what was found on the way.
struct Walk<'a, 'b> {
    budget: &'a Budget,
    spots: &'a mut Spots<'b>,
    left: usize,
    waiting: Vec<String>,
    seen: Seen,
}

/// What a walk is for.
#[derive(Default)]
struct Seen {
    bundles: Vec<String>,
    /// What only its suffix in large letters keeps from being a bundle.
    nearly: Vec<String>,
    attestations: Attestations,
}

impl<'a, 'b> Walk<'a, 'b> {
    /// Every bundle and every attestation below `root`, within the limits.
    fn through(
        root: &Root,
        budget: &'a Budget,
        spots: &'a mut Spots<'b>,
        go_on: &GoOn<'_>,
    ) -> Result<Seen, Reason> {
        let (left, waiting) = (limits::ENTRIES, vec![String::new()]);
        let mut walk = Walk { budget, spots, left, waiting, seen: Seen::default() };
        while let Some(folder) = walk.waiting.pop() {
            go_on()?;
            walk.look_into(root, &folder);
            let exhausted = match (walk.left, walk.seen.bundles.len()) {
                (0, _) => format!("more than {} entries", limits::ENTRIES),
                (_, found) if found > limits::FOUND => {
                    format!("more than {} bundles", limits::FOUND)
                }
                _ => continue,
            };
            let detail = format!("{exhausted}: the search for models ended here");
            walk.spots.report(Reason::new(Code::MediaTooManyEntries, detail).about(folder));
            break;
        }
        Ok(walk.seen)
    }

    fn look_into(&mut self, root: &Root, folder: &str) {
        let room = entries_of_a_folder(self.budget).min(self.left);
        match root.directory(folder).and_then(|directory| directory.entries(room)) {
            Ok(entries) => {
                self.left = self.left.saturating_sub(entries.len());
                entries.iter().for_each(|entry| self.look_at(folder, entry));
            }
            // What a file system made for itself may be for root alone, and holds no model.
            Err(BeneathError::Io(error))
                if error.kind() == ErrorKind::PermissionDenied && FURNITURE.contains(&folder) => {}
            Err(error) => {
                if matches!(error, BeneathError::TooManyEntries(_)) {
                    self.left = self.left.saturating_sub(room);
                }
                self.spots.report(about_folder(error, folder));
            }
        }
    }

    fn look_at(&mut self, folder: &str, entry: &Entry) {
        let is_bundle = entry.name.ends_with(SUFFIX.as_bytes());
        if entry.kind != Kind::Directory && !is_bundle {
            let name = String::from_utf8_lossy(&entry.name);
            if is_named_like_one(&name) {
                self.look_at_attestation(folder, entry);
            } else if name.to_ascii_lowercase().ends_with(SUFFIX)
                && self.seen.nearly.len() < limits::UNCLAIMED
            {
                self.seen.nearly.push(join(folder, &name));
            }
            return;
        }
        let path = join(folder, &String::from_utf8_lossy(&entry.name));
        let bad_name = match std::str::from_utf8(&entry.name) {
            Err(_) => Some("the name is not UTF-8".to_owned()),
            Ok(_) => ResourcePath::parse(&path, self.budget).err().map(|error| error.to_string()),
        };
        if let Some(detail) = bad_name {
            return self.spots.report(Reason::new(Code::MediaName, detail).about(path));
        }
        match entry.kind {
            Kind::File => self.seen.bundles.push(path),
            Kind::Directory if self.waiting.len() < limits::WAITING => self.waiting.push(path),
            Kind::Directory => {
                let detail = format!("more than {} folders are waiting", limits::WAITING);
                self.spots.report(Reason::new(Code::MediaTooManyEntries, detail).about(path));
            }
            Kind::Symlink => self.spots.report(refusal_or_failure(BeneathError::Symlink, &path)),
            Kind::Special => self.spots.report(refusal_or_failure(BeneathError::NotRegular, &path)),
        }
    }

    /// Keeps what may be an attestation, a link too: that it is one is a reason of the model that it
    /// lies beside. A name that is not UTF-8 is none.
    fn look_at_attestation(&mut self, folder: &str, entry: &Entry) {
        let Ok(name) = std::str::from_utf8(&entry.name) else { return };
        if ResourcePath::parse(&join(folder, name), self.budget).is_err() {
            return;
        }
        match self.seen.attestations.len() {
            limits::ATTESTATIONS => {
                let detail = format!("more than {} attestations", limits::ATTESTATIONS);
                self.spots.report(Reason::new(Code::MediaTooManyEntries, detail).about(folder));
            }
            _ => self.seen.attestations.insert(folder, name.to_owned()),
        }
    }
}

fn about_folder(error: BeneathError, folder: &str) -> Reason {
    match error {
        // It was there a moment ago.
        BeneathError::NotFound => {
            Reason::new(Code::MediaChanged, "the folder went away").about(folder)
        }
        other => refusal_or_failure(other, folder),
    }
}

/// What a bundle belongs to, and whether that is a folder.
fn model_of(root: &Root, bundle: &str) -> Result<(String, bool), Reason> {
    let (folder, name) = bundle.rsplit_once('/').unwrap_or(("", bundle));
    // The usual name does not name a model: its folder is home, and a namesake one of the others.
    let stem = if name == USUAL { "" } else { name.strip_suffix(SUFFIX).unwrap_or(name) };
    if !stem.is_empty() {
        let named_after = join(folder, stem);
        match kind(root, &named_after)? {
            Some(Kind::File) => return Ok((named_after, false)),
            Some(Kind::Directory) => return Ok((named_after, true)),
            Some(Kind::Symlink | Kind::Special) | None => {}
        }
    }
    Ok((folder.to_owned(), true))
}

/// What may be the model instead of the folder that holds a `model.sig`: what is named like it,
/// and the one thing that the folder holds besides its only bundle.
fn others(
    root: &Root,
    folder: &str,
    is_folder: bool,
    bundles: &[String],
) -> Result<Vec<Beside>, Reason> {
    let usual = join(folder, USUAL);
    if !is_folder || !bundles.contains(&usual) {
        return Ok(Vec::new());
    }
    let mut others = Vec::new();
    let namesake = join(folder, NAMESAKE);
    let seen = kind(root, &namesake)?;
    others.extend(beside(namesake, seen));
    if bundles.len() == 1
        && let Some(entry) = companion(root, folder)?
        && let Ok(name) = std::str::from_utf8(&entry.name)
    {
        others.extend(beside(join(folder, name), Some(entry.kind)));
        others.dedup();
    }
    Ok(others)
}

fn beside(path: String, kind: Option<Kind>) -> Option<Beside> {
    match kind? {
        Kind::Directory => Some(Beside { path, is_folder: true }),
        Kind::File => Some(Beside { path, is_folder: false }),
        Kind::Symlink | Kind::Special => None,
    }
}

/// The one thing besides `model.sig` in `folder`.
fn companion(root: &Root, folder: &str) -> Result<Option<Entry>, Reason> {
    let furniture: &[&str] = if folder.is_empty() { &FURNITURE } else { &[] };
    let most = furniture.len().saturating_add(2);
    let entries = match root.directory(folder).and_then(|directory| directory.entries(most)) {
        Ok(entries) => entries,
        Err(BeneathError::TooManyEntries(_)) => return Ok(None),
        Err(error) => return Err(about_folder(error, folder)),
    };
    let mut others = entries.into_iter().filter(|entry| {
        let known = |name: &&str| name.as_bytes() == entry.name.as_slice();
        !known(&USUAL) && !furniture.iter().any(known)
    });
    Ok(others.next().filter(|_| others.next().is_none()))
}

/// What is at `path`; `None` when that is nothing which could be opened. That the carrier cannot
/// be read is no answer.
fn kind(root: &Root, path: &str) -> Result<Option<Kind>, Reason> {
    match root.kind(path) {
        Ok(kind) => Ok(Some(kind)),
        Err(error) => {
            let reason = refusal_or_failure(error, path);
            if reason.code.class() == Class::Refusal { Ok(None) } else { Err(reason) }
        }
    }
}
