//! Fields of headers that are wrong, or that disagree: scanners believe one, loaders another.

use super::build::{Header, Member, crc32, deflate, extra, le, zeros, zip, zip_with};
use super::{TENSOR, array, in_array, in_pickle, npz, pytorch};
use crate::Case;

const MALFORMED: &str = "malformed";

pub(super) fn cases() -> Vec<Case> {
    let local = |name, says, change: fn(&mut Header)| {
        in_array(name, (MALFORMED, says), |member| change(&mut member.local))
    };
    let both = |name, says, change: fn(&mut Header)| {
        in_array(name, (MALFORMED, says), |member| *member = member.clone().both(change))
    };
    let mut cases = vec![
        in_pickle(
            "pytorch-pickle-is-marked-as-encrypted",
            (MALFORMED, "model/data.pkl\": it is marked as encrypted"),
            |member| *member = member.clone().both(|header| header.flags |= 1),
        ),
        in_pickle(
            "pytorch-pickle-is-marked-as-encrypted-in-its-local-header",
            (MALFORMED, "its local header has another set of flags"),
            |member| member.local.flags |= 1,
        ),
        in_pickle(
            "pytorch-pickle-has-another-name-in-its-local-header",
            (MALFORMED, "its local header has another name"),
            |member| member.local.name = b"model/data.txt".to_vec(),
        ),
        in_pickle(
            "pytorch-descriptor-tells-another-size",
            (MALFORMED, "the descriptor after its data does not agree"),
            |member| member.descriptor[8] ^= 1,
        ),
        in_pickle(
            "pytorch-descriptor-tells-another-checksum",
            (MALFORMED, "the descriptor after its data does not agree"),
            |member| member.descriptor[4] ^= 1,
        ),
        in_pickle(
            "pytorch-padding-holds-a-pickle",
            (MALFORMED, "its padding holds something else"),
            |member| member.local.extra = extra(u16::from_le_bytes(*b"FB"), super::RUNS),
        ),
        local("npz-local-header-tells-another-size", "another size", |header| header.size -= 1),
        local("npz-local-header-tells-another-checksum", "another checksum", |header| {
            header.crc ^= 1;
        }),
        local("npz-local-header-tells-another-method", "another method", |header| {
            header.method = 8;
        }),
        both("npz-checksum-is-wrong", "its bytes do not have its checksum", |header| {
            header.crc ^= 1;
        }),
        both("npz-stored-member-claims-more-than-it-takes", "it is stored, takes", |header| {
            header.size += 1;
        }),
        both("npz-member-is-packed-by-lzma", "the unknown method 14", |header| header.method = 14),
        both("npz-member-has-unknown-flags", "flags 0x0020 are not known", |header| {
            header.flags = 1 << 5;
        }),
        both("npz-extra-field-gives-another-name", "the unknown kind 0x7075", |header| {
            header.extra = extra(0x7075, b"\x01\0\0\0\0data.pkl");
        }),
        both("npz-extra-field-runs-past-its-end", "its extra field is cut off", |header| {
            header.extra = vec![0x55, 0x54, 9, 0, 0];
        }),
        in_array("npz-member-is-on-another-disk", (MALFORMED, "another disk"), |member| {
            member.disk = 1;
        }),
        in_array("npz-member-has-a-comment", (MALFORMED, "it has a comment"), |member| {
            member.comment = super::RUNS.to_vec();
        }),
    ];
    cases.extend(large());
    cases.extend(packed());
    cases
}

