// The arithmetic of attention between its products: exponents, probabilities and output codes of a row. Included inside
// the target of the kernel.
#ifndef QK_ATTENTION_ROWS_AVX512_H
#define QK_ATTENTION_ROWS_AVX512_H

#include <immintrin.h>
#include "look_up_avx512vbmi.h"
#include "vectors_avx512.h"
#include "../../attention/byte_attention.h"
#include "../../fixedpoint/fixed_point.h"

/// Ways to form z = ⌊d·M·2^−S + ½⌋ of a distance d = max − score: from d·2^k as a uint16 (IN_SHORTS with k = 0), from
/// the upper word of a product of int32, or in doubles.
typedef enum score_way { IN_SHORTS, IN_SHIFTED_SHORTS, IN_WORDS, IN_DOUBLES } score_way;

/// Data that all tasks of a call share.
typedef struct shared {
  _Alignas(64) uint8_t table[256];           ///< (E[f] >> (15 − A)) − base
  score_way score_way;
  int32_t score_shift, short_shift;          ///< k and S + k − 16 of IN_SHORTS
  _Alignas(64) uint16_t multiplier[32], half[32], limit[32], shift[32];  ///< M, 2^(S+k−17), 65,535 minus that,
                                                                         ///< S + k − 16
  uint16_t base_words[32];
  uint8_t all[64], tail[64];                 ///< 255 for every token of 64, and of the last ones
  int32_t score_word, output_word;           ///< multipliers of 2^−32, or 0 when the factor needs doubles
  int32_t use_output_word;
  double score_factor, output_factor;
  int32_t last;                              ///< 2^8·(A + 1): from here on P = 0; bounds z in doubles
  int32_t base;                              ///< least E[f] >> (15 − A) that the contract allows
} shared;

/// Chooses uint16 where that is exact. With T = S + k ≥ 17 the lower half of d·2^k·M does not reach the rounding, so
/// z = (⌊d·2^k·M / 2^16⌋ + 2^(T−17)) >> (T − 16). Distances and sums beyond 2^16 − 1 count as 2^16 − 1, whose z must
/// have P = 0.
static int choose_shorts(qk_requantiser score, shared *s) {
  const int32_t shift = score.shift < 17 ? 17 - score.shift : 0, t = score.shift + shift;
  if (shift > 7 || t > 31) return 0;  // d < 2^23
  const uint32_t most = ((65535u * (uint32_t)score.multiplier) >> 16) + (1u << (t - 17));
  if ((int32_t)((most < 65535 ? most : 65535) >> (t - 16)) < s->last) return 0;
  s->score_shift = shift;
  s->short_shift = t - 16;
  for (int i = 0; i < 32; i++) {
    s->multiplier[i] = (uint16_t)score.multiplier;
    s->half[i] = (uint16_t)(1 << (t - 17));
    s->limit[i] = (uint16_t)(65535 - s->half[i]);
    s->shift[i] = (uint16_t)s->short_shift;
  }
  s->score_way = shift ? IN_SHIFTED_SHORTS : IN_SHORTS;
  return 1;
}

static void prepare(const qk_attention_arguments *a, void *memory) {
  shared *s = memory;
  s->base = qk_make_byte_table(a, s->table);
  const int fits_word = qk_fits_upper_word(a->score);
  s->use_output_word = qk_fits_upper_word(a->output_requantiser);
  s->score_word = fits_word ? qk_upper_word_multiplier(a->score) : 0;
  s->output_word = s->use_output_word ? qk_upper_word_multiplier(a->output_requantiser) : 0;
  s->score_factor = qk_requantiser_factor(a->score);
  s->output_factor = qk_requantiser_factor(a->output_requantiser);
  s->last = 256 * (a->activation_bits + 1);
  for (int i = 0; i < 32; i++) s->base_words[i] = (uint16_t)s->base;
  for (int i = 0; i < 64; i++) {
    s->all[i] = 255;
    s->tail[i] = i < (a->tokens - 1) % 64 + 1 ? 255 : 0;
  }
  if (!choose_shorts(a->score, s)) s->score_way = fits_word ? IN_WORDS : IN_DOUBLES;
}

/// The largest of `most` and the scores from j on.
static int32_t row_maximum(__m512i most, const int32_t *scores, int32_t j, int32_t tokens) {
  __m512i second = most;
  for (; j + 32 <= tokens; j += 32) {
    most = _mm512_max_epi32(most, _mm512_load_si512(scores + j));
    second = _mm512_max_epi32(second, _mm512_load_si512(scores + j + 16));
  }
  for (; j < tokens; j += 16)
    most = _mm512_mask_max_epi32(most, (__mmask16)qk_first_lanes(tokens - j), most, _mm512_load_si512(scores + j));
  return _mm512_reduce_max_epi32(_mm512_max_epi32(most, second));
}

