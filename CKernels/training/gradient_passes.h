// Backward passes over the rows of a leaf: quantisers, GELU, and the rounding of gradients to codes.
// One of the bodies in passes_table.h.

/// Adds to the gradient of the quantiser's step and keeps the part of the gradient that passes, both from remainder
/// bytes.
#define CUT(gradient, rest, low, high, step)                                                                  \
  do {                                                                                                        \
    const int_lanes byte = LOAD_BYTES(rest), below = byte == QK_REST_BELOW, above = byte == QK_REST_ABOVE;     \
    const lanes slope_of_step = CHOOSE(below, low, CHOOSE(above, high, TO_FLOATS(byte) * (1.0f / QK_REST_UNITS))); \
    step += (gradient) * slope_of_step;                                                                       \
    gradient = CHOOSE(below | above, (lanes){ 0 }, gradient);                                                 \
  } while (0)

QK_CLONES static void cut_gradient(size_t rows, size_t width, const int8_t *rest, float lo, float hi, float *g, float *step) {
  const lanes low = ALL(lo), high = ALL(hi);
  memset(step, 0, width * sizeof *step);
  for (size_t r = 0; r < rows; r++, g += width, rest += width)
    for (size_t c = 0; c < width; c += QK_LANES) {
      lanes gradient = LOAD(g + c), sum = LOAD(step + c);
      CUT(gradient, rest + c, low, high, sum);
      STORE(step + c, sum);
      STORE(g + c, gradient);
    }
}

/// Looks up the entries of the codes of up to QK_LOOKED_UP_ROWS rows from row `row` on.
static inline void look_up_rows(const qk_output_gradient *o, size_t row) {
  const size_t left = o->rows - row, count = (left < QK_LOOKED_UP_ROWS ? left : QK_LOOKED_UP_ROWS) * o->width;
  const size_t step = QK_LOOKED_UP_ROWS * o->width;
  const int8_t *codes = o->codes + row * o->width;
  qk_look_up(count, codes, o->tables->upper, o->entries);
  qk_look_up(count, codes, o->tables->lower, o->entries + step);
  qk_look_up(count, codes, o->tables->rest, o->entries + 2 * step);
}

/// Steps that the gradient of a row goes through.
enum { IS_KEPT = 1, HAS_TABLE = 2, IS_CUT = 4 };
/// Rows that are measured together; divides QK_LOOKED_UP_ROWS.
enum { MEASURED_ROWS = 4 };

/// Takes `count` rows from `row` on through their steps, with the sums and largest magnitudes by column, which stay in
/// registers from row to row. top[i] is the largest magnitude of g·row_step of row i. `steps` and `count` are constants
/// after inlining, and the rows of a group are looked up together.
static inline __attribute__((always_inline)) void measure_group(const int steps, const size_t count, const qk_output_gradient *o,
                                                                size_t row, float *top) {
  const size_t width = o->width;
  const lanes low = ALL(o->lo), high = ALL(o->hi);
  float *g = o->g + row * width;
  const int8_t *rest = o->rest + row * width, *codes = o->codes + row * width;
  const uint8_t *upper = o->entries + row % QK_LOOKED_UP_ROWS * width, *lower = upper + QK_LOOKED_UP_ROWS * width;
  const uint8_t *table_rest = lower + QK_LOOKED_UP_ROWS * width;
  const lanes table_low = ALL(steps & HAS_TABLE ? o->tables->lo : 0), table_high = ALL(steps & HAS_TABLE ? o->tables->hi : 0);
  if (steps & HAS_TABLE && row % QK_LOOKED_UP_ROWS == 0) look_up_rows(o, row);
  // Bytes come from memory: those of the rows that are looked up next are fetched, one line per step.
  const size_t ahead = QK_LOOKED_UP_ROWS * width;
  lanes tops[MEASURED_ROWS];
  float keep[MEASURED_ROWS];
#pragma clang loop unroll(full)
  for (size_t r = 0; r < count; r++) {
    tops[r] = (lanes){ 0 };
    if (steps & IS_KEPT) keep[r] = o->keep[(row + r) / o->rows_per_image];
  }
  for (size_t c = 0; c < width; c += QK_LANES) {
    const lanes row_step = LOAD(o->row_step + c);
    lanes bias = LOAD(o->bias + c), largest = LOAD(o->largest + c), step, table_step;
    if (steps & IS_CUT) step = LOAD(o->step + c);
    if (steps & HAS_TABLE) table_step = LOAD(o->table_step + c);
    if (steps & IS_CUT) FETCH(rest, ahead + count * c);
    if (steps & HAS_TABLE) FETCH(codes, ahead + count * c);
#pragma clang loop unroll(full)
    for (size_t r = 0; r < count; r++) {
      const size_t at = r * width + c;
      lanes gradient = LOAD(g + at);
      if (steps & IS_KEPT) gradient *= keep[r];
      if (steps & HAS_TABLE) {
        const int_lanes low_half = LOAD_UNSIGNED(lower + at);
        const lanes slope = TO_FLOATS(LOAD_BYTES(upper + at) << 8 | low_half) * QK_SLOPE_UNIT;
        lanes unused = gradient;
        CUT(unused, table_rest + at, table_low, table_high, table_step);
        gradient *= slope;
      }
      if (steps & IS_CUT) CUT(gradient, rest + at, low, high, step);
      if (steps) STORE(g + at, gradient);
      bias += gradient;
      largest = LARGER_MAGNITUDE(largest, MAGNITUDE(gradient));
      tops[r] = LARGER_MAGNITUDE(tops[r], MAGNITUDE(gradient * row_step));
    }
    STORE(o->bias + c, bias);
    STORE(o->largest + c, largest);
    if (steps & IS_CUT) STORE(o->step + c, step);
    if (steps & HAS_TABLE) STORE(o->table_step + c, table_step);
  }
#pragma clang loop unroll(full)
  for (size_t r = 0; r < count; r++) top[r] = LARGEST_OF(tops[r]);
}

