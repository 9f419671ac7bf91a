// The AVX2 GEMM kernel. 8-bit weights: both operands widened to int16, exact through vpmaddwd. 4-bit weights:
// vpmaddubsw on bytes with deferred widening, see below.
#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>
#include "activations_x86.h"
#include "finish_x86.h"
#include "kernels_x86.h"
#include "tile_avx2.h"

#pragma clang attribute push(__attribute__((target("avx2"))), apply_to=function)

/// Turns [depth/4][16 rows][4 codes] into [depth/2][16 rows][2] of int16.
static void load_panel8(const uint8_t *panel, int32_t depth, void *out) {
  int16_t *wide = out;
  const __m256i pairs = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15));
  for (int32_t quad = 0; quad < depth / 4; quad++)
    for (int half = 0; half < 2; half++) {
      const __m256i codes = _mm256_loadu_si256((const __m256i *)(panel + 64 * (size_t)quad + 32 * half));
      // Low 128 bits: codes 0 and 1 of eight rows; high: codes 2 and 3.
      const __m256i split = _mm256_permute4x64_epi64(_mm256_shuffle_epi8(codes, pairs), 0xd8);
      int16_t *first = wide + 64 * (size_t)quad + 16 * half;
      _mm256_store_si256((__m256i *)first, _mm256_cvtepi8_epi16(_mm256_castsi256_si128(split)));
      _mm256_store_si256((__m256i *)(first + 32), _mm256_cvtepi8_epi16(_mm256_extracti128_si256(split, 1)));
    }
}

/// Turns nibbles into bytes: an 8-bit panel in the packed layout.
static void load_panel4(const uint8_t *panel, int32_t depth, void *out) {
  uint8_t *bytes = out;
  const __m256i values = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, -8, -7, -6, -5, -4, -3, -2, -1));
  const __m256i low = _mm256_set1_epi8(15);
  for (int32_t group = 0; group < depth / 8; group++)
    for (int half = 0; half < 2; half++) {
      const __m256i v = _mm256_loadu_si256((const __m256i *)(panel + 64 * (size_t)group + 32 * half));
      uint8_t *first = bytes + 128 * (size_t)group + 32 * half;
      _mm256_store_si256((__m256i *)first, _mm256_shuffle_epi8(values, _mm256_and_si256(v, low)));
      _mm256_store_si256((__m256i *)(first + 64),
                         _mm256_shuffle_epi8(values, _mm256_and_si256(_mm256_srli_epi16(v, 4), low)));
    }
}

static void multiply8(const uint8_t *x, size_t x_stride, int32_t tokens, const uint8_t *panel, size_t panel_stride,
                      int32_t panels, int32_t depth, int32_t *sums) {
  (void)panel_stride, (void)panels;
  qk_multiply_avx2(x, x_stride / sizeof(int16_t), tokens, panel, depth, sums, QK_GROUP_COLUMNS, 0);
}

static void multiply8_onto(const uint8_t *x, size_t x_stride, int32_t tokens, const uint8_t *panel, size_t panel_stride,
                           int32_t panels, int32_t depth, const int32_t *start, int32_t *sums, size_t sums_stride) {
  (void)panel_stride, (void)panels;
  qk_multiply_onto_avx2((const int16_t *)(const void *)x, x_stride / sizeof(int16_t), tokens,
                        (const int16_t *)(const void *)panel, depth, start, 0, sums, sums_stride);
}

enum {
  TOKENS4 = 4,
  /// 8 steps of |2·255·8| = 4080 stay below 2^15: int16 sums need widening only every 32 k.
  DEFERRED_STEPS = 8
};

static inline __m256i broadcast_quad(const uint8_t *quad) {
  int32_t bits;
  memcpy(&bits, quad, sizeof bits);
  return _mm256_set1_epi32(bits);
}

