// The sdot product tile: four int8·int8 products are added to an int32 lane, exact modulo 2^32.
//
// Left: rows of signed bytes, k ascending. Right: panels [depth/4][16 rows][4]. A register of the left holds 16 k of one
// token, whose four quads are lanes that sdot broadcasts; a register of the right holds 4 k of four rows. Eight tokens of
// eight rows need 16 sums, 8 registers of codes and 2 of weights; four tokens take all 16 rows of a panel.
#ifndef QK_TILE_NEONDOT_H
#define QK_TILE_NEONDOT_H

#include <arm_neon.h>
#include <stddef.h>
#include <stdint.h>

#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to=function)

enum { QK_TILE_NEON_TOKENS = 8, QK_TILE_NEON_FEW = 4 };

// The lane of sdot is an immediate. Multiplies one quad of weights by lane `lane` of all tokens.
#define QK_DOT_QUAD(DOT, lane, codes, weights)                                                         \
  do {                                                                                                 \
    int8x16_t w[4];                                                                                    \
    _Pragma("clang loop unroll(full)") for (int v = 0; v < vectors; v++) w[v] = vld1q_s8((weights) + 16 * v); \
    _Pragma("clang loop unroll(full)") for (int t = 0; t < tokens; t++)                                \
      _Pragma("clang loop unroll(full)") for (int v = 0; v < vectors; v++)                             \
        sum[t][v] = DOT(sum[t][v], w[v], (codes)[t], lane);                                            \
  } while (0)

/// sums[t][0…4·vectors−1] = start (or 0 when null) + Σ_k x[t][k]·w[k] from a panel, or from its second half; depth is a
/// multiple of 8. `tokens` and `vectors` are constants after inlining.
static inline __attribute__((always_inline)) void qk_tile_neondot(const int tokens, const int vectors, const int8_t *x,
                                                                  size_t x_stride, const int8_t *panel, int32_t depth,
                                                                  const int32_t *start, int32_t *sums,
                                                                  size_t sums_stride) {
  int32x4_t sum[QK_TILE_NEON_TOKENS][4];
  const int8_t *row[QK_TILE_NEON_TOKENS];
#pragma clang loop unroll(full)
  for (int t = 0; t < tokens; t++) {
    row[t] = x + (size_t)t * x_stride;
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; v++) sum[t][v] = start ? vld1q_s32(start + 4 * v) : vdupq_n_s32(0);
  }
  int32_t k = 0;
  for (; k + 16 <= depth; k += 16) {
    int8x16_t codes[QK_TILE_NEON_TOKENS];
#pragma clang loop unroll(full)
    for (int t = 0; t < tokens; t++) codes[t] = vld1q_s8(row[t] + k);
    const int8_t *weights = panel + 16 * (size_t)k;
    QK_DOT_QUAD(vdotq_laneq_s32, 0, codes, weights);
    QK_DOT_QUAD(vdotq_laneq_s32, 1, codes, weights + 64);
    QK_DOT_QUAD(vdotq_laneq_s32, 2, codes, weights + 128);
    QK_DOT_QUAD(vdotq_laneq_s32, 3, codes, weights + 192);
  }
  if (k < depth) {
    int8x8_t codes[QK_TILE_NEON_TOKENS];
#pragma clang loop unroll(full)
    for (int t = 0; t < tokens; t++) codes[t] = vld1_s8(row[t] + k);
    const int8_t *weights = panel + 16 * (size_t)k;
    QK_DOT_QUAD(vdotq_lane_s32, 0, codes, weights);
    QK_DOT_QUAD(vdotq_lane_s32, 1, codes, weights + 64);
  }
#pragma clang loop unroll(full)
  for (int t = 0; t < tokens; t++)
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; v++) vst1q_s32(sums + (size_t)t * sums_stride + 4 * v, sum[t][v]);
}

/// Multiplies 1…4 tokens by the 16 rows of a panel.
static inline void qk_few_neondot(const int8_t *x, size_t x_stride, int32_t tokens, const int8_t *panel, int32_t depth,
                                  const int32_t *start, int32_t *sums, size_t sums_stride) {
  switch (tokens) {
    case 1: qk_tile_neondot(1, 4, x, x_stride, panel, depth, start, sums, sums_stride); break;
    case 2: qk_tile_neondot(2, 4, x, x_stride, panel, depth, start, sums, sums_stride); break;
    case 3: qk_tile_neondot(3, 4, x, x_stride, panel, depth, start, sums, sums_stride); break;
    default: qk_tile_neondot(4, 4, x, x_stride, panel, depth, start, sums, sums_stride); break;
  }
}

/// Multiplies 5…8 tokens by 8 rows.
static inline void qk_half_neondot(const int8_t *x, size_t x_stride, int32_t tokens, const int8_t *panel, int32_t depth,
                                   const int32_t *start, int32_t *sums, size_t sums_stride) {
  switch (tokens) {
    case 5: qk_tile_neondot(5, 2, x, x_stride, panel, depth, start, sums, sums_stride); break;
    case 6: qk_tile_neondot(6, 2, x, x_stride, panel, depth, start, sums, sums_stride); break;
    case 7: qk_tile_neondot(7, 2, x, x_stride, panel, depth, start, sums, sums_stride); break;
    default: qk_tile_neondot(8, 2, x, x_stride, panel, depth, start, sums, sums_stride); break;
  }
}

/// Multiplies any number of tokens by the 16 rows of a panel.
static inline void qk_panel_neondot(const int8_t *x, size_t x_stride, int32_t tokens, const int8_t *panel, int32_t depth,
                                    const int32_t *start, int32_t *sums, size_t sums_stride) {
  while (tokens > QK_TILE_NEON_FEW) {
    const int32_t tile = tokens < QK_TILE_NEON_TOKENS ? tokens : QK_TILE_NEON_TOKENS;
    qk_half_neondot(x, x_stride, tile, panel, depth, start, sums, sums_stride);
    qk_half_neondot(x, x_stride, tile, panel + 32, depth, start ? start + 8 : NULL, sums + 8, sums_stride);
    x += (size_t)tile * x_stride;
    sums += (size_t)tile * sums_stride;
    tokens -= tile;
  }
  if (tokens > 0) qk_few_neondot(x, x_stride, tokens, panel, depth, start, sums, sums_stride);
}

#pragma clang attribute pop

#endif
