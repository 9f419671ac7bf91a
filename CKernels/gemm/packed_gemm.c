// The driver of products of packed words; a word is two bfloat16 or one float. For each block of columns and depth, one
// region packs op(B) into panels that all tasks share. Then every task packs a block of rows of op(A) into its own
// buffer and multiplies it by its range of the panels. Floats may be multiplied in place, without packing. Sums are
// formed in the output, or in a buffer where they need scaling or do not fill a panel. Between blocks of depth they
// wait in the output, or in an array of their own when the output is accumulated, and the chain over k continues from
// them.
#include "packed_gemm.h"
#include "../dispatch/kernels.h"
#include "../elementwise/float_common.h"
#include "ckernels/parallel.h"
#include <stdatomic.h>

enum {
  /// Words of a block of depth: 64 columns of it, 256 KiB, and the rows of a task, 195 KiB, stay in the L2 cache.
  WORDS = 1024,
  MOST_PACK_PANELS = 8,    ///< panels of a packing task, …
  LEAST_PACK_TASKS = 8,    ///< … fewer where there would be fewer tasks than this
  COLUMNS = 4096,          ///< columns of a block: at most 16 MiB of panels
  ROWS = 48,               ///< rows of a task
  LYING_DEPTH = 256,       ///< largest k for which columns of B are multiplied in place, at one page per k at worst
  LEAST_TASKS = 16,        ///< ranges of columns are cut until there are this many tasks, …
  RANGE_PANELS = 16,       ///< … but not below this many panels, so that packing the rows again stays below a tenth
  PACK_COST = 2,           ///< panels that a range costs where its rows are packed; a quarter panel otherwise
  SERIAL_PRODUCTS = 1500000
};

typedef struct packed_job {
  const qk_packed_kernel *kernel;
  const qk_bf16_gemm_arguments *arguments;
  size_t n0, columns, panels, k0, depth, words;
  size_t blocks, block_rows, ranges, range_panels, pack_panels;
  uint32_t *packed;        ///< panels of op(B)
  size_t panel_stride, row_stride;
  float *partial;          ///< sums between blocks of depth, from row 0 and column n0 on
  size_t partial_stride;
  int a_lies, b_lies;      ///< the operand is multiplied in place, not packed
  int first, last, serial; ///< the block of depth is the first, the last; all tasks run on the calling thread
  size_t threads;
  atomic_int out_of_memory;
} packed_job;

static size_t round_up(size_t a, size_t b) { return qk_blocks(a, b) * b; }

/// Words of a packed line. Never a multiple of a page: such lines would fall into the same set of the L1 cache.
static size_t padded(size_t words) { return words % 1024 == 0 ? words + 16 : words; }

/// Packs `count` lines from `line` on of the job's block of depth. Word w of line l goes to
/// out[l·line_place + w·word_place], and one of the two places is 1. Lines advance together in steps of k, because
/// strided lines share pages and cache lines.
static void pack_lines(const packed_job *job, const qk_bf16_operand *o, int along_k, size_t line, size_t count,
                       uint32_t *out, size_t line_place, size_t word_place) {
  const size_t line_step = along_k ? o->stride : 1, k_step = along_k ? 1 : o->stride;
  const size_t bytes = o->element == QK_BF16_FLOAT ? sizeof(float) : 1;
  const size_t per_word = job->kernel->depth_of_word, step = QK_PACKED_RUN * per_word;
  for (size_t k = 0; k < job->depth; k += step)
    for (size_t l = 0; l < count; l += QK_PACKED_LINES) {
      const size_t first = (line + l) * line_step + (job->k0 + k) * k_step;
      const qk_packed_lines lines = {
        .values = (const uint8_t *)o->values + first * bytes, .element = o->element, .line_step = line_step,
        .k_step = k_step, .lines = qk_min(count - l, QK_PACKED_LINES), .depth = qk_min(job->depth - k, step),
      };
      uint32_t *place = out + l * line_place + k / per_word * word_place;
      if (word_place == 1) job->kernel->pack_rows(&lines, place, line_place);
      else job->kernel->pack_panel(&lines, place, word_place);
    }
}