/// `tokens` is a constant after inlining.
static inline __attribute__((always_inline)) void tile4(const int tokens, const uint8_t *x, size_t stride,
                                                        const uint8_t *panel, int32_t quads, int32_t *sums) {
  const __m256i ones = _mm256_set1_epi16(1);
  const uint8_t *row[TOKENS4];
#pragma clang loop unroll(full)
  for (int t = 0; t < tokens; t++) {
    row[t] = x + (size_t)t * stride;
    // One register per row, see qk_tile_vnni.
    __asm__("" : "+r"(row[t]));
  }
  for (int t = 0; t < tokens; t++)
    for (int h = 0; h < 2; h++) _mm256_storeu_si256((__m256i *)(sums + t * QK_GROUP_COLUMNS + 8 * h), _mm256_setzero_si256());
  for (int32_t q0 = 0; q0 < quads; q0 += DEFERRED_STEPS) {
    const int32_t last = q0 + DEFERRED_STEPS < quads ? q0 + DEFERRED_STEPS : quads;
    __m256i words[TOKENS4][2];
    for (int t = 0; t < tokens; t++)
      for (int h = 0; h < 2; h++) words[t][h] = _mm256_setzero_si256();
    for (int32_t q = q0; q < last; q++) {
      const __m256i w0 = _mm256_load_si256((const __m256i *)(panel + 64 * (size_t)q));
      const __m256i w1 = _mm256_load_si256((const __m256i *)(panel + 64 * (size_t)q + 32));
      for (int t = 0; t < tokens; t++) {
        const __m256i codes = broadcast_quad(row[t] + 4 * (size_t)q);
        __m256i products0 = _mm256_maddubs_epi16(codes, w0), products1 = _mm256_maddubs_epi16(codes, w1);
        // Same order as in tile_avx2.c.
        __asm__("" : "+x"(products0), "+x"(products1));
        words[t][0] = _mm256_add_epi16(words[t][0], products0);
        words[t][1] = _mm256_add_epi16(words[t][1], products1);
      }
    }
    for (int t = 0; t < tokens; t++)
      for (int h = 0; h < 2; h++) {
        __m256i *sum = (__m256i *)(sums + t * QK_GROUP_COLUMNS + 8 * h);
        _mm256_storeu_si256(sum, _mm256_add_epi32(_mm256_loadu_si256(sum), _mm256_madd_epi16(words[t][h], ones)));
      }
  }
}

static void multiply4(const uint8_t *x, size_t x_stride, int32_t tokens, const uint8_t *panel, size_t panel_stride,
                      int32_t panels, int32_t depth, int32_t *sums) {
  (void)panel_stride, (void)panels;
  for (; tokens > TOKENS4; tokens -= TOKENS4) {
    tile4(TOKENS4, x, x_stride, panel, depth / 4, sums);
    x += TOKENS4 * x_stride;
    sums += TOKENS4 * QK_GROUP_COLUMNS;
  }
  switch (tokens) {
    case 1: tile4(1, x, x_stride, panel, depth / 4, sums); break;
    case 2: tile4(2, x, x_stride, panel, depth / 4, sums); break;
    case 3: tile4(3, x, x_stride, panel, depth / 4, sums); break;
    case 4: tile4(4, x, x_stride, panel, depth / 4, sums); break;
    default: break;
  }
}

const qk_gemm_kernel qk_gemm_avx2 = {
  .name = "gemm_x8_w8w4_6x16_avx2_maddwd_maddubs",
  .group_panels = 1,
  .w8 = { .activation_bytes = 2, .panel_bytes = 32, .tile_tokens = QK_TILE_AVX2_TOKENS,
          .load_activations = qk_widen_avx2, .load_panel = load_panel8, .multiply = multiply8,
          .multiply_onto = multiply8_onto },
  .w4 = { .activation_bytes = 1, .shifted = 1, .panel_bytes = 16, .tile_tokens = TOKENS4,
          .load_activations = qk_shift_activations_avx2, .load_panel = load_panel4, .multiply = multiply4 },
  .finish = qk_finish_avx2,
  .merge = qk_merge_avx2,
};

#pragma clang attribute pop
#endif
