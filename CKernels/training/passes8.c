// The row passes for widths divisible by 8.
#define QK_LANES 8
#define QK_PASSES qk_passes8
#include "passes_table.h"
