//! Object headers (HDF5 File Format 3.0, IV.A): the messages that make a group, a dataset or a type.
//!
//! ```text
//!   version 1   count, size | message message ...        continuation: messages only
//!   version 2   OHDR size   | message ... gap | checksum  continuation: OCHK ... checksum
//! ```

use std::io::{Read, Seek};

use super::File;
use super::fields::Fields;
use crate::malformed::Fault;

/// The type of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind(u16);

impl Kind {
    const NIL: Kind = Kind(0);
    pub(super) const DATASPACE: Kind = Kind(1);
    pub(super) const LINK_INFO: Kind = Kind(2);
    pub(super) const DATATYPE: Kind = Kind(3);
    pub(super) const FILL_OLD: Kind = Kind(4);
    pub(super) const FILL: Kind = Kind(5);
    pub(super) const LINK: Kind = Kind(6);
    pub(super) const EXTERNAL_FILES: Kind = Kind(7);
    pub(super) const LAYOUT: Kind = Kind(8);
    pub(super) const GROUP_INFO: Kind = Kind(10);
    pub(super) const FILTERS: Kind = Kind(11);
    pub(super) const ATTRIBUTE: Kind = Kind(12);
    pub(super) const COMMENT: Kind = Kind(13);
    pub(super) const TIME_OLD: Kind = Kind(14);
    const CONTINUATION: Kind = Kind(16);
    pub(super) const SYMBOL_TABLE: Kind = Kind(17);
    pub(super) const TIME: Kind = Kind(18);
    pub(super) const BTREE_K: Kind = Kind(19);
    pub(super) const ATTRIBUTE_INFO: Kind = Kind(21);
    pub(super) const REFERENCES: Kind = Kind(22);
    pub(super) const FILE_SPACE_INFO: Kind = Kind(23);
}

/// The bit of a message's flags that says that the body stands elsewhere.
const SHARED: u8 = 2;

/// Messages of one object. Version 1 has no room to count more.
const MOST: usize = 65_535;

/// One message.
pub(super) struct Message {
    pub(super) kind: Kind,
    shared: bool,
    at: u64,
    body: Vec<u8>,
}

impl Message {
    /// The fields of the body.
    pub(super) fn fields(&self) -> Fields<'_> {
        Fields::new(&self.body, self.at)
    }
}

/// All messages of one object, without those that only hold the header together.
pub(super) struct Header {
    address: u64,
    messages: Vec<Message>,
}

impl Header {
    /// Reads the header at `address` with all its continuations.
    pub(super) fn read<R: Read + Seek>(
        file: &mut File<'_, '_, R>,
        address: u64,
    ) -> Result<Header, Fault> {
        let mut walk = Walk {
            header: Header { address, messages: Vec::new() },
            continuations: Vec::new(),
            seen: 0,
            bytes: 0,
        };
        if file.peek(address, 4)? == *b"OHDR" {
            walk.later(file)?
        } else {
            walk.first(file)?
        }
        Ok(walk.header)
    }

    /// The message of this kind, which may be there once.
    pub(super) fn one(&self, kind: Kind) -> Result<Option<&Message>, Fault> {
        let mut found = self.all(kind);
        let first = found.next();
        if let Some(second) = found.next() {
            return Err(second.fields().wrong(format!("a second message of type {}", kind.0)));
        }
        Ok(first)
    }

    /// The message of this kind, which must be there.
    pub(super) fn must(&self, kind: Kind) -> Result<&Message, Fault> {
        let missing = Fields::new(&[], self.address);
        self.one(kind)?.ok_or_else(|| missing.wrong(format!("no message of type {}", kind.0)))
    }

    /// All messages of this kind.
    pub(super) fn all(&self, kind: Kind) -> impl Iterator<Item = &Message> {
        self.messages.iter().filter(move |message| message.kind == kind)
    }

    /// Refuses messages of other than these kinds, and those whose body stands elsewhere.
    pub(super) fn only(&self, kinds: &[Kind]) -> Result<(), Fault> {
        for message in &self.messages {
            let number = message.kind.0;
            if !kinds.contains(&message.kind) {
                let detail = format!("a message of type {number} does not belong here");
                return Err(message.fields().wrong(detail));
            }
            if message.shared {
                let detail = format!("a message of type {number} stands elsewhere");
                return Err(message.fields().wrong(detail));
            }
        }
        Ok(())
    }
}

/// How the messages of one header are laid out.
enum Form {
    Old,
    /// Whether messages carry their order of creation.
    New(bool),
}

struct Walk {
    header: Header,
    continuations: Vec<(u64, u64)>,
    seen: u64,
    bytes: u64,
}

