// Packing of pairs of bfloat16, or of unchanged floats, on vectors of 16 words. Included inside a `#pragma clang
// attribute push` of some target.
//
// A file whose target converts floats to bfloat16 defines QK_TO_BFLOAT16(first, second), the 32 bfloat16 of two
// vectors.
//
// Where the lines of a source are strided, k is the outer step, and one or two stored rows make 16 words of a panel.
// Where they run along k, 16 or 32 elements of a line make 16 words of a row. The other layout is the transpose of
// 16×16 words.
#ifndef QK_PACK_WORDS_H
#define QK_PACK_WORDS_H

#include <string.h>
#include "packed_gemm.h"

typedef uint32_t qk_words __attribute__((vector_size(64)));
typedef float qk_reals __attribute__((vector_size(64)));
typedef uint16_t qk_halves __attribute__((vector_size(32)));
typedef uint16_t qk_all_halves __attribute__((vector_size(64)));
typedef int8_t qk_codes __attribute__((vector_size(16)));
typedef uint8_t qk_unsigned_codes __attribute__((vector_size(16)));

#define QK_ALWAYS static inline __attribute__((always_inline))

/// Loads sixteen elements as the bits of floats. Vectors pass through memory, because how a function gets 64 bytes
/// depends on the target; inlined, they stay in registers.
QK_ALWAYS void qk_load_elements(const qk_bf16_element element, const uint8_t *source, qk_words *out) {
  if (element == QK_BF16_INT8) {
    qk_codes codes;
    memcpy(&codes, source, sizeof codes);
    *out = (qk_words)__builtin_convertvector(codes, qk_reals);
    return;
  }
  if (element == QK_BF16_UINT8) {
    qk_unsigned_codes codes;
    memcpy(&codes, source, sizeof codes);
    *out = (qk_words)__builtin_convertvector(codes, qk_reals);
    return;
  }
  memcpy(out, source, sizeof *out);
}

#ifdef QK_TO_BFLOAT16
QK_ALWAYS void qk_words_of_run(const qk_bf16_element element, qk_words *first, qk_words *second, qk_words *out) {
  (void)element;
  *out = (qk_words)QK_TO_BFLOAT16(*first, *second);
}

