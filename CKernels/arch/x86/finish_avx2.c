#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>
#include "finish_x86.h"
#include "requantise_avx2.h"
#include "../../gemm/row_ranks.h"

#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to=function)

/// The requantised codes of 8 sums without their bias, clamped to lo…hi. Even and odd lanes are multiplied separately;
/// the upper word of sum·multiplier + offset is the code.
static inline __m256i requantise8(const qk_gemm_finish *f, int32_t column, __m256i sum) {
  if (!f->high_word) {
    const __m256i biased = _mm256_add_epi32(sum, _mm256_loadu_si256((const __m256i *)(f->bias + column)));
    return qk_requantise8_avx2(biased, _mm256_loadu_pd(f->factor + column), _mm256_loadu_pd(f->factor + column + 4),
                               _mm256_set1_pd(f->lo), _mm256_set1_pd(f->hi));
  }
  const __m256i multiplier = _mm256_loadu_si256((const __m256i *)(f->multiplier + column));
  const int64_t *offset = f->offset + column / 16 * 16 + column % 16 / 2;
  const __m256i even = _mm256_add_epi64(_mm256_mul_epi32(sum, multiplier), _mm256_loadu_si256((const __m256i *)offset));
  const __m256i odd = _mm256_add_epi64(_mm256_mul_epi32(_mm256_srli_epi64(sum, 32), _mm256_srli_epi64(multiplier, 32)),
                                       _mm256_loadu_si256((const __m256i *)(offset + 8)));
  const __m256i code = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa);
  return _mm256_max_epi32(_mm256_set1_epi32(f->lo), _mm256_min_epi32(_mm256_set1_epi32(f->hi), code));
}

/// clamp(round(v), lo, hi) in the lower byte of 8 words, its rounding error in the upper byte. With `exact`, the lower
/// byte is `code` instead.
static inline __attribute__((always_inline)) __m256i code_and_rest8(const qk_gemm_finish *f, __m256 v, const int exact,
                                                                    __m256i code) {
  const __m256 low = _mm256_set1_ps((float)f->lo), high = _mm256_set1_ps((float)f->hi);
  const __m256 rounded = _mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __m256 clamped = _mm256_max_ps(low, _mm256_min_ps(high, rounded));
  const __m256 taken = _mm256_mul_ps(_mm256_sub_ps(clamped, v), _mm256_set1_ps(QK_REST_UNITS));
  __m256 rest = _mm256_round_ps(taken, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  rest = _mm256_blendv_ps(rest, _mm256_set1_ps(QK_REST_BELOW), _mm256_cmp_ps(v, low, _CMP_LT_OQ));
  rest = _mm256_blendv_ps(rest, _mm256_set1_ps(QK_REST_ABOVE), _mm256_cmp_ps(v, high, _CMP_GT_OQ));
  const __m256i lower = exact ? code : _mm256_cvttps_epi32(clamped);
  return _mm256_or_si256(_mm256_slli_epi32(_mm256_cvttps_epi32(rest), 8), _mm256_and_si256(lower, _mm256_set1_epi32(255)));
}

/// Columns column…column+7 of one token; `form` is a constant after inlining, `count` < 8 only at the last columns.
static inline __attribute__((always_inline)) void finish8(const qk_output_form form, const qk_gemm_finish *f,
                                                          int32_t column, int32_t count, const int32_t *sums,
                                                          uint8_t *out, int8_t *rest, const int16_t *residual) {
  const __m256i raw = _mm256_load_si256((const __m256i *)(sums + column));
  const __m256i sum = _mm256_srai_epi32(raw, f->sum_shift);
  const __m256i biased = _mm256_add_epi32(sum, _mm256_loadu_si256((const __m256i *)(f->bias + column)));
  _Alignas(32) uint8_t image[32];
  switch (form) {
    case QK_OUTPUT_ACCUMULATOR:
      _mm256_store_si256((__m256i *)image, biased);
      qk_copy_rows_avx2(out + 4 * column, image, count, 4);
      break;
    case QK_OUTPUT_INT32:
      _mm256_store_si256((__m256i *)image, requantise8(f, column, sum));
      qk_copy_rows_avx2(out + 4 * column, image, count, 4);
      break;
    case QK_OUTPUT_FLOAT:
      _mm256_store_ps((float *)image, _mm256_mul_ps(_mm256_cvtepi32_ps(biased), _mm256_loadu_ps(f->scale + column)));
      qk_copy_rows_avx2(out + 4 * column, image, count, 4);
      break;
    case QK_OUTPUT_INT8:
      _mm_storel_epi64((__m128i *)image, qk_narrow8_avx2(requantise8(f, column, sum)));
      qk_copy_rows_avx2(out + column, image, count, 1);
      break;
    case QK_OUTPUT_UINT8: {
      const __m128i words = qk_narrow16_avx2(requantise8(f, column, sum));
      _mm_storel_epi64((__m128i *)image, _mm_packus_epi16(words, words));
      qk_copy_rows_avx2(out + column, image, count, 1);
      break;
    }
    case QK_OUTPUT_TABLE: {
      const __m128i codes = qk_narrow8_avx2(requantise8(f, column, sum));
      _mm_storel_epi64((__m128i *)image, _mm_xor_si128(codes, _mm_set1_epi8(-128)));
      const uint8_t *table = f->table;
      for (int32_t i = 0; i < count; i++) out[column + i] = table[image[i]];
      break;
    }
    case QK_OUTPUT_INT16:
      _mm_store_si128((__m128i *)image, qk_narrow16_avx2(requantise8(f, column, sum)));
      qk_copy_rows_avx2(out + 2 * column, image, count, 2);
      break;
    case QK_OUTPUT_CODE_AND_REST:
    case QK_OUTPUT_EXACT_AND_REST: {
      const int exact = form == QK_OUTPUT_EXACT_AND_REST;
      const __m256 v = _mm256_mul_ps(_mm256_cvtepi32_ps(biased), _mm256_loadu_ps(f->scale + column));
      const __m256i codes = exact ? requantise8(f, column, sum) : _mm256_setzero_si256();
      // Pairs as words: codes are the lower bytes, rests the upper ones.
      const __m128i pairs = qk_narrow16_avx2(code_and_rest8(f, v, exact, codes));
      const __m128i apart = _mm_shuffle_epi8(pairs, _mm_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15));
      _mm_store_si128((__m128i *)image, apart);
      qk_copy_rows_avx2(out + column, image, count, 1);
      qk_copy_rows_avx2((uint8_t *)rest + column, image + 8, count, 1);
      break;
    }
    case QK_OUTPUT_RESIDUAL: {
      _mm_store_si128((__m128i *)image, _mm_setzero_si128());
      qk_copy_rows_avx2(image, residual + column, count, 2);
      const __m128i stream = _mm_load_si128((const __m128i *)image);
      _mm_store_si128((__m128i *)image, _mm_adds_epi16(stream, qk_narrow16_avx2(requantise8(f, column, sum))));
      qk_copy_rows_avx2(out + 2 * column, image, count, 2);
      break;
    }
  }
}

