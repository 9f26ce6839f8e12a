//! `roots check`: what an officer should look after among the anchors.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use oms_verify::pki::{AnchorError, Purpose, Severity, review};
use oms_verify::reason::{Code, Printable, Reason};
use oms_verify::time::{Span, UnixTime};
use serde::Serialize;

use crate::clock::system_time;
use crate::commands::verify::parse_time;
use crate::commands::{Done, print, print_json};
use crate::present::Outcome;
use crate::trust::{
    Anchors, Content, FileFault, Guard, Installed, Origin, load_policy, site_folder, survey,
    unpinned,
};

#[derive(clap::Args)]
pub(in crate::commands) struct Args {
    /// The folder of trust anchors with its roots.toml [default: /etc/oms-appliance/roots]
    #[arg(long, value_name = "DIR")]
    roots: Option<PathBuf>,
    /// Every policy that is in use, repeatable: then anchors that none of them names are told
    #[arg(long = "policy", value_name = "POLICY")]
    policies: Vec<PathBuf>,
    /// The time to check for, RFC 3339 [default: the clock's]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<UnixTime>,
    /// How long before its end an anchor is told, such as 90d
    #[arg(long, value_name = "SPAN", default_value = "90d", value_parser = parse_span)]
    warn_before: Span,
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

fn parse_span(text: &str) -> Result<Span, String> {
    Span::parse(text).ok_or_else(|| "expected a number with s, m, h or d, such as 90d".to_owned())
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema: &'static str,
    result: Outcome,
    exit_code: u8,
    time: String,
    anchors: usize,
    findings: Vec<Finding>,
}

/// One thing that was found. The gravest come first.
#[derive(Debug, Serialize)]
struct Finding {
    #[serde(serialize_with = "as_word")]
    severity: Severity,
    /// Its stable name.
    finding: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    anchor: Option<String>,
    file: String,
    detail: String,
}

fn as_word<S: serde::Serializer>(severity: &Severity, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(severity.name())
}

pub(super) fn run(args: &Args) -> Done {
    let time = args.at.unwrap_or_else(system_time);
    let (anchors, findings) = look(args, time).map_err(|reason| vec![reason])?;
    let is_wrong = findings.iter().any(|finding| finding.severity == Severity::Error);
    let result = if is_wrong { Outcome::Refused } else { Outcome::Passed };
    if args.json {
        print_json(&Document {
            schema: "urn:oms-appliance:roots-check:1",
            result,
            exit_code: result.exit_code(),
            time: time.to_string(),
            anchors,
            findings,
        });
    } else {
        print(&text(anchors, &findings, time));
    }
    Ok(result)
}

/// How many anchors there are, and what is to be said about them.
///
/// # Errors
/// When a manifest, a place or a policy is such that nothing can be said.
fn look(args: &Args, time: UnixTime) -> Result<(usize, Vec<Finding>), Reason> {
    let guard = Guard::default();
    let roots = args.roots.as_deref();
    let installed = survey(roots, &guard)?;
    let mut findings = Vec::new();
    let mut are_usable = true;
    for found in &installed {
        match &found.content {
            Ok(Content::Certificate(anchor)) => {
                let remarks = review(anchor, time, args.warn_before).into_iter();
                findings.extend(remarks.map(|remark| {
                    Finding::about(found, remark.severity(), remark.name(), remark.to_string())
                }));
            }
            Ok(Content::TrustedRoot(root)) => {
                let end = root.vouches_until();
                if end.since(time) < args.warn_before.seconds {
                    let detail = format!(
                        "no authority of it vouches for anything after {end}: install the newest \
                         trusted root of the instance"
                    );
                    let finding =
                        Finding::about(found, Severity::Warning, "authorities-end", detail);
                    findings.push(finding);
                }
            }
            Err(FileFault::Unreadable(reason)) if reason.code == Code::TrustLocation => {
                return Err(reason.clone());
            }
            Err(fault) => {
                are_usable = false;
                let detail = fault.to_string();
                findings.push(Finding::about(found, Severity::Error, name_of(fault), detail));
            }
        }
    }
    findings.extend(twice(&installed));
    if let Some(folder) = site_folder(roots)? {
        findings.extend(beside(folder, &installed)?);
    }
    // A policy that names an anchor whose file is unusable could not be read: first things first.
    if are_usable && !args.policies.is_empty() {
        findings.extend(unreferenced(&args.policies, roots, &installed, &guard)?);
    }
    findings.sort_by_key(|found| Reverse(found.severity));
    Ok((installed.len(), findings))
}

impl Finding {
    fn about(
        installed: &Installed,
        severity: Severity,
        finding: &'static str,
        detail: String,
    ) -> Self {
        Finding {
            severity,
            finding,
            anchor: Some(installed.entry.name.clone()),
            file: installed.origin.path_of(&installed.entry.file),
            detail,
        }
    }
}

/// The stable name of what is wrong with a file.
fn name_of(fault: &FileFault) -> &'static str {
    match fault {
        FileFault::Unreadable(_) => "unreadable",
        FileFault::Anchor(AnchorError::Digest { .. }) => "wrong-digest",
        FileFault::Anchor(_) => "not-one-certificate",
        FileFault::TrustedRoot(_) => "not-a-trusted-root",
    }
}

