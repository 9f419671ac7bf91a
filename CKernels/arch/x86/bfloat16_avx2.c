// bfloat16 products on AVX2 and FMA: a tile of 6 rows and one panel of 16 columns in 12 registers; each half of a pair
// becomes 8 floats by a mask or a shift.
#if defined(__x86_64__)
#include <immintrin.h>
#include "kernels_x86.h"

#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to=function)

/// A mask whose value the compiler does not see stays an AND; a blend of 16-bit words would have to take port 5.
static inline __m256i upper_half(void) {
  __m256i upper = _mm256_set1_epi32((int32_t)0xffff0000);
  __asm__("" : "+x"(upper));
  return upper;
}

#define QK_TILE_LANES 8
#define QK_TILE_PANELS 1
#define QK_TILE_PASSES 2
#define QK_TILE_TAKE(pass, pairs) ((pass) == 0 ? (pairs) & (qk_tile_words)upper_half() : (pairs) << 16)
#include "tile_bfloat16_x86.h"

const qk_packed_kernel qk_bf16_avx2 = {
  .name = "gemm_bf16_6x16_avx2_fma", .depth_of_word = 2, .pack_rows = pack_rows,
  .pack_panel = pack_panel, .multiply = multiply,
};

#pragma clang attribute pop
#endif
