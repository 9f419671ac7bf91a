// The tile of backward products of 8 rows and 48 columns. A file defines, before it includes this inside its target
// attribute, qk_add_pairs(sum, a, b): sum[lane] + a[2·lane]·b[2·lane] + a[2·lane + 1]·b[2·lane + 1].
#include <immintrin.h>
#include <string.h>
#include "../../gemm/gradient_gemm.h"

static inline __m512i broadcast_pair(const int16_t *pair) {
  int32_t bits;
  memcpy(&bits, pair, sizeof bits);
  return _mm512_set1_epi32(bits);
}

/// `rows` and `panels` are constants after inlining.
static inline __attribute__((always_inline)) void tile(const int rows, const int panels, const qk_gradient_tile *t) {
  __m512i sum[QK_GRADIENT_TILE_ROWS][QK_GRADIENT_TILE_PANELS];
  const int16_t *row[QK_GRADIENT_TILE_ROWS];
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++) {
    row[r] = t->left + (size_t)r * t->row_step;
    // A register for every row, as in the tile of the forward products.
    __asm__("" : "+r"(row[r]));
#pragma clang loop unroll(full)
    for (int p = 0; p < panels; p++) sum[r][p] = _mm512_setzero_si512();
  }
  const int16_t *right = t->right;
  const size_t panel_step = t->panel_step, pair_step = t->pair_step;
  const int32_t pairs = t->pairs;
  size_t at = 0;
  for (int32_t k = 0; k < pairs; k++, at += pair_step, right += 2 * QK_GRADIENT_COLUMNS) {
    __m512i b[QK_GRADIENT_TILE_PANELS];
#pragma clang loop unroll(full)
    for (int p = 0; p < panels; p++) b[p] = _mm512_loadu_si512(right + (size_t)p * panel_step);
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) {
      const __m512i a = broadcast_pair(row[r] + at);
#pragma clang loop unroll(full)
      for (int p = 0; p < panels; p++) sum[r][p] = qk_add_pairs(sum[r][p], a, b[p]);
    }
  }
  const __mmask16 last = (__mmask16)(0xffffu >> (16 * panels - t->columns));
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++) {
    const __m512 scale = _mm512_set1_ps(t->scale[r]);
#pragma clang loop unroll(full)
    for (int p = 0; p < panels; p++) {
      float *out = t->output + (size_t)r * t->output_stride + 16 * p;
      const __mmask16 mask = p == panels - 1 ? last : (__mmask16)0xffff;
      __m512 value = _mm512_mul_ps(_mm512_cvtepi32_ps(sum[r][p]), scale);
      if (t->accumulate) value = _mm512_add_ps(_mm512_maskz_loadu_ps(mask, out), value);
      _mm512_mask_storeu_ps(out, mask, value);
    }
  }
}

static inline __attribute__((always_inline)) void choose_rows(const int panels, const qk_gradient_tile *t) {
  switch (t->rows) {
    case 1: tile(1, panels, t); break;
    case 2: tile(2, panels, t); break;
    case 3: tile(3, panels, t); break;
    case 4: tile(4, panels, t); break;
    case 5: tile(5, panels, t); break;
    case 6: tile(6, panels, t); break;
    case 7: tile(7, panels, t); break;
    default: tile(8, panels, t); break;
  }
}

static void multiply(const qk_gradient_tile *t) {
  switch (t->panels) {
    case 1: choose_rows(1, t); break;
    case 2: choose_rows(2, t); break;
    default: choose_rows(3, t); break;
  }
}
