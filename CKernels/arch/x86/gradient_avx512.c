// Backward products on vpmaddwd: the sum of a pair, |2·16383·255| < 2^23, is exact in int32. Bytes are widened to
// words, the even and the odd ones separately, because the saturating products of bytes would not be exact.
#if defined(__x86_64__)
#include <immintrin.h>
#include "kernels_x86.h"

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl"))), apply_to=function)

static inline __m512i qk_add_words(__m512i sum, __m512i a, __m512i b) {
  return _mm512_add_epi32(sum, _mm512_madd_epi16(a, b));
}

static inline __m512i qk_add_bytes(__m512i sum, __m512i a, __m512i b) {
  const __m512i even = _mm512_madd_epi16(_mm512_srai_epi16(_mm512_slli_epi16(a, 8), 8),
                                         _mm512_and_si512(b, _mm512_set1_epi16(0xff)));
  const __m512i odd = _mm512_madd_epi16(_mm512_srai_epi16(a, 8), _mm512_srli_epi16(b, 8));
  return _mm512_add_epi32(sum, _mm512_add_epi32(even, odd));
}

#include "tile_gradient_avx512.h"

const qk_gradient_kernel qk_gradient_avx512 = {
  .name = "gradient_8x48_avx512_maddwd", .multiply = { multiply_words, multiply_bytes, multiply_unsigned_bytes },
};

#pragma clang attribute pop
#endif
