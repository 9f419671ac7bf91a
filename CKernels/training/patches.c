// The patch embedding of a training step: leaves of rows, one thread per leaf.
#include "ckernels/training_patches.h"
#include "ckernels/parallel.h"
#include "ckernels/profile.h"
#include "ckernels/training.h"
#include "passes.h"
#include "weight_operands.h"
#include <stdatomic.h>

enum {
  LEAF_ROWS = 256,
  /// Code that panels of inputs subtract from every pixel: near the mean of the pixels, the rounding of gradients
  /// weighs least.
  MIDDLE_CODE = 128
};

typedef struct patches_job {
  const qk_training_patches *patches;
  size_t outputs, inputs;
  float *factor, *scales;     ///< forward: values of one accumulator unit, and memory for the constants with them
  qk_row_constants constants;
  float *y;
  const float *gy;            ///< backward
  qk_weight_operands operands;
  float *largest, *sums;      ///< scratch of each leaf, and of the sums of the bias
  atomic_int status;
} patches_job;

static patches_job job_of(const qk_training_patches *p) {
  return (patches_job){ .patches = p, .outputs = (size_t)p->layer.rows, .inputs = (size_t)p->layer.depth };
}

static qk_status check(const qk_training_patches *p) {
  if (!p || !p->layer.weights || !p->layer.constants || !p->layer.bias || !p->layer.row_step || !p->codes || !p->mean)
    return QK_NULL_POINTER;
  if (p->rows < 1 || p->layer.rows % 8) return QK_BAD_SIZE;
  return p->gradient_form == QK_GRADIENT_WORDS || p->gradient_form == QK_GRADIENT_BYTES ? QK_OK : QK_BAD_SPEC;
}

static size_t leaves_of(const qk_training_patches *p) { return qk_blocks((size_t)p->rows, LEAF_ROWS); }

static size_t rows_of(const qk_training_patches *p, size_t leaf) { return qk_min(LEAF_ROWS, (size_t)p->rows - leaf * LEAF_ROWS); }

// --- forward ------------------------------------------------------------------------------------------------

static void take_factors(void *owner, qk_memory *memory) {
  patches_job *job = owner;
  const qk_packed_weights *w = job->patches->layer.weights;
  job->factor = qk_take(memory, job->outputs * sizeof(float));
  job->scales = qk_take(memory, qk_rescaled_floats(w) * sizeof(float));
}

static void forward_leaves(void *context, size_t begin, size_t end) {
  patches_job *job = context;
  const qk_training_patches *p = job->patches;
  for (size_t leaf = begin; leaf < end; leaf++) {
    const size_t rows = rows_of(p, leaf);
    const qk_gemm_arguments product = {
      .tokens = (int32_t)rows, .activations_unsigned = 1, .activations = p->codes + leaf * LEAF_ROWS * job->inputs,
      .activation_stride = job->inputs, .weights = p->layer.weights, .bias = p->layer.bias,
      .requantisers = p->layer.requantisers, .scales = job->constants.row_scales, .constants = &job->constants,
      .form = QK_OUTPUT_FLOAT, .output = job->y + leaf * LEAF_ROWS * job->outputs, .output_stride = job->outputs,
    };
    qk_status status;
    QK_PHASE("forward products", QK_RESOURCE_INT8, 2.0 * (double)rows * (double)job->outputs * (double)job->inputs,
             status = qk_gemm(&product));
    if (status != QK_OK) atomic_store_explicit(&job->status, (int)status, memory_order_relaxed);
  }
}

qk_status qk_training_patches_forward(const qk_training_patches *p, float *y) {
  const qk_status checked = check(p);
  if (checked != QK_OK) return checked;
  if (!y) return QK_NULL_POINTER;
  patches_job job = job_of(p);
  job.y = y;
  const qk_status reserved = qk_reserve(QK_SCRATCH_BLOCK_CALL, take_factors, &job);
  if (reserved != QK_OK) return reserved;
  for (size_t n = 0; n < job.outputs; n++) job.factor[n] = p->input_step * p->layer.row_step[n];
  job.constants = qk_rescale_rows(p->layer.weights, p->layer.constants, job.factor, job.scales);
  qk_parallel_for(leaves_of(p), 1, &job, forward_leaves);
  return (qk_status)job.status;
}

// --- backward -----------------------------------------------------------------------------------------------

static void take_operands(void *owner, qk_memory *memory) {
  patches_job *job = owner;
  const qk_training_patches *p = job->patches;
  const size_t leaves = leaves_of(p);
  job->operands = qk_take_operands(memory, p->gradient_form, leaves, LEAF_ROWS, job->outputs, job->inputs);
  job->largest = qk_take(memory, leaves * job->outputs * sizeof(float));
  job->sums = qk_take(memory, qk_scratch_floats((size_t)p->rows, job->outputs) * sizeof(float));
}

static void prepare_leaves(void *context, size_t begin, size_t end) {
  const patches_job *job = context;
  const qk_training_patches *p = job->patches;
  const size_t element = qk_gradient_element(p->gradient_form);
  const qk_block_passes *passes = job->outputs % 16 == 0 ? &qk_passes16 : &qk_passes8;
  for (size_t leaf = begin; leaf < end; leaf++) {
    const size_t rows = rows_of(p, leaf), row = leaf * LEAF_ROWS;
    const qk_leaf_operands own = qk_operands_of(&job->operands, leaf, rows);
    QK_PHASE("gradients to codes", QK_RESOURCE_CACHE, (double)(rows * job->outputs * (4 + element)),
             passes->round_columns(p->gradient_form, rows, job->outputs, job->gy + row * job->outputs,
                                   job->outputs, NULL, job->largest + leaf * job->outputs, own.scale, own.sums, own.gradient));
    for (size_t n = 0; n < job->outputs; n++) own.scale[n] *= p->input_step;
    QK_PHASE("inputs to panels", QK_RESOURCE_CACHE, (double)(rows * job->inputs * (1 + element)),
             qk_gradient_code_panels(p->gradient_form, rows, job->inputs, p->codes + row * job->inputs, job->inputs, 1,
                                     MIDDLE_CODE, own.input));
  }
}

/// Adds the means. The products hold Σ g·input_step·(code − middle); x is that value plus input_step·middle − mean.
QK_CLONES static void add_means(const qk_training_patches *p, size_t outputs, size_t inputs, const float *gbias,
                                float *gweight) {
  const float middle = p->input_step * MIDDLE_CODE;
  for (size_t n = 0; n < outputs; n++)
    for (size_t k = 0; k < inputs; k++) {
      const float rest = gbias[n] * (middle - p->mean[k]);
      gweight[n * inputs + k] += rest;
    }
}

qk_status qk_training_patches_backward(const qk_training_patches *p, const float *gy, float *gweight, float *gbias) {
  const qk_status checked = check(p);
  if (checked != QK_OK) return checked;
  if (!gy || !gweight || !gbias) return QK_NULL_POINTER;
  patches_job job = job_of(p);
  job.gy = gy;
  const qk_status reserved = qk_reserve(QK_SCRATCH_BLOCK_CALL, take_operands, &job);
  if (reserved != QK_OK) return reserved;
  qk_column_sums((size_t)p->rows, job.outputs, gy, job.sums, gbias);
  qk_parallel_for(leaves_of(p), 1, &job, prepare_leaves);
  const qk_weight_gradient product = qk_weight_gradient_of(&job.operands, 1, MIDDLE_CODE, 1, gweight);
  const qk_status status = qk_weight_gradients(1, &product);
  if (status == QK_OK) add_means(p, job.outputs, job.inputs, gbias, gweight);
  return status;
}
