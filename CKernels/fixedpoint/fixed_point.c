// Exported scalar operations of the contract, and the makers of requantisers and tables.
#include "fixed_point.h"

int32_t qk_requantise(int32_t acc, qk_requantiser r, int32_t lo, int32_t hi) {
  return qk_requantise_inline(acc, r, lo, hi);
}

uint32_t qk_isqrt(uint64_t v) { return qk_isqrt_inline(v); }

uint32_t qk_reciprocal16(uint32_t z, int32_t *k) { return qk_reciprocal16_inline(z, k); }

uint32_t qk_probability(int32_t d, qk_requantiser score, int32_t activation_bits,
                        const uint16_t table[QK_EXPONENT_TABLE_SIZE]) {
  return qk_probability_of_exponent(qk_exponent_inline(d, score), activation_bits, table);
}

int32_t qk_normalise_context(int32_t sum, uint32_t reciprocal, int32_t k) {
  return qk_normalise_context_inline(sum, reciprocal, k);
}

qk_status qk_requantiser_make(double factor, qk_requantiser *out) {
  if (out == NULL) return QK_NULL_POINTER;
  if (!isfinite(factor)) return QK_BAD_REQUANTISER;
  int exponent = 0;
  const double fraction = frexp(fabs(factor), &exponent);  // ½ ≤ fraction < 1, or 0
  if (fraction == 0.0 || exponent < -31) {
    *out = (qk_requantiser){ .multiplier = 0, .shift = 1 };
    return QK_OK;
  }
  // Scaling by 2^16 and splitting off the integer part are exact; only the comparison with ½ rounds.
  const double scaled = fraction * 65536.0;
  int32_t multiplier = (int32_t)scaled;
  if (scaled - multiplier >= 0.5) multiplier++;
  int32_t shift = 16 - exponent;
  if (multiplier == 65536) {
    multiplier = 32768;
    shift--;
  }
  if (shift < 1) return QK_BAD_REQUANTISER;
  *out = (qk_requantiser){ .multiplier = factor < 0 ? -multiplier : multiplier, .shift = shift };
  return QK_OK;
}

qk_status qk_requantiser_check(qk_requantiser r) {
  if (r.shift < 1 || r.shift > QK_REQUANTISER_MAX_SHIFT) return QK_BAD_REQUANTISER;
  const int64_t magnitude = r.multiplier < 0 ? -(int64_t)r.multiplier : r.multiplier;
  const int normal = magnitude >= 32768 && magnitude <= 65535;
  return magnitude == 0 || normal ? QK_OK : QK_BAD_REQUANTISER;
}

// No entry of any A in 2…8 is closer than 4.6e-4 to a rounding tie, so a libm that is wrong by thousands of ulps (an
// ulp here is below 2^-37) still gives this table.
qk_status qk_exponent_table(int32_t activation_bits, uint16_t table[QK_EXPONENT_TABLE_SIZE]) {
  if (table == NULL) return QK_NULL_POINTER;
  if (activation_bits < 2 || activation_bits > 8) return QK_BAD_SPEC;
  const double top = ((1 << activation_bits) - 1) * (double)(1 << (16 - activation_bits));
  for (int32_t f = 0; f < QK_EXPONENT_TABLE_SIZE; f++)
    table[f] = (uint16_t)floor(top * exp2(-f / 256.0) + 0.5);
  return QK_OK;
}

qk_arithmetic_spec qk_arithmetic_spec_default(void) {
  return (qk_arithmetic_spec){
    .version = 1,
    .weight_full_range = 0,
    .residual_bits = 16,
    .exponent_fraction_bits = 8,
    .context_fraction_bits = QK_CONTEXT_FRACTION_BITS,
    .layer_norm_fraction_bits = QK_LAYER_NORM_FRACTION_BITS,
  };
}

qk_status qk_arithmetic_spec_check(const qk_arithmetic_spec *spec) {
  if (spec == NULL) return QK_NULL_POINTER;
  const qk_arithmetic_spec only = qk_arithmetic_spec_default();
  const int range_known = spec->weight_full_range == 0 || spec->weight_full_range == 1;
  const int same = spec->version == only.version && spec->residual_bits == only.residual_bits
      && spec->exponent_fraction_bits == only.exponent_fraction_bits
      && spec->context_fraction_bits == only.context_fraction_bits
      && spec->layer_norm_fraction_bits == only.layer_norm_fraction_bits;
  return range_known && same ? QK_OK : QK_BAD_SPEC;
}
