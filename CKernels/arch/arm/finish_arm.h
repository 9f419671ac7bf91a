// What AArch64 kernels share around their products: prepared activations, finished codes, merged rows. Plain NEON.
#ifndef QK_FINISH_ARM_H
#define QK_FINISH_ARM_H

#include "../../gemm/integer_gemm.h"

/// Copies `depth` codes, unsigned ones as code − 128, and writes zeros up to `padded`.
void qk_sign_activations_neon(const void *codes, int is_unsigned, int32_t depth, int32_t padded, void *out);

void qk_finish_neon(const qk_gemm_finish *finish, int32_t tokens, const int32_t *sums);
void qk_merge_neon(const qk_gemm_merge *merge);

#endif
