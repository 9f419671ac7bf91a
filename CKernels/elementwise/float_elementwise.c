// Elementwise float loops, in blocks of QK_ELEMENT_BLOCK.
#include "float_common.h"

typedef struct {
  size_t count;
  float factor;
  const float *a, *b;
  float *out;
} element_job;

#define FOR_BLOCK_ELEMENTS(job)                                        \
  for (size_t i = begin * QK_ELEMENT_BLOCK,                            \
              end_index = qk_min(end * QK_ELEMENT_BLOCK, (job)->count); \
       i < end_index; i++)

static void run(size_t count, float factor, const float *a, const float *b, float *out, qk_parallel_body body) {
  element_job job = {count, factor, a, b, out};
  qk_parallel_for(qk_blocks(count, QK_ELEMENT_BLOCK), 1, &job, body);
}

QK_CLONES static void add_body(void *context, size_t begin, size_t end) {
  const element_job *j = context;
  FOR_BLOCK_ELEMENTS(j) j->out[i] = j->a[i] + j->b[i];
}
QK_CLONES static void subtract_body(void *context, size_t begin, size_t end) {
  const element_job *j = context;
  FOR_BLOCK_ELEMENTS(j) j->out[i] = j->a[i] - j->b[i];
}
QK_CLONES static void multiply_body(void *context, size_t begin, size_t end) {
  const element_job *j = context;
  FOR_BLOCK_ELEMENTS(j) j->out[i] = j->a[i] * j->b[i];
}
QK_CLONES static void scale_body(void *context, size_t begin, size_t end) {
  const element_job *j = context;
  FOR_BLOCK_ELEMENTS(j) j->out[i] = j->factor * j->a[i];
}
QK_CLONES static void accumulate_body(void *context, size_t begin, size_t end) {
  const element_job *j = context;
  FOR_BLOCK_ELEMENTS(j) j->out[i] += j->factor * j->a[i];
}
QK_CLONES static void gelu_forward_body(void *context, size_t begin, size_t end) {
  const element_job *j = context;
  FOR_BLOCK_ELEMENTS(j) {
    float density;
    j->out[i] = j->a[i] * qk_normal_distribution(j->a[i], &density);
  }
}
QK_CLONES static void gelu_backward_body(void *context, size_t begin, size_t end) {
  const element_job *j = context;
  FOR_BLOCK_ELEMENTS(j) {
    float density;
    float phi = qk_normal_distribution(j->a[i], &density);
    j->out[i] = j->b[i] * (phi + j->a[i] * density);
  }
}

void qk_add(size_t count, const float *a, const float *b, float *out) { run(count, 0, a, b, out, add_body); }
void qk_subtract(size_t count, const float *a, const float *b, float *out) {
  run(count, 0, a, b, out, subtract_body);
}
void qk_multiply(size_t count, const float *a, const float *b, float *out) {
  run(count, 0, a, b, out, multiply_body);
}
void qk_scale(size_t count, float factor, const float *a, float *out) {
  run(count, factor, a, 0, out, scale_body);
}
void qk_accumulate(size_t count, float factor, const float *x, float *y) {
  run(count, factor, x, 0, y, accumulate_body);
}
void qk_gelu_forward(size_t count, const float *x, float *out) {
  run(count, 0, x, 0, out, gelu_forward_body);
}
void qk_gelu_backward(size_t count, const float *x, const float *gy, float *gx) {
  run(count, 0, x, gy, gx, gelu_backward_body);
}