QK_ALWAYS void qk_words_of_pairs(const qk_bf16_element element, qk_words *first, qk_words *second, qk_words *out) {
  (void)element;
  const qk_all_halves both = (qk_all_halves)QK_TO_BFLOAT16(*first, *second);
  *out = (qk_words)__builtin_shufflevector(both, both, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23, 8, 24, 9, 25,
                                           10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}
#else
/// Rounds so that the upper halves become the bfloat16; lower halves are arbitrary. Codes are already exact. Denormals
/// do not round up: what is left of them is a denormal, which the products take for zero.
QK_ALWAYS void qk_round(const qk_bf16_element element, qk_words *bits) {
  if (element != QK_BF16_FLOAT) return;
  const qk_words is_normal = (qk_words)((*bits & 0x7f800000) != 0);
  const qk_words rounded = *bits + ((0x7fff + (*bits >> 16 & 1)) & is_normal), quiet = *bits | 0x400000;
  const qk_words is_nan = (qk_words)((*bits & 0x7fffffff) > 0x7f800000);
  *bits = (quiet & is_nan) | (rounded & ~is_nan);
}

/// Makes words of 32 consecutive elements.
QK_ALWAYS void qk_words_of_run(const qk_bf16_element element, qk_words *first, qk_words *second, qk_words *out) {
  qk_round(element, first);
  qk_round(element, second);
  const qk_halves low = __builtin_convertvector(*first >> 16, qk_halves);
  const qk_halves high = __builtin_convertvector(*second >> 16, qk_halves);
  memcpy(out, &low, sizeof low);
  memcpy((uint8_t *)out + sizeof low, &high, sizeof high);
}

/// Makes words of 16 elements and the 16 that follow them in k.
QK_ALWAYS void qk_words_of_pairs(const qk_bf16_element element, qk_words *first, qk_words *second, qk_words *out) {
  qk_round(element, first);
  qk_round(element, second);
  *out = *first >> 16 | (*second & 0xffff0000);
}
#endif

/// One step of the transpose for rows i and i + s: exchanges the upper block of s words of one with the lower of the
/// other, in every 2s words.
#define QK_EXCHANGE(s)                                                                     \
  _Pragma("clang loop unroll(full)") for (int i = 0; i < 16; i++) {                        \
    if (i & s) continue;                                                                   \
    const qk_words upper = block[i], lower = block[i + s];                                 \
    block[i] = __builtin_shufflevector(upper, lower, QK_FIRST_##s);                        \
    block[i + s] = __builtin_shufflevector(upper, lower, QK_SECOND_##s);                   \
  }
#define QK_FIRST_1 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30
#define QK_SECOND_1 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31
#define QK_FIRST_2 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29
#define QK_SECOND_2 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31
#define QK_FIRST_4 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27
#define QK_SECOND_4 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31
#define QK_FIRST_8 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23
#define QK_SECOND_8 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31

QK_ALWAYS void qk_transpose(qk_words block[16]) {
  QK_EXCHANGE(8)
  QK_EXCHANGE(4)
  QK_EXCHANGE(2)
  QK_EXCHANGE(1)
}

/// Source of a word.
typedef enum qk_word_source {
  QK_PAIR_OF_FLOATS = QK_BF16_FLOAT, QK_PAIR_OF_INT8 = QK_BF16_INT8, QK_PAIR_OF_UINT8 = QK_BF16_UINT8, QK_ONE_FLOAT
} qk_word_source;

/// Loads sixteen lines of 16 floats: rows of the block are lines when `along_k`, else k.
QK_ALWAYS void qk_load_floats(const uint8_t *source, size_t outer, qk_words block[16]) {
  for (int i = 0; i < 16; i++) memcpy(&block[i], source + (size_t)i * outer, sizeof block[i]);
}

/// Loads sixteen lines of 32 elements: rows of the block are lines when `along_k`, else pairs. Stored rows are `outer`
/// bytes apart.
QK_ALWAYS void qk_load_block(const qk_bf16_element element, const int along_k, const uint8_t *source, size_t outer,
                             qk_words block[16]) {
  const size_t half = 16 * (element == QK_BF16_FLOAT ? sizeof(float) : 1);
  for (int i = 0; i < 16; i++) {
    const uint8_t *row = source + (size_t)i * (along_k ? outer : 2 * outer);
    qk_words first, second;
    qk_load_elements(element, row, &first);
    qk_load_elements(element, row + (along_k ? half : outer), &second);
    if (along_k) qk_words_of_run(element, &first, &second, &block[i]);
    else qk_words_of_pairs(element, &first, &second, &block[i]);
  }
}

/// Packs into rows (`to_rows`) that are `stride` words apart, or into columns of a panel whose lines are `stride` words
/// apart.
QK_ALWAYS void qk_pack_blocks(const qk_word_source from, const int along_k, const int to_rows, const qk_packed_lines *l,
                              uint32_t *out, size_t stride) {
  const size_t size = from == QK_PAIR_OF_FLOATS || from == QK_ONE_FLOAT ? sizeof(float) : 1;
  const size_t per_word = from == QK_ONE_FLOAT ? 1 : 2, whole = per_word * QK_PACKED_WORDS;
  const size_t outer = (along_k ? l->line_step : l->k_step) * size;
  for (size_t k = 0; k < l->depth; k += whole) {
    const uint8_t *source = (const uint8_t *)l->values + (along_k ? k * size : k * outer);
    const size_t depth = l->depth - k < whole ? l->depth - k : whole;
    // Fetches the next run of these lines: their source is read in pieces too short for the hardware to predict the
    // next.
    for (size_t i = 0; i < (along_k ? QK_PACKED_LINES : whole); i++)
      __builtin_prefetch(source + i * outer + QK_PACKED_RUN * per_word * (along_k ? size : outer));
    size_t step_of_source = outer;
    uint8_t copy[16 * 32 * sizeof(float)];
    if (l->lines < QK_PACKED_LINES || depth < whole) {
      // At the edges, works on a copy padded with zeros: bytes past the operand's rows may not be readable.
      memset(copy, 0, sizeof copy);
      const size_t rows = along_k ? l->lines : depth, width = along_k ? depth : l->lines;
      step_of_source = (along_k ? whole : QK_PACKED_LINES) * size;
      for (size_t r = 0; r < rows; r++) memcpy(copy + r * step_of_source, source + r * outer, width * size);
      source = copy;
    }
    qk_words block[16];
    if (from == QK_ONE_FLOAT) qk_load_floats(source, step_of_source, block);
    else qk_load_block((qk_bf16_element)from, along_k, source, step_of_source, block);
    if (along_k != to_rows) qk_transpose(block);
    uint32_t *place = out + k / per_word * (to_rows ? 1 : stride);
    for (int i = 0; i < 16; i++) memcpy(place + (size_t)i * stride, &block[i], sizeof block[i]);
  }
}

QK_ALWAYS void qk_pack_elements(const qk_word_source from, const int to_rows, const qk_packed_lines *l, uint32_t *out,
                                size_t stride) {
  // A single stored row may have both steps 1; both readings of it are right.
  if (l->k_step == 1) qk_pack_blocks(from, 1, to_rows, l, out, stride);
  else qk_pack_blocks(from, 0, to_rows, l, out, stride);
}

QK_ALWAYS void qk_pack_words(const int to_rows, const qk_packed_lines *l, uint32_t *out, size_t stride) {
  switch (l->element) {
    case QK_BF16_FLOAT: qk_pack_elements(QK_PAIR_OF_FLOATS, to_rows, l, out, stride); break;
    case QK_BF16_INT8: qk_pack_elements(QK_PAIR_OF_INT8, to_rows, l, out, stride); break;
    case QK_BF16_UINT8: qk_pack_elements(QK_PAIR_OF_UINT8, to_rows, l, out, stride); break;
  }
}

#endif