/// The factor that brings magnitudes up to `largest` into the range of the codes, and the value of one code in `unit`;
/// both are 0 when `largest` is at most 2^−100. The factor of words is a power of two, so that it and its inverse are
/// exact.
static inline __attribute__((always_inline)) float code_factor(const qk_gradient_form form, float largest, float *unit) {
  if (!(largest > 0x1p-100f)) {
    *unit = 0;
    return 0;
  }
  if (!(largest < 0x1p100f)) {
    // Diverged: the gradient becomes a NaN that the training loop reports.
    *unit = NAN;
    return 0;
  }
  if (form == QK_GRADIENT_BYTES) {
    *unit = largest / (float)QK_GRADIENT_BYTE_LIMIT;
    return (float)QK_GRADIENT_BYTE_LIMIT / largest;
  }
  // 2^e ≤ largest < 2^(e + 1): times 2^(13 − e) codes stay below 2^14 before rounding, and are clamped to 2^14 − 1.
  union { float f; uint32_t bits; } exponent = { .f = largest }, inverse;
  exponent.bits &= 0x7f800000u;
  inverse.bits = 0x7f000000u - exponent.bits;  // 2^−e
  *unit = exponent.f * 0x1p-13f;
  return inverse.f * 0x1p13f;
}

/// Gradient codes. A NaN becomes some code; the sums of the bias keep the NaN and report it.
#define CODES_OF(v, limit) TO_INTS(ROUND(CLAMP((v), (lanes){ 0 } - (float)(limit), (lanes){ 0 } + (float)(limit))))

/// round(v), |v| < 2^22, as the low bits of a float near 1.5·2^23, whose units are 1. For byte codes, whose factors
/// leave nothing to clamp. The words are BYTE_ZERO + code.
#define BYTE_ZERO 0x4b400000u
#define BYTE_WORDS(v) ((word_lanes)((v) + 0x1.8p23f))

/// Writes the codes of a row of the left operand; row_step may be null (all 1). Returns the sum of the codes, for
/// bytes.
static inline __attribute__((always_inline)) int32_t left_row(const qk_gradient_form form, size_t width, const float *g,
                                                              const float *row_step, float factor, void *left) {
  word_lanes total = { 0 };
  for (size_t c = 0; c < width; c += QK_LANES) {
    const lanes scaled = row_step ? LOAD(g + c) * LOAD(row_step + c) : LOAD(g + c);
    if (form == QK_GRADIENT_BYTES) {
      const word_lanes words = BYTE_WORDS(scaled * factor);
      STORE_BYTES((int8_t *)left + c, words);
      total += words;
    } else {
      const int_lanes codes = CODES_OF(scaled * factor, QK_GRADIENT_LIMIT);
      *(short_lanes *)((int16_t *)left + c) = __builtin_convertvector(codes, short_lanes);
    }
  }
  return (int32_t)(__builtin_reduce_add(total) - (uint32_t)width * BYTE_ZERO);
}

