// Units after the fabric accumulators: bias, requantiser, GELU table, residual adder.
#include "../gemm/validate.h"
#include "../reference/output_form.h"
#include "ckernels/parallel.h"

typedef struct finish_job {
  const qk_gemm_arguments *arguments;
  const int32_t *accumulators;
  const qk_hardware_spec *spec;
} finish_job;

/// acc and bias are below 2^30 unless an accumulator overflowed; then the sum wraps at 32 bits like it.
static inline __attribute__((always_inline)) void finish_form(const finish_job *job, qk_output_form form, size_t begin,
                                                              size_t end) {
  const qk_gemm_arguments *a = job->arguments;
  const size_t rows = (size_t)a->weights->rows;
  for (size_t t = begin; t < end; t++)
    for (size_t n = 0; n < rows; n++) {
      const uint32_t sum = (uint32_t)job->accumulators[t * rows + n] + (uint32_t)a->bias[n];
      qk_write_output(a, form, job->spec, t, n, (int32_t)sum);
    }
}

static void finish_tokens(void *context, size_t begin, size_t end) {
  const finish_job *job = context;
  switch (job->arguments->form) {
    case QK_OUTPUT_ACCUMULATOR: finish_form(job, QK_OUTPUT_ACCUMULATOR, begin, end); break;
    case QK_OUTPUT_INT32: finish_form(job, QK_OUTPUT_INT32, begin, end); break;
    case QK_OUTPUT_INT8: finish_form(job, QK_OUTPUT_INT8, begin, end); break;
    case QK_OUTPUT_TABLE: finish_form(job, QK_OUTPUT_TABLE, begin, end); break;
    case QK_OUTPUT_RESIDUAL: finish_form(job, QK_OUTPUT_RESIDUAL, begin, end); break;
    case QK_OUTPUT_UINT8: finish_form(job, QK_OUTPUT_UINT8, begin, end); break;
    case QK_OUTPUT_INT16: finish_form(job, QK_OUTPUT_INT16, begin, end); break;
    case QK_OUTPUT_FLOAT: finish_form(job, QK_OUTPUT_FLOAT, begin, end); break;
    case QK_OUTPUT_CODE_AND_REST: finish_form(job, QK_OUTPUT_CODE_AND_REST, begin, end); break;
    case QK_OUTPUT_EXACT_AND_REST: finish_form(job, QK_OUTPUT_EXACT_AND_REST, begin, end); break;
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
