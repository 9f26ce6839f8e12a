//! The bytes of one member, as a file of its own.

use std::io::{self, Cursor, Read, Seek, SeekFrom};

use crc32fast::Hasher;
use flate2::{Decompress, FlushDecompress, Status};

use super::directory::{Entry, Method};
use crate::budget::Budget;
use crate::finding::Place;
use crate::malformed::{Fault, Malformed};
use crate::source::{Source, Window, position};

/// The most bytes that are read or unpacked at once.
const CHUNK: usize = 32 * 1024;

/// A buffer for data of that many bytes. Archives have many small members.
fn buffer(bytes: u64) -> Vec<u8> {
    vec![0; usize::try_from(bytes).unwrap_or(CHUNK).clamp(1, CHUNK)]
}

/// The unpacked bytes of a member, to be read from anywhere.
pub(crate) enum Member<'s> {
    /// A part of the archive.
    Stored(Window<'s>),
    /// Unpacked in memory.
    Held(Cursor<Vec<u8>>),
    /// Unpacked while it is read, and once more from the start when a reader goes back.
    Unpacked(Box<Unpacked<'s>>),
}

impl<'s> Member<'s> {
    /// Opens a member of `source`. The caller has seen that [`check`] finds nothing wrong with it, or
    /// bears with breaks of the compression, which come as errors that [`Fault`] knows.
    pub(crate) fn open<R: Read + Seek>(
        source: &'s mut Source<'_, R>,
        entry: &Entry,
        budget: &Budget,
    ) -> Result<Member<'s>, Fault> {
        let window = source.window(entry.start, entry.packed);
        if entry.method == Method::Stored {
            return Ok(Member::Stored(window));
        }
        let left = entry.size.saturating_mul(budget.zip_passes);
        let mut unpacked = Box::new(Unpacked { inflate: Inflate::new(window, entry), at: 0, left });
        if entry.size > budget.zip_held {
            return Ok(Member::Unpacked(unpacked));
        }
        let mut bytes = Vec::new();
        unpacked.read_to_end(&mut bytes)?;
        Ok(Member::Held(Cursor::new(bytes)))
    }
}

impl Read for Member<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Member::Stored(window) => window.read(buffer),
            Member::Held(bytes) => bytes.read(buffer),
            Member::Unpacked(unpacked) => unpacked.read(buffer),
        }
    }
}

impl Seek for Member<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match self {
            Member::Stored(window) => window.seek(to),
            Member::Held(bytes) => bytes.seek(to),
            Member::Unpacked(unpacked) => unpacked.seek(to),
        }
    }
}

/// Reads a member once: it unpacks to as many bytes as it claims, from all of its packed bytes, and
/// they have the checksum that it claims.
pub(super) fn check<R: Read + Seek>(
    source: &mut Source<'_, R>,
    entry: &Entry,
    budget: &Budget,
) -> Result<(), Fault> {
    let wrong = |detail: String| Fault::from(Malformed::Rule { place: entry.place(), detail });
    let most = entry.packed.saturating_mul(budget.zip_ratio);
    if entry.size > most.max(budget.zip_free) {
        let detail = format!("{} bytes claim to unpack to {}", entry.packed, entry.size);
        return Err(wrong(detail));
    }
    let mut window = source.window(entry.start, entry.packed);
    let mut hasher = Hasher::new();
    let mut buffer = buffer(entry.size);
    match entry.method {
        Method::Stored => loop {
            let count = window.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            hasher.update(buffer.get(..count).unwrap_or_default());
        },
        Method::Deflated => {
            let mut inflate = Inflate::new(window, entry);
            loop {
                let count = inflate.step(&mut buffer)?;
                if count == 0 {
                    break;
                }
                if inflate.unpacked() > entry.size {
                    return Err(wrong(format!("it unpacks to more than {} bytes", entry.size)));
                }
                hasher.update(buffer.get(..count).unwrap_or_default());
            }
            if inflate.unpacked() < entry.size {
                let detail =
                    format!("it unpacks to {} bytes, not {}", inflate.unpacked(), entry.size);
                return Err(wrong(detail));
            }
            let left = entry.packed.saturating_sub(inflate.consumed());
            if left > 0 {
                return Err(wrong(format!("{left} bytes follow its packed data")));
            }
        }
    }
    if hasher.finalize() != entry.crc {
        return Err(wrong("its bytes do not have its checksum".to_owned()));
    }
    Ok(())
}

/// A member that is unpacked from its start to where it is read.
pub(crate) struct Unpacked<'s> {
    inflate: Inflate<'s>,
    /// Where the next byte is read.
    at: u64,
    /// Bytes that may still be unpacked, those that are passed over counted.
    left: u64,
}

impl Read for Unpacked<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.inflate.size {
            return Ok(0);
        }
        if self.inflate.unpacked() > self.at {
            self.inflate.restart()?;
        }
        let mut passed = Vec::new();
        while self.inflate.unpacked() < self.at {
            let ahead = self.at.saturating_sub(self.inflate.unpacked());
            passed.resize(usize::try_from(ahead).unwrap_or(CHUNK).min(CHUNK), 0);
            self.step(&mut passed)?;
        }
        let left = self.inflate.size.saturating_sub(self.at);
        let room = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let Some(buffer) = buffer.get_mut(..room).filter(|buffer| !buffer.is_empty()) else {
            return Ok(0);
        };
        let count = self.step(buffer)?;
        self.at = self.at.saturating_add(count as u64);
        Ok(count)
    }
}

impl Unpacked<'_> {
    fn step(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inflate.step(buffer)?;
        if count == 0 {
            return Err(self.inflate.ends_early());
        }
        let Some(left) = self.left.checked_sub(count as u64) else {
            return Err(self
                .inflate
                .wrong("it is compressed, and its format is read back and forth"));
        };
        self.left = left;
        Ok(count)
    }
}

