#if defined(__x86_64__)
#include <immintrin.h>
#include <stdint.h>

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl"))), apply_to=function)

static inline __m512i qk_look_up64(const uint8_t *table, __m512i index) {
  _Alignas(64) uint8_t bytes[64];
  _mm512_store_si512(bytes, index);
  for (int i = 0; i < 64; i++) bytes[i] = table[bytes[i]];
  return _mm512_load_si512(bytes);
}

#include "finish_avx512.h"

void qk_finish_avx512(const qk_gemm_finish *f, int32_t tokens, const int32_t *sums) { qk_finish_any(f, tokens, sums); }

#pragma clang attribute pop
#endif
