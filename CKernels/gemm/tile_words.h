// The tile of 6 rows of a product of packed words, in vectors of QK_TILE_LANES words, QK_TILE_PANELS panels of 16
// columns at a time, and a kernel's two packings. A file defines these two, and for pairs of bfloat16 also
//
//   QK_TILE_PASSES                 multiply–adds per pair
//   QK_TILE_TAKE(pass, words)      the part of a vector of words that a pass uses, as a vector of words
//   QK_TILE_ADD(sum, a, b)         sum after a pass, where it is not fma(a, b, sum)
//
// and includes this inside the target attribute of its instruction set, if it has one. Sums are one chain of fused
// multiply–adds over k, so every instruction set gives the same bits.
#include "pack_words.h"

#ifdef QK_TILE_PASSES
#define QK_TILE_PACK(to_rows, lines, out, stride) qk_pack_words(to_rows, lines, out, stride)
#else
#define QK_TILE_PACK(to_rows, lines, out, stride) qk_pack_elements(QK_ONE_FLOAT, to_rows, lines, out, stride)
#define QK_TILE_PASSES 1
#define QK_TILE_TAKE(pass, words) (words)
#endif
#ifndef QK_TILE_ADD
#define QK_TILE_ADD(sum, a, b) __builtin_elementwise_fma((qk_tile_floats)(a), (qk_tile_floats)(b), sum)
#endif

enum {
  QK_TILE_VECTORS = QK_TILE_PANELS * QK_PACKED_LINES / QK_TILE_LANES,
  QK_LINE_FLOATS = 16
};

typedef float qk_tile_floats __attribute__((ext_vector_type(QK_TILE_LANES), aligned(4)));
typedef uint32_t qk_tile_words __attribute__((ext_vector_type(QK_TILE_LANES), aligned(4)));

/// Vector i of the columns of several panels, at one k.
#define QK_VECTOR_OF_PANELS(base, stride, i) \
  (*(const qk_tile_words *)((base) + (size_t)((i) * QK_TILE_LANES / QK_PACKED_LINES) * (stride) \
                            + (i) * QK_TILE_LANES % QK_PACKED_LINES))

/// Sums, and the places of the next words.
typedef struct qk_tile_state {
  qk_tile_floats sum[QK_PACKED_TILE_ROWS][QK_TILE_VECTORS];
  const uint32_t *row[QK_PACKED_TILE_ROWS], *panel;
  size_t place;
  const uint8_t *fetched;
} qk_tile_state;

/// Adds the products of one word. `rows` and `vectors` are constants after inlining.
QK_ALWAYS void add_word(const int rows, const int vectors, size_t a_step, const qk_packed_words *b, size_t fetch_step,
                        qk_tile_state *t) {
  __builtin_prefetch(t->fetched, 0, 2);
#pragma clang loop unroll(full)
  for (int pass = 0; pass < QK_TILE_PASSES; pass++) {
    qk_tile_words column[QK_TILE_VECTORS];
#pragma clang loop unroll(full)
    for (int i = 0; i < vectors; i++) column[i] = QK_TILE_TAKE(pass, QK_VECTOR_OF_PANELS(t->panel, b->stride, i));
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) {
      const qk_tile_words x = QK_TILE_TAKE(pass, (qk_tile_words)t->row[r][t->place]);
#pragma clang loop unroll(full)
      for (int i = 0; i < vectors; i++) t->sum[r][i] = QK_TILE_ADD(t->sum[r][i], x, column[i]);
    }
  }
  t->fetched += fetch_step;
  t->panel += b->step;
  t->place += a_step;
}

