// The one definition of the contract's scalar operations; reference and fast paths both inline it.
//
// Right shifts of negative numbers are arithmetic (floor) on every compiler this package supports.
#ifndef QK_FIXED_POINT_H
#define QK_FIXED_POINT_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include "ckernels/arithmetic.h"

/// (v + 2^(s−1)) >> s, s ≥ 1: round to nearest, halves up. Needs v + 2^(s−1) < 2^63.
///
/// With `rounded` = 0 the constant is left out, as in hardware that truncates; the contract always rounds.
static inline int64_t qk_shift(int64_t v, int32_t s, int rounded) {
  return (v + ((int64_t)(rounded != 0) << (s - 1))) >> s;
}
static inline int64_t qk_round_shift(int64_t v, int32_t s) { return qk_shift(v, s, 1); }

static inline int64_t qk_clamp64(int64_t v, int64_t lo, int64_t hi) {
  return v < lo ? lo : v > hi ? hi : v;
}

/// |acc·M| < 2^31·2^16 and 2^(S−1) ≤ 2^46, so the sum stays below 2^48.
static inline int32_t qk_requantise_with(int32_t acc, qk_requantiser r, int32_t lo, int32_t hi, int rounded) {
  return (int32_t)qk_clamp64(qk_shift((int64_t)acc * r.multiplier, r.shift, rounded), lo, hi);
}
static inline int32_t qk_requantise_inline(int32_t acc, qk_requantiser r, int32_t lo, int32_t hi) {
  return qk_requantise_with(acc, r, lo, hi, 1);
}

/// 1 when M·2^(32−S) is an int32 (S in 17…32, or M = 0). Then the requantised value is the upper word of a sum:
/// (acc·M·2^(32−S) + 2^31) >> 32 equals (acc·M + 2^(S−1)) >> S, and the product stays below 2^62.
static inline int qk_fits_upper_word(qk_requantiser r) {
  return r.multiplier == 0 || (r.shift >= 17 && r.shift <= 32);
}
/// M·2^(32−S) of such a requantiser.
static inline int32_t qk_upper_word_multiplier(qk_requantiser r) {
  return r.multiplier == 0 ? 0 : (int32_t)(r.multiplier * ((int64_t)1 << (32 - r.shift)));
}

/// The hardware root of the rounded double is within one of the answer. The two loops make it exact, whatever the root
/// was. (r+1)² is only formed for r < 2^32−1, so it fits into 64 bits.
static inline uint32_t qk_isqrt_inline(uint64_t v) {
  const double root = __builtin_sqrt((double)v);
  uint64_t r = root >= 4294967295.0 ? 4294967295u : (uint64_t)root;
  while (r * r > v) r--;
  while (r < 4294967295u && (r + 1) * (r + 1) <= v) r++;
  return (uint32_t)r;
}

/// k = ⌈log2 z⌉ puts 2^k/z in [1, 2), hence the quotient in 2^15…2^16−1. z = 0 is treated as z = 1.
static inline uint32_t qk_reciprocal16_inline(uint32_t z, int32_t *k) {
  const int32_t log = z <= 1 ? 0 : 32 - __builtin_clz(z - 1);
  *k = log;
  return (uint32_t)(((uint64_t)1 << (log + 15)) / (z == 0 ? 1 : z));
}

/// z of the score distance in units of 2^−8: d < 2^31, M < 2^16.
static inline int64_t qk_exponent_with(int32_t d, qk_requantiser score, int rounded) {
  return qk_shift((int64_t)d * score.multiplier, score.shift, rounded);
}
static inline int64_t qk_exponent_inline(int32_t d, qk_requantiser score) { return qk_exponent_with(d, score, 1); }

/// Probability code of an exponent z ≥ 0; the shift 16 − A + i is at most 16 because i ≤ A.
static inline uint32_t qk_probability_with(int64_t z, int32_t activation_bits, const uint16_t *table, int rounded) {
  const int64_t whole = z >> 8;
  if (whole > activation_bits) return 0;
  const int32_t shift = 16 - activation_bits + (int32_t)whole;
  return (uint32_t)qk_shift(table[z & 255], shift, rounded);
}
static inline uint32_t qk_probability_of_exponent(int64_t z, int32_t activation_bits, const uint16_t *table) {
  return qk_probability_with(z, activation_bits, table, 1);
}

/// Index of the entry in a table of 2^bits entries that stands for one of 256: the middle code of each group. With all
/// 8 bits, the index itself.
static inline int32_t qk_shorter_index(int32_t index, int32_t bits) {
  const int32_t dropped = 8 - bits;
  return dropped == 0 ? index : (index >> dropped << dropped) + (1 << (dropped - 1));
}

/// |sum| ≤ 128·z < 2^38 and R·z ≤ 2^(k+15), so |sum·R| ≤ 2^(k+22) ≤ 2^54.
static inline int64_t qk_normalise_context_with(int32_t sum, uint32_t reciprocal, int32_t k, int rounded) {
  return qk_shift((int64_t)sum * reciprocal, k + 15 - QK_CONTEXT_FRACTION_BITS, rounded);
}
static inline int32_t qk_normalise_context_inline(int32_t sum, uint32_t reciprocal, int32_t k) {
  return (int32_t)qk_normalise_context_with(sum, reciprocal, k, 1);
}

/// ⌊(2Σr + D) / 2D⌋, the mean rounded half up.
static inline int32_t qk_mean_inline(int64_t sum, int32_t width) {
  const int64_t n = 2 * sum + width, d = 2 * (int64_t)width;
  return (int32_t)((n >= 0 ? n : n - d + 1) / d);
}

/// F = ⌊2^30 / max(⌊√V⌋, 1)⌋.
static inline int32_t qk_inverse_deviation(uint64_t variance_sum) {
  const uint32_t s = qk_isqrt_inline(variance_sum);
  return (int32_t)((1u << QK_LAYER_NORM_FRACTION_BITS) / (s == 0 ? 1 : s));
}

/// c·F ≤ 2^30 in magnitude (|c| ≤ max(s, 1)), ·M < 2^46, B < 2^62: the sum stays below 2^63.
static inline int32_t qk_layer_norm_code(int32_t c, int32_t inverse, qk_requantiser scale, int64_t offset,
                                         int32_t lo, int32_t hi, int rounded) {
  const int64_t product = (int64_t)(c * inverse) * scale.multiplier;
  return (int32_t)qk_clamp64(qk_shift(product + offset, scale.shift, rounded), lo, hi);
}

/// 2^−n as a double, exactly, n in 0…1022.
static inline double qk_power_of_half(int32_t n) {
  union { uint64_t bits; double value; } u = { .bits = (uint64_t)(1023 - n) << 52 };
  return u.value;
}

/// M·2^−S as a double. Fast kernels compute ⌊acc·factor + ½⌋ in doubles: acc·M and 2^(S−1) are integers
/// below 2^48, so product, sum and floor are exact and equal the int64 rule bit for bit.
static inline double qk_requantiser_factor(qk_requantiser r) {
  return r.multiplier * qk_power_of_half(r.shift);
}

#endif
