// The GEMM driver. A task prepares the activations of its tokens once, multiplies them by one group of panels after
// another, and finishes a few tiles at a time while their sums are in the L1 cache. Weights of one precision are in row
// order, so their outputs go straight to their place. Weights of two precisions are brought into row order on the way
// to the L1 cache where a kernel multiplies 4-bit rows as bytes anyway (ordered_rows.h). Otherwise their outputs are
// staged in slot order and merged at the end.
#include "integer_gemm.h"
#include "gemm_blocks.h"
#include "ordered_rows.h"
#include "row_constants.h"
#include "validate.h"
#include "../dispatch/kernels.h"
#include "../pack/packed_layout.h"
#include "ckernels/parallel.h"
#include <stdatomic.h>

typedef struct gemm_job {
  const qk_gemm_kernel *kernel;
  const qk_gemm_arguments *arguments;
  const qk_row_constants *constants;
  qk_gemm_blocks blocks;
  size_t element, planes;            ///< bytes of an output element, and number of output arrays
  int32_t ordered, staged_rows;      ///< rows of two precisions, brought into row order before or after the products
  int32_t shared_activations, in_place8, in_place4;
  size_t stride8, stride4;           ///< bytes of one token's prepared activations
  size_t activations4, panels, staged, scratch_bytes;
  size_t staged_stride, staged_plane; ///< bytes from one token's staged codes to the next, and from codes to rests
  atomic_int out_of_memory;
} gemm_job;

/// One task: tokens from t0 on, the slots of its rows, and the work buffers.
typedef struct gemm_task {
  const gemm_job *job;
  uint8_t *scratch;
  int32_t t0, tokens, first_row, last_row;
  qk_slot_range range8, range4;
} gemm_task;

static int32_t minimum(int32_t a, int32_t b) { return a < b ? a : b; }

static size_t round_to_line(size_t bytes) { return (bytes + 63) / 64 * 64; }

/// Bytes of one token's prepared activations. Never a multiple of 4096, so that the rows of a tile do not fall into the
/// same set of the L1 cache.
static size_t activation_row(int32_t padded_depth, int32_t bytes) {
  const size_t row = round_to_line((size_t)padded_depth * (size_t)bytes);
  return row % 4096 == 0 ? row + 64 : row;
}

static void plan_scratch(gemm_job *job) {
  const qk_gemm_kernel *kernel = job->kernel;
  const qk_packed_weights *w = job->arguments->weights;
  const size_t tokens = (size_t)job->blocks.block_tokens;
  job->stride8 = activation_row(w->padded_depth, kernel->w8.activation_bytes);
  job->stride4 = activation_row(w->padded_depth, kernel->w4.activation_bytes);
  job->shared_activations = kernel->w8.load_activations == kernel->w4.load_activations;
  size_t total = w->slots8 > 0 ? tokens * job->stride8 : 0;
  job->activations4 = job->shared_activations && w->slots8 > 0 ? 0 : total;
  if (w->slots4 > 0 && (!job->shared_activations || w->slots8 == 0)) total += tokens * job->stride4;
  job->panels = total;
  int32_t wide = kernel->w8.panel_bytes > kernel->w4.panel_bytes ? kernel->w8.panel_bytes : kernel->w4.panel_bytes;
  if (job->ordered && wide < QK_PANEL_ROWS) wide = QK_PANEL_ROWS;
  total += (size_t)kernel->group_panels * (size_t)w->padded_depth * (size_t)wide;
  job->staged = total;
  // Ranges widen to whole panels at both ends; a merge may read 64 elements past its last code.
  const int32_t columns = minimum(job->blocks.block_rows + 4 * QK_PANEL_ROWS, w->slots8 + w->slots4) + 64;
  job->staged_stride = round_to_line((size_t)columns * job->element);
  job->staged_plane = tokens * job->staged_stride;
  if (job->staged_rows) total += job->planes * job->staged_plane;
  job->scratch_bytes = round_to_line(total) + 64;
}

/// 1 when the bytes of these activations can be multiplied directly: unsigned ones on x86, signed ones on Arm.
static int sign_suits(const qk_gemm_arguments *a) { return (QK_ACTIVATION_SHIFT > 0) == (a->activations_unsigned != 0); }

