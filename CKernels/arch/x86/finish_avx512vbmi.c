#if defined(__x86_64__)
#include <immintrin.h>
#include <stdint.h>

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vbmi2"))), \
                             apply_to=function)

#include "look_up_avx512vbmi.h"
#include "finish_avx512.h"

void qk_finish_avx512vbmi(const qk_gemm_finish *f, int32_t tokens, const int32_t *sums) {
  qk_finish_any(f, tokens, sums);
}

static int32_t count_bits(uint64_t bits) { return __builtin_popcountll(bits); }

/// 0, 1, 2 … as 64 bytes, 32 words or 16 double words.
static inline __m512i count_lanes(const int32_t element) {
  _Alignas(64) uint8_t bytes[64];
  for (int32_t i = 0; i < 64; i++) bytes[i] = (uint8_t)(i % element == 0 ? i / element : 0);
  return _mm512_load_si512(bytes);
}

/// Source of each lane of a merge: lane i of the 8-bit codes, or lane i of the 4-bit ones (64/element + i). Both lists
/// are expanded into their lanes once for all tokens.
static inline __attribute__((always_inline)) __m512i merge_order(const int32_t element, uint64_t is8) {
  const __m512i lanes = count_lanes(element);
  switch (element) {
    case 1: {
      const __m512i second = _mm512_add_epi8(lanes, _mm512_set1_epi8(64));
      return _mm512_mask_expand_epi8(_mm512_maskz_expand_epi8(~is8, second), is8, lanes);
    }
    case 2: {
      const __m512i second = _mm512_add_epi16(lanes, _mm512_set1_epi16(32));
      return _mm512_mask_expand_epi16(_mm512_maskz_expand_epi16((__mmask32)~is8, second), (__mmask32)is8, lanes);
    }
    default: {
      const __m512i second = _mm512_add_epi32(lanes, _mm512_set1_epi32(16));
      return _mm512_mask_expand_epi32(_mm512_maskz_expand_epi32((__mmask16)~is8, second), (__mmask16)is8, lanes);
    }
  }
}

static inline __attribute__((always_inline)) __m512i merge_lanes(const int32_t element, __m512i order, const uint8_t *from8,
                                                                 const uint8_t *from4) {
  const __m512i a = _mm512_loadu_si512(from8), b = _mm512_loadu_si512(from4);
  switch (element) {
    case 1: return _mm512_permutex2var_epi8(a, order, b);
    case 2: return _mm512_permutex2var_epi16(a, order, b);
    default: return _mm512_permutex2var_epi32(a, order, b);
  }
}

/// Registers whose sources are found before any token is merged: 2 KiB of codes per token, 4 KiB of sources.
enum { MERGE_STEPS = 32 };

/// Sources of the next registers of every token.
typedef struct merge_step {
  __m512i order;
  size_t place8, place4;
} merge_step;

/// Merges up to MERGE_STEPS registers of rows at a time, token after token, so that each token is read and written in
/// one go.
static inline __attribute__((always_inline)) void merge_rows(const qk_gemm_merge *m, const int32_t element) {
  const int32_t lanes = 64 / element;
  size_t place8 = 0, place4 = 0;
  for (int32_t n = 0; n < m->rows; n += MERGE_STEPS * lanes) {
    merge_step step[MERGE_STEPS];
    const int32_t rows = m->rows - n < MERGE_STEPS * lanes ? m->rows - n : MERGE_STEPS * lanes;
    const int32_t whole = rows / lanes, rest = rows % lanes;
    for (int32_t i = 0; i * lanes < rows; i++) {
      const int32_t row = n + i * lanes;
      const uint64_t word = m->is8[row / 64] >> (row % 64);
      const uint64_t is8 = lanes == 64 ? word : word & (((uint64_t)1 << (lanes & 63)) - 1);
      step[i] = (merge_step){ merge_order(element, is8), place8, place4 };
      const int32_t count8 = count_bits(is8);
      place8 += (size_t)(count8 * element);
      place4 += (size_t)((lanes - count8) * element);
    }
    for (int32_t t = 0; t < m->tokens; t++) {
      const uint8_t *from8 = m->from8 + (size_t)t * m->from_stride, *from4 = m->from4 + (size_t)t * m->from_stride;
      uint8_t *out = m->output + (size_t)t * m->output_stride + n * element;
      const uint8_t *residual = m->residual ? m->residual + (size_t)t * m->residual_stride + n * element : NULL;
      for (int32_t i = 0; i < whole; i++) {
        __m512i codes = merge_lanes(element, step[i].order, from8 + step[i].place8, from4 + step[i].place4);
        if (element == 2 && residual) codes = _mm512_adds_epi16(codes, _mm512_loadu_si512(residual + 64 * i));
        _mm512_storeu_si512(out + 64 * i, codes);
      }
      if (rest == 0) continue;
      const __mmask64 bytes = qk_first_lanes(rest * element);
      __m512i codes = merge_lanes(element, step[whole].order, from8 + step[whole].place8, from4 + step[whole].place4);
      if (element == 2 && residual) codes = _mm512_adds_epi16(codes, _mm512_maskz_loadu_epi8(bytes, residual + 64 * whole));
      _mm512_mask_storeu_epi8(out + 64 * whole, bytes, codes);
    }
  }
}

void qk_merge_avx512vbmi(const qk_gemm_merge *m) {
  switch (m->element) {
    case 1: merge_rows(m, 1); break;
    case 2: merge_rows(m, 2); break;
    default: merge_rows(m, 4); break;
  }
}

#pragma clang attribute pop
#endif
