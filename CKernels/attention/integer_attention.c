// The attention driver. Tasks are (image, head, block of queries). A block is the whole head while that gives every
// thread enough tasks, because every task lays out keys and values anew.
#include "integer_attention.h"
#include "../dispatch/kernels.h"
#include "../gemm/validate.h"
#include "ckernels/parallel.h"
#include <stdatomic.h>

typedef struct attention_job {
  const qk_attention_kernel *kernel;
  const qk_attention_arguments *arguments;
  const void *shared;
  size_t scratch_bytes;
  int32_t block_queries, blocks;
  atomic_int out_of_memory;
} attention_job;

static int32_t minimum(int32_t a, int32_t b) { return a < b ? a : b; }
static int32_t divide_up(int32_t a, int32_t b) { return (a - 1) / b + 1; }

static void run_task(const attention_job *job, int32_t image, int32_t head, int32_t block, void *scratch) {
  const qk_attention_arguments *a = job->arguments;
  const size_t dimension = (size_t)a->head_dimension, width = (size_t)a->heads * dimension, stride = 3 * width;
  const int32_t first = block * job->block_queries;
  const int8_t *head_rows = a->qkv + (size_t)image * (size_t)a->tokens * stride + (size_t)head * dimension;
  const qk_attention_task task = {
    .arguments = a, .shared = job->shared, .q = head_rows + (size_t)first * stride, .k = head_rows + width,
    .v = head_rows + 2 * width, .stride = stride, .queries = minimum(job->block_queries, a->tokens - first),
    .output = a->output + ((size_t)image * (size_t)a->tokens + (size_t)first) * width + (size_t)head * dimension,
    .output_stride = width,
  };
  job->kernel->attend(&task, scratch);
}

static void run_tasks(void *context, size_t begin, size_t end) {
  attention_job *job = context;
  void *scratch = qk_scratch(QK_SCRATCH_TASK, job->scratch_bytes);
  if (scratch == NULL) {
    atomic_store_explicit(&job->out_of_memory, 1, memory_order_relaxed);
    return;
  }
  const size_t blocks = (size_t)job->blocks, heads = (size_t)job->arguments->heads;
  for (size_t task = begin; task < end; task++) {
    const size_t pair = task / blocks;
    run_task(job, (int32_t)(pair / heads), (int32_t)(pair % heads), (int32_t)(task % blocks), scratch);
  }
}

qk_status qk_attention_blocked(const qk_attention_kernel *kernel, const qk_attention_arguments *a) {
  attention_job job = { .kernel = kernel, .arguments = a, .scratch_bytes = kernel->scratch_bytes(a) };
  void *shared = qk_scratch(QK_SCRATCH_CALL, kernel->shared_bytes);
  if (shared == NULL) return QK_OUT_OF_MEMORY;
  kernel->prepare(a, shared);
  job.shared = shared;

  // Below about 5 microseconds of work a second thread gains nothing.
  const int64_t elements = (int64_t)a->batch * a->heads * a->tokens * a->tokens;
  const int32_t threads = elements < 8000 ? 1 : qk_region_threads();
  const int32_t heads = minimum(a->batch, 4096) * minimum(a->heads, 4096);
  const int32_t most = kernel->most_queries(a);
  int32_t blocks = divide_up(a->tokens, most);
  while (threads > 1 && (int64_t)heads * blocks < 2 * threads && blocks * kernel->tile_queries < a->tokens) blocks++;
  const int32_t tiles = divide_up(divide_up(a->tokens, blocks), kernel->tile_queries);
  job.block_queries = minimum(tiles * kernel->tile_queries, most);
  job.blocks = divide_up(a->tokens, job.block_queries);

  const size_t tasks = (size_t)a->batch * (size_t)a->heads * (size_t)job.blocks;
  qk_parallel_for(tasks, threads == 1 ? tasks : 1, &job, run_tasks);
  return job.out_of_memory ? QK_OUT_OF_MEMORY : QK_OK;
}

qk_status qk_attention_with(qk_isa isa, const qk_attention_arguments *arguments) {
  if (!qk_isa_usable(isa)) return QK_ISA_NOT_AVAILABLE;
  const qk_attention_kernel *kernel = qk_kernels(isa).attention;
  if (kernel == NULL) return qk_attention_reference(arguments);
  const qk_status status = qk_attention_check(arguments);
  return status == QK_OK ? qk_attention_blocked(kernel, arguments) : status;
}

qk_status qk_attention(const qk_attention_arguments *arguments) {
  return qk_attention_with(qk_isa_current(), arguments);
}