/// z of 8 distances in doubles; exact, see qk_requantiser_factor.
static inline __m256i exponents8(__m256i distance, const shared *s) {
  const __m512d z = _mm512_fmadd_pd(_mm512_cvtepi32_pd(distance), _mm512_set1_pd(s->score_factor), _mm512_set1_pd(0.5));
  return _mm512_cvttpd_epi32(_mm512_min_pd(z, _mm512_set1_pd(s->last)));
}

/// z = ⌊(max − score)·factor + ½⌋ of 16 scores. With words: the upper word of max·M + 2^31 − score·M.
static inline __attribute__((always_inline)) __m512i exponents16(const score_way way, const shared *s, int32_t maximum,
                                                                 const int32_t *scores) {
  const __m512i v = _mm512_load_si512(scores);
  if (way == IN_WORDS) {
    const __m512i m = _mm512_set1_epi32(s->score_word);
    const __m512i top = _mm512_set1_epi64((int64_t)maximum * s->score_word + ((int64_t)1 << 31));
    const __m512i even = _mm512_sub_epi64(top, _mm512_mul_epi32(v, m));
    // A load one element further on, instead of a shift, which would take the multipliers' port. Rows end in 64 spare
    // bytes.
    const __m512i odd = _mm512_sub_epi64(top, _mm512_mul_epi32(_mm512_loadu_si512(scores + 1), m));
    return qk_upper_words(even, odd);
  }
  const __m512i distance = _mm512_sub_epi32(_mm512_set1_epi32(maximum), v);
  return _mm512_inserti64x4(_mm512_castsi256_si512(exponents8(_mm512_castsi512_si256(distance), s)),
                            exponents8(_mm512_extracti64x4_epi64(distance, 1), s), 1);
}

/// z of 32 scores as words, in the order of vpackusdw.
static inline __attribute__((always_inline)) __m512i exponents32(const score_way way, const shared *s, int32_t maximum,
                                                                 const int32_t *scores) {
  if (way == IN_WORDS || way == IN_DOUBLES)
    return _mm512_packus_epi32(exponents16(way, s, maximum, scores), exponents16(way, s, maximum, scores + 16));
  const __m512i top = _mm512_set1_epi32(maximum);
  __m512i a = _mm512_sub_epi32(top, _mm512_load_si512(scores)), b = _mm512_sub_epi32(top, _mm512_load_si512(scores + 16));
  if (way == IN_SHIFTED_SHORTS) {
    a = _mm512_slli_epi32(a, (unsigned)s->score_shift);
    b = _mm512_slli_epi32(b, (unsigned)s->score_shift);
  }
  // A saturating sum would take the port of the products. A minimum and a plain sum do not, and neither do loads of
  // constants.
  const __m512i upper = _mm512_mulhi_epu16(_mm512_packus_epi32(a, b), _mm512_load_si512(s->multiplier));
  const __m512i sum = _mm512_add_epi16(_mm512_min_epu16(upper, _mm512_load_si512(s->limit)), _mm512_load_si512(s->half));
  return _mm512_srlv_epi16(sum, _mm512_load_si512(s->shift));
}

/// P = (E[z & 255] + 2^(s−1)) >> s, s = 16 − A + i, i = z >> 8, of 32 words. The table holds E >> (15 − A); that is
/// shifted by i, and the average with zero rounds up. Entries have A + 1 bits: from i = A + 1 on nothing is left of
/// them.
static inline __m512i probabilities32(__m512i entry, __m512i whole, const shared *s) {
  const __m512i shifted = _mm512_srlv_epi16(_mm512_add_epi16(entry, _mm512_load_si512(s->base_words)), whole);
  return _mm512_avg_epu16(shifted, _mm512_setzero_si512());
}

/// 64 probabilities are made in three steps, so that a kernel can place products between them. The values that one step
/// leaves to the next: exponents of the first and second 32 scores, then the entries of the table and the shifts, as
/// bytes in the order of vpackuswb.
typedef struct soft_codes {
  __m512i a, b;
} soft_codes;

static inline __attribute__((always_inline)) soft_codes soften_exponents(const score_way way, const shared *s, int32_t maximum,
                                                                         const int32_t *scores) {
  return (soft_codes){ exponents32(way, s, maximum, scores), exponents32(way, s, maximum, scores + 32) };
}

