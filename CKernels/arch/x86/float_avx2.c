// Float products on AVX2 and FMA: 6 rows and one panel of 16 columns in 12 registers.
#if defined(__x86_64__)
#include "kernels_x86.h"

#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to=function)

#define QK_TILE_LANES 8
#define QK_TILE_PANELS 1
#include "../../gemm/tile_words.h"

const qk_packed_kernel qk_float_avx2 = {
  .name = "gemm_f32_6x16_avx2_fma", .depth_of_word = 1, .pack_rows = pack_rows, .pack_panel = pack_panel,
  .multiply = multiply_words,
};

#pragma clang attribute pop
#endif
