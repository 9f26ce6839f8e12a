//! What a kernel must get right before it is used.
//!
//! First known answers, which come from elsewhere; then blocks whose answer only another kernel
//! tells. Every lane gets a stream of its own, in calls of different lengths. All of it takes some
//! tens of microseconds.

use super::stream::{INITIAL, Sha256, digest_of};
use super::{Block, Single, Value, Wide};

/// How many streams the tests have: as many as the widest kernel takes.
const STREAMS: usize = 16;

/// How many blocks of each stream the comparison takes.
const COMPARED: usize = 4;

/// Messages and their digests: examples that NIST published with the standard.
#[rustfmt::skip]
const EXAMPLES: [(&[u8], Value); 3] = [
    (b"",
     [0xe3b0_c442, 0x98fc_1c14, 0x9afb_f4c8, 0x996f_b924, 0x27ae_41e4, 0x649b_934c, 0xa495_991b, 0x7852_b855]),
    (b"abc",
     [0xba78_16bf, 0x8f01_cfea, 0x4141_40de, 0x5dae_2223, 0xb003_61a3, 0x9617_7a9c, 0xb410_ff61, 0xf200_15ad]),
    (b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     [0x248d_6a61, 0xd206_38b8, 0xe5c0_2693, 0x0c3e_6039, 0xa33c_e459, 0x64ff_2167, 0xf6ec_edd4, 0x19db_06c1]),
];

/// The digests of the sixteen messages of [`message`], as other implementations give them.
#[rustfmt::skip]
const DIGESTS: [Value; STREAMS] = [
    [0x45d0_5ea8, 0x95c7_b755, 0xc790_84db, 0xa8f0_f5ce, 0xb04c_c750, 0x6c14_446e, 0x4151_6180, 0x8e24_4cab],
    [0xe5c2_da5c, 0xf74e_78c0, 0xc39a_6199, 0xa9d0_9882, 0xf4a4_548b, 0xb0e2_0302, 0xe61a_9bd0, 0x1e4b_290d],
    [0x742c_71bc, 0xdbdc_aca8, 0xc8db_c2dc, 0x86b0_70b4, 0x846a_0d6c, 0x2d74_0e4d, 0x5bf0_7e69, 0x61fa_bdcc],
    [0x21d2_0514, 0x818e_a697, 0xef1b_f403, 0x86e2_dc5c, 0xad7f_c6d6, 0x6734_fb3c, 0xaddc_5e66, 0xd7cb_98a7],
    [0xb1fe_661b, 0xda57_fd9b, 0x5d7c_e4a3, 0x32b4_6a8c, 0x8f9a_35e9, 0x472b_f268, 0x4e07_be33, 0x7d8d_51b9],
    [0xbaee_e8d0, 0x4b80_90d6, 0xcb69_242d, 0x14bc_8310, 0x47f7_0eb3, 0xa8a5_6553, 0x5a12_6ee4, 0x3a17_6519],
    [0xc672_dc6c, 0xb61d_614d, 0xfbca_ef5d, 0x1e40_c050, 0x8d38_3cc8, 0x4d02_fd5f, 0x7f76_e54e, 0xa9b4_f3ef],
    [0xa7fb_870a, 0xad77_8a0a, 0xcc2d_5e06, 0x092d_de7b, 0x834e_b862, 0x6501_e2a1, 0x9b83_7ba2, 0x5436_51bd],
    [0xa567_7528, 0x903d_5cef, 0x9b53_a610, 0xd3de_916c, 0x7af9_90aa, 0x6b2f_8980, 0x93d5_ffb6, 0xf65f_f08c],
    [0x1423_b805, 0xea82_bb9b, 0xc089_08d5, 0xed82_319a, 0x38a7_1a8c, 0xaa88_2940, 0xf352_bbcd, 0x0a68_71b0],
    [0xd00e_0c33, 0x8744_f3aa, 0x23e9_38b9, 0x2cd4_f9d2, 0x4a79_c7f2, 0xb18e_7539, 0x235f_2213, 0xba53_8a07],
    [0x2a0a_0f78, 0x07e3_aab4, 0x5a3f_ad5c, 0xf3b2_a2f8, 0xf0bb_b043, 0x41b5_097b, 0xca71_b376, 0x78f2_d011],
    [0x8a28_8399, 0x578b_09d4, 0x723d_4915, 0x0fde_6a83, 0xeaf9_95ab, 0xaebf_5bba, 0x3b3b_7224, 0xfebd_975e],
    [0x3528_50c3, 0xb513_8a95, 0x767b_5c59, 0x0ea3_7c2c, 0x9b82_d1f8, 0x3ec4_bc75, 0xb0af_b8b8, 0xc214_12c5],
    [0x06bf_3093, 0x193c_3e0d, 0x8b14_7c66, 0x868a_51e3, 0xe3c9_93bd, 0xb3d8_d0eb, 0x7e2e_25da, 0xbba7_5fd0],
    [0x663e_8636, 0x5116_972c, 0xab11_37fb, 0xc779_ea31, 0xa254_d742, 0x9471_24dc, 0x85da_1d19, 0x6714_e42c],
];

