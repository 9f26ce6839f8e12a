//! Direct I/O: reading and writing past the page cache.

use std::fs::File;
use std::io;

use rustix::fs::{AtFlags, OFlags, StatxFlags, fcntl_getfl, fcntl_setfl, statx};
use rustix::io::Errno;

/// What is assumed where the kernel does not say: the largest sector there is.
const USUAL: u32 = 4096;

/// What direct I/O on a file must be a multiple of, in bytes: powers of two, at most 4096.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alignment {
    /// The address in memory. Every buffer of a ring fits.
    pub memory: u32,
    /// The offset in the file, and the length.
    pub offset: u32,
}

/// Turns direct I/O on for everybody who shares this opening of the file. `None`: its file system
/// has none, or asks for more than a page, and the file stays buffered.
///
/// A read or write that still fails with `EINVAL` is to be done again after [`disable`]: some file
/// systems tell only then.
///
/// # Errors
/// When the file cannot be asked.
pub fn enable(file: &File) -> io::Result<Option<Alignment>> {
    let told = statx(file, c"", AtFlags::EMPTY_PATH, StatxFlags::DIOALIGN)?;
    let alignment = if told.stx_mask & StatxFlags::DIOALIGN.bits() == 0 {
        Alignment { memory: USUAL, offset: USUAL }
    } else {
        Alignment { memory: told.stx_dio_mem_align, offset: told.stx_dio_offset_align }
    };
    let fits = |bytes: u32| bytes.is_power_of_two() && bytes <= USUAL;
    if !fits(alignment.memory) || !fits(alignment.offset) {
        return Ok(None);
    }
    match fcntl_setfl(file, fcntl_getfl(file)? | OFlags::DIRECT) {
        Ok(()) => Ok(Some(alignment)),
        Err(Errno::INVAL) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Goes back to the page cache.
///
/// # Errors
/// When the kernel refuses.
pub fn disable(file: &File) -> io::Result<()> {
    Ok(fcntl_setfl(file, fcntl_getfl(file)?.difference(OFlags::DIRECT))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn direct_io_is_turned_on_and_off_for_the_opening() {
        let mut file = tempfile::tempfile_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        file.write_all(&[1; 8192]).unwrap();
        let Some(alignment) = enable(&file).unwrap() else {
            eprintln!("NOT TESTED: the build folder's file system has no direct I/O");
            return;
        };
        assert!(alignment.offset >= 1 && alignment.offset <= 4096);
        assert!(fcntl_getfl(&file).unwrap().contains(OFlags::DIRECT));
        disable(&file).unwrap();
        assert!(!fcntl_getfl(&file).unwrap().contains(OFlags::DIRECT));
    }

    #[test]
    fn a_file_system_without_it_is_told_apart_from_an_error() {
        let file = File::open("/proc/self/stat").unwrap();
        assert_eq!(enable(&file).unwrap(), None);
        assert!(!fcntl_getfl(&file).unwrap().contains(OFlags::DIRECT));
    }
}
