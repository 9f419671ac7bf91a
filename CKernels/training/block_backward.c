// The backward pass of the training block. One region takes every leaf from gy to gx and leaves the operands of the weight
// gradients; a second one multiplies these; then the sums of the leaves are added over the tree.
#include "passes.h"
#include "block_leaf.h"
#include "block_memory.h"
#include <stdatomic.h>

/// Sums over the rows of a leaf, one a column; the leaves' copies lie one after the other.
typedef struct block_sums {
  size_t norm1_weight, norm1_bias, norm1_step, norm2_weight, norm2_bias, norm2_step;  // offsets in floats
  size_t qkv_bias, qkv_step, attention_step, projection_bias, expand_bias, hidden_input_step, hidden_step, contract_bias;
  size_t count;
} block_sums;

/// Operands of one weight gradient: a panel pair and column scales a leaf.
typedef struct layer_operands {
  int16_t *gradient, *input;
  float *scale;
  size_t gradient_step, input_step;  ///< elements from one leaf to the next
  qk_gradient_leaf *leaves;
} layer_operands;

typedef struct backward_job {
  const qk_training_block *block;
  const float *gy;
  float *gx;
  block_sums at;
  float *sums;
  layer_operands qkv, projection, expand, contract;
  float *projection_row_step, *contract_row_step;  ///< with the layer scales
  int32_t slopes[256];
  atomic_int status;
} backward_job;

static size_t place(block_sums *s, size_t count) {
  const size_t at = s->count;
  s->count += (count + 15) / 16 * 16;
  return at;
}

