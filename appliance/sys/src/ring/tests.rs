//! What every backend does, tried on each.

use super::*;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;

const READERS: [Reader; 2] = [Reader::IoUring, Reader::Threads];
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
fn writing_back_is_begun_on_a_file_that_is_open_for_reading_and_changes_none_of_it() {
    for reader in READERS {
        let (mut ring, _) = ring(reader, 1);
        let mut named = tempfile::NamedTempFile::new().unwrap();
        named.write_all(&bytes(3 * SLOT)).unwrap();
        let handle = ring.attach(File::open(named.path()).unwrap());
        for (offset, len, fits) in
            [(0, SLOT as u32, true), (77, u32::MAX, true), (i64::MAX as u64, 1, false)]
        {
            ring.write_back(7, &handle, offset, len);
            let Some(Done { token: 7, outcome: Outcome::Begun(begun) }) = ring.wait(None).unwrap()
            else {
                panic!()
            };
            assert_eq!(begun.is_ok(), fits, "{reader} {offset} {len}");
        }
        assert_eq!(std::fs::read(named.path()).unwrap(), bytes(3 * SLOT));
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

#[test]
fn many_in_flight_each_come_back_with_their_own() {
    for reader in READERS {
        const COUNT: usize = 200;
        let content = bytes(COUNT * SLOT);
        let (mut ring, mut buffers) = ring(reader, COUNT);
        let handle = ring.attach(file_of(&content));
        let mut times = [0; COUNT];
        for round in 0..10 {
            for number in 0..COUNT {
                let place = if number % 3 == 0 { Place::Worker } else { Place::Here };
                let buffer = buffers.pop().unwrap();
                ring.read(number as u64, &handle, (number * SLOT) as u64, buffer, SLOT, place);
            }
            assert_eq!(ring.in_flight(), COUNT);
            while let Some(done) = ring.wait(None).unwrap() {
                let (token, buffer, read) = moved(Some(done));
                let number = usize::try_from(token).unwrap();
                assert_eq!(read.unwrap(), SLOT, "{reader}");
                assert_eq!(buffer.filled(), &content[number * SLOT..][..SLOT]);
                times[number] += 1;
                buffers.push(buffer);
            }
            assert!(times.iter().all(|times| *times == round + 1), "{reader}");
        }
        let registered = ring.report().registration;
        if reader == Reader::IoUring && !matches!(registered, Registration::Refused(_)) {
            assert!(matches!(registered, Registration::Buffers(COUNT)), "{registered:?}");
        }
    }
}

#[test]
fn a_ring_that_is_full_says_so_and_gives_the_buffer_back() {
    for reader in READERS {
        // Buffers of another ring let one have more than one's own.
        let (_other, strangers) = ring(reader, BESIDE + 1);
        let (mut ring, _) = ring(reader, 0);
        let (_end, pipe) = silent();
        let handle = ring.attach(if reader == Reader::IoUring { pipe } else { file_of(b"a") });
        for (token, buffer) in strangers.into_iter().enumerate() {
            ring.read(token as u64, &handle, 0, buffer, 1, Place::Here);
        }
        let (token, _, read) = moved(ring.reap());
        assert_eq!((token, read.unwrap_err().kind()), (64, io::ErrorKind::WouldBlock));
    }
}

/// The two ends of a pipe into which nobody writes.
fn silent() -> (io::PipeWriter, File) {
    let (reader, writer) = io::pipe().unwrap();
    (writer, File::from(std::os::fd::OwnedFd::from(reader)))
}

#[test]
fn errors_of_the_file_are_passed_on() {
    for reader in READERS {
        let (mut ring, mut buffers) = ring(reader, 1);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, "abc").unwrap();
        let folder = ring.attach(File::open(dir.path()).unwrap());
        let only_read = ring.attach(File::open(&path).unwrap());
        let only_written = ring.attach(File::options().write(true).open(&path).unwrap());

        ring.read(1, &folder, 0, buffers.pop().unwrap(), 3, Place::Here);
        let (_, buffer, read) = moved(ring.wait(None).unwrap());
        assert_eq!(read.unwrap_err().raw_os_error(), Some(libc::EISDIR), "{reader}");
        assert!(buffer.filled().is_empty());
        ring.read(1, &only_written, 0, buffer, 3, Place::Here);
        let (_, mut buffer, read) = moved(ring.wait(None).unwrap());
        assert_eq!(read.unwrap_err().raw_os_error(), Some(libc::EBADF), "{reader}");
        buffer.set_filled(0..3);
        ring.write(1, &only_read, 0, buffer);
        let (_, buffer, written) = moved(ring.wait(None).unwrap());
        assert_eq!(written.unwrap_err().raw_os_error(), Some(libc::EBADF), "{reader}");
        assert_eq!(buffer.filled().len(), 3, "a write that failed can be tried again");
    }
}

#[test]
fn a_full_disk_is_told() {
    for reader in READERS {
        let (mut ring, mut buffers) = ring(reader, 1);
        let handle = ring.attach(File::options().write(true).open("/dev/full").unwrap());
        let mut buffer = buffers.pop().unwrap();
        buffer.set_filled(0..3);
        ring.write(1, &handle, 0, buffer);
        let (_, _, written) = moved(ring.wait(None).unwrap());
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::StorageFull, "{reader}");
    }
}

