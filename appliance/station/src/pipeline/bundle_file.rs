//! A bundle file as it is read, within the budget.

use std::path::Path;
use std::sync::Arc;

use oms_sys::beneath::{RegularFile, Root};
use oms_verify::budget::Budget;
use oms_verify::bundle::BundleError;
use oms_verify::hash::{HashAlgorithm, Sha256Digest};
use oms_verify::reason::{Class, Code, Reason};
use oms_verify::statement::{Method, Pieces};

use crate::intake::{self, Pulse, Reading, absent_or_unreadable, alone, refusal_or_failure};
use crate::progress::Progress;

/// The largest bundle file whose digest is taken although it is too large to be read.
const MAX_HASHED_BUNDLE: u64 = 1 << 30;

/// The bytes of a bundle file, or why they are not at hand; with the digest when it is known.
pub type Content<B = Vec<u8>> = Result<B, (Option<Sha256Digest>, Box<Reason>)>;

/// A bundle file as it was read.
#[derive(Debug)]
pub struct BundleFile<B = Vec<u8>> {
    /// Its name, for people and for the verdict.
    pub name: String,
    /// Its path inside the model's folder, where it lies there.
    pub in_model: Option<String>,
    /// What is in it.
    pub content: Content<B>,
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
                    code if code.class() == Class::Refusal => Err((None, Box::new(reason))),
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

/// The size and the content of the bundle at `path` on a carrier.
///
/// # Errors
/// When it cannot be read.
pub fn bundle_on(
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
                refusal if refusal.code.class() == Class::Refusal => {
                    Ok((0, Err((None, Box::new(refusal)))))
                }
                failure => Err(failure),
            },
        }
    };
    alone(reading, read).map_err(|mut reason| {
        reason.file.get_or_insert_with(|| path.to_owned());
        reason
    })
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
    let refusal = || Box::new(Reason::from(&BundleError::TooLarge { size, limit }).about(path));
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
        Err(reason) if reason.code == Code::MediaChanged => {
            Ok(Err((None, Box::new(reason.about(path)))))
        }
        Err(failure) => Err(failure.about(path)),
        Ok(content) => Ok(content),
    }
}
