// Products of the backward pass in bfloat16: half the bytes of float32, and on CPUs with AVX-512-BF16 twice the rate.
//
// Definition. The operands a and b are codes, unchanged, or floats rounded to bfloat16 (8 significant bits, the
// exponent range of float32): to nearest, ties to even, with magnitudes below 2^−126 rounded to zero. f(x, y, z) is
// x·y + z, rounded once to float32, to nearest even.
//
//   sum ← 0;  for every pair (k, k+1), k = 0, 2, …:  sum ← f(a[k+1], b[k+1], sum), then sum ← f(a[k], b[k], sum)
//   output[i, j] = (sum·row_scale[i])·column_scale[j]  (+ output[i, j] when accumulating), each step rounded to float32
//
// With an odd depth, the last a[k+1] and b[k+1] are zero. In the sums alone, operands and results that are not zero and
// have magnitudes below 2^−126 count as zeros of their sign; for a result, its value rounded to 24 bits decides. The
// rounding mode is nearest even, whatever the caller has set. This is the arithmetic that Intel documents for
// vdpbf16ps.
//
// Guaranteed: the sum of an element is one chain over k, so its bits depend neither on the number of threads nor on
// blocks. The kernels reference, avx2 and avx512 give the same bits (for a NaN, only that it is a NaN). The kernel on
// vdpbf16ps gives the same bits on a CPU that follows Intel's document. A CPU that adds the products of a pair in
// another order, each sum rounded to nearest, still meets the bound of all kernels against the exact sum of the rounded
// operands:
//
//   |error| ≤ k'·u/(1 − k'·u)·Σ|a·b| + 2k·2^−126,  k' = k + 1, u = 2^−24, while nothing overflows
//
// The products of a float below 2^−126, which counts as zero, are not part of that sum. Rounding changes a float by at
// most 2^−8 of its magnitude, or by less than 2^−126.
#ifndef CKERNELS_BFLOAT16_H
#define CKERNELS_BFLOAT16_H

#include <stddef.h>
#include <stdint.h>
#include "ckernels/dispatch.h"
#include "ckernels/status.h"

/// Storage of the elements of an operand. Codes are exact in bfloat16.
typedef enum qk_bf16_element {
  QK_BF16_FLOAT = 0,  ///< float32, rounded during packing
  QK_BF16_INT8,
  QK_BF16_UINT8
} qk_bf16_element;

/// A row-major matrix whose stored rows are `stride` elements apart. With transposed = 1, its transpose is multiplied.
typedef struct qk_bf16_operand {
  const void *values;
  size_t stride;
  qk_bf16_element element;
  int32_t transposed;
} qk_bf16_operand;

/// output[m, n] = op(A)[m, k]·op(B)[k, n], scaled, plus bias, plus the old output when `accumulate` is 1.
typedef struct qk_bf16_gemm_arguments {
  size_t m, n, k;             ///< 1…2^31 − 1 each
  qk_bf16_operand a, b;       ///< stored [m][k] or, transposed, [k][m]; [k][n] or, transposed, [n][k]
  const float *row_scale;     ///< [m] or null (all 1)
  const float *column_scale;  ///< [n] or null (all 1)
  const float *bias;          ///< [n] or null (none)
  int32_t accumulate;         ///< 0 or 1
  float *output;              ///< shares no memory with an operand, a scale or the bias
  size_t output_stride;       ///< elements, at least n
} qk_bf16_gemm_arguments;

/// Computes the product on the kernels in use.
qk_status qk_bf16_gemm(const qk_bf16_gemm_arguments *arguments);
/// The same on the kernels of `isa`.
qk_status qk_bf16_gemm_with(qk_isa isa, const qk_bf16_gemm_arguments *arguments);
/// The definition: three plain loops.
qk_status qk_bf16_gemm_reference(const qk_bf16_gemm_arguments *arguments);

/// The upper half of the float32 nearest to `value` among those with 8 significant bits. Ties go to even. From
/// 2^128 − 2^119 on the result is infinity, a NaN becomes quiet, and magnitudes below 2^−126 become a zero of their
/// sign (as in vcvtneps2bf16). 1 + 2^−8 (a tie) → 0x3f80 = 1; 1 + 3·2^−8 → 0x3f82.
uint16_t qk_bf16_round(float value);

#endif