#[test]
fn a_file_that_is_let_go_while_in_flight_stays_open_until_the_end() {
    for reader in READERS {
        let (mut ring, mut buffers) = ring(reader, 2);
        let content = bytes(SLOT);
        for place in [Place::Here, Place::Worker] {
            let handle = ring.attach(file_of(&content));
            ring.read(1, &handle, 0, buffers.pop().unwrap(), SLOT, place);
            drop(handle);
            // A new file would get the number of the old one, were it closed.
            let _other = file_of(b"other");
            let (_, buffer, read) = moved(ring.wait(None).unwrap());
            assert_eq!(read.unwrap(), SLOT);
            assert_eq!(buffer.filled(), content);
        }
    }
}

#[test]
fn a_ring_lets_go_of_a_file_that_was_used_often() {
    for reader in READERS {
        let (mut ring, mut buffers) = ring(reader, 1);
        let (file, gone) = tied(&bytes(SLOT));
        let handle = ring.attach(file);
        let mut buffer = buffers.pop().unwrap();
        for _ in 0..20 {
            ring.read(1, &handle, 0, buffer, SLOT, Place::Here);
            buffer = moved(ring.wait(None).unwrap()).1;
        }
        drop(handle);
        let other = ring.attach(file_of(b"other"));
        ring.read(1, &other, 0, buffer, SLOT, Place::Here);
        assert!(ring.wait(None).unwrap().is_some());
        // The kernel lets go of a place of its table a moment after it was told.
        let end = Instant::now() + Duration::from_secs(20);
        while !gone() {
            assert!(Instant::now() < end, "{reader}: the ring holds the file");
            let _ = ring.reap();
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// A file under a lock that is held as long as any descriptor of this opening is, and a question
/// whether it is gone.
fn tied(content: &[u8]) -> (File, impl Fn() -> bool + use<>) {
    let path = tempfile::NamedTempFile::new().unwrap().into_temp_path();
    std::fs::write(&path, content).unwrap();
    let file = File::open(&path).unwrap();
    file.lock().unwrap();
    let again = File::open(&path).unwrap();
    (file, move || again.try_lock().is_ok())
}

#[test]
fn waiting_ends_in_time_and_what_is_in_flight_is_cancelled_by_dropping() {
    let (end, pipe) = silent();
    let (mut ring, mut buffers) = ring(Reader::IoUring, 3);
    let handle = ring.attach(pipe);
    for (token, place) in [Place::Here, Place::Worker].into_iter().enumerate() {
        ring.read(token as u64, &handle, 0, buffers.pop().unwrap(), SLOT, place);
    }
    assert!(ring.wait(Some(Duration::from_millis(30))).unwrap().is_none());
    assert!(ring.wait(Some(Duration::ZERO)).unwrap().is_none());
    assert_eq!(ring.in_flight(), 2);
    // Not handed over yet when the ring goes.
    ring.read(2, &handle, 0, buffers.pop().unwrap(), SLOT, Place::Here);
    drop((ring, handle));
    // Nobody reads from the pipe any more.
    let written = { end }.write(b"late");
    assert_eq!(written.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
}

#[test]
fn a_ring_is_dropped_with_work_queued_running_and_done() {
    for reader in READERS {
        for wait in [0, 1, 5] {
            let (mut ring, buffers) = ring(reader, 50);
            let handle = ring.attach(file_of(&bytes(SLOT)));
            for buffer in buffers {
                ring.read(0, &handle, 0, buffer, SLOT, Place::Worker);
            }
            for _ in 0..wait {
                assert!(ring.wait(None).unwrap().is_some());
            }
        }
    }
}

#[test]
fn an_abandoned_or_forgotten_ring_keeps_the_memory_that_may_be_written_to() {
    let (end, pipe) = silent();
    let pipe = Arc::new(pipe);
    let mut ends = Vec::new();
    for forget in [false, true] {
        let (mut ring, mut buffers) = ring(Reader::IoUring, 2);
        let handle = ring.attach(Arc::clone(&pipe));
        let buffer = buffers.pop().unwrap();
        let first = buffer.bytes().as_ptr() as usize;
        ring.read(0, &handle, 0, buffer, SLOT, Place::Worker);
        assert!(ring.wait(Some(Duration::from_millis(10))).unwrap().is_none());
        drop((handle, buffers));
        if forget {
            std::mem::forget(ring)
        } else {
            ring.abandon()
        }
        ends.push(first);
    }
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let mapped = |address: usize| {
        maps.lines().any(|line| {
            let (range, _) = line.split_once(' ').unwrap();
            let (from, to) = range.split_once('-').unwrap();
            let number = |text| usize::from_str_radix(text, 16).unwrap();
            (number(from)..number(to)).contains(&address)
        })
    };
    assert!(ends.into_iter().all(mapped));
    drop(end);
}

#[test]
fn an_abandoned_ring_of_threads_is_left_at_once() {
    let (mut ring, buffers) = ring(Reader::Threads, 50);
    let handle = ring.attach(file_of(&bytes(SLOT)));
    for buffer in buffers {
        ring.read(0, &handle, 0, buffer, SLOT, Place::Here);
    }
    ring.abandon();
}

#[test]
fn files_are_looked_at_and_opened_as_by_plain_calls() {
    for reader in READERS {
        let (mut ring, _) = ring(reader, 0);
        let dir = tempfile::tempdir().unwrap();
        let root = Arc::new(Root::open(dir.path()).unwrap());
        std::fs::write(dir.path().join("file"), "abc").unwrap();
        std::fs::create_dir(dir.path().join("folder")).unwrap();
        std::os::unix::fs::symlink("file", dir.path().join("link")).unwrap();
        for name in ["file", "folder", "link", "absent", "file"] {
            let name = Name::new(name).unwrap();
            ring.look(1, &root, name.clone());
            let Some(Done { token: 1, outcome: Outcome::Looked(seen) }) = ring.wait(None).unwrap()
            else {
                panic!()
            };
            let plain = root.look(&name);
            assert_eq!(format!("{seen:?}"), format!("{plain:?}"), "{reader}");
            let Ok(look) = seen else { continue };
            ring.open(2, &root, name.clone(), look);
            let Some(Done { token: 2, outcome: Outcome::Opened(file) }) = ring.wait(None).unwrap()
            else {
                panic!()
            };
            assert_eq!(file.unwrap().stamp(), root.open_seen(&name, &look).unwrap().stamp());
        }
        // What was seen is not what is there now.
        let name = Name::new("file").unwrap();
        let look = root.look(&name).unwrap();
        std::fs::write(dir.path().join("new"), "abc").unwrap();
        for now in ["new", "link", "folder"] {
            std::fs::rename(dir.path().join(now), dir.path().join("moved")).unwrap();
            ring.open(3, &root, Name::new("moved").unwrap(), look);
            let done = ring.wait(None).unwrap();
            let Some(Done { outcome: Outcome::Opened(Err(error)), .. }) = done else { panic!() };
            let expected = if now == "link" { "Symlink" } else { "Replaced" };
            assert_eq!(format!("{error:?}"), expected, "{reader} {now}");
            let gone = dir.path().join(format!("gone-{now}"));
            std::fs::rename(dir.path().join("moved"), gone).unwrap();
        }
    }
}
