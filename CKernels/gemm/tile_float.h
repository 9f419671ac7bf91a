// The float tile of 6 rows, in vectors of QK_FLOAT_LANES floats, QK_FLOAT_PANELS panels of 16 columns at a time, and a
// kernel's two packings. A file defines these two and includes this inside the target attribute of its instruction set, if
// it has one. Sums are one chain of fused multiply–adds over k, so that every set gives the same bits.
#include "pack_words.h"

enum { QK_FLOAT_VECTORS = QK_FLOAT_PANELS * QK_PACKED_LINES / QK_FLOAT_LANES };

typedef float qk_float_lanes __attribute__((ext_vector_type(QK_FLOAT_LANES), aligned(4)));

/// Vector i of the columns of `panels` panels, in one line of them.
#define QK_VECTOR_OF_PANELS(base, stride, i) \
  (*(const qk_float_lanes *)((base) + (size_t)((i) * QK_FLOAT_LANES / QK_PACKED_LINES) * (stride) \
                             + (i) * QK_FLOAT_LANES % QK_PACKED_LINES))

/// `rows` and `vectors` are constants after inlining.
QK_ALWAYS void tile(const int rows, const int vectors, const float *a, size_t a_stride, const float *panel,
                    size_t panel_stride, size_t words, float *sums) {
  qk_float_lanes sum[6][QK_FLOAT_VECTORS];
  const float *row[6];
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++) {
    row[r] = a + (size_t)r * a_stride;
    // A register for every row: else the compiler derives the rows from each other by additions in the loop.
    __asm__("" : "+r"(row[r]));
#pragma clang loop unroll(full)
    for (int i = 0; i < vectors; i++)
      sum[r][i] = *(const qk_float_lanes *)(sums + r * QK_PACKED_COLUMNS + i * QK_FLOAT_LANES);
  }
  for (size_t k = 0; k < words; k++, panel += QK_PACKED_LINES) {
    qk_float_lanes b[QK_FLOAT_VECTORS];
#pragma clang loop unroll(full)
    for (int i = 0; i < vectors; i++) b[i] = QK_VECTOR_OF_PANELS(panel, panel_stride, i);
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) {
      const qk_float_lanes x = row[r][k];
#pragma clang loop unroll(full)
      for (int i = 0; i < vectors; i++) sum[r][i] = __builtin_elementwise_fma(x, b[i], sum[r][i]);
    }
  }
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
    for (int i = 0; i < vectors; i++)
      *(qk_float_lanes *)(sums + r * QK_PACKED_COLUMNS + i * QK_FLOAT_LANES) = sum[r][i];
}

QK_ALWAYS void tiles(const int panels, const float *a, size_t a_stride, size_t rows, const float *panel,
                     size_t panel_stride, size_t words, float *sums) {
  const int vectors = panels * QK_PACKED_LINES / QK_FLOAT_LANES;
  for (; rows > 6; rows -= 6, a += 6 * a_stride, sums += 6 * QK_PACKED_COLUMNS)
    tile(6, vectors, a, a_stride, panel, panel_stride, words, sums);
  switch (rows) {
    case 1: tile(1, vectors, a, a_stride, panel, panel_stride, words, sums); break;
    case 2: tile(2, vectors, a, a_stride, panel, panel_stride, words, sums); break;
    case 3: tile(3, vectors, a, a_stride, panel, panel_stride, words, sums); break;
    case 4: tile(4, vectors, a, a_stride, panel, panel_stride, words, sums); break;
    case 5: tile(5, vectors, a, a_stride, panel, panel_stride, words, sums); break;
    default: tile(6, vectors, a, a_stride, panel, panel_stride, words, sums); break;
  }
}

static void multiply(const uint32_t *left, size_t a_stride, size_t rows, const uint32_t *right, size_t panel_stride,
                     size_t panels, size_t words, float *sums) {
  const float *a = (const float *)(const void *)left, *panel = (const float *)(const void *)right;
#if QK_FLOAT_PANELS == 1
  for (size_t p = 0; p < panels; p++)
    tiles(1, a, a_stride, rows, panel + p * panel_stride, panel_stride, words, sums + p * QK_PACKED_LINES);
#else
  switch (panels) {
    case 1: tiles(1, a, a_stride, rows, panel, panel_stride, words, sums); break;
    case 2: tiles(2, a, a_stride, rows, panel, panel_stride, words, sums); break;
    case 3: tiles(3, a, a_stride, rows, panel, panel_stride, words, sums); break;
    default: tiles(4, a, a_stride, rows, panel, panel_stride, words, sums); break;
  }
#endif
}

static void pack_rows(const qk_packed_lines *lines, uint32_t *out, size_t stride) {
  qk_pack_elements(QK_ONE_FLOAT, 1, lines, out, stride);
}

static void pack_panel(const qk_packed_lines *lines, uint32_t *out) { qk_pack_elements(QK_ONE_FLOAT, 0, lines, out, 0); }
