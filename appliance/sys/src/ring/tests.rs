//! What every backend does, tried on each.

use super::*;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;

const READERS: [Reader; 1] = [Reader::Threads];
const SLOT: usize = 8192;

fn ring(reader: Reader, buffers: usize) -> (Ring, Vec<Buffer>) {
    Ring::new(&Settings { reader, buffers, buffer_bytes: SLOT }).unwrap()
}

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n % 251) as u8).collect()
}

fn file_of(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn moved(done: Option<Done>) -> (u64, Buffer, io::Result<usize>) {
    match done {
        Some(Done { token, outcome: Outcome::Moved { buffer, bytes } }) => (token, buffer, bytes),
        other => panic!("{other:?}"),
    }
}

#[test]
fn reads_of_every_alignment_give_the_bytes_of_the_file() {
    for reader in READERS {
        let content = bytes(SLOT * 2 + 77);
        let (mut ring, mut buffers) = ring(reader, 1);
        let handle = ring.attach(file_of(&content));
        let mut buffer = buffers.pop().unwrap();
        for offset in [0, 1, 511, 512, 4095, 4096, 8191, 8193, content.len() - 1, content.len()] {
            for len in [0, 1, 511, 4096, SLOT - 1, SLOT] {
                for place in [Place::Here, Place::Worker] {
                    ring.read(offset as u64, &handle, offset as u64, buffer, len, place);
                    let (token, back, read) = moved(ring.wait(None).unwrap());
                    let end = content.len().min(offset + len);
                    assert_eq!((token, read.unwrap()), (offset as u64, end - offset));
                    assert_eq!(back.filled(), &content[offset..end], "{reader} {offset} {len}");
                    buffer = back;
                }
            }
        }
        assert_eq!(ring.in_flight(), 0);
        assert!(ring.wait(None).unwrap().is_none(), "nothing is in flight, so nothing is awaited");
    }
}

#[test]
fn a_write_writes_what_is_filled_and_nothing_else() {
    for reader in READERS {
        let (mut ring, mut buffers) = ring(reader, 1);
        let file = Arc::new(file_of(&[9; 100]));
        let handle = ring.attach(Arc::clone(&file));
        let mut buffer = buffers.pop().unwrap();
        buffer.bytes_mut().fill(1);
        buffer.set_filled(10..30);
        buffer.skip(5);
        ring.write(1, &handle, 50, buffer);
        let (_, buffer, written) = moved(ring.wait(None).unwrap());
        assert_eq!((written.unwrap(), buffer.filled().len()), (15, 15));
        let mut content = [0; 100];
        file.read_exact_at(&mut content, 0).unwrap();
        assert!(content.iter().enumerate().all(|(at, byte)| match at {
            50..65 => *byte == 1,
            _ => *byte == 9,
        }));
    }
}

#[test]
fn what_cannot_be_is_refused_and_gives_its_buffer_back() {
    for reader in READERS {
        let (mut ring, mut buffers) = ring(reader, 1);
        let handle = ring.attach(file_of(b"abc"));
        let mut buffer = buffers.pop().unwrap();
        for (offset, len) in [(u64::MAX, 1), (1 << 63, 1), (0, SLOT + 1), (0, usize::MAX)] {
            ring.read(u64::MAX, &handle, offset, buffer, len, Place::Here);
            let (token, back, read) = moved(ring.wait(None).unwrap());
            assert_eq!(token, u64::MAX);
            assert_eq!(read.unwrap_err().kind(), io::ErrorKind::InvalidInput);
            buffer = back;
        }
        buffer.set_filled(0..1);
        ring.write(0, &handle, u64::MAX, buffer);
        let (_, _, written) = moved(ring.reap());
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(ring.in_flight(), 0);
    }
}
