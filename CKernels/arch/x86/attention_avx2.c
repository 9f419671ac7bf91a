// Attention on AVX2: key panels by 8×8 transposition, probabilities by table, exact division in doubles.
#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>
#include "activations_x86.h"
#include "kernels_x86.h"
#include "requantise_avx2.h"
#include "tile_avx2.h"
#include "../../attention/word_attention.h"
#include "../../fixedpoint/fixed_point.h"

#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to=function)

/// Loads up to 16 bytes, zero beyond `count`; reads nothing past them.
static inline __m128i load_bytes(const int8_t *bytes, int32_t count) {
  if (count >= 16) return _mm_loadu_si128((const __m128i *)bytes);
  if (count == 8) return _mm_loadl_epi64((const __m128i *)bytes);
  int8_t image[16] = { 0 };
  memcpy(image, bytes, (size_t)count);
  return _mm_loadu_si128((const __m128i *)image);
}

/// Turns rows of 8 words into columns: out[p] holds word p of rows 0…7.
static inline void transpose_words(const __m128i row[8], __m128i out[8]) {
  __m128i pair[8], quad[8];
  for (int i = 0; i < 4; i++) {
    pair[2 * i] = _mm_unpacklo_epi16(row[2 * i], row[2 * i + 1]);
    pair[2 * i + 1] = _mm_unpackhi_epi16(row[2 * i], row[2 * i + 1]);
  }
  for (int i = 0; i < 2; i++) {
    for (int h = 0; h < 2; h++) {
      quad[4 * i + 2 * h] = _mm_unpacklo_epi32(pair[4 * i + h], pair[4 * i + 2 + h]);
      quad[4 * i + 2 * h + 1] = _mm_unpackhi_epi32(pair[4 * i + h], pair[4 * i + 2 + h]);
    }
  }
  for (int i = 0; i < 4; i++) {
    out[2 * i] = _mm_unpacklo_epi64(quad[i], quad[i + 4]);
    out[2 * i + 1] = _mm_unpackhi_epi64(quad[i], quad[i + 4]);
  }
}

/// A word is a pair of codes of one key, so transposing words gives the panel order; the codes are widened afterwards.
static void load_keys(const int8_t *keys, size_t stride, int32_t count, int32_t dimension, int16_t *panel) {
  for (int32_t c = 0; c < dimension; c += 16) {
    const int32_t codes = dimension - c < 16 ? dimension - c : 16;
    const int32_t pairs = (codes + 1) / 2;
    for (int32_t half = 0; half < 2; half++) {
      __m128i row[8], column[8];
      for (int32_t i = 0; i < 8; i++) {
        const int32_t key = 8 * half + i;
        row[i] = key < count ? load_bytes(keys + (size_t)key * stride + c, codes) : _mm_setzero_si128();
      }
      transpose_words(row, column);
      for (int32_t p = 0; p < pairs; p++)
        _mm256_store_si256((__m256i *)(panel + 32 * (c / 2 + p) + 16 * half), _mm256_cvtepi8_epi16(column[p]));
    }
  }
}

static void load_values(const int8_t *values, size_t stride, int32_t keys, int32_t count, int16_t *panel) {
  for (int32_t j = 0; j < keys; j += 2) {
    const int8_t *even = values + (size_t)j * stride;
    const __m128i a = load_bytes(even, count);
    const __m128i b = j + 1 < keys ? load_bytes(even + stride, count) : _mm_setzero_si128();
    int16_t *out = panel + 16 * j;
    _mm256_store_si256((__m256i *)out, _mm256_cvtepi8_epi16(_mm_unpacklo_epi8(a, b)));
    _mm256_store_si256((__m256i *)(out + 16), _mm256_cvtepi8_epi16(_mm_unpackhi_epi8(a, b)));
  }
}

static inline int32_t row_maximum(const int32_t *scores, int32_t tokens) {
  __m256i most = _mm256_set1_epi32(INT32_MIN);
  int32_t j = 0;
  for (; j + 8 <= tokens; j += 8) most = _mm256_max_epi32(most, _mm256_loadu_si256((const __m256i *)(scores + j)));
  int32_t lanes[8];
  _mm256_storeu_si256((__m256i *)lanes, most);
  int32_t maximum = lanes[0];
  for (int i = 1; i < 8; i++) if (lanes[i] > maximum) maximum = lanes[i];
  for (; j < tokens; j++) if (scores[j] > maximum) maximum = scores[j];
  return maximum;
}

