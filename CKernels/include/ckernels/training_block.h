// One transformer block of a training step on integer products: forward and backward.
//
//   a = codes of LayerNorm(x);  qkv = codes of a·Wᵀ;  c = codes of attention(qkv);  m = x + keep·γ₁⊙(c·Wᵀ + b)
//   e = codes of LayerNorm(m);  h = codes of e·Wᵀ;    u = table[h] (GELU);         y = m + keep·γ₂⊙(u·Wᵀ + b)
//
// All four products run on the row-mixed kernels, with the accumulators of deployment. Images are processed in leaves
// of a few images, each from end to end by one thread while its rows are in the L2 cache. Kept for the backward pass: x
// and m, and one code and one byte of remainder per element of qkv, c and h. The codes a and e are computed again from
// x and m. Backward products: see gradient.h.
#ifndef CKERNELS_TRAINING_BLOCK_H
#define CKERNELS_TRAINING_BLOCK_H

#include <stddef.h>
#include <stdint.h>
#include "ckernels/gradient.h"
#include "ckernels/integer.h"

/// Largest number of tokens, and largest head dimension, of a block.
#define QK_TRAINING_MAX_TOKENS 256
#define QK_TRAINING_MAX_HEAD 64

/// A linear layer of the block, made once per step.
typedef struct qk_training_linear {
  int32_t rows, depth;
  const float *row_step;               ///< [rows] value of one weight code
  const float *real_bias;              ///< [rows]
  const int8_t *codes;                 ///< [rows][depth]

  // Read only by the forward pass.
  const qk_packed_weights *weights;    ///< the codes
  const qk_row_constants *constants;   ///< of weights, bias and requantisers
  const int32_t *bias;                 ///< [rows] codes of the bias at input step · row step, zero point included
  const qk_requantiser *requantisers;  ///< [rows]; used in exact mode
} qk_training_linear;

/// The integers of deployment that replace the float functions in exact mode.
typedef struct qk_exact_block {
  qk_layer_norm_arguments norm1, norm2;  ///< epsilon_code, scales, offsets, lo, hi; the other fields are filled in
  qk_attention_arguments attention;      ///< score, tables, requantiser, lo, hi; the other fields are filled in
  float residual_step;                   ///< value of one code of the residual stream
  const int16_t *input;                  ///< [rows][width] codes of x
  int16_t *middle, *output;              ///< codes of m and y
} qk_exact_block;

typedef struct qk_training_block {
  int32_t images, tokens, width, heads, head_dimension, hidden, activation_bits;
  qk_gradient_form gradient_form;             ///< words or bytes; the gradient of v is always a product of words
  float epsilon;                              ///< of both LayerNorms
  const float *norm1_weight, *norm1_bias, *norm2_weight, *norm2_bias, *gain1, *gain2;  ///< [width]
  const float *keep1, *keep2;                 ///< [images] factor of the branch, or null
  float norm1_step, qkv_step[3], attention_step, norm2_step, hidden_input_step, hidden_step;
  int32_t hidden_zero;                        ///< zero point of the GELU codes
  const uint8_t *hidden_table;                ///< [256] GELU code of hidden input code + 128
  qk_training_linear qkv, projection, expand, contract;
  const qk_exact_block *exact;                ///< null: LayerNorm and softmax in float

  // Written by the forward pass; rows = images·tokens.
  const float *x;                             ///< [rows][width]
  float *middle, *y;                          ///< [rows][width]
  int8_t *qkv_codes, *qkv_rest;               ///< [rows][3·heads·head_dimension]
  int8_t *attention_codes, *attention_rest;   ///< [rows][heads·head_dimension]
  int8_t *hidden_codes, *hidden_rest;         ///< [rows][hidden] input codes of the GELU table
  uint8_t *probabilities;                     ///< [images·heads][tokens][tokens] codes, not normalised, followed by
                                              ///< three bytes that are read
} qk_training_block;

/// Gradients with respect to the parameters of a block; overwritten, not added to.
typedef struct qk_training_gradients {
  float *qkv_weight, *projection_weight, *expand_weight, *contract_weight;  ///< [rows][depth], dequantised weights
  float *qkv_bias, *projection_bias, *expand_bias, *contract_bias;          ///< [rows]
  float *norm1_weight, *norm1_bias, *norm2_weight, *norm2_bias, *gain1, *gain2;  ///< [width]
  float norm1_step, qkv_step[3], attention_step, norm2_step, hidden_input_step, hidden_step;
} qk_training_gradients;

/// Images per leaf: the largest power of two whose rows do not exceed 288. So the sums over leaves do not depend on
/// threads, and the halves of a batch are subtrees. 65 tokens → 4, 197 tokens → 1.
int32_t qk_training_leaf_images(int32_t tokens);

/// Runs the block. Statuses are those of qk_gemm; a leaf may not have more than QK_GRADIENT_DEPTH rows.
qk_status qk_training_block_forward(const qk_training_block *block);

/// Computes gx and the gradients of the parameters from gy [rows][width]. Example of the rule for steps (LSQ): v = 2.3,
/// code 2: d(s·code)/ds = 2 − 2.3 = −0.3; v above the range: its upper end.
qk_status qk_training_block_backward(const qk_training_block *block, const float *gy, float *gx,
                                     qk_training_gradients *gradients);

#endif