static void place_sums(const qk_training_block *b, block_sums *s) {
  const size_t width = (size_t)b->width, inner = qk_block_inner(b), hidden = (size_t)b->hidden;
  *s = (block_sums){ .count = 0 };
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

static void take_operands(const qk_training_block *b, const qk_training_linear *layer, qk_memory *memory,
                          layer_operands *o) {
  const size_t leaves = (size_t)qk_block_leaves(b);
  const size_t rows = (size_t)qk_training_leaf_images(b->tokens) * (size_t)b->tokens;
  const size_t outputs = (size_t)layer->weights->rows, inputs = (size_t)layer->weights->depth;
  o->gradient_step = qk_gradient_panel_elements(rows, outputs);
  o->input_step = qk_gradient_panel_elements(rows, inputs);
  o->gradient = qk_take(memory, leaves * o->gradient_step * sizeof(int16_t));
  o->input = qk_take(memory, leaves * o->input_step * sizeof(int16_t));
  o->scale = qk_take(memory, leaves * outputs * sizeof(float));
  o->leaves = qk_take(memory, leaves * sizeof *o->leaves);
}

static void take_all(backward_job *job, qk_memory *memory) {
  const qk_training_block *b = job->block;
  const size_t width = (size_t)b->width * sizeof(float);
  job->sums = qk_take(memory, (size_t)qk_block_leaves(b) * job->at.count * sizeof(float));
  take_operands(b, &b->qkv, memory, &job->qkv);
  take_operands(b, &b->projection, memory, &job->projection);
  take_operands(b, &b->expand, memory, &job->expand);
  take_operands(b, &b->contract, memory, &job->contract);
  job->projection_row_step = qk_take(memory, width);
  job->contract_row_step = qk_take(memory, width);
}

/// Slopes of the composition codes → GELU → its quantiser, as qk_output_gradient wants them: of the value, to 2^−14, and
/// of the quantiser's step, to 2^−7 (a remainder byte has 1/252).
static void fill_slopes(backward_job *job) {
  const qk_training_block *b = job->block;
  const float lo = (float)-b->hidden_zero, hi = qk_block_levels(b) - (float)b->hidden_zero;
  for (int32_t code = -128; code < 128; code++) {
    float density;
    const float x = b->hidden_input_step * (float)code, distribution = qk_normal_distribution(x, &density);
    const float v = x * distribution / b->hidden_step;
    const int inside = v >= lo && v <= hi;
    // GELU' lies in −0.13…1.13.
    const float slope = inside ? distribution + x * density : 0;
    const float table_slope = inside ? rintf(v) - v : v < lo ? lo : hi;
    const uint32_t upper = (uint32_t)(int32_t)rintf(slope / QK_SLOPE_UNIT), lower = (uint32_t)(int32_t)rintf(table_slope / QK_TABLE_UNIT);
    job->slopes[code + 128] = (int32_t)(upper << 16 | (lower & 0xffff));
  }
}

static void fill_row_steps(const backward_job *job) {
  const qk_training_block *b = job->block;
  for (int32_t n = 0; n < b->width; n++) {
    job->projection_row_step[n] = b->projection.row_step[n] * b->gain1[n];
    job->contract_row_step[n] = b->contract.row_step[n] * b->gain2[n];
  }
}

/// Work buffers of a leaf.
typedef struct leaf_memory {
  float *gradient, *between;      ///< [rows][width]
  float *wide, *gqkv;             ///< [rows][widest], [rows][3·inner]
  void *head;
  float *left_scale, *largest;
  int32_t *entries;
  int16_t *left;
  uint8_t *gelu;
} leaf_memory;

static void take_leaf(const qk_training_block *b, size_t rows, qk_memory *memory, leaf_memory *m) {
  const size_t widest = qk_block_widest(b), inner = qk_block_inner(b);
  m->gradient = qk_take(memory, rows * (size_t)b->width * sizeof(float));
  m->between = qk_take(memory, rows * (size_t)b->width * sizeof(float));
  m->wide = qk_take(memory, rows * widest * sizeof(float));
  m->head = qk_take(memory, qk_head_memory((size_t)b->tokens, (size_t)b->head_dimension));
  m->gqkv = qk_take(memory, rows * 3 * inner * sizeof(float));
  m->left = qk_take(memory, rows * widest * sizeof(int16_t));
  m->left_scale = qk_take(memory, rows * sizeof(float));
  m->largest = qk_take(memory, widest * sizeof(float));
  m->entries = qk_take(memory, widest * sizeof(int32_t));
  m->gelu = qk_take(memory, rows * (size_t)b->hidden);
}

/// Prepares the gradient of a layer's output, multiplies it into the gradient of its input, and lays out its input.
typedef struct layer_step {
  const qk_training_linear *layer;
  const layer_operands *operands;
  const float *row_step;
  const void *input;          ///< codes of the leaf
  int input_unsigned;
  int32_t input_zero;
  qk_output_gradient output;  ///< g, and the optional operands
  float *ginput;
} layer_step;

static qk_status run_layer(const qk_block_leaf *l, const leaf_memory *m, layer_step *s) {
  const size_t outputs = (size_t)s->layer->weights->rows, inputs = (size_t)s->layer->weights->depth;
  const layer_operands *o = s->operands;
  const size_t leaf = (size_t)l->index;
  qk_output_gradient *out = &s->output;
  out->rows = l->rows;
  out->width = outputs;
  out->rows_per_image = (size_t)l->block->tokens;
  out->row_step = s->row_step;
  out->left = m->left;
  out->left_scale = m->left_scale;
  out->largest = m->largest;
  out->panels = o->gradient + leaf * o->gradient_step;
  out->panel_scale = o->scale + leaf * outputs;
  qk_block_row_passes(l->block)->prepare_gradient(out);
  int16_t *input = o->input + leaf * o->input_step;
  qk_gradient_code_panels(l->rows, inputs, s->input, inputs, s->input_unsigned, s->input_zero, input);
  o->leaves[leaf] = (qk_gradient_leaf){ .rows = (int32_t)l->rows, .gradient = out->panels, .scale = out->panel_scale,
                                        .input = input };
  const qk_gradient_product product = {
    .rows = (int32_t)l->rows, .depth = (int32_t)outputs, .columns = (int32_t)inputs, .left = m->left,
    .row_step = outputs, .pair_step = 2, .right = s->layer->panels, .scale = m->left_scale,
    .output = s->ginput, .output_stride = inputs,
  };
  return qk_gradient_multiply(&product);
}

static qk_norm_gradient norm_step(const backward_job *job, const qk_block_leaf *l, int which, const float *gcodes,
                                  const float *through, float *gx) {
  const qk_training_block *b = job->block;
  float *sums = job->sums + (size_t)l->index * job->at.count;
  const size_t at = l->row * (size_t)b->width;
  const float limit = qk_block_limit(b);
  qk_norm_gradient n = { .rows = l->rows, .width = (size_t)b->width, .lo = -limit, .hi = limit, .gcodes = gcodes,
                         .through = through, .gx = gx };
  if (which == 1) {
    n.x = b->x + at, n.weight = b->norm1_weight, n.bias = b->norm1_bias, n.statistics = b->statistics1 + 2 * l->row;
    n.step = b->norm1_step;
    n.gweight = sums + job->at.norm1_weight, n.gbias = sums + job->at.norm1_bias, n.gstep = sums + job->at.norm1_step;
  } else {
    n.x = b->middle + at, n.weight = b->norm2_weight, n.bias = b->norm2_bias, n.statistics = b->statistics2 + 2 * l->row;
    n.step = b->norm2_step;
    n.gweight = sums + job->at.norm2_weight, n.gbias = sums + job->at.norm2_bias, n.gstep = sums + job->at.norm2_step;
  }
  return n;
}

/// y = m + keep·γ₂⊙contract(GELU(expand(norm2(m)))): from gy, the gradient of m into `between`.
static qk_status backward_mlp(const backward_job *job, const qk_block_leaf *l, const leaf_memory *m) {
  const qk_training_block *b = job->block;
  const size_t width = (size_t)b->width, hidden = (size_t)b->hidden, at = l->row * width;
  float *sums = job->sums + (size_t)l->index * job->at.count;
  const int8_t *codes = b->hidden_codes + l->row * hidden;
  const float *gy = job->gy + at;
  memcpy(m->gradient, gy, l->rows * width * sizeof(float));
  qk_look_up(l->rows * hidden, codes, b->hidden_table, m->gelu);
  layer_step contract = {
    .layer = &b->contract, .operands = &job->contract, .row_step = job->contract_row_step, .input = m->gelu,
    .input_unsigned = 1, .input_zero = b->hidden_zero, .ginput = m->wide,
    .output = { .g = m->gradient, .keep = b->keep2 ? b->keep2 + l->image : NULL, .bias = sums + job->at.contract_bias },
  };
  qk_status status = run_layer(l, m, &contract);
  if (status != QK_OK) return status;
  layer_step expand = {
    .layer = &b->expand, .operands = &job->expand, .row_step = b->expand.row_step,
    .input = b->norm2_codes + at, .ginput = m->gradient,
    .output = { .g = m->wide, .codes = codes, .slopes = job->slopes, .entries = m->entries,
                .rest = b->hidden_rest + l->row * hidden, .lo = -QK_HIDDEN_LIMIT, .hi = QK_HIDDEN_LIMIT,
                .bias = sums + job->at.expand_bias, .step = sums + job->at.hidden_input_step,
                .table_step = sums + job->at.hidden_step },
  };
  status = run_layer(l, m, &expand);
  if (status != QK_OK) return status;
  const qk_norm_gradient norm = norm_step(job, l, 2, m->gradient, gy, m->between);
  qk_block_row_passes(b)->norm_backward(&norm);
  return QK_OK;
}

/// m = x + keep·γ₁⊙projection(attention(qkv(norm1(x)))): from the gradient of m in `between`, gx.
static qk_status backward_attention(const backward_job *job, const qk_block_leaf *l, const leaf_memory *m) {
  const qk_training_block *b = job->block;
  const size_t width = (size_t)b->width, inner = qk_block_inner(b), at = l->row * width;
  float *sums = job->sums + (size_t)l->index * job->at.count;
  const float limit = qk_block_limit(b);
  memcpy(m->gradient, m->between, l->rows * width * sizeof(float));
  layer_step projection = {
    .layer = &b->projection, .operands = &job->projection, .row_step = job->projection_row_step,
    .input = b->attention_codes + l->row * inner, .ginput = m->wide,
    .output = { .g = m->gradient, .keep = b->keep1 ? b->keep1 + l->image : NULL,
                .bias = sums + job->at.projection_bias },
  };
  qk_status status = run_layer(l, m, &projection);
  if (status != QK_OK) return status;
  qk_block_row_passes(b)->cut_gradient(l->rows, inner, b->attention_rest + l->row * inner, -limit, limit, m->wide,
                  sums + job->at.attention_step);
  for (size_t image = 0; image < (size_t)l->images; image++)
    for (size_t i = 0; i < (size_t)b->heads; i++) {
      const qk_head head = qk_leaf_head(l, image, i);
      const size_t row = image * head.tokens, column = i * head.dimension;
      status = qk_head_backward(&head, m->head, m->wide + row * inner + column, m->gqkv + row * 3 * inner + column);
      if (status != QK_OK) return status;
    }
  layer_step qkv = {
    .layer = &b->qkv, .operands = &job->qkv, .row_step = b->qkv.row_step, .input = b->norm1_codes + at,
    .ginput = m->gradient,
    .output = { .g = m->gqkv, .rest = b->qkv_rest + l->row * 3 * inner, .lo = -limit, .hi = limit,
                .bias = sums + job->at.qkv_bias, .step = sums + job->at.qkv_step },
  };
  status = run_layer(l, m, &qkv);
  if (status != QK_OK) return status;
  const qk_norm_gradient norm = norm_step(job, l, 1, m->gradient, m->between, job->gx + at);
  qk_block_row_passes(b)->norm_backward(&norm);
  return QK_OK;
}

static qk_status backward_leaf(const backward_job *job, const qk_block_leaf *l) {
  leaf_memory m;
  qk_memory memory = { .base = NULL };
  take_leaf(job->block, l->rows, &memory, &m);
  memory.base = qk_scratch(QK_SCRATCH_BLOCK_TASK, memory.used);
  if (memory.base == NULL) return QK_OUT_OF_MEMORY;
  memory.used = 0;
  take_leaf(job->block, l->rows, &memory, &m);
  const qk_status status = backward_mlp(job, l, &m);
  return status == QK_OK ? backward_attention(job, l, &m) : status;
}

static void backward_leaves(void *context, size_t begin, size_t end) {
  backward_job *job = context;
  for (size_t i = begin; i < end; i++) {
    const qk_block_leaf leaf = qk_block_leaf_at(job->block, (int32_t)i);
    const qk_status status = backward_leaf(job, &leaf);
    if (status != QK_OK) atomic_store_explicit(&job->status, (int)status, memory_order_relaxed);
  }
}

static qk_weight_gradient weight_gradient(const qk_training_block *b, const layer_operands *o,
                                          const qk_training_linear *layer, float *output) {
  return (qk_weight_gradient){ .leaf_count = qk_block_leaves(b), .outputs = layer->weights->rows,
                               .inputs = layer->weights->depth, .leaves = o->leaves, .output = output,
                               .output_stride = (size_t)layer->weights->depth };
}

/// Rows whose gradients are in units of input codes, and the layer scale that follows them, if any.
typedef struct finish_job {
  const qk_training_linear *layer;
  float input_step;
  const float *gain, *sums;
  float *weight, *bias, *gain_gradient;
} finish_job;

/// With G the gradient after the layer scale γ: dW = γ·G·x, db = γ·ΣG, dγ[n] = Σ_k W·(G·x) + b·ΣG.
QK_CLONES static void finish_rows(void *context, size_t begin, size_t end) {
#pragma clang fp contract(off)
  const finish_job *j = context;
  const size_t depth = (size_t)j->layer->weights->depth;
  for (size_t n = begin; n < end; n++) {
    float *weight = j->weight + n * depth;
    const int8_t *codes = j->layer->codes + n * depth;
    float factor = j->input_step;
    if (j->gain) {
      float lane[16] = { 0 };
      const size_t whole = depth / 16 * 16;
      for (size_t k = 0; k < whole; k += 16)
        for (size_t l = 0; l < 16; l++) {
          const float share = (float)codes[k + l] * weight[k + l];
          lane[l] += share;
        }
      for (size_t k = whole; k < depth; k++) {
        const float share = (float)codes[k] * weight[k];
        lane[k - whole] += share;
      }
      for (size_t step = 8; step > 0; step /= 2)
        for (size_t l = 0; l < step; l++) lane[l] += lane[l + step];
      const float of_weights = lane[0] * j->layer->row_step[n] * j->input_step;
      const float of_bias = j->layer->real_bias[n] * j->sums[n];
      j->gain_gradient[n] = of_weights + of_bias;
      factor = j->input_step * j->gain[n];
    }
    for (size_t k = 0; k < depth; k++) weight[k] *= factor;
    j->bias[n] = j->sums[n] * (j->gain ? j->gain[n] : 1.0f);
  }
}

static void finish_layer(const qk_training_linear *layer, float input_step, const float *gain, const float *sums,
                         float *weight, float *bias, float *gain_gradient) {
  finish_job job = { .layer = layer, .input_step = input_step, .gain = gain, .sums = sums, .weight = weight,
                     .bias = bias, .gain_gradient = gain_gradient };
  qk_parallel_for((size_t)layer->weights->rows, 16, &job, finish_rows);
}

static float total(size_t count, const float *values) {
  float sum = 0;
  for (size_t i = 0; i < count; i++) sum += values[i];
  return sum;
}

static void finish(const backward_job *job, qk_training_gradients *g) {
  const qk_training_block *b = job->block;
  const size_t width = (size_t)b->width, inner = qk_block_inner(b), hidden = (size_t)b->hidden;
  qk_tree_sum((size_t)qk_block_leaves(b), job->at.count, job->sums, job->sums);
  const float *s = job->sums;
  const block_sums *at = &job->at;
  finish_layer(&b->qkv, b->norm1_step, NULL, s + at->qkv_bias, g->qkv_weight, g->qkv_bias, NULL);
  finish_layer(&b->projection, b->attention_step, b->gain1, s + at->projection_bias, g->projection_weight,
               g->projection_bias, g->gain1);
  finish_layer(&b->expand, b->norm2_step, NULL, s + at->expand_bias, g->expand_weight, g->expand_bias, NULL);
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

qk_status qk_training_block_backward(const qk_training_block *block, const float *gy, float *gx,
                                     qk_training_gradients *gradients) {
  if (!gy || !gx || !gradients) return QK_NULL_POINTER;
  const qk_status checked = qk_block_check(block);
  if (checked != QK_OK) return checked;
  backward_job job = { .block = block, .gy = gy, .gx = gx };
  place_sums(block, &job.at);
  qk_memory memory = { .base = NULL };
  take_all(&job, &memory);
  memory.base = qk_scratch(QK_SCRATCH_BLOCK_CALL, memory.used);
  if (memory.base == NULL) return QK_OUT_OF_MEMORY;
  memory.used = 0;
  take_all(&job, &memory);
  fill_slopes(&job);
  fill_row_steps(&job);
  qk_parallel_for((size_t)qk_block_leaves(block), 1, &job, backward_leaves);
  if (job.status != QK_OK) return (qk_status)job.status;
  const qk_weight_gradient weights[] = {
    weight_gradient(block, &job.qkv, &block->qkv, gradients->qkv_weight),
    weight_gradient(block, &job.projection, &block->projection, gradients->projection_weight),
    weight_gradient(block, &job.expand, &block->expand, gradients->expand_weight),
    weight_gradient(block, &job.contract, &block->contract, gradients->contract_weight),
  };
  const qk_status status = qk_weight_gradients(4, weights);
  if (status == QK_OK) finish(&job, gradients);
  return status;
}
