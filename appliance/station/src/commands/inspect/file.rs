//! What a model file holds, as a person wants to see it.
//!
//! Everything comes from the file itself, so that it is shown with control characters escaped.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use oms_inspect::{Contents, Inspection, Tensor};
use oms_verify::observe::Mark;
use oms_verify::reason::Printable;
use serde::Serialize;

use super::super::{print, print_json};
use crate::inspection;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema: &'static str,
    bytes: u64,
    formats: Vec<&'static str>,
    checks: Vec<&'static str>,
    findings: Vec<Found>,
    totals: Totals,
    contents: Contents,
}

/// What a policy may refuse.
#[derive(Serialize)]
struct Found {
    code: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    subject: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    place: String,
    detail: String,
}

/// Sums over all tensors.
#[derive(Serialize)]
struct Totals {
    tensors: usize,
    /// Elements of all tensors, as far as they can be counted.
    elements: u128,
    bytes: u128,
    /// How many tensors have each type of elements.
    dtypes: BTreeMap<String, usize>,
}

impl Totals {
    fn of(tensors: &[Tensor]) -> Totals {
        let mut dtypes = BTreeMap::new();
        for tensor in tensors {
            let count = dtypes.entry(tensor.dtype.clone()).or_insert(0_usize);
            *count = count.saturating_add(1);
        }
        Totals {
            tensors: tensors.len(),
            elements: tensors.iter().map(elements).fold(0, u128::saturating_add),
            bytes: tensors.iter().map(|one| one.bytes.into()).fold(0, u128::saturating_add),
            dtypes,
        }
    }
}

fn elements(tensor: &Tensor) -> u128 {
    tensor.shape.iter().fold(1, |product: u128, size| product.saturating_mul((*size).into()))
}

/// Shows what is inside the file at `path`, as one JSON document or to a person.
pub(super) fn show(
    path: &Path,
    bytes: u64,
    inspection: Inspection,
    contents: Contents,
    json: bool,
) {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let found = |mark: Mark| Found {
        code: mark.code.id(),
        detail: mark.sentence(),
        subject: mark.subject,
        place: mark.place,
    };
    let document = Document {
        schema: "urn:oms-appliance:inspect-file:1",
        bytes,
        formats: inspection::formats(&inspection.format),
        checks: inspection.checks.to_vec(),
        findings: inspection::marks(&name, inspection).into_iter().map(found).collect(),
        totals: Totals::of(&contents.tensors),
        contents,
    };
    if json {
        print_json(&document);
    } else {
        print(&text(&document));
    }
}

fn text(document: &Document) -> String {
    let formats = match document.formats.as_slice() {
        [] => "unknown".to_owned(),
        formats => formats.join(" and "),
    };
    let mut text = format!("format   {formats}\nbytes    {}\n", document.bytes);
    let _ = writeln!(text, "checks   {}", document.checks.join(", "));
    findings(&mut text, &document.findings);
    let contents = &document.contents;
    section(&mut text, "metadata", &contents.metadata, |entry| {
        format!("{} = {}", Printable(&entry.key), Printable(&entry.value))
    });
    let name = |name: &String| Printable(name).to_string();
    section(&mut text, "globals", &contents.globals, name);
    section(&mut text, "operators", &contents.operators, name);
    section(&mut text, "classes", &contents.classes, name);
    for template in &contents.templates {
        let (place, sha256) = (Printable(&template.place), &template.sha256);
        let _ = writeln!(text, "\ntemplate at {place}, SHA-256 {sha256}");
        for line in template.text.lines() {
            let _ = writeln!(text, "  | {}", Printable(line));
        }
    }
    section(&mut text, "members", &contents.members, |member| {
        let formats = member.formats.join(" and ");
        format!("{:>14} {:<12} {}", member.bytes, formats, Printable(&member.name))
    });
    tensors(&mut text, &contents.tensors, &document.totals);
    if contents.omitted > 0 {
        let _ = writeln!(text, "\nleft out {} more entries and tensors", contents.omitted);
    }
    text
}

fn findings(text: &mut String, findings: &[Found]) {
    let title = "findings: a policy may refuse the file for each";
    section(text, title, findings, |found| {
        let place = match found.place.as_str() {
            "" => String::new(),
            place => format!("{}: ", Printable(place)),
        };
        format!("{}: {place}{}", found.code, Printable(&found.detail))
    });
}

fn tensors(text: &mut String, tensors: &[Tensor], totals: &Totals) {
    section(text, "tensors", tensors, |tensor| {
        let shape: Vec<String> = tensor.shape.iter().map(u64::to_string).collect();
        let shape = format!("[{}]", shape.join(", "));
        let (name, dtype) = (Printable(&tensor.name), Printable(&tensor.dtype));
        format!("{:>14} {:<8} {shape:<20} {name}", tensor.bytes, dtype.to_string())
    });
    if tensors.is_empty() {
        return;
    }
    let types = totals.dtypes.iter().map(|(dtype, count)| format!("{count} {}", Printable(dtype)));
    let types: Vec<String> = types.collect();
    let _ = writeln!(
        text,
        "\ntotal    {} tensors ({}), {} elements, {} bytes",
        totals.tensors,
        types.join(", "),
        totals.elements,
        totals.bytes
    );
}

/// A title with the number of items and one line for each; nothing where there is none.
fn section<T>(text: &mut String, title: &str, items: &[T], line: impl Fn(&T) -> String) {
    if items.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{title} ({})", items.len());
    for item in items {
        let _ = writeln!(text, "  {}", line(item));
    }
}