static void pack_panels(void *context, size_t begin, size_t end) {
  const packed_job *job = context;
  for (size_t task = begin; task < end; task++) {
    const size_t column = task * job->pack_panels * QK_PACKED_LINES;
    pack_lines(job, &job->arguments->b, job->arguments->b.transposed, job->n0 + column,
               qk_min(job->pack_panels * QK_PACKED_LINES, job->columns - column),
               job->packed + task * job->pack_panels * job->panel_stride, job->panel_stride / QK_PACKED_LINES,
               QK_PACKED_LINES);
  }
}

QK_CLONES void qk_packed_finish_row(const qk_bf16_gemm_arguments *g, size_t row, size_t first, size_t columns,
                                  const float *sums) {
  float v[QK_PACKED_COLUMNS];
  const float factor = g->row_scale ? g->row_scale[row] : 1;
  for (size_t j = 0; j < columns; j++) v[j] = sums[j] * factor;
  // Each choice is made outside its loop: inside, masked loads would touch arrays that are not there.
  if (g->column_scale)
    for (size_t j = 0; j < columns; j++) v[j] *= g->column_scale[first + j];
  if (g->bias)
    for (size_t j = 0; j < columns; j++) v[j] += g->bias[first + j];
  float *output = g->output + row * g->output_stride + first;
  if (g->accumulate)
    for (size_t j = 0; j < columns; j++) output[j] += v[j];
  else memcpy(output, v, columns * sizeof *v);
}

/// Adds the bias to sums that were formed in the output, while they are still in the L1 cache.
QK_CLONES static void add_bias(const float *bias, size_t rows, size_t columns, float *output, size_t stride) {
  for (size_t r = 0; r < rows; r++)
    for (size_t j = 0; j < columns; j++) output[r * stride + j] += bias[j];
}

/// Rows of op(A) from `row` on in the job's block of depth, in place or packed in `packed`. A packed row is contiguous;
/// the rows of a transposed A are interleaved word by word.
static qk_packed_words rows_from(const packed_job *job, const uint32_t *packed, size_t row) {
  const qk_bf16_operand *a = &job->arguments->a;
  const uint32_t *words = a->values;
  if (!job->a_lies && a->transposed) return (qk_packed_words){ packed, 1, round_up(job->block_rows, QK_PACKED_LINES) };
  if (!job->a_lies) return (qk_packed_words){ packed, job->row_stride, 1 };
  if (a->transposed) return (qk_packed_words){ words + job->k0 * a->stride + row, 1, a->stride };
  return (qk_packed_words){ words + row * a->stride + job->k0, a->stride, 1 };
}

/// Panels of op(B) from `panel` on in the job's block of columns and depth; in place only when b is not transposed.
static qk_packed_words panels_from(const packed_job *job, size_t panel) {
  const qk_bf16_operand *b = &job->arguments->b;
  const size_t column = panel * QK_PACKED_LINES;
  if (!job->b_lies) return (qk_packed_words){ job->packed + panel * job->panel_stride, job->panel_stride, QK_PACKED_LINES };
  return (qk_packed_words){ (const uint32_t *)b->values + job->k0 * b->stride + job->n0 + column, QK_PACKED_LINES, b->stride };
}

/// Multiplies the words `a` of op(A) from row `row` on in the job's block of depth. Whole panels whose sums are the
/// output, or wait between blocks of depth, are formed in their place; others are formed in `memory` and finished from
/// there.
static void multiply_block(const packed_job *job, const qk_packed_words *a, size_t row, size_t rows, size_t panel,
                           size_t panels, const qk_packed_fetch *fetch, float *memory) {
  const qk_bf16_gemm_arguments *g = job->arguments;
  const size_t column = panel * QK_PACKED_LINES, columns = qk_min(panels * QK_PACKED_LINES, job->columns - column);
  const int are_output = !g->row_scale && !g->column_scale && !g->accumulate, is_whole = columns % QK_PACKED_LINES == 0;
  float *partial = job->partial + row * job->partial_stride + column;
  float *output = g->output + row * g->output_stride + job->n0 + column;
  const qk_packed_words b = panels_from(job, panel);
  if (job->last)
    for (size_t r = 0; r < qk_min(rows, QK_PACKED_TILE_ROWS); r++)
      for (size_t j = 0; j < columns; j += 16) __builtin_prefetch(output + r * g->output_stride + j, 1);
  if (is_whole && (are_output || !job->last)) {
    const qk_packed_sums sums = { partial, job->partial_stride, job->first };
    job->kernel->multiply(a, rows, &b, panels, job->words, &sums, fetch);
    if (job->last && g->bias) add_bias(g->bias + job->n0 + column, rows, columns, output, g->output_stride);
    return;
  }
  for (size_t r = 0; r < rows && !job->first; r++)
    memcpy(memory + r * QK_PACKED_COLUMNS, partial + r * job->partial_stride, columns * sizeof *memory);
  const qk_packed_sums sums = { memory, QK_PACKED_COLUMNS, job->first };
  job->kernel->multiply(a, rows, &b, panels, job->words, &sums, fetch);
  for (size_t r = 0; r < rows; r++) {
    const float *line = memory + r * QK_PACKED_COLUMNS;
    if (job->last) qk_packed_finish_row(g, row + r, job->n0 + column, columns, line);
    else memcpy(partial + r * job->partial_stride, line, columns * sizeof *line);
  }
}

