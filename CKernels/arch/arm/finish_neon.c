// Plain NEON code around the products: activations in, codes out.
#if defined(__aarch64__)
#include <arm_neon.h>
#include <string.h>
#include "finish_arm.h"
#include "../../gemm/validate.h"

void qk_sign_activations_neon(const void *codes, int is_unsigned, int32_t depth, int32_t padded, void *out) {
  const uint8_t *in = codes, flip = is_unsigned ? 128 : 0;
  uint8_t *bytes = out;
  const uint8x16_t flips = vdupq_n_u8(flip);
  int32_t k = 0;
  for (; k + 16 <= depth; k += 16) vst1q_u8(bytes + k, veorq_u8(vld1q_u8(in + k), flips));
  for (; k < depth; k++) bytes[k] = in[k] ^ flip;
  for (; k < padded; k++) bytes[k] = 0;
}

/// Sums, biases or codes of the 16 columns of a panel.
typedef struct words16 {
  int32x4_t v[4];
} words16;

/// Constants of the columns of a panel, loaded once for all tokens of a tile.
typedef struct columns16 {
  words16 bias, multiplier;     ///< multipliers: even columns 0…6, odd 1…7, even 8…14, odd 9…15
  int64x2_t even[4], odd[4];    ///< offsets
  float32x4_t scale[4];
  float64x2_t factor[8];
  int32x4_t lo, hi;
} columns16;

static inline words16 load16(const int32_t *words) {
  return (words16){ { vld1q_s32(words), vld1q_s32(words + 4), vld1q_s32(words + 8), vld1q_s32(words + 12) } };
}

/// Splits even and odd columns, in the order of the offsets.
static inline words16 split16(words16 w) {
  return (words16){ { vuzp1q_s32(w.v[0], w.v[1]), vuzp2q_s32(w.v[0], w.v[1]), vuzp1q_s32(w.v[2], w.v[3]),
                      vuzp2q_s32(w.v[2], w.v[3]) } };
}

/// Upper words of sum·multiplier + offset.
static inline int32x4_t upper_words(int32x4_t sum, int32x4_t multiplier, int64x2_t offset, int64x2_t next) {
  const int64x2_t low = vmlal_s32(offset, vget_low_s32(sum), vget_low_s32(multiplier));
  const int64x2_t high = vmlal_high_s32(next, sum, multiplier);
  return vuzp2q_s32(vreinterpretq_s32_s64(low), vreinterpretq_s32_s64(high));
}

/// ⌊sum·factor + ½⌋, exact in doubles (see qk_requantiser_factor) and below 2^47 in magnitude; saturated to int32, which
/// the clamp to lo…hi cannot tell from the value itself.
static inline int32x4_t round_doubles(int32x4_t sum, float64x2_t factor, float64x2_t next) {
  const float64x2_t half = vdupq_n_f64(0.5);
  const float64x2_t low = vfmaq_f64(half, vcvtq_f64_s64(vmovl_s32(vget_low_s32(sum))), factor);
  const float64x2_t high = vfmaq_f64(half, vcvtq_f64_s64(vmovl_high_s32(sum)), next);
  return vqmovn_high_s64(vqmovn_s64(vcvtmq_s64_f64(low)), vcvtmq_s64_f64(high));
}

/// Codes of 16 sums without their bias, clamped to lo…hi.
static inline words16 requantise16(const int high_word, const columns16 *c, words16 sum) {
  words16 code;
  if (high_word) {
    const words16 apart = split16(sum);
    for (int h = 0; h < 2; h++) {
      const int32x4_t even = upper_words(apart.v[2 * h], c->multiplier.v[2 * h], c->even[2 * h], c->even[2 * h + 1]);
      const int32x4_t odd = upper_words(apart.v[2 * h + 1], c->multiplier.v[2 * h + 1], c->odd[2 * h], c->odd[2 * h + 1]);
      code.v[2 * h] = vzip1q_s32(even, odd);
      code.v[2 * h + 1] = vzip2q_s32(even, odd);
    }
  } else {
    for (int i = 0; i < 4; i++)
      code.v[i] = round_doubles(vaddq_s32(sum.v[i], c->bias.v[i]), c->factor[2 * i], c->factor[2 * i + 1]);
  }
  for (int i = 0; i < 4; i++) code.v[i] = vmaxq_s32(c->lo, vminq_s32(c->hi, code.v[i]));
  return code;
}

static inline columns16 load_columns(const int high_word, const qk_gemm_finish *f, int32_t column) {
  columns16 c = { .bias = load16(f->bias + column), .lo = vdupq_n_s32(f->lo), .hi = vdupq_n_s32(f->hi) };
  for (int i = 0; i < 4; i++) c.scale[i] = vld1q_f32(f->scale + column + 4 * i);
  if (high_word) {
    c.multiplier = split16(load16(f->multiplier + column));
    for (int i = 0; i < 4; i++) {
      c.even[i] = vld1q_s64(f->offset + column + 2 * i);
      c.odd[i] = vld1q_s64(f->offset + column + 8 + 2 * i);
    }
  } else {
    for (int i = 0; i < 8; i++) c.factor[i] = vld1q_f64(f->factor + column + 2 * i);
  }
  return c;
}

