// NEON attention, per tile of eight queries: scores of all keys, probabilities as bytes, their product with the values,
// and the output codes. Only the tile's rows of scores are ever in memory.
//
// Included by the two files that build it, which define the product and its panels of 16 keys or dimensions:
//   store_keys(panel at depth c, i, both, r): dimensions c…c+7, and c+8…c+15 if `both`, of keys 4i…4i+3
//   store_values(panel at token j, v, first, second): tokens j…j+3 and j+4…j+7 of dimensions 4v…4v+3
//   multiply_panel: as qk_panel_neondot
// Probabilities are stored as P − 128, so a row of sums starts at 128·Σ v of its dimension.
#ifndef QK_ATTENTION_NEON_H
#define QK_ATTENTION_NEON_H

#include <string.h>
#include "finish_arm.h"
#include "kernels_arm.h"
#include "../../attention/byte_attention.h"
#include "../../fixedpoint/fixed_point.h"
#include "../../pack/packed_layout.h"

enum { QUERIES = QK_TILE_NEON_TOKENS, PANEL = QK_PANEL_ROWS, MAX_DIMENSION = 256 };

/// Data that all tasks of a call share.
typedef struct shared {
  uint8_t table[256];       ///< (E[f] >> (15 − A)) − base
  int32_t base;             ///< least E[f] >> (15 − A) that the contract allows
  int32_t last;             ///< 2^8·(A + 1): from here on P = 0
  int32_t use_word, word;   ///< the score factor is word·2^−32
} shared;

/// Sizes of a task's buffers, all multiples of 64 bytes.
typedef struct layout {
  int32_t dimension, tokens;               ///< padded to 8: depths of the two products
  int32_t key_panels, value_panels;
  size_t keys, values, start, queries, scores, p, sums, total;
  size_t stride;                           ///< elements of a row of scores, bytes of a row of probabilities
} layout;

static size_t reserve(size_t *total, size_t bytes) {
  const size_t begin = *total;
  *total += (bytes + 63) / 64 * 64;
  return begin;
}

static layout lay_out(const qk_attention_arguments *a) {
  layout l = { .dimension = qk_round_up(a->head_dimension, 8), .tokens = qk_round_up(a->tokens, 8),
               .key_panels = (a->tokens - 1) / PANEL + 1, .value_panels = (a->head_dimension - 1) / PANEL + 1 };
  l.stride = (size_t)l.key_panels * PANEL;
  l.keys = reserve(&l.total, l.stride * (size_t)l.dimension);
  l.values = reserve(&l.total, (size_t)l.value_panels * PANEL * (size_t)l.tokens);
  l.start = reserve(&l.total, MAX_DIMENSION * sizeof(int32_t));
  l.queries = reserve(&l.total, QUERIES * MAX_DIMENSION);
  l.scores = reserve(&l.total, QUERIES * l.stride * sizeof(int32_t));
  l.p = reserve(&l.total, QUERIES * l.stride);
  l.sums = reserve(&l.total, QUERIES * MAX_DIMENSION * sizeof(int32_t));
  return l;
}

static size_t scratch_bytes(const qk_attention_arguments *a) { return lay_out(a).total; }
static int32_t most_queries(const qk_attention_arguments *a) { return a->tokens; }

static void prepare(const qk_attention_arguments *a, void *memory) {
  shared *s = memory;
  s->base = qk_make_byte_table(a, s->table);
  s->last = 256 * (a->activation_bits + 1);
  s->use_word = qk_fits_upper_word(a->score);
  s->word = s->use_word ? qk_upper_word_multiplier(a->score) : 0;
}

/// Loads up to 16 bytes, zero beyond `count`; reads nothing past them.
static inline int8x16_t load_bytes(const int8_t *bytes, int32_t count) {
  if (count >= 16) return vld1q_s8(bytes);
  int8_t image[16] = { 0 };
  if (count > 0) memcpy(image, bytes, (size_t)count);
  return vld1q_s8(image);
}

