// The row passes for widths that are multiples of 8.
#define QK_LANES 8
#define QK_PASSES qk_passes8
#include "passes_table.h"
