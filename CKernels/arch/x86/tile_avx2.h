// The AVX2 product tile, shared by GEMM and attention.
//
// Left operand: rows of int16, k ascending. Right operand: a panel [depth/2][16][2] of int16. vpmaddwd adds two
// int16 products into an int32 without overflow: 2·255·2^7 and 2·2^7·2^7 are far below 2^31.
#ifndef QK_TILE_AVX2_H
#define QK_TILE_AVX2_H

#include <stddef.h>
#include <stdint.h>

#define QK_TILE_AVX2_TOKENS 6

/// sums[t][0…15] = start[t][0…15] + Σ_k left[t][k]·panel[k][0…15], for any number of tokens and an even depth. Sums may
/// be their own start; with a start_stride of 0 all tokens share one start.
void qk_multiply_onto_avx2(const int16_t *left, size_t stride, int32_t tokens, const int16_t *panel, int32_t depth,
                           const int32_t *start, size_t start_stride, int32_t *sums, size_t sums_stride);
/// The same, from 0 or onto acc.
void qk_multiply_avx2(const void *left, size_t stride, int32_t tokens, const void *panel, int32_t depth,
                      int32_t *acc, size_t acc_stride, int accumulate);

#endif
