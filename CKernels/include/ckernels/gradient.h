// Products of the backward pass in integers.
//
// In quantisation-aware training one operand of every backward product is a matrix of codes: dX = (dY·s)·W and
// dW = dYᵀ·X. The other operand, the gradient, is rounded to codes with one scale per row (per column for dW) and
// block. The product is then an integer product, and its bits depend neither on the instruction set nor on the number
// of threads. The codes of both operands have one of three forms:
//
//   words: gradients of 15 bits. Scales are powers of two; an element is off by at most 2^−14 of the largest one that
//          shares its scale (bfloat16: by 2^−9 of itself). Twice the rate of float on CPUs with VNNI.
//   bytes: gradients of 8 bits, off by at most 1/254 of the largest one. Four times the rate of float.
//   unsigned bytes: the same with codes 0…255 on the left (attention probabilities) and signed codes on the right.
//
// In every form k runs in groups of four bytes (two words or four bytes), as the CPU's dot products take them.
#ifndef CKERNELS_GRADIENT_H
#define CKERNELS_GRADIENT_H

#include <stddef.h>
#include <stdint.h>
#include "ckernels/dispatch.h"
#include "ckernels/status.h"

typedef enum qk_gradient_form {
  QK_GRADIENT_WORDS = 0,
  QK_GRADIENT_BYTES,
  QK_GRADIENT_UNSIGNED_BYTES,
  QK_GRADIENT_FORMS
} qk_gradient_form;

/// Largest magnitude of a gradient code: 2^14 − 1 for words, 127 for bytes.
#define QK_GRADIENT_LIMIT 16383
#define QK_GRADIENT_BYTE_LIMIT 127
/// Largest magnitude of a code of the exact operand (unsigned 8-bit codes minus their zero point).
#define QK_GRADIENT_CODE_LIMIT 255
/// Number of products of words that are summed in int32 at a time: 16383·255·512 < 2^31.
#define QK_GRADIENT_DEPTH 512
/// Largest depth of a product of bytes: with the offset, sums stay below 2·127·255·32768 < 2^31.
#define QK_GRADIENT_BYTE_DEPTH 32768
/// Columns of a panel; bytes of a group and of a line of a panel.
#define QK_GRADIENT_COLUMNS 16
#define QK_GRADIENT_GROUP_BYTES 4
#define QK_GRADIENT_LINE_BYTES 64

/// Elements of a group: 2 words or 4 bytes.
static inline size_t qk_gradient_group(qk_gradient_form form) { return form == QK_GRADIENT_WORDS ? 2 : 4; }

/// Bytes of an element: 2 or 1.
static inline size_t qk_gradient_element(qk_gradient_form form) { return QK_GRADIENT_GROUP_BYTES / qk_gradient_group(form); }

/// Bytes of the panels of a matrix of `rows` rows and `columns` columns, ⌈columns/16⌉·⌈rows/group⌉·64.
///
/// Panels: [columns/16][rows/group][16][group]. Element (r, c) is [c/16][r/group][c%16][r%group]; elements beyond the
/// matrix are 0. Words, and bytes that meet unsigned ones, are the codes. Bytes that meet signed ones are unsigned: the
/// element plus qk_gradient_offset.
size_t qk_gradient_panel_bytes(qk_gradient_form form, size_t rows, size_t columns);

/// Amount by which panels exceed codes − zero. For bytes: zero where codes are unsigned, 128 + zero where they are
/// signed. Otherwise 0.
int32_t qk_gradient_offset(qk_gradient_form form, int is_unsigned, int32_t zero);

/// Writes the panels of codes[rows][columns] − zero. Rows are `stride` bytes apart; is_unsigned is 1 for unsigned
/// codes. In the form of unsigned bytes, these codes are signed and zero is 0.
void qk_gradient_code_panels(qk_gradient_form form, size_t rows, size_t columns, const void *codes, size_t stride,
                             int is_unsigned, int32_t zero, void *panels);
/// Writes the panels of the transpose of signed codes, for words or bytes: element (r, c) is codes[c][r] plus the
/// offset.
void qk_gradient_transposed_panels(qk_gradient_form form, size_t rows, size_t columns, const int8_t *codes, size_t stride,
                                   void *panels);

/// Bytes that are brought to the L2 cache during a product.
typedef struct qk_fetch_range {
  const void *from;
  size_t bytes;
} qk_fetch_range;

#define QK_FETCH_RANGES 4

/// output[i][j] (+)= Σ_blocks float(Σ_k left[i, k]·right[k, j])·scale[i], each step rounded once. Words are summed in
/// blocks of QK_GRADIENT_DEPTH k in order, bytes in one block. Element (i, k) of the left operand is element k%group of
/// the group that starts i·row_step + (k/group)·group_step bytes after `left`.
typedef struct qk_gradient_product {
  qk_gradient_form form;
  int32_t rows, depth, columns;  ///< ≥ 1; a depth that is not a multiple of the group ends with zeros on the left,
                                 ///< unsigned bytes with any values
  const void *left;              ///< int16_t, int8_t or uint8_t
  size_t row_step, group_step;   ///< bytes
  const int32_t *left_sums;      ///< [rows] Σ_k left[i, k], for bytes; else null
  const void *right;             ///< panels of depth × columns, 64-byte aligned
  int32_t right_offset;          ///< qk_gradient_offset of the panels
  const float *scale;            ///< [rows]
  float *output;
  size_t output_stride;          ///< elements, ≥ columns
  int32_t accumulate;            ///< 1: added to the old output
  qk_fetch_range fetch[QK_FETCH_RANGES];  ///< needed next, brought to the cache meanwhile; zeros are none
} qk_gradient_product;

/// Multiplies on the calling thread. Example: left (2, −3), right (5, 7)ᵀ, scale 0.5 → −5.5.
qk_status qk_gradient_multiply(const qk_gradient_product *product);
qk_status qk_gradient_multiply_with(qk_isa isa, const qk_gradient_product *product);
/// The definition: plain loops.
qk_status qk_gradient_multiply_reference(const qk_gradient_product *product);

/// The rows of one leaf of a weight gradient: gradient codes and input codes as panels of the same rows.
typedef struct qk_gradient_leaf {
  int32_t rows;              ///< 1…QK_GRADIENT_DEPTH
  const void *gradient;      ///< panels of rows × outputs; bytes are signed and have no offset
  const float *scale;        ///< [outputs] value of one gradient code
  const int32_t *sums;       ///< [outputs] sum of the gradient codes; null for words
  const void *input;         ///< panels of rows × inputs
} qk_gradient_leaf;

/// output[n][k] = factor·Σ over leaves of float(Σ_t gradient[t, n]·input[t, k])·scale[n].
///
/// Leaves are added over the binary tree of qk_tree_sum, so the leaves of several processes can be subtrees.
typedef struct qk_weight_gradient {
  qk_gradient_form form;
  int32_t leaf_count, outputs, inputs;
  int32_t input_offset;     ///< qk_gradient_offset of the panels of inputs
  const qk_gradient_leaf *leaves;
  float factor;             ///< of the finished sum, rounded once more; 1 is exact
  float *output;
  size_t output_stride;
} qk_weight_gradient;

/// Computes several weight gradients in one parallel region.
qk_status qk_weight_gradients(size_t count, const qk_weight_gradient *gradients);
qk_status qk_weight_gradients_with(qk_isa isa, size_t count, const qk_weight_gradient *gradients);

#endif
