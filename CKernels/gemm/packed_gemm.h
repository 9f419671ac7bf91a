// Interface between the driver of products of packed words and its micro-kernels, and what references share with the
// driver. A word is a pair of bfloat16, or one float.
#ifndef QK_PACKED_GEMM_H
#define QK_PACKED_GEMM_H

#include "ckernels/bfloat16.h"

enum {
  QK_PACKED_LINES = 16,        ///< lines (rows of A or columns of B) that are packed together, columns of a panel
  QK_PACKED_PANELS = 4,        ///< panels that one call of a kernel multiplies
  QK_PACKED_COLUMNS = QK_PACKED_PANELS * QK_PACKED_LINES,
  QK_PACKED_WORDS = 16,        ///< words that are packed together; packed lines are padded to a multiple with zeros
  QK_PACKED_RUN = 64,          ///< words of every line that are packed before the next words, a multiple of
                               ///< QK_PACKED_WORDS
  QK_PACKED_TILE_ROWS = 6,     ///< rows whose sums a kernel holds in registers
  QK_PACKED_ROW_STEP = 24      ///< rows of one call of a kernel: its sums, 6 KiB, stay in the L1 cache
};

/// Up to 16 lines of an operand: values[line·line_step + k·k_step]; one of the steps is 1.
typedef struct qk_packed_lines {
  const void *values;
  qk_bf16_element element;
  size_t line_step, k_step;
  size_t lines, depth;
} qk_packed_lines;

/// An operand, packed or in place. Word k of row r of A is words[r·stride + k·step]; word k of column c of panel p of B
/// is words[p·stride + k·step + c]. Packed panels have the step QK_PACKED_LINES. Packed rows are contiguous (step 1) or
/// interleaved word by word (stride 1), like their source. So only an operand that is not transposed and goes to
/// panels, or the reverse, is transposed while it is packed.
typedef struct qk_packed_words {
  const uint32_t *words;
  size_t stride, step;
} qk_packed_words;

/// The sums values[row·stride + column] of whole panels; with `fresh` they start from 0, whatever the memory holds.
typedef struct qk_packed_sums {
  float *values;
  size_t stride;
  int fresh;
} qk_packed_sums;

/// Memory that is needed next: while word k of row r is multiplied, the line at from + k·step + 4·r is requested.
typedef struct qk_packed_fetch {
  const uint8_t *from;
  size_t step;
} qk_packed_fetch;

/// A kernel. A word of bfloat16 holds the pair (k, k+1), k in its lower half.
typedef struct qk_packed_kernel {
  const char *name;
  size_t depth_of_word;  ///< k in a word: 2 or 1
  /// Packs 16 lines to out[line·stride + word].
  void (*pack_rows)(const qk_packed_lines *lines, uint32_t *out, size_t stride);
  /// Packs 16 lines to out[word·step + line].
  void (*pack_panel)(const qk_packed_lines *lines, uint32_t *out, size_t step);
  /// Continues the sums over `words` words, for 1…24 rows and 1…4 panels. Pairs are packed; floats may be in place. The
  /// kernel requests the lines of its sums, except those of the first QK_PACKED_TILE_ROWS rows.
  void (*multiply)(const qk_packed_words *a, size_t rows, const qk_packed_words *b, size_t panels, size_t words,
                   const qk_packed_sums *sums, const qk_packed_fetch *fetch);
} qk_packed_kernel;

extern const qk_packed_kernel qk_float_reference;

qk_status qk_bf16_check(const qk_bf16_gemm_arguments *arguments);
/// Cuts, distributes and runs a checked call; floats are multiplied as the kernel packs them.
qk_status qk_packed_multiply(const qk_packed_kernel *kernel, const qk_bf16_gemm_arguments *arguments);
/// Brings sums[0…columns−1] of a row, at most QK_PACKED_COLUMNS, to their place in the output, from column `first` on:
/// scaled, with the bias, and added to the old output when accumulating.
void qk_packed_finish_row(const qk_bf16_gemm_arguments *arguments, size_t row, size_t first, size_t columns,
                          const float *sums);

#endif
