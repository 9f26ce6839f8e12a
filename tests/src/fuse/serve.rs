//! Answering the kernel: the truth from the tree, or what the script says instead.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt as _;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use fuser::{
    Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, LockOwner,
    OpenFlags, ReplyAttr, ReplyData, ReplyDirectory, ReplyEntry, ReplyOpen, Request as FuseRequest,
};

use super::Cache;
use super::script::{Lie, Names, Op, Request, Script};
use super::tree::{Content, Node, Tree};

/// Nothing that was said is kept: each question is asked again.
const TTL: Duration = Duration::ZERO;

/// Added to the number of a node to make it another inode with the same content.
const OTHER_INODE: u64 = 1 << 32;

/// When every file was last written to.
const WRITTEN: Duration = Duration::from_secs(1_700_000_000);

pub(super) struct Served {
    tree: Arc<Tree>,
    script: Arc<Script>,
    cache: Cache,
}

/// What to do with a reply.
enum Way {
    Answer(Option<(Lie, u64)>),
    Error(Errno),
    Never,
    Later(Duration),
}

impl Served {
    pub(super) fn new(tree: Arc<Tree>, script: Arc<Script>, cache: Cache) -> Served {
        Served { tree, script, cache }
    }

    fn node(&self, number: INodeNo) -> Result<(u64, &Node), Errno> {
        let number = number.0 % OTHER_INODE;
        self.tree.node(number).map(|node| (number, node)).ok_or(Errno::ENOENT)
    }

    fn way(&self, op: Op, path: &str, offset: u64, length: u64) -> Way {
        match self.script.answer(&Request { op, path, offset, length }) {
            Some((Lie::Error(error), _)) => Way::Error(error),
            Some((Lie::Silence, _)) => Way::Never,
            Some((Lie::Slow(time), _)) => Way::Later(time),
            Some((Lie::Vanish, _)) => {
                self.script.vanish();
                Way::Error(Errno::ENODEV)
            }
            answer => Way::Answer(answer),
        }
    }

    /// The attributes of a node, true but for the lie.
    fn attributes(&self, number: u64, node: &Node, lie: Option<&Lie>) -> FileAttr {
        let (kind, size) = match &node.content {
            Content::File(bytes) => {
                (FileType::RegularFile, self.script.size(&node.path).unwrap_or(bytes.len() as u64))
            }
            Content::Folder(_) => (FileType::Directory, 0),
        };
        let written = SystemTime::UNIX_EPOCH + WRITTEN;
        let mut attributes = FileAttr {
            ino: INodeNo(number),
            size,
            blocks: size.div_ceil(512),
            atime: written,
            mtime: written,
            ctime: written,
            crtime: written,
            kind,
            perm: if kind == FileType::Directory { 0o755 } else { 0o644 },
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        };
        match lie {
            Some(Lie::Size(by)) => attributes.size = size.saturating_add_signed(*by),
            Some(Lie::Written) => attributes.mtime = written + Duration::from_nanos(1),
            Some(Lie::Changed) => attributes.ctime = written + Duration::from_nanos(1),
            Some(Lie::Inode) => attributes.ino = INodeNo(number + OTHER_INODE),
            Some(Lie::Kind(kind)) => attributes.kind = *kind,
            _ => {}
        }
        attributes
    }

    fn child(&self, parent: INodeNo, name: &OsStr) -> Result<(u64, &Node), Errno> {
        let (number, node) = self.node(parent)?;
        let Content::Folder(children) = &node.content else { return Err(Errno::ENOTDIR) };
        let name = name.to_str().ok_or(Errno::ENOENT)?;
        if matches!(name, "." | "..") {
            return Ok((number, node));
        }
        self.node(INodeNo(*children.get(name).ok_or(Errno::ENOENT)?))
    }

    /// The bytes of a file in a range, and how many of them are there.
    fn bytes(&self, node: &Node, offset: u64, length: u64) -> Result<Vec<u8>, Errno> {
        let Content::File(bytes) = &node.content else { return Err(Errno::EISDIR) };
        let size = self.script.size(&node.path).unwrap_or(bytes.len() as u64);
        let end = offset.saturating_add(length).min(size);
        let range = offset.min(end) as usize..end as usize;
        let zeros = range.end.saturating_sub(bytes.len().max(range.start));
        let mut read =
            bytes.get(range.start..range.end.min(bytes.len())).unwrap_or_default().to_vec();
        read.resize(read.len() + zeros, 0);
        Ok(read)
    }
}

/// Sends the truth after a while, from a thread of its own, so that other requests go on.
fn later<R: Send + 'static>(time: Duration, reply: R, send: impl FnOnce(R) + Send + 'static) {
    thread::spawn(move || {
        thread::sleep(time);
        send(reply);
    });
}

impl Filesystem for Served {
    fn lookup(&self, _: &FuseRequest, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let (number, node) = match self.child(parent, name) {
            Ok(found) => found,
            Err(error) => return reply.error(error),
        };
        let way = self.way(Op::Lookup, &node.path, 0, 0);
        let lie = if let Way::Answer(Some((lie, _))) = &way { Some(lie) } else { None };
        let attributes = self.attributes(number, node, lie);
        match way {
            Way::Answer(_) => reply.entry(&TTL, &attributes, Generation(0)),
            Way::Error(error) => reply.error(error),
            Way::Never => self.script.owe(reply),
            Way::Later(time) => {
                later(time, reply, move |reply| reply.entry(&TTL, &attributes, Generation(0)));
            }
        }
    }

