// The driver of the backward products: cuts them into tiles and adds the leaves of weight gradients over a tree.
#include "gradient_gemm.h"
#include "../dispatch/kernels.h"
#include "../elementwise/float_common.h"
#include "ckernels/parallel.h"
#include "ckernels/profile.h"
#include <stdatomic.h>

enum {
  /// Outputs and inputs of one task of a weight gradient. Its sums, 72 KiB per level of the tree, stay in the L2 cache
  /// while the panels of one leaf after another pass.
  TASK_OUTPUTS = 96,
  TASK_INPUTS = 192,
  TASK_SUMS = TASK_OUTPUTS * TASK_INPUTS,
  TILE_COLUMNS = QK_GRADIENT_TILE_PANELS * QK_GRADIENT_COLUMNS,
  LEVELS = 32
};

static int32_t minimum(int32_t a, int32_t b) { return a < b ? a : b; }

static size_t panel_step(qk_gradient_form form, size_t rows) {
  return qk_blocks(rows, qk_gradient_group(form)) * QK_GRADIENT_LINE_BYTES;
}

size_t qk_gradient_panel_bytes(qk_gradient_form form, size_t rows, size_t columns) {
  return qk_blocks(columns, QK_GRADIENT_COLUMNS) * panel_step(form, rows);
}

/// Bytes that are brought to the L2 cache during a product. The panels of all leaves are in the L3 cache at best, and a
/// core waits for a dozen lines at most. Requested all at once, lines stall it; requested one by one between the
/// products, they do not.
typedef struct fetch_list {
  const qk_fetch_range *ranges;
  size_t count, share, at;  ///< ranges left; bytes per tile; bytes done of the first range
} fetch_list;

static fetch_list fetch_of(const qk_fetch_range *ranges, size_t count, int32_t rows, int32_t columns) {
  const size_t tiles = qk_blocks((size_t)columns, TILE_COLUMNS) * qk_blocks((size_t)rows, QK_GRADIENT_TILE_ROWS);
  size_t bytes = 0;
  for (size_t i = 0; i < count; i++) bytes += ranges[i].bytes;
  return (fetch_list){ .ranges = ranges, .count = count, .share = qk_blocks(bytes, tiles) };
}

/// Enters the share of the next tile: where it starts, and how far each group of k advances.
static void fetch_share(fetch_list *list, qk_gradient_tile *tile) {
  while (list->count > 0 && list->at >= list->ranges->bytes) {
    list->at -= list->ranges->bytes;
    list->ranges++;
    list->count--;
  }
  if (list->count == 0) {
    tile->fetch = tile->right;
    tile->fetch_step = 0;
    return;
  }
  tile->fetch = (const uint8_t *)list->ranges->from + list->at;
  tile->fetch_step = list->share / (size_t)tile->groups;
  list->at += list->share;
}

/// Multiplies one block of depth of all rows, onto addends laid out like the output.
static void multiply_block(const qk_gradient_kernel *kernel, const qk_gradient_product *p, int32_t first, int32_t depth,
                           const qk_gradient_addends *addends, fetch_list *fetch) {
  const size_t step = panel_step(p->form, (size_t)p->depth), group = qk_gradient_group(p->form);
  const size_t first_group = (size_t)first / group;
  const uint8_t *left = (const uint8_t *)p->left + first_group * p->group_step;
  const uint8_t *right = (const uint8_t *)p->right + first_group * QK_GRADIENT_LINE_BYTES;
  for (int32_t column = 0; column < p->columns; column += TILE_COLUMNS) {
    qk_gradient_tile tile = {
      .groups = (int32_t)qk_blocks((size_t)depth, group), .columns = minimum(TILE_COLUMNS, p->columns - column),
      .row_step = p->row_step, .group_step = p->group_step, .panel_step = step, .offset = p->right_offset,
      .right = right + (size_t)(column / QK_GRADIENT_COLUMNS) * step,
      .output_stride = p->output_stride, .addends = *addends, .factor = 1,
    };
    tile.panels = (tile.columns + QK_GRADIENT_COLUMNS - 1) / QK_GRADIENT_COLUMNS;
    for (int32_t row = 0; row < p->rows; row += QK_GRADIENT_TILE_ROWS) {
      tile.rows = minimum(QK_GRADIENT_TILE_ROWS, p->rows - row);
      fetch_share(fetch, &tile);
      tile.left = left + (size_t)row * p->row_step;
      tile.left_sums = p->left_sums ? p->left_sums + row : NULL;
      tile.scale = p->scale + row;
      tile.output = p->output + (size_t)row * p->output_stride + column;
      tile.addends.at = (size_t)row * addends->stride + (size_t)column;
      kernel->multiply[p->form](&tile);
    }
  }
}

