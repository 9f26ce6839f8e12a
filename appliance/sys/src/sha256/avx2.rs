//! Eight streams side by side in AVX2 registers.
//!
//! As [`super::avx512`], with eight lanes. There is no rotation and no three-way logic here, and
//! sixteen registers do not hold the message words, which stay in the first-level cache.

use std::arch::x86_64::*;

use super::constants::ROUND;
use super::{Block, Value, Wide};

/// Eight words, of which each belongs to another stream.
type Words = __m256i;

/// The kernel, if this CPU has what it needs.
pub(super) fn kernel() -> Option<Wide<8>> {
    is_x86_feature_detected!("avx2").then_some(run as Wide<8>)
}

/// Absorbs from each stream as many blocks as the shortest has. Private: only `kernel` hands it out.
fn run(values: &mut [Value; 8], streams: &[&[Block]; 8]) {
    // SAFETY: the CPU has AVX2, since `kernel` gives this function only then.
    unsafe { compress(values, streams) }
}

#[target_feature(enable = "avx2")]
fn compress(values: &mut [Value; 8], streams: &[&[Block]; 8]) {
    let mut state = load_values(values);
    let count = streams.iter().map(|blocks| blocks.len()).min().unwrap_or_default();
    for at in 0..count {
        state = compress_block(state, load_blocks(streams, at));
    }
    for (row, value) in transpose(state).into_iter().zip(values) {
        // SAFETY: a `Value` has the 32 bytes that this writes, and they need not be aligned.
        unsafe { _mm256_storeu_si256(value.as_mut_ptr().cast(), row) };
    }
}

/// The sixty-four rounds (FIPS 180-4, section 6.2.2) for one block of each stream.
#[inline]
#[target_feature(enable = "avx2")]
fn compress_block(state: [Words; 8], mut w: [Words; 16]) -> [Words; 8] {
    let mut s = state;
    macro_rules! round {
        ($t:expr, $i:expr) => {
            let [a, b, c, d, e, f, g, h] = s;
            let constant = _mm256_set1_epi32(ROUND[$t + $i].cast_signed());
            let given = add(h, add(w[$i], constant));
            let first = add(add(given, choose(e, f, g)), big_sigma_1(e));
            let second = add(big_sigma_0(a), majority(a, b, c));
            s = [add(first, second), a, b, c, add(d, first), e, f, g];
        };
    }
    macro_rules! schedule {
        ($i:expr) => {
            let sum = add(add(w[$i], w[($i + 9) % 16]), small_sigma_0(w[($i + 1) % 16]));
            w[$i] = add(sum, small_sigma_1(w[($i + 14) % 16]));
        };
    }
    macro_rules! sixteen {
        ($($i:literal)*) => {
            $(round!(0, $i);)*
            $(schedule!($i); round!(16, $i);)*
            $(schedule!($i); round!(32, $i);)*
            $(schedule!($i); round!(48, $i);)*
        };
    }
    sixteen!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);

    let [a, b, c, d, e, f, g, h] = s;
    let [a0, b0, c0, d0, e0, f0, g0, h0] = state;
    [add(a, a0), add(b, b0), add(c, c0), add(d, d0), add(e, e0), add(f, f0), add(g, g0), add(h, h0)]
}

#[inline]
#[target_feature(enable = "avx2")]
fn add(x: Words, y: Words) -> Words {
    _mm256_add_epi32(x, y)
}

#[inline]
#[target_feature(enable = "avx2")]
fn xor3(x: Words, y: Words, z: Words) -> Words {
    _mm256_xor_si256(_mm256_xor_si256(x, y), z)
}

/// `Ch`: from `y` where `x` has ones, from `z` where it has zeros.
#[inline]
#[target_feature(enable = "avx2")]
fn choose(x: Words, y: Words, z: Words) -> Words {
    _mm256_xor_si256(z, _mm256_and_si256(x, _mm256_xor_si256(y, z)))
}

/// `Maj`: what two of the three have.
#[inline]
#[target_feature(enable = "avx2")]
fn majority(x: Words, y: Words, z: Words) -> Words {
    _mm256_or_si256(_mm256_and_si256(x, y), _mm256_and_si256(z, _mm256_or_si256(x, y)))
}

/// Rotates to the right by `RIGHT`, which is to the left by `LEFT`: together they make 32.
#[inline]
#[target_feature(enable = "avx2")]
fn rotate<const RIGHT: i32, const LEFT: i32>(x: Words) -> Words {
    const {
        assert!(RIGHT + LEFT == 32, "words have 32 bits");
    }
    _mm256_or_si256(_mm256_srli_epi32::<RIGHT>(x), _mm256_slli_epi32::<LEFT>(x))
}