static inline __attribute__((always_inline)) soft_codes soften_entries(const shared *s, soft_codes z) {
  const __m512i byte = _mm512_set1_epi16(255);
  __m512i fraction_a = _mm512_and_si512(z.a, byte), fraction_b = _mm512_and_si512(z.b, byte);
  // Otherwise the compiler makes one two-source byte permutation: three operations, two of them on the busy port.
  __asm__("" : "+v"(fraction_a), "+v"(fraction_b));
  const __m512i entries = qk_look_up64(s->table, _mm512_packus_epi16(fraction_a, fraction_b));
  return (soft_codes){ entries, _mm512_packus_epi16(_mm512_srli_epi16(z.a, 8), _mm512_srli_epi16(z.b, 8)) };
}

/// Codes of the tokens whose bytes in `tokens` [64] are set.
static inline __attribute__((always_inline)) __m512i soften_codes(const shared *s, soft_codes e, const uint8_t *tokens) {
  // vpackusdw, vpackuswb and the unpacking work in 128-bit lanes: the order is restored once, here.
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), zero = _mm512_setzero_si512();
  const __m512i pa = probabilities32(_mm512_unpacklo_epi8(e.a, zero), _mm512_unpacklo_epi8(e.b, zero), s);
  const __m512i pb = probabilities32(_mm512_unpackhi_epi8(e.a, zero), _mm512_unpackhi_epi8(e.b, zero), s);
  return _mm512_and_si512(_mm512_permutexvar_epi32(order, _mm512_packus_epi16(pa, pb)), _mm512_load_si512(tokens));
}

/// Probabilities of one row, with zeros up to a multiple of 64 tokens.
static inline __attribute__((always_inline)) void make_probabilities(const score_way way, const shared *s, int32_t tokens,
                                                                     int32_t maximum, const int32_t *scores, uint8_t *p) {
  for (int32_t j = 0; j < tokens; j += 64) {
    const soft_codes entries = soften_entries(s, soften_exponents(way, s, maximum, scores + j));
    _mm512_store_si512(p + j, soften_codes(s, entries, tokens - j <= 64 ? s->tail : s->all));
  }
}

