// The spec of hardware that may be inexact: its exact value and its ranges.
#include "ckernels/datapath.h"

qk_hardware_spec qk_hardware_spec_exact(void) {
  return (qk_hardware_spec){ .accumulator_bits = 32, .decode = QK_DECODE_EXACT, .exponent_index_bits = 8,
                             .gelu_index_bits = 8 };
}

static int within(int32_t v, int32_t lo, int32_t hi) { return v >= lo && v <= hi; }

qk_status qk_hardware_spec_check(const qk_hardware_spec *s) {
  if (s == NULL) return QK_NULL_POINTER;
  const int32_t all = QK_TRUNCATE_REQUANTISER | QK_TRUNCATE_SOFTMAX | QK_TRUNCATE_CONTEXT | QK_TRUNCATE_LAYER_NORM;
  const int known = within(s->accumulator_bits, 8, 32) && within(s->accumulator_saturates, 0, 1)
      && within((int32_t)s->decode, QK_DECODE_EXACT, QK_DECODE_NAIVE)
      && within(s->chain_limit, 0, QK_MAX_DEPTH) && (s->truncated & ~all) == 0
      && within(s->exponent_index_bits, 1, 8) && within(s->gelu_index_bits, 1, 8);
  return known ? QK_OK : QK_BAD_SPEC;
}
