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
                                                       const int16_t *panel, int32_t pairs, const int32_t *start,
                                                       size_t start_stride, int32_t *sums, size_t sums_stride) {
  __m256i sum[QK_TILE_AVX2_TOKENS][2];
  const int16_t *row[QK_TILE_AVX2_TOKENS];
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++) {
    row[r] = left + (size_t)r * stride;
    // One register per row, see qk_tile_vnni.
    __asm__("" : "+r"(row[r]));
    __builtin_prefetch(sums + (size_t)r * sums_stride, 1);
  }
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
    for (int h = 0; h < 2; h++)
      sum[r][h] = _mm256_loadu_si256((const __m256i *)(start + (size_t)r * start_stride + 8 * h));
#pragma clang loop unroll(disable)
  for (int32_t p = 0; p < pairs; p++) {
    const __m256i b0 = _mm256_loadu_si256((const __m256i *)(panel + 32 * p));
    const __m256i b1 = _mm256_loadu_si256((const __m256i *)(panel + 32 * p + 16));
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) {
      const __m256i x = broadcast_pair(row[r] + 2 * (size_t)p);
      __m256i products0 = _mm256_madd_epi16(x, b0), products1 = _mm256_madd_epi16(x, b1);
      // Two products, then two additions: when they alternate, additions take the ports of the products (Zen 4: 4 to
      // 20 % slower).
      __asm__("" : "+x"(products0), "+x"(products1));
      sum[r][0] = _mm256_add_epi32(sum[r][0], products0);
      sum[r][1] = _mm256_add_epi32(sum[r][1], products1);
    }
  }
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
    for (int h = 0; h < 2; h++)
      _mm256_storeu_si256((__m256i *)(sums + (size_t)r * sums_stride + 8 * h), sum[r][h]);
}

void qk_multiply_onto_avx2(const int16_t *x, size_t stride, int32_t tokens, const int16_t *panel, int32_t depth,
                           const int32_t *start, size_t start_stride, int32_t *sums, size_t sums_stride) {
  const int32_t pairs = depth / 2;
  for (; tokens >= QK_TILE_AVX2_TOKENS; tokens -= QK_TILE_AVX2_TOKENS) {
    tile(6, x, stride, panel, pairs, start, start_stride, sums, sums_stride);
    x += QK_TILE_AVX2_TOKENS * stride;
    start += QK_TILE_AVX2_TOKENS * start_stride;
    sums += QK_TILE_AVX2_TOKENS * sums_stride;
  }
  switch (tokens) {
    case 5: tile(5, x, stride, panel, pairs, start, start_stride, sums, sums_stride); break;
    case 4: tile(4, x, stride, panel, pairs, start, start_stride, sums, sums_stride); break;
    case 3: tile(3, x, stride, panel, pairs, start, start_stride, sums, sums_stride); break;
    case 2: tile(2, x, stride, panel, pairs, start, start_stride, sums, sums_stride); break;
    case 1: tile(1, x, stride, panel, pairs, start, start_stride, sums, sums_stride); break;
    default: break;
  }
}

void qk_multiply_avx2(const void *left, size_t stride, int32_t tokens, const void *panel, int32_t depth,
                      int32_t *acc, size_t acc_stride, int accumulate) {
  static const int32_t zeros[16];
  qk_multiply_onto_avx2(left, stride, tokens, panel, depth, accumulate ? acc : zeros, accumulate ? acc_stride : 0, acc,
                        acc_stride);
}

#pragma clang attribute pop
#endif
