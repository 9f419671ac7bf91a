// Row-wise functions: softmax, cross-entropy, residual with layer scaling, token embedding, indexing.
#include "float_common.h"

typedef struct {
  size_t rows, width, per_sample, stride;
  float factor;
  const float *a, *b, *c, *d;
  const int32_t *index;
  float *out, *out2, *partial;
} rows_job;

#define ROWS_OF_BLOCKS(j)                                                                     \
  for (size_t r = begin * QK_REDUCTION_ROWS, last = qk_min(end * QK_REDUCTION_ROWS, (j)->rows); \
       r < last; r++)

static void run(rows_job *job, qk_parallel_body body) {
  qk_parallel_for(qk_blocks(job->rows, QK_REDUCTION_ROWS), 1, job, body);
}

QK_CLONES static void add_row_body(void *context, size_t begin, size_t end) {
  const rows_job *j = context;
  ROWS_OF_BLOCKS(j) {
    float *y = j->out + r * j->width;
    for (size_t c = 0; c < j->width; c++) y[c] += j->b[c];
  }
}
void qk_add_row(size_t rows, size_t width, const float *v, float *y) {
  rows_job job = {.rows = rows, .width = width, .b = v, .out = y};
  run(&job, add_row_body);
}

QK_CLONES static void multiply_row_body(void *context, size_t begin, size_t end) {
  const rows_job *j = context;
  ROWS_OF_BLOCKS(j) {
    const float *x = j->a + r * j->width;
    float *y = j->out + r * j->width;
    for (size_t c = 0; c < j->width; c++) y[c] = x[c] * j->b[c];
  }
}
void qk_multiply_row(size_t rows, size_t width, const float *x, const float *v, float *y) {
  rows_job job = {.rows = rows, .width = width, .a = x, .b = v, .out = y};
  run(&job, multiply_row_body);
}

static inline float softmax_row(size_t width, const float *x, float *y) {
  const float top = qk_row_maximum(width, x);
  for (size_t c = 0; c < width; c++) y[c] = qk_exp(x[c] - top);
  const float sum = qk_row_sum(width, y), inverse = 1.0f / sum;
  for (size_t c = 0; c < width; c++) y[c] *= inverse;
  return top + qk_log(sum);
}

QK_CLONES static void softmax_forward_body(void *context, size_t begin, size_t end) {
  const rows_job *j = context;
  ROWS_OF_BLOCKS(j) softmax_row(j->width, j->a + r * j->width, j->out + r * j->width);
}
void qk_softmax_forward(size_t rows, size_t width, const float *x, float *y) {
  rows_job job = {.rows = rows, .width = width, .a = x, .out = y};
  run(&job, softmax_forward_body);
}

QK_CLONES static void softmax_backward_body(void *context, size_t begin, size_t end) {
  const rows_job *j = context;
  ROWS_OF_BLOCKS(j) {
    const float *y = j->a + r * j->width, *gy = j->b + r * j->width;
    const float dot = qk_row_dot(j->width, y, gy);
    for (size_t c = 0; c < j->width; c++) j->out[r * j->width + c] = y[c] * (gy[c] - dot);
  }
}
void qk_softmax_backward(size_t rows, size_t width, const float *y, const float *gy, float *gx) {
  rows_job job = {.rows = rows, .width = width, .a = y, .b = gy, .out = gx};
  run(&job, softmax_backward_body);
}

QK_CLONES static void cross_entropy_forward_body(void *context, size_t begin, size_t end) {
  const rows_job *j = context;
  ROWS_OF_BLOCKS(j) {
    const float *x = j->a + r * j->width, *target = j->b + r * j->width;
    float log_sum = softmax_row(j->width, x, j->out + r * j->width), loss = 0;
    for (size_t c = 0; c < j->width; c++) loss -= target[c] * (x[c] - log_sum);
    j->out2[r] = loss;
  }
}
void qk_cross_entropy_forward(size_t rows, size_t width, const float *x, const float *target,
                              float *probabilities, float *loss) {
  rows_job job = {.rows = rows, .width = width, .a = x, .b = target, .out = probabilities, .out2 = loss};
  run(&job, cross_entropy_forward_body);
}

QK_CLONES static void cross_entropy_backward_body(void *context, size_t begin, size_t end) {
  const rows_job *j = context;
  ROWS_OF_BLOCKS(j) {
    const float *p = j->a + r * j->width, *target = j->b + r * j->width;
    float total = 0;
    for (size_t c = 0; c < j->width; c++) total += target[c];
    for (size_t c = 0; c < j->width; c++)
      j->out[r * j->width + c] = j->factor * (p[c] * total - target[c]);
  }
}
void qk_cross_entropy_backward(size_t rows, size_t width, const float *probabilities, const float *target,
                               float factor, float *gx) {
  rows_job job = {.rows = rows, .width = width, .factor = factor, .a = probabilities, .b = target, .out = gx};
  run(&job, cross_entropy_backward_body);
}

