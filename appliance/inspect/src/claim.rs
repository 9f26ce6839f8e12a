//! The decision: every format looks at the file once, and their claims are weighed.
//!
//! A sure claim rests on bytes that no other format can have there. A weak one rests on bytes that
//! ordinary text may also start with, or on a beginning that then breaks; it stands only when no
//! sure claim does and the file is not text.

use std::io::{self, Read, Seek};

use crate::budget::Budget;
use crate::format::{Format, Identified};
use crate::malformed::{Fault, Malformed};
use crate::notes::Notes;
use crate::pickle::{self, Loader, Storages};
use crate::source::Source;
use crate::{
    document, gguf, hdf5, image, index, json, magic, numpy, onnx, safetensors, tensorflow, text,
    tflite, tokenizer, zip,
};

/// One format's word that the file is of its kind.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) format: Format,
    pub(crate) sure: bool,
    /// The first break of the format's structure.
    pub(crate) malformed: Option<Malformed>,
}

impl Claim {
    pub(crate) fn sure(format: Format) -> Self {
        Claim { format, sure: true, malformed: None }
    }

    pub(crate) fn weak(format: Format) -> Self {
        Claim { format, sure: false, malformed: None }
    }
}

/// What the file is, and what identifying it showed.
#[derive(Debug)]
pub(crate) struct Decided {
    pub(crate) format: Identified,
    pub(crate) malformed: Option<Malformed>,
}

/// Identifies the file, and where it is of one format, reads what that format holds.
pub(crate) fn decide<R: Read + Seek>(
    source: &mut Source<'_, R>,
    budget: &Budget,
    notes: &mut Notes,
) -> io::Result<Decided> {
    decide_for(Loader::Python, source, budget, notes).map(|(decided, _)| decided)
}

/// The same for a member of an archive: if it is a pickle, `loader` will load it. Gives the storages
/// that it names, too.
pub(crate) fn decide_for<R: Read + Seek>(
    loader: Loader,
    source: &mut Source<'_, R>,
    budget: &Budget,
    notes: &mut Notes,
) -> io::Result<(Decided, Option<Storages>)> {
    let decided = identify(source, budget, notes)?;
    let mut storages = None;
    if let (Identified::One(format), None) = (&decided.format, &decided.malformed) {
        let read = match format {
            Format::Pickle => pickle::read(source, budget, notes, loader).map(|named| {
                storages = Some(named);
            }),
            format => read(*format, source, budget, notes),
        };
        match read {
            Ok(()) => {}
            Err(Fault::Broken(cause)) => {
                return Ok((Decided { malformed: Some(cause), ..decided }, storages));
            }
            Err(Fault::Read(error)) => return Err(error),
        }
    }
    Ok((decided, storages))
}

/// Reads a file that is of one format and whose outline is whole.
fn read<R: Read + Seek>(
    format: Format,
    source: &mut Source<'_, R>,
    budget: &Budget,
    notes: &mut Notes,
) -> Result<(), Fault> {
    match format {
        Format::Safetensors => safetensors::read(source, budget, notes),
        Format::Gguf => gguf::read(source, budget, notes),
        Format::Json => index::read(source, budget, notes),
        Format::Text => text::read(source, notes),
        Format::Image => image::read(source),
        Format::Document if zip::starts(source) => zip::read(format, source, budget, notes),
        Format::Document => document::read(source, budget, notes),
        Format::Zip | Format::Pytorch | Format::Torchscript | Format::Npz | Format::Keras => {
            zip::read(format, source, budget, notes)
        }
        Format::Onnx => onnx::read(source, budget, notes),
        Format::Hdf5 => hdf5::read(source, budget, notes),
        Format::Joblib => pickle::read(source, budget, notes, Loader::Joblib).map(|_| ()),
        Format::TorchLegacy => pickle::read(source, budget, notes, Loader::TorchLegacy).map(|_| ()),
        Format::Numpy => numpy::read(source, budget, notes),
        Format::SavedModel | Format::GraphDef => tensorflow::read(format, source, budget, notes),
        Format::Tflite => tflite::read(source, budget, notes),
        // Read to the end where it is identified, or in no list that anybody should write.
        Format::Pickle
        | Format::Notebook
        | Format::Tokenizer
        | Format::Elf
        | Format::Pe
        | Format::MachO
        | Format::Java
        | Format::Wasm
        | Format::Bitcode
        | Format::Script
        | Format::Bytecode
        | Format::Shortcut
        | Format::Archive
        | Format::Pdf
        | Format::Html
        | Format::Svg
        | Format::Audio
        | Format::Empty => Ok(()),
    }
}

fn identify<R: Read + Seek>(
    source: &mut Source<'_, R>,
    budget: &Budget,
    notes: &mut Notes,
) -> io::Result<Decided> {
    if source.length() == 0 {
        return Ok(report(vec![Claim::sure(Format::Empty)]));
    }
    let (mut sure, weak): (Vec<_>, Vec<_>) =
        claims(source, budget)?.into_iter().partition(|claim| claim.sure);

    if let Some(bytes) = zip::prefix(&sure) {
        sure.extend(weak);
        sure.extend(in_front(source, bytes));
        return Ok(report(sure));
    }
    if !sure.is_empty() {
        return Ok(report(sure));
    }
    if let json::Reading::Yes { format, malformed } = json::read(source, budget, notes)? {
        return Ok(report(vec![Claim { malformed, ..Claim::sure(format) }]));
    }
    if let Some(text) = plain(source, budget)? {
        return Ok(report(vec![text]));
    }
    Ok(report(weak))
}

