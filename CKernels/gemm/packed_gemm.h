// What the driver of products of packed words asks of a micro-kernel, and what references share with the driver. A word is
// a pair of bfloat16, or one float.
#ifndef QK_PACKED_GEMM_H
#define QK_PACKED_GEMM_H

#include "ckernels/bfloat16.h"

enum {
  QK_PACKED_LINES = 16,        ///< lines (rows of A or columns of B) that are packed together, columns of a panel
  QK_PACKED_PANELS = 4,        ///< panels that one call of a kernel multiplies
  QK_PACKED_COLUMNS = QK_PACKED_PANELS * QK_PACKED_LINES,
  QK_PACKED_WORDS = 16,        ///< words that are packed together: packed lines are padded to whole ones with zeros
  QK_PACKED_RUN = 64,          ///< words of all lines that are packed before the next, whole QK_PACKED_WORDS
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

/// An operand, packed or as it lies: word k of row r of A is words[r·stride + k·step], that of column c of panel p of B
/// words[p·stride + k·step + c]. Packed panels have the step QK_PACKED_LINES; packed rows lie each for itself (step 1) or
/// word beside word (stride 1), as their source does, so that only one that is not transposed and goes to panels, or the
/// reverse, is transposed while it is packed.
typedef struct qk_packed_words {
  const uint32_t *words;
  size_t stride, step;
} qk_packed_words;

/// values[row·stride + column], whole panels; `fresh`: they start from 0, whatever is there.
typedef struct qk_packed_sums {
  float *values;
  size_t stride;
  int fresh;
} qk_packed_sums;

/// What will be needed next: while word k of row r is multiplied, the line at from + k·step + 4·r is asked for.
typedef struct qk_packed_fetch {
  const uint8_t *from;
  size_t step;
} qk_packed_fetch;

/// A word of bfloat16 holds the pair (k, k+1), k in its lower half.
typedef struct qk_packed_kernel {
  const char *name;
  size_t depth_of_word;  ///< k in a word: 2 or 1
  /// out[line·stride + word] for 16 lines.
  void (*pack_rows)(const qk_packed_lines *lines, uint32_t *out, size_t stride);
  /// out[word·step + line].
  void (*pack_panel)(const qk_packed_lines *lines, uint32_t *out, size_t step);
  /// The sums go on over `words` words, for 1…24 rows and 1…4 panels. Pairs come packed, floats either way. The kernel asks
  /// for the lines of its sums, but for those of the first QK_PACKED_TILE_ROWS rows.
  void (*multiply)(const qk_packed_words *a, size_t rows, const qk_packed_words *b, size_t panels, size_t words,
                   const qk_packed_sums *sums, const qk_packed_fetch *fetch);
} qk_packed_kernel;

extern const qk_packed_kernel qk_float_reference;

qk_status qk_bf16_check(const qk_bf16_gemm_arguments *arguments);
/// Blocks, distributes and runs a checked call; floats are multiplied as the kernel packs them.
qk_status qk_packed_multiply(const qk_packed_kernel *kernel, const qk_bf16_gemm_arguments *arguments);
/// Brings sums[0…columns−1], at most QK_PACKED_COLUMNS, of a row to their place in the output, from column `first` on: scaled,
/// with the bias, onto what is there.
void qk_packed_finish_row(const qk_bf16_gemm_arguments *arguments, size_t row, size_t first, size_t columns,
                          const float *sums);

#endif
