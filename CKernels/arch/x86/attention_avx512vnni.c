// Attention on VNNI, fused per tile of six queries: scores of all keys (bytes against bytes), probabilities as bytes,
// their product with the values, and the output codes; only their rows of scores are ever in memory.
//
// The products are those of the GEMM: keys lie in panels [dimension/4][16 keys][4], values in panels
// [tokens/4][16 dimensions][4 tokens], both laid out once per task. Queries are stored as code + 128; a score row starts
// at −128·Σ k of its key.
#if defined(__x86_64__)
#include "kernels_x86.h"
#include "tile_avx512vnni.h"
#include "vectors_avx512.h"
#include "../../attention/byte_attention.h"
#include "../../fixedpoint/fixed_point.h"
#include "../../pack/packed_layout.h"

#pragma clang attribute push( \
  __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512vbmi,avx512vbmi2"))), apply_to=function)

enum { QUERIES = 6, PANEL = QK_PANEL_ROWS, GROUP = 64, MAX_DIMENSION = 256, MAX_GROUPS = MAX_DIMENSION / GROUP };

/// How z = ⌊d·M·2^−S + ½⌋ of a distance d = max − score is formed: from d·2^k as an uint16 (IN_SHORTS with k = 0), from the upper
/// word of a product of int32, or in doubles.
typedef enum score_way { IN_SHORTS, IN_SHIFTED_SHORTS, IN_WORDS, IN_DOUBLES } score_way;

/// What all tasks of a call share.
typedef struct shared {
  _Alignas(64) uint8_t table[256];           ///< (E[f] >> (15 − A)) − base
  score_way score_way;
  int32_t score_shift, score_short, short_shift;  ///< k, M and S + k − 16 of IN_SHORTS
  int32_t score_word, output_word;           ///< multipliers of 2^−32, or 0 when the factor needs doubles
  int32_t use_output_word;
  double score_factor, output_factor;
  int32_t last;                              ///< 2^8·(A + 1): from here on P = 0; bounds z in doubles
  int32_t base;                              ///< least E[f] >> (15 − A) that the contract allows
} shared;

/// Sizes of a task's buffers, all multiples of 64 bytes.
typedef struct layout {
  int32_t depth;                             ///< of keys and queries: head dimension rounded up to 4
  int32_t key_panels, value_groups, steps;   ///< steps of four tokens
  size_t keys, key_sums, values, queries, scores, p, sums, total;
  size_t score_stride;                       ///< elements of a row of scores, bytes of a row of probabilities
} layout;

static size_t reserve(size_t *total, size_t bytes) {
  const size_t begin = *total;
  *total += (bytes + 63) / 64 * 64;
  return begin;
}

static layout lay_out(const qk_attention_arguments *a) {
  layout l = { .depth = qk_round_up(a->head_dimension, 4), .key_panels = (a->tokens - 1) / PANEL + 1,
               .value_groups = (a->head_dimension - 1) / GROUP + 1, .steps = (a->tokens - 1) / 4 + 1 };
  l.score_stride = (size_t)qk_round_up(a->tokens, GROUP);
  l.keys = reserve(&l.total, (size_t)l.key_panels * PANEL * (size_t)l.depth);
  l.key_sums = reserve(&l.total, (size_t)l.key_panels * PANEL * sizeof(int32_t));
  l.values = reserve(&l.total, (size_t)l.value_groups * GROUP * (size_t)l.steps * 4);
  l.queries = reserve(&l.total, QUERIES * MAX_DIMENSION);
  l.scores = reserve(&l.total, QUERIES * l.score_stride * sizeof(int32_t) + 64);
  l.p = reserve(&l.total, QUERIES * l.score_stride);
  l.sums = reserve(&l.total, QUERIES * MAX_DIMENSION * sizeof(int32_t));
  return l;
}

static size_t scratch_bytes(const qk_attention_arguments *a) { return lay_out(a).total; }
static int32_t most_queries(const qk_attention_arguments *a) { return a->tokens; }

/// Takes uint16 when that is exact. With T = S + k ≥ 17 the lower half of d·2^k·M does not reach the rounding, so
/// z = (⌊d·2^k·M / 2^16⌋ + 2^(T−17)) >> (T − 16); distances and sums beyond 2^16 − 1 count as that, whose z has to be one
/// with P = 0.
static int choose_shorts(qk_requantiser score, shared *s) {
  const int32_t shift = score.shift < 17 ? 17 - score.shift : 0, t = score.shift + shift;
  if (shift > 7 || t > 31) return 0;  // d < 2^23
  const uint32_t most = ((65535u * (uint32_t)score.multiplier) >> 16) + (1u << (t - 17));
  if ((int32_t)((most < 65535 ? most : 65535) >> (t - 16)) < s->last) return 0;
  s->score_shift = shift;
  s->score_short = score.multiplier;
  s->short_shift = t - 16;
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
  if (!choose_shorts(a->score, s)) s->score_way = fits_word ? IN_WORDS : IN_DOUBLES;
}

