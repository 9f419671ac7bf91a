#if defined(__x86_64__)
#include "kernels_x86.h"

#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512bw,avx512vl"))), apply_to = function)
#define VECTOR_SLICES 8
#include "../../datapath/vector_tile.h"
#pragma clang attribute pop

const qk_datapath_kernel qk_datapath_avx512 = { .name = "datapath_8x2_avx512", .run = run_datapath_tile };
#endif