static void multiply(const qk_gradient_kernel *kernel, const qk_gradient_product *p, fetch_list *fetch) {
  const int32_t block = p->form == QK_GRADIENT_WORDS ? QK_GRADIENT_DEPTH : QK_GRADIENT_BYTE_DEPTH;
  const float *const output = p->output;
  qk_gradient_addends addends = { .values = &output, .stride = p->output_stride };
  for (int32_t first = 0; first < p->depth; first += block) {
    addends.count = p->accumulate || first > 0;
    multiply_block(kernel, p, first, minimum(block, p->depth - first), &addends, fetch);
  }
}

/// Checks the operands that a form needs.
static qk_status check_form(qk_gradient_form form, const int32_t *sums, int32_t offset) {
  if ((int)form < 0 || form >= QK_GRADIENT_FORMS) return QK_BAD_SPEC;
  if (form == QK_GRADIENT_BYTES && sums == NULL) return QK_NULL_POINTER;
  const int32_t most = form == QK_GRADIENT_BYTES ? QK_GRADIENT_CODE_LIMIT : 0;
  return offset < 0 || offset > most ? QK_BAD_SPEC : QK_OK;
}

static const qk_gradient_kernel *kernel_of(qk_isa isa) {
  const qk_gradient_kernel *kernel = qk_kernels(isa).gradient;
  return kernel ? kernel : &qk_gradient_reference;
}

