// Attention by smmla: panels of pairs of keys or dimensions, as in the GEMM.
#if defined(__aarch64__)
#include "tile_neoni8mm.h"

#pragma clang attribute push(__attribute__((target("dotprod,i8mm"))), apply_to=function)

static inline void store_keys(int8_t *panel, int i, int both, const int8x16_t r[4]) {
  vst1q_s8(panel + 32 * i, qk_low_pair(r[0], r[1]));
  vst1q_s8(panel + 32 * i + 16, qk_low_pair(r[2], r[3]));
  if (!both) return;
  vst1q_s8(panel + 128 + 32 * i, qk_high_pair(r[0], r[1]));
  vst1q_s8(panel + 128 + 32 * i + 16, qk_high_pair(r[2], r[3]));
}

static inline void store_values(int8_t *panel, int v, int8x16_t first, int8x16_t second) {
  qk_store_pairs(panel + 32 * v, first, second);
}

#define multiply_panel qk_panel_neoni8mm
#include "attention_neon.h"

const qk_attention_kernel qk_attention_neoni8mm = QK_ATTENTION_NEON_KERNEL("attention_i8_i8_8x8_neoni8mm_smmla");

#pragma clang attribute pop
#endif
