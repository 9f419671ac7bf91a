#include "block_sums.h"
#include "ckernels/parallel.h"

static size_t place(qk_block_sums *s, size_t count) {
  const size_t at = s->count;
  s->count += (count + 15) / 16 * 16;
  return at;
}

void qk_place_sums(const qk_training_block *b, qk_block_sums *s) {
  const size_t width = (size_t)b->width, inner = qk_block_inner(b), hidden = (size_t)b->hidden;
  *s = (qk_block_sums){ .count = 0 };
  s->norm1_weight = place(s, width);
  s->norm1_bias = place(s, width);
  s->norm1_step = place(s, width);
  s->norm2_weight = place(s, width);
  s->norm2_bias = place(s, width);
  s->norm2_step = place(s, width);
  s->qkv_bias = place(s, 3 * inner);
  s->qkv_step = place(s, 3 * inner);
  s->attention_step = place(s, inner);
  s->projection_bias = place(s, width);
  s->expand_bias = place(s, hidden);
  s->hidden_input_step = place(s, hidden);
  s->hidden_step = place(s, hidden);
  s->contract_bias = place(s, width);
}

/// Rows whose gradients are in units of input codes, and the layer scale that follows them.
typedef struct finish_job {
  const qk_training_linear *layer;
  float input_step;
  const float *gain, *sums;
  float *weight, *bias, *gain_gradient;
} finish_job;

/// With G the gradient after the layer scale γ: dW = γ·G·x, db = γ·ΣG, dγ[n] = Σ_k W·(G·x) + b·ΣG.
QK_CLONES static void finish_rows(void *context, size_t begin, size_t end) {
  const finish_job *j = context;
  const size_t depth = (size_t)j->layer->depth;
  for (size_t n = begin; n < end; n++) {
    float *weight = j->weight + n * depth;
    const int8_t *codes = j->layer->codes + n * depth;
    float lane[QK_SIXTEEN] = { 0 };
    const size_t whole = depth / QK_SIXTEEN * QK_SIXTEEN;
    for (size_t k = 0; k < whole; k += QK_SIXTEEN)
      for (size_t l = 0; l < QK_SIXTEEN; l++) {
        const float share = (float)codes[k + l] * weight[k + l];
        lane[l] += share;
      }
    for (size_t k = whole; k < depth; k++) {
      const float share = (float)codes[k] * weight[k];
      lane[k - whole] += share;
    }
    const float of_weights = qk_lanes_total(lane) * j->layer->row_step[n] * j->input_step;
    const float of_bias = j->layer->real_bias[n] * j->sums[n];
    j->gain_gradient[n] = of_weights + of_bias;
    const float factor = j->input_step * j->gain[n];
    for (size_t k = 0; k < depth; k++) weight[k] *= factor;
    j->bias[n] = j->sums[n] * j->gain[n];
  }
}

static void finish_layer(const qk_training_linear *layer, float input_step, const float *gain, const float *sums,
                         float *weight, float *bias, float *gain_gradient) {
  finish_job job = { .layer = layer, .input_step = input_step, .gain = gain, .sums = sums, .weight = weight,
                     .bias = bias, .gain_gradient = gain_gradient };
  qk_parallel_for((size_t)layer->rows, 16, &job, finish_rows);
}

static float total(size_t count, const float *values) {
  float sum = 0;
  for (size_t i = 0; i < count; i++) sum += values[i];
  return sum;
}

void qk_finish_gradients(const qk_training_block *b, const qk_block_sums *at, float *s, qk_training_gradients *g) {
  const size_t width = (size_t)b->width, inner = qk_block_inner(b), hidden = (size_t)b->hidden;
  qk_tree_sum((size_t)qk_block_leaves(b), at->count, s, s);
  memcpy(g->qkv_bias, s + at->qkv_bias, 3 * inner * sizeof(float));
  finish_layer(&b->projection, b->attention_step, b->gain1, s + at->projection_bias, g->projection_weight,
               g->projection_bias, g->gain1);
  memcpy(g->expand_bias, s + at->expand_bias, hidden * sizeof(float));
  finish_layer(&b->contract, b->hidden_step, b->gain2, s + at->contract_bias, g->contract_weight, g->contract_bias,
               g->gain2);
  memcpy(g->norm1_weight, s + at->norm1_weight, width * sizeof(float));
  memcpy(g->norm1_bias, s + at->norm1_bias, width * sizeof(float));
  memcpy(g->norm2_weight, s + at->norm2_weight, width * sizeof(float));
  memcpy(g->norm2_bias, s + at->norm2_bias, width * sizeof(float));
  g->norm1_step = total(width, s + at->norm1_step);
  g->norm2_step = total(width, s + at->norm2_step);
  for (size_t part = 0; part < 3; part++) g->qkv_step[part] = total(inner, s + at->qkv_step + part * inner);
  g->attention_step = total(inner, s + at->attention_step);
  g->hidden_input_step = total(hidden, s + at->hidden_input_step);
  g->hidden_step = total(hidden, s + at->hidden_step);
}