static inline __attribute__((always_inline)) void finish_form(const qk_output_form form, const qk_gemm_finish *f,
                                                              int32_t tokens, const int32_t *sums) {
  for (int32_t t = 0; t < tokens; t++) {
    uint8_t *out = (uint8_t *)f->output + (size_t)t * f->output_bytes;
    int8_t *rest = f->rest ? f->rest + (size_t)t * f->output_bytes : NULL;
    const int16_t *residual =
        form == QK_OUTPUT_RESIDUAL ? (const int16_t *)((const uint8_t *)f->residual + (size_t)t * f->residual_bytes) : NULL;
    const int32_t *row = sums + t * QK_GROUP_COLUMNS;
    int32_t column = 0;
    for (; column + 8 <= f->columns; column += 8) finish8(form, f, column, 8, row, out, rest, residual);
    if (column < f->columns) finish8(form, f, column, f->columns - column, row, out, rest, residual);
  }
}

void qk_finish_avx2(const qk_gemm_finish *f, int32_t tokens, const int32_t *sums) {
  switch (f->form) {
    case QK_OUTPUT_ACCUMULATOR: finish_form(QK_OUTPUT_ACCUMULATOR, f, tokens, sums); break;
    case QK_OUTPUT_INT32: finish_form(QK_OUTPUT_INT32, f, tokens, sums); break;
    case QK_OUTPUT_FLOAT: finish_form(QK_OUTPUT_FLOAT, f, tokens, sums); break;
    case QK_OUTPUT_INT8: finish_form(QK_OUTPUT_INT8, f, tokens, sums); break;
    case QK_OUTPUT_UINT8: finish_form(QK_OUTPUT_UINT8, f, tokens, sums); break;
    case QK_OUTPUT_TABLE: finish_form(QK_OUTPUT_TABLE, f, tokens, sums); break;
    case QK_OUTPUT_INT16: finish_form(QK_OUTPUT_INT16, f, tokens, sums); break;
    case QK_OUTPUT_RESIDUAL: finish_form(QK_OUTPUT_RESIDUAL, f, tokens, sums); break;
    case QK_OUTPUT_CODE_AND_REST: finish_form(QK_OUTPUT_CODE_AND_REST, f, tokens, sums); break;
    case QK_OUTPUT_EXACT_AND_REST: finish_form(QK_OUTPUT_EXACT_AND_REST, f, tokens, sums); break;
  }
}