/// 1 when bytes of the right sign need no preparation, because whole steps of them are in the caller's rows.
static int used_in_place(const gemm_job *job, const qk_gemm_precision *precision) {
  const qk_gemm_arguments *a = job->arguments;
  return sign_suits(a) && precision->shifted && precision->activation_bytes == 1
      && a->weights->depth == a->weights->padded_depth && a->activation_stride % 4096 != 0;
}

static void load_tokens(const gemm_task *task, const qk_gemm_precision *precision, size_t stride, uint8_t *out) {
  const qk_gemm_arguments *a = task->job->arguments;
  const uint8_t *codes = (const uint8_t *)a->activations + (size_t)task->t0 * a->activation_stride;
  for (int32_t t = 0; t < task->tokens; t++)
    precision->load_activations(codes + (size_t)t * a->activation_stride, a->activations_unsigned, a->weights->depth,
                                a->weights->padded_depth, out + (size_t)t * stride);
}

/// Panels of the next group. A group of three keeps the multipliers as busy as one of four, smaller groups do not. So
/// groups of three are taken where one or two panels would be left.
static int32_t next_group(int32_t panels, int32_t most) {
  if (panels <= most) return panels;
  const int32_t rest = panels % QK_GROUP_PANELS;
  return most == QK_GROUP_PANELS && (rest == 2 || rest == 1) ? most - 1 : most;
}

/// Directs finished codes to the output, to the columns from row `row` on.
static void aim_at_rows(const gemm_task *task, int32_t row, int32_t columns, qk_gemm_finish *f) {
  const gemm_job *job = task->job;
  const qk_gemm_arguments *a = job->arguments;
  f->columns = minimum(columns, task->last_row - row);
  f->output_bytes = a->output_stride * job->element;
  f->output = (uint8_t *)a->output + (size_t)task->t0 * f->output_bytes + (size_t)row * job->element;
  if (job->planes == 2) f->rest = a->rest + (size_t)task->t0 * f->output_bytes + row;
  f->residual_bytes = a->residual_stride * sizeof(int16_t);
  if (a->form == QK_OUTPUT_RESIDUAL) f->residual = a->residual + (size_t)task->t0 * a->residual_stride + row;
}

/// Directs the finished codes of a slot: to the output when slots are rows, else to the staged codes.
static void aim(const gemm_task *task, int32_t slot, int32_t columns, int32_t staged_column, qk_gemm_finish *f) {
  const gemm_job *job = task->job;
  if (!job->staged_rows) {
    const qk_packed_weights *w = job->arguments->weights;
    aim_at_rows(task, w->slots8 > 0 ? slot : slot - w->slots8, columns, f);
    return;
  }
  f->columns = columns;
  f->output = task->scratch + job->staged + (size_t)staged_column * job->element;
  if (job->planes == 2) f->rest = (int8_t *)f->output + job->staged_plane;
  f->output_bytes = job->staged_stride;
}

/// `first` is the first slot, or row, in the order of the constants.
static qk_gemm_finish finish_of(const gemm_task *task, const qk_gemm_precision *precision, const qk_ordered_constants *c,
                                int32_t first) {
  const gemm_job *job = task->job;
  const qk_gemm_arguments *a = job->arguments;
  const int shifted = precision->shifted && !sign_suits(a);
  const int residual = a->form == QK_OUTPUT_RESIDUAL;
  return (qk_gemm_finish){
    .form = residual && job->staged_rows ? QK_OUTPUT_INT16 : a->form,
    .lo = residual ? INT16_MIN : a->lo, .hi = residual ? INT16_MAX : a->hi,
    .sum_shift = task->tokens <= precision->few_tokens ? precision->few_shift : precision->sum_shift,
    .high_word = job->constants->high_word,
    .bias = (shifted ? c->shifted_bias : c->bias) + first, .multiplier = c->multiplier + first,
    .offset = (shifted ? c->shifted_offset : c->offset) + first,
    .factor = c->factor + first, .scale = c->scale + first, .table = a->table,
  };
}

