// Row passes of one attention head. One of the bodies in passes_table.h.

/// sums[t] = Σ of dimension codes of row t; rows are `step` apart.
QK_CLONES static void sum_rows(size_t rows, size_t dimension, const int8_t *codes, size_t step, int32_t *sums) {
  for (size_t t = 0; t < rows; t++) {
    int_lanes total = { 0 };
    for (size_t c = 0; c < dimension; c += QK_LANES) total += LOAD_BYTES(codes + t * step + c);
    sums[t] = __builtin_reduce_add(total);
  }
}

/// Lanes below `count`.
#if QK_LANES == 16
#define FIRST_LANES(count) ((int_lanes){ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 } < (int_lanes){ 0 } + (count))
#else
#define FIRST_LANES(count) ((int_lanes){ 0, 1, 2, 3, 4, 5, 6, 7 } < (int_lanes){ 0 } + (count))
#endif

/// round(levels·e^(s − most)): e^x as 2^n·e^r with the polynomial of qk_exp.
#define SOFT_CODES(s, most)                                                    \
  ({                                                                           \
    const lanes x = LARGER((s) - (most), (lanes){ 0 } - 87.0f);                \
    const lanes n = ROUND(x * 1.44269504088896341f);                           \
    const lanes r = (x - n * 0.693359375f) + n * 2.12194440054690583e-4f;      \
    lanes p = r * (1.0f / 720.0f) + 1.0f / 120.0f;                             \
    p = p * r + 1.0f / 24.0f;                                                  \
    p = p * r + 1.0f / 6.0f;                                                   \
    p = p * r + 0.5f;                                                          \
    p = p * r + 1.0f;                                                          \
    p = p * r + 1.0f;                                                          \
    const lanes power = (lanes)((TO_INTS(n) + 127) << 23);                     \
    TO_INTS(ROUND(p * power * levels));                                        \
  })

/// Turns rows of scores into probability codes; sum[i] = Σ_j P. Memory after the last score of a row does not count as
/// scores.
QK_CLONES static void soften(size_t tokens, size_t stride, float levels, float *scores, uint8_t *probabilities,
                             float *sum) {
  const size_t whole = tokens / QK_LANES * QK_LANES, rest = tokens - whole;
  const int_lanes inside = FIRST_LANES((int32_t)rest);
  const lanes lowest = ALL(-0x1p100f);
  for (size_t i = 0; i < tokens; i++) {
    const float *s = scores + i * stride;
    uint8_t *bytes = probabilities + i * tokens;
    lanes top = lowest, last = lowest;
    if (rest) top = last = CHOOSE(inside, LOAD(s + whole), lowest);
    for (size_t j = 0; j < whole; j += QK_LANES) top = LARGER(top, LOAD(s + j));
    const lanes most = ALL(LARGEST_OF(top));
    int_lanes total = { 0 };
    for (size_t j = 0; j < whole; j += QK_LANES) {
      const int_lanes code = SOFT_CODES(LOAD(s + j), most);
      STORE_BYTES(bytes + j, code);
      total += code;
    }
    // Scores far below the largest have the code 0, and so have the stand-ins for those after the row.
    if (rest) {
      const int_lanes code = SOFT_CODES(last, most);
      for (size_t j = 0; j < rest; j++) bytes[whole + j] = (uint8_t)code[j];
      total += code;
    }
    sum[i] = (float)__builtin_reduce_add(total);
  }
}

/// The codes of a row after its last whole vector, followed by zeros. `readable` bytes may be read from `codes` on.
#define LAST_CODES(codes, rest, readable)                                          \
  ({                                                                               \
    int_lanes last_ = { 0 };                                                       \
    if ((readable) >= QK_LANES) last_ = LOAD_UNSIGNED(codes) & FIRST_LANES((int32_t)(rest)); \
    else for (size_t j_ = 0; j_ < (rest); j_++) last_[j_] = (codes)[j_];           \
    last_;                                                                         \
  })

