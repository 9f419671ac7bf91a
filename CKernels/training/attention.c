#include "attention.h"
#include "block_memory.h"

/// Work memory of a head; T tokens rounded up to 16 are the stride of everything T wide.
typedef struct head_memory {
  size_t stride;
  int16_t *queries, *left, *panels, *other;  ///< rows, rows, and two sets of panels
  float *scores, *scale, *factor, *rows;
} head_memory;

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

static void take(size_t tokens, size_t dimension, qk_memory *memory, head_memory *m) {
  m->stride = (tokens + 15) / 16 * 16;
  const size_t widest = larger(m->stride, dimension);
  const size_t panels = larger(larger(qk_gradient_panel_bytes(QK_GRADIENT_WORDS, tokens, dimension),
                                      qk_gradient_panel_bytes(QK_GRADIENT_WORDS, tokens, tokens)),
                               qk_gradient_panel_bytes(QK_GRADIENT_WORDS, dimension, tokens));
  m->queries = qk_take(memory, tokens * dimension * sizeof(int16_t));
  m->left = qk_take(memory, tokens * widest * sizeof(int16_t));
  m->panels = qk_take(memory, panels);
  m->other = qk_take(memory, panels);
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
    .rows = (int32_t)rows, .depth = (int32_t)depth, .columns = (int32_t)columns, .left = left,
    .row_step = row_step * sizeof(int16_t), .group_step = QK_GRADIENT_GROUP_BYTES, .right = right, .scale = scale, .output = out, .output_stride = stride,
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
      .left = panels + j / QK_GRADIENT_COLUMNS * step, .row_step = QK_GRADIENT_GROUP_BYTES,
      .group_step = QK_GRADIENT_LINE_BYTES,
      .right = right, .scale = scale + j, .output = out + j * stride, .output_stride = stride,
    };
    const qk_status status = qk_gradient_multiply(&product);
    if (status != QK_OK) return status;
  }
  return QK_OK;
}

QK_CLONES static void fill(size_t count, float value, float *out) {
  for (size_t i = 0; i < count; i++) out[i] = value;
}

QK_CLONES static void divide(size_t count, float value, float *sums) {
  for (size_t i = 0; i < count; i++) sums[i] = value / sums[i];
}

qk_status qk_head_forward(const qk_head *h, void *memory, float *out, size_t stride) {
  const head_memory m = memory_of(h, memory);
  const size_t t = h->tokens, d = h->dimension, row = 3 * h->inner;
  const int8_t *k = h->qkv + h->inner, *v = k + h->inner;
  h->passes->widen_rows(t, d, h->qkv, row, m.queries);
  qk_gradient_transposed_panels(d, t, k, row, m.panels);
  fill(t, h->step[0] * h->step[1] * h->score_scale, m.scale);
  qk_status status = multiply(t, d, t, m.queries, d, m.panels, m.scale, m.scores, m.stride);
  if (status != QK_OK) return status;
  h->passes->soften(t, m.stride, h->levels, m.scores, h->probabilities, m.left, m.scale);
  divide(t, h->step[2], m.scale);
  qk_gradient_code_panels(QK_GRADIENT_WORDS, t, d, v, row, 0, 0, m.other);
  return multiply(t, t, d, m.left, m.stride, m.other, m.scale, out, stride);
}

/// inverse[i] = 1 / Σ_j P
QK_CLONES static void invert_sums(size_t tokens, const uint8_t *probabilities, float *inverse) {
  for (size_t i = 0; i < tokens; i++) {
    int32_t sum = 0;
    for (size_t j = 0; j < tokens; j++) sum += probabilities[i * tokens + j];
    inverse[i] = 1.0f / (float)sum;
  }
}

QK_CLONES static void scale_all(size_t count, float factor, float *values) {
  for (size_t i = 0; i < count; i++) values[i] *= factor;
}

qk_status qk_head_backward(const qk_head *h, void *memory, const float *gout, float *gqkv) {
  const head_memory m = memory_of(h, memory);
  const size_t t = h->tokens, d = h->dimension, inner = h->inner, row = 3 * inner;
  const int8_t *k = h->qkv + inner, *v = k + inner;
  float *gq = gqkv, *gk = gqkv + inner, *gv = gk + inner;

  // dP = dO·vᵀ
  h->passes->round_rows(t, d, gout, inner, m.left, m.scale);
  scale_all(t, h->step[2], m.scale);
  qk_gradient_transposed_panels(d, t, v, row, m.panels);
  qk_status status = multiply(t, d, t, m.left, d, m.panels, m.scale, m.scores, m.stride);
  if (status != QK_OK) return status;

  // dv = pᵀ·dO, the division by ΣP at the rows of dO: one scale for the head, for it is a column of the left operand.
  invert_sums(t, h->probabilities, m.scale);
  h->passes->score_gradients(t, m.stride, h->probabilities, m.scale, h->score_scale, m.scores);
  h->passes->weigh_rows(t, d, gout, inner, m.scale, m.rows);
  qk_gradient_code_panels(QK_GRADIENT_WORDS, t, t, h->probabilities, t, 1, 0, m.other);
  const float unit = h->passes->round_panels(t, d, m.rows, d, m.factor, m.panels);
  fill(t, unit, m.scale);
  status = multiply_transposed(t, t, d, m.other, m.panels, m.scale, gv, row);
  if (status != QK_OK) return status;

  // dq = dS·k
  h->passes->round_rows(t, m.stride, m.scores, m.stride, m.left, m.scale);
  scale_all(t, h->step[1], m.scale);
  qk_gradient_code_panels(QK_GRADIENT_WORDS, t, d, k, row, 0, 0, m.panels);
  status = multiply(t, t, d, m.left, m.stride, m.panels, m.scale, gq, row);
  if (status != QK_OK) return status;

  // dk = dSᵀ·q
  h->passes->round_columns(t, m.stride, m.scores, m.factor, m.scale, m.other);
  scale_all(t, h->step[0], m.scale);
  qk_gradient_code_panels(QK_GRADIENT_WORDS, t, d, h->qkv, row, 0, 0, m.panels);
  return multiply_transposed(t, t, d, m.other, m.panels, m.scale, gk, row);
}
