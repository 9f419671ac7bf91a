// bfloat16 products on vdpbf16ps: both multiply–adds of 16 pairs in one instruction, and two vectors of floats rounded by one.
#if defined(__x86_64__)
#include <immintrin.h>
#include "kernels_x86.h"

#define QK_TARGET "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16"
#pragma clang attribute push(__attribute__((target(QK_TARGET))), apply_to=function)

#define QK_TO_BFLOAT16(first, second) _mm512_cvtne2ps_pbh((__m512)(second), (__m512)(first))

#define QK_TILE_LANES 16
#define QK_TILE_PANELS 4
#define QK_TILE_PASSES 1
#define QK_TILE_TAKE(pass, pairs) (pairs)
#define QK_TILE_ADD(sum, a, b) ((qk_tile_floats)_mm512_dpbf16_ps((__m512)(sum), (__m512bh)(a), (__m512bh)(b)))
#include "tile_bfloat16_x86.h"

const qk_packed_kernel qk_bf16_avx512bf16 = {
  .name = "gemm_bf16_6x64_avx512bf16_dpbf16ps", .depth_of_word = 2, .pack_rows = pack_rows,
  .pack_panel = pack_panel, .multiply = multiply,
};

#pragma clang attribute pop
#endif
