//! Executables, archives, documents, pictures, names, and files that are two things at once.

mod archive;
mod name;
mod picture;
mod program;
mod twofold;

use crate::Case;

pub(crate) fn cases() -> Vec<Case> {
    [archive::cases(), name::cases(), picture::cases(), program::cases(), twofold::cases()].concat()
}

/// A file of this format, which no list of weights allows, and text in its place.
fn refused(
    name: &'static str,
    says: &'static str,
    file: &'static str,
    hostile: impl Into<Vec<u8>>,
) -> Case {
    Case::one(name, ("format", says), file, hostile.into(), b"Weights of a small model.\n".to_vec())
}

/// Fills up to `length` with zeros.
fn padded(bytes: &[u8], length: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes.resize(length, 0);
    bytes
}

/// Writes `part` at `at`, where there is room.
fn with(mut bytes: Vec<u8>, at: usize, part: &[u8]) -> Vec<u8> {
    for (place, byte) in bytes.iter_mut().skip(at).zip(part) {
        *place = *byte;
    }
    bytes
}

/// A safetensors file of one tensor of bytes.
fn safetensors(data: &[u8]) -> Vec<u8> {
    let count = data.len();
    let header =
        format!(r#"{{"w":{{"dtype":"U8","shape":[{count}],"data_offsets":[0,{count}]}}}}"#);
    let header = format!("{header:<0$}", header.len().next_multiple_of(8));
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat()
}

/// A zip of one empty file, with offsets that count from its own start.
fn zip() -> Vec<u8> {
    let (mut local, mut central) =
        (b"PK\x03\x04\x14\0".to_vec(), b"PK\x01\x02\x14\0\x14\0".to_vec());
    local.extend([0; 20]);
    local.extend(b"\x01\0\0\0a");
    central.extend([0; 20]);
    central.extend(b"\x01\0");
    central.extend([0; 16]);
    central.push(b'a');
    let mut end = b"PK\x05\x06\0\0\0\0\x01\0\x01\0".to_vec();
    end.extend((central.len() as u32).to_le_bytes());
    end.extend((local.len() as u32).to_le_bytes());
    end.extend([0; 2]);
    [local, central, end].concat()
}

/// A tar of one empty file; the sum of its header is written as `sum` does.
fn tar(name: &[u8], sum: impl Fn(u32) -> String) -> Vec<u8> {
    let block = with(vec![0; 512], 0, name);
    let block = with(block, 100, b"0000644\0");
    let block = with(block, 124, b"00000000000\0");
    let block = with(block, 148, &[b' '; 8]);
    let total = block.iter().map(|byte| u32::from(*byte)).sum();
    let field = padded(sum(total).as_bytes(), 8);
    padded(&with(block, 148, &field), 1536)
}
