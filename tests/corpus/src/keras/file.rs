//! HDF5 files (HDF5 File Format 3.0), put together piece by piece.
//!
//! ```text
//!   superblock 2 | pieces, each at a multiple of eight | ... root group
//! ```

/// Type and body of a message in an object header.
pub(super) type Message = (u8, Vec<u8>);

/// The address that leads nowhere.
pub(super) const NOWHERE: u64 = u64::MAX;

/// Bytes of the superblock of version 2.
const SUPERBLOCK: usize = 48;

/// A file as it grows.
pub(super) struct File {
    pub(super) bytes: Vec<u8>,
}

impl File {
    /// A file with room for a superblock.
    pub(super) fn new() -> File {
        File { bytes: vec![0; SUPERBLOCK] }
    }

    /// Where the next piece will stand.
    pub(super) fn next(&self) -> u64 {
        self.bytes.len().next_multiple_of(8) as u64
    }

    /// Adds a piece and gives its address.
    pub(super) fn put(&mut self, piece: &[u8]) -> u64 {
        let at = self.next();
        self.bytes.resize(at as usize, 0);
        self.bytes.extend(piece);
        at
    }

    /// Adds a piece with room to grow up to `size` bytes, as trees have it.
    pub(super) fn put_padded(&mut self, piece: &[u8], size: usize) -> u64 {
        let mut piece = piece.to_vec();
        piece.resize(size, 0);
        self.put(&piece)
    }

    /// Adds a global heap with one object, and gives its address.
    pub(super) fn global_heap(&mut self, object: &[u8]) -> u64 {
        let size = (32 + object.len().next_multiple_of(8) + 16).max(4096) as u64;
        let mut heap = b"GCOL\x01\0\0\0".to_vec();
        heap.extend(size.to_le_bytes());
        heap.extend([1, 0, 1, 0, 0, 0, 0, 0]);
        heap.extend((object.len() as u64).to_le_bytes());
        heap.extend(object);
        heap.resize(heap.len().next_multiple_of(8), 0);
        let free = size - heap.len() as u64;
        heap.extend(numbers(&[0, free]));
        self.put_padded(&heap, size as usize)
    }

    /// Adds a tensor `w` of four bytes and gives a link to it.
    pub(super) fn weights(&mut self) -> Message {
        let data = self.put(&[1; 4]);
        let object = object(&[space(&[1]), float(), fill(), contiguous(data, 4)]);
        hard("w", self.put(&object))
    }

    /// Adds a root group with these messages and gives the whole file.
    pub(super) fn group(mut self, messages: &[Message]) -> Vec<u8> {
        let root = self.put(&object(&[&[compact_links()], messages].concat()));
        self.finish(root)
    }

    /// Writes the superblock and gives the whole file.
    pub(super) fn finish(mut self, root: u64) -> Vec<u8> {
        let end = self.bytes.len() as u64;
        let superblock =
            [&b"\x89HDF\r\n\x1a\n\x02\x08\x08\0"[..], &numbers(&[0, NOWHERE, end, root])].concat();
        self.bytes[..SUPERBLOCK].copy_from_slice(&sealed(superblock));
        self.bytes
    }
}

/// A file with a tensor and these messages in its root group.
pub(super) fn file(messages: &[Message]) -> Vec<u8> {
    let mut file = File::new();
    let weights = file.weights();
    file.group(&[&[weights], messages].concat())
}

/// A file with a tensor of these messages.
pub(super) fn tensor(messages: impl FnOnce(&mut File) -> Vec<Message>) -> Vec<u8> {
    let mut file = File::new();
    let messages = messages(&mut file);
    let object = file.put(&object(&messages));
    file.group(&[hard("w", object)])
}

