//! The entries of a CRL (RFC 5280, section 5.3): read in one pass, and found by serial number.
//!
//! A list may have a million entries. They stay where they stand in the CRL; what is kept beside
//! them is an index of sixteen bytes each, and an entry is decoded again when it is looked up.

use std::ops::Range;

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280::{ID_CE_CERTIFICATE_ISSUER, ID_CE_CRL_REASONS, ID_CE_INVALIDITY_DATE};
use der::asn1::{AnyRef, GeneralizedTime, IntRef};
use der::{Decode, Reader, SliceReader, Tag, Tagged};
use x509_cert::ext::pkix::crl::CrlReason;
use x509_cert::time::Time;

use super::{CrlError, RevocationReason, RevokedEntry, Unsupported};
use crate::pki::certificate::unix_time;
use crate::time::UnixTime;

/// The longest serial number that is read: 20 bytes (RFC 5280, section 4.1.2.2) and a sign byte.
const SERIAL_BYTES: usize = 21;

/// Where each entry of a CRL stands, in the order of their serial numbers.
pub(super) struct Entries {
    /// Where revokedCertificates stands in the TBSCertList, without its header.
    list: Range<usize>,
    index: Vec<Key>,
}

/// The beginning of a serial number, and where its entry stands in the list.
#[derive(Clone, Copy)]
struct Key {
    prefix: u64,
    offset: u32,
}

impl Entries {
    /// Reads the list at `list` of `tbs`; also gives why it cannot be used, if so. Entries of a
    /// CRL of version 1 have no extensions.
    pub(super) fn read(
        tbs: &[u8],
        list: Range<usize>,
        version_one: bool,
    ) -> Result<(Self, Option<Unsupported>), CrlError> {
        let bytes = tbs.get(list.clone()).ok_or(CrlError::Der)?;
        let mut reader = SliceReader::new(bytes).map_err(|_| CrlError::Der)?;
        let (mut index, mut unsupported) = (Vec::new(), None);
        while !reader.is_finished() {
            let offset = u32::from(reader.position());
            let entry = Entry::read(&mut reader)?;
            if version_one && entry.has_extensions {
                return Err(CrlError::Version);
            }
            unsupported = unsupported.or(entry.unsupported);
            index.push(Key { prefix: prefix(entry.serial), offset });
        }
        let serial = |key: &Key| serial_at(bytes, key.offset).unwrap_or_default();
        let order =
            |a: &Key, b: &Key| a.prefix.cmp(&b.prefix).then_with(|| serial(a).cmp(serial(b)));
        index.sort_unstable_by(order);
        index.shrink_to_fit();
        Ok((Entries { list, index }, unsupported))
    }

    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// The entry of `serial`. When a list has several, the earliest date counts, and a reason that
    /// puts the key in doubt before any other.
    pub(super) fn find(&self, tbs: &[u8], serial: &[u8]) -> Option<RevokedEntry> {
        let bytes = tbs.get(self.list.clone())?;
        let wanted = prefix(serial);
        let from = self.index.partition_point(|key| {
            key.prefix < wanted
                || (key.prefix == wanted
                    && serial_at(bytes, key.offset).unwrap_or_default() < serial)
        });
        self.index
            .get(from..)?
            .iter()
            .take_while(|key| serial_at(bytes, key.offset) == Some(serial))
            .filter_map(|key| entry_at(bytes, key.offset))
            .reduce(|a, b| RevokedEntry {
                date: a.date.min(b.date),
                reason: if a.reason.leaves_key_sound() { b.reason } else { a.reason },
                invalidity_date: a.invalidity_date.into_iter().chain(b.invalidity_date).min(),
            })
    }
}

fn prefix(serial: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    for (to, from) in bytes.iter_mut().zip(serial) {
        *to = *from;
    }
    u64::from_be_bytes(bytes)
}

fn reader_at(list: &[u8], offset: u32) -> Option<SliceReader<'_>> {
    SliceReader::new(list.get(usize::try_from(offset).ok()?..)?).ok()
}

fn entry_at(list: &[u8], offset: u32) -> Option<RevokedEntry> {
    Entry::read(&mut reader_at(list, offset)?).ok().map(|entry| entry.revoked)
}

/// The serial number alone.
fn serial_at(list: &[u8], offset: u32) -> Option<&[u8]> {
    let entry = AnyRef::decode(&mut reader_at(list, offset)?).ok()?;
    let mut fields = SliceReader::new(entry.value()).ok()?;
    IntRef::decode(&mut fields).ok().map(|serial| serial.as_bytes())
}