static inline __m256i merge_words(__m256i from8, __m256i from4, qk_eight_rows r) {
  const __m256i pick8 = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)r.rank8));
  const __m256i pick4 = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)r.rank4));
  const __m256i mask = _mm256_cvtepi8_epi32(_mm_cvtsi64_si128((long long)(r.is8 * 255)));
  return _mm256_blendv_epi8(_mm256_permutevar8x32_epi32(from4, pick4), _mm256_permutevar8x32_epi32(from8, pick8), mask);
}

static inline __m128i pick_halves(__m128i from, uint64_t rank) {
  // Element r is in bytes 2r and 2r + 1.
  const __m128i wide = _mm_cvtepu8_epi16(_mm_cvtsi64_si128((long long)rank));
  return _mm_shuffle_epi8(from, _mm_add_epi16(_mm_mullo_epi16(wide, _mm_set1_epi16(0x0202)), _mm_set1_epi16(0x0100)));
}

static inline __m128i merge_halves(__m128i from8, __m128i from4, qk_eight_rows r) {
  const __m128i mask = _mm_cvtepi8_epi16(_mm_cvtsi64_si128((long long)(r.is8 * 255)));
  return _mm_blendv_epi8(pick_halves(from4, r.rank4), pick_halves(from8, r.rank8), mask);
}

static inline __m128i merge_bytes(__m128i from8, __m128i from4, qk_eight_rows r) {
  const uint64_t mask = r.is8 * 255;
  const uint64_t pick = (r.rank8 & mask) | ((r.rank4 | 0x0808080808080808u) & ~mask);
  return _mm_shuffle_epi8(_mm_unpacklo_epi64(from8, from4), _mm_cvtsi64_si128((long long)pick));
}

static inline __attribute__((always_inline)) void merge8(const qk_gemm_merge *m, const int32_t element, qk_eight_rows r,
                                                         const uint8_t *from8, const uint8_t *from4, int32_t rows,
                                                         uint8_t *out, const uint8_t *residual) {
  _Alignas(32) uint8_t image[32] = { 0 };
  if (element == 4) {
    _mm256_store_si256((__m256i *)image, merge_words(_mm256_loadu_si256((const __m256i *)from8),
                                                     _mm256_loadu_si256((const __m256i *)from4), r));
  } else if (element == 2) {
    __m128i codes = merge_halves(_mm_loadu_si128((const __m128i *)from8), _mm_loadu_si128((const __m128i *)from4), r);
    if (m->residual) {
      memcpy(image, residual, (size_t)rows * 2);
      codes = _mm_adds_epi16(codes, _mm_load_si128((const __m128i *)image));
    }
    _mm_store_si128((__m128i *)image, codes);
  } else {
    _mm_storel_epi64((__m128i *)image, merge_bytes(_mm_loadl_epi64((const __m128i *)from8),
                                                   _mm_loadl_epi64((const __m128i *)from4), r));
  }
  memcpy(out, image, (size_t)(rows * element));
}

static inline __attribute__((always_inline)) void merge_rows(const qk_gemm_merge *m, const int32_t element) {
  size_t place8 = 0, place4 = 0;
  for (int32_t n = 0; n < m->rows; n += 8) {
    const int32_t rows = m->rows - n < 8 ? m->rows - n : 8;
    const qk_eight_rows r = qk_look_at_rows(m->is8[n / 64] >> (n % 64));
    for (int32_t t = 0; t < m->tokens; t++) {
      const uint8_t *from8 = m->from8 + (size_t)t * m->from_stride + place8;
      const uint8_t *from4 = m->from4 + (size_t)t * m->from_stride + place4;
      uint8_t *out = m->output + (size_t)t * m->output_stride + (size_t)n * (size_t)element;
      const uint8_t *residual = m->residual ? m->residual + (size_t)t * m->residual_stride + (size_t)n * 2 : NULL;
      if (rows == 8) merge8(m, element, r, from8, from4, 8, out, residual);
      else merge8(m, element, r, from8, from4, rows, out, residual);
    }
    place8 += (size_t)(r.count8 * element);
    place4 += (size_t)((8 - r.count8) * element);
  }
}

void qk_merge_avx2(const qk_gemm_merge *m) {
  switch (m->element) {
    case 1: merge_rows(m, 1); break;
    case 2: merge_rows(m, 2); break;
    default: merge_rows(m, 4); break;
  }
}

#pragma clang attribute pop
#endif
