//! What a zip is, by the names of its members, and which members belong to that.

use super::directory::{Directory, Entry};
use crate::format::{Format, Identified};

/// Bytes of the small texts beside PyTorch's pickle.
const SMALL: u64 = 64;

/// What the zip is.
pub(super) fn of(directory: &Directory) -> Format {
    let entries = directory.entries();
    // PyTorch goes by the first member, and takes upper and lower case for the same.
    let top = entries.first().map(top).unwrap_or_default();
    let beneath = |name: &str| {
        entries
            .iter()
            .any(|entry| below(top, entry).is_some_and(|path| path.eq_ignore_ascii_case(name)))
    };
    let folder = |name: &str| {
        entries.iter().any(|entry| {
            below(top, entry)
                .and_then(|path| path.get(..name.len()))
                .is_some_and(|path| path.eq_ignore_ascii_case(name))
        })
    };
    if beneath("constants.pkl")
        || beneath("bytecode.pkl")
        || beneath("attributes.pkl")
        || folder("code/")
    {
        return Format::Torchscript;
    }
    if beneath("data.pkl") {
        return Format::Pytorch;
    }
    if is_keras(directory) {
        return Format::Keras;
    }
    let arrays = entries.iter().filter(|entry| entry.name.ends_with(".npy")).count();
    if arrays > 0 && arrays.saturating_mul(2) >= entries.len() {
        return Format::Npz;
    }
    if is_document(entries) {
        return Format::Document;
    }
    Format::Zip
}

/// Keras builds a model from its configuration before it misses anything else. Other archives with a
/// file of that name hold more.
fn is_keras(directory: &Directory) -> bool {
    let has = |name: &str| directory.get(name).is_some();
    let names = ["metadata.json", "model.weights.h5", "model.weights.npz"];
    let bare = |entry: &Entry| &*entry.name == "config.json" || entry.name.starts_with("assets/");
    has("config.json") && (names.into_iter().any(has) || directory.entries().iter().all(bare))
}

/// Whether an office program opens the zip: a package of OOXML (ECMA-376, part 2), or of OpenDocument.
fn is_document(entries: &[Entry]) -> bool {
    let has = |name: &str| entries.iter().any(|entry| entry.name.eq_ignore_ascii_case(name));
    has("[Content_Types].xml") || (has("mimetype") && has("META-INF/manifest.xml"))
}

/// What a part of a document does beside being read, told by where it lies.
pub(super) fn macros(path: &str) -> Option<&'static str> {
    let path = path.to_ascii_lowercase();
    let within = |folder: &str| path.split('/').rev().skip(1).any(|part| part == folder);
    if path.ends_with("vbaproject.bin")
        || ["basic", "scripts", "macrosheets"].into_iter().any(within)
    {
        Some("carries macros")
    } else if within("embeddings") || within("activex") {
        Some("embeds other files, which may be programs")
    } else {
        None
    }
}

/// The first folder of a member's path, with its slash.
fn top(entry: &Entry) -> &str {
    entry.name.split_inclusive('/').next().filter(|top| top.ends_with('/')).unwrap_or_default()
}

/// The member's path below the folder `top`, which is the one of PyTorch's archives.
fn below<'e>(top: &str, entry: &'e Entry) -> Option<&'e str> {
    entry.name.strip_prefix(top).filter(|_| !top.is_empty())
}

/// What a member is to the format of its archive.
pub(super) enum Part {
    /// The bytes of a tensor, which are whatever they are.
    Storage,
    /// A member that must be one of these formats.
    Of(&'static [Format]),
    /// A short text.
    Small,
    /// Nothing that the format has.
    Foreign,
    /// The format has members of any kind.
    Any,
}

impl Part {
    /// What `entry` is in the archive `directory` of that format.
    pub(super) fn of(format: Format, directory: &Directory, entry: &Entry) -> Part {
        let first = directory.entries().first().map(top).unwrap_or_default();
        match format {
            Format::Pytorch => below(first, entry).map_or(Part::Foreign, pytorch),
            Format::Torchscript => below(first, entry).map_or(Part::Foreign, torchscript),
            Format::Npz if entry.name.ends_with(".npy") => Part::Of(&[Format::Numpy]),
            Format::Npz => Part::Foreign,
            Format::Keras => keras(&entry.name),
            _ => Part::Any,
        }
    }

    /// Whether the member may be what it was found to be.
    pub(super) fn may_be(&self, entry: &Entry, found: &Identified) -> bool {
        let is =
            |formats: &[Format]| matches!(found, Identified::One(one) if formats.contains(one));
        match self {
            Part::Storage | Part::Any => true,
            Part::Of(formats) => is(formats),
            Part::Small => entry.size <= SMALL && is(&[Format::Text]),
            Part::Foreign => false,
        }
    }
}

/// The folder with the storages that the pickle `entry` names, if it is PyTorch's.
pub(super) fn storages(format: Format, directory: &Directory, entry: &Entry) -> Option<String> {
    let top = directory.entries().first().map(top)?;
    match (format, below(top, entry)?) {
        (Format::Pytorch | Format::Torchscript, "data.pkl") => Some(format!("{top}data/")),
        (Format::Torchscript, "constants.pkl") => Some(format!("{top}constants/")),
        _ => None,
    }
}

fn pytorch(path: &str) -> Part {
    match path {
        "data.pkl" => Part::Of(&[Format::Pickle]),
        "version"
        | "byteorder"
        | ".data/serialization_id"
        | ".format_version"
        | ".storage_alignment" => Part::Small,
        _ if numbered(path, "data/") => Part::Storage,
        _ => Part::Foreign,
    }
}

fn torchscript(path: &str) -> Part {
    let in_code = path.starts_with("code/");
    match path {
        _ if numbered(path, "constants/") || numbered(path, "tensors/") => Part::Storage,
        _ if in_code && path.ends_with(".py") => Part::Of(&[Format::Text, Format::Empty]),
        _ if in_code && path.ends_with(".debug_pkl") => Part::Of(&[Format::Pickle]),
        _ if !path.contains('/') && path.ends_with(".pkl") => Part::Of(&[Format::Pickle]),
        _ if path.starts_with("extra/") => Part::Of(&[Format::Text, Format::Json, Format::Empty]),
        "model.json" => Part::Of(&[Format::Json]),
        _ => pytorch(path),
    }
}

fn keras(path: &str) -> Part {
    match path {
        "config.json" | "metadata.json" => Part::Of(&[Format::Json]),
        "model.weights.h5" => Part::Of(&[Format::Hdf5]),
        _ if path.starts_with("assets/") => Part::Of(&[Format::Text, Format::Json, Format::Empty]),
        _ => Part::Foreign,
    }
}

/// Whether the path is `folder` and a number.
fn numbered(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder)
        .is_some_and(|name| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit()))
}
