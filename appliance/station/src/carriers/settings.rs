//! `[carriers]` of `station.toml`: where carriers come from.

use std::path::{Path, PathBuf};
use std::time::Duration;

use oms_sys::superblock::FileSystem;
use oms_verify::time::Span;
use serde::{Deserialize, Deserializer, de::Error as _};

/// The most carriers that are served side by side.
const MOST_AT_ONCE: usize = 16;

/// The most hot folders.
const MOST_HOT_FOLDERS: usize = 32;

/// How long nothing may have changed, in seconds: a copy that waits longer is taken half.
const SETTLE_SECONDS: std::ops::RangeInclusive<i64> = 1..=3600;

/// Where carriers come from. Paths are absolute or relative to the current folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Folders whose entries are carriers.
    pub hot_folders: Vec<PathBuf>,
    /// Which devices are.
    pub block_devices: BlockDevices,
    /// The file systems that a device may have.
    pub file_systems: Vec<FileSystem>,
    /// How many carriers are served side by side.
    pub at_once: usize,
    /// How long nothing may have changed in what is written in place, and on what was plugged in.
    pub settle: Duration,
}

/// Which block devices are carriers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BlockDevices {
    /// None.
    #[default]
    None,
    /// What can be plugged in: USB, memory cards, discs, and what calls itself removable.
    Pluggable,
    /// All that nobody uses, virtual ones too: for machines that are given disks while they run.
    All,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            hot_folders: Vec::new(),
            block_devices: BlockDevices::None,
            file_systems: vec![FileSystem::Vfat, FileSystem::Exfat, FileSystem::Ext4],
            at_once: 1,
            settle: Duration::from_secs(5),
        }
    }
}

/// The table as it is written.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct RawCarriers {
    #[serde(default, deserialize_with = "hot_folders")]
    hot_folders: Vec<PathBuf>,
    #[serde(default, deserialize_with = "block_devices")]
    block_devices: BlockDevices,
    #[serde(default, deserialize_with = "file_systems")]
    file_systems: Option<Vec<FileSystem>>,
    #[serde(default, deserialize_with = "at_once")]
    at_once: Option<usize>,
    #[serde(default, deserialize_with = "settle")]
    settle: Option<Duration>,
}

impl RawCarriers {
    /// The settings, with paths that start at `base`.
    pub(crate) fn settings(self, base: &Path) -> Settings {
        let plain = Settings::default();
        Settings {
            hot_folders: self.hot_folders.into_iter().map(|folder| base.join(folder)).collect(),
            block_devices: self.block_devices,
            file_systems: self.file_systems.unwrap_or(plain.file_systems),
            at_once: self.at_once.unwrap_or(plain.at_once),
            settle: self.settle.unwrap_or(plain.settle),
        }
    }
}

fn hot_folders<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<PathBuf>, D::Error> {
    let folders = Vec::<PathBuf>::deserialize(from)?;
    let twice = folders
        .iter()
        .enumerate()
        .any(|(at, one)| folders.iter().skip(at + 1).any(|other| one == other));
    if twice || folders.len() > MOST_HOT_FOLDERS {
        let text = format!("expected at most {MOST_HOT_FOLDERS} folders, each once");
        return Err(D::Error::custom(text));
    }
    Ok(folders)
}

fn block_devices<'de, D: Deserializer<'de>>(from: D) -> Result<BlockDevices, D::Error> {
    match toml::Value::deserialize(from)? {
        toml::Value::Boolean(false) => Ok(BlockDevices::None),
        toml::Value::Boolean(true) => Ok(BlockDevices::Pluggable),
        toml::Value::String(word) if word == "all" => Ok(BlockDevices::All),
        _ => Err(D::Error::custom("expected true, false or \"all\"")),
    }
}

fn file_systems<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<FileSystem>>, D::Error> {
    let mut found = Vec::new();
    for word in Vec::<String>::deserialize(from)? {
        let one = word.parse().map_err(D::Error::custom)?;
        if found.contains(&one) {
            return Err(D::Error::custom(format!("{one} stands there twice")));
        }
        found.push(one);
    }
    Ok(Some(found))
}

fn at_once<'de, D: Deserializer<'de>>(from: D) -> Result<Option<usize>, D::Error> {
    let number = usize::deserialize(from).ok().filter(|n| (1..=MOST_AT_ONCE).contains(n));
    let wrong = || D::Error::custom(format!("expected a number from 1 to {MOST_AT_ONCE}"));
    number.map(Some).ok_or_else(wrong)
}

fn settle<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(from)?;
    let span = Span::parse(&text).filter(|span| SETTLE_SECONDS.contains(&span.seconds));
    let seconds = span.and_then(|span| u64::try_from(span.seconds).ok());
    let wrong = || D::Error::custom("expected a time from \"1s\" to \"1h\"");
    seconds.map(|seconds| Some(Duration::from_secs(seconds))).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Settings, String> {
        let raw: RawCarriers = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        Ok(raw.settings(Path::new("/etc/oms")))
    }

    #[test]
    fn without_the_table_nothing_comes_by_itself() {
        let settings = read("").unwrap();
        assert_eq!(settings, Settings::default());
        assert!(settings.hot_folders.is_empty() && settings.block_devices == BlockDevices::None);
    }

    #[test]
    fn every_key_is_read() {
        let settings = read(
            "hot-folders = [\"in\", \"/srv/usbsas\"]\nblock-devices = true\n\
             file-systems = [\"ext4\", \"ntfs\"]\nat-once = 2\nsettle = \"30s\"\n",
        );
        let expected = Settings {
            hot_folders: vec!["/etc/oms/in".into(), "/srv/usbsas".into()],
            block_devices: BlockDevices::Pluggable,
            file_systems: vec![FileSystem::Ext4, FileSystem::Ntfs],
            at_once: 2,
            settle: Duration::from_secs(30),
        };
        assert_eq!(settings.unwrap(), expected);
        assert_eq!(read("block-devices = \"all\"").unwrap().block_devices, BlockDevices::All);
    }

    #[test]
    fn what_is_wrong_is_an_error() {
        for (wrong, told) in [
            ("hot-folder = [\"in\"]", "unknown field `hot-folder`"),
            ("hot-folders = [\"in\", \"in\"]", "each once"),
            ("hot-folders = \"in\"", "invalid type"),
            ("block-devices = \"some\"", "expected true, false or \"all\""),
            ("block-devices = 1", "expected true, false or \"all\""),
            ("file-systems = [\"xfs\"]", "expected vfat, exfat, ext4"),
            ("file-systems = [\"ext4\", \"ext4\"]", "ext4 stands there twice"),
            ("at-once = 0", "expected a number from 1 to 16"),
            ("at-once = 17", "expected a number from 1 to 16"),
            ("at-once = -1", "expected a number from 1 to 16"),
            ("settle = \"0s\"", "expected a time from \"1s\" to \"1h\""),
            ("settle = \"2h\"", "expected a time from \"1s\" to \"1h\""),
            ("settle = 5", "invalid type"),
        ] {
            let error = read(wrong).unwrap_err();
            assert!(error.contains(told), "{wrong}: {error}");
        }
    }
}
