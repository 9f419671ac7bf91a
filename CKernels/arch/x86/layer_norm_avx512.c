// LayerNorm of one row on AVX-512: Σr and Σr² in integers, one scalar root and division, codes in int64 lanes.
#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>
#include "kernels_x86.h"
#include "vectors_avx512.h"
#include "../../fixedpoint/fixed_point.h"
#include "../../pack/packed_layout.h"

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl"))), apply_to=function)

enum { COLUMNS = 16 };

/// Constants of 16 columns: 64-bit lanes hold the even columns first, then the odd ones.
typedef struct columns16 {
  int64_t multiplier[COLUMNS];
  int64_t shift[COLUMNS];
  int64_t offset[COLUMNS];  ///< B + 2^(S−1) < 2^63
} columns16;

static size_t prepared_bytes(const qk_layer_norm_arguments *a) {
  return (size_t)qk_round_up(a->width, COLUMNS) / COLUMNS * sizeof(columns16);
}

static void prepare(const qk_layer_norm_arguments *a, void *memory) {
  columns16 *columns = memory;
  memset(columns, 0, prepared_bytes(a));
  for (int32_t i = 0; i < a->width; i++) {
    columns16 *c = &columns[i / COLUMNS];
    const int32_t lane = i % COLUMNS, place = lane / 2 + lane % 2 * (COLUMNS / 2);
    c->multiplier[place] = a->scales[i].multiplier;
    c->shift[place] = a->scales[i].shift;
    c->offset[place] = a->offsets[i] + ((int64_t)1 << (a->scales[i].shift - 1));
  }
}

/// Σr fits int32 lanes (8192·2^15 = 2^28). A pair of squares is at most 2^31, an unsigned 32-bit number, and is added
/// directly to 64-bit lanes.
static inline void sums(const int16_t *r, int32_t width, int64_t *sum, int64_t *squares) {
  const __m512i ones = _mm512_set1_epi16(1), zero = _mm512_setzero_si512();
  __m512i total = zero, low = zero, high = zero;
  for (int32_t i = 0; i < width; i += 32) {
    const __m512i v = width - i >= 32 ? _mm512_loadu_si512(r + i)
                                      : _mm512_maskz_loadu_epi16((__mmask32)qk_first_lanes(width - i), r + i);
    const __m512i pairs = _mm512_madd_epi16(v, v);
    total = _mm512_add_epi32(total, _mm512_madd_epi16(v, ones));
    low = _mm512_add_epi64(low, _mm512_unpacklo_epi32(pairs, zero));
    high = _mm512_add_epi64(high, _mm512_unpackhi_epi32(pairs, zero));
  }
  *sum = _mm512_reduce_add_epi32(total);
  *squares = _mm512_reduce_add_epi64(_mm512_add_epi64(low, high));
}

/// Eight codes, saturated to int8, in the low bytes. `centred` holds c in the low halves of its lanes; c·F ≤ 2^30 in
/// magnitude, so its low half is the whole product.
static inline __m128i codes8(__m512i centred, __m512i inverse, const int64_t *multiplier, const int64_t *shift,
                             const int64_t *offset) {
  const __m512i scaled = _mm512_mul_epi32(_mm512_mul_epi32(centred, inverse), _mm512_load_si512(multiplier));
  return _mm512_cvtsepi64_epi8(_mm512_srav_epi64(_mm512_add_epi64(scaled, _mm512_load_si512(offset)), _mm512_load_si512(shift)));
}

static void normalise_row(const qk_layer_norm_arguments *a, const void *prepared, const int16_t *r, int8_t *y) {
  const columns16 *columns = prepared;
  int64_t sum, squares;
  sums(r, a->width, &sum, &squares);
  const int32_t mean = qk_mean_inline(sum, a->width);
  // Σ(r − μ)² = Σr² − 2μΣr + Dμ², each term below 2^45.
  const int64_t centred = squares - 2 * mean * sum + (int64_t)a->width * mean * mean;
  const __m512i inverse = _mm512_set1_epi64(qk_inverse_deviation((uint64_t)(centred + a->epsilon_code)));
  const __m512i means = _mm512_set1_epi32(mean);
  const __m128i lo = _mm_set1_epi8((char)a->lo), hi = _mm_set1_epi8((char)a->hi);
  for (int32_t i = 0; i < a->width; i += COLUMNS, columns++) {
    const __mmask16 lanes = (__mmask16)qk_first_lanes(a->width - i);
    const __m256i words = _mm256_maskz_loadu_epi16(lanes, r + i);
    const __m512i c = _mm512_sub_epi32(_mm512_cvtepi16_epi32(words), means);
    const __m128i even = codes8(c, inverse, columns->multiplier, columns->shift, columns->offset);
    const __m128i odd = codes8(_mm512_srli_epi64(c, 32), inverse, columns->multiplier + 8, columns->shift + 8,
                               columns->offset + 8);
    const __m128i codes = _mm_max_epi8(lo, _mm_min_epi8(hi, _mm_unpacklo_epi8(even, odd)));
    _mm_mask_storeu_epi8(y + i, lanes, codes);
  }
}

const qk_layer_norm_kernel qk_layer_norm_avx512 = {
  .name = "layer_norm_i8_i16_avx512",
  .prepared_bytes = prepared_bytes,
  .prepare = prepare,
  .normalise_row = normalise_row,
};

#pragma clang attribute pop
#endif
