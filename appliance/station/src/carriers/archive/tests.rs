//! Archives as `tar` writes them, and as nobody should. The process around it is tested with the
//! whole program.

use super::*;
use std::fs;
use std::process::Command;

const ORDER: Order = Order { most_files: 100, most_bytes: 1 << 20 };

/// Unpacks these bytes into a new folder.
fn unpacked(bytes: &[u8], order: &Order) -> Result<tempfile::TempDir, Reason> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.tar");
    fs::write(&file, bytes).unwrap();
    fs::create_dir(dir.path().join("into")).unwrap();
    unpack(File::open(file).unwrap(), &dir.path().join("into"), order).map(|()| dir)
}

/// A header with its checksum.
fn header(name: &str, kind: u8, size: u64) -> Vec<u8> {
    let mut block = vec![0; 512];
    block[..name.len()].copy_from_slice(name.as_bytes());
    block[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
    block[156] = kind;
    block[148..156].fill(b' ');
    let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
    block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    block
}

fn member(name: &str, kind: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = header(name, kind, content.len() as u64);
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

#[test]
fn what_tar_writes_is_read_in_each_of_its_forms() {
    let dir = tempfile::tempdir().unwrap();
    let deep = dir.path().join("model").join("d".repeat(80)).join("e".repeat(60));
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("weights.bin"), vec![7; 1_000]).unwrap();
    fs::write(dir.path().join("model/empty"), "").unwrap();
    fs::write(dir.path().join("model/modèle"), "text").unwrap();
    for form in ["ustar", "posix", "gnu"] {
        let mut tar = Command::new("tar");
        let made =
            tar.args(["-c", "-f", "-", "--format", form, "-C"]).arg(dir.path()).arg("./model");
        let bytes = made.output().unwrap().stdout;
        let there = unpacked(&bytes, &ORDER).unwrap();
        let into = there.path().join("into/model");
        let weights = into.join("d".repeat(80)).join("e".repeat(60)).join("weights.bin");
        assert_eq!(fs::read(weights).unwrap(), vec![7; 1_000], "{form}");
        assert_eq!(fs::read(into.join("modèle")).unwrap(), b"text", "{form}");
        assert_eq!(fs::read(into.join("empty")).unwrap(), b"", "{form}");
        for end in [10, 600, 2_000, bytes.len() / 2] {
            let _ = unpacked(&bytes[..end], &ORDER);
        }
    }
}

#[test]
fn nothing_leads_out_of_the_folder() {
    let pax = |text: &str| {
        let length = text.len() + 4;
        let record = format!("{length} {text}\n");
        assert_eq!(record.len(), length);
        [member("pax", b'x', record.as_bytes()), member("plain", b'0', b"x")].concat()
    };
    for bytes in [
        member("../out", b'0', b"x"),
        member("a/../../out", b'0', b"x"),
        member("/etc/out", b'0', b"x"),
        member("a//b", b'0', b"x"),
        member("a/./b", b'0', b"x"),
        member("", b'0', b"x"),
        member("..", b'5', b""),
        member("/", b'5', b""),
        pax("path=../out"),
        pax("path=/out12"),
        [member("long", b'L', b"../out\0"), member("plain", b'0', b"x")].concat(),
    ] {
        let reason = unpacked(&bytes, &ORDER).unwrap_err();
        assert_eq!(reason.code, Code::CarrierArchive, "{reason}");
        assert!(reason.detail.contains("path"), "{reason}");
    }
}

#[test]
fn links_devices_holes_and_doubles_are_refused() {
    for kind in [b'1', b'2', b'3', b'4', b'6', b'7', b'S', b'K', b'V'] {
        let reason = unpacked(&member("a", kind, b""), &ORDER).unwrap_err();
        assert_eq!(reason.code, Code::CarrierArchive, "{reason}");
        assert!(reason.detail.contains("only files and folders"), "{reason}");
    }
    let twice = [member("a", b'0', b"1"), member("a", b'0', b"2")].concat();
    assert_eq!(unpacked(&twice, &ORDER).unwrap_err().code, Code::CarrierArchive);
    let below = [member("a", b'0', b"1"), member("a/b", b'0', b"2")].concat();
    assert_eq!(unpacked(&below, &ORDER).unwrap_err().code, Code::CarrierArchive);
}

#[test]
fn archives_are_bounded_and_damage_is_told() {
    let three = [member("a", b'0', b"1"), member("b", b'5', b""), member("c", b'0', b"2")].concat();
    assert!(unpacked(&three, &Order { most_files: 3, ..ORDER }).is_ok());
    let told = unpacked(&three, &Order { most_files: 2, ..ORDER }).unwrap_err();
    assert_eq!(told.detail, "it has more than 2 files or 1048576 bytes");
    assert!(unpacked(&three, &Order { most_bytes: 1, ..ORDER }).is_err());
    let huge = header("a", b'0', 0o77_777_777_777);
    assert!(unpacked(&huge, &ORDER).is_err(), "before a byte of it is written");
    let cut = &member("a", b'0', b"1234")[..514];
    assert_eq!(unpacked(cut, &ORDER).unwrap_err().code, Code::CarrierArchive);
    let mut damaged = member("a", b'0', b"1");
    damaged[0] = b'b';
    let told = unpacked(&damaged, &ORDER).unwrap_err();
    assert!(told.detail.starts_with("the header at byte 0 is damaged"), "{told}");
    let long = member("x", b'x', &vec![b'1'; 70_000]);
    assert!(unpacked(&long, &ORDER).unwrap_err().detail.contains("extended header"));
    assert!(unpacked(b"", &ORDER).is_ok(), "an empty one is an empty carrier");
}