/// Lays out one panel of up to 16 keys.
static void load_key_panel(const int8_t *keys, size_t stride, int32_t count, int32_t dimension, int32_t padded,
                           int8_t *panel) {
  for (int32_t c = 0; c < padded; c += 16)
    for (int32_t i = 0; i < 4; i++) {
      int8x16_t r[4];
      for (int32_t j = 0; j < 4; j++) {
        const int32_t key = 4 * i + j;
        r[j] = load_bytes(keys + (size_t)(key < count ? key : 0) * stride + c, key < count ? dimension - c : 0);
      }
      store_keys(panel + 16 * (size_t)c, i, c + 8 < padded, r);
    }
}

/// Turns four tokens of 16 dimensions into quads: four tokens of dimensions 4v…4v+3 in register v. Adds to Σ v.
static inline void value_quads(const int8_t *values, size_t stride, int32_t tokens, int32_t dimensions,
                               int8x16_t quads[4], int32x4_t sums[4]) {
  int8x16_t r[4];
  for (int32_t i = 0; i < 4; i++)
    r[i] = load_bytes(values + (size_t)(i < tokens ? i : 0) * stride, i < tokens ? dimensions : 0);
  const int16x8_t low01 = vreinterpretq_s16_s8(vzip1q_s8(r[0], r[1]));
  const int16x8_t high01 = vreinterpretq_s16_s8(vzip2q_s8(r[0], r[1]));
  const int16x8_t low23 = vreinterpretq_s16_s8(vzip1q_s8(r[2], r[3]));
  const int16x8_t high23 = vreinterpretq_s16_s8(vzip2q_s8(r[2], r[3]));
  quads[0] = vreinterpretq_s8_s16(vzip1q_s16(low01, low23));
  quads[1] = vreinterpretq_s8_s16(vzip2q_s16(low01, low23));
  quads[2] = vreinterpretq_s8_s16(vzip1q_s16(high01, high23));
  quads[3] = vreinterpretq_s8_s16(vzip2q_s16(high01, high23));
  for (int v = 0; v < 4; v++) sums[v] = vdotq_s32(sums[v], quads[v], vdupq_n_s8(1));
}

/// Lays out one panel of up to 16 dimensions, and 128·Σ v of each.
static void load_value_panel(const int8_t *values, size_t stride, int32_t tokens, int32_t dimensions, int8_t *panel,
                             int32_t *start) {
  int32x4_t sums[4] = { vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0) };
  for (int32_t j = 0; j < tokens; j += 8) {
    const int32_t rest = tokens - j;
    int8x16_t first[4], second[4];
    value_quads(values + (size_t)j * stride, stride, rest, dimensions, first, sums);
    value_quads(values + (size_t)(rest > 4 ? j + 4 : j) * stride, stride, rest - 4, dimensions, second, sums);
    for (int v = 0; v < 4; v++) store_values(panel + 16 * (size_t)j, v, first[v], second[v]);
  }
  for (int v = 0; v < 4; v++) vst1q_s32(start + 4 * v, vshlq_n_s32(sums[v], 7));
}

static int32_t row_maximum(const int32_t *scores, int32_t tokens) {
  int32x4_t most = vdupq_n_s32(INT32_MIN);
  int32_t j = 0;
  for (; j + 4 <= tokens; j += 4) most = vmaxq_s32(most, vld1q_s32(scores + j));
  int32_t maximum = vmaxvq_s32(most);
  for (; j < tokens; j++) if (scores[j] > maximum) maximum = scores[j];
  return maximum;
}

/// (v·multiplier + 2^(S−1)) >> S with shift = −S, saturated to int32.
static inline int32x4_t round_products(int32x4_t v, int32_t multiplier, int64x2_t shift) {
  const int64x2_t low = vrshlq_s64(vmull_n_s32(vget_low_s32(v), multiplier), shift);
  const int64x2_t high = vrshlq_s64(vmull_high_n_s32(v, multiplier), shift);
  return vqmovn_high_s64(vqmovn_s64(low), high);
}

