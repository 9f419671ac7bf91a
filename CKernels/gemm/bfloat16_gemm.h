// What the bfloat16 driver asks of a micro-kernel, and what the reference shares with the driver.
#ifndef QK_BFLOAT16_GEMM_H
#define QK_BFLOAT16_GEMM_H

#include "ckernels/bfloat16.h"

enum {
  QK_BF16_LINES = 16,        ///< lines (rows of A or columns of B) that are packed together, columns of a panel
  QK_BF16_PANELS = 4,        ///< panels that one call of a kernel multiplies
  QK_BF16_COLUMNS = QK_BF16_PANELS * QK_BF16_LINES,
  QK_BF16_PAIRS = 16,        ///< pairs of k that are packed together: packed lines are padded to whole ones with zeros
  QK_BF16_ROW_STEP = 24      ///< rows of one call of a kernel: its sums, 6 KiB, stay in the L1 cache
};

/// Up to 16 lines of an operand: values[line·line_step + k·k_step]; one of the steps is 1.
typedef struct qk_bf16_lines {
  const void *values;
  qk_bf16_element element;
  size_t line_step, k_step;
  size_t lines, depth;
} qk_bf16_lines;

/// A packed word holds the pair (k, k+1), k in its lower half.
typedef struct qk_bf16_kernel {
  const char *name;
  /// out[line·stride + pair] for 16 lines.
  void (*pack_rows)(const qk_bf16_lines *lines, uint32_t *out, size_t stride);
  /// out[16·pair + line].
  void (*pack_panel)(const qk_bf16_lines *lines, uint32_t *out);
  /// sums[64·row + column] goes on over `pairs` pairs, for 1…24 rows and 1…4 panels; strides in words.
  void (*multiply)(const uint32_t *a, size_t a_stride, size_t rows, const uint32_t *panel, size_t panel_stride,
                   size_t panels, size_t pairs, float *sums);
} qk_bf16_kernel;

qk_status qk_bf16_check(const qk_bf16_gemm_arguments *arguments);
/// Blocks, distributes and runs a checked call.
qk_status qk_bf16_blocked(const qk_bf16_kernel *kernel, const qk_bf16_gemm_arguments *arguments);
/// Scales sums[0…columns−1] of a row into its place in the output, from column `first` on.
void qk_bf16_finish_row(const qk_bf16_gemm_arguments *arguments, size_t row, size_t first, size_t columns,
                        const float *sums);

#endif
