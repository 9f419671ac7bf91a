// fp32 products on packed operands.
#include "packed_gemm.h"
#include "../dispatch/kernels.h"
#include "ckernels/profile.h"
#include "ckernels/training.h"

static qk_status multiply(qk_isa isa, const qk_bf16_gemm_arguments *g) {
  const qk_packed_kernel *kernel = qk_kernels(isa).float_gemm;
  qk_status status = qk_bf16_check(g);
  if (status == QK_OK)
    QK_PHASE("fp32 products", QK_RESOURCE_FLOAT, 2.0 * (double)g->m * (double)g->n * (double)g->k,
             status = qk_packed_multiply(kernel ? kernel : &qk_float_reference, g));
  return status;
}

qk_status qk_sgemm_with(qk_isa isa, int transpose_a, int transpose_b, size_t m, size_t n, size_t k, const float *a,
                        size_t lda, const float *b, size_t ldb, float *c, size_t ldc) {
  if (!qk_isa_usable(isa)) return QK_ISA_NOT_AVAILABLE;
  const qk_bf16_gemm_arguments g = {
    .m = m, .n = n, .k = k, .output = c, .output_stride = ldc,
    .a = { .values = a, .stride = lda, .element = QK_BF16_FLOAT, .transposed = transpose_a },
    .b = { .values = b, .stride = ldb, .element = QK_BF16_FLOAT, .transposed = transpose_b },
  };
  return multiply(isa, &g);
}

qk_status qk_linear(size_t m, size_t n, size_t k, const float *x, const float *weight, const float *bias, float *y) {
  const qk_bf16_gemm_arguments g = {
    .m = m, .n = n, .k = k, .bias = bias, .output = y, .output_stride = n,
    .a = { .values = x, .stride = k, .element = QK_BF16_FLOAT },
    .b = { .values = weight, .stride = k, .element = QK_BF16_FLOAT, .transposed = 1 },
  };
  return multiply(qk_isa_current(), &g);
}

qk_status qk_sgemm(int transpose_a, int transpose_b, size_t m, size_t n, size_t k, const float *a, size_t lda,
                   const float *b, size_t ldb, float *c, size_t ldc) {
  return qk_sgemm_with(qk_isa_current(), transpose_a, transpose_b, m, n, k, a, lda, b, ldb, c, ldc);
}
