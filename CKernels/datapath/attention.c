// Attention on processing elements: scores, softmax unit, context, output unit, one image and head at a time.
#include "datapath_kernel.h"
#include "../fixedpoint/fixed_point.h"
#include "../gemm/validate.h"
#include "ckernels/parallel.h"

/// The (image, head) pairs are dealt to this many workspaces, whatever the number of threads.
enum { ATTENTION_TASKS = 16 };

typedef struct attention_job {
  const qk_attention_arguments *arguments;
  const qk_datapath_element *scores, *context;
  const qk_hardware_spec *spec;
  char *workspace;
  size_t task_bytes;
  size_t pairs_per_task;
} attention_job;

/// Parts of one task's workspace: [T][T] scores, [T][T] probabilities, [T][d] sums, then that of a product.
typedef struct attention_memory {
  int32_t *scores, *sums;
  uint8_t *probabilities;
  void *product;
  size_t bytes;
} attention_memory;

static size_t line(size_t bytes) { return (bytes + 63) / 64 * 64; }

static attention_memory divide_memory(const qk_attention_arguments *a, char *base) {
  const size_t t = (size_t)a->tokens, d = (size_t)a->head_dimension;
  const size_t first = qk_datapath_workspace(a->tokens, 1, a->tokens, a->head_dimension);
  const size_t second = qk_datapath_workspace(a->head_dimension, 1, a->tokens, a->tokens);
  attention_memory m;
  size_t offset = 0;
  m.scores = (int32_t *)(base + offset);
  offset += line(t * t * sizeof(int32_t));
  m.sums = (int32_t *)(base + offset);
  offset += line(t * d * sizeof(int32_t));
  m.probabilities = (uint8_t *)(base + offset);
  offset += line(t * t);
  m.product = base + offset;
  m.bytes = offset + line(first > second ? first : second);
  return m;
}

size_t qk_datapath_attention_workspace(const qk_attention_arguments *a) {
  return divide_memory(a, NULL).bytes * ATTENTION_TASKS;
}

/// P of one query; returns Z = Σ P. Distances beyond 31 bits (overflowed scores only) count as the largest.
static uint32_t softmax(const attention_job *job, const int32_t *scores, uint8_t *p) {
  const qk_attention_arguments *a = job->arguments;
  const int rounded = !(job->spec->truncated & QK_TRUNCATE_SOFTMAX);
  const int64_t dropped = ((int64_t)1 << (8 - job->spec->exponent_index_bits)) - 1;
  int32_t maximum = INT32_MIN;
  for (int32_t j = 0; j < a->tokens; j++)
    if (scores[j] > maximum) maximum = scores[j];
  uint32_t z = 0;
  for (int32_t j = 0; j < a->tokens; j++) {
    const int32_t d = (int32_t)qk_clamp64((int64_t)maximum - scores[j], 0, INT32_MAX);
    const int64_t exponent = qk_exponent_with(d, a->score, rounded) & ~dropped;
    p[j] = (uint8_t)qk_probability_with(exponent, a->activation_bits, a->exponent_table, rounded);
    z += p[j];
  }
  return z;
}

/// Writes the output of one query. Overflowed sums may leave the 17 bits of U; the requantiser then sees U cut to 32
/// bits.
static void write_context(const attention_job *job, const int32_t *sums, uint32_t z, int8_t *out) {
  const qk_attention_arguments *a = job->arguments;
  const int rounded = !(job->spec->truncated & QK_TRUNCATE_CONTEXT);
  int32_t k = 0;
  const uint32_t reciprocal = qk_reciprocal16_inline(z, &k);
  for (int32_t c = 0; c < a->head_dimension; c++) {
    const int32_t u =
        (int32_t)qk_clamp64(qk_normalise_context_with(sums[c], reciprocal, k, rounded), INT32_MIN, INT32_MAX);
    out[c] = (int8_t)qk_requantise_with(u, a->output_requantiser, a->lo, a->hi, rounded);
  }
}

