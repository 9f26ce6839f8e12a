//! Interoperability with the Python implementation of OMS, `model_signing` 1.1.1, as a real peer:
//! what is signed on one side verifies on the other, and what was changed or signed by a stranger
//! is refused on both.
//!
//! `cargo xtask peer` installs the peer. The matrix is in `cases`; what does not work across the two
//! sides, and whose fault it is, in `divergences`.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a fixture fails its test by panicking, as an assertion does"
)]

mod cases;
mod commands;
mod credentials;
mod divergences;
mod here;
mod ingest;
mod models;
mod order;
mod there;

use std::fs;
use std::path::Path;

use oms_testkit::peer::{Job, Peer};
use oms_testkit::schemas::Schemas;
use tempfile::TempDir;

use self::cases::{CASES, Case, Credential};
use self::credentials::Credentials;
use self::divergences::{DIVERGENCES, Divergence};
use self::models::Models;

/// Who signs and who verifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    /// Signed here; the peer reads from the bundle how to hash.
    HereThere,
    /// Signed here; the peer is told how to hash, and how the specification names algorithms.
    HereThereTold,
    /// Signed by the peer, verified here.
    ThereHere,
}

/// What a verifier is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attempt {
    Sound,
    Tampered,
    WithMore,
    WithLess,
    /// The sound model, and a verifier that trusts another signer.
    Stranger,
}

const ATTEMPTS: [Attempt; 5] =
    [Attempt::Sound, Attempt::Tampered, Attempt::WithMore, Attempt::WithLess, Attempt::Stranger];

/// A case with its files on disk.
struct Prepared<'a> {
    case: &'static Case,
    models: Models,
    signer: &'a Credentials,
}

impl Prepared<'_> {
    /// The model for an attempt; none where the model is a file and the attempt needs a folder.
    fn model(&self, attempt: Attempt) -> Option<&Path> {
        match attempt {
            Attempt::Sound | Attempt::Stranger => Some(&self.models.sound),
            Attempt::Tampered => Some(&self.models.tampered),
            Attempt::WithMore => self.models.with_more.as_deref(),
            Attempt::WithLess => self.models.with_less.as_deref(),
        }
    }

    /// What to try. What a verifier says to an unsound model tells nothing when it refuses the sound
    /// one.
    fn telling_attempts(&self, direction: Direction) -> impl Iterator<Item = Attempt> {
        let refuses_the_sound = self.divergence(direction).is_some();
        ATTEMPTS.into_iter().filter(move |one| *one == Attempt::Sound || !refuses_the_sound)
    }

    fn divergence(&self, direction: Direction) -> Option<&'static Divergence> {
        DIVERGENCES.iter().find(|one| one.case == self.case.name && one.direction == direction)
    }
}

