// The sdot GEMM kernel: signed bytes by signed bytes. 4-bit weights count as 16 times their value, so that unpacking is
// a mask and a shift; |16·8·128·32000| < 2^31, and the finish shifts the sum back.
#if defined(__aarch64__)
#include "finish_arm.h"
#include "gemm_neondot.h"
#include "kernels_arm.h"
#include "tile_neondot.h"

#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to=function)

static void load_panel4(const uint8_t *panel, int32_t depth, void *out) {
  int8_t *bytes = out;
  for (int32_t group = 0; group < depth / 8; group++)
    for (int v = 0; v < 4; v++) {
      const uint8x16_t pairs = vld1q_u8(panel + 64 * (size_t)group + 16 * v);
      vst1q_s8(bytes + 128 * (size_t)group + 16 * v, qk_low_nibbles(pairs));
      vst1q_s8(bytes + 128 * (size_t)group + 64 + 16 * v, qk_high_nibbles(pairs));
    }
}

void qk_multiply_neondot(const uint8_t *x, size_t x_stride, int32_t tokens, const uint8_t *panel, size_t panel_stride,
                         int32_t panels, int32_t depth, int32_t *sums) {
  for (int32_t p = 0; p < panels; p++)
    qk_panel_neondot((const int8_t *)x, x_stride, tokens, (const int8_t *)panel + (size_t)p * panel_stride, depth, NULL,
                     sums + QK_PANEL_ROWS * p, QK_GROUP_COLUMNS);
}

/// Unpacks in registers, which is worth it while a panel is used once.
static inline __attribute__((always_inline)) void tile_few(const int tokens, const int8_t *x, size_t x_stride,
                                                           const uint8_t *panel, int32_t depth, int32_t *sums) {
  int32x4_t sum[QK_TILE_NEON_FEW][4];
#pragma clang loop unroll(full)
  for (int t = 0; t < tokens; t++)
#pragma clang loop unroll(full)
    for (int v = 0; v < 4; v++) sum[t][v] = vdupq_n_s32(0);
  for (int32_t k = 0; k < depth; k += 8) {
    int8x8_t codes[QK_TILE_NEON_FEW];
#pragma clang loop unroll(full)
    for (int t = 0; t < tokens; t++) codes[t] = vld1_s8(x + (size_t)t * x_stride + k);
#pragma clang loop unroll(full)
    for (int v = 0; v < 4; v++) {
      const uint8x16_t pairs = vld1q_u8(panel + 8 * (size_t)k + 16 * v);
      const int8x16_t low = qk_low_nibbles(pairs), high = qk_high_nibbles(pairs);
#pragma clang loop unroll(full)
      for (int t = 0; t < tokens; t++) {
        sum[t][v] = vdotq_lane_s32(sum[t][v], low, codes[t], 0);
        sum[t][v] = vdotq_lane_s32(sum[t][v], high, codes[t], 1);
      }
    }
  }
#pragma clang loop unroll(full)
  for (int t = 0; t < tokens; t++)
#pragma clang loop unroll(full)
    for (int v = 0; v < 4; v++) vst1q_s32(sums + t * QK_GROUP_COLUMNS + 4 * v, sum[t][v]);
}

void qk_multiply_few4_neondot(const uint8_t *x, size_t x_stride, int32_t tokens, const uint8_t *panel,
                              size_t panel_stride, int32_t panels, int32_t depth, int32_t *sums) {
  const int8_t *codes = (const int8_t *)x;
  for (int32_t p = 0; p < panels; p++) {
    const uint8_t *from = panel + (size_t)p * panel_stride;
    int32_t *to = sums + QK_PANEL_ROWS * p;
    switch (tokens) {
      case 1: tile_few(1, codes, x_stride, from, depth, to); break;
      case 2: tile_few(2, codes, x_stride, from, depth, to); break;
      case 3: tile_few(3, codes, x_stride, from, depth, to); break;
      default: tile_few(4, codes, x_stride, from, depth, to); break;
    }
  }
}

const qk_gemm_kernel qk_gemm_neondot = {
  .name = "gemm_x8_w8w4_8x8_neondot_sdot",
  .group_panels = QK_GROUP_PANELS,
  .w8 = { .activation_bytes = 1, .shifted = 1, .tile_tokens = QK_TILE_NEON_TOKENS,
          .load_activations = qk_sign_activations_neon, .multiply = qk_multiply_neondot },
  .w4 = { .activation_bytes = 1, .shifted = 1, .sum_shift = QK_NEON_SUM_SHIFT4, .panel_bytes = 16,
          .few_tokens = QK_TILE_NEON_FEW, .few_shift = QK_NEON_SUM_SHIFT4, .tile_tokens = QK_TILE_NEON_TOKENS,
          .load_activations = qk_sign_activations_neon, .load_panel = load_panel4, .multiply = qk_multiply_neondot,
          .multiply_few = qk_multiply_few4_neondot },
  .finish = qk_finish_neon,
  .merge = qk_merge_neon,
};

#pragma clang attribute pop
#endif
