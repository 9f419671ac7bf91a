// The smmla product tile: a 2×8 matrix of signed bytes times the transpose of another is added to a 2×2 matrix of int32,
// exact modulo 2^32.
//
// Left: rows of signed bytes, k ascending; two tokens are combined in registers. Right: panels
// [depth/8][8 pairs of rows][2 rows][8 codes].
#ifndef QK_TILE_NEONI8MM_H
#define QK_TILE_NEONI8MM_H

#include <arm_neon.h>
#include <stddef.h>
#include <stdint.h>
#include "tile_neondot.h"

#pragma clang attribute push(__attribute__((target("dotprod,i8mm"))), apply_to=function)

/// Turns quads k…k+3 and k+4…k+7 of four rows into two pairs of rows of 8 codes.
static inline void qk_store_pairs(int8_t *out, int8x16_t first, int8x16_t second) {
  const int32x4_t a = vreinterpretq_s32_s8(first), b = vreinterpretq_s32_s8(second);
  vst1q_s8(out, vreinterpretq_s8_s32(vzip1q_s32(a, b)));
  vst1q_s8(out + 16, vreinterpretq_s8_s32(vzip2q_s32(a, b)));
}

static inline int8x16_t qk_low_pair(int8x16_t a, int8x16_t b) {
  return vreinterpretq_s8_s64(vzip1q_s64(vreinterpretq_s64_s8(a), vreinterpretq_s64_s8(b)));
}
static inline int8x16_t qk_high_pair(int8x16_t a, int8x16_t b) {
  return vreinterpretq_s8_s64(vzip2q_s64(vreinterpretq_s64_s8(a), vreinterpretq_s64_s8(b)));
}

/// Stores the sums of one token by two pairs of rows: the lower halves of two registers, or the upper ones.
static inline void qk_store_sums(int32_t *sums, int32x4_t a, int32x4_t b, int upper) {
  const int64x2_t x = vreinterpretq_s64_s32(a), y = vreinterpretq_s64_s32(b);
  vst1q_s32(sums, vreinterpretq_s32_s64(upper ? vzip2q_s64(x, y) : vzip1q_s64(x, y)));
}

/// sums[t][0…2·pairs−1] = start (or 0 when null) + Σ_k x[t][k]·w[k]; an odd last token is paired with itself. `tokens`
/// and `pairs` are constants after inlining: 8 tokens by 8 rows, or 4 by 16, need 16 sums.
static inline __attribute__((always_inline)) void qk_tile_neoni8mm(const int tokens, const int pairs, const int8_t *x,
                                                                   size_t x_stride, const int8_t *panel, int32_t depth,
                                                                   const int32_t *start, int32_t *sums,
                                                                   size_t sums_stride) {
  enum { MOST_PAIRS = QK_TILE_NEON_TOKENS / 2 };
  const int left = (tokens + 1) / 2;
  int32x4_t sum[MOST_PAIRS][8];
  const int8_t *row[QK_TILE_NEON_TOKENS];
#pragma clang loop unroll(full)
  for (int t = 0; t < 2 * left; t++) row[t] = x + (size_t)(t < tokens ? t : tokens - 1) * x_stride;
#pragma clang loop unroll(full)
  for (int n = 0; n < pairs; n++) {
    const int32x2_t begin = start ? vld1_s32(start + 2 * n) : vdup_n_s32(0);
#pragma clang loop unroll(full)
    for (int l = 0; l < left; l++) sum[l][n] = vcombine_s32(begin, begin);
  }
  int32_t k = 0;
  for (; k + 16 <= depth; k += 16) {
    int8x16_t first[MOST_PAIRS], second[MOST_PAIRS];
#pragma clang loop unroll(full)
    for (int l = 0; l < left; l++) {
      const int8x16_t a = vld1q_s8(row[2 * l] + k), b = vld1q_s8(row[2 * l + 1] + k);
      first[l] = qk_low_pair(a, b);
      second[l] = qk_high_pair(a, b);
    }
    const int8_t *weights = panel + 16 * (size_t)k;
#pragma clang loop unroll(full)
    for (int n = 0; n < pairs; n++) {
      const int8x16_t w = vld1q_s8(weights + 16 * n);
#pragma clang loop unroll(full)
      for (int l = 0; l < left; l++) sum[l][n] = vmmlaq_s32(sum[l][n], first[l], w);
    }
#pragma clang loop unroll(full)
    for (int n = 0; n < pairs; n++) {
      const int8x16_t w = vld1q_s8(weights + 128 + 16 * n);
#pragma clang loop unroll(full)
      for (int l = 0; l < left; l++) sum[l][n] = vmmlaq_s32(sum[l][n], second[l], w);
    }
  }
  if (k < depth) {
#pragma clang loop unroll(full)
    for (int l = 0; l < left; l++) {
      const int8x16_t codes = vcombine_s8(vld1_s8(row[2 * l] + k), vld1_s8(row[2 * l + 1] + k));
#pragma clang loop unroll(full)
      for (int n = 0; n < pairs; n++)
        sum[l][n] = vmmlaq_s32(sum[l][n], codes, vld1q_s8(panel + 16 * (size_t)k + 16 * n));
    }
  }
#pragma clang loop unroll(full)
  for (int t = 0; t < tokens; t++)
#pragma clang loop unroll(full)
    for (int n = 0; n < pairs; n += 2)
      qk_store_sums(sums + (size_t)t * sums_stride + 2 * n, sum[t / 2][n], sum[t / 2][n + 1], t % 2);
}

