// Softmax attention in float, forward and backward, one task per image and head.
//
// All six products are C[m, n] = A·B with A addressed by two strides (so a transpose is free) and B row-major
// with its width padded to a multiple of 16 (tiles on the stack).
#include "../elementwise/float_common.h"

#define MAX_TOKENS QK_FLOAT_ATTENTION_MAX_TOKENS
#define MAX_HEAD QK_FLOAT_ATTENTION_MAX_HEAD

typedef float vector8 __attribute__((vector_size(32), aligned(4)));

static inline size_t padded(size_t n) { return (n + 15) / 16 * 16; }

// 4×16 tiles of C; rows past m repeat the last one and are not stored.
static inline __attribute__((always_inline)) void tile_product(size_t m, size_t n16, size_t k, const float *a,
                                                               size_t row_stride, size_t k_stride,
                                                               const float *b, size_t ldb, float *c,
                                                               size_t ldc) {
  for (size_t i = 0; i < m; i += 4) {
    size_t left = m - i;
    const float *a0 = a + i * row_stride;
    const float *a1 = a + (left > 1 ? i + 1 : i) * row_stride;
    const float *a2 = a + (left > 2 ? i + 2 : i) * row_stride;
    const float *a3 = a + (left > 3 ? i + 3 : i) * row_stride;
    for (size_t j = 0; j < n16; j += 16) {
      vector8 c00 = {0}, c01 = {0}, c10 = {0}, c11 = {0}, c20 = {0}, c21 = {0}, c30 = {0}, c31 = {0};
      const float *bp = b + j;
      for (size_t l = 0; l < k; l++, bp += ldb) {
        vector8 b0 = *(const vector8 *)bp, b1 = *(const vector8 *)(bp + 8);
        size_t o = l * k_stride;
        c00 += a0[o] * b0;
        c01 += a0[o] * b1;
        c10 += a1[o] * b0;
        c11 += a1[o] * b1;
        c20 += a2[o] * b0;
        c21 += a2[o] * b1;
        c30 += a3[o] * b0;
        c31 += a3[o] * b1;
      }
      float *out = c + i * ldc + j;
      *(vector8 *)out = c00;
      *(vector8 *)(out + 8) = c01;
      if (left > 1) *(vector8 *)(out + ldc) = c10, *(vector8 *)(out + ldc + 8) = c11;
      if (left > 2) *(vector8 *)(out + 2 * ldc) = c20, *(vector8 *)(out + 2 * ldc + 8) = c21;
      if (left > 3) *(vector8 *)(out + 3 * ldc) = c30, *(vector8 *)(out + 3 * ldc + 8) = c31;
    }
  }
}

// out[d][pad(T)] = x[t][d], zero padded.
static inline void transpose_head(size_t tokens, size_t width, const float *x, size_t stride, float *out) {
  size_t ld = padded(tokens);
  for (size_t d = 0; d < width; d++) {
    for (size_t t = 0; t < tokens; t++) out[d * ld + t] = x[t * stride + d];
    for (size_t t = tokens; t < ld; t++) out[d * ld + t] = 0;
  }
}

// out[t][pad(width)] = x[t][d], zero padded.
static inline void copy_head(size_t tokens, size_t width, const float *x, size_t stride, float *out) {
  size_t ld = padded(width);
  for (size_t t = 0; t < tokens; t++) {
    memcpy(out + t * ld, x + t * stride, width * sizeof(float));
    memset(out + t * ld + width, 0, (ld - width) * sizeof(float));
  }
}

static inline void store_head(size_t tokens, size_t width, const float *x, float *out, size_t stride) {
  size_t ld = padded(width);
  for (size_t t = 0; t < tokens; t++) memcpy(out + t * stride, x + t * ld, width * sizeof(float));
}

typedef struct {
  size_t tokens, heads, width;
  const float *qkv, *gout;
  float scale, levels;
  float *probabilities, *out;
} attention_job;

