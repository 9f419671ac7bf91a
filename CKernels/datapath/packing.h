// Lanes of a packed word: the part and activation that each holds, and how it is read.
#ifndef QK_PACKING_H
#define QK_PACKING_H

#include "dsp_slice.h"

/// Parts on the pre-adder side: weights, or the two atoms.
static inline int32_t qk_packing_parts(const qk_packing_mode *m) { return m->atoms ? 2 : m->weights; }
static inline int32_t qk_packing_lanes(const qk_packing_mode *m) { return qk_packing_parts(m) * m->activations; }

/// Bit of P at which a lane begins.
static inline int32_t qk_lane_offset(const qk_packing_mode *m, int32_t lane) { return lane * m->pitch; }

/// Bits of a lane's field: the pitch; for the top lane the rest of P.
static inline int32_t qk_lane_bits(const qk_packing_mode *m, int32_t lane) {
  const int top = lane == qk_packing_lanes(m) - 1;
  return top ? QK_DSP_P_BITS - qk_lane_offset(m, lane) : m->pitch;
}

/// Only a low atom times an unsigned activation cannot be negative.
static inline int qk_lane_is_unsigned(const qk_packing_mode *m, int activations_unsigned, int32_t lane) {
  return activations_unsigned && m->atoms && lane < m->activations;
}

/// The code of weight part `part`: the weight itself, its low atom w & 15 or its high atom w >> 4.
static inline int32_t qk_weight_part(const qk_packing_mode *m, const int32_t *weights, int32_t part) {
  if (!m->atoms) return weights[part];
  return part == 0 ? weights[0] & 15 : weights[0] >> 4;
}

/// AD and B as the multiplier sees them (before any overflow of the pre-adder).
static inline int64_t qk_weight_word(const qk_packing_mode *m, const int32_t *weights) {
  int64_t word = 0;
  for (int32_t part = 0; part < qk_packing_parts(m); part++)
    word += qk_shift_left(qk_weight_part(m, weights, part), part * m->activations * m->pitch);
  return word;
}
static inline int64_t qk_activation_word(const qk_packing_mode *m, const int32_t *activations) {
  int64_t word = 0;
  for (int32_t j = 0; j < m->activations; j++) word += qk_shift_left(activations[j], j * m->pitch);
  return word;
}

#endif
