// The driver of the backward products: cuts them into tiles, and adds the leaves of weight gradients over a tree.
#include "gradient_gemm.h"
#include "../dispatch/kernels.h"
#include "../elementwise/float_common.h"
#include "ckernels/parallel.h"
#include "ckernels/profile.h"
#include <stdatomic.h>

enum {
  /// Outputs and inputs of one task of a weight gradient: its sums, 144 KiB a level of the tree, stay in the L2 cache
  /// while the panels of one leaf after the other pass.
  TASK_OUTPUTS = 192,
  TASK_INPUTS = 192,
  TILE_COLUMNS = QK_GRADIENT_TILE_PANELS * QK_GRADIENT_COLUMNS,
  LEVELS = 32
};

static int32_t minimum(int32_t a, int32_t b) { return a < b ? a : b; }

static size_t panel_step(int32_t depth) { return (size_t)(depth + 1) / 2 * 2 * QK_GRADIENT_COLUMNS; }

size_t qk_gradient_panel_elements(size_t rows, size_t columns) {
  return qk_blocks(columns, QK_GRADIENT_COLUMNS) * qk_blocks(rows, 2) * 2 * QK_GRADIENT_COLUMNS;
}

/// One block of depth of all rows; `right` is where the block starts in the first panel.
static void multiply_block(const qk_gradient_kernel *kernel, const qk_gradient_product *p, int32_t first, int32_t depth,
                           int32_t accumulate) {
  const size_t step = panel_step(p->depth);
  for (int32_t column = 0; column < p->columns; column += TILE_COLUMNS) {
    qk_gradient_tile tile = {
      .pairs = (depth + 1) / 2, .columns = minimum(TILE_COLUMNS, p->columns - column),
      .row_step = p->row_step, .pair_step = p->pair_step, .panel_step = step,
      .right = p->right + (size_t)(column / QK_GRADIENT_COLUMNS) * step + (size_t)first * QK_GRADIENT_COLUMNS,
      .output_stride = p->output_stride, .accumulate = accumulate,
    };
    tile.panels = (tile.columns + QK_GRADIENT_COLUMNS - 1) / QK_GRADIENT_COLUMNS;
    for (int32_t row = 0; row < p->rows; row += QK_GRADIENT_TILE_ROWS) {
      tile.rows = minimum(QK_GRADIENT_TILE_ROWS, p->rows - row);
      tile.left = p->left + (size_t)row * p->row_step + (size_t)(first / 2) * p->pair_step;
      tile.scale = p->scale + row;
      tile.output = p->output + (size_t)row * p->output_stride + column;
      kernel->multiply(&tile);
    }
  }
}

static void multiply(const qk_gradient_kernel *kernel, const qk_gradient_product *p) {
  for (int32_t first = 0; first < p->depth; first += QK_GRADIENT_DEPTH)
    multiply_block(kernel, p, first, minimum(QK_GRADIENT_DEPTH, p->depth - first), p->accumulate || first > 0);
}

static const qk_gradient_kernel *kernel_of(qk_isa isa) {
  const qk_gradient_kernel *kernel = qk_kernels(isa).gradient;
  return kernel ? kernel : &qk_gradient_reference;
}

qk_status qk_gradient_multiply_with(qk_isa isa, const qk_gradient_product *p) {
  if (!qk_isa_usable(isa)) return QK_ISA_NOT_AVAILABLE;
  if (!p || !p->left || !p->right || !p->scale || !p->output) return QK_NULL_POINTER;
  if (p->rows < 1 || p->depth < 1 || p->columns < 1 || p->output_stride < (size_t)p->columns) return QK_BAD_SIZE;
  if ((uintptr_t)p->right % 64 != 0) return QK_MISALIGNED;
  multiply(kernel_of(isa), p);
  return QK_OK;
}

qk_status qk_gradient_multiply(const qk_gradient_product *product) {
  return qk_gradient_multiply_with(qk_isa_current(), product);
}

// --- weight gradients ---------------------------------------------------------------------------------------

typedef struct weight_job {
  const qk_gradient_kernel *kernel;
  const qk_weight_gradient *gradients;
  atomic_int out_of_memory;
} weight_job;

static size_t tasks_of(const qk_weight_gradient *g) {
  return qk_blocks((size_t)g->outputs, TASK_OUTPUTS) * qk_blocks((size_t)g->inputs, TASK_INPUTS);
}

/// One leaf of a task's outputs n0… and inputs k0… onto or into `sums` [TASK_OUTPUTS][TASK_INPUTS]. The panels of one tile
/// of inputs stay in the L1 cache while those of the outputs pass.
static void multiply_leaf(const qk_gradient_kernel *kernel, const qk_gradient_leaf *leaf, int32_t n0, int32_t outputs,
                          int32_t k0, int32_t inputs, float *sums, int32_t accumulate) {
  const size_t step = panel_step(leaf->rows);
  for (int32_t k = 0; k < inputs; k += TILE_COLUMNS)
    for (int32_t n = 0; n < outputs; n += QK_GRADIENT_COLUMNS) {
      const qk_gradient_product product = {
        .rows = minimum(QK_GRADIENT_COLUMNS, outputs - n), .depth = leaf->rows,
        .columns = minimum(TILE_COLUMNS, inputs - k),
        .left = leaf->gradient + (size_t)((n0 + n) / QK_GRADIENT_COLUMNS) * step,
        .row_step = 2, .pair_step = 2 * QK_GRADIENT_COLUMNS,
        .right = leaf->input + (size_t)((k0 + k) / QK_GRADIENT_COLUMNS) * step, .scale = leaf->scale + n0 + n,
        .output = sums + (size_t)n * TASK_INPUTS + k, .output_stride = TASK_INPUTS, .accumulate = accumulate,
      };
      multiply(kernel, &product);
    }
}

