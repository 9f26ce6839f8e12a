//! Programs whose magic number alone says too little.

use std::io::{self, Read, Seek};

use crate::claim::Claim;
use crate::format::Format;
use crate::source::Source;

pub(super) fn claims<R: Read + Seek>(source: &mut Source<'_, R>) -> io::Result<Vec<Claim>> {
    let mut claims: Vec<Claim> = universal(source.head()).map(Claim::sure).into_iter().collect();
    if bytecode(source.head()) {
        claims.push(Claim::sure(Format::Bytecode));
    }
    if pe(source)? {
        claims.push(Claim::sure(Format::Pe));
    }
    Ok(claims)
}

/// The first version of a Java class that any machine runs; universal binaries hold fewer programs.
const JAVA: u32 = 45;

/// A universal binary, whose magic number is followed by how many programs it holds, or a Java class,
/// which has the same one, followed by its version (The Java Virtual Machine Specification, 4.1).
fn universal(head: &[u8]) -> Option<Format> {
    let (magic, rest) = head.split_first_chunk::<4>()?;
    let second: [u8; 4] = *rest.first_chunk()?;
    match (magic, u32::from_be_bytes(second)) {
        ([0xca, 0xfe, 0xba, 0xbe], 1..JAVA) | ([0xca, 0xfe, 0xba, 0xbf], 1..) => {
            Some(Format::MachO)
        }
        // Minor version, then major version.
        ([0xca, 0xfe, 0xba, 0xbe], versions) if versions & 0xffff >= JAVA => Some(Format::Java),
        // The other byte order, which only libraries of old accept.
        ([0xbe | 0xbf, 0xba, 0xfe, 0xca], _) => Some(Format::MachO),
        _ => None,
    }
}

/// A compiled module of Python: the version's number and a line end, a header of 4 to 12 bytes more,
/// and a marshalled code object (CPython's `importlib`, PEP 552).
fn bytecode(head: &[u8]) -> bool {
    let number = head.first_chunk().map_or(0, |&bytes| u16::from_le_bytes(bytes));
    matches!(number, 3000..=3999 | 50_000..=62_999)
        && head.get(2..4) == Some(b"\r\n")
        && [8, 12, 16].iter().any(|&at| matches!(head.get(at), Some(b'c' | 0xe3)))
}

/// `MZ`, and the signature of a program for Windows, or of one of its forerunners, where the header
/// points to.
fn pe<R: Read + Seek>(source: &mut Source<'_, R>) -> io::Result<bool> {
    if !source.head().starts_with(b"MZ") {
        return Ok(false);
    }
    let Some(place) = source.peek(0x3c)? else {
        return Ok(false);
    };
    let signature: Option<[u8; 4]> = source.peek(u64::from(u32::from_le_bytes(place)))?;
    Ok(signature.is_some_and(|bytes| {
        bytes == *b"PE\0\0" || matches!(bytes, [b'N', b'E', ..] | [b'L', b'E' | b'X', 0, 0])
    }))
}

#[cfg(test)]
mod tests {
    use crate::sample::look;
    use crate::{Format, Identified};

    fn only(format: Format, bytes: &[u8]) {
        assert_eq!(look(bytes).format, Identified::One(format), "{bytes:02x?}");
    }

    #[test]
    fn a_java_class_is_told_from_a_universal_binary() {
        only(Format::MachO, b"\xca\xfe\xba\xbe\0\0\0\x02");
        only(Format::MachO, b"\xca\xfe\xba\xbf\0\0\0\x02");
        only(Format::MachO, b"\xbe\xba\xfe\xca\x02\0\0\0");
        only(Format::Java, b"\xca\xfe\xba\xbe\0\0\0\x34");
        only(Format::Java, b"\xca\xfe\xba\xbe\xff\xff\0\x41");
        assert_eq!(look(b"\xca\xfe\xba\xbe\0\0\0\0").format, Identified::Unknown);
        assert_eq!(look(b"\xca\xfe\xba\xbe\0\x01\0\0").format, Identified::Unknown);
    }

    #[test]
    fn a_pe_is_found_by_its_pointer() {
        for signature in [b"PE\0\0", b"NE\x05\x01"] {
            let mut bytes = vec![b' '; 0x3c];
            bytes[..2].copy_from_slice(b"MZ");
            bytes.extend(64_u32.to_le_bytes());
            bytes.extend(signature);
            only(Format::Pe, &bytes);
        }
    }
}