static inline int16x8_t narrow_words(int32x4_t a, int32x4_t b) { return vqmovn_high_s32(vqmovn_s32(a), b); }

/// clamp(round(v), lo, hi) in the lower byte of 4 words, its rounding error in the upper byte. With `exact`, the lower
/// byte is `code` instead.
static inline __attribute__((always_inline)) int32x4_t code_and_rest4(const columns16 *c, float32x4_t v, const int exact,
                                                                      int32x4_t code) {
  const float32x4_t low = vcvtq_f32_s32(c->lo), high = vcvtq_f32_s32(c->hi);
  const float32x4_t clamped = vmaxq_f32(low, vminq_f32(high, vrndnq_f32(v)));
  int32x4_t rest = vcvtnq_s32_f32(vmulq_f32(vsubq_f32(clamped, v), vdupq_n_f32(QK_REST_UNITS)));
  rest = vbslq_s32(vcltq_f32(v, low), vdupq_n_s32(QK_REST_BELOW), rest);
  rest = vbslq_s32(vcgtq_f32(v, high), vdupq_n_s32(QK_REST_ABOVE), rest);
  const int32x4_t lower = exact ? code : vcvtq_s32_f32(clamped);
  return vorrq_s32(vshlq_n_s32(rest, 8), vandq_s32(lower, vdupq_n_s32(255)));
}

/// Finishes 16 columns of one token, in the form of the output; `form`, `high_word` and `sum_shift` are constants after
/// inlining.
static inline __attribute__((always_inline)) void finish16(const qk_output_form form, const int high_word,
                                                           const int sum_shift, const columns16 *c,
                                                           const uint8x16x4_t table[4], const int32_t *sums,
                                                           const int16_t *residual, void *out, int8_t *rest) {
  words16 sum = load16(sums);
  if (sum_shift)
    for (int i = 0; i < 4; i++) sum.v[i] = vshrq_n_s32(sum.v[i], 4);
  if (form == QK_OUTPUT_ACCUMULATOR) {
    for (int i = 0; i < 4; i++) vst1q_s32((int32_t *)out + 4 * i, vaddq_s32(sum.v[i], c->bias.v[i]));
    return;
  }
  if (form == QK_OUTPUT_FLOAT) {
    for (int i = 0; i < 4; i++) {
      const float32x4_t biased = vcvtq_f32_s32(vaddq_s32(sum.v[i], c->bias.v[i]));
      vst1q_f32((float *)out + 4 * i, vmulq_f32(biased, c->scale[i]));
    }
    return;
  }
  const int exact = form == QK_OUTPUT_EXACT_AND_REST;
  words16 code = { 0 };
  if (form != QK_OUTPUT_CODE_AND_REST) code = requantise16(high_word, c, sum);
  if (exact || form == QK_OUTPUT_CODE_AND_REST)
    for (int i = 0; i < 4; i++) {
      const float32x4_t v = vmulq_f32(vcvtq_f32_s32(vaddq_s32(sum.v[i], c->bias.v[i])), c->scale[i]);
      code.v[i] = code_and_rest4(c, v, exact, code.v[i]);
    }
  if (form == QK_OUTPUT_INT32) {
    for (int i = 0; i < 4; i++) vst1q_s32((int32_t *)out + 4 * i, code.v[i]);
    return;
  }
  const int16x8_t low = narrow_words(code.v[0], code.v[1]), high = narrow_words(code.v[2], code.v[3]);
  switch (form) {
    case QK_OUTPUT_INT8: vst1q_s8(out, vqmovn_high_s16(vqmovn_s16(low), high)); break;
    case QK_OUTPUT_UINT8: vst1q_u8(out, vqmovun_high_s16(vqmovun_s16(low), high)); break;
    case QK_OUTPUT_TABLE: {
      const uint8x16_t codes = vreinterpretq_u8_s8(vqmovn_high_s16(vqmovn_s16(low), high));
      vst1q_u8(out, qk_look_up_neon(table, veorq_u8(codes, vdupq_n_u8(128))));
      break;
    }
    case QK_OUTPUT_CODE_AND_REST:
    case QK_OUTPUT_EXACT_AND_REST:
      // Pairs as words: codes are the lower bytes, rests the upper ones.
      vst1q_s8(out, vmovn_high_s16(vmovn_s16(low), high));
      vst1q_s8(rest, vshrn_high_n_s16(vshrn_n_s16(low, 8), high, 8));
      break;
    case QK_OUTPUT_INT16:
      vst1q_s16(out, low);
      vst1q_s16((int16_t *)out + 8, high);
      break;
    case QK_OUTPUT_RESIDUAL:
      vst1q_s16(out, vqaddq_s16(vld1q_s16(residual), low));
      vst1q_s16((int16_t *)out + 8, vqaddq_s16(vld1q_s16(residual + 8), high));
      break;
    default: break;
  }
}

