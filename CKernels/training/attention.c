#include "attention.h"
#include "block_memory.h"

/// Work memory of a head; T tokens rounded up to lanes are the stride of everything T wide.
typedef struct head_memory {
  size_t stride;
  int16_t *queries, *left, *panels, *other;  ///< rows, rows, and two sets of panels
  float *scores, *scale, *factor, *rows;
} head_memory;

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

static void take(size_t tokens, size_t dimension, qk_memory *memory, head_memory *m) {
  m->stride = (tokens + QK_LANES - 1) / QK_LANES * QK_LANES;
  const size_t widest = larger(m->stride, dimension);
  const size_t panels = larger(larger(qk_gradient_panel_elements(tokens, dimension), qk_gradient_panel_elements(tokens, tokens)),
                               qk_gradient_panel_elements(dimension, tokens));
  m->queries = qk_take(memory, tokens * dimension * sizeof(int16_t));
  m->left = qk_take(memory, tokens * widest * sizeof(int16_t));
  m->panels = qk_take(memory, panels * sizeof(int16_t));
  m->other = qk_take(memory, panels * sizeof(int16_t));
  m->scores = qk_take(memory, tokens * m->stride * sizeof(float));
  m->scale = qk_take(memory, m->stride * sizeof(float));
  m->factor = qk_take(memory, widest * sizeof(float));
  m->rows = qk_take(memory, tokens * dimension * sizeof(float));
}

size_t qk_head_memory(size_t tokens, size_t dimension) {
  qk_memory memory = { .base = NULL };
  head_memory m;
  take(tokens, dimension, &memory, &m);
  return memory.used;
}

static head_memory memory_of(const qk_head *h, void *base) {
  qk_memory memory = { .base = base };
  head_memory m;
  take(h->tokens, h->dimension, &memory, &m);
  return m;
}

/// out[i][j] = (Σ_k left·right)·scale[i]
static qk_status multiply(size_t rows, size_t depth, size_t columns, const int16_t *left, size_t row_step,
                          const int16_t *right, const float *scale, float *out, size_t stride) {
  const qk_gradient_product product = {
    .rows = (int32_t)rows, .depth = (int32_t)depth, .columns = (int32_t)columns, .left = left, .row_step = row_step,
    .pair_step = 2, .right = right, .scale = scale, .output = out, .output_stride = stride,
  };
  return qk_gradient_multiply(&product);
}

/// out[j][c] = (Σ_i left[i, j]·right[i, c])·scale[j], the left operand as panels.
static qk_status multiply_transposed(size_t rows, size_t depth, size_t columns, const int16_t *panels,
                                     const int16_t *right, const float *scale, float *out, size_t stride) {
  const size_t step = (depth + 1) / 2 * 2 * QK_GRADIENT_COLUMNS;
  for (size_t j = 0; j < rows; j += QK_GRADIENT_COLUMNS) {
    const qk_gradient_product product = {
      .rows = (int32_t)qk_min(QK_GRADIENT_COLUMNS, rows - j), .depth = (int32_t)depth, .columns = (int32_t)columns,
      .left = panels + j / QK_GRADIENT_COLUMNS * step, .row_step = 2, .pair_step = 2 * QK_GRADIENT_COLUMNS,
      .right = right, .scale = scale + j, .output = out + j * stride, .output_stride = stride,
    };
    const qk_status status = qk_gradient_multiply(&product);
    if (status != QK_OK) return status;
  }
  return QK_OK;
}

/// out[t][0…dimension−1] = codes of rows `step` apart.
QK_PASS static void widen_rows(size_t rows, size_t dimension, const int8_t *codes, size_t step, int16_t *out) {
  for (size_t t = 0; t < rows; t++)
    for (size_t c = 0; c < dimension; c += QK_LANES)
      *(short_lanes *)(out + t * dimension + c) =
          __builtin_convertvector(*(const byte_lanes *)(codes + t * step + c), short_lanes);
}