/// g[r][c]·weight[r]; weight may be null (all 1), a constant after inlining.
#define WEIGHED(g, place, weight, r) ((weight) ? LOAD((g) + (place)) * (weight)[r] : LOAD((g) + (place)))

/// Writes one group of rows as lines of all panels; rows from `count` on are zeros. Sums of the codes are added to
/// `sums`, for bytes.
static inline __attribute__((always_inline)) void panel_rows(const qk_gradient_form form, const size_t count, size_t width,
                                                             size_t panel_step, const float *g, size_t stride,
                                                             const float *weight, const float *factor, int32_t *sums,
                                                             uint8_t *out) {
  for (size_t c = 0; c < width; c += QK_LANES) {
    const lanes f = LOAD(factor + c);
    word_lanes group = { 0 };
    word_lanes total = { 0 };
#pragma clang loop unroll(full)
    for (size_t r = 0; r < count; r++) {
      const lanes scaled = WEIGHED(g, r * stride + c, weight, r) * f;
      if (form == QK_GRADIENT_BYTES) {
        const word_lanes words = BYTE_WORDS(scaled);
        group |= (words & 0xff) << 8 * (uint32_t)r;
        total += words;
      } else {
        group |= ((word_lanes)CODES_OF(scaled, QK_GRADIENT_LIMIT) & 0xffff) << 16 * (uint32_t)r;
      }
    }
    uint8_t *line = out + c / QK_GRADIENT_COLUMNS * panel_step + c % QK_GRADIENT_COLUMNS * QK_GRADIENT_GROUP_BYTES;
    *(word_lanes *)(void *)line = group;
    if (form == QK_GRADIENT_BYTES) *(word_lanes *)(void *)(sums + c) += total - (uint32_t)count * BYTE_ZERO;
  }
  if (QK_LANES < QK_GRADIENT_COLUMNS && width % QK_GRADIENT_COLUMNS) {
    uint8_t *line = out + width / QK_GRADIENT_COLUMNS * panel_step + QK_LANES * QK_GRADIENT_GROUP_BYTES;
    *(word_lanes *)(void *)line = (word_lanes){ 0 };
  }
}

static inline __attribute__((always_inline)) void all_panels(const qk_gradient_form form, size_t rows, size_t width,
                                                             const float *g, size_t stride, const float *weight,
                                                             const float *factor, int32_t *sums, uint8_t *panels) {
  const size_t group = qk_gradient_group(form), step = qk_gradient_panel_bytes(form, rows, 1);
  if (form == QK_GRADIENT_BYTES) memset(sums, 0, width * sizeof *sums);
  size_t r = 0;
  for (; r + group <= rows; r += group, g += group * stride, panels += QK_GRADIENT_LINE_BYTES) {
    panel_rows(form, group, width, step, g, stride, weight, factor, sums, panels);
    if (weight) weight += group;
  }
  switch (rows - r) {
    case 1: panel_rows(form, 1, width, step, g, stride, weight, factor, sums, panels); break;
    case 2: panel_rows(form, 2, width, step, g, stride, weight, factor, sums, panels); break;
    case 3: panel_rows(form, 3, width, step, g, stride, weight, factor, sums, panels); break;
    default: break;
  }
}

static inline __attribute__((always_inline)) void all_rows(const qk_gradient_form form, size_t rows, size_t width,
                                                           const float *g, size_t stride, void *left, float *scale,
                                                           int32_t *sums) {
  const size_t element = qk_gradient_element(form);
  for (size_t r = 0; r < rows; r++, g += stride) {
    lanes top = { 0 };
    for (size_t c = 0; c < width; c += QK_LANES) top = LARGER_MAGNITUDE(top, MAGNITUDE(LOAD(g + c)));
    const float factor = code_factor(form, LARGEST_OF(top), &scale[r]);
    const int32_t sum = left_row(form, width, g, NULL, factor, (uint8_t *)left + r * width * element);
    if (form == QK_GRADIENT_BYTES) sums[r] = sum;
  }
}

QK_CLONES static void round_rows(qk_gradient_form form, size_t rows, size_t width, const float *g, size_t stride,
                                 void *left, float *scale, int32_t *sums) {
  if (form == QK_GRADIENT_BYTES) all_rows(QK_GRADIENT_BYTES, rows, width, g, stride, left, scale, sums);
  else all_rows(QK_GRADIENT_WORDS, rows, width, g, stride, left, scale, NULL);
}

