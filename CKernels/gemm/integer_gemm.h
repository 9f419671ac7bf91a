// What the GEMM driver asks of a micro-kernel: a descriptor of function pointers and layouts.
#ifndef QK_INTEGER_GEMM_H
#define QK_INTEGER_GEMM_H

#include "ckernels/integer.h"

/// Blocks of the driver. All buffers of a task live on its stack: 48·512·2 B of activations, 512·32 B of one
/// decoded panel, 48·584·4 B of accumulators, 8 KiB of row plan: about 181 KiB.
enum {
  QK_GEMM_TOKENS = 48,
  QK_GEMM_DEPTH = 512,
  QK_GEMM_ROWS = 512,
  /// Two ascending slot ranges, each widened to whole panels at both ends.
  QK_GEMM_COLUMNS = QK_GEMM_ROWS + 4 * (QK_PANEL_ROWS - 1) + 4,
  /// A group of 8 rows reads 8 columns from either range, so up to 8 columns past its last row.
  QK_GEMM_ACC_STRIDE = QK_GEMM_COLUMNS + 8,
  QK_GEMM_GROUP = 8
};

/// How the accumulators of slots become rows first…first+count−1 of the output, count ≤ QK_GEMM_ROWS.
///
/// Row order is a merge of two ascending lists. In a group of 8 rows the 8-bit rows are `rank` 0, 1, … from
/// column8 of the accumulators and the 4-bit rows rank 0, 1, … from column4. Rows past `count` in the last
/// group are dummies with bias and factor 0.
typedef struct qk_row_plan {
  int32_t first, count;
  int32_t column8[QK_GEMM_ROWS / QK_GEMM_GROUP];
  int32_t column4[QK_GEMM_ROWS / QK_GEMM_GROUP];
  uint8_t rank[QK_GEMM_ROWS];
  int8_t is8[QK_GEMM_ROWS];       ///< −1: 8-bit row, 0: 4-bit row
  int32_t bias[QK_GEMM_ROWS];
  double factor[QK_GEMM_ROWS];    ///< qk_requantiser_factor, exact
} qk_row_plan;

/// A micro-kernel. Operands have layouts of the kernel's own; the driver only knows their sizes.
typedef struct qk_gemm_kernel {
  const char *name;
  int32_t tile_tokens;        ///< tokens of a full tile; blocks of tokens are multiples of it
  int32_t activation_bytes;   ///< of one prepared activation, at most 2
  int32_t panel_bytes;        ///< of one k of a prepared panel of 16 rows, at most 32

  /// Prepares `depth` codes of one token, followed by zeros up to `padded` (a multiple of 4).
  void (*load_activations)(const void *codes, int is_unsigned, int32_t depth, int32_t padded, void *out);
  /// Prepares `depth` (a multiple of 4) k of an 8-bit or 4-bit panel.
  void (*load_panel8)(const uint8_t *panel, int32_t depth, void *out);
  void (*load_panel4)(const uint8_t *panel, int32_t depth, void *out);
  /// acc[t][0…15] (+)= Σ_k; `stride` counts codes between tokens, acc_stride elements.
  void (*multiply)(const void *activations, size_t stride, int32_t tokens, const void *panel, int32_t depth,
                   int32_t *acc, size_t acc_stride, int accumulate);
  /// Turns the accumulators of tokens first…first+tokens−1 into their part of the output, in row order.
  void (*finish)(const qk_gemm_arguments *arguments, const qk_row_plan *plan, int32_t first, int32_t tokens,
                 const int32_t *acc);
} qk_gemm_kernel;

/// Blocks, distributes and runs a checked call.
void qk_gemm_blocked(const qk_gemm_kernel *kernel, const qk_gemm_arguments *arguments);

#endif
