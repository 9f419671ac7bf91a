// Slices of entangled weights: gather rows and leading columns of the latent matrix and quantise row by row.
#include "float_common.h"

typedef struct {
  size_t rows, width, stride;
  const float *latent, *scale4, *scale8, *gq;
  const int32_t *row;
  const uint8_t *bits;
  float *q, *glatent, *gscale4, *gscale8;
  int8_t *codes;
} slice_job;

// Rows of one task: about QK_ELEMENT_BLOCK elements, so short vectors stay on the calling thread.
static inline size_t task_rows(size_t width) { return width >= QK_ELEMENT_BLOCK ? 1 : QK_ELEMENT_BLOCK / (width ? width : 1); }

static inline float row_limit(uint8_t bits) { return bits == 4 ? 7.0f : 127.0f; }

QK_CLONES static void forward_body(void *context, size_t begin, size_t end) {
  const slice_job *j = context;
  for (size_t i = begin; i < end; i++) {
    size_t row = (size_t)j->row[i];
    const float *w = j->latent + row * j->stride;
    float *q = j->q + i * j->width;
    if (j->bits[i] == 32) {
      memcpy(q, w, j->width * sizeof(float));
      continue;
    }
    float s = j->bits[i] == 4 ? j->scale4[row] : j->scale8[row];
    float inverse = 1.0f / s, limit = row_limit(j->bits[i]);
    for (size_t c = 0; c < j->width; c++) {
      float v = rintf(w[c] * inverse);
      v = v < -limit ? -limit : (v > limit ? limit : v);
      q[c] = s * v;
    }
  }
}

void qk_weight_slice_forward(size_t rows, size_t width, const float *latent, size_t stride,
                             const int32_t *row, const uint8_t *bits, const float *scale4,
                             const float *scale8, float *q) {
  slice_job job = {rows, width, stride, latent, scale4, scale8, 0, row, bits, q, 0, 0, 0, 0};
  qk_parallel_for(rows, task_rows(width), &job, forward_body);
}

QK_CLONES static void codes_body(void *context, size_t begin, size_t end) {
  const slice_job *j = context;
  for (size_t i = begin; i < end; i++) {
    size_t row = (size_t)j->row[i];
    const float *w = j->latent + row * j->stride;
    float s = j->bits[i] == 4 ? j->scale4[row] : j->scale8[row];
    float inverse = 1.0f / s, limit = row_limit(j->bits[i]);
    for (size_t c = 0; c < j->width; c++) {
      float v = rintf(w[c] * inverse);
      v = v < -limit ? -limit : (v > limit ? limit : v);
      j->codes[i * j->width + c] = (int8_t)v;
    }
  }
}

void qk_weight_slice_codes(size_t rows, size_t width, const float *latent, size_t stride, const int32_t *row,
                           const uint8_t *bits, const float *scale4, const float *scale8, int8_t *codes) {
  slice_job job = {rows, width, stride, latent, scale4, scale8, 0, row, bits, 0, 0, 0, 0, codes};
  qk_parallel_for(rows, task_rows(width), &job, codes_body);
}

// Rows of a slice are distinct, so every task owns the latent rows it adds to.
QK_CLONES static void backward_body(void *context, size_t begin, size_t end) {
#pragma clang fp reassociate(on)
  const slice_job *j = context;
  for (size_t i = begin; i < end; i++) {
    size_t row = (size_t)j->row[i];
    const float *w = j->latent + row * j->stride, *gq = j->gq + i * j->width;
    float *gw = j->glatent + row * j->stride;
    if (j->bits[i] == 32) {
      for (size_t c = 0; c < j->width; c++) gw[c] += gq[c];
      continue;
    }
    float s = j->bits[i] == 4 ? j->scale4[row] : j->scale8[row];
    float inverse = 1.0f / s, limit = row_limit(j->bits[i]), sum = 0;
    for (size_t c = 0; c < j->width; c++) {
      float v = w[c] * inverse;
      int inside = v >= -limit && v <= limit;
      sum += gq[c] * (inside ? rintf(v) - v : (v < 0 ? -limit : limit));
      gw[c] += inside ? gq[c] : 0.0f;
    }
    (j->bits[i] == 4 ? j->gscale4 : j->gscale8)[row] += sum;
  }
}

void qk_weight_slice_backward(size_t rows, size_t width, const float *latent, size_t stride,
                              const int32_t *row, const uint8_t *bits, const float *scale4,
                              const float *scale8, const float *gq, float *glatent, float *gscale4,
                              float *gscale8) {
  slice_job job = {rows,  width, stride, latent,  scale4,  scale8, gq,
                   row,   bits,  0,      glatent, gscale4, gscale8, 0};
  qk_parallel_for(rows, task_rows(width), &job, backward_body);
}
