// Rates of the instructions that the exact AArch64 products are built on.
#if defined(__aarch64__)
#include <arm_neon.h>
#include "kernels_arm.h"

enum { CHAINS = 16 };

static void consume(const int32x4_t sum[CHAINS]) {
  int32x4_t total = sum[0];
  for (int i = 1; i < CHAINS; i++) total = vaddq_s32(total, sum[i]);
  volatile int32_t sink = vaddvq_s32(total);
  (void)sink;
}

#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to=function)

double qk_peak_operations_neondot(uint64_t iterations) {
  int8x16_t a = vdupq_n_s8(3), b = vdupq_n_s8(5);
  int32x4_t sum[CHAINS];
  for (int i = 0; i < CHAINS; i++) sum[i] = vdupq_n_s32(0);
  for (uint64_t step = 0; step < iterations; step++) {
#pragma clang loop unroll(full)
    for (int i = 0; i < CHAINS; i++) {
      // The compiler must not see that all products are equal, or it would compute a single one.
      __asm__("" : "+w"(a));
      sum[i] = vdotq_s32(sum[i], a, b);
    }
  }
  consume(sum);
  return (double)iterations * CHAINS * 16 * 2;
}

#pragma clang attribute pop
#pragma clang attribute push(__attribute__((target("i8mm"))), apply_to=function)

double qk_peak_operations_neoni8mm(uint64_t iterations) {
  int8x16_t a = vdupq_n_s8(3), b = vdupq_n_s8(5);
  int32x4_t sum[CHAINS];
  for (int i = 0; i < CHAINS; i++) sum[i] = vdupq_n_s32(0);
  for (uint64_t step = 0; step < iterations; step++) {
#pragma clang loop unroll(full)
    for (int i = 0; i < CHAINS; i++) {
      __asm__("" : "+w"(a));
      sum[i] = vmmlaq_s32(sum[i], a, b);
    }
  }
  consume(sum);
  return (double)iterations * CHAINS * 32 * 2;
}

#pragma clang attribute pop
#endif