fn claims<R: Read + Seek>(source: &mut Source<'_, R>, budget: &Budget) -> io::Result<Vec<Claim>> {
    let mut claims = Vec::new();
    claims.extend(safetensors::claim(source));
    claims.extend(gguf::claim(source));
    let zip = zip::claim(source, budget)?;
    // To a pickle, `PK` and what follows up to the end of a line is a persistent id. No loader knows
    // one such, and in a zip that is whole each pickle lies in a member.
    if zip.as_ref().is_none_or(|claim| claim.malformed.is_some()) {
        claims.extend(pickle::claim(source, budget)?);
    }
    claims.extend(zip);
    claims.extend(tokenizer::claim(source, budget)?);
    claims.extend(onnx::claim(source, budget)?);
    claims.extend(tensorflow::claim(source, budget)?);
    claims.extend(tflite::claim(source, budget)?);
    claims.extend(magic::claims(source)?);
    Ok(claims)
}

fn plain<R: Read + Seek>(source: &mut Source<'_, R>, budget: &Budget) -> io::Result<Option<Claim>> {
    if !text::starts_as_text(source.head()) {
        return Ok(None);
    }
    let limit = budget.text_bytes;
    if source.length() > limit {
        let malformed = Some(Malformed::TextTooLarge { limit });
        return Ok(Some(Claim { malformed, ..Claim::sure(Format::Text) }));
    }
    let text = text::is_text(source.scan(0)?)?;
    let format = magic::markup::of(source.head()).unwrap_or(Format::Text);
    Ok(text.then(|| Claim::sure(format)))
}

/// What a reader that starts at the first byte would take the `bytes` before a zip for.
fn in_front<R: Read + Seek>(source: &Source<'_, R>, bytes: u64) -> Option<Claim> {
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    let front = source.head();
    let front = front.get(..bytes.min(front.len())).unwrap_or_default();
    if !text::starts_as_text(front) || front.starts_with(b"#!") {
        return None;
    }
    let json = matches!(front.trim_ascii_start().first(), Some(b'{' | b'['));
    let markup = || magic::markup::of(front).unwrap_or(Format::Text);
    Some(Claim::sure(if json { Format::Json } else { markup() }))
}

fn report(claims: Vec<Claim>) -> Decided {
    let mut formats: Vec<Format> = claims.iter().map(|claim| claim.format).collect();
    formats.sort_unstable();
    formats.dedup();
    let format = match formats.as_slice() {
        [] => Identified::Unknown,
        &[format] => Identified::One(format),
        _ => Identified::Ambiguous(formats),
    };
    let malformed = claims.into_iter().find_map(|claim| claim.malformed);
    Decided { format, malformed }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{look, samples, zip};

    #[test]
    fn the_smallest_file_of_each_format_is_only_that() {
        for (format, bytes) in samples() {
            let found = look(&bytes);
            assert_eq!(found.format, Identified::One(format), "{bytes:02x?}");
            assert_eq!(found.malformed, None, "{format:?}");
            assert_eq!(found.checks, crate::checks::ran(&found.format));
        }
    }

    #[test]
    fn every_format_has_a_sample() {
        for &format in Format::ALL {
            assert!(samples().iter().any(|(sample, _)| *sample == format), "{format:?}");
        }
    }

    #[test]
    fn any_file_with_a_zip_at_its_end_is_both() {
        for (format, mut bytes) in samples() {
            let zips =
                [Format::Zip, Format::Pytorch, Format::Torchscript, Format::Npz, Format::Keras];
            if format == Format::Empty || zips.contains(&format) {
                continue;
            }
            // In front of a zip it is not read to its end.
            let format = if format == Format::Notebook { Format::Json } else { format };
            let length = bytes.len() as u64;
            bytes.extend(zip(0));
            let both = |mut formats: Vec<Format>| {
                formats.sort_unstable();
                Identified::Ambiguous(formats)
            };
            assert_eq!(look(&bytes).format, both(vec![format, Format::Zip]), "{format:?}");
            // Also when the zip's offsets count from the start of the file.
            bytes.truncate(bytes.len() - zip(0).len());
            bytes.extend(zip(length as u32));
            assert_eq!(look(&bytes).format, both(vec![format, Format::Zip]), "{format:?}");
        }
    }

    #[test]
    fn a_zip_inside_the_last_tensor_is_seen() {
        let zip = zip(0);
        let header =
            format!(r#"{{"t":{{"dtype":"U8","shape":[{0}],"data_offsets":[0,{0}]}}}}"#, zip.len());
        let mut bytes = crate::sample::safetensors(&header, 0);
        bytes.extend(zip);
        let both = Identified::Ambiguous(vec![Format::Safetensors, Format::Zip]);
        assert_eq!(look(&bytes).format, both);
    }

    #[test]
    fn a_pickle_in_the_length_of_a_safetensors_header_is_seen() {
        // Read as a number: a header of 85 MiB. Read as opcodes: PROTO 2, BINUNICODE of five bytes,
        // which end in the JSON, and STOP.
        let bytes = b"\x80\x02X\x05\0\0\0\0{\"aa.";
        let found = look(bytes).format;
        assert_eq!(found, Identified::Ambiguous(vec![Format::Safetensors, Format::Pickle]));
    }

    #[test]
    fn a_pdf_that_starts_late_makes_two() {
        let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
        bytes.extend(b"\n%PDF-1.7\n1 0 obj\nendobj\n%%EOF\n");
        let both = Identified::Ambiguous(vec![Format::Pdf, Format::Image]);
        assert_eq!(look(&bytes).format, both);
    }

    #[test]
    fn what_nothing_claims_is_unknown() {
        for bytes in [&b"\0"[..], b"\x01\x02\x03", b"\xff\xfe{\0}\0", &[0; 5000]] {
            let found = look(bytes);
            assert_eq!(found.format, Identified::Unknown);
            assert_eq!(found.checks, ["identify", "polyglot"]);
        }
    }
}
