// A chain of packed products in one slice, and the decoders of its lanes.
#include "packing.h"

/// Sequential decoder: each lane is subtracted after it is read, so the next lane stands alone.
static void decode_exact(const qk_packing_mode *m, int activations_unsigned, int64_t p, int64_t *lanes) {
  const int32_t count = qk_packing_lanes(m);
  for (int32_t i = 0; i < count; i++) {
    const int32_t bits = qk_lane_bits(m, i);
    if (qk_lane_is_unsigned(m, activations_unsigned, i)) lanes[i] = p & (((int64_t)1 << bits) - 1);
    else lanes[i] = qk_wrap(p, bits);
    p = (p - lanes[i]) >> bits;
  }
}

/// Parallel decoder of all lanes at once; `borrow` gives a signed lane's borrow back to the lane above.
static void decode_fields(const qk_packing_mode *m, int activations_unsigned, int borrow, int64_t p, int64_t *lanes) {
  const int32_t count = qk_packing_lanes(m);
  for (int32_t i = 0; i < count; i++) {
    const int32_t bits = qk_lane_bits(m, i), offset = qk_lane_offset(m, i);
    int64_t field = p >> offset;
    if (i > 0 && borrow && !qk_lane_is_unsigned(m, activations_unsigned, i - 1)) field += p >> (offset - 1) & 1;
    if (qk_lane_is_unsigned(m, activations_unsigned, i)) lanes[i] = field & (((int64_t)1 << bits) - 1);
    else lanes[i] = qk_wrap(field, bits);
  }
}

/// Restores one more bit for each lower lane: bit `pitch` of what is left is the lane's own top bit XOR the lowest bit
/// of the lane above. The latter is the AND of the operands' lowest bits.
static void decode_restored(const qk_packing_mode *m, int64_t p, const int32_t *weights, int32_t x, int64_t *lanes) {
  const int32_t count = qk_packing_lanes(m);
  for (int32_t i = 0; i < count - 1; i++) {
    const int64_t restored = p ^ (qk_shift_left(weights[i + 1] & x & 1, m->pitch));
    lanes[i] = qk_wrap(restored, m->pitch + 1);
    p = (p - lanes[i]) >> m->pitch;
  }
  lanes[count - 1] = qk_wrap(p, qk_lane_bits(m, count - 1));
}

/// State that fabric keeps for one upper lane: Σ w·x mod 4, and the total carry from below.
typedef struct carry_counter {
  int32_t predicted;
  int64_t carry;
} carry_counter;

/// A product is smaller than a field, so one product changes the carry by −1, 0 or 1: the difference of the two low
/// bits seen and predicted, modulo 4.
static void count_carries(const qk_packing_mode *m, int64_t p, const int32_t *weights, int32_t x,
                          carry_counter *counters) {
  for (int32_t i = 1; i < qk_packing_lanes(m); i++) {
    counters[i].predicted = (counters[i].predicted + weights[i] * x) & 3;
    const int64_t seen = p >> qk_lane_offset(m, i) & 3;
    const int64_t difference = (seen - counters[i].predicted - counters[i].carry) & 3;
    counters[i].carry += difference == 3 ? -1 : difference;
  }
}

/// lane_i = carry_{i+1}·2^pitch + field_i − carry_i: the carry out minus the carry in. Field and carry of the top lane
/// may leave its bits together, but their difference does not: it wraps like the field.
static void decode_counted(const qk_packing_mode *m, int64_t p, const carry_counter *counters, int64_t *lanes) {
  const int32_t count = qk_packing_lanes(m);
  for (int32_t i = 0; i < count - 1; i++) {
    const int64_t field = p >> qk_lane_offset(m, i) & (((int64_t)1 << m->pitch) - 1);
    lanes[i] = qk_shift_left(counters[i + 1].carry, m->pitch) + field - counters[i].carry;
  }
  const int64_t top = (p >> qk_lane_offset(m, count - 1)) - counters[count - 1].carry;
  lanes[count - 1] = qk_wrap(top, qk_lane_bits(m, count - 1));
}

/// Joins atoms: w·x = 16·h·x + l·x.
static void join_lanes(const qk_packing_mode *m, const int64_t *lanes, int64_t *products) {
  for (int32_t i = 0; i < qk_packing_products(m); i++)
    products[i] = m->atoms ? 16 * lanes[m->activations + i] + lanes[i] : lanes[i];
}

int64_t qk_packing_chain(const qk_packing_mode *m, qk_decode decode, int activations_unsigned, int32_t depth,
                         const int32_t *weights, const int32_t *activations, qk_dsp_ports *ports,
                         int64_t *products) {
  qk_dsp_slice slice = { .generation = m->generation, .p = 0 };
  carry_counter counters[QK_MAX_LANES] = {{0}};
  const int32_t *w = weights, *x = activations;
  for (int32_t n = 0; n < depth; n++) {
    qk_dsp_ports operands;
    w = weights + n * m->weights;
    x = activations + n * m->activations;
    qk_packing_ports(m, w, x, &operands);
    qk_dsp_step(&slice, &operands, n == 0 ? QK_DSP_ZERO : QK_DSP_P, 0, 0);
    if (m->repair == QK_REPAIR_CARRY_COUNTERS) count_carries(m, slice.p, w, x[0], counters);
    if (ports) ports[n] = operands;
  }
  int64_t lanes[QK_MAX_LANES];
  switch (m->repair) {
    case QK_REPAIR_RESTORED_BIT: decode_restored(m, slice.p, w, x[0], lanes); break;
    case QK_REPAIR_CARRY_COUNTERS: decode_counted(m, slice.p, counters, lanes); break;
    case QK_REPAIR_NONE:
      if (decode == QK_DECODE_EXACT) decode_exact(m, activations_unsigned, slice.p, lanes);
      else decode_fields(m, activations_unsigned, decode == QK_DECODE_PARALLEL, slice.p, lanes);
      break;
  }
  join_lanes(m, lanes, products);
  return slice.p;
}
