#if defined(__aarch64__)
#include "kernels_arm.h"

#define VECTOR_SLICES 2
#include "../../datapath/vector_tile.h"

const qk_datapath_kernel qk_datapath_neon = { .name = "datapath_2x2_neon", .run = run_datapath_tile };
#endif
