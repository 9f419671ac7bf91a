// The tiles of backward products, 8 rows by 48 columns. Before it includes this inside its target attribute, a file
// defines, for a group a of the left operand in every lane and a line b of a panel:
//   qk_add_words(sum, a, b): sum[lane] + Σ a[lane][i]·b[lane][i], i = 0, 1, int16
//   qk_add_bytes(sum, a, b): sum[lane] + Σ a[lane][i]·b[lane][i], i = 0…3, a int8 and b uint8
#include <immintrin.h>
#include "../../gemm/gradient_gemm.h"

/// The unsigned operand is the line for bytes, and the group for unsigned bytes.
static inline __m512i add(const qk_gradient_form form, __m512i sum, __m512i a, __m512i b) {
  switch (form) {
    case QK_GRADIENT_BYTES: return qk_add_bytes(sum, a, b);
    case QK_GRADIENT_UNSIGNED_BYTES: return qk_add_bytes(sum, b, a);
    default: return qk_add_words(sum, a, b);
  }
}

/// Sums, and the places of the next groups.
typedef struct tile_state {
  __m512i sum[QK_GRADIENT_TILE_ROWS][QK_GRADIENT_TILE_PANELS];
  const uint8_t *row[QK_GRADIENT_TILE_ROWS], *right, *fetch;
  size_t at;
} tile_state;

/// Adds the products of one group. `form`, `rows` and `panels` are constants after inlining.
static inline __attribute__((always_inline)) void add_group(const qk_gradient_form form, const int rows, const int panels,
                                                            size_t panel_step, size_t group_step, size_t fetch_step,
                                                            tile_state *s) {
  _mm_prefetch((const char *)s->fetch, _MM_HINT_T1);
  __m512i b[QK_GRADIENT_TILE_PANELS];
#pragma clang loop unroll(full)
  for (int p = 0; p < panels; p++) b[p] = _mm512_loadu_si512(s->right + (size_t)p * panel_step);
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++) {
    const __m512i a = _mm512_set1_epi32(qk_group_at(s->row[r] + s->at));
#pragma clang loop unroll(full)
    for (int p = 0; p < panels; p++) s->sum[r][p] = add(form, s->sum[r][p], a, b[p]);
  }
  s->at += group_step;
  s->right += QK_GRADIENT_LINE_BYTES;
  s->fetch += fetch_step;
}

/// `form`, `rows` and `panels` are constants after inlining.
static inline __attribute__((always_inline)) void tile(const qk_gradient_form form, const int rows, const int panels,
                                                       const qk_gradient_tile *t) {
  tile_state s = { .right = t->right, .fetch = t->fetch };
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++) {
    s.row[r] = t->left + (size_t)r * t->row_step;
    // One register per row, as in the tile of the forward products.
    __asm__("" : "+r"(s.row[r]));
    const __m512i start = form == QK_GRADIENT_BYTES ? _mm512_set1_epi32(-t->offset * t->left_sums[r]) : _mm512_setzero_si512();
#pragma clang loop unroll(full)
    for (int p = 0; p < panels; p++) s.sum[r][p] = start;
  }
  const size_t panel_step = t->panel_step, group_step = t->group_step, fetch_step = t->fetch_step;
  int32_t k = 0;
  // Each of the first groups requests one row of the output.
  const char *ahead = (const char *)t->output;
  for (const int32_t asked = rows < t->groups ? rows : t->groups; k < asked; k++, ahead += t->output_stride * sizeof(float)) {
#pragma clang loop unroll(full)
    for (int p = 0; p < panels; p++) _mm_prefetch(ahead + 64 * p, _MM_HINT_T0);
    add_group(form, rows, panels, panel_step, group_step, fetch_step, &s);
  }
  for (; k < t->groups; k++) add_group(form, rows, panels, panel_step, group_step, fetch_step, &s);
  __m512 value[QK_GRADIENT_TILE_ROWS][QK_GRADIENT_TILE_PANELS];
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++) {
    const __m512 scale = _mm512_set1_ps(t->scale[r]);
#pragma clang loop unroll(full)
    for (int p = 0; p < panels; p++) value[r][p] = _mm512_mul_ps(_mm512_cvtepi32_ps(s.sum[r][p]), scale);
  }
  const __mmask16 last = (__mmask16)(0xffffu >> (16 * panels - t->columns));
  for (int32_t i = 0; i < t->addends.count; i++) {
    const float *addend = t->addends.values[i] + t->addends.at;
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++, addend += t->addends.stride)
#pragma clang loop unroll(full)
      for (int p = 0; p < panels; p++) {
        const __mmask16 mask = p == panels - 1 ? last : (__mmask16)0xffff;
        value[r][p] = _mm512_add_ps(_mm512_maskz_loadu_ps(mask, addend + 16 * p), value[r][p]);
      }
  }
  if (t->factor != 1) {
    const __m512 factor = _mm512_set1_ps(t->factor);
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
      for (int p = 0; p < panels; p++) value[r][p] = _mm512_mul_ps(value[r][p], factor);
  }
  float *out = t->output;
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++, out += t->output_stride)
#pragma clang loop unroll(full)
    for (int p = 0; p < panels; p++)
      _mm512_mask_storeu_ps(out + 16 * p, p == panels - 1 ? last : (__mmask16)0xffff, value[r][p]);
}

static inline __attribute__((always_inline)) void choose_rows(const qk_gradient_form form, const int panels,
                                                              const qk_gradient_tile *t) {
  switch (t->rows) {
    case 1: tile(form, 1, panels, t); break;
    case 2: tile(form, 2, panels, t); break;
    case 3: tile(form, 3, panels, t); break;
    case 4: tile(form, 4, panels, t); break;
    case 5: tile(form, 5, panels, t); break;
    case 6: tile(form, 6, panels, t); break;
    case 7: tile(form, 7, panels, t); break;
    default: tile(form, 8, panels, t); break;
  }
}

static inline __attribute__((always_inline)) void choose_panels(const qk_gradient_form form, const qk_gradient_tile *t) {
  switch (t->panels) {
    case 1: choose_rows(form, 1, t); break;
    case 2: choose_rows(form, 2, t); break;
    default: choose_rows(form, 3, t); break;
  }
}

static void multiply_words(const qk_gradient_tile *t) { choose_panels(QK_GRADIENT_WORDS, t); }

static void multiply_bytes(const qk_gradient_tile *t) { choose_panels(QK_GRADIENT_BYTES, t); }

static void multiply_unsigned_bytes(const qk_gradient_tile *t) { choose_panels(QK_GRADIENT_UNSIGNED_BYTES, t); }