impl Seek for Unpacked<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = position(to, self.at, self.inflate.size)?;
        Ok(self.at)
    }
}

/// The decompressor and what it reads.
struct Inflate<'s> {
    packed: Window<'s>,
    state: Decompress,
    input: Vec<u8>,
    /// How much of the input was taken, and how much was there.
    taken: usize,
    filled: usize,
    ended: bool,
    size: u64,
    place: Place,
}

impl<'s> Inflate<'s> {
    fn new(packed: Window<'s>, entry: &Entry) -> Self {
        let (size, place) = (entry.size, entry.place());
        let (state, input) = (Decompress::new(false), buffer(entry.packed));
        Inflate { packed, state, input, taken: 0, filled: 0, ended: false, size, place }
    }

    /// Bytes that came out so far.
    fn unpacked(&self) -> u64 {
        self.state.total_out()
    }

    /// Bytes that went in so far.
    fn consumed(&self) -> u64 {
        self.state.total_in()
    }

    fn restart(&mut self) -> io::Result<()> {
        self.packed.seek(SeekFrom::Start(0))?;
        self.state.reset(false);
        (self.taken, self.filled) = (0, 0);
        self.ended = false;
        Ok(())
    }

    /// Unpacks the next bytes into `output`, none at the end.
    fn step(&mut self, output: &mut [u8]) -> io::Result<usize> {
        while !self.ended && !output.is_empty() {
            if self.taken >= self.filled {
                (self.taken, self.filled) = (0, self.packed.read(&mut self.input)?);
            }
            let input = self.input.get(self.taken..self.filled).unwrap_or_default();
            let (taken, given) = (self.consumed(), self.unpacked());
            let status = self
                .state
                .decompress(input, output, FlushDecompress::None)
                .map_err(|_| self.wrong("its packed data is no deflate stream"))?;
            let taken = self.consumed().saturating_sub(taken);
            let given = self.unpacked().saturating_sub(given);
            self.taken = self.taken.saturating_add(usize::try_from(taken).unwrap_or(usize::MAX));
            self.ended = status == Status::StreamEnd;
            if given > 0 {
                return Ok(usize::try_from(given).unwrap_or(usize::MAX));
            }
            if taken == 0 && !self.ended {
                return Err(self.ends_early());
            }
        }
        Ok(0)
    }

    fn ends_early(&self) -> io::Error {
        self.wrong("its packed data ends too early")
    }

    fn wrong(&self, detail: &str) -> io::Error {
        Malformed::Rule { place: self.place.clone(), detail: detail.to_owned() }.into()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::DeflateEncoder;

    use super::*;
    use crate::sample::packed;
    use crate::zip::directory::Directory;

    /// Numbers that compress a little.
    fn data(count: usize) -> Vec<u8> {
        let mixed = |at: u64| at.wrapping_mul(at).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 60;
        (0..count as u64).map(|at| mixed(at) as u8).collect()
    }

    fn deflated(data: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    /// Opens the only member of a zip and hands it over.
    fn within<T>(bytes: &[u8], budget: &Budget, look: impl FnOnce(Member<'_>) -> T) -> T {
        let mut reader = Cursor::new(bytes);
        let mut source = Source::open(&mut reader, bytes.len() as u64).unwrap();
        let directory = Directory::read(&mut source, budget).unwrap();
        let [entry] = directory.entries() else { panic!() };
        check(&mut source, entry, budget).unwrap();
        look(Member::open(&mut source, entry, budget).unwrap())
    }

    #[test]
    fn a_member_is_read_from_anywhere() {
        let data = data(300_000);
        let stored = packed(&[("a", 0, data.clone(), &data)]);
        let deflated = packed(&[("a", 8, deflated(&data), &data)]);
        let budget = |zip_held| Budget { zip_held, ..Budget::default() };
        for (bytes, held) in [(&stored, 0), (&deflated, 1 << 20), (&deflated, 1 << 10)] {
            within(bytes, &budget(held), |mut member| {
                for at in [0, 299_000, 5, 100_000, 100_001, 33_000, 299_999, 300_000, 300_001] {
                    member.seek(SeekFrom::Start(at)).unwrap();
                    let mut found = Vec::new();
                    member.by_ref().take(1000).read_to_end(&mut found).unwrap();
                    let expected = data.iter().skip(at as usize).take(1000);
                    assert!(found.iter().eq(expected), "{at}");
                }
            });
        }
    }

    #[test]
    fn going_back_is_bounded() {
        let data = data(100_000);
        let bytes = packed(&[("a", 8, deflated(&data), &data)]);
        let budget = Budget { zip_held: 1000, zip_passes: 3, ..Budget::default() };
        within(&bytes, &budget, |mut member| {
            let mut pass = || {
                member.seek(SeekFrom::Start(0)).unwrap();
                io::copy(&mut member, &mut io::sink())
            };
            for _ in 0..3 {
                assert_eq!(pass().unwrap(), 100_000);
            }
            let fault = Fault::from(pass().unwrap_err());
            let Fault::Broken(cause) = fault else { panic!("{fault:?}") };
            assert!(cause.to_string().contains("back and forth"), "{cause}");
        });
    }

    #[test]
    fn a_large_member_is_not_held_in_memory() {
        let data = vec![0; 2 << 20];
        let bytes = packed(&[("a", 8, deflated(&data), &data)]);
        let budget = Budget::default();
        within(&bytes, &budget, |member| assert!(matches!(member, Member::Unpacked(_))));
        let small = Budget { zip_held: 4 << 20, ..budget };
        within(&bytes, &small, |member| assert!(matches!(member, Member::Held(_))));
    }
}