qk_status qk_gradient_multiply_with(qk_isa isa, const qk_gradient_product *p) {
  if (!qk_isa_usable(isa)) return QK_ISA_NOT_AVAILABLE;
  if (!p || !p->left || !p->right || !p->scale || !p->output) return QK_NULL_POINTER;
  if (p->rows < 1 || p->depth < 1 || p->columns < 1 || p->output_stride < (size_t)p->columns) return QK_BAD_SIZE;
  const qk_status form = check_form(p->form, p->left_sums, p->right_offset);
  if (form != QK_OK) return form;
  if (p->form != QK_GRADIENT_WORDS && p->depth > QK_GRADIENT_BYTE_DEPTH) return QK_BAD_SIZE;
  if ((uintptr_t)p->right % 64 != 0) return QK_MISALIGNED;
  fetch_list fetch = fetch_of(p->fetch, QK_FETCH_RANGES, p->rows, p->columns);
  multiply(kernel_of(isa), p, &fetch);
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

/// The panels of one leaf that a task reads: consecutive ones of either operand.
typedef struct leaf_panels {
  const uint8_t *gradient, *input;
  size_t gradient_bytes, input_bytes;
} leaf_panels;

static leaf_panels panels_of(const qk_weight_gradient *g, const qk_gradient_leaf *leaf, int32_t n0, int32_t outputs,
                             int32_t k0, int32_t inputs) {
  const size_t step = panel_step(g->form, (size_t)leaf->rows);
  return (leaf_panels){
    .gradient = (const uint8_t *)leaf->gradient + (size_t)(n0 / QK_GRADIENT_COLUMNS) * step,
    .input = (const uint8_t *)leaf->input + (size_t)(k0 / QK_GRADIENT_COLUMNS) * step,
    .gradient_bytes = qk_gradient_panel_bytes(g->form, (size_t)leaf->rows, (size_t)outputs),
    .input_bytes = qk_gradient_panel_bytes(g->form, (size_t)leaf->rows, (size_t)inputs),
  };
}

/// Multiplies one leaf of a task's outputs n0… and inputs k0…, adds the addends [TASK_OUTPUTS][TASK_INPUTS], and writes
/// `factor` times the result to `sums`, whose rows are `stride` apart. The panels of one tile of inputs stay in the L1
/// cache while those of the outputs pass. The panels of the next leaf are fetched meanwhile.
static void multiply_leaf(const qk_gradient_kernel *kernel, const qk_weight_gradient *g, int32_t index, int32_t n0,
                          int32_t outputs, int32_t k0, int32_t inputs, const float *const *addends, int32_t addend_count,
                          float factor, float *sums, size_t stride) {
  const qk_gradient_leaf *leaf = &g->leaves[index];
  const size_t step = panel_step(g->form, (size_t)leaf->rows);
  const leaf_panels now = panels_of(g, leaf, n0, outputs, k0, inputs);
  leaf_panels next = { .gradient = NULL };
  if (index + 1 < g->leaf_count) next = panels_of(g, leaf + 1, n0, outputs, k0, inputs);
  const qk_fetch_range ranges[] = { { next.gradient, next.gradient_bytes }, { next.input, next.input_bytes } };
  fetch_list fetch = fetch_of(ranges, 2, outputs, inputs);
  qk_gradient_tile tile = {
    .groups = (int32_t)qk_blocks((size_t)leaf->rows, qk_gradient_group(g->form)), .row_step = QK_GRADIENT_GROUP_BYTES,
    .group_step = QK_GRADIENT_LINE_BYTES, .panel_step = step, .offset = g->input_offset, .output_stride = stride,
    .addends = { .count = addend_count, .values = addends, .stride = TASK_INPUTS }, .factor = factor,
  };
  for (int32_t k = 0; k < inputs; k += TILE_COLUMNS) {
    tile.columns = minimum(TILE_COLUMNS, inputs - k);
    tile.panels = (tile.columns + QK_GRADIENT_COLUMNS - 1) / QK_GRADIENT_COLUMNS;
    tile.right = now.input + (size_t)(k / QK_GRADIENT_COLUMNS) * step;
    for (int32_t n = 0; n < outputs; n += QK_GRADIENT_TILE_ROWS) {
      tile.rows = minimum(QK_GRADIENT_TILE_ROWS, outputs - n);
      fetch_share(&fetch, &tile);
      tile.left = now.gradient + (size_t)(n / QK_GRADIENT_COLUMNS) * step
          + (size_t)(n % QK_GRADIENT_COLUMNS) * QK_GRADIENT_GROUP_BYTES;
      tile.left_sums = leaf->sums ? leaf->sums + n0 + n : NULL;
      tile.scale = leaf->scale + n0 + n;
      tile.output = sums + (size_t)n * stride + k;
      tile.addends.at = (size_t)n * TASK_INPUTS + (size_t)k;
      kernel->multiply[g->form](&tile);
    }
  }
}

/// Adds the leaves like a binary counter. Level l holds the sum of 2^l leaves, which waits for its right neighbour
/// while bit l of the number of leaves so far is 1. A leaf takes the levels of the bits that it clears; the last leaf
/// takes all levels.
static void run_task(const weight_job *job, const qk_weight_gradient *g, int32_t n0, int32_t k0, float *memory) {
  const int32_t outputs = minimum(TASK_OUTPUTS, g->outputs - n0), inputs = minimum(TASK_INPUTS, g->inputs - k0);
  for (int32_t i = 0; i < g->leaf_count; i++) {
    const int is_last = i == g->leaf_count - 1;
    const float *addends[LEVELS];
    int32_t count = 0, level = 0;
    for (; is_last ? i >> level > 0 : i >> level & 1; level++)
      if (i >> level & 1) addends[count++] = memory + (size_t)level * TASK_SUMS;
    if (is_last)
      multiply_leaf(job->kernel, g, i, n0, outputs, k0, inputs, addends, count, g->factor,
                    g->output + (size_t)n0 * g->output_stride + k0, g->output_stride);
    else
      multiply_leaf(job->kernel, g, i, n0, outputs, k0, inputs, addends, count, 1, memory + (size_t)level * TASK_SUMS,
                    TASK_INPUTS);
  }
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
    size_t levels = 1;
    for (int32_t n = g->leaf_count; n > 1; n /= 2) levels++;
    float *memory = qk_scratch(QK_SCRATCH_TASK, levels * TASK_SUMS * sizeof(float));
    if (memory == NULL) {
      atomic_store_explicit(&job->out_of_memory, 1, memory_order_relaxed);
      return;
    }
    const int32_t n0 = (int32_t)(left / ranges) * TASK_OUTPUTS, k0 = (int32_t)(left % ranges) * TASK_INPUTS;
    QK_PHASE("weight gradient products", g->form == QK_GRADIENT_BYTES ? QK_RESOURCE_INT8 : QK_RESOURCE_INT16,
             operations_of(g, n0, k0), run_task(job, g, n0, k0, memory));
  }
}

static qk_status check_weight_gradient(const qk_weight_gradient *g) {
  if (!g->leaves || !g->output) return QK_NULL_POINTER;
  if (g->leaf_count < 1 || g->outputs < 1 || g->inputs < 1 || g->output_stride < (size_t)g->inputs) return QK_BAD_SIZE;
  for (int32_t i = 0; i < g->leaf_count; i++) {
    const qk_gradient_leaf *leaf = &g->leaves[i];
    if (!leaf->gradient || !leaf->scale || !leaf->input) return QK_NULL_POINTER;
    if (leaf->rows < 1 || leaf->rows > QK_GRADIENT_DEPTH) return QK_BAD_SIZE;
    const qk_status form = check_form(g->form, leaf->sums, g->input_offset);
    if (form != QK_OK) return form;
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