impl Walk {
    fn first<R: Read + Seek>(&mut self, file: &mut File<'_, '_, R>) -> Result<(), Fault> {
        let prefix = file.block(self.header.address, 16)?;
        let mut fields = Fields::new(&prefix, self.header.address);
        if fields.u8()? != 1 {
            return Err(Fields::new(&prefix, self.header.address).wrong("no object header"));
        }
        fields.take(1)?;
        let count = u64::from(fields.u16()?);
        fields.take(4)?;
        let size = u64::from(fields.u32()?);
        let first = self.header.address.saturating_add(16);
        self.continuations.push((first, size));
        while let Some((at, size)) = self.continuations.pop() {
            self.charge(file, size)?;
            let bytes = file.block(at, size)?;
            self.messages(Fields::new(&bytes, at), &Form::Old)?;
        }
        let end = Fields::new(&[], first);
        end.same(self.seen, count, "the number of messages")
    }

    fn later<R: Read + Seek>(&mut self, file: &mut File<'_, '_, R>) -> Result<(), Fault> {
        let address = self.header.address;
        // Signature, version and flags; times; phases of attributes; size.
        let prefix = file.peek(address, 4 + 2 + 16 + 4 + 8)?;
        let mut fields = Fields::new(&prefix, address);
        fields.signature(*b"OHDR", 2)?;
        let flags = fields.u8()?;
        if flags & 0xc0 != 0 {
            return Err(fields.wrong("an object header has unknown flags"));
        }
        let times = if flags & 0x20 != 0 { 16 } else { 0 };
        let phases = if flags & 0x10 != 0 { 4 } else { 0 };
        fields.take(times + phases)?;
        let size = fields.uint(1 << (flags & 3))?;
        let start = fields.at().saturating_sub(address);
        let whole = start.saturating_add(size).saturating_add(4);
        self.charge(file, whole)?;
        let bytes = file.block(address, whole)?;
        let mut fields = Fields::sealed(&bytes, address)?;
        fields.take(usize::try_from(start).unwrap_or(usize::MAX))?;
        let form = Form::New(flags & 4 != 0);
        self.messages(fields, &form)?;
        while let Some((at, size)) = self.continuations.pop() {
            self.charge(file, size)?;
            let bytes = file.block(at, size)?;
            let mut fields = Fields::sealed(&bytes, at)?;
            fields.same(fields.clone().array()?, *b"OCHK", "the signature of a continuation")?;
            fields.take(4)?;
            self.messages(fields, &form)?;
        }
        Ok(())
    }

    /// All parts of the header together stay within the budget of one structure.
    fn charge<R: Read + Seek>(&mut self, file: &File<'_, '_, R>, size: u64) -> Result<(), Fault> {
        self.bytes = self.bytes.saturating_add(size);
        if self.bytes > file.budget.hdf5_block {
            let at = Fields::new(&[], self.header.address);
            return Err(at.wrong("an object header is larger than allowed"));
        }
        Ok(())
    }

    fn messages(&mut self, mut fields: Fields<'_>, form: &Form) -> Result<(), Fault> {
        let smallest = match form {
            Form::Old => 1,
            Form::New(false) => 4,
            Form::New(true) => 6,
        };
        while fields.left() >= smallest {
            let kind = match form {
                Form::Old => fields.u16()?,
                Form::New(_) => u16::from(fields.u8()?),
            };
            let size = usize::from(fields.u16()?);
            let flags = fields.u8()?;
            match form {
                Form::Old => _ = fields.take(3)?,
                Form::New(true) => _ = fields.take(2)?,
                Form::New(false) => {}
            }
            self.seen = self.seen.saturating_add(1);
            let at = fields.at();
            let body = fields.part(size)?;
            self.message(Kind(kind), flags & SHARED != 0, body, at)?;
        }
        if fields.rest().iter().any(|&byte| byte != 0) {
            return Err(fields.wrong("the gap of an object header is not zero"));
        }
        Ok(())
    }

    fn message(
        &mut self,
        kind: Kind,
        shared: bool,
        mut body: Fields<'_>,
        at: u64,
    ) -> Result<(), Fault> {
        match kind {
            Kind::NIL => {}
            Kind::CONTINUATION => {
                let address = body.defined()?;
                let size = body.u64()?;
                // Without progress there is no end: an empty part could name itself for ever.
                if size == 0 {
                    return Err(body.wrong("a continuation is empty"));
                }
                self.continuations.push((address, size));
            }
            kind => {
                if self.header.messages.len() >= MOST {
                    return Err(body.wrong("an object header has too many messages"));
                }
                let body = body.rest().to_vec();
                self.header.messages.push(Message { kind, shared, at, body });
            }
        }
        Ok(())
    }
}