static inline __attribute__((always_inline)) void finish_tokens(const qk_output_form form, const int high_word,
                                                                const int sum_shift, const qk_gemm_finish *f,
                                                                int32_t tokens, const int32_t *sums) {
  const size_t element = form == QK_OUTPUT_ACCUMULATOR || form == QK_OUTPUT_INT32 || form == QK_OUTPUT_FLOAT ? 4
      : form == QK_OUTPUT_INT16 || form == QK_OUTPUT_RESIDUAL                                                ? 2
                                                                                                             : 1;
  const int has_rest = qk_form_has_rest(form);
  uint8x16x4_t table[4];
  if (form == QK_OUTPUT_TABLE)
    for (int i = 0; i < 4; i++) table[i] = vld1q_u8_x4(f->table + 64 * i);
  for (int32_t column = 0; column < f->columns; column += QK_PANEL_ROWS) {
    const columns16 c = load_columns(high_word, f, column);
    const int32_t count = f->columns - column < QK_PANEL_ROWS ? f->columns - column : QK_PANEL_ROWS;
    for (int32_t t = 0; t < tokens; t++) {
      const int32_t *row = sums + t * QK_GROUP_COLUMNS + column;
      uint8_t *out = (uint8_t *)f->output + (size_t)t * f->output_bytes + (size_t)column * element;
      int8_t *rest = has_rest ? f->rest + (size_t)t * f->output_bytes + column : NULL;
      const int16_t *residual = form == QK_OUTPUT_RESIDUAL
          ? (const int16_t *)((const uint8_t *)f->residual + (size_t)t * f->residual_bytes) + column : NULL;
      if (count == QK_PANEL_ROWS) {
        finish16(form, high_word, sum_shift, &c, table, row, residual, out, rest);
      } else {
        int16_t stream[QK_PANEL_ROWS] = { 0 };
        uint8_t image[4 * QK_PANEL_ROWS];
        int8_t rests[QK_PANEL_ROWS];
        if (form == QK_OUTPUT_RESIDUAL) memcpy(stream, residual, (size_t)count * sizeof(int16_t));
        finish16(form, high_word, sum_shift, &c, table, row, stream, image, rests);
        memcpy(out, image, (size_t)count * element);
        if (has_rest) memcpy(rest, rests, (size_t)count);
      }
    }
  }
}

/// Passes on the shifts that kernels use: none, or 4 for 4-bit weights in the upper nibble.
static inline __attribute__((always_inline)) void finish_shifted(const qk_output_form form, const int high_word,
                                                                 const qk_gemm_finish *f, int32_t tokens,
                                                                 const int32_t *sums) {
  if (f->sum_shift) finish_tokens(form, high_word, 1, f, tokens, sums);
  else finish_tokens(form, high_word, 0, f, tokens, sums);
}

static inline __attribute__((always_inline)) void finish_requantised(const qk_output_form form, const qk_gemm_finish *f,
                                                                     int32_t tokens, const int32_t *sums) {
  if (f->high_word) finish_shifted(form, 1, f, tokens, sums);
  else finish_shifted(form, 0, f, tokens, sums);
}

void qk_finish_neon(const qk_gemm_finish *f, int32_t tokens, const int32_t *sums) {
  switch (f->form) {
    case QK_OUTPUT_ACCUMULATOR: finish_shifted(QK_OUTPUT_ACCUMULATOR, 0, f, tokens, sums); break;
    case QK_OUTPUT_FLOAT: finish_shifted(QK_OUTPUT_FLOAT, 0, f, tokens, sums); break;
    case QK_OUTPUT_INT32: finish_requantised(QK_OUTPUT_INT32, f, tokens, sums); break;
    case QK_OUTPUT_INT8: finish_requantised(QK_OUTPUT_INT8, f, tokens, sums); break;
    case QK_OUTPUT_UINT8: finish_requantised(QK_OUTPUT_UINT8, f, tokens, sums); break;
    case QK_OUTPUT_TABLE: finish_requantised(QK_OUTPUT_TABLE, f, tokens, sums); break;
    case QK_OUTPUT_INT16: finish_requantised(QK_OUTPUT_INT16, f, tokens, sums); break;
    case QK_OUTPUT_RESIDUAL: finish_requantised(QK_OUTPUT_RESIDUAL, f, tokens, sums); break;
    case QK_OUTPUT_CODE_AND_REST: finish_shifted(QK_OUTPUT_CODE_AND_REST, 0, f, tokens, sums); break;
    case QK_OUTPUT_EXACT_AND_REST: finish_requantised(QK_OUTPUT_EXACT_AND_REST, f, tokens, sums); break;
  }
}
#endif
