#include "ckernels/dispatch.h"
#if defined(__x86_64__)
#include "../arch/x86/kernels_x86.h"
#elif defined(__aarch64__)
#include "../arch/arm/kernels_arm.h"
#endif

// Scalar multiply–add chains: the rate that a portable kernel could reach without vectors.
static double reference_operations(uint64_t iterations) {
  int32_t a = 3, b = 5, sum[4] = {0};
  for (uint64_t step = 0; step < iterations; step++) {
    for (int i = 0; i < 4; i++) {
      sum[i] += a * b;
      __asm__ volatile("" : "+r"(a), "+r"(b), "+r"(sum[i]));
    }
  }
  return (double)iterations * 4 * 2;
}

double qk_peak_operations(qk_isa isa, uint64_t iterations) {
#if defined(__x86_64__)
  if (isa == QK_ISA_AVX2 && qk_isa_available(isa)) return qk_peak_operations_avx2(iterations);
  if (isa == QK_ISA_AVX512 && qk_isa_available(isa)) return qk_peak_operations_avx512(iterations);
  if (isa == QK_ISA_AVX512VNNI && qk_isa_available(isa)) return qk_peak_operations_avx512vnni(iterations);
#elif defined(__aarch64__)
  if (isa == QK_ISA_NEONDOT && qk_isa_available(isa)) return qk_peak_operations_neondot(iterations);
  if (isa == QK_ISA_NEONI8MM && qk_isa_available(isa)) return qk_peak_operations_neoni8mm(iterations);
#endif
  (void)isa;
  return reference_operations(iterations);
}
