//! Sixteen streams side by side in AVX-512 registers.
//!
//! ```text
//!   block of stream 0:   w0  w1 .. w15         w[0]:  w0 of stream 0, of 1, .. of 15
//!   block of stream 1:   w0  w1 .. w15   ──▶   w[1]:  w1 of stream 0, of 1, .. of 15
//!   ..                                         ..
//!   block of stream 15:  w0  w1 .. w15         w[15]
//! ```
//!
//! Sixteen message words, eight words of state and what a round needs on its way fit in the 32
//! registers; the message schedule is made in place, sixteen rounds at a time.

use std::arch::x86_64::*;

use super::constants::ROUND;
use super::{Block, Value, Wide};

/// Sixteen words, of which each belongs to another stream.
type Words = __m512i;

/// The kernel, if this CPU has what it needs.
pub(super) fn kernel() -> Option<Wide<16>> {
    (is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw"))
        .then_some(run as Wide<16>)
}

/// Absorbs from each stream as many blocks as the shortest has. Private: only `kernel` hands it out.
fn run(values: &mut [Value; 16], streams: &[&[Block]; 16]) {
    // SAFETY: the CPU has AVX512F and AVX512BW, since `kernel` gives this function only then.
    unsafe { compress(values, streams) }
}

#[target_feature(enable = "avx512f,avx512bw")]
fn compress(values: &mut [Value; 16], streams: &[&[Block]; 16]) {
    let mut state = load_values(values);
    let count = streams.iter().map(|blocks| blocks.len()).min().unwrap_or_default();
    for at in 0..count {
        state = compress_block(state, load_blocks(streams, at));
    }
    store_values(state, values);
}

/// The sixty-four rounds (FIPS 180-4, section 6.2.2) for one block of each stream.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn compress_block(state: [Words; 8], mut w: [Words; 16]) -> [Words; 8] {
    let mut s = state;
    macro_rules! round {
        ($t:expr, $i:expr) => {
            let [a, b, c, d, e, f, g, h] = s;
            let constant = _mm512_set1_epi32(ROUND[$t + $i].cast_signed());
            let given = add(add(h, constant), w[$i]);
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
#[target_feature(enable = "avx512f")]
fn add(x: Words, y: Words) -> Words {
    _mm512_add_epi32(x, y)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn xor3(x: Words, y: Words, z: Words) -> Words {
    _mm512_ternarylogic_epi32::<0b1001_0110>(x, y, z)
}

/// `Ch`: from `y` where `x` has ones, from `z` where it has zeros.
#[inline]
#[target_feature(enable = "avx512f")]
fn choose(x: Words, y: Words, z: Words) -> Words {
    _mm512_ternarylogic_epi32::<0b1100_1010>(x, y, z)
}

/// `Maj`: what two of the three have.
#[inline]
#[target_feature(enable = "avx512f")]
fn majority(x: Words, y: Words, z: Words) -> Words {
    _mm512_ternarylogic_epi32::<0b1110_1000>(x, y, z)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn big_sigma_0(x: Words) -> Words {
    xor3(_mm512_ror_epi32::<2>(x), _mm512_ror_epi32::<13>(x), _mm512_ror_epi32::<22>(x))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn big_sigma_1(x: Words) -> Words {
    xor3(_mm512_ror_epi32::<6>(x), _mm512_ror_epi32::<11>(x), _mm512_ror_epi32::<25>(x))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn small_sigma_0(x: Words) -> Words {
    xor3(_mm512_ror_epi32::<7>(x), _mm512_ror_epi32::<18>(x), _mm512_srli_epi32::<3>(x))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn small_sigma_1(x: Words) -> Words {
    xor3(_mm512_ror_epi32::<17>(x), _mm512_ror_epi32::<19>(x), _mm512_srli_epi32::<10>(x))
}

/// One block of each stream, one register for each word.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn load_blocks(streams: &[&[Block]; 16], at: usize) -> [Words; 16] {
    // Written out: a closure would not be compiled for these instructions when `map` calls it.
    macro_rules! rows {
        ($($i:literal)*) => { [$(load(streams[$i], at)),*] };
    }
    transpose(rows!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15))
}

/// One block as big-endian words.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn load(stream: &[Block], at: usize) -> Words {
    // Each stream has the block; to select costs nothing, to branch would break up the loop.
    let block = stream.get(at).unwrap_or(&[0; 64]);
    // SAFETY: a `Block` has the 64 bytes that this reads, and they need not be aligned.
    let bytes = unsafe { _mm512_loadu_si512(block.as_ptr().cast()) };
    let swap = _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
    _mm512_shuffle_epi8(bytes, _mm512_broadcast_i32x4(swap))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn load_values(values: &[Value; 16]) -> [Words; 8] {
    let mut rows = [_mm512_setzero_si512(); 16];
    for (row, value) in rows.iter_mut().zip(values) {
        // SAFETY: a `Value` has the 32 bytes that this reads, and they need not be aligned.
        let low = unsafe { _mm256_loadu_si256(value.as_ptr().cast()) };
        *row = _mm512_zextsi256_si512(low);
    }
    let [a, b, c, d, e, f, g, h, ..] = transpose(rows);
    [a, b, c, d, e, f, g, h]
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn store_values(state: [Words; 8], values: &mut [Value; 16]) {
    let [a, b, c, d, e, f, g, h] = state;
    let none = _mm512_setzero_si512();
    let rows = transpose([a, b, c, d, e, f, g, h, none, none, none, none, none, none, none, none]);
    for (row, value) in rows.into_iter().zip(values) {
        let low = _mm512_castsi512_si256(row);
        // SAFETY: a `Value` has the 32 bytes that this writes, and they need not be aligned.
        unsafe { _mm256_storeu_si256(value.as_mut_ptr().cast(), low) };
    }
}

/// Makes rows of columns: word `j` of row `i` becomes word `i` of row `j`.
///
/// Words change places in pairs, then pairs within quarters of a register, then whole quarters.
#[inline]
#[target_feature(enable = "avx512f")]
fn transpose(rows: [Words; 16]) -> [Words; 16] {
    let [r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, ra, rb, rc, rd, re, rf] = rows;
    let (q0, q1, q2, q3) = quarters(r0, r1, r2, r3);
    let (q4, q5, q6, q7) = quarters(r4, r5, r6, r7);
    let (q8, q9, qa, qb) = quarters(r8, r9, ra, rb);
    let (qc, qd, qe, qf) = quarters(rc, rd, re, rf);
    let (c0, c4, c8, cc) = columns(q0, q4, q8, qc);
    let (c1, c5, c9, cd) = columns(q1, q5, q9, qd);
    let (c2, c6, ca, ce) = columns(q2, q6, qa, qe);
    let (c3, c7, cb, cf) = columns(q3, q7, qb, qf);
    [c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, ca, cb, cc, cd, ce, cf]
}

/// Transposes four rows within each quarter of a register.
#[inline]
#[target_feature(enable = "avx512f")]
fn quarters(r0: Words, r1: Words, r2: Words, r3: Words) -> (Words, Words, Words, Words) {
    let low01 = _mm512_unpacklo_epi32(r0, r1);
    let high01 = _mm512_unpackhi_epi32(r0, r1);
    let low23 = _mm512_unpacklo_epi32(r2, r3);
    let high23 = _mm512_unpackhi_epi32(r2, r3);
    (
        _mm512_unpacklo_epi64(low01, low23),
        _mm512_unpackhi_epi64(low01, low23),
        _mm512_unpacklo_epi64(high01, high23),
        _mm512_unpackhi_epi64(high01, high23),
    )
}

/// Transposes the quarters of four registers.
#[inline]
#[target_feature(enable = "avx512f")]
fn columns(q0: Words, q1: Words, q2: Words, q3: Words) -> (Words, Words, Words, Words) {
    const EVEN: i32 = 0b10_00_10_00;
    const ODD: i32 = 0b11_01_11_01;
    let even01 = _mm512_shuffle_i32x4::<EVEN>(q0, q1);
    let odd01 = _mm512_shuffle_i32x4::<ODD>(q0, q1);
    let even23 = _mm512_shuffle_i32x4::<EVEN>(q2, q3);
    let odd23 = _mm512_shuffle_i32x4::<ODD>(q2, q3);
    (
        _mm512_shuffle_i32x4::<EVEN>(even01, even23),
        _mm512_shuffle_i32x4::<EVEN>(odd01, odd23),
        _mm512_shuffle_i32x4::<ODD>(even01, even23),
        _mm512_shuffle_i32x4::<ODD>(odd01, odd23),
    )
}
