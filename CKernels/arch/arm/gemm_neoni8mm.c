// The smmla GEMM kernel. Panels are laid out anew for the tile; 4-bit codes count as 16 times their value, as in the
// sdot kernel. That kernel serves few tokens, for which laying out panels would cost more than the products.
#if defined(__aarch64__)
#include "finish_arm.h"
#include "gemm_neondot.h"
#include "kernels_arm.h"
#include "tile_neoni8mm.h"

#pragma clang attribute push(__attribute__((target("dotprod,i8mm"))), apply_to=function)

static void load_panel8(const uint8_t *panel, int32_t depth, void *out) {
  for (int32_t group = 0; group < depth / 8; group++)
    for (int v = 0; v < 4; v++) {
      const int8_t *codes = (const int8_t *)panel + 128 * (size_t)group + 16 * v;
      qk_store_pairs((int8_t *)out + 128 * (size_t)group + 32 * v, vld1q_s8(codes), vld1q_s8(codes + 64));
    }
}

static void load_panel4(const uint8_t *panel, int32_t depth, void *out) {
  for (int32_t group = 0; group < depth / 8; group++)
    for (int v = 0; v < 4; v++) {
      const uint8x16_t pairs = vld1q_u8(panel + 64 * (size_t)group + 16 * v);
      qk_store_pairs((int8_t *)out + 128 * (size_t)group + 32 * v, qk_low_nibbles(pairs), qk_high_nibbles(pairs));
    }
}

static void multiply(const uint8_t *x, size_t x_stride, int32_t tokens, const uint8_t *panel, size_t panel_stride,
                     int32_t panels, int32_t depth, int32_t *sums) {
  for (int32_t p = 0; p < panels; p++)
    qk_panel_neoni8mm((const int8_t *)x, x_stride, tokens, (const int8_t *)panel + (size_t)p * panel_stride, depth, NULL,
                      sums + QK_PANEL_ROWS * p, QK_GROUP_COLUMNS);
}

const qk_gemm_kernel qk_gemm_neoni8mm = {
  .name = "gemm_x8_w8w4_8x8_neoni8mm_smmla",
  .group_panels = QK_GROUP_PANELS,
  .w8 = { .activation_bytes = 1, .shifted = 1, .panel_bytes = 16, .few_tokens = QK_TILE_NEON_FEW,
          .tile_tokens = QK_TILE_NEON_TOKENS, .load_activations = qk_sign_activations_neon, .load_panel = load_panel8,
          .multiply = multiply, .multiply_few = qk_multiply_neondot },
  .w4 = { .activation_bytes = 1, .shifted = 1, .sum_shift = QK_NEON_SUM_SHIFT4, .panel_bytes = 16,
          .few_tokens = QK_TILE_NEON_FEW, .few_shift = QK_NEON_SUM_SHIFT4, .tile_tokens = QK_TILE_NEON_TOKENS,
          .load_activations = qk_sign_activations_neon, .load_panel = load_panel4, .multiply = multiply,
          .multiply_few = qk_multiply_few4_neondot },
  .finish = qk_finish_neon,
  .merge = qk_merge_neon,
};

#pragma clang attribute pop
#endif
