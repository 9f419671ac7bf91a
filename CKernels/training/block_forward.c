// The forward pass of the training block: every leaf of images from LayerNorm to the second residual sum.
#include "passes.h"
#include "block_memory.h"
#include "block_norm.h"
#include "block_leaf.h"
#include <stdatomic.h>

/// Values of one accumulator unit in units of the row's result, and memory for the constants of the layers whose
/// products end in codes.
typedef struct block_factors {
  float *qkv, *projection, *expand, *contract, *qkv_scales, *expand_scales;
} block_factors;

typedef struct forward_job {
  const qk_training_block *block;
  block_factors factors;
  qk_row_constants qkv, expand;  ///< with these factors
  atomic_int status;
} forward_job;

static void take_factors(void *owner, qk_memory *memory) {
  forward_job *job = owner;
  const qk_training_block *b = job->block;
  block_factors *f = &job->factors;
  const size_t inner = qk_block_inner(b);
  f->qkv = qk_take(memory, 3 * inner * sizeof(float));
  f->projection = qk_take(memory, (size_t)b->width * sizeof(float));
  f->expand = qk_take(memory, (size_t)b->hidden * sizeof(float));
  f->contract = qk_take(memory, (size_t)b->width * sizeof(float));
  f->qkv_scales = qk_take(memory, qk_rescaled_floats(b->qkv.weights) * sizeof(float));
  f->expand_scales = qk_take(memory, qk_rescaled_floats(b->expand.weights) * sizeof(float));
}

static void fill_factors(const qk_training_block *b, const block_factors *f) {
  const size_t inner = qk_block_inner(b);
  for (size_t n = 0; n < 3 * inner; n++) f->qkv[n] = b->norm1_step * b->qkv.row_step[n] / b->qkv_step[n / inner];
  for (int32_t n = 0; n < b->width; n++) {
    f->projection[n] = b->attention_step * b->projection.row_step[n] * b->gain1[n];
    f->contract[n] = b->hidden_step * b->contract.row_step[n] * b->gain2[n];
  }
  for (int32_t n = 0; n < b->hidden; n++) f->expand[n] = b->norm2_step * b->expand.row_step[n] / b->hidden_input_step;
}

/// The arguments that all forms of a layer's product share.
static qk_gemm_arguments product_of(const qk_training_linear *layer, const void *codes, int is_unsigned, size_t rows) {
  return (qk_gemm_arguments){
    .tokens = (int32_t)rows, .activations_unsigned = is_unsigned, .activations = codes,
    .activation_stride = (size_t)layer->depth, .weights = layer->weights, .bias = layer->bias,
    .requantisers = layer->requantisers, .constants = layer->constants,
    .output_stride = (size_t)layer->rows,
  };
}

static qk_status multiply(const qk_gemm_arguments *arguments) {
  qk_status status;
  QK_PHASE("forward products", QK_RESOURCE_INT8,
           2.0 * arguments->tokens * arguments->weights->rows * arguments->weights->depth, status = qk_gemm(arguments));
  return status;
}

static qk_status sums_of(const qk_training_linear *layer, const void *codes, int is_unsigned, size_t rows, int32_t *sums) {
  qk_gemm_arguments arguments = product_of(layer, codes, is_unsigned, rows);
  arguments.form = QK_OUTPUT_ACCUMULATOR;
  arguments.output = sums;
  return multiply(&arguments);
}

/// Runs a linear layer to codes (in exact mode those of the requantiser) and their rounding errors.
static qk_status linear_codes(const qk_block_leaf *l, const qk_training_linear *layer, const qk_row_constants *constants,
                              const int8_t *input, int32_t limit, int8_t *codes, int8_t *rest) {
  qk_gemm_arguments arguments = product_of(layer, input, 0, l->rows);
  arguments.constants = constants;
  arguments.scales = constants->row_scales;
  arguments.form = l->block->exact ? QK_OUTPUT_EXACT_AND_REST : QK_OUTPUT_CODE_AND_REST;
  arguments.lo = -limit;
  arguments.hi = limit;
  arguments.output = codes;
  arguments.rest = rest;
  return multiply(&arguments);
}

