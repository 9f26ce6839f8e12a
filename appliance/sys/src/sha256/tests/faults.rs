//! Kernels that lie are left out, and the answer is right all the same.

use super::super::kernels::Candidates;
use super::super::{Block, Job, Kernel, Single, Status, Unusable, Value, Wide, single};
use super::{Lanes, expected, pays_from};

/// A liar, named.
type Liar<const N: usize> = (&'static str, Wide<N>);

/// A kernel for `N` streams that is right.
fn right<const N: usize>(values: &mut [Value; N], streams: &[&[Block]; N]) {
    let count = streams.iter().map(|blocks| blocks.len()).min().unwrap();
    for (value, blocks) in values.iter_mut().zip(streams) {
        single::compress(value, &blocks[..count]);
    }
}

/// Each is wrong in one way only.
fn liars<const N: usize>() -> [Liar<N>; 7] {
    [
        ("does nothing", |_, _| {}),
        ("forgets the last lane", |values, streams| {
            let last = values[N - 1];
            right(values, streams);
            values[N - 1] = last;
        }),
        ("turns one bit of the first lane", |values, streams| {
            right(values, streams);
            values[0][7] ^= 1;
        }),
        ("takes one lane for another", |values, streams| {
            right(values, streams);
            values.swap(0, N - 1);
        }),
        ("absorbs the first block only", |values, streams| {
            right(values, &streams.map(|blocks| &blocks[..1.min(blocks.len())]));
        }),
        ("is wrong where a table has the answer", |values, streams| {
            right(values, streams);
            values[N - 1][0] ^= u32::from(streams[0].len() == 2);
        }),
        ("is wrong where no table has the answer", |values, streams| {
            right(values, streams);
            values[N - 1][0] ^= u32::from(streams[0].len() == 4);
        }),
    ]
}

/// A machine whose kernels are all right, without any of its own.
fn honest() -> Candidates {
    Candidates {
        avx512: Some(right),
        avx2: Some(right),
        sha_ni: Some(right),
        single: single::compress,
        assembly: Some(single::compress),
        has_sha: true,
    }
}

fn status(lanes: &Lanes, kernel: Kernel) -> Status {
    lanes.report().iter().find(|of| of.kernel == kernel).unwrap().status
}

/// Lanes that use every kernel, if it is right.
fn all_used(candidates: &Candidates) -> Result<Lanes, Unusable> {
    Lanes::tested(candidates, &|kernel, has_sha| match kernel {
        Kernel::Avx2x8 => Some(4),
        kernel => pays_from(kernel, has_sha),
    })
}

fn assert_hashes_rightly(lanes: &Lanes, who: &str) {
    let messages: Vec<Vec<u8>> = (0_u8..40).map(|n| vec![n; 50 * usize::from(n)]).collect();
    let mut streams: Vec<_> = messages.iter().map(|_| lanes.start()).collect();
    let jobs = streams.iter_mut().zip(&messages).map(|(state, bytes)| Job { state, bytes });
    lanes.update(&mut jobs.collect::<Vec<_>>());
    let digests = lanes.finish(streams);
    for (digest, message) in digests.iter().zip(&messages) {
        assert_eq!(*digest, expected(message), "{who}");
    }
}

#[test]
fn a_kernel_that_lies_is_not_used() {
    for (who, liar) in liars() {
        let lanes = all_used(&Candidates { avx512: Some(liar), ..honest() }).unwrap();
        assert_eq!(status(&lanes, Kernel::Avx512x16), Status::Failed, "{who}");
        assert_eq!((status(&lanes, Kernel::Avx2x8), lanes.streams()), (Status::Used, 8));
        assert_hashes_rightly(&lanes, who);
    }
    for (who, liar) in liars() {
        let lanes = all_used(&Candidates { avx2: Some(liar), ..honest() }).unwrap();
        assert_eq!(status(&lanes, Kernel::Avx2x8), Status::Failed, "{who}");
        assert_hashes_rightly(&lanes, who);
    }
    for (who, liar) in liars() {
        let lanes = all_used(&Candidates { sha_ni: Some(liar), ..honest() }).unwrap();
        assert_eq!(status(&lanes, Kernel::ShaNix2), Status::Failed, "{who}");
        assert_hashes_rightly(&lanes, who);
    }
}

#[test]
fn of_two_kernels_for_one_stream_the_right_one_is_used() {
    let wrong: Single = |value, blocks| {
        single::compress(value, blocks);
        value[3] ^= 0x8000_0000;
    };
    let lanes = all_used(&Candidates { single: wrong, ..honest() }).unwrap();
    assert_eq!(status(&lanes, Kernel::Single), Status::Failed);
    assert_eq!(status(&lanes, Kernel::Assembly), Status::Used);
    assert_hashes_rightly(&lanes, "single");

    let lanes = all_used(&Candidates { assembly: Some(wrong), ..honest() }).unwrap();
    assert_eq!(status(&lanes, Kernel::Single), Status::Used);
    assert_eq!(status(&lanes, Kernel::Assembly), Status::Failed);
    assert_hashes_rightly(&lanes, "assembly");

    let both = Candidates { single: wrong, assembly: Some(wrong), ..honest() };
    assert_eq!(all_used(&both).map(drop), Err(Unusable));
    let alone = Candidates { single: wrong, assembly: None, ..honest() };
    assert_eq!(all_used(&alone).map(drop), Err(Unusable));
}

/// Both give all known answers, and differ elsewhere.
#[test]
fn a_machine_that_contradicts_itself_is_refused() {
    let subtle: Single = |value, blocks| {
        single::compress(value, blocks);
        value[0] ^= u32::from(blocks.len() == 4);
    };
    let doubtful = Candidates { assembly: Some(subtle), ..honest() };
    assert_eq!(all_used(&doubtful).map(drop), Err(Unusable));
}

#[test]
fn the_choice_follows_what_the_machine_has() {
    let statuses = |candidates: &Candidates| {
        let lanes = Lanes::tested(candidates, &pays_from).unwrap();
        let report: Vec<_> = lanes.report().iter().map(|of| of.status).collect();
        (report, lanes.streams())
    };
    use Status::{NotOnThisCpu, Spare, Used};

    assert_eq!(statuses(&honest()), (vec![Used, Spare, Used, Used, Spare], 16));
    let older = Candidates { avx512: None, sha_ni: None, has_sha: false, ..honest() };
    assert_eq!(statuses(&older), (vec![NotOnThisCpu, Used, NotOnThisCpu, Spare, Used], 8));
    let other = Candidates { avx512: None, avx2: None, sha_ni: None, assembly: None, ..honest() };
    let expected = vec![NotOnThisCpu, NotOnThisCpu, NotOnThisCpu, Used, NotOnThisCpu];
    assert_eq!(statuses(&other), (expected, 1));
    let software = Candidates { has_sha: false, ..other };
    assert_eq!(statuses(&software).0[3], Used);
}
