// Backward passes over the rows of a leaf: quantisers, GELU, and the rounding of gradients to codes.
#include "block.h"

/// The part of the gradient that passes the quantiser, and the share of its step, from remainder bytes.
static inline __attribute__((always_inline)) void cut_row(size_t width, const int8_t *rest, float lo, float hi, float *g,
                                                          float *step) {
#pragma clang fp contract(off)
  const lanes low = ALL(lo), high = ALL(hi), zero = { 0 };
  for (size_t c = 0; c < width; c += QK_LANES) {
    const int_lanes byte = LOAD_BYTES(rest + c);
    const int_lanes below = byte == QK_REST_BELOW, above = byte == QK_REST_ABOVE;
    const lanes within = TO_FLOATS(byte) * (1.0f / QK_REST_UNITS), gradient = LOAD(g + c);
    const lanes slope = CHOOSE(below, low, CHOOSE(above, high, within));
    STORE(step + c, LOAD(step + c) + gradient * slope);
    STORE(g + c, CHOOSE(below | above, zero, gradient));
  }
}

QK_PASS void qk_cut_gradient(size_t rows, size_t width, const int8_t *rest, float lo, float hi, float *g, float *step) {
  memset(step, 0, width * sizeof *step);
  for (size_t r = 0; r < rows; r++) cut_row(width, rest + r * width, lo, hi, g + r * width, step);
}

static inline __attribute__((always_inline)) void table_row(size_t width, const int8_t *restrict codes,
                                                            const float *restrict slope,
                                                            const float *restrict table_slope, float *restrict g,
                                                            float *restrict step) {
#pragma clang fp contract(off)
  for (size_t c = 0; c < width; c++) {
    const int32_t entry = codes[c] + 128;
    const float share = g[c] * table_slope[entry];
    step[c] += share;
    g[c] *= slope[entry];
  }
}

/// Sums, largest magnitudes by column, and the largest magnitude of g·row_step of the row.
static inline __attribute__((always_inline)) float measure_row(size_t width, const float *g, const float *row_step,
                                                               float *bias, float *largest) {
#pragma clang fp contract(off)
  lanes top = { 0 };
  for (size_t c = 0; c < width; c += QK_LANES) {
    const lanes gradient = LOAD(g + c), scaled = gradient * LOAD(row_step + c);
    STORE(bias + c, LOAD(bias + c) + gradient);
    STORE(largest + c, LARGER(LOAD(largest + c), MAGNITUDE(gradient)));
    top = LARGER(top, MAGNITUDE(scaled));
  }
  return LARGEST_OF(top);
}

/// The factor that brings magnitudes up to `largest` to at most QK_GRADIENT_LIMIT, a power of two, so that it and its
/// inverse are exact; 0 when all are 0.
static inline float code_factor(float largest, float *unit) {
  if (!(largest > 0x1p-100f)) {
    *unit = 0;
    return 0;
  }
  if (!(largest < 0x1p100f)) {
    // Diverged: the gradient becomes a NaN that the training loop reports.
    *unit = NAN;
    return 0;
  }
  // 2^e ≤ largest < 2^(e + 1): times 2^(13 − e) codes stay below 2^14 before rounding, and are clamped to 2^14 − 1.
  union { float f; uint32_t bits; } exponent = { .f = largest }, inverse;
  exponent.bits &= 0x7f800000u;
  inverse.bits = 0x7f000000u - exponent.bits;  // 2^−e
  *unit = exponent.f * 0x1p-13f;
  return inverse.f * 0x1p13f;
}

/// Eight gradient codes. A NaN becomes some code; it is reported by the sums of the bias, which keep it.
#define CODES_OF(v) \
  TO_INTS(ROUND(CLAMP((v), (lanes){ 0 } - (float)QK_GRADIENT_LIMIT, (lanes){ 0 } + (float)QK_GRADIENT_LIMIT)))

/// row_step may be null (all 1).
static inline __attribute__((always_inline)) void left_row(size_t width, const float *g, const float *row_step,
                                                           float factor, int16_t *left) {
#pragma clang fp contract(off)
  for (size_t c = 0; c < width; c += QK_LANES) {
    const lanes scaled = row_step ? LOAD(g + c) * LOAD(row_step + c) : LOAD(g + c);
    const int_lanes codes = CODES_OF(scaled * factor);
    *(short_lanes *)(left + c) = __builtin_convertvector(codes, short_lanes);
  }
}

