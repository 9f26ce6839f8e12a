//! Which file system a device holds, by the bytes at its beginning and before anything is mounted.
//!
//! The kernel's drivers are only as safe as what they are shown, so that each carrier meets exactly
//! one of them, and one that the station's configuration names. A device that looks like two file
//! systems at once is refused: its makers and its readers could mean different files by it.
//!
//! Pure: bytes in, a name out. Nothing is allocated by what the bytes say.

use std::fmt;
use std::str::FromStr;

/// How many bytes of a device are looked at. All signatures below lie within; a shorter device is
/// looked at as far as it goes.
pub const HEAD_BYTES: usize = 128 << 10;

/// A file system that a carrier may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileSystem {
    /// FAT12, FAT16 and FAT32.
    Vfat,
    /// exFAT.
    Exfat,
    /// ext2, ext3 and ext4: one format, one driver.
    Ext4,
    /// ISO 9660, with Joliet or Rock Ridge.
    Iso9660,
    /// UDF (ECMA-167).
    Udf,
    /// squashfs 4.
    Squashfs,
    /// NTFS.
    Ntfs,
}

/// What the beginning of a device is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Signature {
    /// One of the file systems that a carrier may have.
    Known(FileSystem),
    /// Something else with a name.
    Other(&'static str),
}

/// Why a device has no file system that can be named.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownFileSystem {
    /// nothing that is known begins like this
    #[error("it has no file system that the station knows")]
    None,
    /// it is of a kind that is never mounted
    #[error("it holds {0}, which the station does not mount")]
    Other(&'static str),
    /// it can be read in more than one way
    #[error("it looks like {} at once", Listed(.0))]
    Several(Vec<Signature>),
}

/// A word that names no file system.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected vfat, exfat, ext4, iso9660, udf, squashfs or ntfs")]
pub struct NotAFileSystem;

/// The file system of a device that begins with `head`, at most [`HEAD_BYTES`] of which are looked
/// at.
///
/// # Errors
/// When it is none, or another one, or more than one at once.
pub fn identify(head: &[u8]) -> Result<FileSystem, UnknownFileSystem> {
    match *signatures(head).as_slice() {
        [] => Err(UnknownFileSystem::None),
        [Signature::Known(one)] => Ok(one),
        [Signature::Other(name)] => Err(UnknownFileSystem::Other(name)),
        ref several => Err(UnknownFileSystem::Several(several.to_vec())),
    }
}

/// Everything that a device which begins with `head` could be taken for, each once.
#[must_use]
pub fn signatures(head: &[u8]) -> Vec<Signature> {
    let head = Head(head.get(..HEAD_BYTES).unwrap_or(head));
    let known = [
        (FileSystem::Vfat, head.is_vfat()),
        (FileSystem::Exfat, head.has(3, b"EXFAT   ")),
        (FileSystem::Ext4, head.has(EXT_SUPERBLOCK + 0x38, &[0x53, 0xef])),
        (FileSystem::Iso9660, head.has_volume_descriptor(&[b"CD001"])),
        (FileSystem::Udf, head.has_volume_descriptor(&[b"NSR02", b"NSR03"])),
        (FileSystem::Squashfs, head.has(0, b"hsqs")),
        (FileSystem::Ntfs, head.has(3, b"NTFS    ")),
    ];
    let known = known.into_iter().filter_map(|(one, is)| is.then_some(Signature::Known(one)));
    let others = OTHERS.iter().filter_map(|(offset, magic, name)| {
        head.has(*offset, magic).then_some(Signature::Other(name))
    });
    let mut found: Vec<_> = known.chain(others).collect();
    found.dedup();
    found
}

/// Where the superblock of ext2, ext3 and ext4 begins.
const EXT_SUPERBLOCK: usize = 1024;

/// A sector of optical media, and where their descriptors begin and end.
const SECTOR: usize = 2048;
const DESCRIPTORS: std::ops::Range<usize> = 16..64;

