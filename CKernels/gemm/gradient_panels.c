// Lays out codes as panels, the exact operand of the backward products.
#define QK_LANES 16
#include "../elementwise/float_common.h"
#include "../elementwise/lanes.h"
#include "ckernels/gradient.h"

/// Code minus zero as the low 16 bits of a lane.
static inline uint32_t pair_half(const uint8_t *code, int is_unsigned, int32_t zero) {
  return (uint32_t)((is_unsigned ? *code : (int8_t)*code) - zero) & 0xffff;
}

#define LOAD_CODES(place, is_unsigned) ((is_unsigned) ? LOAD_UNSIGNED(place) : LOAD_BYTES(place))

/// Writes the lines of all panels from a pair of rows; b is null after the last row of an odd number.
static inline __attribute__((always_inline)) void pair_of_rows(size_t columns, const uint8_t *a, const uint8_t *b,
                                                               const int is_unsigned, int32_t zero, size_t step,
                                                               int16_t *out) {
  const size_t whole = columns / QK_GRADIENT_COLUMNS * QK_GRADIENT_COLUMNS;
  for (size_t c = 0; c < whole; c += QK_GRADIENT_COLUMNS, out += step) {
    const word_lanes low = (word_lanes)(LOAD_CODES(a + c, is_unsigned) - zero);
    word_lanes high = { 0 };
    if (b) high = (word_lanes)(LOAD_CODES(b + c, is_unsigned) - zero);
    *(word_lanes *)out = high << 16 | (low & 0xffff);
  }
  if (whole == columns) return;
  uint32_t line[QK_GRADIENT_COLUMNS] = { 0 };
  for (size_t c = whole; c < columns; c++)
    line[c - whole] = pair_half(a + c, is_unsigned, zero) | (b ? pair_half(b + c, is_unsigned, zero) << 16 : 0);
  memcpy(out, line, sizeof line);
}

