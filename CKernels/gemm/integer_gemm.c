// The GEMM driver: tasks are blocks of tokens times ranges of output rows; each task keeps its accumulators
// in an int32 block, decodes every panel of its rows once per block of depth, and finishes row by row in the
// order of the unpacked matrix.
#include "integer_gemm.h"
#include "row_plan.h"
#include "validate.h"
#include "../dispatch/kernels.h"
#include "../pack/packed_layout.h"
#include "ckernels/parallel.h"

typedef struct gemm_job {
  const qk_gemm_kernel *kernel;
  const qk_gemm_arguments *arguments;
  int32_t block_tokens, blocks;
  int32_t block_rows, ranges;
  int32_t block_depth;
} gemm_job;

/// Work buffers of one task.
typedef struct gemm_buffers {
  _Alignas(64) uint8_t activations[QK_GEMM_TOKENS * QK_GEMM_DEPTH * 2];
  _Alignas(64) uint8_t panel[QK_GEMM_DEPTH * 32];
  _Alignas(64) int32_t acc[QK_GEMM_TOKENS * QK_GEMM_ACC_STRIDE];
  qk_row_plan plan;
} gemm_buffers;

static int32_t minimum(int32_t a, int32_t b) { return a < b ? a : b; }
static int32_t divide_up(int32_t a, int32_t b) { return (a - 1) / b + 1; }

/// Multiplies the panels of one precision for one block of depth.
static void multiply_panels(const gemm_job *job, gemm_buffers *b, const qk_slot_range *range, int bits,
                            int32_t k0, int32_t depth, int32_t tokens, int32_t *acc) {
  const qk_gemm_kernel *kernel = job->kernel;
  const qk_packed_weights *w = job->arguments->weights;
  const size_t panel_bytes = bits == 8 ? qk_panel8_bytes(w->padded_depth) : qk_panel4_bytes(w->padded_depth);
  const uint8_t *panels = bits == 8 ? w->panels : w->panels + (size_t)w->slots8 * (size_t)w->padded_depth;
  const size_t skip = bits == 8 ? qk_offset8(w->padded_depth, 0, k0) : qk_offset4(w->padded_depth, 0, k0);
  for (int32_t p = range->first_panel; p < range->last_panel; p++) {
    const uint8_t *panel = panels + (size_t)p * panel_bytes + skip;
    (bits == 8 ? kernel->load_panel8 : kernel->load_panel4)(panel, depth, b->panel);
    kernel->multiply(b->activations, (size_t)job->block_depth, tokens, b->panel, depth,
                     acc + (p - range->first_panel) * QK_PANEL_ROWS, QK_GEMM_ACC_STRIDE, k0 > 0);
  }
}

static void load_block(const gemm_job *job, gemm_buffers *b, int32_t t0, int32_t tokens, int32_t k0, int32_t depth) {
  const qk_gemm_arguments *a = job->arguments;
  const uint8_t *codes = (const uint8_t *)a->activations + (size_t)t0 * a->activation_stride + k0;
  const size_t row_bytes = (size_t)job->block_depth * (size_t)job->kernel->activation_bytes;
  const int32_t real = minimum(depth, a->weights->depth - k0);
  for (int32_t t = 0; t < tokens; t++)
    job->kernel->load_activations(codes + (size_t)t * a->activation_stride, a->activations_unsigned, real, depth,
                                  b->activations + (size_t)t * row_bytes);
}

static void run_task(const gemm_job *job, gemm_buffers *b, int32_t range, int32_t block) {
  const qk_gemm_arguments *a = job->arguments;
  const qk_packed_weights *w = a->weights;
  const int32_t t0 = block * job->block_tokens, tokens = minimum(job->block_tokens, a->tokens - t0);
  const int32_t first = range * job->block_rows, last = minimum(first + job->block_rows, w->rows);
  qk_slot_range range8, range4;
  qk_find_slots(w, first, last, &range8, &range4);
  int32_t *acc4 = b->acc + (range8.last_panel - range8.first_panel) * QK_PANEL_ROWS;
  for (int32_t k0 = 0; k0 < w->padded_depth; k0 += job->block_depth) {
    const int32_t depth = minimum(job->block_depth, w->padded_depth - k0);
    load_block(job, b, t0, tokens, k0, depth);
    multiply_panels(job, b, &range8, 8, k0, depth, tokens, b->acc);
    multiply_panels(job, b, &range4, 4, k0, depth, tokens, acc4);
  }
  qk_make_row_plan(a, first, last, &range8, &range4, &b->plan);
  job->kernel->finish(a, &b->plan, t0, tokens, b->acc);
}

static void run_tasks(void *context, size_t begin, size_t end) {
  const gemm_job *job = context;
  gemm_buffers buffers;
  // Consecutive tasks share a range of rows, whose panels then stay in the L2 cache.
  for (size_t task = begin; task < end; task++)
    run_task(job, &buffers, (int32_t)(task / (size_t)job->blocks), (int32_t)(task % (size_t)job->blocks));
}

void qk_gemm_blocked(const qk_gemm_kernel *kernel, const qk_gemm_arguments *a) {
  const qk_packed_weights *w = a->weights;
  gemm_job job = { .kernel = kernel, .arguments = a };
  // Equal blocks instead of full ones and a rest.
  job.blocks = divide_up(a->tokens, QK_GEMM_TOKENS);
  job.block_tokens = qk_round_up(divide_up(a->tokens, job.blocks), kernel->tile_tokens);
  job.blocks = divide_up(a->tokens, job.block_tokens);
  job.block_depth = qk_round_up(divide_up(w->padded_depth, divide_up(w->padded_depth, QK_GEMM_DEPTH)), 4);

  // More tasks balance better, but every range of rows widens the activations once more, and a range of mixed
  // precision multiplies up to one panel of each precision that it shares with its neighbour.
  const int32_t wanted = 4 * qk_thread_count();
  job.ranges = divide_up(w->rows, QK_GEMM_ROWS);
  while (job.blocks * job.ranges < wanted && divide_up(w->rows, job.ranges) > 64) job.ranges++;
  job.block_rows = qk_round_up(divide_up(w->rows, job.ranges), QK_PANEL_ROWS);
  job.ranges = divide_up(w->rows, job.block_rows);

  // Below about 5 microseconds of work a second thread gains nothing.
  const size_t tasks = (size_t)job.blocks * (size_t)job.ranges;
  const int64_t products = (int64_t)a->tokens * w->rows * w->depth;
  qk_parallel_for(tasks, products < 400000 ? tasks : 1, &job, run_tasks);
}

qk_status qk_gemm_with(qk_isa isa, const qk_gemm_arguments *arguments) {
  if (!qk_isa_usable(isa)) return QK_ISA_NOT_AVAILABLE;
  const qk_gemm_kernel *kernel = qk_kernels(isa).gemm;
  if (kernel == NULL) return qk_gemm_reference(arguments);
  const qk_status status = qk_gemm_check(arguments);
  if (status == QK_OK) qk_gemm_blocked(kernel, arguments);
  return status;
}

qk_status qk_gemm(const qk_gemm_arguments *arguments) { return qk_gemm_with(qk_isa_current(), arguments); }
