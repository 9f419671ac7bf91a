// The backward pass of the training block. One region takes every leaf from gy to gx and leaves the operands of the
// weight gradients. A second region multiplies these. Then the sums of the leaves are added over the tree.
#include "passes.h"
#include "block_leaf.h"
#include "block_memory.h"
#include "block_norm.h"
#include "block_sums.h"
#include "layer_panels.h"
#include "weight_operands.h"
#include <stdatomic.h>

typedef struct backward_job {
  const qk_training_block *block;
  const float *gy;
  float *gx;
  qk_block_sums at;
  float *sums;
  qk_layer_panels panels;
  qk_weight_operands qkv, projection, expand, contract;
  float *projection_row_step, *contract_row_step;  ///< with the layer scales
  qk_slope_tables slopes;
  atomic_int status;
} backward_job;

static qk_weight_operands operands_of(const qk_training_block *b, const qk_training_linear *layer, qk_memory *memory) {
  const size_t rows = (size_t)qk_training_leaf_images(b->tokens) * (size_t)b->tokens;
  return qk_take_operands(memory, b->gradient_form, (size_t)qk_block_leaves(b), rows, (size_t)layer->rows,
                          (size_t)layer->depth);
}

static void take_all(void *owner, qk_memory *memory) {
  backward_job *job = owner;
  const qk_training_block *b = job->block;
  const size_t width = (size_t)b->width * sizeof(float);
  job->sums = qk_take(memory, (size_t)qk_block_leaves(b) * job->at.count * sizeof(float));
  qk_take_layer_panels(b, memory, &job->panels);
  job->qkv = operands_of(b, &b->qkv, memory);
  job->projection = operands_of(b, &b->projection, memory);
  job->expand = operands_of(b, &b->expand, memory);
  job->contract = operands_of(b, &b->contract, memory);
  job->projection_row_step = qk_take(memory, width);
  job->contract_row_step = qk_take(memory, width);
}

/// Fills the slopes of codes → GELU → its quantiser. GELU' is in −0.13…1.13.
static void fill_slopes(backward_job *job) {
  const qk_training_block *b = job->block;
  qk_slope_tables *t = &job->slopes;
  const float lo = (float)-b->hidden_zero, hi = qk_block_levels(b) - (float)b->hidden_zero;
  for (int32_t code = -128; code < 128; code++) {
    float density;
    const float x = b->hidden_input_step * (float)code, distribution = qk_normal_distribution(x, &density);
    const float v = x * distribution / b->hidden_step;
    const int inside = v >= lo && v <= hi;
    const int32_t slope = (int32_t)rintf((inside ? distribution + x * density : 0) / QK_SLOPE_UNIT);
    const int32_t rest = inside ? (int32_t)rintf((rintf(v) - v) * QK_REST_UNITS) : v < lo ? QK_REST_BELOW : QK_REST_ABOVE;
    t->upper[code + 128] = (uint8_t)(slope >> 8);
    t->lower[code + 128] = (uint8_t)slope;
    t->rest[code + 128] = (uint8_t)rest;
  }
  t->lo = lo;
  t->hi = hi;
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
  const qk_block_leaf *leaf;
  float *gradient, *between;      ///< [rows][width]
  float *wide, *gqkv;             ///< [rows][widest], [rows][3·inner]
  void *head;
  float *left_scale, *largest;
  uint8_t *entries;
  int32_t *left_sums;
  int16_t *left;  ///< or bytes
  float *statistics;  ///< [rows][2] of the LayerNorm whose codes are in `norm`
  int8_t *norm;
  uint8_t *gelu;
} leaf_memory;

static void take_leaf(void *owner, qk_memory *memory) {
  leaf_memory *m = owner;
  const qk_training_block *b = m->leaf->block;
  const size_t rows = m->leaf->rows;
  const size_t widest = qk_block_widest(b), inner = qk_block_inner(b);
  m->gradient = qk_take(memory, rows * (size_t)b->width * sizeof(float));
  m->between = qk_take(memory, rows * (size_t)b->width * sizeof(float));
  m->wide = qk_take(memory, rows * widest * sizeof(float));
  m->head = qk_take(memory, qk_head_memory((size_t)b->tokens, (size_t)b->head_dimension));
  m->gqkv = qk_take(memory, rows * 3 * inner * sizeof(float));
  m->left = qk_take(memory, rows * widest * sizeof(int16_t));
  m->left_scale = qk_take(memory, rows * sizeof(float));
  m->left_sums = qk_take(memory, rows * sizeof(int32_t));
  m->largest = qk_take(memory, widest * sizeof(float));
  m->entries = qk_take(memory, 3 * QK_LOOKED_UP_ROWS * widest);
  m->statistics = qk_take(memory, rows * 2 * sizeof *m->statistics);
  m->norm = qk_take(memory, rows * (size_t)b->width);
  m->gelu = qk_take(memory, rows * (size_t)b->hidden);
}

