// The AVX-512 finish, included by the two files that build it: without VBMI (tables by single bytes) and with VBMI. The
// includer defines qk_look_up64 (64 bytes of a table) and sets the target of the functions.
#ifndef QK_FINISH_AVX512_H
#define QK_FINISH_AVX512_H

#include <immintrin.h>
#include <string.h>
#include "finish_x86.h"
#include "vectors_avx512.h"

/// Constants of 16 columns, loaded once for all tokens of a tile.
typedef struct qk_columns16 {
  __m512i bias, multiplier, odd_multiplier, offset, odd_offset;
  __m512 scale;
} qk_columns16;

/// ⌊sum·factor + ½⌋ clamped, exact in doubles (see qk_requantiser_factor).
static inline __m256i qk_requantise8_avx512(__m256i sum, const double *factor, const qk_gemm_finish *f) {
  const __m512d x = _mm512_fmadd_pd(_mm512_cvtepi32_pd(sum), _mm512_loadu_pd(factor), _mm512_set1_pd(0.5));
  const __m512d clamped = _mm512_max_pd(_mm512_set1_pd(f->lo), _mm512_min_pd(_mm512_set1_pd(f->hi), x));
  return _mm512_cvt_roundpd_epi32(clamped, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
}

/// The code of 16 sums without their bias, not yet clamped when `high_word`: the upper word of sum·multiplier + offset.
/// Even and odd lanes are multiplied separately.
static inline __attribute__((always_inline)) __m512i qk_requantise16(const int high_word, const qk_gemm_finish *f,
                                                                     int32_t column, const qk_columns16 *c, __m512i sum) {
  if (high_word) {
    const __m512i even = _mm512_add_epi64(_mm512_mul_epi32(sum, c->multiplier), c->offset);
    const __m512i odd = _mm512_add_epi64(_mm512_mul_epi32(_mm512_srli_epi64(sum, 32), c->odd_multiplier), c->odd_offset);
    return qk_upper_words(even, odd);
  }
  sum = _mm512_add_epi32(sum, c->bias);
  const __m256i low = qk_requantise8_avx512(_mm512_castsi512_si256(sum), f->factor + column, f);
  const __m256i high = qk_requantise8_avx512(_mm512_extracti64x4_epi64(sum, 1), f->factor + column + 8, f);
  return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}

/// 32 sums as int16, saturated.
static inline __m512i qk_words32(__m512i a, __m512i b) {
  // vpackssdw works in 128-bit lanes: quarters of the two sources alternate.
  const __m512i order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
  return _mm512_permutexvar_epi64(order, _mm512_packs_epi32(a, b));
}

/// 64 int16 as bytes, saturated to int8 or uint8; the sources are vpackssdw of columns 0…31 and 32…63.
static inline __m512i qk_bytes64(__m512i a, __m512i b, int is_unsigned) {
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  return _mm512_permutexvar_epi32(order, is_unsigned ? _mm512_packus_epi16(a, b) : _mm512_packs_epi16(a, b));
}

/// Writes 64 codes of one token in a form of bytes; a and b as in qk_bytes64.
static inline __attribute__((always_inline)) void qk_store_bytes64(const qk_output_form form, const qk_gemm_finish *f,
                                                                   __mmask64 columns, __m512i a, __m512i b, uint8_t *out) {
  const __m512i lo = _mm512_set1_epi8((char)f->lo), hi = _mm512_set1_epi8((char)f->hi);
  if (form == QK_OUTPUT_UINT8) {
    _mm512_mask_storeu_epi8(out, columns, _mm512_max_epu8(lo, _mm512_min_epu8(hi, qk_bytes64(a, b, 1))));
    return;
  }
  const __m512i bytes = _mm512_max_epi8(lo, _mm512_min_epi8(hi, qk_bytes64(a, b, 0)));
  if (form == QK_OUTPUT_INT8) _mm512_mask_storeu_epi8(out, columns, bytes);
  else _mm512_mask_storeu_epi8(out, columns, qk_look_up64(f->table, _mm512_xor_si512(bytes, _mm512_set1_epi8(-128))));
}

/// v + 1.5·2^23 is round(v), ties to even, in units of 1 where |v| < 2^22; beyond, its bits keep the order of v.
#define QK_ROUNDER _mm512_set1_ps(0x1.8p23f)
#define QK_ROUNDED(code) _mm512_set1_epi32(0x4b400000 + (code))

/// The ends of a range of codes, as numbers and as QK_ROUNDED.
typedef struct qk_rounding_range {
  float low, high;
  int32_t rounded_low, rounded_high;
} qk_rounding_range;

static inline qk_rounding_range qk_rounding_range_of(const qk_gemm_finish *f) {
  // v − low is negative for a v below; with a low of −0 it is 0, not −0, for a v of −0.
  return (qk_rounding_range){ f->lo == 0 ? -0.0f : (float)f->lo, (float)f->hi, 0x4b400000 + f->lo, 0x4b400000 + f->hi };
}

/// round(v) clamped, as QK_ROUNDED.
static inline __attribute__((always_inline)) __m512i qk_clamp_rounded16(const qk_rounding_range *r, __m512 v) {
  const __m512i rounded = _mm512_castps_si512(_mm512_add_ps(v, QK_ROUNDER));
  return _mm512_max_epi32(_mm512_set1_epi32(r->rounded_low), _mm512_min_epi32(_mm512_set1_epi32(r->rounded_high), rounded));
}

/// The error of clamping and rounding v, in the lowest byte.
///
/// Among products of bytes only operations on their ports cost time (Zen 4: multiplications, comparisons into masks,
/// shuffles of two sources, stores). So the signs of hi − v and v − lo replace comparisons: above hi the error is
/// negative, and a maximum puts QK_REST_ABOVE there; below lo a minimum puts QK_REST_BELOW.
static inline __attribute__((always_inline)) __m512i qk_rest16(const qk_rounding_range *r, __m512 v, __m512i clamped) {
  const __m512 taken = _mm512_mul_ps(_mm512_sub_ps(_mm512_sub_ps(_mm512_castsi512_ps(clamped), QK_ROUNDER), v),
                                     _mm512_set1_ps(QK_REST_UNITS));
  const __m512i above = _mm512_srai_epi32(_mm512_castps_si512(_mm512_sub_ps(_mm512_set1_ps(r->high), v)), 31);
  const __m512i below = _mm512_srai_epi32(_mm512_castps_si512(_mm512_sub_ps(v, _mm512_set1_ps(r->low))), 31);
  const __m512i least = _mm512_and_si512(above, QK_ROUNDED(QK_REST_ABOVE));
  const __m512i most = _mm512_or_si512(_mm512_andnot_si512(below, _mm512_set1_epi32(INT32_MAX)), QK_ROUNDED(QK_REST_BELOW));
  const __m512i rest = _mm512_castps_si512(_mm512_add_ps(taken, QK_ROUNDER));
  return _mm512_min_epi32(_mm512_max_epi32(rest, least), most);
}

/// Pairs in the lower words of 16 lanes: the byte of a code, and above it the rounding error.
static inline __m512i qk_pair16(__m512i code, __m512i rest) {
  return _mm512_or_si512(_mm512_slli_epi32(rest, 8), _mm512_and_si512(code, _mm512_set1_epi32(255)));
}

/// The pair of v; with `exact`, its code is `code`, clamped.
static inline __attribute__((always_inline)) __m512i qk_code_and_rest16(const qk_gemm_finish *f, __m512 v, const int exact,
                                                                        __m512i code) {
  const qk_rounding_range r = qk_rounding_range_of(f);
  const __m512i clamped = qk_clamp_rounded16(&r, v);
  const __m512i lower = exact
      ? _mm512_max_epi32(_mm512_set1_epi32(f->lo), _mm512_min_epi32(_mm512_set1_epi32(f->hi), code)) : clamped;
  return qk_pair16(lower, qk_rest16(&r, v, clamped));
}

/// Result of 16 sums without their bias, as words that are not yet clamped; `form`, `high_word` and `sum_shift` are
/// constants after inlining.
static inline __attribute__((always_inline)) __m512i qk_code16(const qk_output_form form, const int high_word, const int sum_shift,
                                                               const qk_gemm_finish *f, int32_t column, const qk_columns16 *c,
                                                               __m512i raw) {
  const __m512i sum = sum_shift ? _mm512_srai_epi32(raw, sum_shift) : raw;
  const __m512i biased = _mm512_add_epi32(sum, c->bias);
  if (form == QK_OUTPUT_ACCUMULATOR) return biased;
  if (form == QK_OUTPUT_FLOAT) return _mm512_castps_si512(_mm512_mul_ps(_mm512_cvtepi32_ps(biased), c->scale));
  const __m512i code = form == QK_OUTPUT_CODE_AND_REST ? _mm512_setzero_si512() : qk_requantise16(high_word, f, column, c, sum);
  if (form != QK_OUTPUT_CODE_AND_REST && form != QK_OUTPUT_EXACT_AND_REST) return code;
  const __m512 v = _mm512_mul_ps(_mm512_cvtepi32_ps(biased), c->scale);
  return qk_code_and_rest16(f, v, form == QK_OUTPUT_EXACT_AND_REST, code);
}

/// Writes the codes and rests of 64 columns of one token, pairs in the lower words of `pairs`.
static inline __attribute__((always_inline)) void qk_store_pairs64(__mmask64 columns, const __m512i pairs[4], uint8_t *out,
                                                                   int8_t *rest) {
#pragma clang loop unroll(full)
  for (int p = 0; p < 4; p++) {
    const __mmask16 lanes = (__mmask16)(columns >> (16 * p));
    _mm512_mask_cvtepi32_storeu_epi8(out + 16 * p, lanes, pairs[p]);
    _mm512_mask_cvtepi32_storeu_epi8(rest + 16 * p, lanes, _mm512_srli_epi32(pairs[p], 8));
  }
}

/// Writes the codes of 64 columns of one token.
static inline __attribute__((always_inline)) void qk_store64(const qk_output_form form, const qk_gemm_finish *f, __mmask64 columns,
                                                             __m512i code[4], uint8_t *out, int8_t *rest,
                                                             const int16_t *residual) {
  switch (form) {
    case QK_OUTPUT_ACCUMULATOR:
    case QK_OUTPUT_FLOAT:
    case QK_OUTPUT_INT32:
#pragma clang loop unroll(full)
      for (int p = 0; p < 4; p++) {
        if (form == QK_OUTPUT_INT32)
          code[p] = _mm512_max_epi32(_mm512_set1_epi32(f->lo), _mm512_min_epi32(_mm512_set1_epi32(f->hi), code[p]));
        _mm512_mask_storeu_epi32(out + 64 * p, (__mmask16)(columns >> (16 * p)), code[p]);
      }
      break;
    case QK_OUTPUT_INT8:
    case QK_OUTPUT_UINT8:
    case QK_OUTPUT_TABLE:
      qk_store_bytes64(form, f, columns, _mm512_packs_epi32(code[0], code[1]), _mm512_packs_epi32(code[2], code[3]), out);
      break;
    case QK_OUTPUT_CODE_AND_REST:
    case QK_OUTPUT_EXACT_AND_REST: qk_store_pairs64(columns, code, out, rest); break;
    case QK_OUTPUT_INT16:
    case QK_OUTPUT_RESIDUAL: {
      __m512i words[2] = { qk_words32(code[0], code[1]), qk_words32(code[2], code[3]) };
#pragma clang loop unroll(full)
      for (int h = 0; h < 2; h++) {
        const __mmask32 lanes = (__mmask32)(columns >> (32 * h));
        if (form == QK_OUTPUT_RESIDUAL) {
          words[h] = _mm512_adds_epi16(words[h], _mm512_maskz_loadu_epi16(lanes, residual + 32 * h));
        } else if (form == QK_OUTPUT_INT16) {
          words[h] = _mm512_max_epi16(_mm512_set1_epi16((short)f->lo),
                                      _mm512_min_epi16(_mm512_set1_epi16((short)f->hi), words[h]));
        }
        _mm512_mask_storeu_epi16(out + 64 * h, lanes, words[h]);
      }
      break;
    }
  }
}

static inline __attribute__((always_inline)) void qk_load_columns(const qk_gemm_finish *f, qk_columns16 c[4]) {
#pragma clang loop unroll(full)
  for (int p = 0; p < 4; p++) {
    c[p].bias = _mm512_loadu_si512(f->bias + 16 * p);
    c[p].multiplier = _mm512_loadu_si512(f->multiplier + 16 * p);
    c[p].odd_multiplier = _mm512_srli_epi64(c[p].multiplier, 32);
    c[p].offset = _mm512_loadu_si512(f->offset + 16 * p);
    c[p].odd_offset = _mm512_loadu_si512(f->offset + 16 * p + 8);
    c[p].scale = _mm512_loadu_ps(f->scale + 16 * p);
  }
}

static inline __attribute__((always_inline)) void qk_finish_tokens(const qk_output_form form, const int high_word,
                                                                   const int sum_shift, const qk_gemm_finish *f,
                                                                   int32_t tokens, const int32_t *sums) {
  qk_columns16 c[4];
  qk_load_columns(f, c);
  const __mmask64 columns = qk_first_lanes(f->columns);
  for (int32_t t = 0; t < tokens; t++) {
    uint8_t *out = (uint8_t *)f->output + (size_t)t * f->output_bytes;
    int8_t *rest = f->rest ? f->rest + (size_t)t * f->output_bytes : NULL;
    const int16_t *residual =
        form == QK_OUTPUT_RESIDUAL ? (const int16_t *)((const uint8_t *)f->residual + (size_t)t * f->residual_bytes) : NULL;
    const int32_t *row = sums + t * QK_GROUP_COLUMNS;
    // Constant masks become plain stores.
    __m512i code[4];
#pragma clang loop unroll(full)
    for (int p = 0; p < 4; p++)
      code[p] = columns >> (16 * p) & 1 ? qk_code16(form, high_word, sum_shift, f, 16 * p, &c[p], _mm512_load_si512(row + 16 * p))
                                        : _mm512_setzero_si512();
    if (f->columns == 64) qk_store64(form, f, ~(__mmask64)0, code, out, rest, residual);
    else qk_store64(form, f, columns, code, out, rest, residual);
  }
}

/// Passes on the shifts that kernels use: none, or 4 for 4-bit weights in the upper nibble.
static inline __attribute__((always_inline)) void qk_finish_shifted(const qk_output_form form, const int high_word,
                                                                    const qk_gemm_finish *f, int32_t tokens,
                                                                    const int32_t *sums) {
  if (f->sum_shift) qk_finish_tokens(form, high_word, 4, f, tokens, sums);
  else qk_finish_tokens(form, high_word, 0, f, tokens, sums);
}

static inline __attribute__((always_inline)) void qk_finish_requantised(const qk_output_form form, const qk_gemm_finish *f,
                                                                        int32_t tokens, const int32_t *sums) {
  if (f->high_word) qk_finish_shifted(form, 1, f, tokens, sums);
  else qk_finish_shifted(form, 0, f, tokens, sums);
}

static inline __attribute__((always_inline)) void qk_finish_any(const qk_gemm_finish *f, int32_t tokens,
                                                                const int32_t *sums) {
  switch (f->form) {
    case QK_OUTPUT_ACCUMULATOR: qk_finish_shifted(QK_OUTPUT_ACCUMULATOR, 0, f, tokens, sums); break;
    case QK_OUTPUT_FLOAT: qk_finish_shifted(QK_OUTPUT_FLOAT, 0, f, tokens, sums); break;
    case QK_OUTPUT_INT32: qk_finish_requantised(QK_OUTPUT_INT32, f, tokens, sums); break;
    case QK_OUTPUT_INT8: qk_finish_requantised(QK_OUTPUT_INT8, f, tokens, sums); break;
    case QK_OUTPUT_UINT8: qk_finish_requantised(QK_OUTPUT_UINT8, f, tokens, sums); break;
    case QK_OUTPUT_TABLE: qk_finish_requantised(QK_OUTPUT_TABLE, f, tokens, sums); break;
    case QK_OUTPUT_INT16: qk_finish_requantised(QK_OUTPUT_INT16, f, tokens, sums); break;
    case QK_OUTPUT_RESIDUAL: qk_finish_requantised(QK_OUTPUT_RESIDUAL, f, tokens, sums); break;
    case QK_OUTPUT_CODE_AND_REST: qk_finish_shifted(QK_OUTPUT_CODE_AND_REST, 0, f, tokens, sums); break;
    case QK_OUTPUT_EXACT_AND_REST: qk_finish_requantised(QK_OUTPUT_EXACT_AND_REST, f, tokens, sums); break;
  }
}

#endif
