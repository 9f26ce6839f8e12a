//! `roots list`: every anchor that is installed.

use std::fmt::Write as _;
use std::path::PathBuf;

use oms_verify::pki::Certificate;
use oms_verify::reason::{Printable, Reason};
use oms_verify::sigstore::TrustedRootSummary;
use oms_verify::verdict::ReasonDetail;
use serde::Serialize;

use crate::commands::{Done, print, print_json};
use crate::present::{Outcome, reasons_text};
use crate::trust::{Content, Guard, Installed, Origin, survey};

#[derive(clap::Args)]
pub(in crate::commands) struct Args {
    /// The folder of trust anchors with its roots.toml [default: /etc/oms-appliance/roots]
    #[arg(long, value_name = "DIR")]
    roots: Option<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema: &'static str,
    result: Outcome,
    exit_code: u8,
    anchors: Vec<AnchorShown>,
    reasons: Vec<ReasonDetail>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AnchorShown {
    name: String,
    origin: &'static str,
    file: String,
    sha256: String,
    purposes: Vec<&'static str>,
    provenance: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<CertificateShown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trusted_root: Option<TrustedRootShown>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CertificateShown {
    subject: String,
    issuer: String,
    not_before: String,
    not_after: String,
    /// The type of its key; absent when that cannot be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    key_type: Option<String>,
    sha256: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TrustedRootShown {
    authorities: Vec<String>,
    logs: Vec<String>,
    timestamp_authorities: usize,
}

pub(super) fn run(args: &Args) -> Done {
    let installed =
        survey(args.roots.as_deref(), &Guard::default()).map_err(|reason| vec![reason])?;
    let (mut anchors, mut reasons) = (Vec::new(), Vec::new());
    for found in installed {
        match AnchorShown::of(found) {
            Ok(anchor) => anchors.push(anchor),
            Err(reason) => reasons.push(reason),
        }
    }
    let result = Outcome::of(&reasons);
    if args.json {
        print_json(&Document {
            schema: "urn:oms-appliance:roots-list:1",
            result,
            exit_code: result.exit_code(),
            anchors,
            reasons: reasons.iter().map(ReasonDetail::from).collect(),
        });
    } else {
        print(&text(&anchors, &reasons));
    }
    Ok(result)
}

impl AnchorShown {
    /// # Errors
    /// Why the file of the entry cannot be used.
    fn of(installed: Installed) -> Result<Self, Reason> {
        let Installed { entry, origin, content } = installed;
        let file = origin.path_of(&entry.file);
        let (certificate, trusted_root) =
            match content.map_err(|fault| fault.into_reason(file.clone()))? {
                Content::Certificate(anchor) => {
                    (Some(CertificateShown::from(&anchor.certificate)), None)
                }
                Content::TrustedRoot(root) => (None, Some(TrustedRootShown::from(root.summary()))),
            };
        Ok(AnchorShown {
            name: entry.name,
            origin: match origin {
                Origin::BuiltIn => "built-in",
                Origin::Site(_) => "site",
            },
            file,
            sha256: entry.sha256,
            purposes: entry.purposes.iter().map(|purpose| purpose.name()).collect(),
            provenance: entry.provenance,
            certificate,
            trusted_root,
        })
    }
}

impl From<&Certificate> for CertificateShown {
    fn from(certificate: &Certificate) -> Self {
        CertificateShown {
            subject: certificate.subject(),
            issuer: certificate.issuer(),
            not_before: certificate.not_before().to_string(),
            not_after: certificate.not_after().to_string(),
            key_type: certificate.public_key().ok().map(|key| key.key_type().to_string()),
            sha256: certificate.fingerprint().to_hex(),
        }
    }
}

impl From<TrustedRootSummary> for TrustedRootShown {
    fn from(summary: TrustedRootSummary) -> Self {
        let TrustedRootSummary { authorities, logs, timestamp_authorities } = summary;
        TrustedRootShown { authorities, logs, timestamp_authorities }
    }
}

fn text(anchors: &[AnchorShown], reasons: &[Reason]) -> String {
    let mut text = String::new();
    for anchor in anchors {
        let _ = writeln!(text, "{}", Printable(&anchor.name));
        let _ = writeln!(text, "  purpose      {}", anchor.purposes.join(", "));
        if let Some(certificate) = &anchor.certificate {
            let _ = writeln!(text, "  subject      {}", Printable(&certificate.subject));
            if certificate.issuer != certificate.subject {
                let _ = writeln!(text, "  issuer       {}", Printable(&certificate.issuer));
            }
            let (from, to) = (&certificate.not_before, &certificate.not_after);
            let _ = writeln!(text, "  valid        {from} to {to}");
            let key = certificate.key_type.as_deref().unwrap_or("of a type that is not accepted");
            let _ = writeln!(text, "  key          {key}");
            let _ = writeln!(text, "  certificate  sha256:{}", certificate.sha256);
        }
        if let Some(root) = &anchor.trusted_root {
            for authority in &root.authorities {
                let _ = writeln!(text, "  authority    {}", Printable(authority));
            }
            for log in &root.logs {
                let _ = writeln!(text, "  log          {log}");
            }
            let _ = writeln!(text, "  time stamps  {} authorities", root.timestamp_authorities);
        }
        let _ = writeln!(text, "  file         {}", Printable(&anchor.file));
        let _ = writeln!(text, "               sha256:{}", anchor.sha256);
        let _ = writeln!(text, "  provenance   {}", Printable(&anchor.provenance));
    }
    if anchors.is_empty() && reasons.is_empty() {
        text.push_str("there is no anchor\n");
    }
    text.push_str(&reasons_text("cannot be used", reasons));
    text
}
