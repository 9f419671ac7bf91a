// The row passes for widths divisible by 16.
#define QK_LANES 16
#define QK_PASSES qk_passes16
#include "passes_table.h"
