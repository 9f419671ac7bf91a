#if defined(__x86_64__)
#include "kernels_x86.h"

#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#define VECTOR_SLICES 4
#include "../../datapath/vector_tile.h"
#pragma clang attribute pop

const qk_datapath_kernel qk_datapath_avx2 = { .name = "datapath_4x2_avx2", .run = run_datapath_tile };
#endif
