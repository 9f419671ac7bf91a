// Backward products on vpdpwssd, which adds two products of 16 bits to an int32 lane, and vpdpbusd, which adds four of
// 8 bits.
#if defined(__x86_64__)
#include <immintrin.h>
#include "kernels_x86.h"

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni"))), apply_to=function)

static inline __m512i qk_add_words(__m512i sum, __m512i a, __m512i b) { return _mm512_dpwssd_epi32(sum, a, b); }

static inline __m512i qk_add_bytes(__m512i sum, __m512i a, __m512i b) { return _mm512_dpbusd_epi32(sum, b, a); }

#include "tile_gradient_avx512.h"

const qk_gradient_kernel qk_gradient_avx512vnni = {
  .name = "gradient_8x48_avx512vnni", .multiply = { multiply_words, multiply_bytes, multiply_unsigned_bytes },
};

#pragma clang attribute pop
#endif
