// LayerNorm of one row on NEON: Σr and Σr² in integers, one scalar root and division, codes in int64 lanes.
#if defined(__aarch64__)
#include <arm_neon.h>
#include "kernels_arm.h"
#include "../../fixedpoint/fixed_point.h"

/// Σr fits int32 lanes (8192·2^15 = 2^28). A square is at most 2^30; pairs of them are added to 64-bit lanes directly.
static inline void row_sums(const int16_t *r, int32_t width, int64_t *sum, int64_t *squares) {
  int32x4_t total = vdupq_n_s32(0);
  int64x2_t low = vdupq_n_s64(0), high = low;
  int32_t i = 0;
  for (; i + 8 <= width; i += 8) {
    const int16x8_t v = vld1q_s16(r + i);
    total = vpadalq_s16(total, v);
    low = vpadalq_s32(low, vmull_s16(vget_low_s16(v), vget_low_s16(v)));
    high = vpadalq_s32(high, vmull_high_s16(v, v));
  }
  *sum = vaddvq_s32(total);
  *squares = vaddvq_s64(vaddq_s64(low, high));
  for (; i < width; i++) {
    *sum += r[i];
    *squares += (int64_t)r[i] * r[i];
  }
}

/// Four codes, clamped: (product·M + B + 2^(S−1)) >> S is a rounding shift by −S. A requantiser is M, then S.
static inline int32x4_t codes4(int32x4_t product, const qk_requantiser *scales, const int64_t *offsets, int32x4_t lo,
                               int32x4_t hi) {
  const int32x4x2_t scale = vld2q_s32((const int32_t *)scales);
  const int32x4_t shift = vnegq_s32(scale.val[1]);
  const int64x2_t low = vmlal_s32(vld1q_s64(offsets), vget_low_s32(product), vget_low_s32(scale.val[0]));
  const int64x2_t high = vmlal_high_s32(vld1q_s64(offsets + 2), product, scale.val[0]);
  const int32x4_t code = vqmovn_high_s64(vqmovn_s64(vrshlq_s64(low, vmovl_s32(vget_low_s32(shift)))),
                                         vrshlq_s64(high, vmovl_high_s32(shift)));
  return vmaxq_s32(lo, vminq_s32(hi, code));
}

static void normalise_row(const qk_layer_norm_arguments *a, const void *prepared, const int16_t *r, int8_t *y) {
  (void)prepared;
  int64_t sum, squares;
  row_sums(r, a->width, &sum, &squares);
  const int32_t mean = qk_mean_inline(sum, a->width);
  // Σ(r − μ)² = Σr² − 2μΣr + Dμ², each term below 2^45.
  const int64_t centred = squares - 2 * mean * sum + (int64_t)a->width * mean * mean;
  const int32_t inverse = qk_inverse_deviation((uint64_t)(centred + a->epsilon_code));

  // r − μ takes 17 bits; times F it stays within 2^30.
  const int32x4_t means = vdupq_n_s32(mean), lo = vdupq_n_s32(a->lo), hi = vdupq_n_s32(a->hi);
  int32_t i = 0;
  for (; i + 8 <= a->width; i += 8) {
    const int16x8_t v = vld1q_s16(r + i);
    const int32x4_t first = vmulq_n_s32(vsubq_s32(vmovl_s16(vget_low_s16(v)), means), inverse);
    const int32x4_t second = vmulq_n_s32(vsubq_s32(vmovl_high_s16(v), means), inverse);
    const int16x8_t codes = vcombine_s16(vmovn_s32(codes4(first, a->scales + i, a->offsets + i, lo, hi)),
                                         vmovn_s32(codes4(second, a->scales + i + 4, a->offsets + i + 4, lo, hi)));
    vst1_s8(y + i, vmovn_s16(codes));
  }
  for (; i < a->width; i++)
    y[i] = (int8_t)qk_layer_norm_code(r[i] - mean, inverse, a->scales[i], a->offsets[i], a->lo, a->hi, 1);
}

const qk_layer_norm_kernel qk_layer_norm_neon = {
  .name = "layer_norm_i8_i16_neon",
  .normalise_row = normalise_row,
};
#endif
