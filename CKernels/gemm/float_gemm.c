// fp32 products on OpenBLAS: one single-threaded call per block of rows of C.
#include <cblas.h>
#include "../elementwise/float_common.h"
#include "blas_threads.h"
#include "ckernels/profile.h"

typedef struct {
  int transpose_a, transpose_b;
  size_t m, n, k, lda, ldb, ldc, block;
  const float *a, *b;
  float beta;
  float *c;
} gemm_job;

static void gemm_body(void *context, size_t begin, size_t end) {
  const gemm_job *j = context;
  for (size_t block = begin; block < end; block++) {
    size_t first = block * j->block, rows = qk_min(j->block, j->m - first);
    const float *a = j->transpose_a ? j->a + first : j->a + first * j->lda;
    cblas_sgemm(CblasRowMajor, j->transpose_a ? CblasTrans : CblasNoTrans,
                j->transpose_b ? CblasTrans : CblasNoTrans, (int)rows, (int)j->n, (int)j->k, 1.0f, a,
                (int)j->lda, j->b, (int)j->ldb, j->beta, j->c + first * j->ldc, (int)j->ldc);
  }
}

void qk_single_threaded_blas(void) {
  static int configured = 0;
  if (!__atomic_load_n(&configured, __ATOMIC_ACQUIRE)) {
    openblas_set_num_threads(1);
    __atomic_store_n(&configured, 1, __ATOMIC_RELEASE);
  }
}

// OpenBLAS's bits depend on how rows are split, so the split depends on m alone: an even number of blocks of
// 16…256 rows.
void qk_sgemm(int transpose_a, int transpose_b, size_t m, size_t n, size_t k, const float *a, size_t lda,
              const float *b, size_t ldb, float beta, float *c, size_t ldc) {
  qk_single_threaded_blas();
  if (m == 0 || n == 0) return;
  size_t blocks = m / 48;
  size_t least = qk_blocks(m, 256);
  if (blocks > 16) blocks = 16;
  if (blocks < least) blocks = least;
  if (blocks < 2) blocks = 2;
  size_t block = qk_blocks(qk_blocks(m, blocks), 16) * 16;
  gemm_job job = {transpose_a, transpose_b, m, n, k, lda, ldb, ldc, block, a, b, beta, c};
  QK_PHASE("fp32 products", QK_RESOURCE_FLOAT, 2.0 * (double)m * (double)n * (double)k,
           qk_parallel_for(qk_blocks(m, block), 1, &job, gemm_body));
}
