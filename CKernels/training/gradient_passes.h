// Backward passes over the rows of a leaf: quantisers, GELU, and the rounding of gradients to codes.
// A body of passes_table.h.

/// Adds the share of the quantiser's step and leaves the part of the gradient that passes, from remainder bytes.
#define CUT(gradient, rest, low, high, step)                                                                  \
  do {                                                                                                        \
    const int_lanes byte = LOAD_BYTES(rest), below = byte == QK_REST_BELOW, above = byte == QK_REST_ABOVE;     \
    const lanes slope_of_step = CHOOSE(below, low, CHOOSE(above, high, TO_FLOATS(byte) * (1.0f / QK_REST_UNITS))); \
    STORE(step, LOAD(step) + (gradient) * slope_of_step);                                                     \
    gradient = CHOOSE(below | above, (lanes){ 0 }, gradient);                                                 \
  } while (0)

QK_CLONES static void cut_gradient(size_t rows, size_t width, const int8_t *rest, float lo, float hi, float *g, float *step) {
#pragma clang fp contract(off)
  const lanes low = ALL(lo), high = ALL(hi);
  memset(step, 0, width * sizeof *step);
  for (size_t r = 0; r < rows; r++, g += width, rest += width)
    for (size_t c = 0; c < width; c += QK_LANES) {
      lanes gradient = LOAD(g + c);
      CUT(gradient, rest + c, low, high, step + c);
      STORE(g + c, gradient);
    }
}

/// slope_row[c] = the entries of the codes: one gather for both slopes.
static inline __attribute__((always_inline)) void look_up_row(size_t width, const int8_t *restrict codes,
                                                              const int32_t *restrict table, int32_t *restrict row) {
  for (size_t c = 0; c < width; c++) row[c] = table[codes[c] + 128];
}

/// Which steps the gradient of a row goes through.
enum { IS_KEPT = 1, HAS_TABLE = 2, IS_CUT = 4 };

/// One row through its steps, with the sums and largest magnitudes by column; returns the largest magnitude of
/// g·row_step. `steps` is a constant after inlining.
static inline __attribute__((always_inline)) float measure_row(const int steps, const qk_output_gradient *o, size_t row,
                                                               float *g) {
#pragma clang fp contract(off)
  const size_t width = o->width;
  const lanes low = ALL(o->lo), high = ALL(o->hi);
  const lanes keep = ALL(steps & IS_KEPT ? o->keep[row / o->rows_per_image] : 1.0f);
  const int8_t *rest = o->rest + row * width;
  if (steps & HAS_TABLE) look_up_row(width, o->codes + row * width, o->slopes, o->entries);
  lanes top = { 0 };
  for (size_t c = 0; c < width; c += QK_LANES) {
    lanes gradient = LOAD(g + c);
    if (steps & IS_KEPT) gradient *= keep;
    if (steps & HAS_TABLE) {
      const int_lanes entry = LOAD_INTS(o->entries + c);
      const lanes slope = TO_FLOATS(entry >> 16) * QK_SLOPE_UNIT, table_slope = TO_FLOATS(entry << 16 >> 16) * QK_TABLE_UNIT;
      STORE(o->table_step + c, LOAD(o->table_step + c) + gradient * table_slope);
      gradient *= slope;
    }
    if (steps & IS_CUT) CUT(gradient, rest + c, low, high, o->step + c);
    if (steps) STORE(g + c, gradient);
    STORE(o->bias + c, LOAD(o->bias + c) + gradient);
    STORE(o->largest + c, LARGER_MAGNITUDE(LOAD(o->largest + c), MAGNITUDE(gradient)));
    top = LARGER_MAGNITUDE(top, MAGNITUDE(gradient * LOAD(o->row_step + c)));
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

/// Gradient codes. A NaN becomes some code; it is reported by the sums of the bias, which keep it.
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
  if (QK_LANES < QK_GRADIENT_COLUMNS && width % QK_GRADIENT_COLUMNS) {
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

QK_CLONES static void round_rows(size_t rows, size_t width, const float *g, size_t stride, int16_t *left, float *scale) {
  for (size_t r = 0; r < rows; r++, g += stride, left += width) {
    lanes top = { 0 };
    for (size_t c = 0; c < width; c += QK_LANES) top = LARGER_MAGNITUDE(top, MAGNITUDE(LOAD(g + c)));
    left_row(width, g, NULL, code_factor(LARGEST_OF(top), &scale[r]), left);
  }
}

QK_CLONES static void round_columns(size_t rows, size_t width, const float *g, float *factor, float *scale, int16_t *panels) {
  memset(factor, 0, width * sizeof *factor);
  for (size_t r = 0; r < rows; r++)
    for (size_t c = 0; c < width; c += QK_LANES)
      STORE(factor + c, LARGER_MAGNITUDE(LOAD(factor + c), MAGNITUDE(LOAD(g + r * width + c))));
  for (size_t c = 0; c < width; c++) factor[c] = code_factor(factor[c], &scale[c]);
  all_panels(rows, width, g, width, factor, panels);
}

QK_CLONES static float round_panels(size_t rows, size_t width, const float *g, size_t stride, float *factor, int16_t *panels) {
  lanes top = { 0 };
  for (size_t r = 0; r < rows; r++)
    for (size_t c = 0; c < width; c += QK_LANES) top = LARGER_MAGNITUDE(top, MAGNITUDE(LOAD(g + r * stride + c)));
  float unit;
  const float shared = code_factor(LARGEST_OF(top), &unit);
  for (size_t c = 0; c < width; c++) factor[c] = shared;
  all_panels(rows, width, g, stride, factor, panels);
  return unit;
}

static inline __attribute__((always_inline)) void measure_rows(const int steps, const qk_output_gradient *o) {
  for (size_t r = 0; r < o->rows; r++) {
    float *g = o->g + r * o->width;
    const float factor = code_factor(measure_row(steps, o, r, g), &o->left_scale[r]);
    left_row(o->width, g, o->row_step, factor, o->left + r * o->width);
  }
}

QK_CLONES static void prepare_gradient(const qk_output_gradient *o) {
  const size_t width = o->width;
  memset(o->bias, 0, width * sizeof *o->bias);
  memset(o->largest, 0, width * sizeof *o->largest);
  if (o->rest) memset(o->step, 0, width * sizeof *o->step);
  if (o->codes) memset(o->table_step, 0, width * sizeof *o->table_step);
  if (o->codes) measure_rows(HAS_TABLE | IS_CUT, o);
  else if (o->rest) measure_rows(IS_CUT, o);
  else if (o->keep) measure_rows(IS_KEPT, o);
  else measure_rows(0, o);
  for (size_t c = 0; c < width; c++) o->largest[c] = code_factor(o->largest[c], &o->panel_scale[c]);
  all_panels(o->rows, width, o->g, width, o->largest, o->panels);
}
