// What becomes of the sum of bias and products: requantised code, GELU table, residual stream.
#ifndef QK_OUTPUT_FORM_H
#define QK_OUTPUT_FORM_H

#include "../fixedpoint/fixed_point.h"
#include "ckernels/datapath.h"

/// The output form of the sum acc of bias and products; shifts and GELU table as the spec has them.
static inline void qk_write_output(const qk_gemm_arguments *a, const qk_hardware_spec *spec, int32_t t, int32_t n,
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

#endif
