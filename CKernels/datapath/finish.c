// Behind the fabric accumulators: bias, requantiser, GELU table, residual adder.
#include "../gemm/validate.h"
#include "../reference/output_form.h"
#include "ckernels/parallel.h"

typedef struct finish_job {
  const qk_gemm_arguments *arguments;
  const int32_t *accumulators;
  const qk_hardware_spec *spec;
} finish_job;

/// acc and bias are below 2^30 unless an accumulator overflowed; then the sum wraps at 32 bits like it.
static void finish_tokens(void *context, size_t begin, size_t end) {
  const finish_job *job = context;
  const qk_gemm_arguments *a = job->arguments;
  const size_t rows = (size_t)a->weights->rows;
  for (size_t t = begin; t < end; t++)
    for (size_t n = 0; n < rows; n++) {
      const uint32_t sum = (uint32_t)job->accumulators[t * rows + n] + (uint32_t)a->bias[n];
      qk_write_output(a, job->spec, (int32_t)t, (int32_t)n, (int32_t)sum);
    }
}

qk_status qk_datapath_finish(const qk_gemm_arguments *a, const int32_t *accumulators, const qk_hardware_spec *spec) {
  if (accumulators == NULL) return QK_NULL_POINTER;
  qk_status status = qk_hardware_spec_check(spec);
  if (status == QK_OK) status = qk_gemm_check(a);
  if (status != QK_OK) return status;
  const finish_job job = { .arguments = a, .accumulators = accumulators, .spec = spec };
  qk_parallel_for((size_t)a->tokens, 32, (void *)&job, finish_tokens);
  return QK_OK;
}
