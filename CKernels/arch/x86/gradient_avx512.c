// Backward products on vpmaddwd: the sum of a pair, |2·16383·255| < 2^23, is exact in int32.
#if defined(__x86_64__)
#include <immintrin.h>
#include "kernels_x86.h"

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl"))), apply_to=function)

static inline __m512i qk_add_pairs(__m512i sum, __m512i a, __m512i b) {
  return _mm512_add_epi32(sum, _mm512_madd_epi16(a, b));
}

#include "tile_gradient_avx512.h"

const qk_gradient_kernel qk_gradient_avx512 = { .name = "gradient_i16_8x48_avx512_maddwd", .multiply = multiply };

#pragma clang attribute pop
#endif
