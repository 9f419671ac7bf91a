// The mode in which bfloat16 sums are formed: nearest even, denormal operands and results count as zeros, no traps.
//
// The compiler assumes that the mode is constant. Code that depends on it must therefore be in a function of its own
// that is not inlined between the two calls.
#ifndef QK_ROUNDING_X86_H
#define QK_ROUNDING_X86_H

#include <immintrin.h>

/// Returns the mode of the caller for qk_leave_flushing.
static inline unsigned qk_enter_flushing(void) {
  const unsigned mode = _mm_getcsr();
  _mm_setcsr(_MM_MASK_MASK | _MM_ROUND_NEAREST | _MM_FLUSH_ZERO_ON | 0x40);  // 0x40: denormals are zeros
  return mode;
}

/// Restores the caller's mode and its exception flags.
static inline void qk_leave_flushing(unsigned mode) { _mm_setcsr(mode); }

#endif