#[inline]
#[target_feature(enable = "avx2")]
fn big_sigma_0(x: Words) -> Words {
    xor3(rotate::<2, 30>(x), rotate::<13, 19>(x), rotate::<22, 10>(x))
}

#[inline]
#[target_feature(enable = "avx2")]
fn big_sigma_1(x: Words) -> Words {
    xor3(rotate::<6, 26>(x), rotate::<11, 21>(x), rotate::<25, 7>(x))
}

#[inline]
#[target_feature(enable = "avx2")]
fn small_sigma_0(x: Words) -> Words {
    xor3(rotate::<7, 25>(x), rotate::<18, 14>(x), _mm256_srli_epi32::<3>(x))
}

#[inline]
#[target_feature(enable = "avx2")]
fn small_sigma_1(x: Words) -> Words {
    xor3(rotate::<17, 15>(x), rotate::<19, 13>(x), _mm256_srli_epi32::<10>(x))
}

/// One block of each stream, one register for each word.
#[inline]
#[target_feature(enable = "avx2")]
fn load_blocks(streams: &[&[Block]; 8], at: usize) -> [Words; 16] {
    // Written out: a closure would not be compiled for these instructions when `map` calls it.
    macro_rules! rows {
        ($half:literal: $($i:literal)*) => { [$(load::<$half>(streams[$i], at)),*] };
    }
    let [w0, w1, w2, w3, w4, w5, w6, w7] = transpose(rows!(0: 0 1 2 3 4 5 6 7));
    let [w8, w9, wa, wb, wc, wd, we, wf] = transpose(rows!(1: 0 1 2 3 4 5 6 7));
    [w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, wa, wb, wc, wd, we, wf]
}

/// One half of a block as big-endian words.
#[inline]
#[target_feature(enable = "avx2")]
fn load<const HALF: usize>(stream: &[Block], at: usize) -> Words {
    // Each stream has the block; to select costs nothing, to branch would break up the loop.
    let (halves, _) = stream.get(at).unwrap_or(&[0; 64]).as_chunks::<32>();
    let half = halves.get(HALF).unwrap_or(&[0; 32]);
    // SAFETY: `half` has the 32 bytes that this reads, and they need not be aligned.
    let bytes = unsafe { _mm256_loadu_si256(half.as_ptr().cast()) };
    let swap = _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
    _mm256_shuffle_epi8(bytes, _mm256_broadcastsi128_si256(swap))
}

#[inline]
#[target_feature(enable = "avx2")]
fn load_values(values: &[Value; 8]) -> [Words; 8] {
    let mut rows = [_mm256_setzero_si256(); 8];
    for (row, value) in rows.iter_mut().zip(values) {
        // SAFETY: a `Value` has the 32 bytes that this reads, and they need not be aligned.
        *row = unsafe { _mm256_loadu_si256(value.as_ptr().cast()) };
    }
    transpose(rows)
}

/// Makes rows of columns: word `j` of row `i` becomes word `i` of row `j`.
#[inline]
#[target_feature(enable = "avx2")]
fn transpose(rows: [Words; 8]) -> [Words; 8] {
    let [r0, r1, r2, r3, r4, r5, r6, r7] = rows;
    let (h0, h1, h2, h3) = halves(r0, r1, r2, r3);
    let (h4, h5, h6, h7) = halves(r4, r5, r6, r7);
    const LOW: i32 = 0x20;
    const HIGH: i32 = 0x31;
    [
        _mm256_permute2x128_si256::<LOW>(h0, h4),
        _mm256_permute2x128_si256::<LOW>(h1, h5),
        _mm256_permute2x128_si256::<LOW>(h2, h6),
        _mm256_permute2x128_si256::<LOW>(h3, h7),
        _mm256_permute2x128_si256::<HIGH>(h0, h4),
        _mm256_permute2x128_si256::<HIGH>(h1, h5),
        _mm256_permute2x128_si256::<HIGH>(h2, h6),
        _mm256_permute2x128_si256::<HIGH>(h3, h7),
    ]
}

/// Transposes four rows within each half of a register.
#[inline]
#[target_feature(enable = "avx2")]
fn halves(r0: Words, r1: Words, r2: Words, r3: Words) -> (Words, Words, Words, Words) {
    let low01 = _mm256_unpacklo_epi32(r0, r1);
    let high01 = _mm256_unpackhi_epi32(r0, r1);
    let low23 = _mm256_unpacklo_epi32(r2, r3);
    let high23 = _mm256_unpackhi_epi32(r2, r3);
    (
        _mm256_unpacklo_epi64(low01, low23),
        _mm256_unpackhi_epi64(low01, low23),
        _mm256_unpacklo_epi64(high01, high23),
        _mm256_unpackhi_epi64(high01, high23),
    )
}
