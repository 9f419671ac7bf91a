// bfloat16 products on AVX-512 without bfloat16 instructions: 6 rows and 64 columns in 24 registers. A bfloat16 is the upper
// half of a float, so each half of 16 pairs becomes 16 floats by a mask or a shift.
#if defined(__x86_64__)
#include "kernels_x86.h"

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl"))), apply_to=function)

#define QK_TILE_LANES 16
#define QK_TILE_PANELS 4
#define QK_TILE_PASSES 2
#define QK_TILE_TAKE(pass, pairs) ((pass) == 0 ? (pairs) & 0xffff0000 : (pairs) << 16)
#include "tile_bfloat16_x86.h"

const qk_packed_kernel qk_bf16_avx512 = {
  .name = "gemm_bf16_6x64_avx512_fma", .depth_of_word = 2, .pack_rows = pack_rows,
  .pack_panel = pack_panel, .multiply = multiply,
};

#pragma clang attribute pop
#endif
