// LayerNorm of a training block in front of its products.
#ifndef QK_BLOCK_NORM_H
#define QK_BLOCK_NORM_H

#include "block_leaf.h"

/// Writes the codes [rows][width] of LayerNorm(x) (`which` = 1) or LayerNorm(m) (2) of a leaf, and the mean and
/// 1/deviation of its rows [rows][2]. The backward pass computes them again, in a walk over rows that it reads anyway.
qk_status qk_block_norm_codes(const qk_block_leaf *l, int which, float *statistics, int8_t *codes);

#endif