/// Step of a layer: prepares the gradient of its output, multiplies it into the gradient of its input, lays out its
/// input.
typedef struct layer_step {
  const qk_training_linear *layer;
  const qk_layer_panels *panels;
  const qk_weight_operands *operands;
  const float *row_step;
  const void *input;          ///< codes of the leaf
  int input_unsigned;
  int32_t input_zero;
  qk_output_gradient output;  ///< g, and the optional operands
  float *ginput;
  qk_fetch_range fetch[QK_FETCH_RANGES];  ///< memory that the steps after the layer read
} layer_step;

static qk_status run_layer(const qk_block_leaf *l, const leaf_memory *m, layer_step *s) {
  const size_t outputs = (size_t)s->layer->rows, inputs = (size_t)s->layer->depth;
  const qk_gradient_form form = l->block->gradient_form;
  const int is_bytes = form == QK_GRADIENT_BYTES;
  const size_t element = qk_gradient_element(form);
  const qk_leaf_operands own = qk_operands_of(s->operands, (size_t)l->index, l->rows);
  qk_output_gradient *out = &s->output;
  out->form = form;
  out->rows = l->rows;
  out->width = outputs;
  out->rows_per_image = (size_t)l->block->tokens;
  out->row_step = s->row_step;
  out->left = m->left;
  out->left_scale = m->left_scale;
  out->left_sums = m->left_sums;
  out->largest = m->largest;
  out->panels = own.gradient;
  out->panel_scale = own.scale;
  out->panel_sums = own.sums;
  // Two walks: first magnitudes and sums, then the codes of both operands.
  QK_PHASE("gradients to codes", QK_RESOURCE_CACHE, qk_leaf_bytes(l, outputs, 3 * 4 + 2 * (double)element),
           qk_block_row_passes(l->block)->prepare_gradient(out));
  QK_PHASE("inputs to panels", QK_RESOURCE_CACHE, qk_leaf_bytes(l, inputs, 1 + (double)element),
           qk_gradient_code_panels(form, l->rows, inputs, s->input, inputs, s->input_unsigned, s->input_zero, own.input));
  qk_gradient_product product = {
    .form = form, .rows = (int32_t)l->rows, .depth = (int32_t)outputs, .columns = (int32_t)inputs, .left = m->left,
    .row_step = outputs * element, .group_step = QK_GRADIENT_GROUP_BYTES, .left_sums = is_bytes ? m->left_sums : NULL,
    .right = qk_panels_of(s->panels, s->layer), .right_offset = qk_gradient_offset(form, 0, 0), .scale = m->left_scale,
    .output = s->ginput, .output_stride = inputs,
  };
  memcpy(product.fetch, s->fetch, sizeof s->fetch);
  qk_status status;
  QK_PHASE("input gradient products", is_bytes ? QK_RESOURCE_INT8 : QK_RESOURCE_INT16,
           2.0 * (double)l->rows * (double)outputs * (double)inputs, status = qk_gradient_multiply(&product));
  return status;
}

static qk_norm_gradient norm_step(const backward_job *job, const qk_block_leaf *l, const leaf_memory *m, int which,
                                  const float *gcodes, const float *through, float *gx) {
  const qk_training_block *b = job->block;
  float *sums = job->sums + (size_t)l->index * job->at.count;
  const size_t at = l->row * (size_t)b->width;
  const float limit = qk_block_limit(b);
  qk_norm_gradient n = { .rows = l->rows, .width = (size_t)b->width, .lo = -limit, .hi = limit, .gcodes = gcodes,
                         .through = through, .gx = gx, .statistics = m->statistics };
  if (which == 1) {
    n.x = b->x + at, n.weight = b->norm1_weight, n.bias = b->norm1_bias;
    n.step = b->norm1_step;
    n.gweight = sums + job->at.norm1_weight, n.gbias = sums + job->at.norm1_bias, n.gstep = sums + job->at.norm1_step;
  } else {
    n.x = b->middle + at, n.weight = b->norm2_weight, n.bias = b->norm2_bias;
    n.step = b->norm2_step;
    n.gweight = sums + job->at.norm2_weight, n.gbias = sums + job->at.norm2_bias, n.gstep = sums + job->at.norm2_step;
  }
  return n;
}

