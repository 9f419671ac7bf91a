// Slices of entangled weights: gather rows and leading columns of the latent matrix and quantise row by row.
#include "float_common.h"
#include "row_code.h"

typedef struct {
  size_t rows, width, stride;
  const float *latent, *scale4, *scale8, *gq;
  const int32_t *row;
  const uint8_t *bits;
  qk_sharing sharing;
  float *q, *glatent, *gscale4, *gscale8;
  int8_t *codes;
  int fresh;
} slice_job;

static inline int is_tied(const slice_job *j, size_t i) { return row_is_tied(j->bits[i], j->sharing); }
static inline int is_nested(const slice_job *j, size_t i) { return row_is_nested(j->bits[i], j->sharing); }

static inline float row_step(const slice_job *j, size_t i) {
  return row_step_of(j->bits[i], j->sharing, j->scale4, j->scale8, (size_t)j->row[i]);
}

static inline __attribute__((always_inline)) void values_of(const slice_job *j, size_t i, const int nested) {
  const float *w = j->latent + (size_t)j->row[i] * j->stride;
  float *q = j->q + i * j->width;
  const float s = row_step(j, i), inverse = 1.0f / s, limit = row_limit(j->bits[i]);
  for (size_t c = 0; c < j->width; c++) q[c] = s * code_of(w[c] * inverse, limit, nested);
}

QK_CLONES static void forward_body(void *context, size_t begin, size_t end) {
  const slice_job *j = context;
  for (size_t i = begin; i < end; i++) {
    if (j->bits[i] == 32)
      memcpy(j->q + i * j->width, j->latent + (size_t)j->row[i] * j->stride, j->width * sizeof(float));
    else if (is_nested(j, i)) values_of(j, i, 1);
    else values_of(j, i, 0);
  }
}

void qk_weight_slice_forward(size_t rows, size_t width, const float *latent, size_t stride,
                             const int32_t *row, const uint8_t *bits, const float *scale4,
                             const float *scale8, qk_sharing sharing, float *q) {
  slice_job job = { .rows = rows, .width = width, .stride = stride, .latent = latent, .scale4 = scale4,
                    .scale8 = scale8, .row = row, .bits = bits, .sharing = sharing, .q = q };
  qk_parallel_for(rows, task_rows(width), &job, forward_body);
}

static inline __attribute__((always_inline)) void codes_of(const slice_job *j, size_t i, const int nested) {
  const size_t width = j->width;
  const float *w = j->latent + (size_t)j->row[i] * j->stride;
  // Bytes may alias anything, including the job, so the job is read before they are written.
  int8_t *restrict codes = j->codes + i * width;
  const float inverse = 1.0f / row_step(j, i), limit = row_limit(j->bits[i]);
  for (size_t c = 0; c < width; c++) codes[c] = (int8_t)code_of(w[c] * inverse, limit, nested);
}

QK_CLONES static void codes_body(void *context, size_t begin, size_t end) {
  const slice_job *j = context;
  for (size_t i = begin; i < end; i++) {
    if (is_nested(j, i)) codes_of(j, i, 1);
    else codes_of(j, i, 0);
  }
}

void qk_weight_slice_codes(size_t rows, size_t width, const float *latent, size_t stride, const int32_t *row,
                           const uint8_t *bits, const float *scale4, const float *scale8, qk_sharing sharing,
                           int8_t *codes) {
  slice_job job = { .rows = rows, .width = width, .stride = stride, .latent = latent, .scale4 = scale4,
                    .scale8 = scale8, .row = row, .bits = bits, .sharing = sharing, .codes = codes };
  qk_parallel_for(rows, task_rows(width), &job, codes_body);
}

