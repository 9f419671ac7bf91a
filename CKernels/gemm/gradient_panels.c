// Codes as panels of 16-bit pairs, the exact operand of the backward products.
#include "../elementwise/float_common.h"
#include "../elementwise/lanes.h"
#include "ckernels/gradient.h"

/// Code minus zero as the low 16 bits of a lane.
static inline uint32_t pair_half(const uint8_t *code, int is_unsigned, int32_t zero) {
  return (uint32_t)((is_unsigned ? *code : (int8_t)*code) - zero) & 0xffff;
}

typedef uint8_t unsigned_byte_lanes __attribute__((vector_size(8), aligned(1)));

#define LOAD_CODES(place, is_unsigned)                                                   \
  ((is_unsigned) ? __builtin_convertvector(*(const unsigned_byte_lanes *)(place), int_lanes) : LOAD_BYTES(place))

/// Lines of all panels from a pair of rows; b is null behind the last row of an odd number.
static inline __attribute__((always_inline)) void pair_of_rows(size_t columns, const uint8_t *a, const uint8_t *b,
                                                               const int is_unsigned, int32_t zero, size_t step,
                                                               int16_t *out) {
  const size_t whole = columns / QK_GRADIENT_COLUMNS * QK_GRADIENT_COLUMNS;
  for (size_t c = 0; c < whole; c += QK_GRADIENT_COLUMNS, out += step)
    for (size_t half = 0; half < QK_GRADIENT_COLUMNS; half += QK_LANES) {
      const word_lanes low = (word_lanes)(LOAD_CODES(a + c + half, is_unsigned) - zero);
      word_lanes high = { 0 };
      if (b) high = (word_lanes)(LOAD_CODES(b + c + half, is_unsigned) - zero);
      *(word_lanes *)(out + 2 * half) = high << 16 | (low & 0xffff);
    }
  if (whole == columns) return;
  uint32_t line[QK_GRADIENT_COLUMNS] = { 0 };
  for (size_t c = whole; c < columns; c++)
    line[c - whole] = pair_half(a + c, is_unsigned, zero) | (b ? pair_half(b + c, is_unsigned, zero) << 16 : 0);
  memcpy(out, line, sizeof line);
}

QK_PASS void qk_gradient_code_panels(size_t rows, size_t columns, const void *codes, size_t stride, int is_unsigned,
                                     int32_t zero, int16_t *panels) {
  const size_t step = qk_blocks(rows, 2) * 2 * QK_GRADIENT_COLUMNS;
  for (size_t r = 0; r < rows; r += 2) {
    const uint8_t *a = (const uint8_t *)codes + r * stride;
    int16_t *out = panels + r * QK_GRADIENT_COLUMNS;
    if (r + 1 == rows) {
      if (is_unsigned) pair_of_rows(columns, a, NULL, 1, zero, step, out);
      else pair_of_rows(columns, a, NULL, 0, zero, step, out);
    } else {
      if (is_unsigned) pair_of_rows(columns, a, a + stride, 1, zero, step, out);
      else pair_of_rows(columns, a, a + stride, 0, zero, step, out);
    }
  }
}

QK_PASS void qk_gradient_transposed_panels(size_t rows, size_t columns, const int8_t *codes, size_t stride,
                                           int16_t *panels) {
  const size_t pairs = qk_blocks(rows, 2), step = pairs * 2 * QK_GRADIENT_COLUMNS;
  for (size_t c = 0; c < qk_blocks(columns, QK_GRADIENT_COLUMNS) * QK_GRADIENT_COLUMNS; c++) {
    uint32_t *out = (uint32_t *)(void *)(panels + c / QK_GRADIENT_COLUMNS * step) + c % QK_GRADIENT_COLUMNS;
    const int8_t *line = codes + c * stride;
    for (size_t p = 0; p < pairs; p++, out += QK_GRADIENT_COLUMNS) {
      const uint32_t low = c < columns ? (uint32_t)line[2 * p] & 0xffff : 0;
      *out = low | (c < columns && 2 * p + 1 < rows ? (uint32_t)line[2 * p + 1] << 16 : 0);
    }
  }
}