static void norm_gradient(const qk_block_leaf *l, const qk_norm_gradient *norm) {
  QK_PHASE("backward LayerNorm", QK_RESOURCE_CACHE, qk_leaf_bytes(l, norm->width, 4 * 4 + 3 * 4),
           qk_block_row_passes(l->block)->norm_backward(norm));
}

/// The branch's gradient; copied when drop-path will scale it, because the unscaled one is needed again.
static float *changeable(const leaf_memory *m, const float *g, size_t count, const float *keep) {
  if (keep == NULL) return (float *)(uintptr_t)g;
  return memcpy(m->gradient, g, count * sizeof(float));
}

/// y = m + keep·γ₂⊙contract(GELU(expand(norm2(m)))): from gy, computes the gradient of m in `between`.
static qk_status backward_mlp(const backward_job *job, const qk_block_leaf *l, const leaf_memory *m) {
  const qk_training_block *b = job->block;
  const size_t width = (size_t)b->width, hidden = (size_t)b->hidden, inner = qk_block_inner(b), at = l->row * width;
  const size_t leaf = (size_t)l->index;
  float *sums = job->sums + leaf * job->at.count;
  const int8_t *codes = b->hidden_codes + l->row * hidden;
  const float *gy = job->gy + at;
  float *g = changeable(m, gy, l->rows * width, b->keep2);
  qk_look_up(l->rows * hidden, codes, b->hidden_table, m->gelu);
  layer_step contract = {
    .layer = &b->contract, .panels = &job->panels, .operands = &job->contract, .row_step = job->contract_row_step, .input = m->gelu,
    .input_unsigned = 1, .input_zero = b->hidden_zero, .ginput = m->wide,
    .fetch = { { b->middle + at, l->rows * width * sizeof(float) },
               qk_input_place(&job->expand, leaf), qk_gradient_place(&job->expand, leaf) },
    .output = { .g = g, .keep = b->keep2 ? b->keep2 + l->image : NULL, .bias = sums + job->at.contract_bias },
  };
  qk_status status = run_layer(l, m, &contract);
  if (status == QK_OK) status = qk_block_norm_codes(l, 2, m->statistics, m->norm);
  if (status != QK_OK) return status;
  layer_step expand = {
    .layer = &b->expand, .panels = &job->panels, .operands = &job->expand, .row_step = b->expand.row_step,
    .input = m->norm, .ginput = m->gradient,
    .fetch = { { b->attention_codes + l->row * inner, l->rows * inner },
               qk_input_place(&job->projection, leaf), qk_gradient_place(&job->projection, leaf) },
    .output = { .g = m->wide, .codes = codes, .tables = &job->slopes, .entries = m->entries,
                .rest = b->hidden_rest + l->row * hidden, .lo = -QK_HIDDEN_LIMIT, .hi = QK_HIDDEN_LIMIT,
                .bias = sums + job->at.expand_bias, .step = sums + job->at.hidden_input_step,
                .table_step = sums + job->at.hidden_step },
  };
  status = run_layer(l, m, &expand);
  if (status != QK_OK) return status;
  const qk_norm_gradient norm = norm_step(job, l, m, 2, m->gradient, gy, m->between);
  norm_gradient(l, &norm);
  return QK_OK;
}

static qk_status backward_heads(const qk_block_leaf *l, const leaf_memory *m) {
  const size_t inner = qk_block_inner(l->block);
  for (size_t image = 0; image < (size_t)l->images; image++)
    for (size_t i = 0; i < (size_t)l->block->heads; i++) {
      const qk_head head = qk_leaf_head(l, image, i);
      const size_t row = image * head.tokens, column = i * head.dimension;
      const qk_status status = qk_head_backward(&head, m->head, m->wide + row * inner + column,
                                                m->gqkv + row * 3 * inner + column);
      if (status != QK_OK) return status;
    }
  return QK_OK;
}