/// Exponents of 8 scores, at most `last`. With words: the upper word of max·M + 2^31 − score·M.
static inline __attribute__((always_inline)) uint16x8_t exponents8(const int use_word, const shared *s,
                                                                   qk_requantiser score, int32_t maximum,
                                                                   const int32_t *scores) {
  int32x4_t z[2];
  for (int i = 0; i < 2; i++) {
    const int32x4_t v = vld1q_s32(scores + 4 * i);
    if (use_word) {
      const int64x2_t top = vdupq_n_s64((int64_t)maximum * s->word + ((int64_t)1 << 31));
      z[i] = vuzp2q_s32(vreinterpretq_s32_s64(vmlsl_n_s32(top, vget_low_s32(v), s->word)),
                        vreinterpretq_s32_s64(vmlsl_high_n_s32(top, v, s->word)));
    } else {
      z[i] = round_products(vsubq_s32(vdupq_n_s32(maximum), v), score.multiplier, vdupq_n_s64(-score.shift));
    }
  }
  return vminq_u16(vqmovun_high_s32(vqmovun_s32(z[0]), z[1]), vdupq_n_u16((uint16_t)s->last));
}

/// P = (E[z & 255] + 2^(s−1)) >> s, s = 16 − A + i, i = z >> 8, of 8 entries E >> (15 − A): a rounding shift by i + 1.
static inline uint8x8_t probabilities8(uint8x8_t entry, uint8x8_t whole, uint16x8_t base) {
  const int16x8_t shift = vsubq_s16(vdupq_n_s16(-1), vreinterpretq_s16_u16(vmovl_u8(whole)));
  return vmovn_u16(vrshlq_u16(vaddw_u8(base, entry), shift));
}

/// Writes P − 128 of one row up to a multiple of 16 tokens (values beyond the last token are zero); returns Σ P.
static inline __attribute__((always_inline)) uint32_t make_probabilities(const int use_word, const shared *s,
                                                                         qk_requantiser score, int32_t tokens,
                                                                         const int32_t *scores, uint8_t *p) {
  const int32_t maximum = row_maximum(scores, tokens);
  uint8x16x4_t table[4];
  for (int i = 0; i < 4; i++) table[i] = vld1q_u8_x4(s->table + 64 * i);
  const uint16x8_t base = vdupq_n_u16((uint16_t)s->base);
  const uint8x16_t places = vcombine_u8(vcreate_u8(0x0706050403020100u), vcreate_u8(0x0f0e0d0c0b0a0908u));
  uint32x4_t total = vdupq_n_u32(0);
  for (int32_t j = 0; j < tokens; j += 16) {
    const uint8x16_t a = vreinterpretq_u8_u16(exponents8(use_word, s, score, maximum, scores + j));
    const uint8x16_t b = vreinterpretq_u8_u16(exponents8(use_word, s, score, maximum, scores + j + 8));
    const uint8x16_t whole = vuzp2q_u8(a, b), entries = qk_look_up_neon(table, vuzp1q_u8(a, b));
    uint8x16_t codes = vcombine_u8(probabilities8(vget_low_u8(entries), vget_low_u8(whole), base),
                                   probabilities8(vget_high_u8(entries), vget_high_u8(whole), base));
    if (tokens - j < 16) codes = vandq_u8(codes, vcltq_u8(places, vdupq_n_u8((uint8_t)(tokens - j))));
    total = vdotq_u32(total, codes, vdupq_n_u8(1));
    vst1q_u8(p + j, veorq_u8(codes, vdupq_n_u8(128)));
  }
  return vaddvq_u32(total);
}

