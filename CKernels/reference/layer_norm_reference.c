// The definition of qk_layer_norm: two plain passes over a row for its statistics, one for its codes.
#include "../fixedpoint/fixed_point.h"
#include "../gemm/validate.h"
#include "ckernels/datapath.h"

static qk_row_statistics row_statistics(const qk_layer_norm_arguments *a, const int16_t *r) {
  int64_t sum = 0;
  for (int32_t i = 0; i < a->width; i++) sum += r[i];
  qk_row_statistics found = { .mean = qk_mean_inline(sum, a->width), .variance = a->epsilon_code };
  for (int32_t i = 0; i < a->width; i++) {
    const int64_t c = r[i] - found.mean;
    found.variance += c * c;  // ≤ 2^13·2^32 + 2^40
  }
  found.deviation = qk_isqrt_inline((uint64_t)found.variance);
  found.inverse = qk_inverse_deviation((uint64_t)found.variance);
  return found;
}

static void normalise_row(const qk_layer_norm_arguments *a, const int16_t *r, int8_t *y, int rounded) {
  const qk_row_statistics found = row_statistics(a, r);
  for (int32_t i = 0; i < a->width; i++)
    y[i] = (int8_t)qk_layer_norm_code(r[i] - found.mean, found.inverse, a->scales[i], a->offsets[i], a->lo, a->hi,
                                      rounded);
}

static qk_status normalise(const qk_layer_norm_arguments *a, int rounded) {
  const qk_status status = qk_layer_norm_check(a);
  if (status != QK_OK) return status;
  for (int32_t row = 0; row < a->rows; row++)
    normalise_row(a, a->input + (size_t)row * a->input_stride, a->output + (size_t)row * a->output_stride, rounded);
  return QK_OK;
}

qk_status qk_layer_norm_reference(const qk_layer_norm_arguments *a) { return normalise(a, 1); }

qk_status qk_layer_norm_statistics(const qk_layer_norm_arguments *a, qk_row_statistics *statistics) {
  if (!statistics) return QK_NULL_POINTER;
  const qk_status status = qk_layer_norm_check(a);
  if (status != QK_OK) return status;
  for (int32_t row = 0; row < a->rows; row++)
    statistics[row] = row_statistics(a, a->input + (size_t)row * a->input_stride);
  return QK_OK;
}

qk_status qk_datapath_layer_norm(const qk_layer_norm_arguments *a, const qk_hardware_spec *spec) {
  const qk_status status = qk_hardware_spec_check(spec);
  return status != QK_OK ? status : normalise(a, !(spec->truncated & QK_TRUNCATE_LAYER_NORM));
}
