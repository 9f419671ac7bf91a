// bfloat16 products on AVX-512 without bfloat16 instructions: a bfloat16 is the upper half of a float, so each half of
// 16 pairs becomes 16 floats by a mask or a shift.
#if defined(__x86_64__)
#include <immintrin.h>
#include "kernels_x86.h"

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl"))), apply_to=function)

#define QK_BF16_PASSES 2

static inline __m512i qk_bf16_take(int pass, __m512i pairs) {
  return pass == 0 ? _mm512_and_si512(pairs, _mm512_set1_epi32((int32_t)0xffff0000)) : _mm512_slli_epi32(pairs, 16);
}

static inline __m512 qk_bf16_add(__m512 sum, __m512i a, __m512i b) {
  return _mm512_fmadd_ps(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b), sum);
}

#include "tile_bfloat16_avx512.h"

const qk_packed_kernel qk_bf16_avx512 = {
  .name = "gemm_bf16_6x64_avx512_fma", .depth_of_word = 2, .pack_rows = pack_rows,
  .pack_panel = pack_panel, .multiply = multiply,
};

#pragma clang attribute pop
#endif
