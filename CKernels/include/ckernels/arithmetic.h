// The arithmetic contract: scalar integer operations that training, deployment, emulation and RTL share.
#ifndef CKERNELS_ARITHMETIC_H
#define CKERNELS_ARITHMETIC_H

#include <stdint.h>
#include "ckernels/status.h"

/// Largest K of a product: 32,000·128·255 + 2^30 < 2^31, so an int32 accumulator cannot overflow.
#define QK_MAX_DEPTH 32000
/// Bias codes are strictly between −2^30 and 2^30.
#define QK_BIAS_LIMIT (1 << 30)
/// Entries of the attention unit's table of 2^−f.
#define QK_EXPONENT_TABLE_SIZE 256
/// Fraction bits of the normalised attention sum: U = round(256·ΣP·v / ΣP).
#define QK_CONTEXT_FRACTION_BITS 8
/// F = ⌊2^30 / s⌋ in the LayerNorm unit.
#define QK_LAYER_NORM_FRACTION_BITS 30
#define QK_REQUANTISER_MAX_SHIFT 47

/// The forms of the contract that a model depends on; stored in every packed model.
///
/// Version 1 fixes: exact int32 accumulators, round-half-up requantisation with 16-bit multipliers, a saturating int16
/// residual stream, unnormalised probabilities, GELU by table, an exact integer square root.
typedef struct qk_arithmetic_spec {
  int32_t version;                    ///< 1
  int32_t weight_full_range;          ///< 0: −7…7 and −127…127; 1: −8…7 and −128…127
  int32_t residual_bits;              ///< 16
  int32_t exponent_fraction_bits;     ///< 8, log2 of QK_EXPONENT_TABLE_SIZE
  int32_t context_fraction_bits;      ///< 8
  int32_t layer_norm_fraction_bits;   ///< 30
} qk_arithmetic_spec;

/// The spec of version 1 with narrow weight ranges.
qk_arithmetic_spec qk_arithmetic_spec_default(void);

/// QK_OK when this build implements the spec, else QK_BAD_SPEC.
qk_status qk_arithmetic_spec_check(const qk_arithmetic_spec *spec);

/// A real factor as multiplier·2^−shift: multiplier 0 or 2^15 ≤ |multiplier| < 2^16, 1 ≤ shift ≤ 47.
typedef struct qk_requantiser {
  int32_t multiplier;
  int32_t shift;
} qk_requantiser;

/// Makes the requantiser nearest to `factor` (ties away from zero; renormalised when rounding reaches 2^16).
///
/// Factors below 2^−32 in magnitude become 0: with |acc| < 2^31 they could move a code by less than one half. Factors
/// that round to 2^15 or more (from 32767.75), infinities and NaN give QK_BAD_REQUANTISER. Example: 0.75 → multiplier
/// 49152, shift 16.
qk_status qk_requantiser_make(double factor, qk_requantiser *out);

/// QK_OK when M and S are in their ranges.
qk_status qk_requantiser_check(qk_requantiser r);

/// clamp((acc·M + 2^(S−1)) >> S, lo, hi): int64 product, arithmetic shift, so halves round up.
///
/// Example: acc 3, M 32768, S 16 (a factor of ½) → 2; acc −3 → −1.
int32_t qk_requantise(int32_t acc, qk_requantiser r, int32_t lo, int32_t hi);

/// ⌊√v⌋, exact for every 64-bit v.
uint32_t qk_isqrt(uint64_t v);

/// ⌊2^(k+15) / z⌋ with k = ⌈log2 z⌉, a 16-bit number in 2^15…2^16−1; writes k. z ≥ 1 (0 counts as 1).
///
/// Example: z = 3 → k = 2, 2^17/3 = 43690.
uint32_t qk_reciprocal16(uint32_t z, int32_t *k);

/// Fills the attention unit's table: E[f] = round((2^A − 1)·2^(16−A)·2^(−f/256)), f = 0…255.
///
/// A = activation_bits in 2…8, else QK_BAD_SPEC. The entries do not depend on the mathematics library: none is closer
/// than 4.6e-4 to a rounding tie.
qk_status qk_exponent_table(int32_t activation_bits, uint16_t table[QK_EXPONENT_TABLE_SIZE]);

/// A-bit code of 2^−z for a score distance d ≥ 0, z = (d·M + 2^(S−1)) >> S in units of 2^−8.
///
/// With i = z >> 8 and f = z & 255: (E[f] + 2^(15−A+i)) >> (16−A+i); 0 once i > A. d = 0 gives 2^A − 1.
uint32_t qk_probability(int32_t d, qk_requantiser score, int32_t activation_bits,
                        const uint16_t table[QK_EXPONENT_TABLE_SIZE]);

/// U = round(2^8·sum / z), |sum| ≤ 128·z: (sum·R + 2^(k+6)) >> (k+7) with R, k from qk_reciprocal16.
int32_t qk_normalise_context(int32_t sum, uint32_t reciprocal, int32_t k);

#endif