/// Fetches the lines that will be written, while the sums are formed; outputs of fewer than 4 bytes do not need it.
static void prefetch_output(const qk_gemm_finish *f, int32_t tokens, size_t element) {
  if (element < 4) return;
  for (int32_t t = 0; t < tokens; t++) {
    const uint8_t *line = (const uint8_t *)f->output + (size_t)t * f->output_bytes;
    for (size_t byte = 0; byte < (size_t)f->columns * element; byte += 64) __builtin_prefetch(line + byte, 1);
  }
}

/// Multiplies prepared panels and finishes their sums; with `few`, the panels are packed ones.
static void multiply_panels(const gemm_task *task, const qk_gemm_precision *precision, int few, const uint8_t *x,
                            size_t stride, const uint8_t *panel, size_t panel_stride, int32_t panels, qk_gemm_finish *f) {
  const gemm_job *job = task->job;
  const int32_t depth = job->arguments->weights->padded_depth;
  if (precision->multiply_onto != NULL && !few && precision->sum_shift == 0 && f->form == QK_OUTPUT_ACCUMULATOR
      && !job->staged_rows && f->columns == panels * QK_PANEL_ROWS) {
    precision->multiply_onto(x, stride, task->tokens, panel, panel_stride, panels, depth, f->bias, f->output,
                             f->output_bytes / sizeof(int32_t));
    return;
  }
  const int32_t step = few ? precision->few_tokens : QK_GEMM_TOKEN_STEP;
  _Alignas(64) int32_t sums[QK_GEMM_TOKEN_STEP * QK_GROUP_COLUMNS];
  int32_t t = 0;
  if (job->kernel->multiply_finished != NULL && !few) {
    t = job->kernel->multiply_finished(x, stride, task->tokens, panel, panel_stride, panels, depth, f);
    qk_next_tokens(f, t);
  }
  for (; t < task->tokens; t += step) {
    const int32_t tokens = minimum(step, task->tokens - t);
    prefetch_output(f, tokens, job->element);
    (few ? precision->multiply_few : precision->multiply)(x + (size_t)t * stride, stride, tokens, panel, panel_stride,
                                                          panels, depth, sums);
    job->kernel->finish(f, tokens, sums);
    qk_next_tokens(f, tokens);
  }
}

/// Multiplies a group of packed panels of one precision.
static void multiply_group(const gemm_task *task, const qk_gemm_precision *precision, const uint8_t *x, size_t stride,
                           const uint8_t *packed, size_t packed_stride, int32_t panels, qk_gemm_finish *f) {
  const int32_t depth = task->job->arguments->weights->padded_depth;
  const int few = task->tokens <= precision->few_tokens;
  if (precision->panel_bytes == 0 || few) {
    multiply_panels(task, precision, few, x, stride, packed, packed_stride, panels, f);
    return;
  }
  uint8_t *panel = task->scratch + task->job->panels;
  const size_t panel_stride = (size_t)depth * (size_t)precision->panel_bytes;
  for (int32_t p = 0; p < panels; p++)
    precision->load_panel(packed + (size_t)p * packed_stride, depth, panel + (size_t)p * panel_stride);
  multiply_panels(task, precision, 0, x, stride, panel, panel_stride, panels, f);
}

/// Multiplies the panels of one precision; their slots start at `first_slot`, their staged codes at `column`.
static void multiply_range(const gemm_task *task, const qk_gemm_precision *precision, const uint8_t *x, size_t stride,
                           const qk_slot_range *range, const uint8_t *panels, size_t panel_bytes, int32_t first_slot,
                           int32_t column) {
  for (int32_t p = range->first_panel; p < range->last_panel;) {
    const int32_t count = next_group(range->last_panel - p, task->job->kernel->group_panels);
    const int32_t slot = first_slot + p * QK_PANEL_ROWS;
    qk_gemm_finish f = finish_of(task, precision, &task->job->constants->slots, slot);
    aim(task, slot, count * QK_PANEL_ROWS, column + (p - range->first_panel) * QK_PANEL_ROWS, &f);
    multiply_group(task, precision, x, stride, panels + (size_t)p * panel_bytes, panel_bytes, count, &f);
    p += count;
  }
}