#define TRY(call)                             \
  do {                                        \
    const qk_status status_of_call = (call);  \
    if (status_of_call != QK_OK) return status_of_call; \
  } while (0)

static qk_status compute_attention_codes(const qk_block_leaf *l, void *head_memory, float *context) {
  const qk_training_block *b = l->block;
  const size_t inner = qk_block_inner(b), tokens = (size_t)b->tokens;
  const float limit = qk_block_limit(b);
  const int8_t *qkv = b->qkv_codes + l->row * 3 * inner;
  int8_t *codes = b->attention_codes + l->row * inner;
  for (size_t image = 0; image < (size_t)l->images; image++)
    for (size_t i = 0; i < (size_t)b->heads; i++) {
      const qk_head head = qk_leaf_head(l, image, i);
      float *out = context + image * tokens * inner + i * head.dimension;
      TRY(qk_head_forward(&head, head_memory, out, inner));
    }
  qk_block_row_passes(b)->values_to_codes(l->rows, inner, context, 1.0f / b->attention_step, -limit, limit, codes,
                     b->attention_rest + l->row * inner);
  if (!b->exact) return QK_OK;
  qk_attention_arguments a = b->exact->attention;
  a.batch = l->images;
  a.tokens = b->tokens;
  a.heads = b->heads;
  a.head_dimension = b->head_dimension;
  a.activation_bits = b->activation_bits;
  a.qkv = qkv;
  a.output = codes;
  return qk_attention(&a);
}

static qk_status attention_codes(const qk_block_leaf *l, void *head_memory, float *context) {
  qk_status status;
  QK_PHASE("forward attention", QK_RESOURCE_NONE, 0, status = compute_attention_codes(l, head_memory, context));
  return status;
}

/// Adds a linear layer to the residual stream: x and y in float, or in exact mode `from` and `to` in the saturating
/// codes of deployment, whose values are then y.
static qk_status linear_branch(const qk_block_leaf *l, const qk_training_linear *layer, const void *input, int is_unsigned,
                               const float *factor, const float *keep, int32_t *sums, const float *x, float *y,
                               const int16_t *from, int16_t *to) {
  const qk_training_block *b = l->block;
  const size_t width = (size_t)b->width, at = l->row * width;
  if (b->exact) {
    qk_gemm_arguments arguments = product_of(layer, input, is_unsigned, l->rows);
    arguments.form = QK_OUTPUT_RESIDUAL;
    arguments.residual = from + at;
    arguments.residual_stride = width;
    arguments.output = to + at;
    const qk_status status = multiply(&arguments);
    if (status == QK_OK) qk_dequantize_int16(l->rows * width, b->exact->residual_step, to + at, y + at);
    return status;
  }
  const qk_status status = sums_of(layer, input, is_unsigned, l->rows, sums);
  if (status != QK_OK) return status;
  QK_PHASE("forward residual", QK_RESOURCE_CACHE, qk_leaf_bytes(l, width, 4 + 4 + 4),
           qk_block_row_passes(b)->add_branch(l->rows, width, (size_t)b->tokens, sums, factor,
                                              keep ? keep + l->image : NULL, x + at, y + at));
  return QK_OK;
}

/// Work buffers of a leaf.
typedef struct leaf_memory {
  const qk_block_leaf *leaf;
  int32_t *sums;
  void *head;
  float *context, *statistics;
  int8_t *norm;
  uint8_t *gelu;
} leaf_memory;

static void take_leaf(void *owner, qk_memory *memory) {
  leaf_memory *m = owner;
  const qk_training_block *b = m->leaf->block;
  const size_t rows = m->leaf->rows;
  m->sums = qk_take(memory, rows * (size_t)b->width * sizeof *m->sums);
  m->head = qk_take(memory, qk_head_memory((size_t)b->tokens, (size_t)b->head_dimension));
  m->context = qk_take(memory, rows * qk_block_inner(b) * sizeof *m->context);
  m->statistics = qk_take(memory, rows * 2 * sizeof *m->statistics);
  m->norm = qk_take(memory, rows * (size_t)b->width);
  m->gelu = qk_take(memory, rows * (size_t)b->hidden);
}

