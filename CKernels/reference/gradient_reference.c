// The meaning of a tile of the backward products.
#include "../gemm/gradient_gemm.h"

static int32_t sum_of(const qk_gradient_tile *t, int32_t row, int32_t column) {
  const int16_t *left = t->left + (size_t)row * t->row_step;
  const int16_t *right = t->right + (size_t)(column / QK_GRADIENT_COLUMNS) * t->panel_step
      + column % QK_GRADIENT_COLUMNS * 2;
  int32_t sum = 0;
  for (int32_t p = 0; p < t->pairs; p++) {
    const int16_t *a = left + (size_t)p * t->pair_step, *b = right + (size_t)p * 2 * QK_GRADIENT_COLUMNS;
    sum += a[0] * b[0] + a[1] * b[1];
  }
  return sum;
}

static void multiply(const qk_gradient_tile *t) {
  for (int32_t i = 0; i < t->rows; i++)
    for (int32_t j = 0; j < t->columns; j++) {
      float *out = t->output + (size_t)i * t->output_stride + j;
      const float value = (float)sum_of(t, i, j) * t->scale[i];
      *out = t->accumulate ? *out + value : value;
    }
}

const qk_gradient_kernel qk_gradient_reference = { .name = "gradient_i16_reference", .multiply = multiply };

qk_status qk_gradient_multiply_reference(const qk_gradient_product *product) {
  return qk_gradient_multiply_with(QK_ISA_REFERENCE, product);
}