/// Multiplies all rows of the task in row order.
static void multiply_ordered(const gemm_task *task, const uint8_t *x, size_t stride) {
  const gemm_job *job = task->job;
  const qk_gemm_precision *precision = &job->kernel->w8;
  const qk_packed_weights *w = job->arguments->weights;
  uint8_t *panel = task->scratch + job->panels;
  const size_t panel_stride = qk_panel8_bytes(w->padded_depth);
  qk_row_walk walk = { .row = task->first_row, .slot8 = task->range8.begin, .slot4 = task->range4.begin };
  while (walk.row < task->last_row) {
    const int32_t left = (task->last_row - walk.row + QK_PANEL_ROWS - 1) / QK_PANEL_ROWS;
    const int32_t panels = next_group(left, job->kernel->group_panels);
    qk_gemm_finish f = finish_of(task, precision, &job->constants->rows, walk.row);
    aim_at_rows(task, walk.row, panels * QK_PANEL_ROWS, &f);
    for (int32_t p = 0; p < panels; p++) {
      const qk_gemm_rows rows = qk_next_rows(w, job->constants->is8, &walk);
      job->kernel->load_rows(&rows, w->padded_depth, panel + (size_t)p * panel_stride);
    }
    multiply_panels(task, precision, 0, x, stride, panel, panel_stride, panels, &f);
  }
}

static void merge_rows(const gemm_task *task) {
  const gemm_job *job = task->job;
  const qk_gemm_arguments *a = job->arguments;
  const int32_t panels8 = task->range8.last_panel - task->range8.first_panel;
  const int32_t column8 = task->range8.begin - task->range8.first_panel * QK_PANEL_ROWS;
  const int32_t column4 = (panels8 - task->range4.first_panel) * QK_PANEL_ROWS + task->range4.begin;
  const uint8_t *staged = task->scratch + job->staged;
  const size_t first = (size_t)task->first_row, token = (size_t)task->t0;
  qk_gemm_merge merge = {
    .from8 = staged + (size_t)column8 * job->element, .from4 = staged + (size_t)column4 * job->element,
    .from_stride = job->staged_stride, .is8 = job->constants->is8 + task->first_row / 64, .tokens = task->tokens,
    .rows = task->last_row - task->first_row, .element = (int32_t)job->element,
    .output = (uint8_t *)a->output + (token * a->output_stride + first) * job->element,
    .output_stride = a->output_stride * job->element,
    .residual = a->form == QK_OUTPUT_RESIDUAL ? (const uint8_t *)(a->residual + token * a->residual_stride + first) : NULL,
    .residual_stride = a->residual_stride * sizeof(int16_t),
  };
  job->kernel->merge(&merge);
  if (job->planes == 1) return;
  merge.from8 += job->staged_plane;
  merge.from4 += job->staged_plane;
  merge.output = (uint8_t *)a->rest + (token * a->output_stride + first);
  job->kernel->merge(&merge);
}

static void run_task(gemm_task *task, int32_t range, int32_t block) {
  const gemm_job *job = task->job;
  const qk_packed_weights *w = job->arguments->weights;
  const qk_gemm_precision *w8 = &job->kernel->w8, *w4 = &job->kernel->w4;
  task->t0 = block * job->blocks.block_tokens;
  task->tokens = minimum(job->blocks.block_tokens, job->arguments->tokens - task->t0);
  task->first_row = range * job->blocks.block_rows;
  task->last_row = minimum(task->first_row + job->blocks.block_rows, w->rows);
  task->range8 = qk_find_slots(w->slot_row, w->slots8, task->first_row, task->last_row);
  task->range4 = qk_find_slots(w->slot_row + w->slots8, w->slots4, task->first_row, task->last_row);
  const int32_t panels8 = task->range8.last_panel - task->range8.first_panel;
  const int32_t panels4 = task->range4.last_panel - task->range4.first_panel;
  const size_t stride = job->arguments->activation_stride;
  const uint8_t *codes = (const uint8_t *)job->arguments->activations + (size_t)task->t0 * stride;
  uint8_t *x8 = task->scratch, *x4 = task->scratch + job->activations4;
  const int loads8 = !job->in_place8 && (panels8 > 0 || (w->slots8 > 0 && job->shared_activations));
  const int loads4 = !job->in_place4 && panels4 > 0 && (w->slots8 == 0 || !job->shared_activations);
  if (loads8) load_tokens(task, w8, job->stride8, x8);
  if (loads4) load_tokens(task, w4, job->stride4, x4);
  if (job->ordered) {
    multiply_ordered(task, job->in_place8 ? codes : x8, job->in_place8 ? stride : job->stride8);
    return;
  }
  multiply_range(task, w8, job->in_place8 ? codes : x8, job->in_place8 ? stride : job->stride8, &task->range8, w->panels,
                 qk_panel8_bytes(w->padded_depth), 0, 0);
  multiply_range(task, w4, job->in_place4 ? codes : x4, job->in_place4 ? stride : job->stride4, &task->range4,
                 qk_panels4(w), qk_panel4_bytes(w->padded_depth), w->slots8, panels8 * QK_PANEL_ROWS);
  if (job->staged_rows) merge_rows(task);
}

