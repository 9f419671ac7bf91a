// Sums over the rows of leaves, and the gradients of a block's parameters that follow from them.
#ifndef QK_BLOCK_SUMS_H
#define QK_BLOCK_SUMS_H

#include "block_leaf.h"

/// Places of the sums over the rows of a leaf, one per column; the copies of the leaves follow each other.
typedef struct qk_block_sums {
  size_t norm1_weight, norm1_bias, norm1_step, norm2_weight, norm2_bias, norm2_step;  // offsets in floats
  size_t qkv_bias, qkv_step, attention_step, projection_bias, expand_bias, hidden_input_step, hidden_step, contract_bias;
  size_t count;
} qk_block_sums;

void qk_place_sums(const qk_training_block *block, qk_block_sums *at);

/// Adds the leaves' sums over the tree, and brings the products of the weight gradients from units of input codes into
/// the units of the weights.
void qk_finish_gradients(const qk_training_block *block, const qk_block_sums *at, float *sums, qk_training_gradients *g);

#endif
