// Rate of the instruction pair that the exact AVX2 product is built on.
#if defined(__x86_64__)
#include <immintrin.h>
#include "kernels_x86.h"

#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)

double qk_peak_operations_avx2(uint64_t iterations) {
  __m256i a = _mm256_set1_epi16(3), b = _mm256_set1_epi16(5), sum[12];
  for (int i = 0; i < 12; i++) sum[i] = _mm256_setzero_si256();
  for (uint64_t step = 0; step < iterations; step++) {
    for (int i = 0; i < 12; i++) {
      // The compiler must not see that all products are equal, or it would compute a single one.
      __asm__("" : "+x"(a));
      sum[i] = _mm256_add_epi32(sum[i], _mm256_madd_epi16(a, b));
    }
  }
  for (int i = 1; i < 12; i++) sum[0] = _mm256_add_epi32(sum[0], sum[i]);
  volatile int sink = _mm256_extract_epi32(sum[0], 0);
  (void)sink;
  return (double)iterations * 12 * 16 * 2;
}

#pragma clang attribute pop
#endif