/// z = ⌊d·factor + ½⌋ with d < 2^24: exact in doubles, and truncation is the floor because z ≥ 0.
static inline __m128i exponents(__m128i distance, __m256d factor, __m256d last) {
  const __m256d z = _mm256_fmadd_pd(_mm256_cvtepi32_pd(distance), factor, _mm256_set1_pd(0.5));
  return _mm256_cvttpd_epi32(_mm256_min_pd(z, last));
}

/// The caller's rows are padded to 16 elements, so the last group of 8 may reach past `tokens`. What it reads there is
/// never looked up, and the caller overwrites what it leaves there.
static uint32_t probabilities(const int32_t *scores, int32_t tokens, double factor, const uint16_t *table,
                              int32_t last, uint16_t *p) {
  const __m256i maximum = _mm256_set1_epi32(row_maximum(scores, tokens));
  const __m256d scale = _mm256_set1_pd(factor), limit = _mm256_set1_pd(last);
  uint32_t total = 0;
  for (int32_t j = 0; j < tokens; j += 8) {
    const __m256i distance = _mm256_sub_epi32(maximum, _mm256_loadu_si256((const __m256i *)(scores + j)));
    const __m128i low = exponents(_mm256_castsi256_si128(distance), scale, limit);
    const __m128i high = exponents(_mm256_extracti128_si256(distance, 1), scale, limit);
    _mm_storeu_si128((__m128i *)(p + j), _mm_packus_epi32(low, high));
  }
  for (int32_t j = 0; j < tokens; j++) {
    p[j] = table[p[j]];
    total += p[j];
  }
  return total;
}

/// U = ⌊sum·R·2^−(k+7) + ½⌋: |sum·R| < 2^53, so product, sum and floor are exact; |U| ≤ 2^15 + 1.
static void finish(const qk_attention_arguments *a, const int32_t *sums, uint32_t reciprocal, int32_t k,
                   int8_t *out) {
  const int32_t shift = k + 15 - QK_CONTEXT_FRACTION_BITS;
  const __m256d normalise = _mm256_set1_pd((double)reciprocal * qk_power_of_half(shift));
  const __m256d factor = _mm256_set1_pd(qk_requantiser_factor(a->output_requantiser));
  const __m256d lo = _mm256_set1_pd(a->lo), hi = _mm256_set1_pd(a->hi);
  const __m256d widest = _mm256_set1_pd(INT32_MAX), least = _mm256_set1_pd(INT32_MIN);
  int32_t c = 0;
  for (; c + 4 <= a->head_dimension; c += 4) {
    const __m128i sum = _mm_loadu_si128((const __m128i *)(sums + c));
    const __m128i context = qk_requantise4_avx2(sum, normalise, least, widest);
    const __m128i code = qk_requantise4_avx2(context, factor, lo, hi);
    const __m128i words = _mm_packs_epi32(code, code);
    const int32_t bytes = _mm_cvtsi128_si32(_mm_packs_epi16(words, words));
    memcpy(out + c, &bytes, 4);
  }
  for (; c < a->head_dimension; c++) {
    const int32_t context = qk_normalise_context_inline(sums[c], reciprocal, k);
    out[c] = (int8_t)qk_requantise_inline(context, a->output_requantiser, a->lo, a->hi);
  }
}

static const qk_word_attention words = {
  .load_query = qk_widen_avx2,
  .load_keys = load_keys,
  .load_values = load_values,
  .multiply = qk_multiply_avx2,
  .probabilities = probabilities,
  .finish = finish,
};

static void attend(const qk_attention_task *task, void *scratch) { qk_word_attention_attend(&words, task, scratch); }

const qk_attention_kernel qk_attention_avx2 = {
  .name = "attention_i8_i8_6x16_avx2_maddwd",
  .tile_queries = QK_TILE_AVX2_TOKENS,
  .most_queries = qk_word_attention_most_queries,
  .shared_bytes = sizeof(qk_word_attention_shared),
  .prepare = qk_word_attention_prepare,
  .scratch_bytes = qk_word_attention_scratch_bytes,
  .attend = attend,
};

#pragma clang attribute pop
#endif
