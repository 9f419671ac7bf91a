// The smmla GEMM kernel: a 2×8 matrix of signed bytes by the transpose of another gives a 2×2 matrix of int32. Panels
// are laid out anew as [depth/8][8 pairs of rows][2 rows][8 codes]; 4-bit codes count as 16 times their value, as in the
// sdot kernel, which serves few tokens: there laying out panels would cost more than the products.
#if defined(__aarch64__)
#include "finish_arm.h"
#include "gemm_neondot.h"
#include "kernels_arm.h"
#include "tile_neondot.h"

#pragma clang attribute push(__attribute__((target("dotprod,i8mm"))), apply_to=function)

/// Quads k…k+3 and k+4…k+7 of four rows become two pairs of rows of 8 codes.
static inline void store_pairs(int8_t *out, int8x16_t first, int8x16_t second) {
  const int32x4_t a = vreinterpretq_s32_s8(first), b = vreinterpretq_s32_s8(second);
  vst1q_s8(out, vreinterpretq_s8_s32(vzip1q_s32(a, b)));
  vst1q_s8(out + 16, vreinterpretq_s8_s32(vzip2q_s32(a, b)));
}

static void load_panel8(const uint8_t *panel, int32_t depth, void *out) {
  for (int32_t group = 0; group < depth / 8; group++)
    for (int v = 0; v < 4; v++) {
      const int8_t *codes = (const int8_t *)panel + 128 * (size_t)group + 16 * v;
      store_pairs((int8_t *)out + 128 * (size_t)group + 32 * v, vld1q_s8(codes), vld1q_s8(codes + 64));
    }
}

static void load_panel4(const uint8_t *panel, int32_t depth, void *out) {
  for (int32_t group = 0; group < depth / 8; group++)
    for (int v = 0; v < 4; v++) {
      const uint8x16_t pairs = vld1q_u8(panel + 64 * (size_t)group + 16 * v);
      store_pairs((int8_t *)out + 128 * (size_t)group + 32 * v, qk_low_nibbles(pairs), qk_high_nibbles(pairs));
    }
}

/// 8 k of two tokens.
static inline int8x16_t low_pair(int8x16_t a, int8x16_t b) {
  return vreinterpretq_s8_s64(vzip1q_s64(vreinterpretq_s64_s8(a), vreinterpretq_s64_s8(b)));
}
static inline int8x16_t high_pair(int8x16_t a, int8x16_t b) {
  return vreinterpretq_s8_s64(vzip2q_s64(vreinterpretq_s64_s8(a), vreinterpretq_s64_s8(b)));
}

/// `count` (a constant) lower halves, or upper ones, side by side.
static inline void store_row(int32_t *sums, int32x4_t a, int32x4_t b, int upper) {
  const int64x2_t x = vreinterpretq_s64_s32(a), y = vreinterpretq_s64_s32(b);
  vst1q_s32(sums, vreinterpretq_s32_s64(upper ? vzip2q_s64(x, y) : vzip1q_s64(x, y)));
}

