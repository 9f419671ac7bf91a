// bfloat16 products on AVX2 and FMA: a tile of 6 rows and one panel of 16 columns in 12 registers; each half of a pair
// becomes 8 floats by a mask or a shift.
#if defined(__x86_64__)
#include <immintrin.h>
#include "kernels_x86.h"

#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to=function)

#include "../../gemm/pack_words.h"
#include "rounding_x86.h"

/// Floats of the upper halves (pass 0) or of the lower halves.
static inline __m256 take(int pass, __m256i pairs, __m256i upper) {
  return _mm256_castsi256_ps(pass == 0 ? _mm256_and_si256(pairs, upper) : _mm256_slli_epi32(pairs, 16));
}

/// `rows` is a constant after inlining.
QK_ALWAYS void tile(const int rows, const qk_packed_words *a, const uint32_t *panel, size_t pairs,
                    const qk_packed_sums *sums) {
  __m256 sum[6][2];
  __m256i upper = _mm256_set1_epi32((int32_t)0xffff0000);
  // A mask whose value is not seen stays an AND; as a blend of 16-bit words it would have to take port 5.
  __asm__("" : "+x"(upper));
  const uint32_t *row[6];
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++) {
    row[r] = a->words + (size_t)r * a->stride;
    // A register for every row: else the compiler derives the rows from each other by additions in the loop.
    __asm__("" : "+r"(row[r]));
    const float *values = sums->values + (size_t)r * sums->stride;
    sum[r][0] = sums->fresh ? _mm256_setzero_ps() : _mm256_loadu_ps(values);
    sum[r][1] = sums->fresh ? _mm256_setzero_ps() : _mm256_loadu_ps(values + 8);
  }
  const size_t step = a->step;
  for (size_t k = 0, place = 0; k < pairs; k++, place += step) {
#pragma clang loop unroll(full)
    for (int pass = 0; pass < 2; pass++) {
      const __m256 left = take(pass, _mm256_loadu_si256((const __m256i *)(panel + 16 * k)), upper);
      const __m256 right = take(pass, _mm256_loadu_si256((const __m256i *)(panel + 16 * k + 8)), upper);
#pragma clang loop unroll(full)
      for (int r = 0; r < rows; r++) {
        const __m256 x = take(pass, _mm256_set1_epi32((int32_t)row[r][place]), upper);
        sum[r][0] = _mm256_fmadd_ps(x, left, sum[r][0]);
        sum[r][1] = _mm256_fmadd_ps(x, right, sum[r][1]);
      }
    }
  }
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++) {
    _mm256_storeu_ps(sums->values + (size_t)r * sums->stride, sum[r][0]);
    _mm256_storeu_ps(sums->values + (size_t)r * sums->stride + 8, sum[r][1]);
  }
}

static __attribute__((noinline)) void tiles(qk_packed_words a, size_t rows, const uint32_t *panel, size_t pairs,
                                            qk_packed_sums sums) {
  for (; rows > 6; rows -= 6, a.words += 6 * a.stride, sums.values += 6 * sums.stride) tile(6, &a, panel, pairs, &sums);
  switch (rows) {
    case 1: tile(1, &a, panel, pairs, &sums); break;
    case 2: tile(2, &a, panel, pairs, &sums); break;
    case 3: tile(3, &a, panel, pairs, &sums); break;
    case 4: tile(4, &a, panel, pairs, &sums); break;
    case 5: tile(5, &a, panel, pairs, &sums); break;
    default: tile(6, &a, panel, pairs, &sums); break;
  }
}

static void multiply(const qk_packed_words *a, size_t rows, const qk_packed_words *b, size_t panels, size_t pairs,
                     const qk_packed_sums *out) {
  qk_packed_sums sums = *out;
  const unsigned mode = qk_enter_flushing();
  for (size_t p = 0; p < panels; p++, sums.values += QK_PACKED_LINES) tiles(*a, rows, b->words + p * b->stride, pairs, sums);
  qk_leave_flushing(mode);
}

static void pack_rows(const qk_packed_lines *lines, uint32_t *out, size_t stride) {
  qk_pack_words(1, lines, out, stride);
}

static void pack_panel(const qk_packed_lines *lines, uint32_t *out, size_t step) { qk_pack_words(0, lines, out, step); }

const qk_packed_kernel qk_bf16_avx2 = {
  .name = "gemm_bf16_6x16_avx2_fma", .depth_of_word = 2, .pack_rows = pack_rows,
  .pack_panel = pack_panel, .multiply = multiply,
};

#pragma clang attribute pop
#endif