/// Computes `count` rows of dS from row `row` on, and their codes. `count` is a constant after inlining.
static inline __attribute__((always_inline)) void score_rows(const qk_gradient_form form, const size_t count,
                                                             const qk_score_gradient *s, size_t row) {
  const size_t tokens = s->tokens, whole = tokens / QK_LANES * QK_LANES, rest = tokens - whole;
  const int_lanes inside = FIRST_LANES((int32_t)rest);
  const uint8_t *codes = s->probabilities + row * tokens;
  float *g = s->scores + row * s->stride;
  float dot[MEASURED_ROWS], weight[MEASURED_ROWS];
  lanes top[MEASURED_ROWS], last[MEASURED_ROWS];
#pragma clang loop unroll(full)
  for (size_t r = 0; r < count; r++) {
    int_lanes total = { 0 };
    lanes products = { 0 };
    for (size_t j = 0; j < whole; j += QK_LANES) {
      const int_lanes code = LOAD_UNSIGNED(codes + r * tokens + j);
      total += code;
      products += TO_FLOATS(code) * LOAD(g + r * s->stride + j);
    }
    if (rest) {
      const int_lanes code = LAST_CODES(codes + r * tokens + whole, rest, (tokens - row - r) * tokens - whole);
      float *place = g + r * s->stride + whole;
      STORE(place, (lanes)((int_lanes)LOAD(place) & inside));
      last[r] = TO_FLOATS(code);
      total += code;
      products += last[r] * LOAD(place);
    }
    const float inverse = 1.0f / (float)__builtin_reduce_add(total);
    s->inverse[row + r] = inverse;
    dot[r] = SUM_OF(products) * inverse;
    weight[r] = inverse * s->factor;
    top[r] = (lanes){ 0 };
  }
#define PUT_SCORES(r, at, code)                                          \
  do {                                                                   \
    float *place = g + (r) * s->stride + (at);                           \
    const lanes value = (LOAD(place) - dot[r]) * ((code) * weight[r]);   \
    STORE(place, value);                                                 \
    largest = LARGER_MAGNITUDE(largest, MAGNITUDE(value));               \
    top[r] = LARGER_MAGNITUDE(top[r], MAGNITUDE(value));                 \
  } while (0)
  for (size_t j = 0; j < whole; j += QK_LANES) {
    lanes largest = LOAD(s->largest + j);
    // Fetches the codes of the next rows, which come from memory.
    FETCH(codes, MEASURED_ROWS * tokens + count * j);
#pragma clang loop unroll(full)
    for (size_t r = 0; r < count; r++) PUT_SCORES(r, j, TO_FLOATS(LOAD_UNSIGNED(codes + r * tokens + j)));
    STORE(s->largest + j, largest);
  }
  if (rest) {
    lanes largest = LOAD(s->largest + whole);
#pragma clang loop unroll(full)
    for (size_t r = 0; r < count; r++) PUT_SCORES(r, whole, last[r]);
    STORE(s->largest + whole, largest);
  }
#undef PUT_SCORES
  const size_t width = whole + (rest ? QK_LANES : 0), element = qk_gradient_element(form);
  for (size_t r = 0; r < count; r++) {
    const float factor = code_factor(form, LARGEST_OF(top[r]), &s->left_scale[row + r]);
    const int32_t sum = left_row(form, width, g + r * s->stride, NULL, factor,
                                 (uint8_t *)s->left + (row + r) * s->stride * element);
    if (form == QK_GRADIENT_BYTES) s->left_sums[row + r] = sum;
  }
}

static inline __attribute__((always_inline)) void all_scores(const qk_gradient_form form, const qk_score_gradient *s) {
  const size_t width = (s->tokens + QK_LANES - 1) / QK_LANES * QK_LANES;
  memset(s->largest, 0, width * sizeof *s->largest);
  size_t row = 0;
  for (; row + MEASURED_ROWS <= s->tokens; row += MEASURED_ROWS) score_rows(form, MEASURED_ROWS, s, row);
  for (; row < s->tokens; row++) score_rows(form, 1, s, row);
  column_factors(form, width, s->largest, s->panel_scale);
  all_panels(form, s->tokens, width, s->scores, s->stride, NULL, s->largest, s->panel_sums, s->panels);
}

QK_CLONES static void score_gradients(const qk_score_gradient *s) {
  if (s->form == QK_GRADIENT_BYTES) all_scores(QK_GRADIENT_BYTES, s);
  else all_scores(QK_GRADIENT_WORDS, s);
}

QK_CLONES static void scale_columns(size_t rows, size_t width, const float *factor, float *values, size_t stride) {
  for (size_t r = 0; r < rows; r++, values += stride)
    for (size_t c = 0; c < width; c += QK_LANES) STORE(values + c, LOAD(values + c) * LOAD(factor + c));
}
