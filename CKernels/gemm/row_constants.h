// The two parts of qk_prepare_rows, for callers that have checked the rows already.
#ifndef QK_ROW_CONSTANTS_H
#define QK_ROW_CONSTANTS_H

#include "ckernels/integer.h"

/// Bytes that qk_fill_row_constants needs.
size_t qk_row_constants_size(const qk_packed_weights *weights);

/// Lays out checked rows in `memory` (64-byte aligned); requantisers and scales may be null.
void qk_fill_row_constants(const qk_packed_weights *weights, const int32_t *bias, const qk_requantiser *requantisers,
                           const float *scales, void *memory, qk_row_constants *out);

#endif
