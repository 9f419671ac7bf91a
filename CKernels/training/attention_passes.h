// Row passes of one attention head. A body of passes_table.h.

/// sums[t] = Σ of dimension codes of row t; rows lie `step` apart.
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

/// Rows of scores to probability codes; sum[i] = Σ_j P. What lies behind the last score of a row is not read as one.
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
    // Scores far below the largest have the code 0, and so has what stands for those behind the row.
    if (rest) {
      const int_lanes code = SOFT_CODES(last, most);
      for (size_t j = 0; j < rest; j++) bytes[whole + j] = (uint8_t)code[j];
      total += code;
    }
    sum[i] = (float)__builtin_reduce_add(total);
  }
}

/// scores[i][j] = factor·p⊙(dP − Σ p⊙dP) in place of dP; zeros behind.
QK_CLONES static void score_gradients(size_t tokens, size_t stride, const uint8_t *probabilities, const float *inverse,
                                    float factor, float *scores) {
  for (size_t i = 0; i < tokens; i++) {
    float *g = scores + i * stride, p[QK_TRAINING_MAX_TOKENS + QK_LANES];
    const uint8_t *codes = probabilities + i * tokens;
    const size_t whole = tokens / QK_LANES * QK_LANES;
    for (size_t j = 0; j < whole; j += QK_LANES)
      STORE(p + j, TO_FLOATS(__builtin_convertvector(*(const unsigned_byte_lanes *)(codes + j), int_lanes)) * inverse[i]);
    for (size_t j = whole; j < tokens; j++) p[j] = (float)codes[j] * inverse[i];
    for (size_t j = tokens; j < stride; j++) p[j] = g[j] = 0;
    lanes sum = { 0 };
    for (size_t j = 0; j < stride; j += QK_LANES) sum += LOAD(p + j) * LOAD(g + j);
    const float dot = SUM_OF(sum);
    for (size_t j = 0; j < stride; j += QK_LANES) STORE(g + j, (LOAD(g + j) - dot) * LOAD(p + j) * factor);
  }
}

/// rows[i][c] = gout[i][c]·inverse[i]
QK_CLONES static void weigh_rows(size_t tokens, size_t dimension, const float *gout, size_t stride, const float *inverse,
                               float *rows) {
  for (size_t i = 0; i < tokens; i++)
    for (size_t c = 0; c < dimension; c += QK_LANES)
      STORE(rows + i * dimension + c, LOAD(gout + i * stride + c) * inverse[i]);
}

