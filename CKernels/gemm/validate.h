// The checks that reference and fast drivers share: both refuse the same arguments with the same status.
#ifndef QK_VALIDATE_H
#define QK_VALIDATE_H

#include "ckernels/integer.h"

qk_status qk_gemm_check(const qk_gemm_arguments *arguments);
/// 1 when the form's codes come from the requantisers.
int qk_form_is_requantised(qk_output_form form);
static inline int qk_form_has_rest(qk_output_form form) {
  return form == QK_OUTPUT_CODE_AND_REST || form == QK_OUTPUT_EXACT_AND_REST;
}
/// Number of arrays that a form writes: 2 with rests, else 1.
static inline size_t qk_output_planes(qk_output_form form) { return qk_form_has_rest(form) ? 2 : 1; }
/// The O(rows) part of qk_gemm_check, which qk_prepare_rows runs first; requantisers may be null.
qk_status qk_rows_check(const qk_packed_weights *weights, const int32_t *bias, const qk_requantiser *requantisers);
qk_status qk_attention_check(const qk_attention_arguments *arguments);
qk_status qk_layer_norm_check(const qk_layer_norm_arguments *arguments);

#define QK_MAX_HEAD_DIMENSION 256
#define QK_MAX_WIDTH 8192

#endif