/// Writes the output codes of one query: U = (sum·R + 2^(k+6)) >> (k+7), |sum·R| < 2^54, then the requantiser.
static void finish_query(const qk_attention_arguments *a, const int32_t *sums, uint32_t total, int8_t *out) {
  int32_t k = 0;
  const int32_t reciprocal = (int32_t)qk_reciprocal16_inline(total, &k);
  const int64x2_t normalise = vdupq_n_s64(-(k + 15 - QK_CONTEXT_FRACTION_BITS));
  const int64x2_t shift = vdupq_n_s64(-a->output_requantiser.shift);
  const int32x4_t lo = vdupq_n_s32(a->lo), hi = vdupq_n_s32(a->hi);
  for (int32_t c = 0; c < a->head_dimension; c += 8) {
    int32x4_t code[2];
    for (int i = 0; i < 2; i++) {
      const int32x4_t context = round_products(vld1q_s32(sums + c + 4 * i), reciprocal, normalise);
      code[i] = vmaxq_s32(lo, vminq_s32(hi, round_products(context, a->output_requantiser.multiplier, shift)));
    }
    const int8x8_t bytes = vqmovn_s16(vqmovn_high_s32(vqmovn_s32(code[0]), code[1]));
    if (a->head_dimension - c >= 8) {
      vst1_s8(out + c, bytes);
    } else {
      int8_t image[8];
      vst1_s8(image, bytes);
      memcpy(out + c, image, (size_t)(a->head_dimension - c));
    }
  }
}

static void attend(const qk_attention_task *task, void *memory) {
  const qk_attention_arguments *a = task->arguments;
  const shared *s = task->shared;
  const layout l = lay_out(a);
  uint8_t *base = memory, *p = base + l.p;
  int8_t *keys = (int8_t *)(base + l.keys), *values = (int8_t *)(base + l.values);
  int8_t *queries = (int8_t *)(base + l.queries);
  int32_t *start = (int32_t *)(base + l.start), *scores = (int32_t *)(base + l.scores);
  int32_t *sums = (int32_t *)(base + l.sums);
  const size_t key_bytes = (size_t)l.dimension * PANEL, value_bytes = (size_t)l.tokens * PANEL;

  for (int32_t n = 0; n < l.key_panels; n++)
    load_key_panel(task->k + (size_t)(n * PANEL) * task->stride, task->stride, a->tokens - n * PANEL, a->head_dimension,
                   l.dimension, keys + (size_t)n * key_bytes);
  for (int32_t n = 0; n < l.value_panels; n++)
    load_value_panel(task->v + n * PANEL, task->stride, a->tokens, a->head_dimension - n * PANEL,
                     values + (size_t)n * value_bytes, start + n * PANEL);

  for (int32_t first = 0; first < task->queries; first += QUERIES) {
    const int32_t rows = task->queries - first < QUERIES ? task->queries - first : QUERIES;
    uint32_t totals[QUERIES];
    for (int32_t i = 0; i < rows; i++)
      qk_sign_activations_neon(task->q + (size_t)(first + i) * task->stride, 0, a->head_dimension, l.dimension,
                               queries + i * MAX_DIMENSION);
    for (int32_t n = 0; n < l.key_panels; n++)
      multiply_panel(queries, MAX_DIMENSION, rows, keys + (size_t)n * key_bytes, l.dimension, NULL,
                       scores + n * PANEL, l.stride);
    for (int32_t i = 0; i < rows; i++) {
      const int32_t *row = scores + (size_t)i * l.stride;
      uint8_t *codes = p + (size_t)i * l.stride;
      totals[i] = s->use_word ? make_probabilities(1, s, a->score, a->tokens, row, codes)
                              : make_probabilities(0, s, a->score, a->tokens, row, codes);
    }
    for (int32_t n = 0; n < l.value_panels; n++)
      multiply_panel((const int8_t *)p, l.stride, rows, values + (size_t)n * value_bytes, l.tokens, start + n * PANEL,
                       sums + n * PANEL, MAX_DIMENSION);
    for (int32_t i = 0; i < rows; i++)
      finish_query(a, sums + i * MAX_DIMENSION, totals[i], task->output + (size_t)(first + i) * task->output_stride);
  }
}

#define QK_ATTENTION_NEON_KERNEL(kernel_name)                                                              \
  { .name = kernel_name, .tile_queries = QUERIES, .most_queries = most_queries, .shared_bytes = sizeof(shared), \
    .prepare = prepare, .scratch_bytes = scratch_bytes, .attend = attend }

#endif