static qk_status forward_leaf(const forward_job *job, const qk_block_leaf *l) {
  const qk_training_block *b = l->block;
  const qk_exact_block *e = b->exact;
  const size_t inner = qk_block_inner(b), hidden = (size_t)b->hidden;
  leaf_memory m = { .leaf = l };
  TRY(qk_reserve(QK_SCRATCH_BLOCK_TASK, take_leaf, &m));

  TRY(qk_block_norm_codes(l, 1, m.statistics, m.norm));
  TRY(linear_codes(l, &b->qkv, &job->qkv, m.norm, (int32_t)qk_block_limit(b),
                   b->qkv_codes + l->row * 3 * inner, b->qkv_rest + l->row * 3 * inner));
  TRY(attention_codes(l, m.head, m.context));
  TRY(linear_branch(l, &b->projection, b->attention_codes + l->row * inner, 0, job->factors.projection, b->keep1, m.sums,
                    b->x, b->middle, e ? e->input : NULL, e ? e->middle : NULL));

  TRY(qk_block_norm_codes(l, 2, m.statistics, m.norm));
  int8_t *codes = b->hidden_codes + l->row * hidden;
  TRY(linear_codes(l, &b->expand, &job->expand, m.norm, QK_HIDDEN_LIMIT, codes, b->hidden_rest + l->row * hidden));
  QK_PHASE("forward GELU", QK_RESOURCE_CACHE, qk_leaf_bytes(l, hidden, 1 + 1),
           qk_look_up(l->rows * hidden, codes, b->hidden_table, m.gelu));
  return linear_branch(l, &b->contract, m.gelu, 1, job->factors.contract, b->keep2, m.sums, b->middle, b->y,
                       e ? e->middle : NULL, e ? e->output : NULL);
}

static void forward_leaves(void *context, size_t begin, size_t end) {
  forward_job *job = context;
  for (size_t i = begin; i < end; i++) {
    const qk_block_leaf leaf = qk_block_leaf_at(job->block, (int32_t)i);
    const qk_status status = forward_leaf(job, &leaf);
    if (status != QK_OK) atomic_store_explicit(&job->status, (int)status, memory_order_relaxed);
  }
}

static qk_status check_layer(const qk_training_block *b, const qk_training_linear *l) {
  if (!l->weights || !l->constants || !l->bias || (b->exact && !l->requantisers)) return QK_NULL_POINTER;
  return l->weights->rows == l->rows && l->weights->depth == l->depth ? QK_OK : QK_BAD_SIZE;
}

static qk_status check(const qk_training_block *b) {
  const qk_status checked = qk_block_check(b);
  if (checked != QK_OK) return checked;
  const qk_training_linear *layers[] = { &b->qkv, &b->projection, &b->expand, &b->contract };
  for (int i = 0; i < 4; i++) {
    const qk_status status = check_layer(b, layers[i]);
    if (status != QK_OK) return status;
  }
  const qk_exact_block *e = b->exact;
  return e && (!e->input || !e->middle || !e->output) ? QK_NULL_POINTER : QK_OK;
}

qk_status qk_training_block_forward(const qk_training_block *block) {
  const qk_status checked = check(block);
  if (checked != QK_OK) return checked;
  forward_job job = { .block = block };
  const qk_status reserved = qk_reserve(QK_SCRATCH_BLOCK_CALL, take_factors, &job);
  if (reserved != QK_OK) return reserved;
  fill_factors(block, &job.factors);
  job.qkv = qk_rescale_rows(block->qkv.weights, block->qkv.constants, job.factors.qkv, job.factors.qkv_scales);
  job.expand = qk_rescale_rows(block->expand.weights, block->expand.constants, job.factors.expand, job.factors.expand_scales);
  qk_parallel_for((size_t)qk_block_leaves(block), 1, &job, forward_leaves);
  return (qk_status)job.status;
}
