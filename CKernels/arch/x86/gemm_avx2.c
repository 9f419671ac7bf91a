// GEMM on AVX2: panels decoded to int16 pairs, products by vpmaddwd, epilogue in doubles (exact).
#if defined(__x86_64__)
#include <immintrin.h>
#include "kernels_x86.h"
#include "requantise_avx2.h"
#include "tile_avx2.h"

#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to=function)

static void load_panel8(const uint8_t *panel, int32_t depth, void *out) {
  int16_t *wide = out;
  for (int32_t i = 0; i < depth * QK_PANEL_ROWS; i += 16) {
    const __m128i codes = _mm_loadu_si128((const __m128i *)(panel + i));
    _mm256_store_si256((__m256i *)(wide + i), _mm256_cvtepi8_epi16(codes));
  }
}

/// A byte holds codes (even k, odd k) of one row. With the byte in both int16 of a row, ·2^12 and ·2^8 bring
/// the wanted nibble to the top; an arithmetic shift by 12 then extends its sign.
static inline __m256i decode_nibbles(__m128i doubled) {
  const __m256i scale = _mm256_set1_epi32((1 << 24) | (1 << 12));
  return _mm256_srai_epi16(_mm256_mullo_epi16(_mm256_cvtepu8_epi16(doubled), scale), 12);
}

static void load_panel4(const uint8_t *panel, int32_t depth, void *out) {
  int16_t *wide = out;
  for (int32_t pair = 0; pair < depth / 2; pair++) {
    const __m128i bytes = _mm_loadu_si128((const __m128i *)(panel + 16 * pair));
    _mm256_store_si256((__m256i *)(wide + 32 * pair), decode_nibbles(_mm_unpacklo_epi8(bytes, bytes)));
    _mm256_store_si256((__m256i *)(wide + 32 * pair + 16), decode_nibbles(_mm_unpackhi_epi8(bytes, bytes)));
  }
}

/// What a group of 8 rows needs for every token.
typedef struct group_constants {
  int32_t column8, column4;
  int32_t only;  // the column of all 8 rows when they have one precision and need no merge, else −1
  __m256i rank, is8, bias;
  __m256d factor[2], lo, hi;
} group_constants;

static inline group_constants load_group(const qk_gemm_arguments *a, const qk_row_plan *plan, int32_t group) {
  const int32_t i = group * QK_GEMM_GROUP;
  const int residual = a->form == QK_OUTPUT_RESIDUAL;
  const __m128i precision = _mm_loadl_epi64((const __m128i *)(plan->is8 + i));
  const int eights = _mm_movemask_epi8(precision) & 255;
  return (group_constants){
    .only = eights == 255 ? plan->column8[group] : eights == 0 ? plan->column4[group] : -1,
    .column8 = plan->column8[group],
    .column4 = plan->column4[group],
    .rank = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(plan->rank + i))),
    .is8 = _mm256_cvtepi8_epi32(precision),
    .bias = _mm256_loadu_si256((const __m256i *)(plan->bias + i)),
    .factor = { _mm256_loadu_pd(plan->factor + i), _mm256_loadu_pd(plan->factor + i + 4) },
    .lo = _mm256_set1_pd(residual ? INT16_MIN : a->lo),
    .hi = _mm256_set1_pd(residual ? INT16_MAX : a->hi),
  };
}

/// acc + bias of the 8 rows of a group, in row order.
static inline __m256i merge_group(const group_constants *g, const int32_t *acc) {
  if (g->only >= 0) return _mm256_add_epi32(_mm256_loadu_si256((const __m256i *)(acc + g->only)), g->bias);
  const __m256i from8 = _mm256_loadu_si256((const __m256i *)(acc + g->column8));
  const __m256i from4 = _mm256_loadu_si256((const __m256i *)(acc + g->column4));
  const __m256i merged = _mm256_blendv_epi8(_mm256_permutevar8x32_epi32(from4, g->rank),
                                            _mm256_permutevar8x32_epi32(from8, g->rank), g->is8);
  return _mm256_add_epi32(merged, g->bias);
}

