//! What a bundle alleges. Nothing of it is verified here.

use oms_verify::bundle::{Bundle, Material};
use oms_verify::pki::Certificate;
use oms_verify::reason::Printable;
use oms_verify::verdict::CertificateDetail;
use serde::Serialize;
use serde_json::Value;

use super::super::{print, print_json};

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

/// Shows it, as one JSON document or to a person.
pub(super) fn show(bundle: &Bundle, json: bool) {
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
        print(&text(&document));
    }
}

fn text(document: &BundleDocument) -> String {
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