QK_CLONES static void word_panels(size_t rows, size_t columns, const void *codes, size_t stride, int is_unsigned,
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

/// Writes the lines of all panels from four rows, with the bits of `flip` inverted; rows from `count` on are zeros.
static inline __attribute__((always_inline)) void four_rows(size_t columns, const uint8_t *codes, size_t stride,
                                                            const int count, uint32_t flip, size_t step, uint8_t *out) {
  const size_t whole = columns / QK_GRADIENT_COLUMNS * QK_GRADIENT_COLUMNS;
  const word_lanes flips = (word_lanes){ 0 } + flip;
  for (size_t c = 0; c < whole; c += QK_GRADIENT_COLUMNS, out += step) {
    word_lanes line = { 0 };
#pragma clang loop unroll(full)
    for (int r = 0; r < count; r++)
      line |= __builtin_convertvector(*(const unsigned_byte_lanes *)(codes + (size_t)r * stride + c), word_lanes) << 8 * r;
    *(word_lanes *)(void *)out = line ^ flips;
  }
  if (whole == columns) return;
  uint32_t line[QK_GRADIENT_COLUMNS] = { 0 };
  for (size_t c = whole; c < columns; c++) {
    for (int r = 0; r < count; r++) line[c - whole] |= (uint32_t)codes[(size_t)r * stride + c] << 8 * r;
    line[c - whole] ^= flip;
  }
  memcpy(out, line, sizeof line);
}

/// code + 128 is the code with its sign bit inverted.
#define SIGNS 0x80808080u

QK_CLONES static void byte_panels(size_t rows, size_t columns, const uint8_t *codes, size_t stride, uint32_t flip,
                                  uint8_t *panels) {
  const size_t step = qk_blocks(rows, 4) * QK_GRADIENT_LINE_BYTES;
  size_t r = 0;
  for (; r + 4 <= rows; r += 4, codes += 4 * stride, panels += QK_GRADIENT_LINE_BYTES)
    four_rows(columns, codes, stride, 4, flip, step, panels);
  switch (rows - r) {
    case 1: four_rows(columns, codes, stride, 1, flip & 0xff, step, panels); break;
    case 2: four_rows(columns, codes, stride, 2, flip & 0xffff, step, panels); break;
    case 3: four_rows(columns, codes, stride, 3, flip & 0xffffff, step, panels); break;
    default: break;
  }
}

int32_t qk_gradient_offset(qk_gradient_form form, int is_unsigned, int32_t zero) {
  if (form != QK_GRADIENT_BYTES) return 0;
  return is_unsigned ? zero : zero + 128;
}

void qk_gradient_code_panels(qk_gradient_form form, size_t rows, size_t columns, const void *codes, size_t stride,
                             int is_unsigned, int32_t zero, void *panels) {
  if (form == QK_GRADIENT_WORDS) word_panels(rows, columns, codes, stride, is_unsigned, zero, panels);
  else byte_panels(rows, columns, codes, stride, form == QK_GRADIENT_BYTES && !is_unsigned ? SIGNS : 0, panels);
}

static inline uint32_t four_codes(const int8_t *codes) {
  uint32_t word;
  memcpy(&word, codes, sizeof word);
  return word;
}

/// Lane i: codes 4q … 4q + 3 of row i of 16.
#define ROW(i) four_codes(codes + (i) * stride)
#define SIXTEEN_ROWS                                                                                             \
  (word_lanes){ ROW(0), ROW(1), ROW(2), ROW(3), ROW(4), ROW(5), ROW(6), ROW(7), ROW(8), ROW(9), ROW(10), ROW(11), \
                ROW(12), ROW(13), ROW(14), ROW(15) }

/// Writes two lines of one panel of words, k = 4q … 4q + 3, from 16 rows of codes.
static inline __attribute__((always_inline)) void two_lines(const int8_t *codes, size_t stride, int16_t *out) {
  const int_lanes w = (int_lanes)SIXTEEN_ROWS;
  const int_lanes first = w << 24 >> 24, second = w << 16 >> 24, third = w << 8 >> 24, fourth = w >> 24;
  *(word_lanes *)out = (word_lanes)second << 16 | ((word_lanes)first & 0xffff);
  *(word_lanes *)(out + 2 * QK_GRADIENT_COLUMNS) = (word_lanes)fourth << 16 | ((word_lanes)third & 0xffff);
}

/// Writes one code of the transpose.
static void put_code(qk_gradient_form form, size_t row, int8_t code, uint8_t *panel, size_t column) {
  const size_t group = qk_gradient_group(form), width = qk_gradient_element(form);
  uint8_t *place = panel + row / group * QK_GRADIENT_LINE_BYTES + column * QK_GRADIENT_GROUP_BYTES + row % group * width;
  const int16_t value = (int16_t)(code + qk_gradient_offset(form, 0, 0));
  memcpy(place, &value, width);
}

QK_CLONES void qk_gradient_transposed_panels(qk_gradient_form form, size_t rows, size_t columns, const int8_t *codes,
                                             size_t stride, void *out) {
  uint8_t *panels = out;
  const int is_words = form == QK_GRADIENT_WORDS;
  const size_t step = qk_gradient_panel_bytes(form, rows, 1);
  const size_t whole = rows % 4 == 0 ? columns / QK_GRADIENT_COLUMNS * QK_GRADIENT_COLUMNS : 0;
  for (size_t c = 0; c < whole; c += QK_GRADIENT_COLUMNS, codes += QK_GRADIENT_COLUMNS * stride, panels += step) {
    const int8_t *first = codes;
    for (size_t k = 0; k < rows; k += 4, codes += 4) {
      if (is_words) two_lines(codes, stride, (int16_t *)(void *)(panels + k / 2 * QK_GRADIENT_LINE_BYTES));
      else *(word_lanes *)(void *)(panels + k / 4 * QK_GRADIENT_LINE_BYTES) = SIXTEEN_ROWS ^ SIGNS;
    }
    codes = first;
  }
  memset(panels, 0, qk_gradient_panel_bytes(form, rows, columns - whole));
  for (size_t c = 0; c < columns - whole; c++, codes += stride)
    for (size_t k = 0; k < rows; k++)
      put_code(form, k, codes[k], panels + c / QK_GRADIENT_COLUMNS * step, c % QK_GRADIENT_COLUMNS);
}
