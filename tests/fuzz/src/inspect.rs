//! What is inside of a file of a model: any bytes are identified and gone through.

use std::io::Cursor;

use oms_inspect::{Budget, CHECKS, Contents, Identified, Inspection, Model, describe, named};

/// The targets that are about formats, and the formats that each begins with. What else there is
/// belongs to `inspect-identify`.
pub const FORMATS: [(&str, &[&str]); 12] = [
    ("inspect-safetensors", &["safetensors"]),
    ("inspect-gguf", &["gguf"]),
    ("inspect-json", &["json", "notebook"]),
    ("inspect-tokenizer", &["tokenizer"]),
    ("inspect-zip", &["zip", "pytorch", "torchscript", "npz"]),
    ("inspect-pickle", &["pickle", "torch-legacy", "joblib"]),
    ("inspect-numpy", &["numpy"]),
    ("inspect-onnx", &["onnx"]),
    ("inspect-hdf5", &["hdf5"]),
    ("inspect-keras", &["keras"]),
    ("inspect-tensorflow", &["savedmodel", "graphdef"]),
    ("inspect-tflite", &["tflite"]),
];

/// A file. Its report keeps its rules, and is the same when somebody wants to see what is inside.
pub fn inspect(data: &[u8]) {
    let (length, budget) = (data.len() as u64, Budget::default());
    let plain = oms_inspect::inspect(&mut Cursor::new(data), length, &budget);
    let shown = describe(&mut Cursor::new(data), length, &budget);
    let (Ok(plain), Ok((inspection, contents))) = (plain, shown) else {
        unreachable!("bytes in memory can be read");
    };
    assert_eq!(plain, inspection, "looking at what is inside changes what is found");
    keeps_its_rules(&inspection, &contents);

    let name: String = String::from_utf8_lossy(data).chars().take(24).collect();
    assert!(named(&name, &inspection).len() < 8);
    let mut model = Model::default();
    model.add("folder/a", length, inspection.links);
    let findings = model.findings();
    assert!(findings.iter().all(|(path, _)| path == "folder/a"));
}

/// The text of a template, as a tokenizer's configuration carries it.
pub fn template(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let configuration = serde_json::json!({ "chat_template": text });
    inspect(configuration.to_string().as_bytes());
}

fn keeps_its_rules(found: &Inspection, contents: &Contents) {
    for name in found.checks {
        assert!(CHECKS.iter().any(|check| check.name == *name), "{name} is no check");
    }
    match &found.format {
        Identified::Ambiguous(formats) => {
            assert!(formats.len() > 1 && formats.is_sorted_by(|a, b| a < b), "{formats:?}");
        }
        Identified::Unknown => assert_eq!(found.malformed, None),
        Identified::One(_) => {}
    }
    // A report stays short, whatever the file's names are.
    const MOST: usize = 4096;
    assert!(found.findings.len() <= 1025, "{} findings", found.findings.len());
    assert!(found.malformed.as_ref().map_or(0, |cause| cause.to_string().len()) < MOST);
    for finding in &found.findings {
        assert!(finding.detail.len() < MOST, "{}", finding.detail);
        assert!(finding.place.to_string().len() < MOST, "{}", finding.place);
    }
    for template in &contents.templates {
        assert_eq!(template.sha256.len(), 64);
    }
}