/// Sizes in zip64 fields, and in a zip64 end.
fn large() -> Vec<Case> {
    let data = array(4);
    let sizes = |size: u64| extra(1, &[size, data.len() as u64].map(u64::to_le_bytes).concat());
    // NumPy gives every member such a field in its local header.
    let member = |size: u64| {
        Member::stored("weight.npy", &data).with(|member| {
            (member.local.size, member.local.packed) = (u32::MAX, u32::MAX);
            member.local.extra = sizes(size);
        })
    };
    let length = data.len() as u64;
    let central = Member::stored("weight.npy", &data)
        .both(|header| header.extra = sizes(length))
        .with(|member| (member.local.size, member.local.packed) = (u32::MAX, u32::MAX));
    let asks = Member::stored("weight.npy", &data).with(|member| member.central.size = u32::MAX);
    let good = || zip(&[member(length)]);
    let case = |name, says, hostile: Vec<u8>| {
        Case::one(name, (MALFORMED, says), "model.npz", hostile, good())
    };
    let end = |entries: u64| {
        zip_with(&npz(), |end| {
            end.large = Some([entries, end.size.into(), end.start.into()]);
            end.entries = [2, 2];
        })
    };
    vec![
        case("npz-zip64-field-tells-another-size", "another size", zip(&[member(length + 1)])),
        case("npz-zip64-field-that-nothing-asks-for", "does not ask for", zip(&[central])),
        case("npz-zip64-field-is-missing", "asks for a zip64 field and has none", zip(&[asks])),
        Case::one(
            "npz-zip64-end-tells-another-number-of-members",
            (MALFORMED, "the zip64 end and the end do not agree"),
            "model.npz",
            end(1),
            end(2),
        ),
    ]
}

/// What compressed data unpacks to.
fn packed() -> Vec<Case> {
    let data = array(4);
    let member = |packed: Vec<u8>| Member::packed("weight.npy", 8, packed, &data);
    let good = || zip(&[member(deflate(&data))]);
    let case = |name, says, hostile: Member| {
        Case::one(name, (MALFORMED, says), "model.npz", zip(&[hostile]), good())
    };
    let times = 17 * 1024 * 1024 / 258;
    let bomb = Member::packed("weight.npy", 8, zeros(times), &[])
        .both(|header| header.size = times as u32 * 258 + 1);
    let liar = Member::packed("weight.npy", 8, zeros(4), &[0; 129]);
    let short = member(deflate(&data[..data.len() - 1]));
    let mut broken = deflate(&data);
    broken[3] ^= 1;
    let hidden = [deflate(&data), super::RUNS.to_vec()].concat();
    let shares = (0..70).map(|number| {
        let size = 1024 * 1024;
        Member::packed("", 8, zeros(1), &[0; 259]).both(|header| {
            header.name = format!("{number}.npy").into_bytes();
            header.size = size;
        })
    });
    let shares: Vec<Member> = shares.collect();
    vec![
        case("npz-member-unpacks-to-a-hundred-times-its-size", "claim to unpack to", bomb),
        case("npz-member-unpacks-to-more-than-it-claims", "unpacks to more than 129 bytes", liar),
        case("npz-member-unpacks-to-less-than-it-claims", "it unpacks to", short),
        case("npz-packed-data-is-broken", "is no deflate stream", member(broken)),
        case("npz-pickle-follows-packed-data", "bytes follow its packed data", member(hidden)),
        Case::one(
            "npz-members-together-unpack-to-too-much",
            (MALFORMED, "claim to unpack to 73400320"),
            "model.npz",
            zip(&shares),
            good(),
        ),
        Case::one(
            "pytorch-pickle-is-packed-and-its-checksum-wrong",
            (MALFORMED, "model/data.pkl\": its bytes do not have its checksum"),
            "model.pt",
            packed_pickle(crc32(TENSOR) ^ 1),
            packed_pickle(crc32(TENSOR)),
        ),
    ]
}

/// PyTorch's weights packed anew by somebody, with this checksum of the pickle.
fn packed_pickle(crc: u32) -> Vec<u8> {
    let mut members = pytorch();
    members[0] = Member::packed("model/data.pkl", 8, deflate(TENSOR), TENSOR)
        .both(|header| (header.flags, header.crc) = (1 << 3, crc))
        .with(|member| {
            let Header { crc, packed, size, .. } = member.central;
            member.descriptor = [&b"PK\x07\x08"[..], &le(&[crc, packed, size])].concat();
        });
    zip(&members)
}