/// Multiplies one tile and requests the sums of the `following` rows below line by line on the way. A core waits for
/// two dozen lines at most, and products stand still while more are requested at once.
QK_ALWAYS void tile(const int rows, const int vectors, const qk_packed_words *a, const qk_packed_words *b, size_t words,
                    const qk_packed_sums *sums, size_t following, const qk_packed_fetch *fetch) {
  qk_tile_state t = { .panel = b->words, .fetched = fetch->from };
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++) {
    t.row[r] = a->words + (size_t)r * a->stride;
    // One register per row: otherwise the compiler derives the rows from each other by additions in the loop.
    __asm__("" : "+r"(t.row[r]));
#pragma clang loop unroll(full)
    for (int i = 0; i < vectors; i++) {
      const float *values = sums->values + (size_t)r * sums->stride + i * QK_TILE_LANES;
      t.sum[r][i] = sums->fresh ? (qk_tile_floats)0 : *(const qk_tile_floats *)values;
    }
  }
  const size_t lines = (size_t)vectors * QK_TILE_LANES / QK_LINE_FLOATS;
  const size_t asked = following * lines < words ? following * lines : words;
  size_t k = 0;
  for (; k < asked; k++) {
    __builtin_prefetch(sums->values + (QK_PACKED_TILE_ROWS + k / lines) * sums->stride + k % lines * QK_LINE_FLOATS, 1);
    add_word(rows, vectors, a->step, b, fetch->step, &t);
  }
  for (; k < words; k++) add_word(rows, vectors, a->step, b, fetch->step, &t);
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
    for (int i = 0; i < vectors; i++)
      *(qk_tile_floats *)(sums->values + (size_t)r * sums->stride + i * QK_TILE_LANES) = t.sum[r][i];
}

QK_ALWAYS void tiles(const int panels, qk_packed_words a, size_t rows, const qk_packed_words *b, size_t words,
                     qk_packed_sums sums, qk_packed_fetch fetch) {
  const int vectors = panels * QK_PACKED_LINES / QK_TILE_LANES;
  for (; rows > QK_PACKED_TILE_ROWS; rows -= QK_PACKED_TILE_ROWS) {
    const size_t following = rows - QK_PACKED_TILE_ROWS < QK_PACKED_TILE_ROWS ? rows - QK_PACKED_TILE_ROWS : QK_PACKED_TILE_ROWS;
    tile(QK_PACKED_TILE_ROWS, vectors, &a, b, words, &sums, following, &fetch);
    a.words += QK_PACKED_TILE_ROWS * a.stride;
    sums.values += QK_PACKED_TILE_ROWS * sums.stride;
    fetch.from += QK_PACKED_TILE_ROWS * sizeof(uint32_t);
  }
  switch (rows) {
    case 1: tile(1, vectors, &a, b, words, &sums, 0, &fetch); break;
    case 2: tile(2, vectors, &a, b, words, &sums, 0, &fetch); break;
    case 3: tile(3, vectors, &a, b, words, &sums, 0, &fetch); break;
    case 4: tile(4, vectors, &a, b, words, &sums, 0, &fetch); break;
    case 5: tile(5, vectors, &a, b, words, &sums, 0, &fetch); break;
    default: tile(6, vectors, &a, b, words, &sums, 0, &fetch); break;
  }
}

/// The `multiply` of a kernel. Not inlined: bfloat16 sums are formed in a mode that their caller sets.
static __attribute__((noinline)) void multiply_words(const qk_packed_words *a, size_t rows, const qk_packed_words *b,
                                                     size_t panels, size_t words, const qk_packed_sums *sums,
                                                     const qk_packed_fetch *fetch) {
#if QK_TILE_PANELS == 1
  qk_packed_words panel = *b;
  qk_packed_sums its_sums = *sums;
  for (size_t p = 0; p < panels; p++, panel.words += b->stride, its_sums.values += QK_PACKED_LINES)
    tiles(1, *a, rows, &panel, words, its_sums, *fetch);
#else
  switch (panels) {
    case 1: tiles(1, *a, rows, b, words, *sums, *fetch); break;
    case 2: tiles(2, *a, rows, b, words, *sums, *fetch); break;
    case 3: tiles(3, *a, rows, b, words, *sums, *fetch); break;
    default: tiles(4, *a, rows, b, words, *sums, *fetch); break;
  }
#endif
}

static void pack_rows(const qk_packed_lines *lines, uint32_t *out, size_t stride) { QK_TILE_PACK(1, lines, out, stride); }

static void pack_panel(const qk_packed_lines *lines, uint32_t *out, size_t step) { QK_TILE_PACK(0, lines, out, step); }