/// A pair of rows as lines of all panels; the last row of an odd number stands beside zeros.
static inline __attribute__((always_inline)) void panel_rows(size_t width, size_t panel_step, const float *g,
                                                             const float *next, const float *factor, int16_t *out) {
#pragma clang fp contract(off)
  for (size_t c = 0; c < width; c += QK_LANES) {
    const word_lanes low = (word_lanes)CODES_OF(LOAD(g + c) * LOAD(factor + c));
    word_lanes high = { 0 };
    if (next) high = (word_lanes)CODES_OF(LOAD(next + c) * LOAD(factor + c));
    int16_t *line = out + c / QK_GRADIENT_COLUMNS * panel_step + c % QK_GRADIENT_COLUMNS * 2;
    *(word_lanes *)line = high << 16 | (low & 0xffff);
  }
  if (width % QK_GRADIENT_COLUMNS) {
    int16_t *line = out + width / QK_GRADIENT_COLUMNS * panel_step + QK_LANES * 2;
    *(word_lanes *)line = (word_lanes){ 0 };
  }
}

static inline __attribute__((always_inline)) void all_panels(size_t rows, size_t width, const float *g, size_t stride,
                                                             const float *factor, int16_t *panels) {
  const size_t panel_step = (rows + 1) / 2 * 2 * QK_GRADIENT_COLUMNS;
  for (size_t r = 0; r + 1 < rows; r += 2)
    panel_rows(width, panel_step, g + r * stride, g + (r + 1) * stride, factor, panels + r * QK_GRADIENT_COLUMNS);
  if (rows % 2)
    panel_rows(width, panel_step, g + (rows - 1) * stride, NULL, factor, panels + (rows - 1) * QK_GRADIENT_COLUMNS);
}

QK_PASS void qk_round_rows(size_t rows, size_t width, const float *g, size_t stride, int16_t *left, float *scale) {
  for (size_t r = 0; r < rows; r++, g += stride, left += width) {
    lanes top = { 0 };
    for (size_t c = 0; c < width; c += QK_LANES) top = LARGER(top, MAGNITUDE(LOAD(g + c)));
    left_row(width, g, NULL, code_factor(LARGEST_OF(top), &scale[r]), left);
  }
}

QK_PASS void qk_round_columns(size_t rows, size_t width, const float *g, float *factor, float *scale, int16_t *panels) {
  memset(factor, 0, width * sizeof *factor);
  for (size_t r = 0; r < rows; r++)
    for (size_t c = 0; c < width; c += QK_LANES)
      STORE(factor + c, LARGER(LOAD(factor + c), MAGNITUDE(LOAD(g + r * width + c))));
  for (size_t c = 0; c < width; c++) factor[c] = code_factor(factor[c], &scale[c]);
  all_panels(rows, width, g, width, factor, panels);
}

QK_PASS float qk_round_panels(size_t rows, size_t width, const float *g, size_t stride, float *factor, int16_t *panels) {
  lanes top = { 0 };
  for (size_t r = 0; r < rows; r++)
    for (size_t c = 0; c < width; c += QK_LANES) top = LARGER(top, MAGNITUDE(LOAD(g + r * stride + c)));
  float unit;
  const float shared = code_factor(LARGEST_OF(top), &unit);
  for (size_t c = 0; c < width; c++) factor[c] = shared;
  all_panels(rows, width, g, stride, factor, panels);
  return unit;
}

QK_PASS void qk_prepare_gradient(const qk_output_gradient *o) {
#pragma clang fp contract(off)
  const size_t width = o->width;
  memset(o->bias, 0, width * sizeof *o->bias);
  memset(o->largest, 0, width * sizeof *o->largest);
  if (o->rest) memset(o->step, 0, width * sizeof *o->step);
  if (o->codes) memset(o->table_step, 0, width * sizeof *o->table_step);
  for (size_t r = 0; r < o->rows; r++) {
    float *g = o->g + r * width;
    if (o->keep) {
      const float keep = o->keep[r / o->rows_per_image];
      for (size_t c = 0; c < width; c += QK_LANES) STORE(g + c, LOAD(g + c) * keep);
    }
    if (o->codes) table_row(width, o->codes + r * width, o->slope, o->table_slope, g, o->table_step);
    if (o->rest) cut_row(width, o->rest + r * width, o->lo, o->hi, g, o->step);
    const float largest = measure_row(width, g, o->row_step, o->bias, o->largest);
    const float factor = code_factor(largest, &o->left_scale[r]);
    left_row(width, g, o->row_step, factor, o->left + r * width);
  }
  for (size_t c = 0; c < width; c++) o->largest[c] = code_factor(o->largest[c], &o->panel_scale[c]);
  all_panels(o->rows, width, o->g, width, o->largest, o->panels);
}
