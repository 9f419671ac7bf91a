// Rates of the instructions that the AVX-512 products are built on.
#if defined(__x86_64__)
#include <immintrin.h>
#include "kernels_x86.h"

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni"))), apply_to = function)

enum { CHAINS = 24 };

double qk_peak_operations_avx512vnni(uint64_t iterations) {
  const __m512i a = _mm512_set1_epi8(3), b = _mm512_set1_epi8(5);
  __m512i sum[CHAINS];
#pragma clang loop unroll(full)
  for (int i = 0; i < CHAINS; i++) sum[i] = _mm512_setzero_si512();
  for (uint64_t step = 0; step < iterations; step++) {
#pragma clang loop unroll(full)
    for (int i = 0; i < CHAINS; i++) __asm__ volatile("vpdpbusd %2, %1, %0" : "+v"(sum[i]) : "v"(a), "v"(b));
  }
  for (int i = 1; i < CHAINS; i++) sum[0] = _mm512_add_epi32(sum[0], sum[i]);
  volatile int sink = _mm512_reduce_add_epi32(sum[0]);
  (void)sink;
  return (double)iterations * CHAINS * 64 * 2;
}

#pragma clang attribute pop
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl"))), apply_to = function)

double qk_peak_operations_avx512(uint64_t iterations) {
  __m512i a = _mm512_set1_epi16(3), b = _mm512_set1_epi16(5), sum[CHAINS];
#pragma clang loop unroll(full)
  for (int i = 0; i < CHAINS; i++) sum[i] = _mm512_setzero_si512();
  for (uint64_t step = 0; step < iterations; step++) {
#pragma clang loop unroll(full)
    for (int i = 0; i < CHAINS; i++) {
      // The compiler must not see that all products are equal, or it would compute a single one.
      __asm__("" : "+v"(a));
      sum[i] = _mm512_add_epi32(sum[i], _mm512_madd_epi16(a, b));
    }
  }
  for (int i = 1; i < CHAINS; i++) sum[0] = _mm512_add_epi32(sum[0], sum[i]);
  volatile int sink = _mm512_reduce_add_epi32(sum[0]);
  (void)sink;
  return (double)iterations * CHAINS * 32 * 2;
}

#pragma clang attribute pop
#endif
