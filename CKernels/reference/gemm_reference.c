// The meaning of qk_gemm: three plain loops over rows, tokens and depth.
#include "../fixedpoint/fixed_point.h"
#include "../gemm/validate.h"
#include "../pack/packed_layout.h"

static int32_t activation(const qk_gemm_arguments *a, int32_t t, int32_t k) {
  const uint8_t byte = ((const uint8_t *)a->activations)[(size_t)t * a->activation_stride + (size_t)k];
  return a->activations_unsigned ? byte : (int8_t)byte;
}

static void write_output(const qk_gemm_arguments *a, int32_t t, int32_t n, int32_t acc) {
  const size_t place = (size_t)t * a->output_stride + (size_t)n;
  switch (a->form) {
    case QK_OUTPUT_ACCUMULATOR:
      ((int32_t *)a->output)[place] = acc;
      break;
    case QK_OUTPUT_INT32:
      ((int32_t *)a->output)[place] = qk_requantise_inline(acc, a->requantisers[n], a->lo, a->hi);
      break;
    case QK_OUTPUT_INT8:
      ((int8_t *)a->output)[place] = (int8_t)qk_requantise_inline(acc, a->requantisers[n], a->lo, a->hi);
      break;
    case QK_OUTPUT_TABLE:
      ((uint8_t *)a->output)[place] = a->table[qk_requantise_inline(acc, a->requantisers[n], a->lo, a->hi) + 128];
      break;
    case QK_OUTPUT_RESIDUAL: {
      const int32_t delta = qk_requantise_inline(acc, a->requantisers[n], INT16_MIN, INT16_MAX);
      const int32_t sum = a->residual[(size_t)t * a->residual_stride + (size_t)n] + delta;
      ((int16_t *)a->output)[place] = (int16_t)qk_clamp64(sum, INT16_MIN, INT16_MAX);
      break;
    }
  }
}

qk_status qk_gemm_reference(const qk_gemm_arguments *a) {
  const qk_status status = qk_gemm_check(a);
  if (status != QK_OK) return status;
  const qk_packed_weights *w = a->weights;
  for (int32_t slot = 0; slot < w->slots8 + w->slots4; slot++) {
    const int32_t n = w->slot_row[slot];
    if (n < 0) continue;
    for (int32_t t = 0; t < a->tokens; t++) {
      int32_t acc = a->bias[n];
      for (int32_t k = 0; k < w->depth; k++) acc += activation(a, t, k) * qk_packed_code(w, slot, k);
      write_output(a, t, n, acc);
    }
  }
  return QK_OK;
}
