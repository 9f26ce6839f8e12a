//! The receiving side of the diode: verdict, re-signed bundle and files, checked together.

use std::path::Path;

use oms_sys::beneath::{BeneathError, Kind, Root};
use oms_verify::budget::Budget;
use oms_verify::bundle::{Bundle, KeyIdentifier, Material, TrustedKey, TrustedSigner};
use oms_verify::hash::Sha256Digest;
use oms_verify::key::PublicKey;
use oms_verify::pki::{
    self, Anchor, Crl, LeafProfile, PathInput, Purpose, Revocation, RevocationMode,
};
use oms_verify::reason::{Code, Reason};
use oms_verify::statement::{Legacy, Manifest};
use oms_verify::time::UnixTime;
use oms_verify::verdict::{ReceivedVerdict, VerdictTrust, receive};

use crate::intake::{self, Source, refusal_or_failure};
use crate::outbound::{REPORT, RESIGNED, SOURCE, VERDICT};
use crate::progress::Progress;

/// The folder of an entry that holds the model.
const MODEL: &str = "model";
/// Entries of an entry's folder: the ones above, and room to report others.
const MOST_ENTRIES: usize = 64;

/// Whom the receiving side trusts.
#[derive(Debug)]
pub enum ReceiverTrust {
    /// The station's verdict key alone.
    Key(PublicKey),
    /// The anchors of a roots folder: those of purpose `verdict` for the verdict, those of purpose
    /// `code-signing` for the re-signed bundle.
    Anchors {
        /// The anchors.
        anchors: Vec<Anchor>,
        /// CRLs at hand.
        crls: Vec<Crl>,
    },
}

/// Revocation on the receiving side: a CRL that is at hand counts.
const REVOCATION: Revocation = Revocation { mode: RevocationMode::IfAvailable, max_crl_age: None };

/// Checks the entry in the folder `path`: a verdict by `verifier`, and with a verdict that passed,
/// exactly its files and its re-signed bundle.
///
/// Gives the verdict with every reason not to use the model; none means that it may be used. A
/// verdict that is not to be relied on is an error.
///
/// # Errors
/// When the verdict is missing, untrusted or malformed, or the entry cannot be read.
pub fn check_entry(
    path: &Path,
    verifier: &str,
    trust: &ReceiverTrust,
    time: UnixTime,
    progress: &Progress,
) -> Result<(ReceivedVerdict, Vec<Reason>), Reason> {
    let budget = Budget { resources: 10_000_000, bundle_bytes: 1 << 30, ..Budget::default() };
    let shown = path.display().to_string();
    let root = Root::open(path)
        .map_err(|error| Reason::new(Code::MediaNotFound, error.to_string()).about(&shown))?;
    let bytes = read(&root, VERDICT, &budget, Code::VerdictMissing)?;
    let verdict_anchors;
    let verdict_trust = match trust {
        ReceiverTrust::Key(key) => VerdictTrust::Key(key),
        ReceiverTrust::Anchors { anchors, crls } => {
            verdict_anchors = with_purpose(anchors, Purpose::Verdict);
            VerdictTrust::Anchors { anchors: &verdict_anchors, crls, revocation: &REVOCATION, time }
        }
    };
    let verdict = receive(&bytes, verifier, &verdict_trust, &budget)
        .map_err(|error| Reason::from(&error).about(VERDICT))?;

    let mut reasons = strangers(&root, verdict.passed)?;
    if !verdict.passed {
        let detail = format!("verdict {} is a refusal", verdict.sequence);
        reasons.push(Reason::new(Code::VerdictFailed, detail));
        return Ok((verdict, reasons));
    }
    let files = verdict.files.iter().map(|(file, _)| file.clone()).collect();
    let manifest = Manifest::new(verdict.hash, verdict.method, Vec::new(), files, &budget)
        .map_err(|error| Reason::new(Code::VerdictSchema, error.to_string()).about(VERDICT))?;
    reasons.extend(check_files(&root, &verdict, &manifest, &budget, progress)?);
    reasons.extend(check_resigned(&root, &verdict, &manifest, trust, time, &budget)?);
    reasons.extend(check_source(&root, &verdict, &budget)?);
    Ok((verdict, reasons))
}

fn with_purpose(anchors: &[Anchor], purpose: Purpose) -> Vec<Anchor> {
    anchors.iter().filter(|anchor| anchor.purposes.contains(&purpose)).cloned().collect()
}

fn read(root: &Root, name: &str, budget: &Budget, missing: Code) -> Result<Vec<u8>, Reason> {
    let file = root.file(name).map_err(|error| match error {
        BeneathError::NotFound => Reason::new(missing, "the file is absent").about(name),
        other => refusal_or_failure(other, name),
    })?;
    crate::pipeline::read_bundle(&file, name, budget)?.map_err(|(_, reason)| reason)
}

/// What is in the entry's folder and does not belong there.
fn strangers(root: &Root, passed: bool) -> Result<Vec<Reason>, Reason> {
    let entries = root.entries(MOST_ENTRIES).map_err(|error| refusal_or_failure(error, "."))?;
    Ok(entries
        .iter()
        .filter(|entry| {
            let name = entry.name.as_slice();
            let file = [VERDICT, REPORT].iter().any(|known| known.as_bytes() == name)
                || passed && [RESIGNED, SOURCE].iter().any(|known| known.as_bytes() == name);
            let folder = passed && name == MODEL.as_bytes();
            let expected =
                file && entry.kind == Kind::File || folder && entry.kind == Kind::Directory;
            !expected
        })
        .map(|entry| {
            let name = String::from_utf8_lossy(&entry.name).into_owned();
            Reason::new(Code::VerdictFiles, "it does not belong to the entry").about(name)
        })
        .collect())
}

