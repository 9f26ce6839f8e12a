//! Writes zips, each field of which may be another than it should be.

/// What a local header and an entry of the directory both say.
#[derive(Debug, Clone)]
pub(crate) struct Header {
    pub(crate) name: Vec<u8>,
    pub(crate) flags: u16,
    pub(crate) method: u16,
    pub(crate) crc: u32,
    pub(crate) packed: u32,
    pub(crate) size: u32,
    pub(crate) extra: Vec<u8>,
}

/// One member: its two headers, its data, and what stands around them.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) local: Header,
    pub(crate) central: Header,
    pub(crate) data: Vec<u8>,
    /// Bytes before the local header, which no header tells of.
    pub(crate) before: Vec<u8>,
    /// What follows the data.
    pub(crate) descriptor: Vec<u8>,
    /// Where the directory says that the local header stands, if not where it does.
    pub(crate) offset: Option<u32>,
    pub(crate) attributes: u32,
    pub(crate) comment: Vec<u8>,
    pub(crate) disk: u16,
}

impl Member {
    /// A member that is not compressed.
    pub(crate) fn stored(name: &str, data: &[u8]) -> Member {
        Member::packed(name, 0, data.to_vec(), data)
    }

    /// A member of which `packed` unpacks to `data`.
    pub(crate) fn packed(name: &str, method: u16, packed: Vec<u8>, data: &[u8]) -> Member {
        let header = Header {
            name: name.as_bytes().to_vec(),
            flags: if name.is_ascii() { 0 } else { 1 << 11 },
            method,
            crc: crc32(data),
            packed: packed.len() as u32,
            size: data.len() as u32,
            extra: Vec::new(),
        };
        Member {
            local: header.clone(),
            central: header,
            data: packed,
            before: Vec::new(),
            descriptor: Vec::new(),
            offset: None,
            attributes: 0,
            comment: Vec::new(),
            disk: 0,
        }
    }

    /// A member whose checksum and sizes follow its data, as PyTorch writes all of its members.
    pub(crate) fn described(name: &str, data: &[u8]) -> Member {
        let mut member = Member::stored(name, data).both(|header| header.flags |= 1 << 3);
        let Header { crc, packed, size, .. } = member.central;
        (member.local.crc, member.local.packed, member.local.size) = (0, 0, 0);
        member.descriptor = [&b"PK\x07\x08"[..], &le(&[crc, packed, size])].concat();
        member
    }

    /// Changes both headers alike.
    pub(crate) fn both(mut self, change: impl Fn(&mut Header)) -> Member {
        change(&mut self.local);
        change(&mut self.central);
        self
    }

    /// Changes what should not be changed.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Member)) -> Member {
        change(&mut self);
        self
    }
}

/// The end of the directory.
#[derive(Debug, Clone)]
pub(crate) struct End {
    /// This disk and that of the directory.
    pub(crate) disks: [u16; 2],
    /// Entries on this disk and on all.
    pub(crate) entries: [u16; 2],
    pub(crate) size: u32,
    pub(crate) start: u32,
    pub(crate) comment: Vec<u8>,
    /// Entries, size and start in a zip64 end.
    pub(crate) large: Option<[u64; 3]>,
    /// Bytes before the directory, and at its end.
    pub(crate) around: [Vec<u8>; 2],
}

/// A zip of these members.
pub(crate) fn zip(members: &[Member]) -> Vec<u8> {
    zip_with(members, |_| {})
}

/// A zip whose end, which is right at first, is changed.
pub(crate) fn zip_with(members: &[Member], change: impl Fn(&mut End)) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for member in members {
        bytes.extend(&member.before);
        let at = bytes.len() as u32;
        bytes.extend([&b"PK\x03\x04\x14\0"[..], &header(&member.local)].concat());
        bytes.extend(
            [&member.local.name, &member.local.extra, &member.data].map(|b| &b[..]).concat(),
        );
        bytes.extend(&member.descriptor);

        directory.extend([&b"PK\x01\x02\x14\x03\x14\0"[..], &header(&member.central)].concat());
        directory.extend((member.comment.len() as u16).to_le_bytes());
        directory.extend([member.disk, 0].map(u16::to_le_bytes).concat());
        directory.extend(le(&[member.attributes, member.offset.unwrap_or(at)]));
        directory.extend([&member.central.name, &member.central.extra].map(|b| &b[..]).concat());
        directory.extend(&member.comment);
    }
    let count = members.len() as u16;
    let mut end = End {
        disks: [0; 2],
        entries: [count; 2],
        size: directory.len() as u32,
        start: bytes.len() as u32,
        comment: Vec::new(),
        large: None,
        around: [Vec::new(), Vec::new()],
    };
    change(&mut end);
    // What stands around the directory moves it, so that only the gap is wrong.
    end.start = end.start.saturating_add(end.around[0].len() as u32);
    end.size = end.size.saturating_add(end.around[1].len() as u32);
    bytes.extend([&end.around[0], &directory, &end.around[1]].map(|b| &b[..]).concat());
    if let Some(large) = end.large {
        let at = bytes.len() as u64;
        bytes.extend([&b"PK\x06\x06"[..], &44_u64.to_le_bytes(), &[0; 12]].concat());
        let [entries, size, start] = large;
        bytes.extend([entries, entries, size, start].map(u64::to_le_bytes).concat());
        bytes.extend([&b"PK\x06\x07\0\0\0\0"[..], &at.to_le_bytes(), &[1, 0, 0, 0]].concat());
    }
    bytes.extend(b"PK\x05\x06");
    bytes.extend([end.disks, end.entries].concat().into_iter().flat_map(u16::to_le_bytes));
    bytes.extend(le(&[end.size, end.start]));
    bytes.extend((end.comment.len() as u16).to_le_bytes());
    bytes.extend(&end.comment);
    bytes
}

/// Flags, method, no time, checksum, sizes, and the lengths of name and extra field.
fn header(header: &Header) -> Vec<u8> {
    let Header { name, flags, method, crc, packed, size, extra } = header;
    let mut bytes = [*flags, *method, 0, 0].map(u16::to_le_bytes).concat();
    bytes.extend(le(&[*crc, *packed, *size]));
    bytes.extend([name.len() as u16, extra.len() as u16].map(u16::to_le_bytes).concat());
    bytes
}

/// An extra field.
pub(crate) fn extra(kind: u16, data: &[u8]) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &(data.len() as u16).to_le_bytes(), data].concat()
}

/// 32-bit fields.
pub(crate) fn le(fields: &[u32]) -> Vec<u8> {
    fields.iter().flat_map(|field| field.to_le_bytes()).collect()
}

/// CRC-32 of ISO 3309, as zip has it.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 }
        })
    })
}

/// Deflate (RFC 1951) without compression: one block that is the last.
pub(crate) fn deflate(data: &[u8]) -> Vec<u8> {
    let length = data.len() as u16;
    [&[1][..], &length.to_le_bytes(), &(!length).to_le_bytes(), data].concat()
}

/// Deflate of `times` times 258 zeros and one more: the first as it is, all others as copies of the
/// byte before, with the fixed codes of section 3.2.6.
pub(crate) fn zeros(times: usize) -> Vec<u8> {
    // A last block with fixed codes; the literal 0. Codes go from their highest bit down.
    let mut bits = vec![1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0];
    for _ in 0..times {
        // Length 258 is symbol 285, and distance 1 is symbol 0.
        bits.extend([1, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0]);
    }
    bits.extend([0; 7]);
    let byte = |bits: &[u8]| bits.iter().rev().fold(0, |byte, bit| byte << 1 | bit);
    bits.chunks(8).map(byte).collect()
}