/// U of 8 sums in doubles: ⌊sum·R·2^−(k+7) + ½⌋, then ⌊U·factor + ½⌋; exact, see attention_avx2.c.
static inline __m256i finish8(__m256i sum, __m512d normalise, const shared *s, __m512d lo, __m512d hi) {
  const __m512d half = _mm512_set1_pd(0.5);
  const __m512d u = _mm512_floor_pd(_mm512_fmadd_pd(_mm512_cvtepi32_pd(sum), normalise, half));
  const __m512d y = _mm512_fmadd_pd(u, _mm512_set1_pd(s->output_factor), half);
  return _mm512_cvt_roundpd_epi32(_mm512_max_pd(lo, _mm512_min_pd(hi, y)), _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
}

/// The upper words of sum·multiplier + 2^31.
static inline __m512i upper_words(__m512i sum, __m512i multiplier) {
  const __m512i half = _mm512_set1_epi64((int64_t)1 << 31);
  const __m512i even = _mm512_add_epi64(_mm512_mul_epi32(sum, multiplier), half);
  const __m512i odd = _mm512_add_epi64(_mm512_mul_epi32(_mm512_srli_epi64(sum, 32), multiplier), half);
  return qk_upper_words(even, odd);
}

/// Number of queries whose ends are found together.
enum { ENDS = 8 };

/// Factors that turn the sums of queries into codes: R·2^(32−shift), where that is an int32 for all of them, and
/// R·2^−shift.
typedef struct query_ends {
  _Alignas(64) double factor[ENDS];
  int32_t word[ENDS];
  int32_t use_words;
} query_ends;

/// Lane i holds the sum of the lanes of v[i], for eight vectors.
static inline __m256i sums_of_lanes(const __m512i v[ENDS]) {
  __m256i half[ENDS];
#pragma clang loop unroll(full)
  for (int i = 0; i < ENDS; i++) half[i] = _mm256_add_epi32(_mm512_castsi512_si256(v[i]), _mm512_extracti64x4_epi64(v[i], 1));
#pragma clang loop unroll(full)
  for (int i = 0; i < ENDS; i += 2) half[i / 2] = _mm256_hadd_epi32(half[i], half[i + 1]);
  const __m256i low = _mm256_hadd_epi32(half[0], half[1]), high = _mm256_hadd_epi32(half[2], half[3]);
  // Sums of the lower and the upper 128 bits of rows 0…3 and 4…7.
  return _mm256_add_epi32(_mm256_permute2x128_si256(low, high, 0x20), _mm256_permute2x128_si256(low, high, 0x31));
}

/// Finds the ends of rows of probabilities that are `stride` bytes apart: qk_reciprocal16_inline of eight sums Z at a
/// time. R = ⌊2^(k+15) / Z⌋ is exact in doubles, because the quotient is below 2^17 and no nearer than 1/Z to the next
/// integer.
static inline void find_query_ends(const shared *s, const uint8_t *p, size_t stride, int32_t rows, int32_t tokens,
                                   query_ends *out) {
  __m512i lanes[ENDS];
#pragma clang loop unroll(full)
  for (int i = 0; i < ENDS; i++) lanes[i] = _mm512_setzero_si512();
  for (int i = 0; i < rows; i++)
    for (int32_t j = 0; j < tokens; j += 64)
      lanes[i] = _mm512_dpbusd_epi32(lanes[i], _mm512_load_si512(p + (size_t)i * stride + j), _mm512_set1_epi8(1));
  const __m512d z = _mm512_cvtepi32_pd(_mm256_max_epi32(sums_of_lanes(lanes), _mm256_set1_epi32(1))), one = _mm512_set1_pd(1);
  // ⌈log2 Z⌉; for Z = 1 the exponent is −∞.
  const __m512d k = _mm512_max_pd(_mm512_setzero_pd(), _mm512_add_pd(_mm512_getexp_pd(_mm512_sub_pd(z, one)), one));
  const __m256i shift = _mm256_add_epi32(_mm512_cvttpd_epi32(k), _mm256_set1_epi32(15 - QK_CONTEXT_FRACTION_BITS));
  const __m256i reciprocal = _mm512_cvttpd_epi32(_mm512_div_pd(_mm512_scalef_pd(_mm512_set1_pd(32768), k), z));
  const __m512d minus = _mm512_cvtepi32_pd(_mm256_sub_epi32(_mm256_setzero_si256(), shift));
  _mm512_store_pd(out->factor, _mm512_scalef_pd(_mm512_cvtepi32_pd(reciprocal), minus));
  _mm256_store_si256((__m256i *)(void *)out->word, _mm256_sllv_epi32(reciprocal, _mm256_sub_epi32(_mm256_set1_epi32(32), shift)));
  // Fits an int32 from shift 17 on (R < 2^16).
  const __mmask8 fits = _mm256_cmpge_epi32_mask(shift, _mm256_set1_epi32(17))
      & _mm256_cmple_epi32_mask(shift, _mm256_set1_epi32(32));
  const __mmask8 all = (__mmask8)((1 << rows) - 1);
  out->use_words = s->use_output_word && (fits & all) == all;
}

/// Codes of 16 sums.
static inline __attribute__((always_inline)) __m512i output16(const shared *s, int32_t end, const int32_t *sums) {
  const __m512i word = _mm512_set1_epi32(s->output_word);
  return upper_words(upper_words(_mm512_load_si512(sums), _mm512_set1_epi32(end)), word);
}

/// Stores 64 codes, given as words in the order of vpackssdw, as bytes.
static inline void store_output(const qk_attention_arguments *a, __m512i first, __m512i second, int32_t dimensions, int8_t *out) {
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  const __m512i bytes = _mm512_permutexvar_epi32(order, _mm512_packs_epi16(first, second));
  const __m512i clamped = _mm512_max_epi8(_mm512_set1_epi8((char)a->lo), _mm512_min_epi8(_mm512_set1_epi8((char)a->hi), bytes));
  if (dimensions >= 64) _mm512_storeu_si512(out, clamped);
  else _mm512_mask_storeu_epi8(out, qk_first_lanes(dimensions), clamped);
}

/// Writes the output codes of up to 64 dimensions of query `i`.
static inline void finish_query(const qk_attention_arguments *a, const shared *s, const int32_t *sums, const query_ends *ends,
                                int32_t i, int32_t dimensions, int8_t *out) {
  __m512i code[4];
  if (ends->use_words) {
#pragma clang loop unroll(full)
    for (int c = 0; c < 4; c++) code[c] = output16(s, ends->word[i], sums + 16 * c);
  } else {
    const __m512d lo = _mm512_set1_pd(a->lo), hi = _mm512_set1_pd(a->hi), factor = _mm512_set1_pd(ends->factor[i]);
#pragma clang loop unroll(full)
    for (int c = 0; c < 4; c++) {
      const __m256i first = finish8(_mm256_load_si256((const __m256i *)(sums + 16 * c)), factor, s, lo, hi);
      const __m256i second = finish8(_mm256_load_si256((const __m256i *)(sums + 16 * c + 8)), factor, s, lo, hi);
      code[c] = _mm512_inserti64x4(_mm512_castsi256_si512(first), second, 1);
    }
  }
  store_output(a, _mm512_packs_epi32(code[0], code[1]), _mm512_packs_epi32(code[2], code[3]), dimensions, out);
}

#endif
