// Finish of the sums of a product tile: requantised codes in slot order, then rows in the caller's order.
#ifndef QK_FINISH_X86_H
#define QK_FINISH_X86_H

#include "../../gemm/integer_gemm.h"

void qk_finish_avx2(const qk_gemm_finish *finish, int32_t tokens, const int32_t *sums);
void qk_merge_avx2(const qk_gemm_merge *merge);

/// AVX-512 F, BW, DQ, VL.
void qk_finish_avx512(const qk_gemm_finish *finish, int32_t tokens, const int32_t *sums);
/// The same with VBMI, VBMI2: tables and merges of bytes in registers.
void qk_finish_avx512vbmi(const qk_gemm_finish *finish, int32_t tokens, const int32_t *sums);
void qk_merge_avx512vbmi(const qk_gemm_merge *merge);

#endif