static void run_tasks(void *context, size_t begin, size_t end) {
  gemm_job *job = context;
  gemm_task task = { .job = job, .scratch = qk_scratch(QK_SCRATCH_TASK, job->scratch_bytes) };
  if (task.scratch == NULL) {
    atomic_store_explicit(&job->out_of_memory, 1, memory_order_relaxed);
    return;
  }
  // Consecutive tasks share a range of rows, whose panels then stay in the cache.
  for (size_t i = begin; i < end; i++)
    run_task(&task, (int32_t)(i / (size_t)job->blocks.blocks), (int32_t)(i % (size_t)job->blocks.blocks));
}

qk_status qk_gemm_blocked(const qk_gemm_kernel *kernel, const qk_gemm_arguments *a) {
  gemm_job job = { .kernel = kernel, .arguments = a, .constants = a->constants };
  qk_row_constants constants;
  if (job.constants == NULL) {
    void *memory = qk_scratch(QK_SCRATCH_CALL, qk_row_constants_size(a->weights));
    if (memory == NULL) return QK_OUT_OF_MEMORY;
    // Only the operands that the form needs have been checked.
    qk_fill_row_constants(a->weights, a->bias, qk_form_is_requantised(a->form) ? a->requantisers : NULL, a->scales, memory,
                          &constants);
    job.constants = &constants;
  }
  job.element = qk_output_bytes(a->form);
  job.planes = qk_output_planes(a->form);
  const int mixed = qk_is_mixed(a->weights);
  job.ordered = mixed && kernel->load_rows != NULL && (size_t)a->tokens * job.element * job.planes >= (size_t)kernel->ordered_bytes;
  job.staged_rows = mixed && !job.ordered;
  job.in_place8 = used_in_place(&job, &kernel->w8);
  job.in_place4 = used_in_place(&job, &kernel->w4);
  // Below about 5 microseconds of work a second thread gains nothing.
  const int64_t products = (int64_t)a->tokens * a->weights->rows * a->weights->depth;
  const int32_t threads = products < QK_GEMM_SERIAL_PRODUCTS ? 1 : qk_region_threads();
  job.blocks = qk_choose_gemm_blocks(kernel, a, job.staged_rows, threads);
  plan_scratch(&job);
  const size_t tasks = (size_t)job.blocks.blocks * (size_t)job.blocks.ranges;
  qk_parallel_for(tasks, threads == 1 ? tasks : 1, &job, run_tasks);
  return job.out_of_memory ? QK_OUT_OF_MEMORY : QK_OK;
}

qk_status qk_gemm_with(qk_isa isa, const qk_gemm_arguments *arguments) {
  if (!qk_isa_usable(isa)) return QK_ISA_NOT_AVAILABLE;
  const qk_gemm_kernel *kernel = qk_kernels(isa).gemm;
  if (kernel == NULL) return qk_gemm_reference(arguments);
  const qk_status status = qk_gemm_check(arguments);
  return status == QK_OK ? qk_gemm_blocked(kernel, arguments) : status;
}

qk_status qk_gemm(const qk_gemm_arguments *arguments) { return qk_gemm_with(qk_isa_current(), arguments); }
