// Softmax attention in float, forward and backward, one task per image and head: six fp32 products, whose operands and
// results are the strided columns of a head, with passes over rows of scores between them.
#include <stdatomic.h>
#include "../elementwise/float_common.h"

typedef struct {
  size_t tokens, heads, width;
  const float *qkv, *gout;
  float scale, levels;
  float *probabilities, *out;
  atomic_int status;
} attention_job;

/// C[m, n] = op(A)·op(B) on the calling thread; the job keeps the status of a failure.
static void multiply(attention_job *j, int transpose_a, int transpose_b, size_t m, size_t n, size_t k, const float *a,
                     size_t lda, const float *b, size_t ldb, float *c, size_t ldc) {
  const qk_status status = qk_sgemm(transpose_a, transpose_b, m, n, k, a, lda, b, ldb, c, ldc);
  if (status != QK_OK) atomic_store_explicit(&j->status, (int)status, memory_order_relaxed);
}

/// Turns rows of scores into probabilities e^(scale·(s − max)) / Σ; with `levels`, the exponentials are rounded to
/// multiples of 1/levels before the sum.
QK_CLONES static void soften_rows(size_t tokens, float scale, float levels, float *scores) {
  for (size_t i = 0; i < tokens; i++) {
    float *row = scores + i * tokens;
    const float top = qk_row_maximum(tokens, row);
    if (levels > 0) {
      for (size_t c = 0; c < tokens; c++) row[c] = rintf(levels * qk_exp((row[c] - top) * scale));
    } else {
      for (size_t c = 0; c < tokens; c++) row[c] = qk_exp((row[c] - top) * scale);
    }
    const float inverse = 1.0f / qk_row_sum(tokens, row);
    for (size_t c = 0; c < tokens; c++) row[c] *= inverse;
  }
}

static void forward_body(void *context, size_t begin, size_t end) {
  attention_job *j = context;
  const size_t t = j->tokens, d = j->width, inner = j->heads * d, row = 3 * inner;
  for (size_t task = begin; task < end; task++) {
    const size_t b = task / j->heads, h = task % j->heads;
    const float *q = j->qkv + b * t * row + h * d, *k = q + inner, *v = k + inner;
    float *p = j->probabilities + task * t * t;
    multiply(j, 0, 1, t, t, d, q, row, k, row, p, t);
    soften_rows(t, j->scale, j->levels, p);
    multiply(j, 0, 0, t, d, t, p, t, v, row, j->out + b * t * inner + h * d, inner);
  }
}

qk_status qk_float_attention_forward(size_t batch, size_t tokens, size_t heads, size_t head_dimension, const float *qkv,
                                     float scale, float levels, float *probabilities, float *out) {
  attention_job job = { tokens, heads, head_dimension, qkv, NULL, scale, levels, probabilities, out, QK_OK };
  qk_parallel_for(batch * heads, 4, &job, forward_body);
  return (qk_status)job.status;
}

/// dS = scale·P ⊙ (dP − Σ P⊙dP) in place of dP.
QK_CLONES static void score_gradients(size_t tokens, float scale, const float *probabilities, float *gscores) {
  for (size_t i = 0; i < tokens; i++) {
    const float *p = probabilities + i * tokens;
    float *g = gscores + i * tokens;
    const float dot = qk_row_dot(tokens, p, g);
    for (size_t c = 0; c < tokens; c++) g[c] = scale * p[c] * (g[c] - dot);
  }
}

// dP = dO·vᵀ; dq = dS·k; dk = dSᵀ·q; dv = Pᵀ·dO.
static void backward_body(void *context, size_t begin, size_t end) {
  attention_job *j = context;
  const size_t t = j->tokens, d = j->width, inner = j->heads * d, row = 3 * inner;
  float *gscores = qk_scratch(QK_SCRATCH_BLOCK_TASK, t * t * sizeof *gscores);
  if (gscores == NULL) {
    atomic_store_explicit(&j->status, QK_OUT_OF_MEMORY, memory_order_relaxed);
    return;
  }
  for (size_t task = begin; task < end; task++) {
    const size_t b = task / j->heads, h = task % j->heads;
    const float *q = j->qkv + b * t * row + h * d, *k = q + inner, *v = k + inner;
    const float *gout = j->gout + b * t * inner + h * d, *p = j->probabilities + task * t * t;
    float *gq = j->out + b * t * row + h * d, *gk = gq + inner, *gv = gk + inner;
    multiply(j, 0, 1, t, t, d, gout, inner, v, row, gscores, t);
    score_gradients(t, j->scale, p, gscores);
    multiply(j, 0, 0, t, d, t, gscores, t, k, row, gq, row);
    multiply(j, 1, 0, t, d, t, gscores, t, q, row, gk, row);
    multiply(j, 1, 0, t, d, t, p, t, gout, inner, gv, row);
  }
}

qk_status qk_float_attention_backward(size_t batch, size_t tokens, size_t heads, size_t head_dimension, const float *qkv,
                                      float scale, const float *probabilities, const float *gout, float *gqkv) {
  attention_job job = { tokens, heads, head_dimension, qkv, gout, scale, 0, (float *)(uintptr_t)probabilities, gqkv, QK_OK };
  qk_parallel_for(batch * heads, 4, &job, backward_body);
  return (qk_status)job.status;
}
