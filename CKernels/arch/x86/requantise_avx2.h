// Requantisation of 8 accumulators on AVX2, exact in doubles (see qk_requantiser_factor).
#ifndef QK_REQUANTISE_AVX2_H
#define QK_REQUANTISE_AVX2_H
#if defined(__x86_64__)
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to=function)

/// clamp(⌊acc·factor + ½⌋, lo, hi). Clamping before the floor gives the same result, because the bounds are integers.
static inline __m128i qk_requantise4_avx2(__m128i acc, __m256d factor, __m256d lo, __m256d hi) {
  const __m256d x = _mm256_fmadd_pd(_mm256_cvtepi32_pd(acc), factor, _mm256_set1_pd(0.5));
  return _mm256_cvttpd_epi32(_mm256_floor_pd(_mm256_max_pd(lo, _mm256_min_pd(hi, x))));
}

static inline __m256i qk_requantise8_avx2(__m256i acc, __m256d factor0, __m256d factor4, __m256d lo,
                                          __m256d hi) {
  const __m128i low = qk_requantise4_avx2(_mm256_castsi256_si128(acc), factor0, lo, hi);
  const __m128i high = qk_requantise4_avx2(_mm256_extracti128_si256(acc, 1), factor4, lo, hi);
  return _mm256_set_m128i(high, low);
}

/// Copies `rows` ≤ 8 elements; with a constant 8 this is one load and one store.
static inline __attribute__((always_inline)) void qk_copy_rows_avx2(void *to, const void *from, int32_t rows,
                                                                    size_t element) {
  memcpy(to, from, (size_t)rows * element);
}

/// Eight int32 as int16, saturating.
static inline __m128i qk_narrow16_avx2(__m256i v) {
  return _mm_packs_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
}

/// Eight int32 as int8 in the low 8 bytes, saturating.
static inline __m128i qk_narrow8_avx2(__m256i v) {
  const __m128i words = qk_narrow16_avx2(v);
  return _mm_packs_epi16(words, words);
}

#pragma clang attribute pop
#endif
#endif
