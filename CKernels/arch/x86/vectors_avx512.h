// Small helpers of the AVX-512 kernels.
#ifndef QK_VECTORS_AVX512_H
#define QK_VECTORS_AVX512_H

#include <immintrin.h>
#include <stdint.h>

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl"))), apply_to=function)

/// Bits 0…count−1 of a mask of 64 lanes.
static inline __mmask64 qk_first_lanes(int32_t count) {
  return count <= 0 ? 0 : count >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << count) - 1;
}

/// The upper words of 64-bit lanes, of even and odd 32-bit lanes in turn.
static inline __m512i qk_upper_words(__m512i even, __m512i odd) {
  __m512i low = _mm512_srli_epi64(even, 32);
  // Otherwise the compiler makes one permutation of two sources, which takes the ports of the products (Zen 4).
  __asm__("" : "+v"(low));
  return _mm512_mask_mov_epi32(low, 0xaaaa, odd);
}

/// The codes in the lower nibbles of all bytes.
static inline __m512i qk_lower_codes(__m512i v) {
  const __m512i values = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, -8, -7, -6, -5, -4, -3, -2, -1));
  return _mm512_shuffle_epi8(values, _mm512_and_si512(v, _mm512_set1_epi8(15)));
}

/// The codes in the upper nibbles of all bytes.
static inline __m512i qk_upper_codes(__m512i v) { return qk_lower_codes(_mm512_srli_epi16(v, 4)); }

/// Unpacks `depth` k of a 4-bit panel into an 8-bit panel of the packed layout.
static inline void qk_unpack_nibbles_avx512(const uint8_t *panel, int32_t depth, uint8_t *bytes) {
  for (int32_t group = 0; group < depth / 8; group++) {
    const __m512i v = _mm512_loadu_si512(panel + 64 * (size_t)group);
    uint8_t *first = bytes + 128 * (size_t)group;
    _mm512_storeu_si512(first, qk_lower_codes(v));
    _mm512_storeu_si512(first + 64, qk_upper_codes(v));
  }
}

#pragma clang attribute pop
#endif