QK_CLONES static void residual_forward_body(void *context, size_t begin, size_t end) {
  const rows_job *j = context;
  ROWS_OF_BLOCKS(j) {
    size_t o = r * j->width;
    float keep = j->d ? j->d[r / j->per_sample] : 1.0f;
    for (size_t c = 0; c < j->width; c++) j->out[o + c] = j->a[o + c] + j->c[c] * keep * j->b[o + c];
  }
}
void qk_residual_forward(size_t rows, size_t width, size_t rows_per_sample, const float *x,
                         const float *branch, const float *gain, const float *keep, float *y) {
  rows_job job = {.rows = rows, .width = width, .per_sample = rows_per_sample, .a = x, .b = branch,
                  .c = gain, .d = keep, .out = y};
  run(&job, residual_forward_body);
}

QK_CLONES static void residual_backward_body(void *context, size_t begin, size_t end) {
  const rows_job *j = context;
  for (size_t block = begin; block < end; block++) {
    float *ggain = j->partial + block * j->width;
    memset(ggain, 0, j->width * sizeof(float));
    size_t last = qk_min((block + 1) * QK_REDUCTION_ROWS, j->rows);
    for (size_t r = block * QK_REDUCTION_ROWS; r < last; r++) {
      size_t o = r * j->width;
      float keep = j->d ? j->d[r / j->per_sample] : 1.0f;
      for (size_t c = 0; c < j->width; c++) {
        float g = j->b[o + c] * keep;
        ggain[c] += g * j->a[o + c];
        j->out[o + c] = g * j->c[c];
      }
    }
  }
}
void qk_residual_backward(size_t rows, size_t width, size_t rows_per_sample, const float *branch,
                          const float *gain, const float *keep, const float *gy, float *scratch,
                          float *gbranch, float *ggain) {
  rows_job job = {.rows = rows, .width = width, .per_sample = rows_per_sample, .a = branch, .b = gy,
                  .c = gain, .d = keep, .out = gbranch, .partial = scratch};
  run(&job, residual_backward_body);
  qk_tree_sum(qk_blocks(rows, QK_REDUCTION_ROWS), width, scratch, ggain);
}

QK_CLONES static void embed_forward_body(void *context, size_t begin, size_t end) {
  const rows_job *j = context;
  size_t d = j->width, tokens = j->rows + 1;
  for (size_t b = begin; b < end; b++) {
    float *out = j->out + b * tokens * d;
    const float *x = j->a + b * j->rows * d;
    for (size_t c = 0; c < d; c++) out[c] = j->b[c] + j->c[c];
    for (size_t i = d; i < tokens * d; i++) out[i] = x[i - d] + j->c[i];
  }
}
void qk_embed_forward(size_t batch, size_t patches, size_t width, const float *x, const float *cls,
                      const float *position, float *tokens) {
  rows_job job = {.rows = patches, .width = width, .a = x, .b = cls, .c = position, .out = tokens};
  qk_parallel_for(batch, 4, &job, embed_forward_body);
}

// Each task owns positions, so the sum over images is in image order whatever the number of threads.
QK_CLONES static void embed_backward_body(void *context, size_t begin, size_t end) {
  const rows_job *j = context;
  size_t d = j->width, tokens = j->rows + 1;
  for (size_t t = begin; t < end; t++) {
    float *gposition = j->out2 + t * d;
    memset(gposition, 0, d * sizeof(float));
    for (size_t b = 0; b < j->per_sample; b++) {
      const float *g = j->a + (b * tokens + t) * d;
      for (size_t c = 0; c < d; c++) gposition[c] += g[c];
      if (t > 0) memcpy(j->out + (b * j->rows + t - 1) * d, g, d * sizeof(float));
    }
  }
}
void qk_embed_backward(size_t batch, size_t patches, size_t width, const float *gtokens, float *gx,
                       float *gposition) {
  rows_job job = {.rows = patches, .width = width, .per_sample = batch, .a = gtokens, .out = gx,
                  .out2 = gposition};
  qk_parallel_for(patches + 1, 4, &job, embed_backward_body);
}

static void gather_body(void *context, size_t begin, size_t end) {
  const rows_job *j = context;
  ROWS_OF_BLOCKS(j)
  memcpy(j->out + r * j->width, j->a + (size_t)j->index[r] * j->stride, j->width * sizeof(float));
}
void qk_gather_rows(size_t rows, size_t width, const float *x, size_t stride, const int32_t *index,
                    float *out) {
  rows_job job = {.rows = rows, .width = width, .stride = stride, .a = x, .index = index, .out = out};
  run(&job, gather_body);
}

// Serial: rows with equal indices must be added in order.
QK_CLONES void qk_scatter_add_rows(size_t rows, size_t width, const float *g, const int32_t *index, float *x,
                                   size_t stride) {
  for (size_t r = 0; r < rows; r++) {
    float *y = x + (size_t)index[r] * stride;
    for (size_t c = 0; c < width; c++) y[c] += g[r * width + c];
  }
}
