// The patch embedding of a training step on integer products. Its inputs are pixels: exact codes that need no gradient.
// So there is one product forward, and one for the weights backward.
#ifndef CKERNELS_TRAINING_PATCHES_H
#define CKERNELS_TRAINING_PATCHES_H

#include "ckernels/training_block.h"

typedef struct qk_training_patches {
  int32_t rows;                    ///< patches of all images
  qk_gradient_form gradient_form;  ///< words or bytes
  qk_training_linear layer;        ///< the bias codes hold the means
  const uint8_t *codes;            ///< [rows][depth]
  float input_step;                ///< value of one code
  const float *mean;               ///< [depth] subtracted from the values
} qk_training_patches;

/// y[r][n] = input_step·row_step[n]·(bias[n] + Σ_k codes[r][k]·W[n][k]), that is Σ_k x[r][k]·w[n][k] + b[n] with
/// x = input_step·code − mean. y [rows][outputs]. Example: step 1/2, row step 2, bias 3, code 4, weight 5 → 23.
qk_status qk_training_patches_forward(const qk_training_patches *patches, float *y);

/// gweight[n][k] = Σ_r gy[r][n]·x[r][k], gbias[n] = Σ_r gy[r][n]; overwritten, not added to. The number of outputs is a
/// multiple of 8. Gradients are rounded to codes as in the blocks, in leaves of 256 rows.
qk_status qk_training_patches_backward(const qk_training_patches *patches, const float *gy, float *gweight, float *gbias);

#endif
