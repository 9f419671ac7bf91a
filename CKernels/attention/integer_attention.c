// The attention driver: tasks are (image, head, block of queries). A task forms its whole score rows panel of
// keys by panel of keys, turns them into probabilities, and multiplies by the values; both products run on the
// product tile of the GEMM.
#include "integer_attention.h"
#include "../dispatch/kernels.h"
#include "../fixedpoint/fixed_point.h"
#include "../gemm/validate.h"
#include "../pack/packed_layout.h"
#include "ckernels/parallel.h"

typedef struct attention_job {
  const qk_attention_kernel *kernel;
  const qk_attention_arguments *arguments;
  int32_t padded_tokens, padded_dimension;
  int32_t block_queries, blocks;
  double score_factor;
  int32_t last_exponent;
  uint16_t table[QK_PROBABILITY_ENTRIES];
} attention_job;

typedef struct attention_buffers {
  _Alignas(64) int16_t queries[QK_ATTENTION_QUERIES * QK_ATTENTION_DIMENSIONS];
  _Alignas(64) int16_t panel[QK_ATTENTION_KEYS * QK_ATTENTION_PANEL];
  _Alignas(64) int32_t scores[QK_ATTENTION_SCORES];
  _Alignas(64) uint16_t p[QK_ATTENTION_SCORES];
  _Alignas(64) int32_t sums[QK_ATTENTION_QUERIES * QK_ATTENTION_DIMENSIONS];
  uint32_t totals[QK_ATTENTION_QUERIES];
} attention_buffers;

static int32_t minimum(int32_t a, int32_t b) { return a < b ? a : b; }

/// The A-bit code of every exponent; the same function as the reference, tabulated once per call.
static void make_table(attention_job *job) {
  const int32_t bits = job->arguments->activation_bits;
  job->last_exponent = 256 * (bits + 1);
  for (int32_t z = 0; z < job->last_exponent; z++)
    job->table[z] = (uint16_t)qk_probability_of_exponent(z, bits, job->arguments->exponent_table);
  job->table[job->last_exponent] = 0;
}

static void make_probabilities(const attention_job *job, attention_buffers *b, const int8_t *q, const int8_t *k,
                               size_t stride, int32_t queries) {
  const qk_attention_kernel *kernel = job->kernel;
  const int32_t tokens = job->arguments->tokens, dimension = job->arguments->head_dimension;
  for (int32_t i = 0; i < queries; i++)
    kernel->load_query(q + (size_t)i * stride, 0, dimension, job->padded_dimension,
                       b->queries + i * job->padded_dimension);
  for (int32_t j = 0; j < tokens; j += QK_ATTENTION_PANEL) {
    kernel->load_keys(k + (size_t)j * stride, stride, minimum(QK_ATTENTION_PANEL, tokens - j), dimension, b->panel);
    kernel->multiply(b->queries, (size_t)job->padded_dimension, queries, b->panel, job->padded_dimension,
                     b->scores + j, (size_t)job->padded_tokens, 0);
  }
  for (int32_t i = 0; i < queries; i++) {
    uint16_t *p = b->p + i * job->padded_tokens;
    b->totals[i] = kernel->probabilities(b->scores + i * job->padded_tokens, tokens, job->score_factor, job->table,
                                         job->last_exponent, p);
    for (int32_t j = tokens; j < job->padded_tokens; j++) p[j] = 0;
  }
}

static void weigh_values(const attention_job *job, attention_buffers *b, const int8_t *v, size_t stride,
                         int32_t queries) {
  const int32_t tokens = job->arguments->tokens, dimension = job->arguments->head_dimension;
  for (int32_t j = 0; j < tokens; j += QK_ATTENTION_KEYS) {
    const int32_t keys = minimum(QK_ATTENTION_KEYS, tokens - j);
    for (int32_t c = 0; c < dimension; c += QK_ATTENTION_PANEL) {
      job->kernel->load_values(v + (size_t)j * stride + c, stride, keys, minimum(QK_ATTENTION_PANEL, dimension - c),
                               b->panel);
      job->kernel->multiply(b->p + j, (size_t)job->padded_tokens, queries, b->panel, qk_round_up(keys, 2),
                            b->sums + c, QK_ATTENTION_DIMENSIONS, j > 0);
    }
  }
}

static void run_task(const attention_job *job, attention_buffers *b, int32_t image, int32_t head, int32_t block) {
  const qk_attention_arguments *a = job->arguments;
  const size_t dimension = (size_t)a->head_dimension, width = (size_t)a->heads * dimension, stride = 3 * width;
  const int8_t *q = a->qkv + (size_t)image * (size_t)a->tokens * stride + (size_t)head * dimension;
  const int32_t first = block * job->block_queries, queries = minimum(job->block_queries, a->tokens - first);
  make_probabilities(job, b, q + (size_t)first * stride, q + width, stride, queries);
  weigh_values(job, b, q + 2 * width, stride, queries);
  int8_t *out = a->output + ((size_t)image * (size_t)a->tokens + (size_t)first) * width + (size_t)head * dimension;
  for (int32_t i = 0; i < queries; i++) {
    int32_t k = 0;
    const uint32_t reciprocal = qk_reciprocal16_inline(b->totals[i], &k);
    job->kernel->finish(a, b->sums + i * QK_ATTENTION_DIMENSIONS, reciprocal, k, out + (size_t)i * width);
  }
}

static void run_tasks(void *context, size_t begin, size_t end) {
  const attention_job *job = context;
  const size_t blocks = (size_t)job->blocks, heads = (size_t)job->arguments->heads;
  attention_buffers buffers;
  for (size_t task = begin; task < end; task++) {
    const size_t pair = task / blocks;
    run_task(job, &buffers, (int32_t)(pair / heads), (int32_t)(pair % heads), (int32_t)(task % blocks));
  }
}

void qk_attention_blocked(const qk_attention_kernel *kernel, const qk_attention_arguments *a) {
  attention_job job = { .kernel = kernel, .arguments = a };
  job.padded_tokens = qk_round_up(a->tokens, QK_ATTENTION_PANEL);
  job.padded_dimension = qk_round_up(a->head_dimension, 2);
  job.score_factor = qk_requantiser_factor(a->score);
  make_table(&job);

  const int32_t most = minimum(QK_ATTENTION_QUERIES, QK_ATTENTION_SCORES / job.padded_tokens);
  job.blocks = (a->tokens - 1) / most + 1;
  job.block_queries = minimum(most, qk_round_up((a->tokens - 1) / job.blocks + 1, kernel->tile_queries));
  job.blocks = (a->tokens - 1) / job.block_queries + 1;

  // Below about 5 microseconds of work a second thread gains nothing.
  const size_t tasks = (size_t)a->batch * (size_t)a->heads * (size_t)job.blocks;
  const int64_t elements = (int64_t)a->batch * a->heads * a->tokens * a->tokens;
  qk_parallel_for(tasks, elements < 4000 ? tasks : 1, &job, run_tasks);
}

qk_status qk_attention_with(qk_isa isa, const qk_attention_arguments *arguments) {
  if (!qk_isa_usable(isa)) return QK_ISA_NOT_AVAILABLE;
  const qk_attention_kernel *kernel = qk_kernels(isa).attention;
  if (kernel == NULL) return qk_attention_reference(arguments);
  const qk_status status = qk_attention_check(arguments);
  if (status == QK_OK) qk_attention_blocked(kernel, arguments);
  return status;
}

qk_status qk_attention(const qk_attention_arguments *arguments) {
  return qk_attention_with(qk_isa_current(), arguments);
}
