// The meaning of qk_gemm: three plain loops over rows, tokens and depth.
#include "../fixedpoint/fixed_point.h"
#include "../gemm/validate.h"
#include "../pack/packed_layout.h"
#include "ckernels/datapath.h"

static int32_t activation(const qk_gemm_arguments *a, int32_t t, int32_t k) {
  const uint8_t byte = ((const uint8_t *)a->activations)[(size_t)t * a->activation_stride + (size_t)k];
  return a->activations_unsigned ? byte : (int8_t)byte;
}

/// The output form of the sum acc of bias and products; shifts and GELU table as the spec has them.
static void write_output(const qk_gemm_arguments *a, const qk_hardware_spec *spec, int32_t t, int32_t n,
                         int32_t acc) {
  const size_t place = (size_t)t * a->output_stride + (size_t)n;
  if (a->form == QK_OUTPUT_ACCUMULATOR) {
    ((int32_t *)a->output)[place] = acc;
    return;
  }
  const int residual = a->form == QK_OUTPUT_RESIDUAL;
  const int rounded = !(spec->truncated & QK_TRUNCATE_REQUANTISER);
  const int32_t code = qk_requantise_with(acc, a->requantisers[n], residual ? INT16_MIN : a->lo,
                                          residual ? INT16_MAX : a->hi, rounded);
  switch (a->form) {
    case QK_OUTPUT_ACCUMULATOR: break;
    case QK_OUTPUT_INT32: ((int32_t *)a->output)[place] = code; break;
    case QK_OUTPUT_INT8: ((int8_t *)a->output)[place] = (int8_t)code; break;
    case QK_OUTPUT_TABLE:
      ((uint8_t *)a->output)[place] = a->table[qk_shorter_index(code + 128, spec->gelu_index_bits)];
      break;
    case QK_OUTPUT_RESIDUAL: {
      const int32_t sum = a->residual[(size_t)t * a->residual_stride + (size_t)n] + code;
      ((int16_t *)a->output)[place] = (int16_t)qk_clamp64(sum, INT16_MIN, INT16_MAX);
      break;
    }
  }
}

qk_status qk_gemm_reference(const qk_gemm_arguments *a) {
  const qk_status status = qk_gemm_check(a);
  if (status != QK_OK) return status;
  const qk_packed_weights *w = a->weights;
  const qk_hardware_spec exact = qk_hardware_spec_exact();
  for (int32_t slot = 0; slot < w->slots8 + w->slots4; slot++) {
    const int32_t n = w->slot_row[slot];
    if (n < 0) continue;
    for (int32_t t = 0; t < a->tokens; t++) {
      int32_t acc = a->bias[n];
      for (int32_t k = 0; k < w->depth; k++) acc += activation(a, t, k) * qk_packed_code(w, slot, k);
      write_output(a, &exact, t, n, acc);
    }
  }
  return QK_OK;
}

// acc and bias are below 2^30 unless an accumulator overflowed; then the sum wraps at 32 bits like it.
qk_status qk_datapath_finish(const qk_gemm_arguments *a, const int32_t *accumulators, const qk_hardware_spec *spec) {
  if (accumulators == NULL) return QK_NULL_POINTER;
  qk_status status = qk_hardware_spec_check(spec);
  if (status == QK_OK) status = qk_gemm_check(a);
  if (status != QK_OK) return status;
  const int32_t rows = a->weights->rows;
  for (int32_t t = 0; t < a->tokens; t++)
    for (int32_t n = 0; n < rows; n++) {
      const uint32_t sum = (uint32_t)accumulators[(size_t)t * (size_t)rows + (size_t)n] + (uint32_t)a->bias[n];
      write_output(a, spec, t, n, (int32_t)sum);
    }
  return QK_OK;
}
