// The GEMM kernel of AVX-512 without VNNI: int16 products for 8-bit rows, bytes with deferred widening for 4-bit rows.
#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>
#include "activations_x86.h"
#include "finish_x86.h"
#include "kernels_x86.h"
#include "vectors_avx512.h"

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl"))), apply_to=function)

enum {
  TOKENS = 6,
  /// 8 steps of |2·255·8| = 4080 stay below 2^15: int16 sums need widening only every 32 k.
  DEFERRED_STEPS = 8
};

/// Turns [depth/4][16 rows][4 codes] into [depth/2][16 rows][2] of int16.
static void load_panel8(const uint8_t *panel, int32_t depth, void *out) {
  int16_t *wide = out;
  const __m512i pairs = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15));
  const __m512i halves = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
  for (int32_t quad = 0; quad < depth / 4; quad++) {
    const __m512i codes = _mm512_loadu_si512(panel + 64 * (size_t)quad);
    const __m512i split = _mm512_permutexvar_epi64(halves, _mm512_shuffle_epi8(codes, pairs));
    _mm512_store_si512(wide + 64 * (size_t)quad, _mm512_cvtepi8_epi16(_mm512_castsi512_si256(split)));
    _mm512_store_si512(wide + 64 * (size_t)quad + 32, _mm512_cvtepi8_epi16(_mm512_extracti64x4_epi64(split, 1)));
  }
}

static void load_panel4(const uint8_t *panel, int32_t depth, void *out) { qk_unpack_nibbles_avx512(panel, depth, out); }

static inline __m512i broadcast32(const uint8_t *bytes) {
  int32_t bits;
  memcpy(&bits, bytes, sizeof bits);
  return _mm512_set1_epi32(bits);
}

/// One tile of 8-bit rows; a step is two k. `tokens` and `panels` are constants after inlining.
static inline __attribute__((always_inline)) void tile8(const int tokens, const int panels, const uint8_t *x,
                                                        size_t x_stride, const uint8_t *panel, size_t panel_stride,
                                                        int32_t steps, int32_t *sums) {
  __m512i sum[TOKENS][4];
  const uint8_t *row[TOKENS];
#pragma clang loop unroll(full)
  for (int t = 0; t < tokens; t++) {
    row[t] = x + (size_t)t * x_stride;
    // One register per row, see qk_tile_vnni.
    __asm__("" : "+r"(row[t]));
  }
#pragma clang loop unroll(full)
  for (int t = 0; t < tokens; t++)
#pragma clang loop unroll(full)
    for (int p = 0; p < panels; p++) sum[t][p] = _mm512_setzero_si512();
  for (int32_t k = 0; k < steps; k++) {
    __m512i w[4];
#pragma clang loop unroll(full)
    for (int p = 0; p < panels; p++) w[p] = _mm512_load_si512(panel + (size_t)p * panel_stride + 64 * (size_t)k);
#pragma clang loop unroll(full)
    for (int t = 0; t < tokens; t++) {
      const __m512i codes = broadcast32(row[t] + 4 * (size_t)k);
#pragma clang loop unroll(full)
      for (int p = 0; p < panels; p++) sum[t][p] = _mm512_add_epi32(sum[t][p], _mm512_madd_epi16(codes, w[p]));
    }
  }
#pragma clang loop unroll(full)
  for (int t = 0; t < tokens; t++)
#pragma clang loop unroll(full)
    for (int p = 0; p < panels; p++) _mm512_store_si512(sums + t * QK_GROUP_COLUMNS + 16 * p, sum[t][p]);
}

/// One tile of 4-bit rows; a step is four k.
static inline __attribute__((always_inline)) void tile4(const int tokens, const int panels, const uint8_t *x,
                                                        size_t x_stride, const uint8_t *panel, size_t panel_stride,
                                                        int32_t steps, int32_t *sums) {
  const uint8_t *row[TOKENS];
#pragma clang loop unroll(full)
  for (int t = 0; t < tokens; t++) {
    row[t] = x + (size_t)t * x_stride;
    __asm__("" : "+r"(row[t]));
  }
  memset(sums, 0, (size_t)tokens * QK_GROUP_COLUMNS * sizeof *sums);
  for (int32_t k0 = 0; k0 < steps; k0 += DEFERRED_STEPS) {
    const int32_t last = k0 + DEFERRED_STEPS < steps ? k0 + DEFERRED_STEPS : steps;
    __m512i words[TOKENS][4];
#pragma clang loop unroll(full)
    for (int t = 0; t < tokens; t++)
#pragma clang loop unroll(full)
      for (int p = 0; p < panels; p++) words[t][p] = _mm512_setzero_si512();
    for (int32_t k = k0; k < last; k++) {
      __m512i w[4];
#pragma clang loop unroll(full)
      for (int p = 0; p < panels; p++) w[p] = _mm512_load_si512(panel + (size_t)p * panel_stride + 64 * (size_t)k);
#pragma clang loop unroll(full)
      for (int t = 0; t < tokens; t++) {
        const __m512i codes = broadcast32(row[t] + 4 * (size_t)k);
#pragma clang loop unroll(full)
        for (int p = 0; p < panels; p++) words[t][p] = _mm512_add_epi16(words[t][p], _mm512_maddubs_epi16(codes, w[p]));
      }
    }
#pragma clang loop unroll(full)
    for (int t = 0; t < tokens; t++)
#pragma clang loop unroll(full)
      for (int p = 0; p < panels; p++) {
        int32_t *sum = sums + t * QK_GROUP_COLUMNS + 16 * p;
        const __m512i wide = _mm512_madd_epi16(words[t][p], _mm512_set1_epi16(1));
        _mm512_store_si512(sum, _mm512_add_epi32(_mm512_load_si512(sum), wide));
      }
  }
}