/// Multiplies 1…4 tokens by the 16 rows of a panel.
static inline void qk_few_neoni8mm(const int8_t *x, size_t x_stride, int32_t tokens, const int8_t *panel, int32_t depth,
                                   const int32_t *start, int32_t *sums, size_t sums_stride) {
  switch (tokens) {
    case 1: qk_tile_neoni8mm(1, 8, x, x_stride, panel, depth, start, sums, sums_stride); break;
    case 2: qk_tile_neoni8mm(2, 8, x, x_stride, panel, depth, start, sums, sums_stride); break;
    case 3: qk_tile_neoni8mm(3, 8, x, x_stride, panel, depth, start, sums, sums_stride); break;
    default: qk_tile_neoni8mm(4, 8, x, x_stride, panel, depth, start, sums, sums_stride); break;
  }
}

/// Multiplies 5…8 tokens by half a panel.
static inline void qk_half_neoni8mm(const int8_t *x, size_t x_stride, int32_t tokens, const int8_t *panel, int32_t depth,
                                    const int32_t *start, int32_t *sums, size_t sums_stride) {
  switch (tokens) {
    case 5: qk_tile_neoni8mm(5, 4, x, x_stride, panel, depth, start, sums, sums_stride); break;
    case 6: qk_tile_neoni8mm(6, 4, x, x_stride, panel, depth, start, sums, sums_stride); break;
    case 7: qk_tile_neoni8mm(7, 4, x, x_stride, panel, depth, start, sums, sums_stride); break;
    default: qk_tile_neoni8mm(8, 4, x, x_stride, panel, depth, start, sums, sums_stride); break;
  }
}

/// Multiplies any number of tokens by the 16 rows of a panel.
static inline void qk_panel_neoni8mm(const int8_t *x, size_t x_stride, int32_t tokens, const int8_t *panel, int32_t depth,
                                     const int32_t *start, int32_t *sums, size_t sums_stride) {
  while (tokens > QK_TILE_NEON_FEW) {
    const int32_t tile = tokens < QK_TILE_NEON_TOKENS ? tokens : QK_TILE_NEON_TOKENS;
    qk_half_neoni8mm(x, x_stride, tile, panel, depth, start, sums, sums_stride);
    qk_half_neoni8mm(x, x_stride, tile, panel + 64, depth, start ? start + 8 : NULL, sums + 8, sums_stride);
    x += (size_t)tile * x_stride;
    sums += (size_t)tile * sums_stride;
    tokens -= tile;
  }
  if (tokens > 0) qk_few_neoni8mm(x, x_stride, tokens, panel, depth, start, sums, sums_stride);
}

#pragma clang attribute pop

#endif