/// m = x + keep·γ₁⊙projection(attention(qkv(norm1(x)))): from the gradient of m in `between`, computes gx.
static qk_status backward_attention(const backward_job *job, const qk_block_leaf *l, const leaf_memory *m) {
  const qk_training_block *b = job->block;
  const size_t width = (size_t)b->width, inner = qk_block_inner(b), at = l->row * width;
  float *sums = job->sums + (size_t)l->index * job->at.count;
  const float limit = qk_block_limit(b);
  float *g = changeable(m, m->between, l->rows * width, b->keep1);
  layer_step projection = {
    .layer = &b->projection, .panels = &job->panels, .operands = &job->projection, .row_step = job->projection_row_step,
    .input = b->attention_codes + l->row * inner, .ginput = m->wide,
    .fetch = { { b->qkv_codes + l->row * 3 * inner, l->rows * 3 * inner },
               { b->attention_rest + l->row * inner, l->rows * inner },
               { b->x + at, l->rows * width * sizeof(float) } },
    .output = { .g = g, .keep = b->keep1 ? b->keep1 + l->image : NULL,
                .bias = sums + job->at.projection_bias },
  };
  qk_status status = run_layer(l, m, &projection);
  if (status != QK_OK) return status;
  qk_block_row_passes(b)->cut_gradient(l->rows, inner, b->attention_rest + l->row * inner, -limit, limit, m->wide,
                  sums + job->at.attention_step);
  QK_PHASE("backward attention", QK_RESOURCE_NONE, 0, status = backward_heads(l, m));
  if (status == QK_OK) status = qk_block_norm_codes(l, 1, m->statistics, m->norm);
  if (status != QK_OK) return status;
  layer_step qkv = {
    .layer = &b->qkv, .panels = &job->panels, .operands = &job->qkv, .row_step = b->qkv.row_step, .input = m->norm,
    .ginput = m->gradient,
    .output = { .g = m->gqkv, .rest = b->qkv_rest + l->row * 3 * inner, .lo = -limit, .hi = limit,
                .bias = sums + job->at.qkv_bias, .step = sums + job->at.qkv_step },
  };
  status = run_layer(l, m, &qkv);
  if (status != QK_OK) return status;
  const qk_norm_gradient norm = norm_step(job, l, m, 1, m->gradient, m->between, job->gx + at);
  norm_gradient(l, &norm);
  return QK_OK;
}

static qk_status backward_leaf(const backward_job *job, const qk_block_leaf *l) {
  leaf_memory m = { .leaf = l };
  const qk_status reserved = qk_reserve(QK_SCRATCH_BLOCK_TASK, take_leaf, &m);
  if (reserved != QK_OK) return reserved;
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

qk_status qk_training_block_backward(const qk_training_block *block, const float *gy, float *gx,
                                     qk_training_gradients *gradients) {
  if (!gy || !gx || !gradients) return QK_NULL_POINTER;
  const qk_status checked = qk_block_check(block);
  if (checked != QK_OK) return checked;
  backward_job job = { .block = block, .gy = gy, .gx = gx };
  qk_place_sums(block, &job.at);
  const qk_status reserved = qk_reserve(QK_SCRATCH_BLOCK_CALL, take_all, &job);
  if (reserved != QK_OK) return reserved;
  fill_slopes(&job);
  fill_row_steps(&job);
  qk_fill_layer_panels(&job.panels);
  qk_parallel_for((size_t)qk_block_leaves(block), 1, &job, backward_leaves);
  if (job.status != QK_OK) return (qk_status)job.status;
  // The gradient of a layer scale needs the gradients of its weights in units of input codes.
  const qk_weight_gradient weights[] = {
    qk_weight_gradient_of(&job.qkv, 0, 0, block->norm1_step, gradients->qkv_weight),
    qk_weight_gradient_of(&job.projection, 0, 0, 1, gradients->projection_weight),
    qk_weight_gradient_of(&job.expand, 0, 0, block->norm2_step, gradients->expand_weight),
    qk_weight_gradient_of(&job.contract, 1, block->hidden_zero, 1, gradients->contract_weight),
  };
  const qk_status status = qk_weight_gradients(4, weights);
  if (status == QK_OK)
    QK_PHASE("sums of leaves", QK_RESOURCE_MEMORY, (double)qk_block_leaves(block) * (double)job.at.count * 4,
             qk_finish_gradients(block, &job.at, job.sums, gradients));
  return status;
}
