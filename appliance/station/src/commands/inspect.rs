//! `inspect`: what a bundle alleges, or what a model file is. It decides nothing.

use std::path::PathBuf;

use oms_inspect::Identified;
use oms_verify::budget::Budget;
use oms_verify::bundle::{Bundle, Material};
use oms_verify::pki::Certificate;
use oms_verify::reason::{Code, Printable, Reason};
use oms_verify::verdict::CertificateDetail;
use serde::Serialize;
use serde_json::Value;

use super::{Done, print, print_json};
use crate::bounded;
use crate::present::Outcome;

#[derive(clap::Args)]
pub(super) struct Args {
    /// A bundle or a model file
    file: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BundleDocument {
    schema: &'static str,
    verified: bool,
    sha256: String,
    media_type: String,
    method: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    certificates: Vec<CertificateShown>,
    statement: Value,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CertificateShown {
    #[serde(flatten)]
    detail: CertificateDetail,
    issuer: String,
    not_before: String,
    not_after: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FileDocument {
    schema: &'static str,
    bytes: u64,
    formats: Vec<&'static str>,
    malformed: Option<String>,
    remote_code: Vec<String>,
    checks: Vec<&'static str>,
}

pub(super) fn run(args: &Args) -> Done {
    let budget = Budget::default();
    let unreadable = |error: std::io::Error| {
        let reason = Reason::new(Code::MediaUnreadable, error.to_string());
        vec![reason.about(args.file.display().to_string())]
    };
    let metadata = std::fs::metadata(&args.file).map_err(unreadable)?;
    if metadata.is_dir() {
        let detail = "inspect takes one file: a bundle or a model file";
        let reason = Reason::new(Code::ConfigUsage, detail);
        return Err(vec![reason.about(args.file.display().to_string())]);
    }
    if !metadata.is_file() {
        let reason = Reason::new(Code::MediaNotRegular, "it is not a regular file");
        return Err(vec![reason.about(args.file.display().to_string())]);
    }
    if metadata.len() <= budget.bundle_bytes {
        let bytes = bounded::read(&args.file, budget.bundle_bytes).map_err(unreadable)?;
        match Bundle::parse(&bytes, &budget) {
            Ok(bundle) => {
                show_bundle(&bundle, args.json);
                return Ok(Outcome::Passed);
            }
            Err(error) if alleges_to_be_a_bundle(&bytes) => {
                return Err(vec![Reason::from(&error).about(args.file.display().to_string())]);
            }
            Err(_) => {}
        }
    }
    let mut file = std::fs::File::open(&args.file).map_err(unreadable)?;
    let bytes = file.metadata().map_err(unreadable)?.len();
    let inspection = oms_inspect::inspect(&mut file, bytes, &oms_inspect::Budget::default())
        .map_err(|error| unreadable(std::io::Error::other(error)))?;
    let document = FileDocument {
        schema: "urn:oms-appliance:inspect-file:1",
        bytes,
        formats: match &inspection.format {
            Identified::One(format) => vec![format.name()],
            Identified::Unknown => Vec::new(),
            Identified::Ambiguous(formats) => formats.iter().map(|format| format.name()).collect(),
        },
        malformed: inspection.malformed.as_ref().map(ToString::to_string),
        remote_code: inspection.remote_code.iter().map(|code| code.pointer.clone()).collect(),
        checks: inspection.checks.to_vec(),
    };
    if args.json {
        print_json(&document);
    } else {
        print(&file_text(&document));
    }
    Ok(Outcome::Passed)
}

/// Whether a file that is no bundle was meant as one, so that its fault is worth telling.
fn alleges_to_be_a_bundle(bytes: &[u8]) -> bool {
    const FIELD: &[u8] = b"\"dsseEnvelope\"";
    bytes.starts_with(b"{") && bytes.windows(FIELD.len()).any(|window| window == FIELD)
}

fn file_text(document: &FileDocument) -> String {
    let formats = match document.formats.as_slice() {
        [] => "unknown".to_owned(),
        formats => formats.join(" and "),
    };
    let mut text = format!("format   {formats}\nbytes    {}\n", document.bytes);
    if let Some(malformed) = &document.malformed {
        text.push_str(&format!("broken   {}\n", Printable(malformed)));
    }
    for pointer in &document.remote_code {
        text.push_str(&format!("code     asked for at {}\n", Printable(pointer)));
    }
    text.push_str(&format!("checks   {}\n", document.checks.join(", ")));
    text
}

fn show_bundle(bundle: &Bundle, json: bool) {
    let (hint, certificates): (_, &[Certificate]) = match bundle.material() {
        Material::PublicKey(identifier) => (identifier.hint().map(str::to_owned), &[]),
        Material::Certificates(chain) => (None, chain),
        Material::Sigstore(evidence) => (None, evidence.certificates()),
    };
    let statement = serde_json::from_slice(bundle.alleged_payload()).unwrap_or(Value::Null);
    let document = BundleDocument {
        schema: "urn:oms-appliance:inspect-bundle:1",
        verified: false,
        sha256: bundle.digest().to_hex(),
        media_type: bundle.media_type().to_owned(),
        method: bundle.material().method(),
        hint,
        certificates: certificates
            .iter()
            .map(|certificate| CertificateShown {
                detail: CertificateDetail::from(certificate),
                issuer: certificate.issuer(),
                not_before: certificate.not_before().to_string(),
                not_after: certificate.not_after().to_string(),
            })
            .collect(),
        statement,
    };
    if json {
        print_json(&document);
    } else {
        print(&bundle_text(&document));
    }
}

fn bundle_text(document: &BundleDocument) -> String {
    let mut text = format!(
        "NOT VERIFIED: this is what the bundle alleges\nsha256   {}\ntype     {}\nmethod   {}\n",
        document.sha256, document.media_type, document.method
    );
    if let Some(hint) = &document.hint {
        text.push_str(&format!("hint     {}\n", Printable(hint)));
    }
    for shown in &document.certificates {
        text.push_str(&format!(
            "cert     {} issued by {}, {} to {}\n",
            Printable(&shown.detail.subject),
            Printable(&shown.issuer),
            shown.not_before,
            shown.not_after
        ));
    }
    let pretty = serde_json::to_string_pretty(&document.statement).unwrap_or_default();
    for line in pretty.lines() {
        text.push_str(&format!("{}\n", Printable(line)));
    }
    text
}
