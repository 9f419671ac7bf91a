// The bfloat16 tile of 6 rows and 64 columns in 24 registers, and a kernel's two packings. A file defines, before it
// includes this inside its target attribute,
//
//   QK_BF16_PASSES                 multiply–adds per pair and element
//   qk_bf16_take(pass, pairs)      what a pass uses of 16 pairs
//   qk_bf16_add(sum, a, b)         sum after a pass
#include <immintrin.h>
#include <string.h>
#include "../../gemm/pack_words.h"
#include "rounding_x86.h"

static inline __m512i broadcast_pair(const uint32_t *pair) { return _mm512_set1_epi32((int32_t)*pair); }

/// `rows` and `panels` are constants after inlining.
QK_ALWAYS void tile(const int rows, const int panels, const qk_packed_words *a, const qk_packed_words *b, size_t pairs,
                    const qk_packed_sums *sums) {
  __m512 sum[6][QK_PACKED_PANELS];
  const uint32_t *row[6];
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++) {
    row[r] = a->words + (size_t)r * a->stride;
    // A register for every row: else the compiler derives the rows from each other by additions in the loop.
    __asm__("" : "+r"(row[r]));
#pragma clang loop unroll(full)
    for (int p = 0; p < panels; p++)
      sum[r][p] = sums->fresh ? _mm512_setzero_ps() : _mm512_loadu_ps(sums->values + (size_t)r * sums->stride + 16 * p);
  }
  const uint32_t *panel = b->words;
  const size_t step = a->step, panel_stride = b->stride;
  for (size_t k = 0, place = 0; k < pairs; k++, place += step) {
#pragma clang loop unroll(full)
    for (int pass = 0; pass < QK_BF16_PASSES; pass++) {
      __m512i column[QK_PACKED_PANELS];
#pragma clang loop unroll(full)
      for (int p = 0; p < panels; p++)
        column[p] = qk_bf16_take(pass, _mm512_loadu_si512(panel + (size_t)p * panel_stride + 16 * k));
#pragma clang loop unroll(full)
      for (int r = 0; r < rows; r++) {
        const __m512i x = qk_bf16_take(pass, broadcast_pair(row[r] + place));
#pragma clang loop unroll(full)
        for (int p = 0; p < panels; p++) sum[r][p] = qk_bf16_add(sum[r][p], x, column[p]);
      }
    }
  }
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
    for (int p = 0; p < panels; p++) _mm512_storeu_ps(sums->values + (size_t)r * sums->stride + 16 * p, sum[r][p]);
}

QK_ALWAYS void tiles(const int panels, qk_packed_words a, size_t rows, const qk_packed_words *b, size_t pairs,
                     qk_packed_sums sums) {
  for (; rows > 6; rows -= 6, a.words += 6 * a.stride, sums.values += 6 * sums.stride)
    tile(6, panels, &a, b, pairs, &sums);
  switch (rows) {
    case 1: tile(1, panels, &a, b, pairs, &sums); break;
    case 2: tile(2, panels, &a, b, pairs, &sums); break;
    case 3: tile(3, panels, &a, b, pairs, &sums); break;
    case 4: tile(4, panels, &a, b, pairs, &sums); break;
    case 5: tile(5, panels, &a, b, pairs, &sums); break;
    default: tile(6, panels, &a, b, pairs, &sums); break;
  }
}

static __attribute__((noinline)) void choose(const qk_packed_words *a, size_t rows, const qk_packed_words *b,
                                             size_t panels, size_t pairs, const qk_packed_sums *sums) {
  switch (panels) {
    case 1: tiles(1, *a, rows, b, pairs, *sums); break;
    case 2: tiles(2, *a, rows, b, pairs, *sums); break;
    case 3: tiles(3, *a, rows, b, pairs, *sums); break;
    default: tiles(4, *a, rows, b, pairs, *sums); break;
  }
}

static void multiply(const qk_packed_words *a, size_t rows, const qk_packed_words *b, size_t panels, size_t pairs,
                     const qk_packed_sums *sums) {
  const unsigned mode = qk_enter_flushing();
  choose(a, rows, b, panels, pairs, sums);
  qk_leave_flushing(mode);
}

static void pack_rows(const qk_packed_lines *lines, uint32_t *out, size_t stride) {
  qk_pack_words(1, lines, out, stride);
}

static void pack_panel(const qk_packed_lines *lines, uint32_t *out, size_t step) { qk_pack_words(0, lines, out, step); }
