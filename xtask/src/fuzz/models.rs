//! Hostile models and their twins to begin with, each for the target of what it is.

use std::io::Cursor;

use oms_inspect::{Budget, Contents, Identified, Inspection, describe};

use super::seeds::longest;

/// The target of whatever no other is about.
const OTHERS: &str = "inspect-identify";

/// The files of the corpus that belong to a target; for the one of templates, those in them.
pub(super) fn seeds(name: &str) -> Vec<Vec<u8>> {
    let cases = oms_corpus::cases();
    let files = cases.into_iter().flat_map(|case| [case.files, case.twin].concat());
    let files = files.filter_map(|(_, bytes)| {
        let (inspection, contents) = look(&bytes)?;
        Some((bytes, inspection, contents))
    });
    let seeds = files.flat_map(|(bytes, inspection, contents)| match name {
        "inspect-template" => {
            contents.templates.into_iter().map(|template| template.text.into_bytes()).collect()
        }
        _ if targets(&inspection).contains(&name) => vec![bytes],
        _ => Vec::new(),
    });
    seeds.filter(|seed| seed.len() <= longest(name)).collect()
}

fn look(bytes: &[u8]) -> Option<(Inspection, Contents)> {
    describe(&mut Cursor::new(bytes), bytes.len() as u64, &Budget::default()).ok()
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