/// 1 for a transposed A of floats: few floats of a line are used at a time, and the lines are too far apart for the
/// hardware to predict.
static int fetches_rows(const packed_job *job) {
  return job->arguments->a.transposed && job->kernel->depth_of_word == 1;
}

/// Rows of the task that this thread takes next, if they are another block: the first panels of a task fetch them on
/// the way. Otherwise a line that is used anyway.
static qk_packed_fetch next_rows(const packed_job *job, size_t task, size_t r, int is_first, const void *used) {
  const qk_bf16_operand *a = &job->arguments->a;
  const size_t block = task / job->ranges, next = (task + job->threads) / job->ranges;
  if (!is_first || !fetches_rows(job) || next == block || next >= job->blocks)
    return (qk_packed_fetch){ used, 0 };
  const float *values = (const float *)a->values + job->k0 * a->stride + next * job->block_rows + r;
  return (qk_packed_fetch){ (const uint8_t *)values, a->stride * sizeof *values };
}

static void multiply_tasks(void *context, size_t begin, size_t end) {
  packed_job *job = context;
  const qk_bf16_operand *a = &job->arguments->a;
  const size_t words = ROWS * job->row_stride;
  uint32_t *rows = qk_scratch(QK_SCRATCH_TASK, words * sizeof *rows
                              + QK_PACKED_ROW_STEP * QK_PACKED_COLUMNS * sizeof(float));
  if (rows == NULL) {
    atomic_store(&job->out_of_memory, 1);
    return;
  }
  float *sums = (float *)(rows + words);
  size_t packed_block = job->blocks;
  for (size_t task = begin; task < end; task++) {
    const size_t block = task / job->ranges, range = task % job->ranges;
    const size_t row = block * job->block_rows, count = qk_min(job->block_rows, job->arguments->m - row);
    const qk_packed_words block_rows = rows_from(job, rows, row);
    if (block != packed_block && !job->a_lies)
      pack_lines(job, a, !a->transposed, row, count, rows, block_rows.stride, block_rows.step);
    packed_block = block;
    const size_t first = range * job->range_panels, last = qk_min(first + job->range_panels, job->panels);
    for (size_t p = first; p < last; p += QK_PACKED_PANELS)
      for (size_t r = 0; r < count; r += QK_PACKED_ROW_STEP) {
        const qk_packed_words step = { block_rows.words + r * block_rows.stride, block_rows.stride, block_rows.step };
        const qk_packed_fetch fetch = next_rows(job, task, r, p == first, step.words);
        multiply_block(job, &step, row + r, qk_min(QK_PACKED_ROW_STEP, count - r), p, qk_min(QK_PACKED_PANELS, last - p),
                       &fetch, sums);
      }
  }
}

/// Work of the thread with the most tasks, in quarters of a panel of a block of rows.
static size_t longest_share(const packed_job *job, size_t ranges) {
  const size_t panels = round_up(qk_blocks(job->panels, ranges), QK_PACKED_PANELS);
  const size_t tasks = job->blocks * qk_blocks(job->panels, panels);
  return qk_blocks(tasks, job->threads) * (4 * panels + (job->a_lies ? 1 : 4 * PACK_COST));
}

