//! Real model files: what others wrote is identified and well-formed.

use std::fs::File;
use std::path::Path;

use oms_inspect::{Budget, Finding, Format, Identified, InspectError, Inspection, Kind, inspect};
use oms_testkit::vectors;

fn model(vectors: &Path, name: &str) -> Result<Inspection, InspectError> {
    let mut file = File::open(vectors.join("models/silero-vad").join(name))?;
    let length = file.metadata()?.len();
    inspect(&mut file, length, &Budget::default())
}

#[test]
fn real_models_are_identified_and_well_formed() {
    let Some(vectors) = vectors::dir() else { return };
    for (name, format) in [
        ("silero_vad_16k.safetensors", Format::Safetensors),
        ("silero_vad.jit", Format::Torchscript),
        ("silero_vad_half.onnx", Format::Onnx),
        ("LICENSE", Format::Text),
    ] {
        let found = model(&vectors, name).unwrap();
        assert_eq!(found.format, Identified::One(format), "{name}");
        assert_eq!(found.malformed, None, "{name}");
        let wrong = |found: &&Finding| matches!(found.kind, Kind::Malformed | Kind::Member);
        let wrong: Vec<&Finding> = found.findings.iter().filter(wrong).collect();
        assert!(wrong.is_empty(), "{name}: {wrong:?}");
    }
}

#[test]
fn a_real_onnx_model_needs_the_operators_of_onnx_and_no_others() {
    let Some(vectors) = vectors::dir() else { return };
    let found = model(&vectors, "silero_vad_half.onnx").unwrap();
    let domains: Vec<_> = found.findings.iter().map(|one| (one.kind, &*one.subject)).collect();
    assert_eq!(domains, [(Kind::OperatorDomain, "ai.onnx")]);
    assert!(found.links.is_empty());
}

#[test]
fn a_real_model_cut_short_is_malformed() {
    let Some(vectors) = vectors::dir() else { return };
    let path = vectors.join("models/silero-vad/silero_vad_16k.safetensors");
    let mut file = File::open(&path).unwrap();
    let length = file.metadata().unwrap().len();
    let found = inspect(&mut file, length - 1, &Budget::default()).unwrap();
    assert_eq!(found.format, Identified::One(Format::Safetensors));
    assert!(found.malformed.is_some());
}

#[test]
fn a_real_zip_behind_a_prefix_is_ambiguous() {
    let Some(vectors) = vectors::dir() else { return };
    let zip = std::fs::read(vectors.join("models/silero-vad/silero_vad.jit")).unwrap();
    let bytes = [&b"{\"a\": 1}\n"[..], &zip].concat();
    let found =
        inspect(&mut std::io::Cursor::new(&bytes), bytes.len() as u64, &Budget::default()).unwrap();
    assert_eq!(found.format, Identified::Ambiguous(vec![Format::Json, Format::Zip]));
}
