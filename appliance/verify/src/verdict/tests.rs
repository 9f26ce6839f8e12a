//! Decisions and verdicts: what passes, what is refused, and what the receiving side believes.

mod decisions;
mod received;
mod signers;

use super::{BundleOutcome, Case, Mode, Verdict, decide};
use crate::appraise::tests::ask;
use crate::bundle::tests::maker::{Key, NOW, bundle, parse, policy, statement, to_bytes};
use crate::name::ResourcePath;
use crate::observe::{Finding, Mark, Observed, ObservedFile, Scan, Unlisted};
use crate::policy::Policy;
use crate::reason::{Code, Reason};
use crate::statement::Pieces;

pub(super) const BY_KEY: &str = "[[signer]]\nmethod = \"key\"\nkey = \"vendor.pem\"\n";

fn path(name: &str) -> ResourcePath {
    ResourcePath::parse(name, &Default::default()).unwrap()
}

/// What reading files with these contents observes.
fn observed(files: &[(&str, &str)]) -> Observed {
    let file = |content: &str| ObservedFile {
        size: content.len() as u64,
        pieces: Pieces::Whole(crate::bundle::tests::maker::digest_of(content)),
    };
    Observed {
        files: files.iter().map(|(name, content)| (path(name), file(content))).collect(),
        ..Observed::default()
    }
}

fn unlisted(name: &str, ignored: bool) -> Unlisted {
    Unlisted { path: name.to_owned(), ignored }
}

fn finding(name: &str, formats: &[&'static str]) -> Finding {
    Finding { path: path(name), formats: formats.to_vec(), marks: Vec::new(), scan: Scan::Clean }
}

fn mark(code: Code, detail: &str) -> Mark {
    Mark { code, subject: String::new(), place: String::new(), detail: detail.to_owned() }
}

fn outcome(policy: &Policy, bytes: &[u8], file: &str) -> BundleOutcome {
    let bundle = parse(bytes);
    BundleOutcome {
        file: file.to_owned(),
        in_model: None,
        digest: Some(bundle.digest()),
        result: ask(policy, &bundle, file),
    }
}

/// A model of the files of one signed statement, as it should be; tests spoil it.
struct Scene {
    policy: Policy,
    bundles: Vec<BundleOutcome>,
    observed: Option<Observed>,
    findings: Vec<Finding>,
    mode: Mode,
}

impl Scene {
    /// Signed by the policy's `vendor.pem`, with these tables in the policy.
    fn new(tables: &str, files: &[(&str, &str)]) -> Self {
        let key = Key::p256();
        let tables = format!("{tables}{BY_KEY}");
        let policy = policy(&tables, &[], &[("vendor.pem", &key)]);
        let bytes = bundle(&to_bytes(&statement(files)), &key);
        let bundles = vec![outcome(&policy, &bytes, "model.sig")];
        let observed = Some(observed(files));
        Scene { policy, bundles, observed, findings: Vec::new(), mode: Mode::Ingest }
    }

    fn observed(&mut self) -> &mut Observed {
        self.observed.as_mut().unwrap()
    }

    fn decide(&self) -> Verdict {
        decide(Case {
            policy: &self.policy,
            time: NOW,
            mode: self.mode,
            alleged_name: "alleged".to_owned(),
            bundles: self.bundles.clone(),
            attestations: Vec::new(),
            attestations_left: 0,
            observed: self.observed.clone(),
            findings: self.findings.clone(),
            checks: vec!["check".to_owned()],
            scanner: Some("engine".to_owned()),
        })
    }

    /// The codes of the refusal, each with the file that it is about.
    #[track_caller]
    fn refusal(&self) -> Vec<(Code, String)> {
        let verdict = self.decide();
        assert!(!verdict.passed(), "the model must be refused");
        told(verdict.reasons())
    }
}

fn told(reasons: &[Reason]) -> Vec<(Code, String)> {
    reasons.iter().map(|r| (r.code, r.file.clone().unwrap_or_default())).collect()
}

fn one(code: Code, file: &str) -> Vec<(Code, String)> {
    vec![(code, file.to_owned())]
}
