// The code of a latent weight in the precision of its row: the one rule of slices, tracked codes and compensated
// rounding.
#ifndef QK_ROW_CODE_H
#define QK_ROW_CODE_H

#include "float_common.h"

/// Rows of one task: about QK_ELEMENT_BLOCK elements, so short vectors stay on the calling thread.
static inline size_t task_rows(size_t width) { return width >= QK_ELEMENT_BLOCK ? 1 : QK_ELEMENT_BLOCK / (width ? width : 1); }

static inline float row_limit(uint8_t bits) { return bits == 4 ? 7.0f : 127.0f; }

/// 1 when the row's 4-bit step is 16 times its 8-bit step.
static inline int row_is_tied(uint8_t bits, qk_sharing sharing) { return bits == 4 && sharing != QK_SHARING_INDEPENDENT; }

/// 1 when the row's 4-bit codes are the upper bits of its 8-bit codes.
static inline int row_is_nested(uint8_t bits, qk_sharing sharing) { return bits == 4 && sharing == QK_SHARING_NESTED; }

static inline float row_step_of(uint8_t bits, qk_sharing sharing, const float *scale4, const float *scale8, size_t row) {
  if (row_is_tied(bits, sharing)) return 16.0f * scale8[row];
  return bits == 4 ? scale4[row] : scale8[row];
}

static inline float clamp_code(float code, float limit) {
  code = code < -limit ? -limit : code;
  return code > limit ? limit : code;
}

/// The code of v = w/s, s the row's step.
static inline __attribute__((always_inline)) float code_of(float v, float limit, const int nested) {
  // The 8-bit code of the same weight, rounded half up to its upper four bits; scaling by 16 is exact.
  if (nested) return clamp_code(floorf((clamp_code(rintf(16.0f * v), 127.0f) + 8.0f) * 0.0625f), limit);
  return clamp_code(rintf(v), limit);
}

#endif