/// What a kernel makes of streams that no table has the answer to.
pub(super) type Opinion = [Value; STREAMS];

/// Whether a kernel for one stream gives the known answers.
pub(super) fn single_is_right(kernel: Single) -> bool {
    let examples = EXAMPLES.iter().all(|(message, digest)| {
        let mut stream = Sha256::new(kernel);
        stream.update(message);
        stream.finish() == digest_of(digest)
    });
    examples && digests::<1>(|[value], [blocks]| kernel(value, blocks)) == DIGESTS
}

/// Whether a kernel for many streams gives the known answers and shares an opinion, in every lane.
pub(super) fn wide_is_right<const N: usize>(kernel: Wide<N>, opinion: &Opinion) -> bool {
    digests(kernel) == DIGESTS && compressed(kernel) == *opinion
}

/// What a kernel for one stream makes of the streams without known answers.
pub(super) fn opinion(kernel: Single) -> Opinion {
    compressed::<1>(|[value], [blocks]| kernel(value, blocks))
}

/// What a kernel makes of the messages: each in one call of one block and one of two, so that the
/// second finds what the first left.
fn digests<const N: usize>(kernel: impl Fn(&mut [Value; N], &[&[Block]; N])) -> [Value; STREAMS] {
    let messages: [[Block; 3]; STREAMS] = std::array::from_fn(message);
    let firsts = messages.each_ref().map(|[first, ..]| std::slice::from_ref(first));
    let rests = messages.each_ref().map(|[_, rest @ ..]| rest.as_slice());
    let mut values = [INITIAL; STREAMS];
    in_lanes(&kernel, &mut values, &firsts);
    in_lanes(&kernel, &mut values, &rests);
    values
}

/// What a kernel makes of noise, begun with noise.
fn compressed<const N: usize>(kernel: impl Fn(&mut [Value; N], &[&[Block]; N])) -> Opinion {
    let mut noise = noise(u32::MAX);
    let mut values: [Value; STREAMS] =
        std::array::from_fn(|_| std::array::from_fn(|_| u32::from_be_bytes(take(&mut noise))));
    let blocks: [[Block; COMPARED]; STREAMS] =
        std::array::from_fn(|_| std::array::from_fn(|_| take(&mut noise)));
    in_lanes(&kernel, &mut values, &blocks.each_ref().map(|blocks| blocks.as_slice()));
    values
}

/// Calls the kernel as often as it takes for all streams to have been in a lane.
fn in_lanes<const N: usize>(
    kernel: impl Fn(&mut [Value; N], &[&[Block]; N]),
    values: &mut [Value; STREAMS],
    streams: &[&[Block]; STREAMS],
) {
    let (values, _) = values.as_chunks_mut();
    let (streams, _) = streams.as_chunks();
    for (values, streams) in values.iter_mut().zip(streams) {
        kernel(values, streams);
    }
}

/// The message for a lane: noise of a length that makes three blocks with its padding.
fn message(lane: usize) -> [Block; 3] {
    const END: u8 = 0x80;
    let length = 120 + 4 * lane;
    let bits = (8 * length as u64).to_be_bytes();
    let mut blocks = [[0; 64]; 3];
    let bytes = blocks.as_flattened_mut();
    let end = bytes.len() - bits.len();
    for (to, from) in bytes.iter_mut().zip(noise(1 + lane as u32).take(length).chain([END])) {
        *to = from;
    }
    for (to, from) in bytes.iter_mut().skip(end).zip(bits) {
        *to = from;
    }
    blocks
}

/// Bytes without a pattern, the same ones at every run: the generator that the C standard shows.
fn noise(seed: u32) -> impl Iterator<Item = u8> {
    std::iter::successors(Some(seed), |x| Some(x.wrapping_mul(1_103_515_245).wrapping_add(12_345)))
        .skip(1)
        .map(|x| (x >> 16) as u8)
}

fn take<const N: usize>(bytes: &mut impl Iterator<Item = u8>) -> [u8; N] {
    std::array::from_fn(|_| bytes.next().unwrap_or_default())
}
