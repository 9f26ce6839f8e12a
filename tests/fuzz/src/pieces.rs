//! Several byte strings in one input: each after its length in two bytes, the last one to the end.

/// The pieces of an input.
pub(crate) fn split(mut data: &[u8]) -> Vec<&[u8]> {
    const MOST: usize = 12;
    let mut pieces = Vec::new();
    while let Some((length, rest)) = data.split_first_chunk() {
        let at = usize::from(u16::from_be_bytes(*length)).min(rest.len());
        let (piece, behind) = rest.split_at(at);
        pieces.push(piece);
        data = behind;
        if pieces.len() == MOST {
            break;
        }
    }
    pieces
}

/// The input with these pieces; each is cut at 65,535 bytes.
pub fn join<T: AsRef<[u8]>>(pieces: impl IntoIterator<Item = T>) -> Vec<u8> {
    let mut data = Vec::new();
    for piece in pieces {
        let piece = piece.as_ref();
        let length = u16::try_from(piece.len()).unwrap_or(u16::MAX);
        data.extend(length.to_be_bytes());
        data.extend(piece.iter().take(usize::from(length)));
    }
    data
}
