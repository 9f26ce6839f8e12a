//! Hostile models and their twins to begin with, each for the target of what it is.

use std::io::Cursor;
use std::sync::LazyLock;

use oms_inspect::{Budget, Identified, Inspection, describe};

use super::seeds::longest;

/// The target of whatever no other is about.
const OTHERS: &str = "inspect-identify";

/// A file of the corpus: its bytes, the targets that it belongs to, and the templates in it.
type Seed = (Vec<u8>, Vec<&'static str>, Vec<String>);

/// Every file of the corpus, looked into once for all targets.
static FILES: LazyLock<Vec<Seed>> = LazyLock::new(|| {
    let files = oms_corpus::cases().into_iter().flat_map(|case| [case.files, case.twin].concat());
    let seed = |(_, bytes): (&str, Vec<u8>)| {
        let length = bytes.len() as u64;
        let (inspection, contents) =
            describe(&mut Cursor::new(&bytes), length, &Budget::default()).ok()?;
        let templates = contents.templates.into_iter().map(|template| template.text);
        Some((bytes, targets(&inspection), templates.collect()))
    };
    files.filter_map(seed).collect()
});

/// The files of the corpus that belong to a target; for the one of templates, those in them.
pub(super) fn seeds(name: &str) -> Vec<Vec<u8>> {
    let seeds = FILES.iter().flat_map(|(bytes, targets, templates)| match name {
        "inspect-template" => templates.iter().map(|text| text.clone().into_bytes()).collect(),
        _ if targets.contains(&name) => vec![bytes.clone()],
        _ => Vec::new(),
    });
    seeds.filter(|seed| seed.len() <= longest(name)).collect()
}

/// The targets that a file belongs to.
fn targets(inspection: &Inspection) -> Vec<&'static str> {
    let formats = match &inspection.format {
        Identified::Unknown => return vec![OTHERS],
        Identified::One(format) => std::slice::from_ref(format),
        Identified::Ambiguous(formats) => formats.as_slice(),
    };
    let target = |name: &str| {
        let about = oms_fuzz::FORMATS.iter().find(|(_, formats)| formats.contains(&name));
        about.map_or(OTHERS, |(target, _)| target)
    };
    formats.iter().map(|format| target(format.name())).collect()
}
