// Float products on NEON: 6 rows and one panel of 16 columns in 24 registers.
#if defined(__aarch64__)
#include "kernels_arm.h"

#define QK_TILE_LANES 4
#define QK_TILE_PANELS 1
#include "../../gemm/tile_words.h"

const qk_packed_kernel qk_float_neon = {
  .name = "gemm_f32_6x16_neon_fma", .depth_of_word = 1, .pack_rows = pack_rows, .pack_panel = pack_panel,
  .multiply = multiply_words,
};
#endif
