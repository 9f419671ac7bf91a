// Output forms of the sum of bias and products: requantised code, GELU table, residual stream.
#ifndef QK_OUTPUT_FORM_H
#define QK_OUTPUT_FORM_H

#include <math.h>
#include "../fixedpoint/fixed_point.h"
#include "ckernels/datapath.h"

/// round(v) clamped to lo…hi, and its rounding error.
static inline int8_t qk_code_and_rest(float v, int32_t lo, int32_t hi, int8_t *rest) {
  const float low = (float)lo, high = (float)hi;
  const float rounded = rintf(v), code = rounded < low ? low : rounded > high ? high : rounded;
  const float taken = code - v;
  *rest = (int8_t)(v < low ? QK_REST_BELOW : v > high ? QK_REST_ABOVE : (int32_t)rintf(taken * QK_REST_UNITS));
  return (int8_t)code;
}

/// Writes the output form of acc, the sum of bias and products, with shifts and GELU table as the spec has them. `form`
/// is that of the arguments, passed separately so that a loop over one form decides once.
static inline __attribute__((always_inline)) void qk_write_output(const qk_gemm_arguments *a, qk_output_form form,
                                                                  const qk_hardware_spec *spec, size_t t, size_t n,
                                                                  int32_t acc) {
  const size_t place = t * a->output_stride + n;
  if (form == QK_OUTPUT_ACCUMULATOR) {
    ((int32_t *)a->output)[place] = acc;
    return;
  }
  if (form == QK_OUTPUT_FLOAT) {
    ((float *)a->output)[place] = (float)acc * a->scales[n];
    return;
  }
  if (form == QK_OUTPUT_CODE_AND_REST) {
    ((int8_t *)a->output)[place] = qk_code_and_rest((float)acc * a->scales[n], a->lo, a->hi, &a->rest[place]);
    return;
  }
  const int residual = form == QK_OUTPUT_RESIDUAL;
  const int rounded = !(spec->truncated & QK_TRUNCATE_REQUANTISER);
  const int32_t code = qk_requantise_with(acc, a->requantisers[n], residual ? INT16_MIN : a->lo,
                                          residual ? INT16_MAX : a->hi, rounded);
  switch (form) {
    case QK_OUTPUT_ACCUMULATOR:
    case QK_OUTPUT_FLOAT:
    case QK_OUTPUT_CODE_AND_REST: break;
    case QK_OUTPUT_EXACT_AND_REST:
      qk_code_and_rest((float)acc * a->scales[n], a->lo, a->hi, &a->rest[place]);
      ((int8_t *)a->output)[place] = (int8_t)code;
      break;
    case QK_OUTPUT_UINT8: ((uint8_t *)a->output)[place] = (uint8_t)code; break;
    case QK_OUTPUT_INT16: ((int16_t *)a->output)[place] = (int16_t)code; break;
    case QK_OUTPUT_INT32: ((int32_t *)a->output)[place] = code; break;
    case QK_OUTPUT_INT8: ((int8_t *)a->output)[place] = (int8_t)code; break;
    case QK_OUTPUT_TABLE:
      ((uint8_t *)a->output)[place] = a->table[qk_shorter_index(code + 128, spec->gelu_index_bits)];
      break;
    case QK_OUTPUT_RESIDUAL: {
      const int32_t sum = a->residual[t * a->residual_stride + n] + code;
      ((int16_t *)a->output)[place] = (int16_t)qk_clamp64(sum, INT16_MIN, INT16_MAX);
      break;
    }
  }
}

#endif