/// One entry, decoded where it stands.
struct Entry<'a> {
    serial: &'a [u8],
    revoked: RevokedEntry,
    has_extensions: bool,
    unsupported: Option<Unsupported>,
}

impl<'a> Entry<'a> {
    fn read(reader: &mut SliceReader<'a>) -> Result<Self, CrlError> {
        let mut fields = sequence(reader)?;
        let serial = IntRef::decode(&mut fields).map_err(|_| CrlError::Der)?.as_bytes();
        if serial.len() > SERIAL_BYTES {
            return Err(CrlError::Der);
        }
        let date = Time::decode(&mut fields).map_err(|_| CrlError::Der)?;
        let mut entry = Entry {
            serial,
            revoked: RevokedEntry {
                date: unix_time(&date),
                reason: RevocationReason::Unspecified,
                invalidity_date: None,
            },
            has_extensions: !fields.is_finished(),
            unsupported: None,
        };
        if entry.has_extensions {
            entry.read_extensions(&mut fields)?;
            if !fields.is_finished() {
                return Err(CrlError::Der);
            }
        }
        Ok(entry)
    }

    fn read_extensions(&mut self, fields: &mut SliceReader<'a>) -> Result<(), CrlError> {
        let mut extensions = sequence(fields)?;
        let (mut has_reason, mut has_invalidity) = (false, false);
        let first = |seen: &mut bool, id| {
            (!std::mem::replace(seen, true)).then_some(()).ok_or(CrlError::DuplicateExtension(id))
        };
        while !extensions.is_finished() {
            let (id, critical, value) =
                read_extension(&mut extensions).map_err(|_| CrlError::Der)?;
            match id {
                ID_CE_CRL_REASONS => {
                    first(&mut has_reason, id)?;
                    self.revoked.reason = read_reason(value).ok_or(CrlError::Extension(id))?;
                }
                ID_CE_INVALIDITY_DATE => {
                    first(&mut has_invalidity, id)?;
                    self.revoked.invalidity_date =
                        Some(read_time(value).ok_or(CrlError::Extension(id))?);
                }
                ID_CE_CERTIFICATE_ISSUER => {
                    self.unsupported.get_or_insert(Unsupported::Indirect);
                }
                other if critical => {
                    self.unsupported.get_or_insert(Unsupported::CriticalEntryExtension(other));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// A GeneralizedTime (RFC 5280, section 4.1.2.5.2).
pub(super) fn read_time(der: &[u8]) -> Option<UnixTime> {
    GeneralizedTime::from_der(der).ok().map(|time| unix_time(&Time::GeneralTime(time)))
}

fn sequence<'a>(reader: &mut SliceReader<'a>) -> Result<SliceReader<'a>, CrlError> {
    let any = AnyRef::decode(reader).map_err(|_| CrlError::Der)?;
    any.tag().assert_eq(Tag::Sequence).map_err(|_| CrlError::Der)?;
    SliceReader::new(any.value()).map_err(|_| CrlError::Der)
}

fn read_extension<'a>(
    reader: &mut SliceReader<'a>,
) -> der::Result<(ObjectIdentifier, bool, &'a [u8])> {
    let extension = AnyRef::decode(reader)?;
    extension.tag().assert_eq(Tag::Sequence)?;
    let mut fields = SliceReader::new(extension.value())?;
    let id = ObjectIdentifier::decode(&mut fields)?;
    let critical = Option::<bool>::decode(&mut fields)?.unwrap_or(false);
    let value = AnyRef::decode(&mut fields)?;
    value.tag().assert_eq(Tag::OctetString)?;
    fields.finish()?;
    Ok((id, critical, value.value()))
}

fn read_reason(der: &[u8]) -> Option<RevocationReason> {
    Some(match CrlReason::from_der(der).ok()? {
        CrlReason::Unspecified => RevocationReason::Unspecified,
        CrlReason::KeyCompromise => RevocationReason::KeyCompromise,
        CrlReason::CaCompromise => RevocationReason::CaCompromise,
        CrlReason::AffiliationChanged => RevocationReason::AffiliationChanged,
        CrlReason::Superseded => RevocationReason::Superseded,
        CrlReason::CessationOfOperation => RevocationReason::CessationOfOperation,
        CrlReason::CertificateHold => RevocationReason::CertificateHold,
        CrlReason::RemoveFromCRL => RevocationReason::RemoveFromCrl,
        CrlReason::PrivilegeWithdrawn => RevocationReason::PrivilegeWithdrawn,
        CrlReason::AaCompromise => RevocationReason::AaCompromise,
    })
}
