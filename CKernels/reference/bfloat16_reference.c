// The definition of qk_bf16_gemm.
#include <float.h>
#include <math.h>
#include <string.h>
#include "../gemm/packed_gemm.h"

uint16_t qk_bf16_round(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  if (isnan(value)) return (uint16_t)(bits >> 16 | 0x40);
  if (fabsf(value) < FLT_MIN) return (uint16_t)(bits >> 16 & 0x8000);
  return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/// An element of the operand as the products see it.
static float operand(const qk_bf16_operand *o, size_t row, size_t column) {
  const size_t i = o->transposed ? column * o->stride + row : row * o->stride + column;
  if (o->element == QK_BF16_INT8) return ((const int8_t *)o->values)[i];
  if (o->element == QK_BF16_UINT8) return ((const uint8_t *)o->values)[i];
  const uint32_t bits = (uint32_t)qk_bf16_round(((const float *)o->values)[i]) << 16;
  float rounded;
  memcpy(&rounded, &bits, sizeof rounded);
  return rounded;
}

/// x·y + z, or zero where its value rounded to 24 bits is below 2^−126, that is below 2^−126 − 2^−151 unrounded. Near
/// that bound the sum is exact in double: z is a multiple of 2^−149 and x·y has 16 bits.
static float fused(float x, float y, float z) {
  const float sum = fmaf(x, y, z);
  return fabs((double)x * y + z) < 0x1p-126 - 0x1p-151 ? copysignf(0, sum) : sum;
}

qk_status qk_bf16_gemm_reference(const qk_bf16_gemm_arguments *g) {
  const qk_status status = qk_bf16_check(g);
  if (status != QK_OK) return status;
  for (size_t i = 0; i < g->m; i++)
    for (size_t j = 0; j < g->n; j++) {
      float sum = 0;
      for (size_t k = 0; k < g->k; k += 2) {
        const int whole = k + 1 < g->k;
        sum = fused(whole ? operand(&g->a, i, k + 1) : 0, whole ? operand(&g->b, k + 1, j) : 0, sum);
        sum = fused(operand(&g->a, i, k), operand(&g->b, k, j), sum);
      }
      qk_packed_finish_row(g, i, j, 1, &sum);
    }
  return QK_OK;
}
