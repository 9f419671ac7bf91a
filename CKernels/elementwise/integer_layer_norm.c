// The LayerNorm driver: rows in chunks of about 16,384 elements.
#include "integer_layer_norm.h"
#include "../dispatch/kernels.h"
#include "../gemm/validate.h"
#include "ckernels/parallel.h"

#define CHUNK_ELEMENTS 16384

typedef struct layer_norm_job {
  const qk_layer_norm_kernel *kernel;
  const qk_layer_norm_arguments *arguments;
  void *prepared;
} layer_norm_job;

static void run_rows(void *context, size_t begin, size_t end) {
  const layer_norm_job *job = context;
  const qk_layer_norm_arguments *a = job->arguments;
  for (size_t row = begin; row < end; row++)
    job->kernel->normalise_row(a, job->prepared, a->input + row * a->input_stride, a->output + row * a->output_stride);
}

qk_status qk_layer_norm_with(qk_isa isa, const qk_layer_norm_arguments *arguments) {
  if (!qk_isa_usable(isa)) return QK_ISA_NOT_AVAILABLE;
  const qk_layer_norm_kernel *kernel = qk_kernels(isa).layer_norm;
  if (kernel == NULL) return qk_layer_norm_reference(arguments);
  const qk_status status = qk_layer_norm_check(arguments);
  if (status != QK_OK) return status;
  layer_norm_job job = { .kernel = kernel, .arguments = arguments };
  if (kernel->prepare != NULL) {
    job.prepared = qk_scratch(QK_SCRATCH_CALL, kernel->prepared_bytes(arguments));
    if (job.prepared == NULL) return QK_OUT_OF_MEMORY;
    kernel->prepare(arguments, job.prepared);
  }
  qk_parallel_for((size_t)arguments->rows, (size_t)(CHUNK_ELEMENTS / arguments->width), &job, run_rows);
  return QK_OK;
}

qk_status qk_layer_norm(const qk_layer_norm_arguments *arguments) {
  return qk_layer_norm_with(qk_isa_current(), arguments);
}