/// Rows of scores to probability codes, as bytes and as 16-bit rows with zeros behind; sum[i] = Σ_j P.
QK_PASS static void soften(size_t tokens, size_t stride, float levels, float *scores, uint8_t *probabilities,
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

QK_PASS static void fill(size_t count, float value, float *out) {
  for (size_t i = 0; i < count; i++) out[i] = value;
}

QK_PASS static void divide(size_t count, float value, float *sums) {
  for (size_t i = 0; i < count; i++) sums[i] = value / sums[i];
}

qk_status qk_head_forward(const qk_head *h, void *memory, float *out, size_t stride) {
  const head_memory m = memory_of(h, memory);
  const size_t t = h->tokens, d = h->dimension, row = 3 * h->inner;
  const int8_t *k = h->qkv + h->inner, *v = k + h->inner;
  widen_rows(t, d, h->qkv, row, m.queries);
  qk_gradient_transposed_panels(d, t, k, row, m.panels);
  fill(t, h->step[0] * h->step[1] * h->score_scale, m.scale);
  qk_status status = multiply(t, d, t, m.queries, d, m.panels, m.scale, m.scores, m.stride);
  if (status != QK_OK) return status;
  soften(t, m.stride, h->levels, m.scores, h->probabilities, m.left, m.scale);
  divide(t, h->step[2], m.scale);
  qk_gradient_code_panels(t, d, v, row, 0, 0, m.other);
  return multiply(t, t, d, m.left, m.stride, m.other, m.scale, out, stride);
}

/// inverse[i] = 1 / Σ_j P
QK_PASS static void invert_sums(size_t tokens, const uint8_t *probabilities, float *inverse) {
  for (size_t i = 0; i < tokens; i++) {
    int32_t sum = 0;
    for (size_t j = 0; j < tokens; j++) sum += probabilities[i * tokens + j];
    inverse[i] = 1.0f / (float)sum;
  }
}

/// scores[i][j] = factor·p⊙(dP − Σ p⊙dP) in place of dP; zeros behind.
QK_PASS static void score_gradients(size_t tokens, size_t stride, const uint8_t *probabilities, const float *inverse,
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
QK_PASS static void weigh_rows(size_t tokens, size_t dimension, const float *gout, size_t stride, const float *inverse,
                               float *rows) {
  for (size_t i = 0; i < tokens; i++)
    for (size_t c = 0; c < dimension; c += QK_LANES)
      STORE(rows + i * dimension + c, LOAD(gout + i * stride + c) * inverse[i]);
}

QK_PASS static void scale_all(size_t count, float factor, float *values) {
  for (size_t i = 0; i < count; i++) values[i] *= factor;
}

qk_status qk_head_backward(const qk_head *h, void *memory, const float *gout, float *gqkv) {
  const head_memory m = memory_of(h, memory);
  const size_t t = h->tokens, d = h->dimension, inner = h->inner, row = 3 * inner;
  const int8_t *k = h->qkv + inner, *v = k + inner;
  float *gq = gqkv, *gk = gqkv + inner, *gv = gk + inner;

  // dP = dO·vᵀ
  qk_round_rows(t, d, gout, inner, m.left, m.scale);
  scale_all(t, h->step[2], m.scale);
  qk_gradient_transposed_panels(d, t, v, row, m.panels);
  qk_status status = multiply(t, d, t, m.left, d, m.panels, m.scale, m.scores, m.stride);
  if (status != QK_OK) return status;

  // dv = pᵀ·dO, the division by ΣP at the rows of dO: one scale for the head, for it is a column of the left operand.
  invert_sums(t, h->probabilities, m.scale);
  score_gradients(t, m.stride, h->probabilities, m.scale, h->score_scale, m.scores);
  weigh_rows(t, d, gout, inner, m.scale, m.rows);
  qk_gradient_code_panels(t, t, h->probabilities, t, 1, 0, m.other);
  const float unit = qk_round_panels(t, d, m.rows, d, m.factor, m.panels);
  fill(t, unit, m.scale);
  status = multiply_transposed(t, t, d, m.other, m.panels, m.scale, gv, row);
  if (status != QK_OK) return status;

  // dq = dS·k
  qk_round_rows(t, m.stride, m.scores, m.stride, m.left, m.scale);
  scale_all(t, h->step[1], m.scale);
  qk_gradient_code_panels(t, d, k, row, 0, 0, m.panels);
  status = multiply(t, t, d, m.left, m.stride, m.panels, m.scale, gq, row);
  if (status != QK_OK) return status;

  // dk = dSᵀ·q
  qk_round_columns(t, m.stride, m.scores, m.factor, m.scale, m.other);
  scale_all(t, h->step[0], m.scale);
  qk_gradient_code_panels(t, d, h->qkv, row, 0, 0, m.panels);
  return multiply_transposed(t, t, d, m.other, m.panels, m.scale, gk, row);
}
