// Attention by sdot: panels of quads, as in the GEMM.
#if defined(__aarch64__)
#include "tile_neondot.h"

#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to=function)

/// Transposes 4×4 quads.
static inline void store_keys(int8_t *panel, int i, int both, const int8x16_t r[4]) {
  const int32x4_t a = vreinterpretq_s32_s8(r[0]), b = vreinterpretq_s32_s8(r[1]);
  const int32x4_t c = vreinterpretq_s32_s8(r[2]), d = vreinterpretq_s32_s8(r[3]);
  const int32x4_t low02 = vzip1q_s32(a, c), high02 = vzip2q_s32(a, c);
  const int32x4_t low13 = vzip1q_s32(b, d), high13 = vzip2q_s32(b, d);
  vst1q_s8(panel + 16 * i, vreinterpretq_s8_s32(vzip1q_s32(low02, low13)));
  vst1q_s8(panel + 64 + 16 * i, vreinterpretq_s8_s32(vzip2q_s32(low02, low13)));
  if (!both) return;
  vst1q_s8(panel + 128 + 16 * i, vreinterpretq_s8_s32(vzip1q_s32(high02, high13)));
  vst1q_s8(panel + 192 + 16 * i, vreinterpretq_s8_s32(vzip2q_s32(high02, high13)));
}

static inline void store_values(int8_t *panel, int v, int8x16_t first, int8x16_t second) {
  vst1q_s8(panel + 16 * v, first);
  vst1q_s8(panel + 64 + 16 * v, second);
}

#define multiply_panel qk_panel_neondot
#include "attention_neon.h"

const qk_attention_kernel qk_attention_neondot = QK_ATTENTION_NEON_KERNEL("attention_i8_i8_8x8_neondot_sdot");

#pragma clang attribute pop
#endif
