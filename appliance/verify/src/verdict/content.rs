//! What is inside the files, judged under `[content]` of the policy.
//!
//! ```text
//!   signed files ──┬─ not inspected ─────────────▶ content.unknown
//!   findings ──────┼─ formats, against allow ────▶ content.format, .unknown, .ambiguous
//!                  ├─ marks, against the lists ──▶ content.* as the mark says
//!                  └─ the scanner's word ────────▶ content.not-scanned, .malware
//! ```

use super::judge::Judge;
use crate::observe::{Finding, Mark, Scan};
use crate::policy::{ContentRules, Names, RemoteCode};
use crate::reason::{Code, Reason};
use crate::statement::ManifestFile;

impl Judge<'_> {
    /// What is inside the files that have their signed bytes. A file that is refused for its bytes
    /// needs no finding.
    pub(super) fn content(&mut self, matching: &[(ManifestFile, u64)], findings: &[Finding]) {
        let rules = &self.policy.content;
        self.reasons.extend(findings.iter().filter_map(|finding| scanned(rules, finding)));
        if rules.scanner.required {
            self.inspected(matching, findings, "content.scanner");
        }
        if rules.remote_code == RemoteCode::Reject {
            let code = |mark: &&Mark| mark.code == Code::ContentRemoteCode;
            for finding in findings {
                let asked = finding.marks.iter().filter(code);
                self.reasons.extend(asked.map(|mark| marked(finding, mark, "content.remote-code")));
            }
        }
        let Some(allow) = &rules.allow else {
            if rules.remote_code == RemoteCode::Reject {
                self.inspected(matching, findings, "content.remote-code");
                self.reasons.extend(findings.iter().filter_map(unread_json));
            }
            return;
        };
        self.inspected(matching, findings, "content.allow");
        for finding in findings {
            let reason = match finding.formats.as_slice() {
                [] => Some(Reason::new(Code::ContentUnknown, "no known format")),
                [format] if !allow.iter().any(|allowed| allowed == format) => {
                    Some(Reason::new(Code::ContentFormat, format!("the format is {format}")))
                }
                [_] => None,
                several => Some(Reason::new(
                    Code::ContentAmbiguous,
                    format!("can be read as {}", several.join(" and as ")),
                )),
            };
            let path = finding.path.as_str();
            self.reasons.extend(reason.map(|r| r.about(path).by_rule("content.allow")));
            let refused = finding
                .marks
                .iter()
                .filter_map(|mark| Some(marked(finding, mark, refusing(rules, finding, mark)?)));
            self.reasons.extend(refused);
        }
    }

    /// Every file must have been looked into, for `rule`.
    fn inspected(
        &mut self,
        matching: &[(ManifestFile, u64)],
        findings: &[Finding],
        rule: &'static str,
    ) {
        let mut inspected: Vec<&str> = findings.iter().map(|f| f.path.as_str()).collect();
        inspected.sort_unstable();
        // What matches is in the order of the manifest, which is that of the paths.
        let mut inspected = inspected.into_iter().peekable();
        for path in matching.iter().map(|(file, _)| file.path.as_str()) {
            while inspected.next_if(|before| *before < path).is_some() {}
            if inspected.peek() == Some(&path) {
                continue;
            }
            let reason = Reason::new(Code::ContentUnknown, "the file was not inspected");
            self.reasons.push(reason.about(path).by_rule(rule));
        }
    }
}

/// The rule by which what is inside is refused, where formats are restricted; none where a list of
/// the policy names it.
fn refusing(rules: &ContentRules, finding: &Finding, mark: &Mark) -> Option<&'static str> {
    let (listed, rule) = match mark.code {
        // Judged whether formats are restricted or not.
        Code::ContentRemoteCode => return None,
        Code::ContentExtension => (rules.names == Names::Any, "content.names"),
        Code::ContentPickleGlobal => {
            (rules.pickle_globals.contains(&mark.subject), "content.pickle.globals")
        }
        Code::ContentOperatorDomain => {
            (rules.onnx_domains.contains(&mark.subject), "content.onnx.domains")
        }
        Code::ContentOperator if finding.formats == ["tflite"] => {
            (rules.tflite_operators.contains(&mark.subject), "content.tflite.operators")
        }
        Code::ContentOperator => {
            (rules.tensorflow_operators.contains(&mark.subject), "content.tensorflow.operators")
        }
        Code::ContentClass => {
            (rules.keras_classes.contains(&mark.subject), "content.keras.classes")
        }
        Code::ContentTemplate => {
            (rules.template_digests.contains(&mark.subject), "content.templates.digests")
        }
        // Whatever else is marked, no list can allow it.
        _ => (false, "content.allow"),
    };
    (!listed).then_some(rule)
}

/// What the scanner's word refuses a file for. What it found counts under any policy.
fn scanned(rules: &ContentRules, finding: &Finding) -> Option<Reason> {
    let skipped = || match finding.formats.as_slice() {
        [format] => rules.scanner.skip.iter().any(|skipped| skipped == format),
        _ => false,
    };
    let (code, detail) = match &finding.scan {
        Scan::Found(name) => (Code::ContentMalware, format!("the scanner found {name}")),
        Scan::NotScanned(why) if rules.scanner.required && !skipped() => {
            (Code::ContentNotScanned, why.clone())
        }
        Scan::Clean | Scan::NotScanned(_) => return None,
    };
    Some(Reason::new(code, detail).about(finding.path.as_str()).by_rule("content.scanner"))
}

/// The reason for what is inside a file, by the policy's `rule`.
fn marked(finding: &Finding, mark: &Mark, rule: &'static str) -> Reason {
    let reason = Reason::new(mark.code, mark.sentence()).about(finding.path.as_str());
    let placed = match mark.place.as_str() {
        "" => reason,
        place => reason.at(place),
    };
    placed.by_rule(rule)
}

/// A file that a loader may still read as JSON although our reader stopped at a break, or did not
/// read it as JSON alone: keys that ask for code may stand where nobody looked. Any format may pass
/// here, so nothing else refuses it.
fn unread_json(finding: &Finding) -> Option<Reason> {
    let may_be_json = finding.formats.is_empty() || finding.formats.contains(&"json");
    let reason = match finding.malformed() {
        Some(mark) if may_be_json => return Some(marked(finding, mark, "content.remote-code")),
        _ if may_be_json && finding.formats.len() > 1 => {
            let formats = finding.formats.join(" and as ");
            Reason::new(Code::ContentAmbiguous, format!("can be read as {formats}"))
        }
        _ => return None,
    };
    Some(reason.about(finding.path.as_str()).by_rule("content.remote-code"))
}
