//! Random streams, in random pieces, with random bytes before them in memory.

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::kernels::Candidates;
use super::super::{Block, Job, Value, Wide, single};
use super::{every_choice, expected, of_this_machine};

/// Lengths around the borders of blocks and of padding, and longer ones.
fn length() -> impl Strategy<Value = usize> {
    prop_oneof![
        1 => Just(0),
        4 => 0_usize..200,
        2 => (0_usize..40).prop_map(|blocks| blocks * 64),
        2 => (1_usize..9, 54_usize..66).prop_map(|(blocks, rest)| blocks * 64 + rest),
        1 => 0_usize..20_000,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 96 }))]

    /// Each round gives every stream one piece, at an odd place in memory.
    #[test]
    fn any_streams_in_any_pieces(
        rounds in vec(vec((length(), 0_usize..64), 0..40), 1..4),
        noise in vec(any::<u8>(), 20_064),
    ) {
        for (name, lanes) in every_choice() {
            let count = rounds.iter().map(Vec::len).max().unwrap();
            let mut streams: Vec<_> = (0..count).map(|_| lanes.start()).collect();
            let mut whole = vec![Vec::new(); count];
            for pieces in &rounds {
                let mut jobs = Vec::new();
                for (state, (length, offset)) in streams.iter_mut().zip(pieces) {
                    let bytes = &noise[*offset..][..*length];
                    whole[jobs.len()].extend_from_slice(bytes);
                    jobs.push(Job { state, bytes });
                }
                lanes.update(&mut jobs);
            }
            let alone: Vec<_> = streams.iter().map(|stream| stream.clone().finish()).collect();
            let digests = lanes.finish(streams);
            for (at, whole) in whole.iter().enumerate() {
                prop_assert_eq!(digests[at], expected(whole), "{}, stream {}", name, at);
                prop_assert_eq!(alone[at], expected(whole), "{}, stream {}", name, at);
            }
        }
    }

    /// The kernels themselves: any state to begin with, and streams that differ in length.
    #[test]
    fn any_state_and_any_blocks(
        values in vec(any::<Value>(), 16),
        lengths in vec(0_usize..6, 16),
        offset in 0_usize..64,
        noise in vec(any::<u8>(), 16 * 6 * 64 + 64),
    ) {
        let (blocks, _) = noise[offset..].as_chunks::<64>();
        let streams: Vec<&[Block]> =
            lengths.iter().enumerate().map(|(at, length)| &blocks[6 * at..][..*length]).collect();
        let candidates = Candidates::of_this_machine();
        compare(candidates.avx512, &values, &streams)?;
        compare(candidates.avx2, &values, &streams)?;
        compare(candidates.sha_ni, &values, &streams)?;
        if let Some(assembly) = candidates.assembly {
            let (mut one, mut other) = (values[0], values[0]);
            assembly(&mut one, blocks);
            single::compress(&mut other, blocks);
            prop_assert_eq!(one, other);
        }
    }
}

fn compare<const N: usize>(
    kernel: Option<Wide<N>>,
    values: &[Value],
    streams: &[&[Block]],
) -> Result<(), TestCaseError> {
    let Some(kernel) = kernel else { return Ok(()) };
    let (values, _) = values.as_chunks::<N>();
    let (streams, _) = streams.as_chunks::<N>();
    for (values, streams) in values.iter().zip(streams) {
        let count = streams.iter().map(|blocks| blocks.len()).min().unwrap();
        let (mut ours, mut theirs) = (*values, *values);
        kernel(&mut ours, streams);
        for (value, blocks) in theirs.iter_mut().zip(streams) {
            single::compress(value, &blocks[..count]);
        }
        prop_assert_eq!(ours, theirs);
    }
    Ok(())
}

/// The length is counted in 64 bits: what comes after 2^32 bytes is the stream's and not a new one.
#[test]
fn a_stream_passes_four_gibibytes() {
    use sha2::Digest;
    use sha2::digest::common::hazmat::SerializableState;

    // `sha2` is set to a state that it would reach after 2^32 - 64 bytes, with a chaining value that
    // stands for them, and so are we.
    let length = (1_u64 << 32) - 64;
    let value: Value = std::array::from_fn(|at| 0x0123_4567_u32.rotate_left(4 * at as u32));
    let lanes = of_this_machine();
    for rest in [0_usize, 63, 64, 65, 200] {
        let bytes = vec![0x5a; rest];
        let mut core = sha2::Sha256::new().serialize();
        for (to, from) in core.iter_mut().zip(
            value.iter().flat_map(|word| word.to_le_bytes()).chain((length / 64).to_le_bytes()),
        ) {
            *to = from;
        }
        let mut theirs = sha2::Sha256::deserialize(&core).unwrap();
        theirs.update(&bytes);

        let mut ours = lanes.start();
        ours.value = value;
        ours.length = length;
        lanes.update(&mut [Job { state: &mut ours, bytes: &bytes }]);
        let theirs: [u8; 32] = theirs.finalize().into();
        assert_eq!(lanes.finish(vec![ours]), [theirs], "{rest} bytes");
    }
}