/// `fresh`: the latent gradient starts from 0. `in_place`: the latent gradient is gq, and then it is fresh too.
static inline __attribute__((always_inline)) void gradients_of(const slice_job *j, size_t i, const int nested,
                                                               const int fresh, const int in_place) {
  const size_t row = (size_t)j->row[i];
  const float *w = j->latent + row * j->stride;
  float *restrict gw = j->glatent + row * j->stride;
  const float *gq = in_place ? gw : j->gq + i * j->width;
  const float inverse = 1.0f / row_step(j, i), limit = row_limit(j->bits[i]);
  float lane[QK_SIXTEEN] = { 0 }, term[QK_TERMS];
  for (size_t first = 0; first < j->width; first += QK_TERMS) {
    const size_t count = qk_min(j->width - first, QK_TERMS);
    for (size_t t = 0; t < count; t++) {
      const size_t c = first + t;
      const float v = w[c] * inverse;
      const int inside = v >= -limit && v <= limit;
      const float g = gq[c];
      term[t] = g * (inside ? code_of(v, limit, nested) - v : (v < 0 ? -limit : limit));
      gw[c] = (fresh ? 0.0f : gw[c]) + (inside ? g : 0.0f);
    }
    qk_add_lanes(count, term, lane);
  }
  const float sum = qk_lanes_total(lane);
  if (is_tied(j, i)) j->gscale8[row] += 16.0f * sum;
  else (j->bits[i] == 4 ? j->gscale4 : j->gscale8)[row] += sum;
}

/// Passes a row of latent values, which are not quantised.
static inline void pass_row(const slice_job *j, size_t i, int fresh) {
  float *gw = j->glatent + (size_t)j->row[i] * j->stride;
  for (size_t c = 0; c < j->width; c++) gw[c] = (fresh ? 0.0f : gw[c]) + j->gq[i * j->width + c];
}

static inline __attribute__((always_inline)) void backward_rows(const slice_job *j, size_t begin, size_t end,
                                                                const int fresh, const int in_place) {
  for (size_t i = begin; i < end; i++) {
    if (fresh && !in_place)
      memset(j->glatent + (size_t)j->row[i] * j->stride + j->width, 0, (j->stride - j->width) * sizeof(float));
    if (j->bits[i] != 32) {
      if (is_nested(j, i)) gradients_of(j, i, 1, fresh, in_place);
      else gradients_of(j, i, 0, fresh, in_place);
    } else if (!in_place) {
      pass_row(j, i, fresh);
    }
  }
}

// Rows of a slice are distinct, so every task owns the latent rows it adds to.
QK_CLONES static void backward_body(void *context, size_t begin, size_t end) {
  const slice_job *j = context;
  if (j->gq == j->glatent) backward_rows(j, begin, end, 1, 1);
  else if (j->fresh) backward_rows(j, begin, end, 1, 0);
  else backward_rows(j, begin, end, 0, 0);
}

typedef struct {
  const int32_t *row;
  size_t stride;
  float *values;
} clear_job;

static void clear_body(void *context, size_t begin, size_t end) {
  const clear_job *j = context;
  for (size_t i = begin; i < end; i++) memset(j->values + (size_t)j->row[i] * j->stride, 0, j->stride * sizeof(float));
}

void qk_clear_rows(size_t rows, const int32_t *row, size_t stride, float *values) {
  clear_job job = { .row = row, .stride = stride, .values = values };
  qk_parallel_for(rows, task_rows(stride), &job, clear_body);
}

void qk_weight_slice_backward(size_t rows, size_t width, const float *latent, size_t stride,
                              const int32_t *row, const uint8_t *bits, const float *scale4,
                              const float *scale8, qk_sharing sharing, const float *gq, int fresh, float *glatent,
                              float *gscale4, float *gscale8) {
  slice_job job = { .rows = rows, .width = width, .stride = stride, .latent = latent, .scale4 = scale4,
                    .scale8 = scale8, .gq = gq, .row = row, .bits = bits, .sharing = sharing, .fresh = fresh,
                    .glatent = glatent, .gscale4 = gscale4, .gscale8 = gscale8 };
  qk_parallel_for(rows, task_rows(width), &job, backward_body);
}
