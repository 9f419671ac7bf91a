// Rounding that compensates its errors in later columns (GPTQ, Frantar et al. 2022).
#include <cblas.h>
#include <lapacke.h>
#include "../elementwise/float_common.h"
#include "../elementwise/row_code.h"

/// Tells OpenBLAS, once, to run on the calling thread: its bits depend on how it splits work.
static void single_threaded_blas(void) {
  static int configured = 0;
  if (!__atomic_load_n(&configured, __ATOMIC_ACQUIRE)) {
    openblas_set_num_threads(1);
    __atomic_store_n(&configured, 1, __ATOMIC_RELEASE);
  }
}

// LAPACK is column-major: its lower triangle is the upper one of row-major matrices, and L·Lᵀ there is Uᵀ·U here.
int qk_inverse_factor(size_t n, double damping, double *h) {
  single_threaded_blas();
  for (size_t i = 0; i < n; i++) h[i * n + i] += damping;
  const lapack_int order = (lapack_int)n;
  if (LAPACKE_dpotrf(LAPACK_COL_MAJOR, 'L', order, h, order) != 0) return 0;
  if (LAPACKE_dpotri(LAPACK_COL_MAJOR, 'L', order, h, order) != 0) return 0;
  return LAPACKE_dpotrf(LAPACK_COL_MAJOR, 'L', order, h, order) == 0;
}

typedef struct {
  size_t width, stride;
  float *latent;
  const int32_t *row;
  const uint8_t *bits;
  const float *scale4, *scale8;
  qk_sharing sharing;
  const double *factor;
  double *work;
} rounding_job;

// Rows of one task. They share the reads of U, and twice 8 rows of 1,536 doubles stay in the L2 cache.
#define TASK_ROWS 8

// Fixes column c at `value` and passes its error on. w holds the weights that are left of a row; finished columns hold
// s·q.
static inline __attribute__((always_inline)) double fix_column(double *w, const double *u, size_t c, size_t width,
                                                               float value) {
  const double error = (w[c] - (double)value) / u[c];
  w[c] = (double)value;
  for (size_t k = c + 1; k < width; k++) w[k] -= error * u[k];
  return error * error;
}

QK_CLONES static void rounding_body(void *context, size_t begin, size_t end) {
  const rounding_job *j = context;
  const size_t width = j->width;
  double losses[TASK_ROWS][2] = { { 0 } };
  for (size_t r = begin; r < end; r++)
    for (size_t c = 0; c < width; c++)
      j->work[2 * r * width + c] = j->work[(2 * r + 1) * width + c] =
          (double)j->latent[(size_t)j->row[r] * j->stride + c];
  for (size_t c = 0; c < width; c++) {
    const double *u = j->factor + c * width;
    for (size_t r = begin; r < end; r++) {
      double *compensated = j->work + 2 * r * width, *nearest = compensated + width;
      const float s = row_step_of(j->bits[r], j->sharing, j->scale4, j->scale8, (size_t)j->row[r]), inverse = 1.0f / s;
      const float limit = row_limit(j->bits[r]);
      const int nested = row_is_nested(j->bits[r], j->sharing);
      // Codes follow the rule of the forward pass, which sees a float.
      const float free = (float)compensated[c] * inverse, plain = j->latent[(size_t)j->row[r] * j->stride + c] * inverse;
      const float code = nested ? code_of(free, limit, 1) : code_of(free, limit, 0);
      const float plain_code = nested ? code_of(plain, limit, 1) : code_of(plain, limit, 0);
      losses[r - begin][0] += fix_column(compensated, u, c, width, s * code);
      losses[r - begin][1] += fix_column(nearest, u, c, width, s * plain_code);
    }
  }
  for (size_t r = begin; r < end; r++) {
    const double *best = j->work + (2 * r + (losses[r - begin][0] < losses[r - begin][1] ? 0 : 1)) * width;
    for (size_t c = 0; c < width; c++) j->latent[(size_t)j->row[r] * j->stride + c] = (float)best[c];
  }
}

void qk_compensated_rounding(size_t rows, size_t width, float *latent, size_t stride, const int32_t *row,
                             const uint8_t *bits, const float *scale4, const float *scale8, qk_sharing sharing,
                             const double *factor, double *work) {
  rounding_job job = { width, stride, latent, row, bits, scale4, scale8, sharing, factor, work };
  qk_parallel_for(rows, TASK_ROWS, &job, rounding_body);
}