/// Cuts the product into equal blocks of rows. Panels are cut into ranges where the rows alone give few tasks, or give
/// some threads more than others.
static void cut(packed_job *job) {
  const size_t m = job->arguments->m;
  job->blocks = qk_blocks(m, ROWS);
  if (job->blocks % 2 == 1 && m > QK_PACKED_ROW_STEP) job->blocks++;
  job->block_rows = round_up(qk_blocks(m, job->blocks), QK_PACKED_TILE_ROWS);
  job->blocks = qk_blocks(m, job->block_rows);
  job->panels = qk_blocks(job->columns, QK_PACKED_LINES);
  job->pack_panels = qk_min(MOST_PACK_PANELS, qk_blocks(job->panels, LEAST_PACK_TASKS));
  const size_t most = qk_blocks(job->panels, RANGE_PANELS);
  size_t least = qk_blocks(LEAST_TASKS, job->blocks);
  // Threads that work on ranges of the same rows fetch the same next rows, whichever thread takes a range first.
  if (fetches_rows(job) && least < job->threads) least = job->threads;
  size_t best = qk_min(least, most);
  for (size_t ranges = best + 1; ranges <= most && job->threads > 1; ranges++)
    if (longest_share(job, ranges) < longest_share(job, best)) best = ranges;
  job->range_panels = round_up(qk_blocks(job->panels, best), QK_PACKED_PANELS);
  job->ranges = qk_blocks(job->panels, job->range_panels);
}

static void run(packed_job *job) {
  const size_t tasks = job->blocks * job->ranges;
  const size_t packing = qk_blocks(job->panels, job->pack_panels);
  if (!job->b_lies) qk_parallel_for(packing, job->serial ? packing : 1, job, pack_panels);
  qk_parallel_for(tasks, job->serial ? tasks : 1, job, multiply_tasks);
}

/// 1 when lines `stride` floats apart use most sets of the caches; multiples of 2 KiB meet in a few of them.
static int spreads(size_t stride) { return stride % 512 != 0; }

qk_status qk_packed_multiply(const qk_packed_kernel *kernel, const qk_bf16_gemm_arguments *g) {
  packed_job job = { .kernel = kernel, .arguments = g };
  const size_t per_word = kernel->depth_of_word;
  // Blocks of depth are equal.
  const size_t block = round_up(qk_blocks(g->k, qk_blocks(g->k, WORDS * per_word)), QK_PACKED_WORDS * per_word);
  const size_t line = round_up(qk_blocks(qk_min(g->k, block), per_word), QK_PACKED_WORDS);
  const size_t columns = round_up(qk_min(g->n, COLUMNS), QK_PACKED_LINES);
  job.row_stride = padded(line);
  job.panel_stride = padded(line * QK_PACKED_LINES);
  const size_t words = columns / QK_PACKED_LINES * job.panel_stride;
  const int separate = g->accumulate && g->k > block;
  job.packed = qk_scratch(QK_SCRATCH_CALL, (words + (separate ? g->m * columns : 0)) * sizeof *job.packed);
  if (job.packed == NULL) return QK_OUT_OF_MEMORY;
  const int are_words = per_word == 1;
  job.a_lies = are_words && (!g->a.transposed || spreads(g->a.stride));
  job.b_lies = are_words && !g->b.transposed && g->n % QK_PACKED_LINES == 0 && g->k <= LYING_DEPTH && spreads(g->b.stride);
  job.serial = g->m * g->n < SERIAL_PRODUCTS && g->m * g->n * g->k < SERIAL_PRODUCTS;
  job.threads = job.serial ? 1 : (size_t)qk_region_threads();
  for (job.n0 = 0; job.n0 < g->n; job.n0 += COLUMNS) {
    job.columns = qk_min(COLUMNS, g->n - job.n0);
    job.partial = separate ? (float *)(job.packed + words) : g->output + job.n0;
    job.partial_stride = separate ? columns : g->output_stride;
    cut(&job);
    for (job.k0 = 0; job.k0 < g->k; job.k0 += block) {
      job.depth = qk_min(block, g->k - job.k0);
      job.words = qk_blocks(job.depth, per_word);
      job.first = job.k0 == 0;
      job.last = job.k0 + job.depth == g->k;
      run(&job);
      if (job.out_of_memory) return QK_OUT_OF_MEMORY;
    }
  }
  return QK_OK;
}
