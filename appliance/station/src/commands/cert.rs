//! `cert verify`: builds and judges a certification path, and explains it.
//!
//! A tool to find out why a path is accepted or refused, by the same code that decides about
//! models. It decides about nothing else, so that its files may come from anywhere: a folder that
//! others can write to is no reason to refuse. What is read is bounded all the same.

mod document;
mod files;

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use const_oid::ObjectIdentifier;
use oms_verify::budget::Budget;
use oms_verify::pki::{
    Certificate, CrlSet, Explanation, InitialPolicies, Limit, PathError, PathInput, Profile,
    Revocation, RevocationMode, VerifiedPath, explain,
};
use oms_verify::reason::{Class, Code, Reason};
use oms_verify::time::UnixTime;

use self::document::Document;
use self::files::Reader;
use super::verify::parse_time;
use super::{Done, print, print_json};
use crate::clock::system_time;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Build and judge a certification path, and explain it check by check
    Verify(Args),
}

const FILES: &str = "Every FILE|DIR is a file, or a folder of files, in PEM or DER. Of a folder \
with a roots.toml, --roots takes the anchors that it names for the purpose; of any other, every \
certificate. What cannot be used of roots, intermediates and CRLs is skipped and listed.";

#[derive(clap::Args)]
#[command(after_help = format!("{FILES}\n\n{}", super::EXIT_CODES))]
pub(super) struct Args {
    /// The certificate to judge, in PEM or DER; what follows it in PEM are untrusted intermediates
    chain: PathBuf,
    /// Trust anchors, repeatable: every one counts for every purpose
    #[arg(long, value_name = "FILE|DIR", required = true)]
    roots: Vec<PathBuf>,
    /// More untrusted intermediates, repeatable
    #[arg(long, value_name = "FILE|DIR")]
    intermediates: Vec<PathBuf>,
    /// CRLs, repeatable
    #[arg(long, value_name = "FILE|DIR")]
    crls: Vec<PathBuf>,
    /// The time of validation, RFC 3339 [default: the clock's]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<UnixTime>,
    /// What the certificate is for: any asks for nothing beyond RFC 5280
    #[arg(long, value_enum, default_value_t = Purpose::CodeSigning)]
    purpose: Purpose,
    /// What must be known about revocation [default: require where --crls is given, else off]
    #[arg(long, value_enum)]
    revocation: Option<RevocationOption>,
    /// A host, mailbox or IP address that the certificate must have, repeatable
    #[arg(long = "name", value_name = "NAME", value_parser = parse_name)]
    names: Vec<String>,
    /// A certificate policy that is acceptable, repeatable [default: any]
    #[arg(long = "certificate-policy", value_name = "OID", value_parser = parse_oid)]
    certificate_policies: Vec<ObjectIdentifier>,
    /// The path must be valid for an acceptable certificate policy
    #[arg(long)]
    require_explicit_policy: bool,
    /// Certificate policies may not be mapped to others
    #[arg(long)]
    inhibit_policy_mapping: bool,
    /// The policy anyPolicy stands for no other
    #[arg(long)]
    inhibit_any_policy: bool,
    /// How many intermediates there may be, self-issued ones not counted, as in pathLenConstraint
    /// [default: as many as the anchor allows, within the budget]
    #[arg(long, value_name = "N")]
    max_path_length: Option<usize>,
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

/// What the certificate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Purpose {
    CodeSigning,
    Any,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum RevocationOption {
    Require,
    IfAvailable,
    Off,
}

fn parse_oid(text: &str) -> Result<ObjectIdentifier, String> {
    ObjectIdentifier::new(text).map_err(|_| "expected an OID, such as 1.3.6.1.4.1.99999.1".into())
}

fn parse_name(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("expected a name".to_owned()) } else { Ok(text.to_owned()) }
}

pub(super) fn run(command: &Command) -> Done {
    let Command::Verify(args) = command;
    let mut reader = Reader::default();
    let judged = match judge(args, &mut reader) {
        // Like any other command that could not begin.
        Err(reason) if !args.json && reason.code.class() != Class::Refusal => {
            return Err(vec![reason]);
        }
        judged => judged,
    };
    let document = Document::new(args, judged, reader.into_skipped());
    let outcome = document.outcome();
    if args.json {
        print_json(&document);
    } else {
        print(&document.text());
    }
    Ok(outcome)
}

