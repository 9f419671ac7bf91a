// Shared by AArch64 kernels around their products: prepared activations, finished codes, merged rows. Plain NEON.
#ifndef QK_FINISH_ARM_H
#define QK_FINISH_ARM_H

#include <arm_neon.h>
#include "../../gemm/integer_gemm.h"

/// Copies `depth` codes, unsigned ones as code − 128, and writes zeros up to `padded`.
void qk_sign_activations_neon(const void *codes, int is_unsigned, int32_t depth, int32_t padded, void *out);

/// 16 bytes of a table of 256. One lookup covers 64 bytes, and indices beyond them keep what was found before.
static inline uint8x16_t qk_look_up_neon(const uint8x16x4_t table[4], uint8x16_t index) {
  uint8x16_t found = vqtbl4q_u8(table[0], index);
  found = vqtbx4q_u8(found, table[1], vsubq_u8(index, vdupq_n_u8(64)));
  found = vqtbx4q_u8(found, table[2], vsubq_u8(index, vdupq_n_u8(128)));
  return vqtbx4q_u8(found, table[3], vsubq_u8(index, vdupq_n_u8(192)));
}

void qk_finish_neon(const qk_gemm_finish *finish, int32_t tokens, const int32_t *sums);
void qk_merge_neon(const qk_gemm_merge *merge);

#endif
