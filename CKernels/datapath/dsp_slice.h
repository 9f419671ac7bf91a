// Widths and wrap-around of a DSP slice; the scalar models and the vector kernels share them.
#ifndef QK_DSP_SLICE_H
#define QK_DSP_SLICE_H

#include "ckernels/datapath.h"

enum { QK_DSP_B_BITS = 18, QK_DSP_P_BITS = 48, QK_DSP_CASCADE_SHIFT = 17 };

/// The low `bits` bits of v as a signed number, 1 ≤ bits ≤ 63: the value that a register of that width holds.
static inline int64_t qk_wrap(int64_t v, int32_t bits) {
  const uint64_t sign = (uint64_t)1 << (bits - 1);
  const uint64_t low = (uint64_t)v & ((sign << 1) - 1);
  return (int64_t)((low ^ sign) - sign);
}

/// v·2^n modulo 2^64: the place of an operand inside a packed word.
static inline int64_t qk_shift_left(int64_t v, int32_t n) { return (int64_t)((uint64_t)v << n); }

#endif