    fn getattr(&self, _: &FuseRequest, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        let (number, node) = match self.node(ino) {
            Ok(found) => found,
            Err(error) => return reply.error(error),
        };
        let way = self.way(Op::Attributes, &node.path, 0, 0);
        let lie = if let Way::Answer(Some((lie, _))) = &way { Some(lie) } else { None };
        // The kernel knows the node by the number that it asks for.
        let attributes = self.attributes(ino.0.max(number), node, lie);
        match way {
            Way::Answer(_) => reply.attr(&TTL, &attributes),
            Way::Error(error) => reply.error(error),
            Way::Never => self.script.owe(reply),
            Way::Later(time) => later(time, reply, move |reply| reply.attr(&TTL, &attributes)),
        }
    }

    fn open(&self, _: &FuseRequest, ino: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        let path = match self.node(ino) {
            Ok((_, node)) => &node.path,
            Err(error) => return reply.error(error),
        };
        let flags = match self.cache {
            Cache::Off => FopenFlags::FOPEN_DIRECT_IO,
            Cache::On => FopenFlags::FOPEN_KEEP_CACHE,
        };
        match self.way(Op::Open, path, 0, 0) {
            Way::Answer(_) => reply.opened(FileHandle(0), flags),
            Way::Error(error) => reply.error(error),
            Way::Never => self.script.owe(reply),
            Way::Later(time) => {
                later(time, reply, move |reply| reply.opened(FileHandle(0), flags));
            }
        }
    }

    fn read(
        &self,
        _: &FuseRequest,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let size = u64::from(size);
        let node = match self.node(ino) {
            Ok((_, node)) => node,
            Err(error) => return reply.error(error),
        };
        let way = self.way(Op::Read, &node.path, offset, size);
        let mut bytes = match self.bytes(node, offset, size) {
            Ok(bytes) => bytes,
            Err(error) => return reply.error(error),
        };
        match way {
            Way::Answer(lie) => {
                match lie {
                    Some((Lie::Short(most), _)) => bytes.truncate(most),
                    Some((Lie::Flip, at)) => {
                        if let Some(byte) = bytes.get_mut((at - offset) as usize) {
                            *byte ^= 1;
                        }
                    }
                    _ => {}
                }
                reply.data(&bytes);
            }
            Way::Error(error) => reply.error(error),
            Way::Never => self.script.owe(reply),
            Way::Later(time) => later(time, reply, move |reply| reply.data(&bytes)),
        }
    }

    fn readdir(
        &self,
        _: &FuseRequest,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        reply: ReplyDirectory,
    ) {
        let (number, node) = match self.node(ino) {
            Ok(found) => found,
            Err(error) => return reply.error(error),
        };
        let Content::Folder(children) = &node.content else { return reply.error(Errno::ENOTDIR) };
        let way = self.way(Op::List, &node.path, offset, 0);
        let lie = match &way {
            Way::Answer(Some((Lie::Names(names), _))) => Some(*names),
            _ => None,
        };
        let mut entries = vec![
            (number, FileType::Directory, OsString::from(".")),
            (number, FileType::Directory, OsString::from("..")),
        ];
        for (name, number) in children {
            let kind = match self.tree.node(*number).map(|node| &node.content) {
                Some(Content::Folder(_)) => FileType::Directory,
                _ => FileType::RegularFile,
            };
            let kind = if let Some(Names::Are(kind)) = lie { kind } else { kind };
            let copies = if lie == Some(Names::Twice) { 2 } else { 1 };
            entries.extend((0..copies).map(|_| (*number, kind, OsString::from(name))));
        }
        entries.extend(invented(lie).into_iter().map(|name| (999, FileType::RegularFile, name)));
        match way {
            Way::Answer(_) if lie == Some(Names::Million) => many(offset, 1_000_000, reply),
            Way::Answer(_) if lie == Some(Names::Endless) => many(offset, u64::MAX, reply),
            Way::Answer(_) => list(&entries, offset, reply),
            Way::Error(error) => reply.error(error),
            Way::Never => self.script.owe(reply),
            Way::Later(time) => later(time, reply, move |reply| list(&entries, offset, reply)),
        }
    }
}

/// Names of what is not there.
fn invented(lie: Option<Names>) -> Vec<OsString> {
    match lie {
        Some(Names::Ghost) => vec!["ghost.json".into()],
        Some(Names::Slash) => vec!["sub/ghost.json".into()],
        Some(Names::Dots) => vec!["..".into(), ".".into(), "..".into()],
        Some(Names::Long) => vec!["l".repeat(300).into()],
        Some(Names::Bytes) => vec![OsString::from_vec(b"bad\xff.json".to_vec())],
        _ => Vec::new(),
    }
}

fn list(entries: &[(u64, FileType, OsString)], offset: u64, mut reply: ReplyDirectory) {
    for (place, (number, kind, name)) in entries.iter().enumerate().skip(offset as usize) {
        if reply.add(INodeNo(*number), place as u64 + 1, *kind, name) {
            break;
        }
    }
    reply.ok();
}

fn many(offset: u64, count: u64, mut reply: ReplyDirectory) {
    for place in offset..count {
        let name = format!("{place}.json");
        if reply.add(INodeNo(999), place + 1, FileType::RegularFile, name) {
            break;
        }
    }
    reply.ok();
}
