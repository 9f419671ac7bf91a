#include "attention.h"
#include "block_memory.h"
#include "ckernels/profile.h"

/// Work memory of a head. The stride of everything T tokens wide is T rounded up to 16.
typedef struct head_memory {
  size_t stride;
  void *left, *panels, *other;  ///< rows of codes, and two sets of panels
  float *scores, *scale, *column_scale, *inverse, *factor;
  int32_t *sums, *column_sums;
} head_memory;

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

/// Takes the arrays of a head. Panels of words need the most memory.
static void take(size_t tokens, size_t dimension, qk_memory *memory, head_memory *m) {
  m->stride = (tokens + 15) / 16 * 16;
  const size_t widest = larger(m->stride, dimension);
  const size_t panels = larger(qk_gradient_panel_bytes(QK_GRADIENT_WORDS, tokens, widest),
                               qk_gradient_panel_bytes(QK_GRADIENT_WORDS, dimension, tokens));
  m->left = qk_take(memory, tokens * widest * sizeof(int16_t));
  m->panels = qk_take(memory, panels);
  m->other = qk_take(memory, panels);
  m->scores = qk_take(memory, tokens * m->stride * sizeof(float));
  m->scale = qk_take(memory, m->stride * sizeof(float));
  m->column_scale = qk_take(memory, widest * sizeof(float));
  m->inverse = qk_take(memory, m->stride * sizeof(float));
  m->factor = qk_take(memory, widest * sizeof(float));
  m->sums = qk_take(memory, m->stride * sizeof(int32_t));
  m->column_sums = qk_take(memory, widest * sizeof(int32_t));
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

static qk_resource resource_of(qk_gradient_form form) {
  return form == QK_GRADIENT_WORDS ? QK_RESOURCE_INT16 : QK_RESOURCE_INT8;
}

static double operations(size_t rows, size_t depth, size_t columns) {
  return 2.0 * (double)rows * (double)depth * (double)columns;
}

/// A left operand: rows of codes `step` bytes apart, and their sums for bytes.
typedef struct left_rows {
  qk_gradient_form form;
  const void *codes;
  size_t step;
  const int32_t *sums;
} left_rows;

/// out[i][j] = (Σ_k left·right)·scale[i], with the right operand as panels of signed codes.
static qk_status multiply(const left_rows *left, size_t rows, size_t depth, size_t columns, const void *right,
                          const float *scale, float *out, size_t stride) {
  const qk_gradient_product product = {
    .form = left->form, .rows = (int32_t)rows, .depth = (int32_t)depth, .columns = (int32_t)columns,
    .left = left->codes, .row_step = left->step, .group_step = QK_GRADIENT_GROUP_BYTES, .left_sums = left->sums,
    .right = right, .right_offset = qk_gradient_offset(left->form, 0, 0), .scale = scale, .output = out,
    .output_stride = stride,
  };
  qk_status status;
  QK_PHASE("attention products", resource_of(left->form), operations(rows, depth, columns),
           status = qk_gradient_multiply(&product));
  return status;
}

/// out[j][c] = (Σ_i left[i, j]·right[i, c])·scale[j], with the left operand as panels, and their sums for bytes.
static qk_status multiply_columns(qk_gradient_form form, size_t rows, size_t depth, size_t columns, const void *panels,
                                  const int32_t *sums, const void *right, const float *scale, float *out,
                                  size_t stride) {
  const size_t step = qk_gradient_panel_bytes(form, depth, 1);
  for (size_t j = 0; j < rows; j += QK_GRADIENT_COLUMNS) {
    const qk_gradient_product product = {
      .form = form, .rows = (int32_t)qk_min(QK_GRADIENT_COLUMNS, rows - j), .depth = (int32_t)depth,
      .columns = (int32_t)columns, .left = (const uint8_t *)panels + j / QK_GRADIENT_COLUMNS * step,
      .row_step = QK_GRADIENT_GROUP_BYTES, .group_step = QK_GRADIENT_LINE_BYTES, .left_sums = sums ? sums + j : NULL,
      .right = right, .right_offset = qk_gradient_offset(form, 0, 0), .scale = scale + j, .output = out + j * stride,
      .output_stride = stride,
    };
    const qk_status status = qk_gradient_multiply(&product);
    if (status != QK_OK) return status;
  }
  return QK_OK;
}

static qk_status multiply_transposed(qk_gradient_form form, size_t rows, size_t depth, size_t columns, const void *panels,
                                     const int32_t *sums, const void *right, const float *scale, float *out,
                                     size_t stride) {
  qk_status status;
  QK_PHASE("attention products", resource_of(form), operations(rows, depth, columns),
           status = multiply_columns(form, rows, depth, columns, panels, sums, right, scale, out, stride));
  return status;
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
  h->passes->sum_rows(t, d, h->qkv, row, m.sums);
  qk_gradient_transposed_panels(QK_GRADIENT_BYTES, d, t, k, row, m.panels);
  fill(t, h->step[0] * h->step[1] * h->score_scale, m.scale);
  const left_rows queries = { QK_GRADIENT_BYTES, h->qkv, row, m.sums };
  qk_status status = multiply(&queries, t, d, t, m.panels, m.scale, m.scores, m.stride);
  if (status != QK_OK) return status;
  h->passes->soften(t, m.stride, h->levels, m.scores, h->probabilities, m.scale);
  divide(t, h->step[2], m.scale);
  qk_gradient_code_panels(QK_GRADIENT_UNSIGNED_BYTES, t, d, v, row, 0, 0, m.other);
  const left_rows probabilities = { QK_GRADIENT_UNSIGNED_BYTES, h->probabilities, t, NULL };
  return multiply(&probabilities, t, t, d, m.other, m.scale, out, stride);
}

QK_CLONES static void scale_all(size_t count, float factor, float *values) {
  for (size_t i = 0; i < count; i++) values[i] *= factor;
}

qk_status qk_head_backward(const qk_head *h, void *memory, const float *gout, float *gqkv) {
  const head_memory m = memory_of(h, memory);
  const size_t t = h->tokens, d = h->dimension, inner = h->inner, row = 3 * inner;
  const qk_gradient_form form = h->form;
  const size_t element = qk_gradient_element(form);
  const int32_t *sums = form == QK_GRADIENT_BYTES ? m.sums : NULL;
  const int8_t *k = h->qkv + inner, *v = k + inner;
  float *gq = gqkv, *gk = gqkv + inner, *gv = gk + inner;

  // dP = dO·vᵀ
  h->passes->round_rows(form, t, d, gout, inner, m.left, m.scale, m.sums);
  scale_all(t, h->step[2], m.scale);
  qk_gradient_transposed_panels(form, d, t, v, row, m.panels);
  const left_rows outputs = { form, m.left, d * element, sums };
  qk_status status = multiply(&outputs, t, d, t, m.panels, m.scale, m.scores, m.stride);
  if (status != QK_OK) return status;

  const qk_score_gradient gradient = {
    .form = form, .tokens = t, .stride = m.stride, .probabilities = h->probabilities, .factor = h->score_scale,
    .scores = m.scores, .inverse = m.inverse, .left = m.left, .left_scale = m.scale, .left_sums = m.sums,
    .panels = m.other, .panel_scale = m.column_scale, .panel_sums = m.column_sums, .largest = m.factor,
  };
  h->passes->score_gradients(&gradient);

  // dq = dS·k
  scale_all(t, h->step[1], m.scale);
  qk_gradient_code_panels(form, t, d, k, row, 0, 0, m.panels);
  const left_rows scores = { form, m.left, m.stride * element, sums };
  status = multiply(&scores, t, t, d, m.panels, m.scale, gq, row);
  if (status != QK_OK) return status;

  // dk = dSᵀ·q
  scale_all(t, h->step[0], m.column_scale);
  qk_gradient_code_panels(form, t, d, h->qkv, row, 0, 0, m.panels);
  status = multiply_transposed(form, t, t, d, m.other, form == QK_GRADIENT_BYTES ? m.column_sums : NULL, m.panels,
                               m.column_scale, gk, row);
  if (status != QK_OK) return status;

  // dv = Pᵀ·(dO/ΣP): the scales of dO's columns are factors of the product's columns.
  const qk_gradient_form by_codes = form == QK_GRADIENT_BYTES ? QK_GRADIENT_UNSIGNED_BYTES : form;
  qk_gradient_code_panels(by_codes, t, t, h->probabilities, t, 1, 0, m.other);
  h->passes->round_columns(form, t, d, gout, inner, m.inverse, m.factor, m.column_scale, m.column_sums, m.panels);
  fill(t, 1, m.scale);
  status = multiply_transposed(by_codes, t, t, d, m.other, NULL, m.panels, m.scale, gv, row);
  if (status == QK_OK) h->passes->scale_columns(t, d, m.column_scale, gv, row);
  return status;
}
