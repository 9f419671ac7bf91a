// Row passes of one attention head. A body of passes_table.h.

/// out[t][0…dimension−1] = codes of rows `step` apart.
QK_CLONES static void widen_rows(size_t rows, size_t dimension, const int8_t *codes, size_t step, int16_t *out) {
  for (size_t t = 0; t < rows; t++)
    for (size_t c = 0; c < dimension; c += QK_LANES)
      *(short_lanes *)(out + t * dimension + c) =
          __builtin_convertvector(*(const byte_lanes *)(codes + t * step + c), short_lanes);
}

/// Rows of scores to probability codes, as bytes and as 16-bit rows with zeros behind; sum[i] = Σ_j P.
QK_CLONES static void soften(size_t tokens, size_t stride, float levels, float *scores, uint8_t *probabilities,
                           int16_t *left, float *sum) {
#pragma clang fp contract(off)
  for (size_t i = 0; i < tokens; i++) {
    float *s = scores + i * stride;
    int16_t *row = left + i * stride;
    for (size_t j = tokens; j < stride; j++) s[j] = s[0];
    lanes top = LOAD(s);
    for (size_t j = QK_LANES; j < stride; j += QK_LANES) top = LARGER(top, LOAD(s + j));
    const lanes most = ALL(LARGEST_OF(top));
    for (size_t j = 0; j < stride; j += QK_LANES) {
      // e^x as 2^n·e^r with the polynomial of qk_exp.
      const lanes x = LARGER(LOAD(s + j) - most, (lanes){ 0 } - 87.0f);
      const lanes n = ROUND(x * 1.44269504088896341f);
      const lanes r = (x - n * 0.693359375f) + n * 2.12194440054690583e-4f;
      lanes p = r * (1.0f / 720.0f) + 1.0f / 120.0f;
      p = p * r + 1.0f / 24.0f;
      p = p * r + 1.0f / 6.0f;
      p = p * r + 0.5f;
      p = p * r + 1.0f;
      p = p * r + 1.0f;
      const lanes power = (lanes)((TO_INTS(n) + 127) << 23);
      *(short_lanes *)(row + j) = __builtin_convertvector(TO_INTS(ROUND(p * power * levels)), short_lanes);
    }
    for (size_t j = tokens; j < stride; j++) row[j] = 0;
    int32_t total = 0;
    uint8_t *bytes = probabilities + i * tokens;
    for (size_t j = 0; j < tokens; j++) {
      bytes[j] = (uint8_t)row[j];
      total += row[j];
    }
    sum[i] = (float)total;
  }
}

/// scores[i][j] = factor·p⊙(dP − Σ p⊙dP) in place of dP; zeros behind.
QK_CLONES static void score_gradients(size_t tokens, size_t stride, const uint8_t *probabilities, const float *inverse,
                                    float factor, float *scores) {
#pragma clang fp contract(off)
  for (size_t i = 0; i < tokens; i++) {
    float *g = scores + i * stride, p[QK_FLOAT_ATTENTION_MAX_TOKENS + QK_LANES];
    for (size_t j = 0; j < tokens; j++) p[j] = (float)probabilities[i * tokens + j] * inverse[i];
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

