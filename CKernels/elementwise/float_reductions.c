// Sums over rows: blocks of QK_REDUCTION_ROWS rows, then a binary tree over the blocks.
#include "float_common.h"

size_t qk_scratch_floats(size_t rows, size_t width) { return qk_blocks(rows, QK_REDUCTION_ROWS) * width; }

QK_CLONES void qk_tree_sum(size_t blocks, size_t width, float *partial, float *out) {
  for (size_t step = 1; step < blocks; step *= 2) {
    for (size_t i = 0; i + step < blocks; i += 2 * step) {
      float *a = partial + i * width;
      const float *b = partial + (i + step) * width;
      for (size_t j = 0; j < width; j++) a[j] += b[j];
    }
  }
  if (blocks == 0) {
    memset(out, 0, width * sizeof(float));
  } else {
    memmove(out, partial, width * sizeof(float));
  }
}

typedef struct {
  size_t rows, width;
  const float *x, *y;
  float *partial;
} row_job;

QK_CLONES static void column_sums_body(void *context, size_t begin, size_t end) {
  const row_job *j = context;
  for (size_t block = begin; block < end; block++) {
    float *sum = j->partial + block * j->width;
    memset(sum, 0, j->width * sizeof(float));
    size_t last = qk_min((block + 1) * QK_REDUCTION_ROWS, j->rows);
    for (size_t r = block * QK_REDUCTION_ROWS; r < last; r++) {
      const float *x = j->x + r * j->width;
      for (size_t c = 0; c < j->width; c++) sum[c] += x[c];
    }
  }
}

QK_CLONES static void column_dots_body(void *context, size_t begin, size_t end) {
  const row_job *j = context;
  for (size_t block = begin; block < end; block++) {
    float *sum = j->partial + block * j->width;
    memset(sum, 0, j->width * sizeof(float));
    size_t last = qk_min((block + 1) * QK_REDUCTION_ROWS, j->rows);
    for (size_t r = block * QK_REDUCTION_ROWS; r < last; r++) {
      const float *x = j->x + r * j->width, *y = j->y + r * j->width;
      for (size_t c = 0; c < j->width; c++) sum[c] += x[c] * y[c];
    }
  }
}

static void reduce(size_t rows, size_t width, const float *x, const float *y, float *scratch, float *out,
                   qk_parallel_body body) {
  row_job job = {rows, width, x, y, scratch};
  size_t blocks = qk_blocks(rows, QK_REDUCTION_ROWS);
  qk_parallel_for(blocks, 1, &job, body);
  qk_tree_sum(blocks, width, scratch, out);
}

void qk_column_sums(size_t rows, size_t width, const float *x, float *scratch, float *out) {
  reduce(rows, width, x, 0, scratch, out, column_sums_body);
}

void qk_column_dots(size_t rows, size_t width, const float *x, const float *y, float *scratch, float *out) {
  reduce(rows, width, x, y, scratch, out, column_dots_body);
}

// Cuts a vector of `count` into blocks; the 16 lane sums of each block are added in pairs.
typedef struct {
  size_t count;
  const float *x;
  float *partial;
  int square;
} vector_job;

#define VECTOR_BLOCK ((size_t)QK_REDUCTION_ROWS * 64)

QK_CLONES static void vector_body(void *context, size_t begin, size_t end) {
  const vector_job *j = context;
  for (size_t block = begin; block < end; block++) {
    const size_t first = block * VECTOR_BLOCK, count = qk_min(VECTOR_BLOCK, j->count - first);
    const float *x = j->x + first;
    j->partial[block] = j->square ? qk_row_dot(count, x, x) : qk_row_sum(count, x);
  }
}

static float vector_sum(size_t count, const float *x, float *scratch, int square) {
  vector_job job = {count, x, scratch, square};
  size_t blocks = qk_blocks(count, VECTOR_BLOCK);
  qk_parallel_for(blocks, 1, &job, vector_body);
  float out;
  qk_tree_sum(blocks, 1, scratch, &out);
  return out;
}

float qk_sum(size_t count, const float *x, float *scratch) { return vector_sum(count, x, scratch, 0); }
float qk_sum_of_squares(size_t count, const float *x, float *scratch) {
  return vector_sum(count, x, scratch, 1);
}