static void attend(const attention_job *job, const attention_memory *m, size_t pair) {
  const qk_attention_arguments *a = job->arguments;
  const ptrdiff_t inner = (ptrdiff_t)a->heads * a->head_dimension, stride = 3 * inner;
  const size_t image = pair / (size_t)a->heads, head = pair % (size_t)a->heads;
  const int8_t *q = a->qkv + (ptrdiff_t)image * a->tokens * stride + (ptrdiff_t)head * a->head_dimension;
  const int8_t *k = q + inner, *v = k + inner;
  const qk_datapath_product scores = {
    .element = *job->scores, .rows = a->tokens, .images = 1, .tokens = a->tokens, .depth = a->head_dimension,
    .weights = k, .weight_row_stride = stride, .weight_depth_stride = 1,
    .activations = q, .activation_row_stride = stride, .activation_depth_stride = 1,
    .output = m->scores, .output_stride = a->tokens, .workspace = m->product };
  qk_datapath_run(&scores);
  int8_t *out = a->output + (ptrdiff_t)image * a->tokens * inner + (ptrdiff_t)head * a->head_dimension;
  uint32_t totals[QK_MAX_TOKENS];
  for (int32_t t = 0; t < a->tokens; t++)
    totals[t] = softmax(job, m->scores + (ptrdiff_t)t * a->tokens, m->probabilities + (ptrdiff_t)t * a->tokens);
  const qk_datapath_product context = {
    .element = *job->context, .rows = a->head_dimension, .images = 1, .tokens = a->tokens, .depth = a->tokens,
    .weights = v, .weight_row_stride = 1, .weight_depth_stride = stride,
    .activations = m->probabilities, .activation_row_stride = a->tokens, .activation_depth_stride = 1,
    .activations_unsigned = 1, .output = m->sums, .output_stride = a->head_dimension, .workspace = m->product };
  qk_datapath_run(&context);
  for (int32_t t = 0; t < a->tokens; t++)
    write_context(job, m->sums + (ptrdiff_t)t * a->head_dimension, totals[t], out + (ptrdiff_t)t * inner);
}

static void run_tasks(void *context, size_t begin, size_t end) {
  const attention_job *job = context;
  const size_t pairs = (size_t)job->arguments->batch * (size_t)job->arguments->heads;
  for (size_t task = begin; task < end; task++) {
    const attention_memory memory = divide_memory(job->arguments, job->workspace + task * job->task_bytes);
    for (size_t pair = task * job->pairs_per_task; pair < (task + 1) * job->pairs_per_task && pair < pairs; pair++)
      attend(job, &memory, pair);
  }
}

static qk_status check_element(const qk_datapath_element *e) {
  // Everything in a product except its element is right by construction.
  int8_t byte = 0;
  int32_t word = 0;
  const qk_datapath_product product = { .element = *e, .rows = 1, .images = 1, .tokens = 1, .depth = 1,
                                        .weights = &byte, .activations = &byte, .output = &word,
                                        .workspace = &word };
  return qk_datapath_check(&product);
}

qk_status qk_datapath_attention(const qk_attention_arguments *a, const qk_datapath_element *scores,
                                const qk_datapath_element *context, const qk_hardware_spec *spec, void *workspace) {
  if (!scores || !context || !workspace) return QK_NULL_POINTER;
  qk_status status = qk_attention_check(a);
  if (status == QK_OK) status = qk_hardware_spec_check(spec);
  if (status == QK_OK) status = check_element(scores);
  if (status == QK_OK) status = check_element(context);
  if (status != QK_OK) return status;
  const size_t pairs = (size_t)a->batch * (size_t)a->heads;
  const attention_job job = { .arguments = a, .scores = scores, .context = context, .spec = spec,
                              .workspace = workspace, .task_bytes = divide_memory(a, NULL).bytes,
                              .pairs_per_task = (pairs + ATTENTION_TASKS - 1) / ATTENTION_TASKS };
  qk_parallel_for(ATTENTION_TASKS, 1, (void *)&job, run_tasks);
  return QK_OK;
}