/// One group of one token. `form` is a constant after inlining; `rows` < 8 only in the last group.
static inline __attribute__((always_inline)) void finish_one(const qk_output_form form, const qk_gemm_arguments *a,
                                                             const group_constants *g, int32_t rows, size_t place,
                                                             size_t residual_place, const int32_t *acc) {
  const __m256i sum = merge_group(g, acc);
  _Alignas(32) uint8_t image[32];
  if (form == QK_OUTPUT_ACCUMULATOR) {
    _mm256_store_si256((__m256i *)image, sum);
    qk_copy_rows_avx2((int32_t *)a->output + place, image, rows, 4);
    return;
  }
  const __m256i code = qk_requantise8_avx2(sum, g->factor[0], g->factor[1], g->lo, g->hi);
  switch (form) {
    case QK_OUTPUT_ACCUMULATOR:
    case QK_OUTPUT_INT32:
      _mm256_store_si256((__m256i *)image, code);
      qk_copy_rows_avx2((int32_t *)a->output + place, image, rows, 4);
      break;
    case QK_OUTPUT_INT8:
      _mm_storel_epi64((__m128i *)image, qk_narrow8_avx2(code));
      qk_copy_rows_avx2((int8_t *)a->output + place, image, rows, 1);
      break;
    case QK_OUTPUT_TABLE: {
      _mm_storel_epi64((__m128i *)image, _mm_xor_si128(qk_narrow8_avx2(code), _mm_set1_epi8(-128)));
      uint8_t *out = (uint8_t *)a->output + place;
      const uint8_t *table = a->table;  // a copy: stores of bytes could change *a
      for (int32_t i = 0; i < rows; i++) out[i] = table[image[i]];
      break;
    }
    case QK_OUTPUT_RESIDUAL: {
      _mm_store_si128((__m128i *)image, _mm_setzero_si128());
      qk_copy_rows_avx2(image, a->residual + residual_place, rows, 2);
      const __m128i stream = _mm_load_si128((const __m128i *)image);
      _mm_store_si128((__m128i *)image, _mm_adds_epi16(stream, qk_narrow16_avx2(code)));
      qk_copy_rows_avx2((int16_t *)a->output + place, image, rows, 2);
      break;
    }
  }
}

static inline __attribute__((always_inline)) void finish_form(const qk_output_form form, const qk_gemm_arguments *a,
                                                              const qk_row_plan *plan, int32_t first, int32_t tokens,
                                                              const int32_t *acc) {
  for (int32_t group = 0; group * QK_GEMM_GROUP < plan->count; group++) {
    const group_constants g = load_group(a, plan, group);
    const int32_t rest = plan->count - group * QK_GEMM_GROUP;
    const size_t row = (size_t)(plan->first + group * QK_GEMM_GROUP);
    for (int32_t t = 0; t < tokens; t++) {
      const size_t token = (size_t)(first + t);
      const size_t place = token * a->output_stride + row, from = token * a->residual_stride + row;
      const int32_t *sums = acc + (size_t)t * QK_GEMM_ACC_STRIDE;
      if (rest >= 8) finish_one(form, a, &g, 8, place, from, sums);
      else finish_one(form, a, &g, rest, place, from, sums);
    }
  }
}

static void finish(const qk_gemm_arguments *a, const qk_row_plan *plan, int32_t first, int32_t tokens,
                   const int32_t *acc) {
  switch (a->form) {
    case QK_OUTPUT_ACCUMULATOR: finish_form(QK_OUTPUT_ACCUMULATOR, a, plan, first, tokens, acc); break;
    case QK_OUTPUT_INT32: finish_form(QK_OUTPUT_INT32, a, plan, first, tokens, acc); break;
    case QK_OUTPUT_INT8: finish_form(QK_OUTPUT_INT8, a, plan, first, tokens, acc); break;
    case QK_OUTPUT_TABLE: finish_form(QK_OUTPUT_TABLE, a, plan, first, tokens, acc); break;
    case QK_OUTPUT_RESIDUAL: finish_form(QK_OUTPUT_RESIDUAL, a, plan, first, tokens, acc); break;
  }
}

const qk_gemm_kernel qk_gemm_avx2 = {
  .name = "gemm_x8_w8w4_6x16_avx2_maddwd",
  .tile_tokens = QK_TILE_AVX2_TOKENS,
  .activation_bytes = 2,
  .panel_bytes = 32,
  .load_activations = qk_widen_avx2,
  .load_panel8 = load_panel8,
  .load_panel4 = load_panel4,
  .multiply = qk_multiply_avx2,
  .finish = finish,
};

#pragma clang attribute pop
#endif