QK_CLONES static void add(size_t count, const float *restrict other, float *restrict sums) {
  for (size_t i = 0; i < count; i++) sums[i] = other[i] + sums[i];
}

/// Adds the leaves like a binary counter: level l holds the sum of 2^l leaves that waits for its right neighbour.
static void run_task(const weight_job *job, const qk_weight_gradient *g, int32_t n0, int32_t k0, float *memory) {
  const size_t count = TASK_OUTPUTS * TASK_INPUTS;
  const int32_t outputs = minimum(TASK_OUTPUTS, g->outputs - n0), inputs = minimum(TASK_INPUTS, g->inputs - k0);
  float *level[LEVELS];
  for (int l = 0; l < LEVELS; l++) level[l] = NULL;
  size_t used = 0;
  for (int32_t i = 0; i < g->leaf_count; i++) {
    const int32_t merges = __builtin_ctz(~(uint32_t)i);
    if (level[0] == NULL) level[0] = memory + used++ * count;
    multiply_leaf(job->kernel, &g->leaves[i], n0, outputs, k0, inputs, level[0], merges > 0);
    for (int32_t l = 1; l <= merges; l++) {
      if (l < merges) add(count, level[l], level[l - 1]);
      float *sum = level[l - 1];
      level[l - 1] = level[l];
      level[l] = sum;
    }
  }
  float *sum = NULL;
  for (int l = 0; l < LEVELS; l++) {
    if ((g->leaf_count >> l & 1) == 0) continue;
    if (sum != NULL) add(count, level[l], sum);
    else sum = level[l];
  }
  for (int32_t n = 0; n < outputs; n++)
    memcpy(g->output + (size_t)(n0 + n) * g->output_stride + k0, sum + (size_t)n * TASK_INPUTS,
           (size_t)inputs * sizeof(float));
}

static double operations_of(const qk_weight_gradient *g, int32_t n0, int32_t k0) {
  double rows = 0;
  for (int32_t i = 0; i < g->leaf_count; i++) rows += g->leaves[i].rows;
  return 2.0 * rows * minimum(TASK_OUTPUTS, g->outputs - n0) * minimum(TASK_INPUTS, g->inputs - k0);
}

static void run_tasks(void *context, size_t begin, size_t end) {
  weight_job *job = context;
  for (size_t task = begin; task < end; task++) {
    size_t left = task, which = 0;
    while (left >= tasks_of(&job->gradients[which])) left -= tasks_of(&job->gradients[which++]);
    const qk_weight_gradient *g = &job->gradients[which];
    const size_t ranges = qk_blocks((size_t)g->inputs, TASK_INPUTS);
    size_t levels = 2;
    for (int32_t n = g->leaf_count; n > 1; n /= 2) levels++;
    float *memory = qk_scratch(QK_SCRATCH_TASK, levels * TASK_OUTPUTS * TASK_INPUTS * sizeof(float));
    if (memory == NULL) {
      atomic_store_explicit(&job->out_of_memory, 1, memory_order_relaxed);
      return;
    }
    const int32_t n0 = (int32_t)(left / ranges) * TASK_OUTPUTS, k0 = (int32_t)(left % ranges) * TASK_INPUTS;
    QK_PHASE("weight gradient products", QK_RESOURCE_INT16, operations_of(g, n0, k0), run_task(job, g, n0, k0, memory));
  }
}

static qk_status check_weight_gradient(const qk_weight_gradient *g) {
  if (!g->leaves || !g->output) return QK_NULL_POINTER;
  if (g->leaf_count < 1 || g->outputs < 1 || g->inputs < 1 || g->output_stride < (size_t)g->inputs) return QK_BAD_SIZE;
  for (int32_t i = 0; i < g->leaf_count; i++) {
    const qk_gradient_leaf *leaf = &g->leaves[i];
    if (!leaf->gradient || !leaf->scale || !leaf->input) return QK_NULL_POINTER;
    if (leaf->rows < 1 || leaf->rows > QK_GRADIENT_DEPTH) return QK_BAD_SIZE;
    if ((uintptr_t)leaf->input % 64 != 0) return QK_MISALIGNED;
  }
  return QK_OK;
}

qk_status qk_weight_gradients_with(qk_isa isa, size_t count, const qk_weight_gradient *gradients) {
  if (!qk_isa_usable(isa)) return QK_ISA_NOT_AVAILABLE;
  if (gradients == NULL) return QK_NULL_POINTER;
  weight_job job = { .kernel = kernel_of(isa), .gradients = gradients };
  size_t tasks = 0;
  for (size_t i = 0; i < count; i++) {
    const qk_status status = check_weight_gradient(&gradients[i]);
    if (status != QK_OK) return status;
    tasks += tasks_of(&gradients[i]);
  }
  qk_parallel_for(tasks, 1, &job, run_tasks);
  return job.out_of_memory ? QK_OUT_OF_MEMORY : QK_OK;
}

qk_status qk_weight_gradients(size_t count, const qk_weight_gradient *gradients) {
  return qk_weight_gradients_with(qk_isa_current(), count, gradients);
}
