// LayerNorm over rows, forward and backward (Ba et al. 2016).
#include "float_common.h"

typedef struct {
  size_t rows, width;
  const float *x, *weight, *bias, *gy;
  float eps;
  float *y, *statistics, *partial;
} norm_job;

QK_CLONES static void forward_body(void *context, size_t begin, size_t end) {
  const norm_job *j = context;
  size_t d = j->width, last = qk_min(end * QK_REDUCTION_ROWS, j->rows);
  for (size_t r = begin * QK_REDUCTION_ROWS; r < last; r++) {
    const float *x = j->x + r * d;
    float *y = j->y + r * d;
    float mean = qk_row_sum(d, x) / (float)d;
    for (size_t c = 0; c < d; c++) y[c] = x[c] - mean;
    float inverse = 1.0f / sqrtf(qk_row_dot(d, y, y) / (float)d + j->eps);
    for (size_t c = 0; c < d; c++) y[c] = y[c] * inverse * j->weight[c] + j->bias[c];
    j->statistics[2 * r] = mean;
    j->statistics[2 * r + 1] = inverse;
  }
}

void qk_float_layer_norm_forward(size_t rows, size_t width, const float *x, const float *weight,
                                 const float *bias, float eps, float *y, float *statistics) {
  norm_job job = {rows, width, x, weight, bias, 0, eps, y, statistics, 0};
  qk_parallel_for(qk_blocks(rows, QK_REDUCTION_ROWS), 1, &job, forward_body);
}

// With n = (x − mean)·inverse and h = gy ⊙ weight: gx = inverse·(h − mean(h) − n·mean(h ⊙ n)).
QK_CLONES static void backward_body(void *context, size_t begin, size_t end) {
  const norm_job *j = context;
  size_t d = j->width;
  for (size_t block = begin; block < end; block++) {
    float *gweight = j->partial + block * 2 * d, *gbias = gweight + d;
    memset(gweight, 0, 2 * d * sizeof(float));
    size_t last = qk_min((block + 1) * QK_REDUCTION_ROWS, j->rows);
    for (size_t r = block * QK_REDUCTION_ROWS; r < last; r++) {
      const float *x = j->x + r * d, *gy = j->gy + r * d;
      float *gx = j->y + r * d;
      float mean = j->statistics[2 * r], inverse = j->statistics[2 * r + 1];
      float sums[QK_SIXTEEN] = {0}, dots[QK_SIXTEEN] = {0}, n[QK_TERMS], h[QK_TERMS];
      for (size_t first = 0; first < d; first += QK_TERMS) {
        const size_t count = qk_min(d - first, QK_TERMS);
        for (size_t t = 0; t < count; t++) {
          const size_t c = first + t;
          n[t] = (x[c] - mean) * inverse;
          h[t] = gy[c] * j->weight[c];
          gweight[c] += gy[c] * n[t];
          gbias[c] += gy[c];
        }
        qk_add_lanes(count, h, sums);
        qk_add_product_lanes(count, h, n, dots);
      }
      const float sum = qk_lanes_total(sums) / (float)d, dot = qk_lanes_total(dots) / (float)d;
      for (size_t c = 0; c < d; c++) {
        float n = (x[c] - mean) * inverse;
        gx[c] = inverse * (gy[c] * j->weight[c] - sum - n * dot);
      }
    }
  }
}

void qk_float_layer_norm_backward(size_t rows, size_t width, const float *x, const float *weight,
                                  const float *statistics, const float *gy, float *scratch, float *gx,
                                  float *gweight, float *gbias) {
  norm_job job = {rows, width, x, weight, 0, gy, 0, gx, (float *)statistics, scratch};
  size_t blocks = qk_blocks(rows, QK_REDUCTION_ROWS);
  qk_parallel_for(blocks, 1, &job, backward_body);
  // The tree leaves its sums in the first block, where the halves of weight and bias are next to each other.
  if (blocks == 0) {
    memset(gweight, 0, width * sizeof(float));
    memset(gbias, 0, width * sizeof(float));
    return;
  }
  qk_tree_sum(blocks, 2 * width, scratch, scratch);
  memcpy(gweight, scratch, width * sizeof(float));
  memcpy(gbias, scratch + width, width * sizeof(float));
}
