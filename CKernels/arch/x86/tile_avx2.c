#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>
#include "tile_avx2.h"

#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to=function)

static inline __m256i broadcast_pair(const int16_t *pair) {
  int32_t bits;
  memcpy(&bits, pair, sizeof bits);
  return _mm256_set1_epi32(bits);
}

/// `rows` is a constant after inlining: 2·rows accumulators, two panel registers, one broadcast, one product.
static inline __attribute__((always_inline)) void tile(const int rows, const int16_t *left, size_t stride,
                                                       const int16_t *panel, int32_t pairs, int32_t *acc,
                                                       size_t acc_stride, int accumulate) {
  __m256i sum[QK_TILE_AVX2_TOKENS][2];
  const int16_t *row[QK_TILE_AVX2_TOKENS];
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++) {
    row[r] = left + (size_t)r * stride;
    // A register for every row, see qk_tile_vnni.
    __asm__("" : "+r"(row[r]));
  }
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
    for (int h = 0; h < 2; h++)
      sum[r][h] = accumulate ? _mm256_loadu_si256((const __m256i *)(acc + (size_t)r * acc_stride + 8 * h))
                             : _mm256_setzero_si256();
#pragma clang loop unroll_count(2)
  for (int32_t p = 0; p < pairs; p++) {
    const __m256i b0 = _mm256_loadu_si256((const __m256i *)(panel + 32 * p));
    const __m256i b1 = _mm256_loadu_si256((const __m256i *)(panel + 32 * p + 16));
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) {
      const __m256i x = broadcast_pair(row[r] + 2 * (size_t)p);
      sum[r][0] = _mm256_add_epi32(sum[r][0], _mm256_madd_epi16(x, b0));
      sum[r][1] = _mm256_add_epi32(sum[r][1], _mm256_madd_epi16(x, b1));
    }
  }
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
    for (int h = 0; h < 2; h++)
      _mm256_storeu_si256((__m256i *)(acc + (size_t)r * acc_stride + 8 * h), sum[r][h]);
}

void qk_multiply_avx2(const void *left, size_t stride, int32_t tokens, const void *panel, int32_t depth,
                      int32_t *acc, size_t acc_stride, int accumulate) {
  const int16_t *x = left;
  const int32_t pairs = depth / 2;
  for (; tokens >= QK_TILE_AVX2_TOKENS; tokens -= QK_TILE_AVX2_TOKENS) {
    tile(6, x, stride, panel, pairs, acc, acc_stride, accumulate);
    x += QK_TILE_AVX2_TOKENS * stride;
    acc += QK_TILE_AVX2_TOKENS * acc_stride;
  }
  switch (tokens) {
    case 5: tile(5, x, stride, panel, pairs, acc, acc_stride, accumulate); break;
    case 4: tile(4, x, stride, panel, pairs, acc, acc_stride, accumulate); break;
    case 3: tile(3, x, stride, panel, pairs, acc, acc_stride, accumulate); break;
    case 2: tile(2, x, stride, panel, pairs, acc, acc_stride, accumulate); break;
    case 1: tile(1, x, stride, panel, pairs, acc, acc_stride, accumulate); break;
    default: break;
  }
}

#pragma clang attribute pop
#endif
