// LayerNorm of one row on AVX2: Σr and Σr² in integers, one scalar root and division, codes in int64 lanes.
#if defined(__x86_64__)
#include <immintrin.h>
#include "kernels_x86.h"
#include "requantise_avx2.h"
#include "../../fixedpoint/fixed_point.h"

#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to=function)

static inline int64_t sum_lanes64(__m256i v) {
  int64_t lanes[4];
  _mm256_storeu_si256((__m256i *)lanes, v);
  return lanes[0] + lanes[1] + lanes[2] + lanes[3];
}

/// Σr fits int32 lanes (8192·2^15 = 2^28). A pair of squares is at most 2^31, an unsigned 32-bit number, and is added
/// directly to 64-bit lanes.
static inline void sums(const int16_t *r, int32_t width, int64_t *sum, int64_t *squares) {
  const __m256i ones = _mm256_set1_epi16(1), zero = _mm256_setzero_si256();
  __m256i total = zero, low = zero, high = zero;
  int32_t i = 0;
  for (; i + 16 <= width; i += 16) {
    const __m256i v = _mm256_loadu_si256((const __m256i *)(r + i));
    const __m256i pairs = _mm256_madd_epi16(v, v);
    total = _mm256_add_epi32(total, _mm256_madd_epi16(v, ones));
    low = _mm256_add_epi64(low, _mm256_unpacklo_epi32(pairs, zero));
    high = _mm256_add_epi64(high, _mm256_unpackhi_epi32(pairs, zero));
  }
  const __m256i wide = _mm256_add_epi64(_mm256_cvtepi32_epi64(_mm256_castsi256_si128(total)),
                                        _mm256_cvtepi32_epi64(_mm256_extracti128_si256(total, 1)));
  *sum = sum_lanes64(wide);
  *squares = sum_lanes64(_mm256_add_epi64(low, high));
  for (; i < width; i++) {
    *sum += r[i];
    *squares += (int64_t)r[i] * r[i];
  }
}

/// Four codes as int64 lanes. A requantiser is a lane: M in the low half, which vpmuldq takes, S in the high.
/// AVX2 shifts 64 bits only logically: v + 2^63 is unsigned, and ⌊(v + 2^63) / 2^S⌋ − 2^(63−S) = ⌊v / 2^S⌋.
static inline __m256i codes4(__m128i product, const qk_requantiser *scales, const int64_t *offsets, __m256i lo,
                             __m256i hi) {
  const __m256i scale = _mm256_loadu_si256((const __m256i *)scales);
  const __m256i shift = _mm256_srli_epi64(scale, 32);
  const __m256i half = _mm256_sllv_epi64(_mm256_set1_epi64x(1), _mm256_sub_epi64(shift, _mm256_set1_epi64x(1)));
  const __m256i top = _mm256_set1_epi64x(INT64_MIN);
  __m256i v = _mm256_mul_epi32(_mm256_cvtepi32_epi64(product), scale);
  v = _mm256_add_epi64(_mm256_add_epi64(v, half), _mm256_loadu_si256((const __m256i *)offsets));
  v = _mm256_srlv_epi64(_mm256_xor_si256(v, top), shift);
  v = _mm256_sub_epi64(v, _mm256_srlv_epi64(top, shift));
  v = _mm256_blendv_epi8(v, hi, _mm256_cmpgt_epi64(v, hi));
  return _mm256_blendv_epi8(v, lo, _mm256_cmpgt_epi64(lo, v));
}

static void normalise_row(const qk_layer_norm_arguments *a, const void *prepared, const int16_t *r, int8_t *y) {
  (void)prepared;
  int64_t sum, squares;
  sums(r, a->width, &sum, &squares);
  const int32_t mean = qk_mean_inline(sum, a->width);
  // Σ(r − μ)² = Σr² − 2μΣr + Dμ², each term below 2^45.
  const int64_t centred = squares - 2 * mean * sum + (int64_t)a->width * mean * mean;
  const int32_t inverse = qk_inverse_deviation((uint64_t)(centred + a->epsilon_code));

  const __m256i means = _mm256_set1_epi32(mean), inverses = _mm256_set1_epi32(inverse);
  const __m256i lo = _mm256_set1_epi64x(a->lo), hi = _mm256_set1_epi64x(a->hi);
  int32_t i = 0;
  for (; i + 8 <= a->width; i += 8) {
    const __m256i c = _mm256_sub_epi32(_mm256_cvtepi16_epi32(_mm_loadu_si128((const __m128i *)(r + i))), means);
    const __m256i product = _mm256_mullo_epi32(c, inverses);
    const __m256i low = codes4(_mm256_castsi256_si128(product), a->scales + i, a->offsets + i, lo, hi);
    const __m256i high = codes4(_mm256_extracti128_si256(product, 1), a->scales + i + 4, a->offsets + i + 4, lo, hi);
    // Low halves of the eight lanes, [low0 low1 high0 high1 | low2 low3 high2 high3], into ascending order.
    const __m256 halves = _mm256_shuffle_ps(_mm256_castsi256_ps(low), _mm256_castsi256_ps(high), 0x88);
    const __m256i codes = _mm256_permute4x64_epi64(_mm256_castps_si256(halves), 0xD8);
    _mm_storel_epi64((__m128i *)(y + i), qk_narrow8_avx2(codes));
  }
  for (; i < a->width; i++)
    y[i] = (int8_t)qk_layer_norm_code(r[i] - mean, inverse, a->scales[i], a->offsets[i], a->lo, a->hi, 1);
}

const qk_layer_norm_kernel qk_layer_norm_avx2 = {
  .name = "layer_norm_i8_i16_avx2",
  .normalise_row = normalise_row,
};

#pragma clang attribute pop
#endif