/// Turns the largest magnitudes of columns into factors and the values of one code.
static inline __attribute__((always_inline)) void column_factors(const qk_gradient_form form, size_t width, float *factor,
                                                                 float *scale) {
  for (size_t c = 0; c < width; c++) factor[c] = code_factor(form, factor[c], &scale[c]);
}

static inline __attribute__((always_inline)) void all_columns(const qk_gradient_form form, size_t rows, size_t width,
                                                              const float *g, size_t stride, const float *weight,
                                                              float *factor, float *scale, int32_t *sums, uint8_t *panels) {
  memset(factor, 0, width * sizeof *factor);
  for (size_t r = 0; r < rows; r++)
    for (size_t c = 0; c < width; c += QK_LANES)
      STORE(factor + c, LARGER_MAGNITUDE(LOAD(factor + c), MAGNITUDE(WEIGHED(g, r * stride + c, weight, r))));
  column_factors(form, width, factor, scale);
  all_panels(form, rows, width, g, stride, weight, factor, sums, panels);
}

static inline __attribute__((always_inline)) void columns_of(const qk_gradient_form form, size_t rows, size_t width,
                                                             const float *g, size_t stride, const float *weight,
                                                             float *factor, float *scale, int32_t *sums, void *panels) {
  if (weight) all_columns(form, rows, width, g, stride, weight, factor, scale, sums, panels);
  else all_columns(form, rows, width, g, stride, NULL, factor, scale, sums, panels);
}

QK_CLONES static void round_columns(qk_gradient_form form, size_t rows, size_t width, const float *g, size_t stride,
                                    const float *weight, float *factor, float *scale, int32_t *sums, void *panels) {
  if (form == QK_GRADIENT_BYTES) columns_of(QK_GRADIENT_BYTES, rows, width, g, stride, weight, factor, scale, sums, panels);
  else columns_of(QK_GRADIENT_WORDS, rows, width, g, stride, weight, factor, scale, NULL, panels);
}

/// Computes steps, sums, magnitudes, and codes of the left operand, for a few rows.
static inline __attribute__((always_inline)) void measure_rows(const qk_gradient_form form, const int steps,
                                                               const size_t count, const qk_output_gradient *o, size_t row) {
  const size_t element = qk_gradient_element(form);
  float top[MEASURED_ROWS];
  measure_group(steps, count, o, row, top);
  for (size_t r = row; r < row + count; r++) {
    const float factor = code_factor(form, top[r - row], &o->left_scale[r]);
    const int32_t sum = left_row(form, o->width, o->g + r * o->width, o->row_step, factor,
                                 (uint8_t *)o->left + r * o->width * element);
    if (form == QK_GRADIENT_BYTES) o->left_sums[r] = sum;
  }
}

static inline __attribute__((always_inline)) void measure_all(const qk_gradient_form form, const int steps,
                                                              const qk_output_gradient *o) {
  size_t r = 0;
  for (; r + MEASURED_ROWS <= o->rows; r += MEASURED_ROWS) measure_rows(form, steps, MEASURED_ROWS, o, r);
  for (; r < o->rows; r++) measure_rows(form, steps, 1, o, r);
}

static inline __attribute__((always_inline)) void prepare(const qk_gradient_form form, const qk_output_gradient *o) {
  const size_t width = o->width;
  memset(o->bias, 0, width * sizeof *o->bias);
  memset(o->largest, 0, width * sizeof *o->largest);
  if (o->rest) memset(o->step, 0, width * sizeof *o->step);
  if (o->codes) memset(o->table_step, 0, width * sizeof *o->table_step);
  if (o->codes) measure_all(form, HAS_TABLE | IS_CUT, o);
  else if (o->rest) measure_all(form, IS_CUT, o);
  else if (o->keep) measure_all(form, IS_KEPT, o);
  else measure_all(form, 0, o);
  column_factors(form, width, o->largest, o->panel_scale);
  all_panels(form, o->rows, width, o->g, width, NULL, o->largest, o->panel_sums, o->panels);
}

QK_CLONES static void prepare_gradient(const qk_output_gradient *o) {
  if (o->form == QK_GRADIENT_BYTES) prepare(QK_GRADIENT_BYTES, o);
  else prepare(QK_GRADIENT_WORDS, o);
}
