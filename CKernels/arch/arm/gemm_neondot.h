// The products of packed panels by sdot, which the smmla kernel uses for few tokens.
#ifndef QK_GEMM_NEONDOT_H
#define QK_GEMM_NEONDOT_H

#include <arm_neon.h>
#include <stddef.h>
#include <stdint.h>

enum { QK_NEON_SUM_SHIFT4 = 4 };

/// The codes of k…k+3 and k+4…k+7 of a 4-bit panel, 16 times their value: the nibble in the upper half of a byte.
static inline int8x16_t qk_low_nibbles(uint8x16_t pairs) { return vreinterpretq_s8_u8(vshlq_n_u8(pairs, 4)); }
static inline int8x16_t qk_high_nibbles(uint8x16_t pairs) {
  return vreinterpretq_s8_u8(vandq_u8(pairs, vdupq_n_u8(0xf0)));
}

/// `multiply` of packed 8-bit panels, for any number of tokens.
void qk_multiply_neondot(const uint8_t *x, size_t x_stride, int32_t tokens, const uint8_t *panel, size_t panel_stride,
                         int32_t panels, int32_t depth, int32_t *sums);
/// `multiply_few` of packed 4-bit panels, for 1…4 tokens.
void qk_multiply_few4_neondot(const uint8_t *x, size_t x_stride, int32_t tokens, const uint8_t *panel,
                              size_t panel_stride, int32_t panels, int32_t depth, int32_t *sums);

#endif