/// What was judged, and how it ended.
struct Judged {
    time: UnixTime,
    explanation: Explanation,
    reasons: Vec<Reason>,
}

fn judge(args: &Args, reader: &mut Reader) -> Result<Judged, Reason> {
    let mut budget = Budget::default();
    // What is wrong with the command line comes before what is wrong with a certificate.
    let anchors = reader.anchors(&args.roots, args.purpose)?;
    let intermediates = reader.intermediates(&args.intermediates)?;
    let crls = CrlSet::new(reader.crls(&args.crls, &budget)?);
    let chain = reader.chain(&args.chain, &budget)?;
    let mut is_limited = false;
    if let Some(most) = args.max_path_length {
        let self_issued = chain.iter().skip(1).chain(&intermediates);
        let self_issued = self_issued.filter(|certificate| certificate.is_self_issued()).count();
        let both_ends = 2;
        let depth = most.saturating_add(self_issued).saturating_add(both_ends);
        is_limited = depth < budget.path_depth;
        budget.path_depth = budget.path_depth.min(depth);
    }
    let time = args.at.unwrap_or_else(system_time);
    let explanation = explain(&PathInput {
        chain: &chain,
        intermediates: &intermediates,
        anchors: &anchors,
        crls: &crls,
        revocation: &Revocation { mode: args.revocation_mode(), max_crl_age: None },
        time,
        proof: None,
        budget: &budget,
        profile: match args.purpose {
            Purpose::CodeSigning => Profile::CODE_SIGNING,
            Purpose::Any => Profile::ANY,
        },
        policies: Some(&InitialPolicies {
            acceptable: args.certificate_policies.clone(),
            require_explicit: args.require_explicit_policy,
            inhibit_mapping: args.inhibit_policy_mapping,
            inhibit_any: args.inhibit_any_policy,
        }),
    });
    let file = args.chain.display().to_string();
    let mut reasons = match explanation.result() {
        Ok(path) => args.check_length(path).err().into_iter().collect(),
        Err(PathError::Budget(Limit::Depth)) if is_limited => {
            let detail = format!(
                "no path has {} intermediates or fewer, as --max-path-length asks",
                args.max_path_length.unwrap_or_default()
            );
            vec![Reason::new(Code::SignaturePathLength, detail)]
        }
        Err(error) => vec![reason(error)],
    };
    reasons.extend(chain.first().into_iter().flat_map(|leaf| args.missing_names(leaf)));
    let reasons = reasons.into_iter().map(|reason| reason.about(&file)).collect();
    Ok(Judged { time, explanation, reasons })
}

fn reason(error: &PathError) -> Reason {
    Reason::new(error.code(), error.to_string())
}

impl Args {
    fn revocation_mode(&self) -> RevocationMode {
        match self.revocation {
            Some(RevocationOption::Require) => RevocationMode::Require,
            Some(RevocationOption::IfAvailable) => RevocationMode::IfAvailable,
            Some(RevocationOption::Off) => RevocationMode::Off,
            None if self.crls.is_empty() => RevocationMode::Off,
            None => RevocationMode::Require,
        }
    }

    /// Self-issued certificates do not count (RFC 5280, section 4.2.1.9).
    fn check_length(&self, path: &VerifiedPath) -> Result<(), Reason> {
        let Some(most) = self.max_path_length else { return Ok(()) };
        let [_, between @ .., _] = path.certificates() else { return Ok(()) };
        let length = between.iter().filter(|certificate| !certificate.is_self_issued()).count();
        if length <= most {
            return Ok(());
        }
        let detail = format!("there are {length} intermediates, --max-path-length allows {most}");
        Err(Reason::new(Code::SignaturePathLength, detail))
    }

    fn missing_names(&self, leaf: &Certificate) -> Vec<Reason> {
        let missing = self.names.iter().filter(|name| !leaf.has_name(name));
        let reason = |name: &String| {
            let detail = format!("{name:?} is no name of the certificate of {}", leaf.subject());
            Reason::new(Code::SignatureCertificateName, detail)
        };
        missing.map(reason).collect()
    }
}
