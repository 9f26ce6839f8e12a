//! Two streams by turns through the SHA extension of x86-64.
//!
//! Each instruction waits for the one before it in its stream; a second stream fills that time.

use std::arch::x86_64::*;

use super::constants::ROUND;
use super::{Block, Value, Wide};

/// Four words of one stream.
type Words = __m128i;

/// The state of a stream in the order that the instructions want: `abef` and `cdgh`, high to low.
type State = [Words; 2];

/// The kernel, if this CPU has what it needs.
pub(super) fn kernel() -> Option<Wide<2>> {
    is_supported().then_some(run as Wide<2>)
}

/// Whether this CPU has the SHA extension.
pub(super) fn is_supported() -> bool {
    is_x86_feature_detected!("sha")
        && is_x86_feature_detected!("sse4.1")
        && is_x86_feature_detected!("ssse3")
}

/// Absorbs from each stream as many blocks as the shorter has. Private: only `kernel` hands it out.
fn run(values: &mut [Value; 2], streams: &[&[Block]; 2]) {
    // SAFETY: the CPU has SHA, SSE4.1 and SSSE3, since `kernel` gives this function only then.
    unsafe { compress(values, streams) }
}

#[target_feature(enable = "sha,sse4.1,ssse3")]
fn compress(values: &mut [Value; 2], streams: &[&[Block]; 2]) {
    let [left, right] = values;
    let [left_blocks, right_blocks] = streams;
    let (mut x, mut y) = (load_value(left), load_value(right));
    for (one, other) in left_blocks.iter().zip(*right_blocks) {
        let (x0, y0) = (x, y);
        let (mut v, mut w) = (load_block(one), load_block(other));
        macro_rules! rounds {
            ($t:expr, $i:expr) => {
                let constants = load_constants($t + $i);
                x = four_rounds(x, _mm_add_epi32(v[$i], constants));
                y = four_rounds(y, _mm_add_epi32(w[$i], constants));
            };
        }
        macro_rules! schedule {
            ($i:expr) => {
                v[$i] = next_words(v[$i], v[($i + 1) % 4], v[($i + 2) % 4], v[($i + 3) % 4]);
                w[$i] = next_words(w[$i], w[($i + 1) % 4], w[($i + 2) % 4], w[($i + 3) % 4]);
            };
        }
        macro_rules! four {
            ($($i:literal)*) => {
                $(rounds!(0, $i);)*
                $(schedule!($i); rounds!(4, $i);)*
                $(schedule!($i); rounds!(8, $i);)*
                $(schedule!($i); rounds!(12, $i);)*
            };
        }
        four!(0 1 2 3);
        x = [_mm_add_epi32(x[0], x0[0]), _mm_add_epi32(x[1], x0[1])];
        y = [_mm_add_epi32(y[0], y0[0]), _mm_add_epi32(y[1], y0[1])];
    }
    store_value(x, left);
    store_value(y, right);
}

/// Four rounds; `sums` are the message words with their constants added.
#[inline]
#[target_feature(enable = "sha,sse2")]
fn four_rounds([abef, cdgh]: State, sums: Words) -> State {
    // Two rounds each: what was `abef` before them is `cdgh` after them.
    let middle = _mm_sha256rnds2_epu32(cdgh, abef, sums);
    let last = _mm_sha256rnds2_epu32(abef, middle, _mm_shuffle_epi32::<0b00_00_11_10>(sums));
    [last, middle]
}

/// The four message words after the sixteen given (FIPS 180-4, section 6.2.2, step 1).
#[inline]
#[target_feature(enable = "sha,ssse3")]
fn next_words(w0: Words, w4: Words, w8: Words, w12: Words) -> Words {
    let nine = _mm_alignr_epi8::<4>(w12, w8);
    _mm_sha256msg2_epu32(_mm_add_epi32(_mm_sha256msg1_epu32(w0, w4), nine), w12)
}

/// The constants of four rounds.
#[inline]
#[target_feature(enable = "sse2")]
fn load_constants(four: usize) -> Words {
    let (groups, _) = ROUND.as_chunks();
    let [w, x, y, z] = *groups.get(four).unwrap_or(&[0; 4]);
    _mm_set_epi32(z.cast_signed(), y.cast_signed(), x.cast_signed(), w.cast_signed())
}

#[inline]
#[target_feature(enable = "ssse3")]
fn load_block(block: &Block) -> [Words; 4] {
    let swap = _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
    let (rows, _) = block.as_chunks::<16>();
    let mut words = [_mm_setzero_si128(); 4];
    for (word, row) in words.iter_mut().zip(rows) {
        // SAFETY: `row` has the 16 bytes that this reads, and they need not be aligned.
        let row = unsafe { _mm_loadu_si128(row.as_ptr().cast()) };
        *word = _mm_shuffle_epi8(row, swap);
    }
    words
}

#[inline]
#[target_feature(enable = "sse2")]
fn load_value([a, b, c, d, e, f, g, h]: &Value) -> State {
    let words = |w: &u32, x: &u32, y: &u32, z: &u32| {
        _mm_set_epi32(w.cast_signed(), x.cast_signed(), y.cast_signed(), z.cast_signed())
    };
    [words(a, b, e, f), words(c, d, g, h)]
}

#[inline]
#[target_feature(enable = "sse4.1")]
fn store_value([abef, cdgh]: State, value: &mut Value) {
    *value = [
        _mm_extract_epi32::<3>(abef),
        _mm_extract_epi32::<2>(abef),
        _mm_extract_epi32::<3>(cdgh),
        _mm_extract_epi32::<2>(cdgh),
        _mm_extract_epi32::<1>(abef),
        _mm_extract_epi32::<0>(abef),
        _mm_extract_epi32::<1>(cdgh),
        _mm_extract_epi32::<0>(cdgh),
    ]
    .map(i32::cast_unsigned);
}