/// The files are the verdict's, each with its size and digest, and there is no other.
fn check_files(
    root: &Root,
    verdict: &ReceivedVerdict,
    manifest: &Manifest,
    budget: &Budget,
    progress: &Progress,
) -> Result<Vec<Reason>, Reason> {
    let folder = root.directory(MODEL).map_err(|error| refusal_or_failure(error, MODEL))?;
    let source = Source::Folder(folder);
    let observed = intake::read(&source, manifest, &[], budget, None, progress)?;
    let mut reasons = observed.problems;
    for unlisted in observed.unlisted {
        let reason = Reason::new(Code::VerdictFiles, "the verdict does not list it");
        reasons.push(reason.about(unlisted.path));
    }
    for (file, size) in &verdict.files {
        match observed.files.get(&file.path) {
            Some(seen) if seen.size == *size && seen.pieces == file.pieces => {}
            Some(_) => {
                let reason = Reason::new(Code::VerdictFiles, "its bytes are not the verdict's");
                reasons.push(reason.about(file.path.as_str()));
            }
            None => {
                let reason = Reason::new(Code::VerdictFiles, "the file is absent");
                reasons.push(reason.about(file.path.as_str()));
            }
        }
    }
    Ok(reasons.into_vec())
}

/// The re-signed bundle is the one that the verdict names, it is signed by the key that the
/// verdict names, and it lists the verdict's files.
fn check_resigned(
    root: &Root,
    verdict: &ReceivedVerdict,
    manifest: &Manifest,
    trust: &ReceiverTrust,
    time: UnixTime,
    budget: &Budget,
) -> Result<Vec<Reason>, Reason> {
    let wrong = |detail: String| vec![Reason::new(Code::VerdictResigned, detail).about(RESIGNED)];
    let bytes = read(root, RESIGNED, budget, Code::VerdictResigned)?;
    let Some((digest, key)) = verdict.resigned else {
        return Ok(wrong("the verdict names none".to_owned()));
    };
    if Sha256Digest::of(&bytes) != digest {
        return Ok(wrong(format!("its SHA-256 is not {digest}")));
    }
    let bundle = match Bundle::parse(&bytes, budget) {
        Ok(bundle) => bundle,
        Err(error) => return Ok(wrong(error.to_string())),
    };
    let signer = match resigner(&bundle, key, trust, time, budget) {
        Ok(Some(signer)) => signer,
        // A bare key is named by its fingerprint only; the signed digest stands for the bytes.
        Ok(None) => return Ok(Vec::new()),
        Err(detail) => return Ok(wrong(detail)),
    };
    match bundle.open(&signer, Legacy::Refuse, budget) {
        Ok(statement) if statement.manifest().files() == manifest.files() => Ok(Vec::new()),
        Ok(_) => Ok(wrong("it lists other files than the verdict".to_owned())),
        Err(error) => Ok(wrong(error.to_string())),
    }
}

/// The source's bundle is one that the station found.
fn check_source(
    root: &Root,
    verdict: &ReceivedVerdict,
    budget: &Budget,
) -> Result<Option<Reason>, Reason> {
    let digest = Sha256Digest::of(&read(root, SOURCE, budget, Code::VerdictFiles)?);
    Ok((!verdict.sources.contains(&digest)).then(|| {
        let detail = format!("its SHA-256, {digest}, is not the one of a bundle of the verdict");
        Reason::new(Code::VerdictFiles, detail).about(SOURCE)
    }))
}

/// The signer of the re-signed bundle; `None` when its key is not at hand.
fn resigner(
    bundle: &Bundle,
    fingerprint: Sha256Digest,
    trust: &ReceiverTrust,
    time: UnixTime,
    budget: &Budget,
) -> Result<Option<TrustedSigner>, String> {
    let Material::Certificates(chain) = bundle.material() else { return Ok(None) };
    let signer = match trust {
        ReceiverTrust::Anchors { anchors, crls } => {
            let anchors = with_purpose(anchors, Purpose::CodeSigning);
            let input = PathInput {
                chain,
                anchors: &anchors,
                crls,
                revocation: &REVOCATION,
                time,
                budget,
                leaf: LeafProfile::Strict,
            };
            let path = pki::validate(&input).map_err(|error| error.to_string())?;
            TrustedSigner::Certificate(Box::new(path))
        }
        // The verdict vouches for this key by its fingerprint.
        ReceiverTrust::Key(_) => {
            let key = chain.first().and_then(|leaf| leaf.public_key().ok());
            let key = key.ok_or_else(|| "its certificate has no usable key".to_owned())?;
            let trusted = TrustedKey::new(key.clone(), &KeyIdentifier::default());
            TrustedSigner::Key(trusted.map_err(|error| error.to_string())?)
        }
    };
    if signer.key().fingerprint() == fingerprint {
        Ok(Some(signer))
    } else {
        Err("it is signed by another key than the verdict names".to_owned())
    }
}
