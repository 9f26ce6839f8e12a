//! Pictures: their parts lead from the first byte to the end, and nothing stands behind it.
//!
//! ```text
//!   PNG   signature | IHDR ... IDAT ... IEND          chunks of a length, a type and a checksum
//!   JPEG  SOI | segments | SOS, coded data ... | EOI  segments of a marker and a length
//!   GIF   header | extensions and pictures | trailer  blocks of blocks of up to 255 bytes
//!   WebP  RIFF, size, WEBP | chunks                   chunks of a type and a length, made even
//! ```
//!
//! What the picture shows is not decoded.

use std::io::{Read, Seek};

use crate::finding::Place;
use crate::malformed::{Fault, broken, shown};
use crate::source::{Scan, Source};

/// Goes through the picture.
pub(crate) fn read<R: Read + Seek>(source: &mut Source<'_, R>) -> Result<(), Fault> {
    let walk = match source.head() {
        [b'G', b'I', b'F', ..] => gif,
        [b'R', b'I', b'F', b'F', ..] => webp,
        [0xff, ..] => jpeg,
        _ => png,
    };
    let mut scan = source.scan(0)?;
    let end = walk(&mut scan)?;
    if scan.remaining() > 0 {
        let detail = format!("{} bytes follow {end}", scan.remaining());
        return Err(broken(Place::Offset(scan.at()), detail));
    }
    Ok(())
}