#[test]
fn signed_here_verifies_there() {
    let peer = Peer::installed();
    let schemas = Schemas::load();
    let dir = TempDir::new().expect("a temporary folder");
    let credentials = credentials(dir.path());
    let prepared = prepare(dir.path(), &credentials);

    let mut failures = Vec::new();
    let mut signed = Vec::new();
    for one in &prepared {
        let outcome = here::sign(one);
        if outcome.status != 0 {
            let refusal = Some(outcome.stderr.as_str());
            failures.extend(judge(one, Direction::HereThere, Attempt::Sound, refusal, &[]));
            continue;
        }
        signed.push(one);
        let bundle = fs::read(&one.models.bundle).expect("the bundle that was signed");
        for violation in schemas.iter().flat_map(|schemas| schemas.violations(&bundle)) {
            failures.push(format!("{}, signed here: {violation}", one.case.name));
        }
    }

    let mut asked = Vec::new();
    for one in signed {
        for direction in [Direction::HereThere, Direction::HereThereTold] {
            for attempt in one.telling_attempts(direction) {
                let Some(model) = one.model(attempt) else { continue };
                let job = there::verify(one, model, attempt == Attempt::Stranger, direction);
                asked.push((one, direction, attempt, job));
            }
        }
    }
    let jobs: Vec<Job> = asked.iter().map(|(.., job)| job.clone()).collect();
    for ((one, direction, attempt, _), answer) in asked.iter().zip(peer.run(&jobs)) {
        let expected = one.signs_of_refusal_there(*attempt);
        failures.extend(judge(one, *direction, *attempt, answer.error.as_deref(), expected));
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn signed_there_verifies_here() {
    let peer = Peer::installed();
    let dir = TempDir::new().expect("a temporary folder");
    let credentials = credentials(dir.path());
    let prepared = prepare(dir.path(), &credentials);
    let jobs: Vec<Job> = prepared.iter().map(there::sign).collect();

    let mut failures = Vec::new();
    for (one, answer) in prepared.iter().zip(peer.run(&jobs)) {
        if let Some(error) = answer.error {
            failures.extend(judge(one, Direction::ThereHere, Attempt::Sound, Some(&error), &[]));
            continue;
        }
        for attempt in one.telling_attempts(Direction::ThereHere) {
            let Some(model) = one.model(attempt) else { continue };
            let trust = match attempt {
                Attempt::Stranger => &one.signer.stranger,
                _ => &one.signer.trust,
            };
            let refusal = here::verify(model, &one.models.bundle, trust);
            let expected = one.signs_of_refusal_here(attempt);
            failures.extend(judge(
                one,
                Direction::ThereHere,
                attempt,
                refusal.as_deref(),
                expected,
            ));
        }
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

/// A name in the table that no case has would excuse nothing, and hide that.
#[test]
fn each_divergence_is_one_of_a_case() {
    for one in DIVERGENCES {
        assert!(CASES.iter().any(|case| case.name == one.case), "no case {:?}", one.case);
        let same = |other: &&Divergence| other.case == one.case && other.direction == one.direction;
        assert_eq!(DIVERGENCES.iter().filter(same).count(), 1, "{:?} twice", one.case);
    }
}

impl Prepared<'_> {
    /// Words of which the peer's refusal has one; none for what it has to accept.
    fn signs_of_refusal_there(&self, attempt: Attempt) -> &'static [&'static str] {
        match attempt {
            Attempt::Sound => &[],
            Attempt::Tampered => &["Hash mismatch for"],
            Attempt::WithMore => &["Extra files found"],
            Attempt::WithLess => &["Missing files in"],
            Attempt::Stranger => match self.signer.credential {
                Credential::Key(_) => &["Key mismatch"],
                _ => &["X509StoreContextError"],
            },
        }
    }

    /// The same for this side: codes of reasons.
    fn signs_of_refusal_here(&self, attempt: Attempt) -> &'static [&'static str] {
        match attempt {
            Attempt::Sound => &[],
            Attempt::Tampered => &["manifest.digest-mismatch"],
            Attempt::WithMore => &["manifest.unsigned-file"],
            Attempt::WithLess => &["manifest.missing-file"],
            Attempt::Stranger => match self.signer.credential {
                Credential::Key(_) => &["signature.wrong-key", "signature.no-rule"],
                _ => &["signature.untrusted-anchor", "signature.no-path"],
            },
        }
    }
}

/// Whether an attempt went as it has to, divergences considered; a sentence when it did not.
/// `expected` has the words of which a refusal has one; none when the attempt has to succeed.
fn judge(
    one: &Prepared<'_>,
    direction: Direction,
    attempt: Attempt,
    refusal: Option<&str>,
    expected: &[&str],
) -> Option<String> {
    let place = format!("{}, {direction:?}, {attempt:?}", one.case.name);
    let has_one_of =
        |words: &[&str]| refusal.is_some_and(|text| words.iter().any(|word| text.contains(word)));
    let known = one.divergence(direction).filter(|_| attempt == Attempt::Sound);
    let said = refusal.unwrap_or("nothing: it works");
    let wrong = match known {
        Some(Divergence { side, reason, says, .. }) if !has_one_of(&[says]) => {
            format!("no longer the known divergence of {side:?} ({reason}), {says:?}")
        }
        None if expected.is_empty() && refusal.is_some() => "refused".to_owned(),
        None if !expected.is_empty() && !has_one_of(expected) => {
            format!("not refused for {expected:?}")
        }
        _ => return None,
    };
    Some(format!("{place}: {wrong}\n    now: {said}"))
}

/// The credentials of all cases, each kind once.
fn credentials(dir: &Path) -> Vec<Credentials> {
    let mut all: Vec<Credentials> = Vec::new();
    for case in CASES {
        if all.iter().all(|known| known.credential != case.credential) {
            let name = format!("signer-{}", all.len());
            all.push(Credentials::new(&dir.join(name), case.credential));
        }
    }
    all
}

fn prepare<'a>(dir: &Path, credentials: &'a [Credentials]) -> Vec<Prepared<'a>> {
    CASES
        .iter()
        .enumerate()
        .map(|(number, case)| Prepared {
            case,
            models: Models::write(&dir.join(format!("case-{number}")), case),
            signer: credentials
                .iter()
                .find(|known| known.credential == case.credential)
                .expect("credentials of every kind"),
        })
        .collect()
}
