// The definition of a tile of the backward products.
#include "../gemm/gradient_gemm.h"

static int32_t sum_of_words(const uint8_t *left, const uint8_t *right) {
  const int16_t *a = (const int16_t *)(const void *)left, *b = (const int16_t *)(const void *)right;
  return a[0] * b[0] + a[1] * b[1];
}

static int32_t sum_of_bytes(const uint8_t *left, const uint8_t *right) {
  int32_t sum = 0;
  for (int i = 0; i < 4; i++) sum += (int8_t)left[i] * right[i];
  return sum;
}

static int32_t sum_of_unsigned_bytes(const uint8_t *left, const uint8_t *right) {
  int32_t sum = 0;
  for (int i = 0; i < 4; i++) sum += left[i] * (int8_t)right[i];
  return sum;
}

static void multiply(const qk_gradient_tile *t, int32_t (*sum_of)(const uint8_t *, const uint8_t *)) {
  for (int32_t i = 0; i < t->rows; i++)
    for (int32_t j = 0; j < t->columns; j++) {
      const uint8_t *left = t->left + (size_t)i * t->row_step;
      const uint8_t *right = t->right + (size_t)(j / QK_GRADIENT_COLUMNS) * t->panel_step
          + j % QK_GRADIENT_COLUMNS * QK_GRADIENT_GROUP_BYTES;
      int32_t sum = t->left_sums ? -t->offset * t->left_sums[i] : 0;
      for (int32_t k = 0; k < t->groups; k++)
        sum += sum_of(left + (size_t)k * t->group_step, right + (size_t)k * QK_GRADIENT_LINE_BYTES);
      float *out = t->output + (size_t)i * t->output_stride + j;
      float value = (float)sum * t->scale[i];
      for (int32_t a = 0; a < t->addends.count; a++)
        value = t->addends.values[a][t->addends.at + (size_t)i * t->addends.stride + (size_t)j] + value;
      *out = t->factor * value;
    }
}

static void multiply_words(const qk_gradient_tile *t) { multiply(t, sum_of_words); }

static void multiply_bytes(const qk_gradient_tile *t) { multiply(t, sum_of_bytes); }

static void multiply_unsigned_bytes(const qk_gradient_tile *t) { multiply(t, sum_of_unsigned_bytes); }

const qk_gradient_kernel qk_gradient_reference = {
  .name = "gradient_reference", .multiply = { multiply_words, multiply_bytes, multiply_unsigned_bytes },
};

qk_status qk_gradient_multiply_reference(const qk_gradient_product *product) {
  return qk_gradient_multiply_with(QK_ISA_REFERENCE, product);
}
