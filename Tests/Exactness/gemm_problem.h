// A product with guarded operands, and its answer by plain loops over the matrix before packing.
#ifndef GEMM_PROBLEM_H
#define GEMM_PROBLEM_H

#include "exactness.h"

typedef enum row_mask { ROWS_ALL8 = 0, ROWS_ALL4, ROWS_RANDOM, ROWS_FEW8, ROWS_FEW4, ROW_MASK_COUNT } row_mask;

typedef struct gemm_shape {
  int32_t tokens, rows, depth;
  int32_t is_unsigned;
  qk_output_form form;
  row_mask mask;
  int32_t high_word;    ///< 1: requantisers that fit the upper word of a product, 0: any
  int32_t slack;        ///< elements between one row of activations, outputs and residuals and the next
  int32_t extreme;      ///< 1: activations and weights are bounds of their ranges
  uint64_t seed;        ///< parity chooses the end of the memory that operands touch, and more
} gemm_shape;

/// Runs the product on every instruction set and counts the cases.
void check_gemm(const gemm_shape *shape);

/// The answer of the output form for the sum of bias and products, written to `out`, and to `rest` for forms that have it.
void write_expected(const qk_gemm_arguments *a, int32_t t, int32_t n, int64_t sum, uint8_t *out, uint8_t *rest);

#endif
