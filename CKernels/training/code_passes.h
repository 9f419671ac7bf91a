// Forward passes over the rows of a leaf: values to codes and remainders, residual sums, LayerNorm.
// One of the bodies in passes_table.h.

/// Codes and remainders of QK_LANES values v.
#define PUT_CODES(v, lo, hi, code, rest)                                                    \
  do {                                                                                      \
    const lanes rounded = CLAMP(ROUND(v), lo, hi);                                          \
    const int_lanes within = TO_INTS(ROUND((rounded - (v)) * QK_REST_UNITS));               \
    const int_lanes below = (v) < (lo), above = (v) > (hi);                                 \
    const int_lanes cut = CHOOSE_INTS(below, (int_lanes){ 0 } + QK_REST_BELOW,              \
                                      CHOOSE_INTS(above, (int_lanes){ 0 } + QK_REST_ABOVE, within)); \
    STORE_BYTES(code, TO_INTS(rounded));                                                    \
    STORE_BYTES(rest, cut);                                                                 \
  } while (0)

QK_CLONES static void values_to_codes(size_t rows, size_t width, const float *x, float factor, float lo, float hi,
                                int8_t *codes, int8_t *rest) {
  const lanes low = ALL(lo), high = ALL(hi);
  for (size_t i = 0; i < rows * width; i += QK_LANES) {
    const lanes v = LOAD(x + i) * factor;
    PUT_CODES(v, low, high, codes + i, rest + i);
  }
}

QK_CLONES static void add_branch(size_t rows, size_t width, size_t rows_per_image, const int32_t *sums, const float *factor,
                           const float *keep, const float *x, float *y) {
  for (size_t r = 0; r < rows; r++, sums += width, x += width, y += width) {
    const lanes k = ALL(keep ? keep[r / rows_per_image] : 1.0f);
    for (size_t c = 0; c < width; c += QK_LANES) {
      const lanes branch = k * (TO_FLOATS(LOAD_INTS(sums + c)) * LOAD(factor + c));
      STORE(y + c, LOAD(x + c) + branch);
    }
  }
}

/// Mean and 1/√(variance + epsilon).
static inline __attribute__((always_inline)) void statistics_of(size_t width, const float *x, float epsilon, float *out) {
  lanes sum = { 0 }, squares = { 0 };
  for (size_t c = 0; c < width; c += QK_LANES) sum += LOAD(x + c);
  const float mean = SUM_OF(sum) / (float)width;
  for (size_t c = 0; c < width; c += QK_LANES) {
    const lanes d = LOAD(x + c) - mean;
    squares += d * d;
  }
  out[0] = mean;
  out[1] = 1.0f / sqrtf(SUM_OF(squares) / (float)width + epsilon);
}

QK_CLONES static void norm_statistics(size_t rows, size_t width, const float *x, float epsilon, float *statistics) {
  for (size_t r = 0; r < rows; r++) statistics_of(width, x + r * width, epsilon, statistics + 2 * r);
}

QK_CLONES static void norm_to_codes(size_t rows, size_t width, const float *x, const float *weight, const float *bias,
                              float epsilon, float inverse_step, float lo, float hi, int8_t *codes, float *statistics) {
  // Forms the sums of eight rows before their codes: few enough instructions per row that the CPU overlaps their
  // chains.
  enum { TOGETHER = 8 };
  const lanes low = ALL(lo), high = ALL(hi);
  for (size_t r = 0; r < rows; r++, x += width, codes += width, statistics += 2) {
    if (r % TOGETHER == 0) norm_statistics(rows - r < TOGETHER ? rows - r : TOGETHER, width, x, epsilon, statistics);
    for (size_t c = 0; c < width; c += QK_LANES) {
      const lanes normed = (LOAD(x + c) - statistics[0]) * statistics[1];
      const lanes scaled = normed * LOAD(weight + c);
      const lanes v = (scaled + LOAD(bias + c)) * inverse_step;
      STORE_BYTES(codes + c, TO_INTS(CLAMP(ROUND(v), low, high)));
    }
  }
}