/// What else begins with something that can be told: offset, bytes, name. Entries of one name
/// follow each other.
const OTHERS: &[(usize, &[u8], &str)] = &[
    (0, b"XFSB", "XFS"),
    (0x1_0040, b"_BHRfS_M", "Btrfs"),
    (1024, &[0xe2, 0xe1, 0xf5, 0xe0], "EROFS"),
    (1024, &[0x10, 0x20, 0xf5, 0xf2], "F2FS"),
    (1024, b"H+\0\x04", "HFS+"),
    (1024, b"HX\0\x05", "HFS+"),
    (1024, b"BD", "HFS"),
    (32, b"NXSB", "APFS"),
    (0x1_0034, b"ReIsErFs", "ReiserFS"),
    (0x1_0034, b"ReIsEr2Fs", "ReiserFS"),
    (0x8000, b"JFS1", "JFS"),
    (3, b"ReFS\0\0\0\0", "ReFS"),
    (0, b"LUKS\xba\xbe", "an encrypted volume (LUKS)"),
    (3, b"-FVE-FS-", "an encrypted volume (BitLocker)"),
    (512, b"LABELONE", "a part of a volume group (LVM)"),
    (0, &[0xfc, 0x4e, 0x2b, 0xa9], "a part of an array (MD)"),
    (4096, &[0xfc, 0x4e, 0x2b, 0xa9], "a part of an array (MD)"),
    (4086, b"SWAPSPACE2", "swap space"),
];

/// The beginning of a device.
struct Head<'a>(&'a [u8]);

impl Head<'_> {
    fn has(&self, offset: usize, magic: &[u8]) -> bool {
        offset
            .checked_add(magic.len())
            .and_then(|end| self.0.get(offset..end))
            .is_some_and(|found| found == magic)
    }

    fn byte(&self, offset: usize) -> Option<u8> {
        self.0.get(offset).copied()
    }

    fn word(&self, offset: usize) -> Option<u16> {
        let bytes = self.0.get(offset..offset.checked_add(2)?)?;
        Some(u16::from_le_bytes(bytes.try_into().ok()?))
    }

    /// FAT has no number of its own: it is one when a driver could take its parameters (BPB).
    fn is_vfat(&self) -> bool {
        let parameters = || {
            let sector = self.word(11)?;
            let cluster = self.byte(13)?;
            let reserved = self.word(14)?;
            let tables = self.byte(16)?;
            let medium = self.byte(21)?;
            Some(
                matches!(sector, 512 | 1024 | 2048 | 4096)
                    && cluster.is_power_of_two()
                    && reserved > 0
                    && tables > 0
                    && (medium == 0xf0 || medium >= 0xf8),
            )
        };
        parameters().unwrap_or(false)
    }

    /// Whether a volume descriptor of optical media has one of these identifiers.
    fn has_volume_descriptor(&self, identifiers: &[&[u8]]) -> bool {
        let starts = DESCRIPTORS.filter_map(|sector| sector.checked_mul(SECTOR)?.checked_add(1));
        starts.into_iter().any(|at| identifiers.iter().any(|identifier| self.has(at, identifier)))
    }
}

impl FileSystem {
    /// All of them.
    pub const ALL: [FileSystem; 7] = [
        FileSystem::Vfat,
        FileSystem::Exfat,
        FileSystem::Ext4,
        FileSystem::Iso9660,
        FileSystem::Udf,
        FileSystem::Squashfs,
        FileSystem::Ntfs,
    ];

    /// The kernel's name for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            FileSystem::Vfat => "vfat",
            FileSystem::Exfat => "exfat",
            FileSystem::Ext4 => "ext4",
            FileSystem::Iso9660 => "iso9660",
            FileSystem::Udf => "udf",
            FileSystem::Squashfs => "squashfs",
            FileSystem::Ntfs => "ntfs",
        }
    }
}

impl fmt::Display for FileSystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for FileSystem {
    type Err = NotAFileSystem;

    fn from_str(text: &str) -> Result<Self, NotAFileSystem> {
        FileSystem::ALL.into_iter().find(|one| one.name() == text).ok_or(NotAFileSystem)
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Signature::Known(one) => one.fmt(f),
            Signature::Other(name) => f.write_str(name),
        }
    }
}