QK_CLONES static void forward_body(void *context, size_t begin, size_t end) {
#pragma clang fp reassociate(on)
  const attention_job *j = context;
  size_t t = j->tokens, hd = j->width, inner = j->heads * hd, ldt = padded(t), ldh = padded(hd);
  float keys[MAX_HEAD * MAX_TOKENS] __attribute__((aligned(32)));
  float values[MAX_HEAD * MAX_TOKENS] __attribute__((aligned(32)));
  float context_rows[MAX_HEAD * MAX_TOKENS] __attribute__((aligned(32)));
  float scores[4 * MAX_TOKENS] __attribute__((aligned(32)));
  for (size_t task = begin; task < end; task++) {
    size_t b = task / j->heads, h = task % j->heads;
    const float *q = j->qkv + b * t * 3 * inner + h * hd;
    transpose_head(t, hd, q + inner, 3 * inner, keys);
    copy_head(t, hd, q + 2 * inner, 3 * inner, values);
    float *p = j->probabilities + task * t * t;
    for (size_t i = 0; i < t; i += 4) {
      size_t rows = qk_min(4, t - i);
      tile_product(rows, ldt, hd, q + i * 3 * inner, 3 * inner, 1, keys, ldt, scores, ldt);
      for (size_t r = 0; r < rows; r++) {
        const float *s = scores + r * ldt;
        float *row = p + (i + r) * t, top = s[0], sum = 0;
        for (size_t c = 1; c < t; c++) top = s[c] > top ? s[c] : top;
        if (j->levels > 0) {
          for (size_t c = 0; c < t; c++) {
            row[c] = rintf(j->levels * qk_exp((s[c] - top) * j->scale));
            sum += row[c];
          }
        } else {
          for (size_t c = 0; c < t; c++) {
            row[c] = qk_exp((s[c] - top) * j->scale);
            sum += row[c];
          }
        }
        float inverse = 1.0f / sum;
        for (size_t c = 0; c < t; c++) row[c] *= inverse;
      }
    }
    tile_product(t, ldh, t, p, t, 1, values, ldh, context_rows, ldh);
    store_head(t, hd, context_rows, j->out + b * t * inner + h * hd, inner);
  }
}

void qk_float_attention_forward(size_t batch, size_t tokens, size_t heads, size_t head_dimension,
                                const float *qkv, float scale, float levels, float *probabilities,
                                float *out) {
  attention_job job = {tokens, heads, head_dimension, qkv, 0, scale, levels, probabilities, out};
  qk_parallel_for(batch * heads, 4, &job, forward_body);
}

// dP = dO·vᵀ; dS = scale·P ⊙ (dP − Σ P⊙dP); dq = dS·k; dk = dSᵀ·q; dv = Pᵀ·dO.
QK_CLONES static void backward_body(void *context, size_t begin, size_t end) {
#pragma clang fp reassociate(on)
  const attention_job *j = context;
  size_t t = j->tokens, hd = j->width, inner = j->heads * hd, ldt = padded(t), ldh = padded(hd);
  float head[MAX_HEAD * MAX_TOKENS] __attribute__((aligned(32)));
  float product[MAX_HEAD * MAX_TOKENS] __attribute__((aligned(32)));
  float gscores[MAX_TOKENS * MAX_TOKENS] __attribute__((aligned(32)));
  for (size_t task = begin; task < end; task++) {
    size_t b = task / j->heads, h = task % j->heads;
    const float *q = j->qkv + b * t * 3 * inner + h * hd, *k = q + inner, *v = k + inner;
    const float *gout = j->gout + b * t * inner + h * hd;
    const float *p = j->probabilities + task * t * t;
    float *gq = j->out + b * t * 3 * inner + h * hd, *gk = gq + inner, *gv = gk + inner;
    transpose_head(t, hd, v, 3 * inner, head);
    tile_product(t, ldt, hd, gout, inner, 1, head, ldt, gscores, ldt);
    for (size_t i = 0; i < t; i++) {
      float *g = gscores + i * ldt, dot = 0;
      const float *row = p + i * t;
      for (size_t c = 0; c < t; c++) dot += row[c] * g[c];
      for (size_t c = 0; c < t; c++) g[c] = j->scale * row[c] * (g[c] - dot);
    }
    copy_head(t, hd, k, 3 * inner, head);
    tile_product(t, ldh, t, gscores, ldt, 1, head, ldh, product, ldh);
    store_head(t, hd, product, gq, 3 * inner);
    copy_head(t, hd, q, 3 * inner, head);
    tile_product(t, ldh, t, gscores, 1, ldt, head, ldh, product, ldh);
    store_head(t, hd, product, gk, 3 * inner);
    copy_head(t, hd, gout, inner, head);
    tile_product(t, ldh, t, p, 1, t, head, ldh, product, ldh);
    store_head(t, hd, product, gv, 3 * inner);
  }
}

void qk_float_attention_backward(size_t batch, size_t tokens, size_t heads, size_t head_dimension,
                                 const float *qkv, float scale, const float *probabilities,
                                 const float *gout, float *gqkv) {
  attention_job job = {tokens, heads, head_dimension, qkv, gout, scale, 0, (float *)probabilities, gqkv};
  qk_parallel_for(batch * heads, 4, &job, backward_body);
}
