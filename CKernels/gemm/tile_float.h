// The float tile of 6 rows, in vectors of QK_FLOAT_LANES floats, QK_FLOAT_PANELS panels of 16 columns at a time, and a
// kernel's two packings. A file defines these two and includes this inside the target attribute of its instruction set, if
// it has one. Sums are one chain of fused multiply–adds over k, so that every set gives the same bits.
#include "pack_words.h"

enum { QK_FLOAT_VECTORS = QK_FLOAT_PANELS * QK_PACKED_LINES / QK_FLOAT_LANES };

typedef float qk_float_lanes __attribute__((ext_vector_type(QK_FLOAT_LANES), aligned(4)));

/// Vector i of the columns of some panels, at one k.
#define QK_VECTOR_OF_PANELS(base, stride, i) \
  (*(const qk_float_lanes *)((base) + (size_t)((i) * QK_FLOAT_LANES / QK_PACKED_LINES) * (stride) \
                             + (i) * QK_FLOAT_LANES % QK_PACKED_LINES))

/// Operands as qk_packed_words describes them.
typedef struct float_operand {
  const float *values;
  size_t stride, step;
} float_operand;

/// `rows` and `vectors` are constants after inlining.
QK_ALWAYS void tile(const int rows, const int vectors, const float_operand *a, const float_operand *b, size_t words,
                    const qk_packed_sums *sums) {
  const float *panel = b->values;
  const size_t a_step = a->step, panel_stride = b->stride, panel_step = b->step;
  qk_float_lanes sum[6][QK_FLOAT_VECTORS];
  const float *row[6];
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++) {
    row[r] = a->values + (size_t)r * a->stride;
    // A register for every row: else the compiler derives the rows from each other by additions in the loop.
    __asm__("" : "+r"(row[r]));
#pragma clang loop unroll(full)
    for (int i = 0; i < vectors; i++) {
      const float *values = sums->values + (size_t)r * sums->stride + i * QK_FLOAT_LANES;
      sum[r][i] = sums->fresh ? (qk_float_lanes)0 : *(const qk_float_lanes *)values;
    }
  }
  size_t place = 0;
  for (size_t k = 0; k < words; k++, panel += panel_step, place += a_step) {
    qk_float_lanes column[QK_FLOAT_VECTORS];
#pragma clang loop unroll(full)
    for (int i = 0; i < vectors; i++) column[i] = QK_VECTOR_OF_PANELS(panel, panel_stride, i);
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) {
      const qk_float_lanes x = row[r][place];
#pragma clang loop unroll(full)
      for (int i = 0; i < vectors; i++) sum[r][i] = __builtin_elementwise_fma(x, column[i], sum[r][i]);
    }
  }
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
    for (int i = 0; i < vectors; i++)
      *(qk_float_lanes *)(sums->values + (size_t)r * sums->stride + i * QK_FLOAT_LANES) = sum[r][i];
}

QK_ALWAYS void tiles(const int panels, float_operand a, size_t rows, const float_operand *b, size_t words,
                     qk_packed_sums sums) {
  const int vectors = panels * QK_PACKED_LINES / QK_FLOAT_LANES;
  for (; rows > 6; rows -= 6, a.values += 6 * a.stride, sums.values += 6 * sums.stride)
    tile(6, vectors, &a, b, words, &sums);
  switch (rows) {
    case 1: tile(1, vectors, &a, b, words, &sums); break;
    case 2: tile(2, vectors, &a, b, words, &sums); break;
    case 3: tile(3, vectors, &a, b, words, &sums); break;
    case 4: tile(4, vectors, &a, b, words, &sums); break;
    case 5: tile(5, vectors, &a, b, words, &sums); break;
    default: tile(6, vectors, &a, b, words, &sums); break;
  }
}

static void multiply(const qk_packed_words *left, size_t rows, const qk_packed_words *right, size_t panels, size_t words,
                     const qk_packed_sums *out) {
  qk_packed_sums sums = *out;
  const float_operand a = { (const float *)(const void *)left->words, left->stride, left->step };
  float_operand b = { (const float *)(const void *)right->words, right->stride, right->step };
#if QK_FLOAT_PANELS == 1
  for (size_t p = 0; p < panels; p++, b.values += b.stride, sums.values += QK_PACKED_LINES) tiles(1, a, rows, &b, words, sums);
#else
  switch (panels) {
    case 1: tiles(1, a, rows, &b, words, sums); break;
    case 2: tiles(2, a, rows, &b, words, sums); break;
    case 3: tiles(3, a, rows, &b, words, sums); break;
    default: tiles(4, a, rows, &b, words, sums); break;
  }
#endif
}

static void pack_rows(const qk_packed_lines *lines, uint32_t *out, size_t stride) {
  qk_pack_elements(QK_ONE_FLOAT, 1, lines, out, stride);
}

static void pack_panel(const qk_packed_lines *lines, uint32_t *out, size_t step) {
  qk_pack_elements(QK_ONE_FLOAT, 0, lines, out, step);
}