/// Rows of 16 dwords become columns.
static inline void transpose16(__m512i r[16]) {
  __m512i t[16];
#pragma clang loop unroll(full)
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
  }
  __m512i u[16];
#pragma clang loop unroll(full)
  for (int i = 0; i < 16; i += 4) {
    u[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
    u[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
    u[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
    u[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
  // u[4b + j] lane L holds column 4L + j of rows 4b…4b+3; gather the lanes of one column from the four b.
#pragma clang loop unroll(full)
  for (int j = 0; j < 4; j++) {
    const __m512i a = _mm512_shuffle_i32x4(u[j], u[4 + j], 0x88), b = _mm512_shuffle_i32x4(u[8 + j], u[12 + j], 0x88);
    const __m512i c = _mm512_shuffle_i32x4(u[j], u[4 + j], 0xdd), d = _mm512_shuffle_i32x4(u[8 + j], u[12 + j], 0xdd);
    r[j] = _mm512_shuffle_i32x4(a, b, 0x88);
    r[8 + j] = _mm512_shuffle_i32x4(a, b, 0xdd);
    r[4 + j] = _mm512_shuffle_i32x4(c, d, 0x88);
    r[12 + j] = _mm512_shuffle_i32x4(c, d, 0xdd);
  }
}

/// One panel of up to 16 keys, and −128·Σ k of each.
static void load_key_panel(const int8_t *keys, size_t stride, int32_t count, int32_t dimension, int32_t depth,
                           uint8_t *panel, int32_t *start) {
  __m512i sums = _mm512_setzero_si512();
  for (int32_t c = 0; c < dimension; c += 64) {
    const __mmask64 bytes = qk_first_lanes(dimension - c);
    __m512i rows[16];
#pragma clang loop unroll(full)
    for (int i = 0; i < 16; i++)
      rows[i] = _mm512_maskz_loadu_epi8(i < count ? bytes : 0, keys + (size_t)(i < count ? i : 0) * stride + c);
    transpose16(rows);
    const int32_t quads = (depth - c) / 4;
#pragma clang loop unroll(full)
    for (int i = 0; i < 16; i++) {
      if (i < quads) _mm512_storeu_si512(panel + 16 * c + 64 * i, rows[i]);
      sums = _mm512_dpbusd_epi32(sums, _mm512_set1_epi8(1), rows[i]);
    }
  }
  _mm512_storeu_si512(start, _mm512_slli_epi32(_mm512_sub_epi32(_mm512_setzero_si512(), sums), 7));
}

/// Four panels of 16 dimensions; a step holds four tokens of each dimension.
static void load_value_group(const int8_t *values, size_t stride, int32_t tokens, int32_t dimensions, int32_t steps,
                             uint8_t *group) {
  const __mmask64 bytes = qk_first_lanes(dimensions);
  // Lane L of a row gets the dwords L, 4 + L, 8 + L, 12 + L: then the byte and word interleaves leave panel r in order.
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  const size_t panel_bytes = (size_t)steps * 64;
  for (int32_t step = 0; step < steps; step++) {
    __m512i row[4];
#pragma clang loop unroll(full)
    for (int i = 0; i < 4; i++) {
      const int32_t token = 4 * step + i;
      const __m512i v = _mm512_maskz_loadu_epi8(token < tokens ? bytes : 0, values + (size_t)(token < tokens ? token : 0) * stride);
      row[i] = _mm512_permutexvar_epi32(order, v);
    }
    const __m512i low01 = _mm512_unpacklo_epi8(row[0], row[1]), high01 = _mm512_unpackhi_epi8(row[0], row[1]);
    const __m512i low23 = _mm512_unpacklo_epi8(row[2], row[3]), high23 = _mm512_unpackhi_epi8(row[2], row[3]);
    uint8_t *out = group + 64 * (size_t)step;
    _mm512_storeu_si512(out, _mm512_unpacklo_epi16(low01, low23));
    _mm512_storeu_si512(out + panel_bytes, _mm512_unpackhi_epi16(low01, low23));
    _mm512_storeu_si512(out + 2 * panel_bytes, _mm512_unpacklo_epi16(high01, high23));
    _mm512_storeu_si512(out + 3 * panel_bytes, _mm512_unpackhi_epi16(high01, high23));
  }
}

static inline __attribute__((always_inline)) void tiles(const int panels, const uint8_t *x, size_t x_stride, int32_t rows,
                                                        const uint8_t *panel, size_t panel_stride, int32_t steps,
                                                        const int32_t *start, int32_t *sums, size_t sums_stride) {
  switch (rows) {
    case 1: qk_tile_vnni(1, panels, x, x_stride, panel, panel_stride, steps, start, sums, sums_stride); break;
    case 2: qk_tile_vnni(2, panels, x, x_stride, panel, panel_stride, steps, start, sums, sums_stride); break;
    case 3: qk_tile_vnni(3, panels, x, x_stride, panel, panel_stride, steps, start, sums, sums_stride); break;
    case 4: qk_tile_vnni(4, panels, x, x_stride, panel, panel_stride, steps, start, sums, sums_stride); break;
    case 5: qk_tile_vnni(5, panels, x, x_stride, panel, panel_stride, steps, start, sums, sums_stride); break;
    default: qk_tile_vnni(QUERIES, panels, x, x_stride, panel, panel_stride, steps, start, sums, sums_stride); break;
  }
}

static void multiply_keys(const uint8_t *queries, int32_t rows, const uint8_t *keys, const layout *l,
                          const int32_t *start, int32_t *scores) {
  const size_t panel_bytes = (size_t)l->depth * PANEL;
  const int32_t steps = l->depth / 4;
  for (int32_t p = 0; p < l->key_panels;) {
    const int32_t rest = l->key_panels - p;
    const uint8_t *panel = keys + (size_t)p * panel_bytes;
    const int32_t *from = start + PANEL * p;
    int32_t *to = scores + PANEL * p;
    if (rest >= 4 && rest != 5) {
      tiles(4, queries, MAX_DIMENSION, rows, panel, panel_bytes, steps, from, to, l->score_stride);
      p += 4;
    } else if (rest >= 3) {
      tiles(3, queries, MAX_DIMENSION, rows, panel, panel_bytes, steps, from, to, l->score_stride);
      p += 3;
    } else if (rest == 2) {
      tiles(2, queries, MAX_DIMENSION, rows, panel, panel_bytes, steps, from, to, l->score_stride);
      p += 2;
    } else {
      tiles(1, queries, MAX_DIMENSION, rows, panel, panel_bytes, steps, from, to, l->score_stride);
      p += 1;
    }
  }
}

static int32_t row_maximum(const int32_t *scores, int32_t tokens) {
  __m512i most = _mm512_set1_epi32(INT32_MIN), second = most;
  int32_t j = 0;
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
    // A load one element on, instead of a shift, which would take the multipliers' port. Rows end in 64 spare bytes.
    const __m512i odd = _mm512_sub_epi64(top, _mm512_mul_epi32(_mm512_loadu_si512(scores + 1), m));
    return _mm512_mask_shuffle_epi32(odd, 0x5555, even, _MM_PERM_DDBB);
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
  const __m512i upper = _mm512_mulhi_epu16(_mm512_packus_epi32(a, b), _mm512_set1_epi16((short)s->score_short));
  const __m512i half = _mm512_set1_epi16((short)(1 << (s->short_shift - 1)));
  return _mm512_srli_epi16(_mm512_adds_epu16(upper, half), (unsigned)s->short_shift);
}

/// 64 bytes of a table of 256.
static inline __m512i look_up(const __m512i table[4], __m512i index) {
  return _mm512_mask_mov_epi8(_mm512_permutex2var_epi8(table[0], index, table[1]), _mm512_movepi8_mask(index),
                              _mm512_permutex2var_epi8(table[2], index, table[3]));
}

/// P = (E[z & 255] + 2^(s−1)) >> s, s = 16 − A + i, i = z >> 8, of 32 words: the table holds E >> (15 − A); that is
/// shifted by i, and the mean with zero rounds up. Entries have A + 1 bits: from i = A + 1 on nothing is left of them.
static inline __m512i probabilities32(__m512i entry, __m512i z, __m512i base) {
  const __m512i shifted = _mm512_srlv_epi16(_mm512_add_epi16(entry, base), _mm512_srli_epi16(z, 8));
  return _mm512_avg_epu16(shifted, _mm512_setzero_si512());
}

/// Probabilities of one row, with zeros up to a multiple of four tokens; the lanes of the result add up to their sum.
static inline __attribute__((always_inline)) __m512i make_probabilities(const score_way way, const shared *s,
                                                                        int32_t tokens, int32_t maximum,
                                                                        const int32_t *scores, uint8_t *p) {
  __m512i table[4];
  for (int i = 0; i < 4; i++) table[i] = _mm512_load_si512(s->table + 64 * i);
  const __m512i base = _mm512_set1_epi16((short)s->base);
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  const __m512i byte = _mm512_set1_epi16(255);
  __m512i total = _mm512_setzero_si512();
  for (int32_t j = 0; j < tokens; j += 64) {
    // vpackusdw, vpackuswb and the unpacking work in 128-bit lanes: order is restored once, at the end.
    const __m512i a = exponents32(way, s, maximum, scores + j), b = exponents32(way, s, maximum, scores + j + 32);
    __m512i fraction_a = _mm512_and_si512(a, byte), fraction_b = _mm512_and_si512(b, byte);
    // Else the compiler makes one two-source byte permutation of it: three operations, two of them on the busy port.
    __asm__("" : "+v"(fraction_a), "+v"(fraction_b));
    const __m512i index = _mm512_packus_epi16(fraction_a, fraction_b);
    const __m512i entries = look_up(table, index), zero = _mm512_setzero_si512();
    const __m512i pa = probabilities32(_mm512_unpacklo_epi8(entries, zero), a, base);
    const __m512i pb = probabilities32(_mm512_unpackhi_epi8(entries, zero), b, base);
    __m512i codes = _mm512_permutexvar_epi32(order, _mm512_packus_epi16(pa, pb));
    if (tokens - j < 64) codes = _mm512_maskz_mov_epi8(qk_first_lanes(tokens - j), codes);
    total = _mm512_dpbusd_epi32(total, codes, _mm512_set1_epi8(1));
    _mm512_store_si512(p + j, codes);
  }
  return total;
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
  return _mm512_mask_shuffle_epi32(odd, 0x5555, even, _MM_PERM_DDBB);
}

/// What turns the sums of one query into codes.
typedef struct query_end {
  int32_t use_words;
  __m512i normalise;     ///< R·2^(32−shift)
  __m512d normalise_pd;  ///< R·2^−shift
} query_end;

static inline query_end end_of(const shared *s, __m512i lanes) {
  int32_t k = 0;
  const uint32_t reciprocal = qk_reciprocal16_inline((uint32_t)_mm512_reduce_add_epi32(lanes), &k);
  const int32_t shift = k + 15 - QK_CONTEXT_FRACTION_BITS;
  // R·2^(32−shift) is an int32 from shift 17 on (R < 2^16).
  const int32_t use_words = s->use_output_word && shift >= 17 && shift <= 32;
  return (query_end){ .use_words = use_words,
                      .normalise = _mm512_set1_epi32(use_words ? (int32_t)((uint64_t)reciprocal << (32 - shift)) : 0),
                      .normalise_pd = _mm512_set1_pd((double)reciprocal * qk_power_of_half(shift)) };
}

/// Output codes of up to 64 dimensions of one query.
static inline void finish_query(const qk_attention_arguments *a, const shared *s, const int32_t *sums,
                                const query_end *end, int32_t dimensions, int8_t *out) {
  __m512i code[4];
  if (end->use_words) {
    const __m512i word = _mm512_set1_epi32(s->output_word);
#pragma clang loop unroll(full)
    for (int i = 0; i < 4; i++)
      code[i] = upper_words(upper_words(_mm512_load_si512(sums + 16 * i), end->normalise), word);
  } else {
    const __m512d lo = _mm512_set1_pd(a->lo), hi = _mm512_set1_pd(a->hi);
#pragma clang loop unroll(full)
    for (int i = 0; i < 4; i++) {
      const __m256i first = finish8(_mm256_load_si256((const __m256i *)(sums + 16 * i)), end->normalise_pd, s, lo, hi);
      const __m256i second = finish8(_mm256_load_si256((const __m256i *)(sums + 16 * i + 8)), end->normalise_pd, s, lo, hi);
      code[i] = _mm512_inserti64x4(_mm512_castsi256_si512(first), second, 1);
    }
  }
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  const __m512i words0 = _mm512_packs_epi32(code[0], code[1]), words1 = _mm512_packs_epi32(code[2], code[3]);
  const __m512i bytes = _mm512_permutexvar_epi32(order, _mm512_packs_epi16(words0, words1));
  const __m512i clamped = _mm512_max_epi8(_mm512_set1_epi8((char)a->lo), _mm512_min_epi8(_mm512_set1_epi8((char)a->hi), bytes));
  if (dimensions >= GROUP) _mm512_storeu_si512(out, clamped);
  else _mm512_mask_storeu_epi8(out, qk_first_lanes(dimensions), clamped);
}

/// Up to six queries: scores, probabilities, weighted values, codes. Each step runs over all rows before the next, so
/// that the reductions of one row overlap with the work of another.
static void attend_rows(const qk_attention_task *task, const layout *l, uint8_t *base, int32_t first, int32_t rows) {
  const qk_attention_arguments *a = task->arguments;
  const shared *s = task->shared;
  uint8_t *queries = base + l->queries, *p = base + l->p;
  int32_t *scores = (int32_t *)(base + l->scores), *sums = (int32_t *)(base + l->sums);
  const size_t group_bytes = (size_t)l->steps * 64 * 4;
  int32_t maxima[QUERIES];
  __m512i totals[QUERIES];
  query_end ends[QUERIES];

  for (int32_t i = 0; i < rows; i++)
    for (int32_t c = 0; c < a->head_dimension; c += GROUP) {
      const int8_t *codes = task->q + (size_t)(first + i) * task->stride + c;
      const __m512i v = _mm512_maskz_loadu_epi8(qk_first_lanes(a->head_dimension - c), codes);
      _mm512_storeu_si512(queries + i * MAX_DIMENSION + c, _mm512_xor_si512(v, _mm512_set1_epi8(-128)));
    }
  multiply_keys(queries, rows, base + l->keys, l, (const int32_t *)(base + l->key_sums), scores);
  for (int32_t i = 0; i < rows; i++) maxima[i] = row_maximum(scores + (size_t)i * l->score_stride, a->tokens);
  for (int32_t i = 0; i < rows; i++) {
    const int32_t *row = scores + (size_t)i * l->score_stride;
    uint8_t *codes = p + (size_t)i * l->score_stride;
    switch (s->score_way) {
      case IN_SHORTS: totals[i] = make_probabilities(IN_SHORTS, s, a->tokens, maxima[i], row, codes); break;
      case IN_SHIFTED_SHORTS: totals[i] = make_probabilities(IN_SHIFTED_SHORTS, s, a->tokens, maxima[i], row, codes); break;
      case IN_WORDS: totals[i] = make_probabilities(IN_WORDS, s, a->tokens, maxima[i], row, codes); break;
      case IN_DOUBLES: totals[i] = make_probabilities(IN_DOUBLES, s, a->tokens, maxima[i], row, codes); break;
    }
  }
  for (int32_t g = 0; g < l->value_groups; g++)
    tiles(4, p, l->score_stride, rows, base + l->values + (size_t)g * group_bytes, (size_t)l->steps * 64, l->steps, NULL,
          sums + GROUP * g, MAX_DIMENSION);
  for (int32_t i = 0; i < rows; i++) ends[i] = end_of(s, totals[i]);
  for (int32_t i = 0; i < rows; i++)
    for (int32_t g = 0; g < l->value_groups; g++)
      finish_query(a, s, sums + i * MAX_DIMENSION + GROUP * g, &ends[i], a->head_dimension - GROUP * g,
                   task->output + (size_t)(first + i) * task->output_stride + GROUP * g);
}

static void attend(const qk_attention_task *task, void *memory) {
  const qk_attention_arguments *a = task->arguments;
  const layout l = lay_out(a);
  uint8_t *base = memory;
  for (int32_t panel = 0; panel < l.key_panels; panel++) {
    const int32_t first = panel * PANEL, count = a->tokens - first < PANEL ? a->tokens - first : PANEL;
    load_key_panel(task->k + (size_t)first * task->stride, task->stride, count, a->head_dimension, l.depth,
                   base + l.keys + (size_t)panel * PANEL * (size_t)l.depth, (int32_t *)(base + l.key_sums) + first);
  }
  for (int32_t g = 0; g < l.value_groups; g++)
    load_value_group(task->v + GROUP * g, task->stride, a->tokens, a->head_dimension - GROUP * g, l.steps,
                     base + l.values + (size_t)g * (size_t)l.steps * 64 * 4);
  for (int32_t first = 0; first < task->queries; first += QUERIES)
    attend_rows(task, &l, base, first, task->queries - first < QUERIES ? task->queries - first : QUERIES);
}

const qk_attention_kernel qk_attention_avx512vnni = {
  .name = "attention_i8_i8_6x64_avx512vnni_vbmi",
  .tile_queries = QUERIES,
  .most_queries = most_queries,
  .shared_bytes = sizeof(shared),
  .prepare = prepare,
  .scratch_bytes = scratch_bytes,
  .attend = attend,
};

#pragma clang attribute pop
#endif