/// 1…8 tokens by 2·`pairs` rows; an odd last token is paired with itself. `tokens` and `pairs` are constants after
/// inlining: 8 tokens by 8 rows, or 4 by 16, need 16 sums.
static inline __attribute__((always_inline)) void tile(const int tokens, const int pairs, const int8_t *x,
                                                       size_t x_stride, const int8_t *panel, int32_t depth,
                                                       int32_t *sums) {
  enum { MOST_PAIRS = QK_TILE_NEON_TOKENS / 2 };
  const int left = (tokens + 1) / 2;
  int32x4_t sum[MOST_PAIRS][8];
  const int8_t *row[QK_TILE_NEON_TOKENS];
#pragma clang loop unroll(full)
  for (int t = 0; t < 2 * left; t++) row[t] = x + (size_t)(t < tokens ? t : tokens - 1) * x_stride;
#pragma clang loop unroll(full)
  for (int l = 0; l < left; l++)
#pragma clang loop unroll(full)
    for (int n = 0; n < pairs; n++) sum[l][n] = vdupq_n_s32(0);
  int32_t k = 0;
  for (; k + 16 <= depth; k += 16) {
    int8x16_t first[MOST_PAIRS], second[MOST_PAIRS];
#pragma clang loop unroll(full)
    for (int l = 0; l < left; l++) {
      const int8x16_t a = vld1q_s8(row[2 * l] + k), b = vld1q_s8(row[2 * l + 1] + k);
      first[l] = low_pair(a, b);
      second[l] = high_pair(a, b);
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
      store_row(sums + t * QK_GROUP_COLUMNS + 2 * n, sum[t / 2][n], sum[t / 2][n + 1], t % 2);
}

/// 1…4 tokens by the 16 rows of a panel.
static void tile_few(const int8_t *x, size_t x_stride, int32_t tokens, const int8_t *panel, int32_t depth,
                     int32_t *sums) {
  switch (tokens) {
    case 1: tile(1, 8, x, x_stride, panel, depth, sums); break;
    case 2: tile(2, 8, x, x_stride, panel, depth, sums); break;
    case 3: tile(3, 8, x, x_stride, panel, depth, sums); break;
    default: tile(4, 8, x, x_stride, panel, depth, sums); break;
  }
}

/// 5…8 tokens by half a panel.
static void tile_half(const int8_t *x, size_t x_stride, int32_t tokens, const int8_t *panel, int32_t depth,
                      int32_t *sums) {
  switch (tokens) {
    case 5: tile(5, 4, x, x_stride, panel, depth, sums); break;
    case 6: tile(6, 4, x, x_stride, panel, depth, sums); break;
    case 7: tile(7, 4, x, x_stride, panel, depth, sums); break;
    default: tile(8, 4, x, x_stride, panel, depth, sums); break;
  }
}

static void multiply_panel(const int8_t *x, size_t x_stride, int32_t tokens, const int8_t *panel, int32_t depth,
                           int32_t *sums) {
  while (tokens > QK_TILE_NEON_FEW) {
    const int32_t step = tokens < QK_TILE_NEON_TOKENS ? tokens : QK_TILE_NEON_TOKENS;
    tile_half(x, x_stride, step, panel, depth, sums);
    tile_half(x, x_stride, step, panel + 64, depth, sums + 8);
    x += (size_t)step * x_stride;
    sums += step * QK_GROUP_COLUMNS;
    tokens -= step;
  }
  if (tokens > 0) tile_few(x, x_stride, tokens, panel, depth, sums);
}

static void multiply(const uint8_t *x, size_t x_stride, int32_t tokens, const uint8_t *panel, size_t panel_stride,
                     int32_t panels, int32_t depth, int32_t *sums) {
  for (int32_t p = 0; p < panels; p++)
    multiply_panel((const int8_t *)x, x_stride, tokens, (const int8_t *)panel + (size_t)p * panel_stride, depth,
                   sums + QK_PANEL_ROWS * p);
}

const qk_gemm_kernel qk_gemm_neoni8mm = {
  .name = "gemm_x8_w8w4_8x8_neoni8mm_smmla",
  .group_panels = QK_GROUP_PANELS,
  .w8 = { .activation_bytes = 1, .shifted = 1, .panel_bytes = 16, .few_tokens = QK_TILE_NEON_FEW,
          .tile_tokens = QK_TILE_NEON_TOKENS, .load_activations = qk_sign_activations_neon, .load_panel = load_panel8,
          .multiply = multiply, .multiply_few = qk_multiply_neondot },
  .w4 = { .activation_bytes = 1, .shifted = 1, .sum_shift = QK_NEON_SUM_SHIFT4, .panel_bytes = 16,
          .few_tokens = QK_TILE_NEON_FEW, .tile_tokens = QK_TILE_NEON_TOKENS,
          .load_activations = qk_sign_activations_neon, .load_panel = load_panel4, .multiply = multiply,
          .multiply_few = qk_multiply_few4_neondot },
  .finish = qk_finish_neon,
  .merge = qk_merge_neon,
};

#pragma clang attribute pop
#endif
