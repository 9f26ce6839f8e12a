//! Reading PEM texts with several blocks (RFC 7468, lax about line length and what is around).

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// Why a PEM text cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PemError {
    /// A block has no end line.
    Unterminated,
    /// A block's body is not base64.
    NotBase64,
    /// There are more blocks than the limit.
    TooMany,
}

/// Decodes every block with `label`; other text and other blocks are ignored.
pub(super) fn blocks(text: &[u8], label: &str, limit: usize) -> Result<Vec<Vec<u8>>, PemError> {
    let begin = format!("-----BEGIN {label}-----");
    let end = format!("-----END {label}-----");
    let mut rest = text;
    let mut found = Vec::new();
    while let Some((_, body)) = split_once(rest, begin.as_bytes()) {
        let (body, after) = split_once(body, end.as_bytes()).ok_or(PemError::Unterminated)?;
        if found.len() == limit {
            return Err(PemError::TooMany);
        }
        let body: Vec<u8> = body.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
        found.push(STANDARD.decode(body).map_err(|_| PemError::NotBase64)?);
        rest = after;
    }
    Ok(found)
}

fn split_once<'a>(text: &'a [u8], marker: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = text.windows(marker.len()).position(|window| window == marker)?;
    Some((text.get(..at)?, text.get(at.checked_add(marker.len())?..)?))
}