/// Addresses and lengths.
pub(super) fn numbers(numbers: &[u64]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// A structure with its checksum.
pub(super) fn sealed(structure: Vec<u8>) -> Vec<u8> {
    let checksum = lookup3(&structure).to_le_bytes();
    [&structure[..], &checksum].concat()
}

/// Makes the checksums of a file right again after a change, where the structures are still found.
pub(crate) fn reseal(bytes: &mut [u8]) {
    for at in (0..bytes.len()).step_by(8) {
        let rest = &mut bytes[at..];
        let size = match rest {
            [b'O', b'H', b'D', b'R', _, 2, a, b, c, d, ..] => {
                u32::from_le_bytes([*a, *b, *c, *d]) as usize + 10
            }
            [0x89, b'H', b'D', b'F', _, _, _, _, 2 | 3, ..] => SUPERBLOCK - 4,
            [b'F', b'R', b'H', b'P', ..] => 142,
            [b'B', b'T', b'H', b'D', ..] => 34,
            _ => continue,
        };
        if let Some((structure, rest)) = rest.split_at_mut_checked(size)
            && let Some(checksum) = rest.first_chunk_mut()
        {
            *checksum = lookup3(structure).to_le_bytes();
        }
    }
}

/// An object header of version 2.
pub(super) fn object(messages: &[Message]) -> Vec<u8> {
    let mut body = Vec::new();
    for (kind, message) in messages {
        body.push(*kind);
        body.extend((message.len() as u16).to_le_bytes());
        body.push(0);
        body.extend(message);
    }
    let size = (body.len() as u32).to_le_bytes();
    sealed([&b"OHDR\x02\x02"[..], &size, &body].concat())
}

/// An object header of version 1.
pub(super) fn old_object(messages: &[Message]) -> Vec<u8> {
    let mut body = Vec::new();
    for (kind, message) in messages {
        let mut message = message.clone();
        message.resize(message.len().next_multiple_of(8), 0);
        body.extend([*kind, 0]);
        body.extend((message.len() as u16).to_le_bytes());
        body.extend([0; 4]);
        body.extend(message);
    }
    let mut header = vec![1, 0];
    header.extend((messages.len() as u16).to_le_bytes());
    header.extend(1_u32.to_le_bytes());
    header.extend((body.len() as u32).to_le_bytes());
    header.extend([0; 4]);
    header.extend(body);
    header
}

/// The links of a group stand in its header.
pub(super) fn compact_links() -> Message {
    (2, [&[0, 0][..], &numbers(&[NOWHERE, NOWHERE])].concat())
}

/// A link of any type.
pub(super) fn link(kind: u8, name: &str, target: &[u8]) -> Message {
    (6, [&[1, 8, kind, name.len() as u8], name.as_bytes(), target].concat())
}

/// A link to an object of the file.
pub(super) fn hard(name: &str, address: u64) -> Message {
    link(0, name, &address.to_le_bytes())
}

/// A link with a value of its own.
pub(super) fn valued(kind: u8, name: &str, value: &[u8]) -> Message {
    link(kind, name, &[&(value.len() as u16).to_le_bytes(), value].concat())
}

/// A shape.
pub(super) fn space(shape: &[u64]) -> Message {
    let kind = u8::from(!shape.is_empty());
    (1, [&[2, shape.len() as u8, 0, kind], &numbers(shape)[..]].concat())
}

/// The type of a 32-bit floating-point number.
pub(super) fn float() -> Message {
    (3, b"\x11\x20\x1f\0\x04\0\0\0\0\0\x20\0\x17\x08\0\x17\x7f\0\0\0".to_vec())
}

/// The type of text of `size` bytes.
pub(super) fn text(size: usize) -> Message {
    (3, [&b"\x13\0\0\0"[..], &(size as u32).to_le_bytes()].concat())
}

/// No fill value.
pub(super) fn fill() -> Message {
    (5, vec![3, 0x0a])
}

/// Data in one piece.
pub(super) fn contiguous(address: u64, size: u64) -> Message {
    (8, [&[3, 1][..], &numbers(&[address, size])].concat())
}

/// Data in one chunk of four bytes for each of `elements`, which filters made `size` bytes.
pub(super) fn chunk(address: u64, elements: u32, size: u64) -> Message {
    // The shape is written as narrow as it can be.
    let width = if elements > 65_535 {
        4
    } else if elements > 255 {
        2
    } else {
        1
    };
    let front = [4, 2, 2, 2, width];
    let sides = [elements.to_le_bytes(), 4_u32.to_le_bytes()];
    let shape: Vec<u8> =
        sides.iter().flat_map(|side| side[..usize::from(width)].iter().copied()).collect();
    let index = [&[1][..], &size.to_le_bytes(), &[0; 4], &address.to_le_bytes()].concat();
    (8, [&front[..], &shape, &index].concat())
}

/// Filters by their numbers.
pub(super) fn filters(filters: &[u16]) -> Message {
    let mut body = vec![2, filters.len() as u8];
    for filter in filters {
        body.extend(filter.to_le_bytes());
        if *filter >= 256 {
            body.extend([0; 2]);
        }
        body.extend([0; 4]);
    }
    (11, body)
}

/// An attribute with one element of type `datatype`.
pub(super) fn attribute(name: &str, (_, datatype): &Message, data: &[u8]) -> Message {
    let (_, space) = space(&[]);
    let sizes = [name.len() + 1, datatype.len(), space.len()];
    let sizes: Vec<u8> = sizes.iter().flat_map(|&size| (size as u16).to_le_bytes()).collect();
    let parts = [&[3, 0][..], &sizes, &[0], name.as_bytes(), &[0], datatype, &space, data];
    (12, parts.concat())
}

/// An attribute of text.
pub(super) fn text_attribute(name: &str, value: &str) -> Message {
    attribute(name, &text(value.len()), value.as_bytes())
}

/// The checksum of HDF5: lookup3 of Bob Jenkins.
pub(super) fn lookup3(bytes: &[u8]) -> u32 {
    let start = 0xdead_beef_u32.wrapping_add(bytes.len() as u32);
    let (mut a, mut b, mut c) = (start, start, start);
    let mut padded = bytes.to_vec();
    padded.resize(bytes.len().next_multiple_of(12), 0);
    let count = padded.len() / 12;
    for (index, block) in padded.chunks(12).enumerate() {
        let word = |at: usize| {
            block[at..at + 4].iter().rev().fold(0, |word: u32, &byte| word << 8 | u32::from(byte))
        };
        a = a.wrapping_add(word(0));
        b = b.wrapping_add(word(4));
        c = c.wrapping_add(word(8));
        if index + 1 < count {
            for [first, second, third] in [[4, 6, 8], [16, 19, 4]] {
                a = a.wrapping_sub(c) ^ c.rotate_left(first);
                c = c.wrapping_add(b);
                b = b.wrapping_sub(a) ^ a.rotate_left(second);
                a = a.wrapping_add(c);
                c = c.wrapping_sub(b) ^ b.rotate_left(third);
                b = b.wrapping_add(a);
            }
            continue;
        }
        for turn in [14, 11, 25, 16, 4, 14, 24] {
            c = (c ^ b).wrapping_sub(b.rotate_left(turn));
            (a, b, c) = (b, c, a);
        }
        // Seven turns of three leave one too many.
        (a, b, c) = (c, a, b);
    }
    c
}