/// Names, for a sentence.
struct Listed<'a>(&'a [Signature]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, signature) in self.0.iter().enumerate() {
            let between = if at == 0 { "" } else { " and " };
            write!(f, "{between}{signature}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn with(parts: &[(usize, &[u8])]) -> Vec<u8> {
        let mut head = vec![0; HEAD_BYTES];
        for (offset, bytes) in parts {
            head[*offset..*offset + bytes.len()].copy_from_slice(bytes);
        }
        head
    }

    /// The parameters of a floppy disk.
    const BPB: (usize, &[u8]) = (11, &[0x00, 0x02, 1, 1, 0, 2, 0xe0, 0, 0x40, 0x0b, 0xf0]);

    #[test]
    fn each_is_known_by_its_own_bytes_and_only_where_they_belong() {
        let cases: [(FileSystem, (usize, &[u8])); 7] = [
            (FileSystem::Vfat, BPB),
            (FileSystem::Exfat, (3, b"EXFAT   ")),
            (FileSystem::Ext4, (1080, &[0x53, 0xef])),
            (FileSystem::Iso9660, (0x8001, b"CD001")),
            (FileSystem::Udf, (0x9001, b"NSR03")),
            (FileSystem::Squashfs, (0, b"hsqs")),
            (FileSystem::Ntfs, (3, b"NTFS    ")),
        ];
        for (expected, (offset, bytes)) in cases {
            let head = with(&[(offset, bytes)]);
            assert_eq!(identify(&head), Ok(expected));
            assert_eq!(identify(&head[..offset + bytes.len()]), Ok(expected), "cut behind it");
            assert!(identify(&head[..offset + bytes.len() - 1]).is_err(), "cut into it");
            let elsewhere = with(&[(offset + 1, bytes)]);
            assert_eq!(identify(&elsewhere), Err(UnknownFileSystem::None), "{expected}");
            assert_eq!(expected.name().parse(), Ok(expected));
        }
    }

    #[test]
    fn what_is_never_mounted_is_called_by_its_name() {
        for (offset, magic, name) in OTHERS {
            let told = identify(&with(&[(*offset, magic)])).unwrap_err();
            assert_eq!(told, UnknownFileSystem::Other(name));
        }
        let told = identify(&with(&[(0, b"LUKS\xba\xbe")])).unwrap_err().to_string();
        assert_eq!(told, "it holds an encrypted volume (LUKS), which the station does not mount");
    }

    #[test]
    fn two_at_once_are_refused_with_both_names() {
        let told = identify(&with(&[BPB, (1080, &[0x53, 0xef])])).unwrap_err().to_string();
        assert_eq!(told, "it looks like vfat and ext4 at once");
        let bridge = with(&[(0x8001, b"CD001"), (0x9801, b"NSR02")]);
        assert_eq!(
            identify(&bridge).unwrap_err().to_string(),
            "it looks like iso9660 and udf at once"
        );
        assert!(identify(&with(&[(0, b"hsqs"), (0x1_0040, b"_BHRfS_M")])).is_err());
        let same_twice = with(&[(0x8001, b"CD001"), (0x8801, b"CD001")]);
        assert_eq!(identify(&same_twice), Ok(FileSystem::Iso9660));
    }

    #[test]
    fn a_boot_sector_without_parameters_is_no_vfat() {
        assert_eq!(identify(&with(&[(510, &[0x55, 0xaa])])), Err(UnknownFileSystem::None));
        for (offset, value) in [(11, 3), (13, 3), (13, 0), (14, 0), (16, 0), (21, 0x10)] {
            let head = with(&[BPB, (offset, &[value])]);
            assert_eq!(identify(&head), Err(UnknownFileSystem::None), "{offset}: {value}");
        }
        assert_eq!("fat".parse::<FileSystem>(), Err(NotAFileSystem));
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer(head in prop::collection::vec(any::<u8>(), 0..4096)) {
            let found = signatures(&head);
            prop_assert_eq!(identify(&head).is_ok(), matches!(found[..], [Signature::Known(_)]));
        }
    }
}
