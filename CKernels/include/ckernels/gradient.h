// Products of the backward pass in 16-bit integers.
//
// In quantisation-aware training one operand of every backward product is a matrix of codes: dX = (dY·s)·W and
// dW = dYᵀ·X. The other one, the gradient, is rounded to 15-bit codes with one scale per row (per column for dW) and
// block, so the product is an integer product, at twice the rate of float on CPUs with VNNI, and its bits depend
// neither on the instruction set nor on the number of threads. Scales are powers of two; the rounding error of an element
// is at most 2^−14 of the largest one that shares its scale (bfloat16: 2^−9 of the element itself).
#ifndef CKERNELS_GRADIENT_H
#define CKERNELS_GRADIENT_H

#include <stddef.h>
#include <stdint.h>
#include "ckernels/dispatch.h"
#include "ckernels/status.h"

/// Largest magnitude of a gradient code, 2^14 − 1.
#define QK_GRADIENT_LIMIT 16383
/// Largest magnitude of a code of the exact operand (unsigned 8-bit codes less their zero point).
#define QK_GRADIENT_CODE_LIMIT 255
/// Products summed in int32 at a time: 16383·255·512 < 2^31.
#define QK_GRADIENT_DEPTH 512
/// Columns of a panel.
#define QK_GRADIENT_COLUMNS 16

/// int16 elements of the panels of a matrix of `rows` rows and `columns` columns, both rounded up.
///
/// Panels: [columns/16][rows/2][16][2]; element (r, c) is [c/16][r/2][c%16][r%2], what is beyond the matrix is 0.
size_t qk_gradient_panel_elements(size_t rows, size_t columns);

/// Panels of codes[rows][columns] − zero; rows lie `stride` bytes apart, unsigned codes when is_unsigned is 1.
void qk_gradient_code_panels(size_t rows, size_t columns, const void *codes, size_t stride, int is_unsigned,
                             int32_t zero, int16_t *panels);
/// Panels of the transpose: element (r, c) is codes[c][r].
void qk_gradient_transposed_panels(size_t rows, size_t columns, const int8_t *codes, size_t stride, int16_t *panels);

/// output[i][j] (+)= Σ_blocks float(Σ_k left[i, k]·right[k, j])·scale[i], blocks of QK_GRADIENT_DEPTH k in order, each
/// step rounded once. Element (i, k) of the left operand is left[i·row_step + (k/2)·pair_step + k%2].
typedef struct qk_gradient_product {
  int32_t rows, depth, columns;  ///< ≥ 1; an odd depth ends with a zero on the left
  const int16_t *left;
  size_t row_step, pair_step;    ///< elements
  const int16_t *right;          ///< panels of depth × columns, 64-byte aligned
  const float *scale;            ///< [rows]
  float *output;
  size_t output_stride;          ///< elements, ≥ columns
  int32_t accumulate;            ///< 1: added to the output
} qk_gradient_product;

/// Runs on the calling thread. Example: left (2, −3), right (5, 7)ᵀ, scale 0.5 → −5.5.
qk_status qk_gradient_multiply(const qk_gradient_product *product);
qk_status qk_gradient_multiply_with(qk_isa isa, const qk_gradient_product *product);
/// The definition: plain loops.
qk_status qk_gradient_multiply_reference(const qk_gradient_product *product);

/// The rows of one leaf of a weight gradient: gradient codes and input codes as panels of the same rows.
typedef struct qk_gradient_leaf {
  int32_t rows;             ///< 1…QK_GRADIENT_DEPTH
  const int16_t *gradient;  ///< panels of rows × outputs
  const float *scale;       ///< [outputs] value of one gradient code
  const int16_t *input;     ///< panels of rows × inputs
} qk_gradient_leaf;

/// output[n][k] = Σ over leaves of float(Σ_t gradient[t, n]·input[t, k])·scale[n].
///
/// Leaves are added over the binary tree of qk_tree_sum, so leaves of several processes can be subtrees.
typedef struct qk_weight_gradient {
  int32_t leaf_count, outputs, inputs;
  const qk_gradient_leaf *leaves;
  float *output;
  size_t output_stride;
} qk_weight_gradient;

/// Computes several weight gradients in one parallel region.
qk_status qk_weight_gradients(size_t count, const qk_weight_gradient *gradients);
qk_status qk_weight_gradients_with(qk_isa isa, size_t count, const qk_weight_gradient *gradients);

#endif
