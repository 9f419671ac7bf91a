// Backward products on vpmaddwd with registers of 8 lanes: tiles of 4 rows and 16 columns.
#if defined(__x86_64__)
#include <immintrin.h>
#include "kernels_x86.h"

#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to=function)

/// Finishes a sum that starts at lane `column` of the tile's row `row`: 8 columns, of which the last ones may be beyond
/// the output.
static inline void finish(const qk_gradient_tile *t, __m256i sum, int32_t row, int32_t column) {
  const int32_t columns = t->columns - column;
  if (columns <= 0) return;
  const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  const __m256i mask = _mm256_cmpgt_epi32(_mm256_set1_epi32(columns), lanes);
  const size_t at = t->addends.at + (size_t)row * t->addends.stride + (size_t)column;
  float *out = t->output + (size_t)row * t->output_stride + column;
  __m256 value = _mm256_mul_ps(_mm256_cvtepi32_ps(sum), _mm256_set1_ps(t->scale[row]));
  for (int32_t i = 0; i < t->addends.count; i++) {
    const float *addend = t->addends.values[i] + at;
    value = _mm256_add_ps(columns >= 8 ? _mm256_loadu_ps(addend) : _mm256_maskload_ps(addend, mask), value);
  }
  value = _mm256_mul_ps(value, _mm256_set1_ps(t->factor));
  if (columns >= 8) _mm256_storeu_ps(out, value);
  else _mm256_maskstore_ps(out, mask, value);
}

static inline __m256i words(__m256i sum, __m256i a, __m256i b) { return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b)); }

/// Adds four products of an int8 and a uint8, exactly: products of words from the even bytes and from the odd ones.
static inline __m256i bytes(__m256i sum, __m256i a, __m256i b) {
  __m256i even = _mm256_madd_epi16(_mm256_srai_epi16(_mm256_slli_epi16(a, 8), 8),
                                   _mm256_and_si256(b, _mm256_set1_epi16(0xff)));
  __m256i odd = _mm256_madd_epi16(_mm256_srai_epi16(a, 8), _mm256_srli_epi16(b, 8));
  // Same order as in tile_avx2.c.
  __asm__("" : "+x"(even), "+x"(odd));
  return _mm256_add_epi32(sum, _mm256_add_epi32(even, odd));
}

/// The unsigned operand is the line for bytes, and the group for unsigned bytes.
static inline __m256i add(const qk_gradient_form form, __m256i sum, __m256i a, __m256i b) {
  switch (form) {
    case QK_GRADIENT_BYTES: return bytes(sum, a, b);
    case QK_GRADIENT_UNSIGNED_BYTES: return bytes(sum, b, a);
    default: return words(sum, a, b);
  }
}

/// `form` and `rows` are constants after inlining.
static inline __attribute__((always_inline)) void tile(const qk_gradient_form form, const int rows,
                                                       const qk_gradient_tile *t, int32_t first, int32_t panel) {
  __m256i sum[4][2];
  const uint8_t *row[4];
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++) {
    row[r] = t->left + (size_t)(first + r) * t->row_step;
    __asm__("" : "+r"(row[r]));
    const int32_t start = form == QK_GRADIENT_BYTES ? -t->offset * t->left_sums[first + r] : 0;
    sum[r][0] = sum[r][1] = _mm256_set1_epi32(start);
  }
  const uint8_t *right = t->right + (size_t)panel * t->panel_step;
  for (int32_t k = 0; k < t->groups; k++, right += QK_GRADIENT_LINE_BYTES) {
    const __m256i b0 = _mm256_loadu_si256((const __m256i *)right);
    const __m256i b1 = _mm256_loadu_si256((const __m256i *)(right + 32));
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) {
      const __m256i a = _mm256_set1_epi32(qk_group_at(row[r] + (size_t)k * t->group_step));
      sum[r][0] = add(form, sum[r][0], a, b0);
      sum[r][1] = add(form, sum[r][1], a, b1);
    }
  }
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++) {
    finish(t, sum[r][0], first + r, 16 * panel);
    finish(t, sum[r][1], first + r, 16 * panel + 8);
  }
}

static inline __attribute__((always_inline)) void multiply(const qk_gradient_form form, const qk_gradient_tile *t) {
  for (int32_t panel = 0; panel < t->panels; panel++)
    for (int32_t row = 0; row < t->rows; row += 4) switch (t->rows - row) {
        case 1: tile(form, 1, t, row, panel); break;
        case 2: tile(form, 2, t, row, panel); break;
        case 3: tile(form, 3, t, row, panel); break;
        default: tile(form, 4, t, row, panel); break;
      }
}

static void multiply_words(const qk_gradient_tile *t) { multiply(QK_GRADIENT_WORDS, t); }

static void multiply_bytes(const qk_gradient_tile *t) { multiply(QK_GRADIENT_BYTES, t); }

static void multiply_unsigned_bytes(const qk_gradient_tile *t) { multiply(QK_GRADIENT_UNSIGNED_BYTES, t); }

const qk_gradient_kernel qk_gradient_avx2 = {
  .name = "gradient_4x16_avx2_maddwd", .multiply = { multiply_words, multiply_bytes, multiply_unsigned_bytes },
};

#pragma clang attribute pop
#endif