/// `bits`, like `tokens` and `panels`, is a constant after inlining; a step is two k of 8-bit rows, four of 4-bit rows.
static inline __attribute__((always_inline)) void tile(const int bits, const int tokens, const int panels,
                                                       const uint8_t *x, size_t x_stride, const uint8_t *panel,
                                                       size_t panel_stride, int32_t steps, int32_t *sums) {
  if (bits == 8) tile8(tokens, panels, x, x_stride, panel, panel_stride, steps, sums);
  else tile4(tokens, panels, x, x_stride, panel, panel_stride, steps, sums);
}

/// Tiles of 6 tokens, then the rest.
static inline __attribute__((always_inline)) void tiles(const int bits, const int panels, const uint8_t *x,
                                                        size_t x_stride, int32_t tokens, const uint8_t *panel,
                                                        size_t panel_stride, int32_t steps, int32_t *sums) {
  for (; tokens > TOKENS; tokens -= TOKENS) {
    tile(bits, TOKENS, panels, x, x_stride, panel, panel_stride, steps, sums);
    x += TOKENS * x_stride;
    sums += TOKENS * QK_GROUP_COLUMNS;
  }
  switch (tokens) {
    case 1: tile(bits, 1, panels, x, x_stride, panel, panel_stride, steps, sums); break;
    case 2: tile(bits, 2, panels, x, x_stride, panel, panel_stride, steps, sums); break;
    case 3: tile(bits, 3, panels, x, x_stride, panel, panel_stride, steps, sums); break;
    case 4: tile(bits, 4, panels, x, x_stride, panel, panel_stride, steps, sums); break;
    case 5: tile(bits, 5, panels, x, x_stride, panel, panel_stride, steps, sums); break;
    default: tile(bits, 6, panels, x, x_stride, panel, panel_stride, steps, sums); break;
  }
}

static inline __attribute__((always_inline)) void multiply(const int bits, const uint8_t *x, size_t x_stride,
                                                           int32_t tokens, const uint8_t *panel, size_t panel_stride,
                                                           int32_t panels, int32_t steps, int32_t *sums) {
  switch (panels) {
    case 1: tiles(bits, 1, x, x_stride, tokens, panel, panel_stride, steps, sums); break;
    case 2: tiles(bits, 2, x, x_stride, tokens, panel, panel_stride, steps, sums); break;
    case 3: tiles(bits, 3, x, x_stride, tokens, panel, panel_stride, steps, sums); break;
    default: tiles(bits, 4, x, x_stride, tokens, panel, panel_stride, steps, sums); break;
  }
}

static void multiply8(const uint8_t *x, size_t x_stride, int32_t tokens, const uint8_t *panel, size_t panel_stride,
                      int32_t panels, int32_t depth, int32_t *sums) {
  multiply(8, x, x_stride, tokens, panel, panel_stride, panels, depth / 2, sums);
}

static void multiply4(const uint8_t *x, size_t x_stride, int32_t tokens, const uint8_t *panel, size_t panel_stride,
                      int32_t panels, int32_t depth, int32_t *sums) {
  multiply(4, x, x_stride, tokens, panel, panel_stride, panels, depth / 4, sums);
}

const qk_gemm_kernel qk_gemm_avx512 = {
  .name = "gemm_x8_w8w4_6x64_avx512_maddwd_maddubs",
  .group_panels = 4,
  .w8 = { .activation_bytes = 2, .panel_bytes = 32, .tile_tokens = TOKENS,
          .load_activations = qk_widen_avx2, .load_panel = load_panel8, .multiply = multiply8 },
  .w4 = { .activation_bytes = 1, .shifted = 1, .panel_bytes = 16, .tile_tokens = TOKENS,
          .load_activations = qk_shift_activations_avx2, .load_panel = load_panel4, .multiply = multiply4 },
  .finish = qk_finish_avx512,
  .merge = qk_merge_avx2,
};

#pragma clang attribute pop
#endif
