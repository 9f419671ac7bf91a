// Float products on AVX-512: 6 rows and 64 columns in 24 registers.
#if defined(__x86_64__)
#include "kernels_x86.h"

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl"))), apply_to=function)

#define QK_TILE_LANES 16
#define QK_TILE_PANELS 4
#include "../../gemm/tile_words.h"

const qk_packed_kernel qk_float_avx512 = {
  .name = "gemm_f32_6x64_avx512_fma", .depth_of_word = 1, .pack_rows = pack_rows, .pack_panel = pack_panel,
  .multiply = multiply_words,
};

#pragma clang attribute pop
#endif
