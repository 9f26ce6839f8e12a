//! The checksum of all structures since version 2: Bob Jenkins' lookup3 with the start value 0.

/// The checksum of `bytes`.
pub(super) fn lookup3(bytes: &[u8]) -> u32 {
    let start = 0xdead_beef_u32.wrapping_add(bytes.len() as u32);
    let mut state = [start; 3];
    let mut blocks = bytes.chunks(12).peekable();
    while let Some(block) = blocks.next() {
        let mut padded = [0; 12];
        for (place, byte) in padded.iter_mut().zip(block) {
            *place = *byte;
        }
        let [a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3] = padded;
        let [a, b, c] = &mut state;
        *a = a.wrapping_add(u32::from_le_bytes([a0, a1, a2, a3]));
        *b = b.wrapping_add(u32::from_le_bytes([b0, b1, b2, b3]));
        *c = c.wrapping_add(u32::from_le_bytes([c0, c1, c2, c3]));
        state = if blocks.peek().is_some() { mix(state) } else { last(state) };
    }
    let [_, _, c] = state;
    c
}

fn mix([mut a, mut b, mut c]: [u32; 3]) -> [u32; 3] {
    for turns in [[4, 6, 8], [16, 19, 4]] {
        let [first, second, third] = turns;
        a = a.wrapping_sub(c) ^ c.rotate_left(first);
        c = c.wrapping_add(b);
        b = b.wrapping_sub(a) ^ a.rotate_left(second);
        a = a.wrapping_add(c);
        c = c.wrapping_sub(b) ^ b.rotate_left(third);
        b = b.wrapping_add(a);
    }
    [a, b, c]
}

fn last([mut a, mut b, mut c]: [u32; 3]) -> [u32; 3] {
    c = (c ^ b).wrapping_sub(b.rotate_left(14));
    a = (a ^ c).wrapping_sub(c.rotate_left(11));
    b = (b ^ a).wrapping_sub(a.rotate_left(25));
    c = (c ^ b).wrapping_sub(b.rotate_left(16));
    a = (a ^ c).wrapping_sub(c.rotate_left(4));
    b = (b ^ a).wrapping_sub(a.rotate_left(14));
    c = (c ^ b).wrapping_sub(b.rotate_left(24));
    [a, b, c]
}

#[cfg(test)]
mod tests {
    use super::lookup3;

    #[test]
    fn the_published_values_come_out() {
        assert_eq!(lookup3(b""), 0xdead_beef);
        assert_eq!(lookup3(b"Four score and seven years ago"), 0x1777_0551);
    }
}