/// Certificates that are there under two names: whoever removes one may believe it gone.
fn twice(installed: &[Installed]) -> Vec<Finding> {
    let mut known = BTreeMap::new();
    let mut findings = Vec::new();
    for found in installed {
        let Ok(Content::Certificate(anchor)) = &found.content else { continue };
        let name = &found.entry.name;
        if let Some(first) = known.insert(anchor.certificate.fingerprint().to_hex(), name) {
            let detail = format!("the same certificate is also the anchor {first:?}");
            let severity = Severity::Warning;
            findings.push(Finding::about(found, severity, "duplicate-certificate", detail));
        }
    }
    findings
}

/// Files in the site's folder that are not anchors.
fn beside(folder: &Path, installed: &[Installed]) -> Result<Vec<Finding>, Reason> {
    let site = installed.iter().filter(|found| found.origin != Origin::BuiltIn);
    let named: Vec<&str> = site.map(|found| found.entry.file.as_str()).collect();
    let found = unpinned(folder, &named)?.into_iter().map(|path| Finding {
        severity: Severity::Error,
        finding: "unpinned",
        anchor: None,
        file: path.display().to_string(),
        detail: "no anchor of roots.toml names this file, so nothing trusts it: pin or remove it"
            .to_owned(),
    });
    Ok(found.collect())
}

/// Anchors that policies could name, and that none of these does. Nobody took the built-in ones
/// in, so of those it is only noted.
fn unreferenced(
    policies: &[PathBuf],
    roots: Option<&Path>,
    installed: &[Installed],
    guard: &Guard,
) -> Result<Vec<Finding>, Reason> {
    let anchors = Anchors::load(roots, guard)?;
    let mut named = BTreeSet::new();
    for policy in policies {
        let inputs = load_policy(policy, &anchors, guard)?.inputs.into_iter();
        named.extend(inputs.filter(|input| input.kind != "key").map(|input| input.name));
    }
    // Verdicts and officers are not a policy's to name.
    let elsewhere = [Purpose::Verdict, Purpose::Officer];
    let unnamed = installed.iter().filter(|found| {
        found.entry.purposes.iter().all(|purpose| !elsewhere.contains(purpose))
            && !named.contains(&found.entry.name)
    });
    let finding = |found: &Installed| {
        let severity = match found.origin {
            Origin::BuiltIn => Severity::Note,
            Origin::Site(_) => Severity::Warning,
        };
        Finding::about(found, severity, "unreferenced", "no policy names it".to_owned())
    };
    Ok(unnamed.map(finding).collect())
}

fn text(anchors: usize, findings: &[Finding], time: UnixTime) -> String {
    let count = |severity| findings.iter().filter(|found| found.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let word = if errors > 0 { "FAULTY" } else { "GOOD" };
    let mut text =
        format!("{word}: {anchors} anchors at {time}, {errors} errors, {warnings} warnings\n");
    for found in findings {
        let name = found.anchor.as_deref().unwrap_or("no anchor");
        let severity = found.severity.name();
        let (name, detail) = (Printable(name), Printable(&found.detail));
        let _ = writeln!(text, "  {severity:<8} {name}: {detail} [{}]", found.finding);
        let _ = writeln!(text, "           {}", Printable(&found.file));
    }
    text
}
