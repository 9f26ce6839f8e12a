//! Block devices: how large they say they are, and that nothing is written to them any more.

use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd, RawFd};
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags, fstat, open};
use rustix::io::pread;
use rustix::ioctl::{Getter, Opcode, Setter, ioctl, opcode};

/// The largest device that is believed in, in bytes: 16 PiB, a hundred times the largest that there
/// is. The kernel computes with what a device says, and drivers with what that leads to.
pub const LARGEST: u64 = 16 << 50;

/// `BLKROSET`: the device is read-only from now on, or is not.
const READ_ONLY_SET: Opcode = opcode::none(0x12, 93);
/// `BLKROGET`: whether it is.
const READ_ONLY_GET: Opcode = opcode::none(0x12, 94);
/// `BLKGETSIZE64`: its bytes.
const SIZE: Opcode = opcode::read::<usize>(0x12, 114);

/// A block device, open for reading.
#[derive(Debug)]
pub struct BlockDevice(OwnedFd);

/// Why a device is not used.
#[derive(Debug, thiserror::Error)]
pub enum BlockError {
    /// it is something else
    #[error("it is not a block device")]
    NotABlockDevice,
    /// it stayed writable
    #[error("it says that it is still writable after it was set read-only")]
    StillWritable,
    /// it has no bytes: a reader without a card, a drive without a disc
    #[error("there is no medium in it")]
    NoMedium,
    /// it says that it has more bytes than there can be
    #[error("it claims {0} bytes, more than any medium has: treat it as hostile")]
    TooLarge(u64),
    /// somebody has mounted it or uses it
    #[error("it is in use: unmount it, or take it out of what else uses it")]
    InUse,
    /// the kernel answered with an error
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl BlockDevice {
    /// Opens the device at `path`, which the station's kernel made.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn open(path: &Path) -> Result<Self, BlockError> {
        Self::opened(path, OFlags::empty())
    }

    /// Opens it only if nobody has mounted it or claims it, this process included.
    ///
    /// # Errors
    /// As [`BlockDevice::open`]; [`BlockError::InUse`].
    pub fn open_unused(path: &Path) -> Result<Self, BlockError> {
        Self::opened(path, OFlags::EXCL)
    }

    fn opened(path: &Path, more: OFlags) -> Result<Self, BlockError> {
        // Without waiting: a drive opens without a disc, too.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC | more;
        match open(path, flags, Mode::empty()) {
            Ok(fd) => Self::from_descriptor(fd),
            Err(rustix::io::Errno::BUSY) => Err(BlockError::InUse),
            Err(rustix::io::Errno::NOMEDIUM) => Err(BlockError::NoMedium),
            Err(other) => Err(BlockError::Io(other.into())),
        }
    }

    /// Takes a device that came as a descriptor.
    ///
    /// # Errors
    /// [`BlockError::NotABlockDevice`] for anything else.
    pub fn from_descriptor(fd: OwnedFd) -> Result<Self, BlockError> {
        let stat = fstat(&fd).map_err(io::Error::from)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::BlockDevice => Ok(BlockDevice(fd)),
            _ => Err(BlockError::NotABlockDevice),
        }
    }

    /// Its number, as `/sys/class/block/NAME/dev` has it: major and minor.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn number(&self) -> io::Result<(u32, u32)> {
        let device = fstat(&self.0)?.st_rdev;
        Ok((rustix::fs::major(device), rustix::fs::minor(device)))
    }

    /// Makes the kernel refuse every write to it, and sees that it does. It stays so until the
    /// device is plugged in again. Needs `CAP_SYS_ADMIN`.
    ///
    /// # Errors
    /// When the kernel refuses; [`BlockError::StillWritable`].
    pub fn set_read_only(&self) -> Result<(), BlockError> {
        let yes: libc::c_int = 1;
        // SAFETY: BLKROSET reads one int.
        let set = unsafe { Setter::<READ_ONLY_SET, libc::c_int>::new(yes) };
        // SAFETY: the request fits what the kernel expects, and is made on a block device.
        unsafe { ioctl(&self.0, set) }.map_err(io::Error::from)?;
        if self.is_read_only()? { Ok(()) } else { Err(BlockError::StillWritable) }
    }

    /// Whether the kernel refuses every write to it.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn is_read_only(&self) -> Result<bool, BlockError> {
        // SAFETY: BLKROGET writes one int.
        let get = unsafe { Getter::<READ_ONLY_GET, libc::c_int>::new() };
        // SAFETY: the request fits what the kernel expects, and is made on a block device.
        let told = unsafe { ioctl(&self.0, get) }.map_err(io::Error::from)?;
        Ok(told != 0)
    }

    /// Its bytes, at least one and at most [`LARGEST`].
    ///
    /// # Errors
    /// [`BlockError::NoMedium`], [`BlockError::TooLarge`], or when the kernel does not say.
    pub fn bytes(&self) -> Result<u64, BlockError> {
        // SAFETY: BLKGETSIZE64 writes 64 bits.
        let get = unsafe { Getter::<SIZE, u64>::new() };
        // SAFETY: the request fits what the kernel expects, and is made on a block device.
        match unsafe { ioctl(&self.0, get) }.map_err(io::Error::from)? {
            0 => Err(BlockError::NoMedium),
            bytes if bytes > LARGEST => Err(BlockError::TooLarge(bytes)),
            bytes => Ok(bytes),
        }
    }

    /// Its first bytes, at most `most`; fewer where it ends before.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn head(&self, most: usize) -> io::Result<Vec<u8>> {
        let mut head = vec![0; most];
        let mut filled = 0;
        while let Some(rest) = head.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match pread(&self.0, rest, u64::try_from(filled).unwrap_or(u64::MAX)) {
                Ok(0) => break,
                Ok(read) => filled = filled.saturating_add(read),
                Err(rustix::io::Errno::INTR) => {}
                Err(other) => return Err(other.into()),
            }
        }
        head.truncate(filled);
        Ok(head)
    }

    /// The number of the descriptor.
    pub(crate) fn raw(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl AsFd for BlockDevice {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Real devices are in the tests of the whole program, which plug them in.

    #[test]
    fn only_a_block_device_is_one() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for path in [file.path(), Path::new("/dev/null"), Path::new("/dev")] {
            let told = BlockDevice::open(path).unwrap_err();
            assert!(matches!(told, BlockError::NotABlockDevice), "{told}");
        }
        let told = BlockDevice::open(Path::new("/dev/no-such-device")).unwrap_err();
        assert!(matches!(told, BlockError::Io(_)), "{told}");
    }
}