/// Portable Network Graphics, third edition, sections 5.2 to 5.6.
fn png<R: Read + Seek>(scan: &mut Scan<'_, R>) -> Result<&'static str, Fault> {
    scan.skip(8)?;
    let mut data = Data::None;
    loop {
        let at = Place::Offset(scan.at());
        let first = scan.at() == 8;
        let length = u32::from_be_bytes(scan.array()?);
        let kind: [u8; 4] = scan.array()?;
        if length > i32::MAX.cast_unsigned() || !kind.iter().all(u8::is_ascii_alphabetic) {
            return Err(broken(at, "the chunk has no possible length and type"));
        }
        if first != (&kind == b"IHDR") {
            return Err(broken(at, "IHDR is not the first chunk, and the only one of its kind"));
        }
        data = match (&kind, data) {
            (b"IHDR", _) => {
                header(scan, length, at)?;
                data
            }
            (b"IDAT", Data::Over) => return Err(broken(at, "IDAT chunks are not in one row")),
            (b"IDAT", _) => Data::Here,
            (b"IEND", Data::None) => return Err(broken(at, "there is no IDAT chunk")),
            (b"IEND", _) if length > 0 => return Err(broken(at, "IEND is not empty")),
            ([b'A'..=b'Z', ..], _) if !matches!(&kind, b"PLTE" | b"IEND") => {
                let name = shown(&String::from_utf8_lossy(&kind));
                return Err(broken(at, format!("the chunk {name} must be understood, and is not")));
            }
            (_, Data::None) => Data::None,
            (_, _) => Data::Over,
        };
        if &kind != b"IHDR" {
            scan.skip(u64::from(length))?;
        }
        scan.skip(4)?;
        if &kind == b"IEND" {
            return Ok("IEND");
        }
    }
}

/// How far a PNG's data are.
#[derive(Clone, Copy)]
enum Data {
    None,
    Here,
    Over,
}

/// Size, and a depth that the kind of colour may have.
fn header<R: Read + Seek>(scan: &mut Scan<'_, R>, length: u32, at: Place) -> Result<(), Fault> {
    if length != 13 {
        return Err(broken(at, "IHDR does not have 13 bytes"));
    }
    let [width, height] = [scan.array()?, scan.array()?].map(u32::from_be_bytes);
    let [depth, colour, compression, filter, interlace] = scan.array()?;
    let possible = match colour {
        0 => matches!(depth, 1 | 2 | 4 | 8 | 16),
        3 => matches!(depth, 1 | 2 | 4 | 8),
        2 | 4 | 6 => matches!(depth, 8 | 16),
        _ => false,
    };
    let most = i32::MAX.cast_unsigned();
    if !possible
        || !(1..=most).contains(&width)
        || !(1..=most).contains(&height)
        || (compression, filter) != (0, 0)
        || interlace > 1
    {
        return Err(broken(at, "IHDR describes no picture"));
    }
    Ok(())
}

/// ITU-T T.81, annex B.
fn jpeg<R: Read + Seek>(scan: &mut Scan<'_, R>) -> Result<&'static str, Fault> {
    const SOI: u8 = 0xd8;
    const EOI: u8 = 0xd9;
    const SOS: u8 = 0xda;
    scan.skip(2)?;
    let (mut frame, mut coded) = (false, false);
    let mut marker = next_marker(scan)?;
    loop {
        let at = Place::Offset(scan.at());
        match marker {
            EOI if frame && coded => return Ok("EOI"),
            EOI => return Err(broken(at, "the picture ends before it has a frame and a scan")),
            // TEM and the reserved markers have no length; RST belongs into a scan.
            0..=0xbf | 0xd0..=SOI | 0xf0..=0xfd => {
                let detail = format!("the marker {marker:#04x} does not belong here");
                return Err(broken(at, detail));
            }
            _ => {}
        }
        let length = u64::from(u16::from_be_bytes(scan.array()?));
        let Some(length) = length.checked_sub(2) else {
            return Err(broken(at, "the segment is shorter than its length"));
        };
        scan.skip(length)?;
        // All markers of that range but DHT, JPG and DAC start a frame.
        frame |= matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc);
        if marker == SOS {
            coded = true;
            marker = coded_data(scan)?;
        } else {
            marker = next_marker(scan)?;
        }
    }
}

/// The marker that stands here, behind any number of fill bytes.
fn next_marker<R: Read + Seek>(scan: &mut Scan<'_, R>) -> Result<u8, Fault> {
    let at = scan.at();
    if scan.byte()? != 0xff {
        return Err(broken(Place::Offset(at), "no marker where one must be"));
    }
    loop {
        let byte = scan.byte()?;
        if byte != 0xff {
            return Ok(byte);
        }
    }
}

/// Passes over coded data, with the markers that restart it; gives the marker behind.
fn coded_data<R: Read + Seek>(scan: &mut Scan<'_, R>) -> Result<u8, Fault> {
    let mut escaped = false;
    loop {
        let byte = scan.byte()?;
        if escaped && !matches!(byte, 0 | 0xd0..=0xd7 | 0xff) {
            return Ok(byte);
        }
        escaped = byte == 0xff;
    }
}

/// GIF89a, sections 17 to 27.
fn gif<R: Read + Seek>(scan: &mut Scan<'_, R>) -> Result<&'static str, Fault> {
    scan.skip(10)?;
    let flags = scan.byte()?;
    scan.skip(2)?;
    colours(scan, flags)?;
    let mut pictures = 0_u64;
    loop {
        let at = Place::Offset(scan.at());
        match scan.byte()? {
            b';' if pictures == 0 => return Err(broken(at, "there is no picture")),
            b';' => return Ok("the trailer"),
            b'!' => scan.skip(1)?,
            b',' => {
                pictures = pictures.saturating_add(1);
                scan.skip(8)?;
                let flags = scan.byte()?;
                colours(scan, flags)?;
                // The size of the codes.
                scan.skip(1)?;
            }
            _ => return Err(broken(at, "neither a picture, an extension nor the trailer")),
        }
        loop {
            let size = scan.byte()?;
            if size == 0 {
                break;
            }
            scan.skip(u64::from(size))?;
        }
    }
}

/// Passes over the table of colours that `flags` announce.
fn colours<R: Read + Seek>(scan: &mut Scan<'_, R>, flags: u8) -> Result<(), Fault> {
    if flags & 0x80 != 0 {
        scan.skip(3 << ((flags & 7) + 1))?;
    }
    Ok(())
}

/// RFC 9649, section 2.
fn webp<R: Read + Seek>(scan: &mut Scan<'_, R>) -> Result<&'static str, Fault> {
    scan.skip(4)?;
    let size = u64::from(u32::from_le_bytes(scan.array()?));
    let end = size.saturating_add(8);
    scan.skip(4)?;
    let first: [u8; 4] = scan.array()?;
    if !matches!(&first, b"VP8 " | b"VP8L" | b"VP8X") {
        return Err(broken(Place::Offset(12), "the first chunk is no picture"));
    }
    loop {
        let length = u64::from(u32::from_le_bytes(scan.array()?));
        scan.skip(length.saturating_add(length & 1))?;
        if scan.at() >= end {
            break;
        }
        scan.skip(4)?;
    }
    if scan.at() != end {
        return Err(broken(Place::Offset(4), "the chunks do not end where RIFF says"));
    }
    Ok("the RIFF chunk")
}

#[cfg(test)]
mod tests {
    use crate::sample::{gif, jpeg, look, png, webp};
    use crate::{Format, Identified};

    fn wrong(bytes: &[u8]) -> Option<String> {
        let found = look(bytes);
        assert_eq!(found.format, Identified::One(Format::Image), "{bytes:02x?}");
        found.malformed.map(|cause| cause.to_string())
    }

    #[test]
    fn whole_pictures_pass_and_no_cut_or_longer_one_does() {
        for mut picture in [png(), jpeg(), gif(), webp()] {
            assert_eq!(wrong(&picture), None);
            for end in 12..picture.len() {
                assert!(wrong(&picture[..end]).is_some(), "{picture:02x?} cut at {end}");
            }
            picture.push(0);
            let said = wrong(&picture).unwrap();
            assert!(said.contains("1 bytes follow"), "{said}");
        }
    }

    #[test]
    fn a_second_picture_behind_the_first_is_found() {
        let two = [png(), png()].concat();
        assert!(wrong(&two).unwrap().contains("bytes follow IEND"));
        let two = [jpeg(), jpeg()].concat();
        assert!(wrong(&two).unwrap().contains("bytes follow EOI"));
    }

    #[test]
    fn chunks_of_a_png_are_in_their_order() {
        let chunk = |kind: &[u8], data: &[u8]| {
            [&(data.len() as u32).to_be_bytes()[..], kind, data, &[0; 4]].concat()
        };
        let head = || png()[..33].to_vec();
        let (data, end) = (chunk(b"IDAT", b"x"), chunk(b"IEND", b""));
        let text = chunk(b"tEXt", b"k\0v");
        for (parts, says) in [
            (vec![head(), text.clone(), data.clone(), data.clone(), text.clone(), end.clone()], ""),
            (vec![head(), end.clone()], "no IDAT"),
            (vec![head(), data.clone(), text, data.clone(), end.clone()], "in one row"),
            (vec![head(), chunk(b"EXEC", b"x"), data.clone(), end.clone()], "must be understood"),
            (vec![head(), data.clone(), chunk(b"IEND", b"x")], "not empty"),
            (vec![head(), data.clone(), head()[8..].to_vec(), end], "not the first"),
            (vec![head()[..8].to_vec(), data], "not the first"),
            (vec![head(), chunk(b"\0\0\0\0", b"")], "possible length"),
        ] {
            let said = wrong(&parts.concat()).unwrap_or_default();
            assert!(said.contains(says) && said.is_empty() == says.is_empty(), "{said}: {says}");
        }
    }

    #[test]
    fn markers_of_a_jpeg_are_where_they_belong() {
        for (bytes, says) in [
            (&b"\xff\xd8\xff\xd9"[..], "before it has a frame"),
            (b"\xff\xd8\xff\xe0\0\x01", "shorter than its length"),
            (b"\xff\xd8\xff\xd0", "does not belong"),
            (b"\xff\xd8\xff\xfe\0\x02x", "no marker"),
        ] {
            let said = wrong(bytes).unwrap();
            assert!(said.contains(says), "{said}");
        }
        // Escaped bytes, restarts and fill bytes in coded data are no markers.
        let mut picture = jpeg();
        let end = picture.len() - 2;
        picture.splice(end..end, *b"\xff\0\xff\xd3\xff\xff\0a");
        assert_eq!(wrong(&picture), None);
    }
}
